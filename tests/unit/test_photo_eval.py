"""Outlines, limb joints and whole reports: against COCO's tools and by hand."""

import contextlib
import io
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from jobs.evaluate_mili import main
from mili_core.datasets.sample import Sample
from mili_core.detections import Detections
from mili_core.errors import ConfigError
from mili_core.evaluation.keypoints import LIMB_SLOTS, SMPL_OF_LIMBS, limbs_of_smpl, pairwise_oks
from mili_core.evaluation.labelled import LabelledPhotos
from mili_core.evaluation.masks import pairwise_mask_iou, paste
from mili_core.evaluation.photos import PhotoTruth, evaluate_photos, photo_metrics
from mili_core.evaluation.report import photo_lines, to_json
from mili_core.protocol import ModelIdentity
from pipeline.cli import EXIT_USAGE
from schemas.people import JOINT_NAMES

NO_BOXES = np.zeros((0, 4), np.float32)


def detections(
    boxes: NDArray[np.floating], scores: Sequence[float], masks: NDArray[np.float32] | None = None
) -> Detections:
    count = len(scores)
    boxes32 = boxes.astype(np.float32).reshape(-1, 4)
    zeros = {"rotmats": (24, 3, 3), "betas": (10,), "cam_crop": (3,), "transl_m": (3,), "joints3d_m": (24, 3)}
    return Detections(
        boxes_xyxy=boxes32,
        scores=np.array(scores, np.float32),
        crop_boxes_xyxy=boxes32,
        joints2d=np.zeros((count, 24, 3), np.float32),
        masks=masks,
        mask_boxes_xyxy=None if masks is None else boxes32,
        **{name: np.zeros((count, *shape), np.float32) for name, shape in zeros.items()},
    )


def rectangle(box: Sequence[float]) -> tuple[NDArray[np.float32], ...]:
    x0, y0, x1, y1 = box
    return (np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], np.float32),)


def test_paste_fills_the_box_and_follows_the_mask() -> None:
    full = paste(np.ones((28, 28), np.float32), np.array([10.0, 20, 50, 80]), 100, 90)
    expected = np.zeros((90, 100), np.uint8)
    expected[20:80, 10:50] = 1
    np.testing.assert_array_equal(full, expected)
    left = np.zeros((28, 28), np.float32)
    left[:, :14] = 1
    half = paste(left, np.array([10.0, 20, 50, 80]), 100, 90)
    np.testing.assert_array_equal(half[50], np.r_[np.zeros(10), np.ones(20), np.zeros(70)])
    beyond = paste(np.ones((28, 28), np.float32), np.array([-20.0, -10, 130, 100]), 100, 90)
    assert beyond.all()
    for outside in ([200, 10, 220, 30], [10, 10, 10, 30], [-30, 0, -5, 9]):
        assert not paste(np.ones((28, 28), np.float32), np.array(outside, float), 100, 90).any()


def test_mask_overlap_by_hand() -> None:
    pytest.importorskip("pycocotools")
    masks = np.ones((2, 28, 28), np.float32)
    boxes = np.array([[0.0, 0, 40, 40], [60, 0, 100, 40]])
    truths = [rectangle([0, 0, 40, 40]), rectangle([0, 0, 40, 80])]
    overlap = pairwise_mask_iou(masks, boxes, truths, np.array([[80.0, 0, 100, 100]]), 100, 100)
    np.testing.assert_allclose(overlap, [[1, 0.5, 0], [0, 0, 0.5]], atol=0.02)
    assert pairwise_mask_iou(masks[:0], boxes[:0], truths, NO_BOXES, 100, 100).shape == (0, 2)
    assert pairwise_mask_iou(masks, boxes, [], NO_BOXES, 100, 100).shape == (2, 0)


def test_oks_equals_coco() -> None:
    coco = pytest.importorskip("pycocotools.coco")
    evaluation = pytest.importorskip("pycocotools.cocoeval")
    rng = np.random.default_rng(0)
    truths = np.concatenate([rng.uniform(0, 100, (5, 17, 2)), rng.integers(0, 3, (5, 17, 1))], axis=2)
    truths[4, :, 2] = 0
    points = truths[rng.integers(0, 5, 7)] + rng.normal(0, 6, (7, 17, 3))
    points[0] += 300
    areas = rng.uniform(500, 4000, 5)
    corner = rng.uniform(0, 50, (5, 2))
    boxes = np.concatenate([corner, corner + rng.uniform(20, 60, (5, 2))], axis=1)

    def xywh(box: NDArray[np.float64]) -> list[float]:
        return [*box[:2], *(box[2:] - box[:2])]

    annotations = [
        {
            "id": i + 1,
            "image_id": 1,
            "category_id": 1,
            "iscrowd": 0,
            "area": areas[i],
            "bbox": xywh(boxes[i]),
            "keypoints": truths[i].ravel().tolist(),
            "num_keypoints": int((truths[i, :, 2] > 0).sum()),
        }
        for i in range(5)
    ]
    results = [
        {"image_id": 1, "category_id": 1, "keypoints": point.ravel().tolist(), "score": 1 - i / 10}
        for i, point in enumerate(points)
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        truth_set = coco.COCO()
        truth_set.dataset = {"images": [{"id": 1}], "annotations": annotations, "categories": [{"id": 1}]}
        truth_set.createIndex()
        run = evaluation.COCOeval(truth_set, truth_set.loadRes(results), "keypoints")
        run.evaluate()
    ours = pairwise_oks(points, truths, areas, boxes)
    np.testing.assert_allclose(ours, run.ious[1, 1], atol=1e-9)
    assert ours[0].max() < 0.1
    assert pairwise_oks(points[:0], truths, areas, boxes).shape == (0, 5)


def test_limbs_have_the_same_names_in_both_orders() -> None:
    names = ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
    coco_limbs = [f"{side}_{part}" for part in names for side in ("left", "right")]
    assert [JOINT_NAMES[i] for i in SMPL_OF_LIMBS] == coco_limbs
    assert len(LIMB_SLOTS) == 12
    assert limbs_of_smpl(np.zeros((0, 24, 3))).shape == (0, 12, 3)


class Oracle:
    """Finds everyone, with outline and limbs, and one ghost."""

    def __init__(self, photos: Sequence[Sample]) -> None:
        self._photos = {id(photo.image): photo for photo in photos}

    @property
    def identity(self) -> ModelIdentity:
        return ModelIdentity("oracle", "", "open", "")

    def predict(self, images: Sequence[NDArray[np.uint8]]) -> list[Detections]:
        return [self._people(self._photos[id(image)]) for image in images]

    def _people(self, photo: Sample) -> Detections:
        boxes = np.concatenate([photo.boxes_xyxy, [[1.0, 1, 5, 9]]])
        scores = [*np.full(len(photo.boxes_xyxy), 0.9), 0.2]
        found = detections(boxes, scores, np.ones((len(boxes), 28, 28), np.float32))
        found.joints2d[:-1, SMPL_OF_LIMBS, :2] = photo.keypoints[:, LIMB_SLOTS, :2]
        return found


def photo(number: int) -> Sample:
    boxes = np.array([[20, 10, 50, 90], [60, 20, 80, 60]], np.float32)[:number]
    keypoints = np.zeros((number, 17, 3), np.float32)
    keypoints[:, 5:17] = [30, 40, 2]
    outlines = tuple(rectangle(box) for box in boxes)
    return Sample(
        f"{number}", np.zeros((100, 120, 3), np.uint8), boxes, outlines, keypoints, NO_BOXES, boxes_complete=True
    )


def test_perfect_predictions_are_perfect() -> None:
    pytest.importorskip("pycocotools")
    photos = [photo(n) for n in (2, 0, 1, 2, 1, 1)]
    figures = evaluate_photos(Oracle(photos), photos, 0.5)
    assert figures.boxes.images == 6
    assert figures.boxes.ap50 == figures.boxes.ap == figures.mask_ap50 == figures.limb_ap50 == 1.0
    assert figures.boxes.counts.precision == figures.boxes.counts.recall == 1.0
    lenient = evaluate_photos(Oracle(photos), photos, 0.1, masks=False)
    assert lenient.boxes.counts.precision == pytest.approx(7 / 13)
    assert np.isnan(lenient.mask_ap50)


def test_wrong_limbs_and_missing_masks_cost() -> None:
    pytest.importorskip("pycocotools")
    truth = PhotoTruth.of(photo(2))
    no_masks = detections(truth.boxes_xyxy, [0.9, 0.8])
    figures = photo_metrics([no_masks], [truth], 0.5)
    assert figures.boxes.ap50 == 1.0
    assert np.isnan(figures.mask_ap50)  # a model without outlines: nothing to measure
    assert figures.limb_ap50 == 0.0
    outlined = detections(truth.boxes_xyxy, [0.9, 0.8], np.ones((2, 28, 28), np.float32))
    half = photo_metrics([outlined, no_masks], [truth, truth], 0.5)
    assert half.mask_ap50 == pytest.approx(0.5, abs=0.01)


def test_false_poses_count_where_nobody_is_labelled() -> None:
    posed, empty, doubtful = PhotoTruth.of(photo(1)), PhotoTruth.of(photo(0)), PhotoTruth.of(photo(2))
    doubtful.keypoints[:] = 0
    right, ghost = Oracle([])._people(photo(1)), detections(np.array([[1.0, 1, 5, 9]]), [0.95])
    crowd = detections(doubtful.boxes_xyxy, [0.99, 0.98])
    alone = photo_metrics([right], [posed], 0.5, masks=False)
    assert (alone.limb_ap50, alone.limb_photos, alone.limb_people) == (1.0, 1, 1)
    both = photo_metrics([right, ghost], [posed, empty], 0.5, masks=False)
    assert (both.limb_ap50, both.limb_photos, both.limb_people) == (0.5, 2, 1)
    unlabelled = replace(doubtful, keypoints_complete=False)
    skipped = photo_metrics([right, crowd], [posed, unlabelled], 0.5, masks=False)
    assert (skipped.limb_ap50, skipped.limb_photos) == (1.0, 1)


def write_photos(folder: Path, flags: Sequence[dict[str, object]]) -> Path:
    """Writes annotations of photos of 100x80 px, each with one person."""
    images = [{"id": i, "file_name": f"{i}.png", "width": 100, "height": 80, **flag} for i, flag in enumerate(flags)]
    people = [{"image_id": i, "category_id": 1, "bbox": [10, 10, 20, 40]} for i in range(len(flags))]
    (folder / "images").mkdir()
    for image in images:
        cv2.imwrite(str(folder / "images" / str(image["file_name"])), np.zeros((80, 100, 3), np.uint8))
    (folder / "annotations.json").write_text(json.dumps({"images": images, "annotations": people}))
    return folder


def test_only_photos_that_name_everybody_are_judged(tmp_path: Path) -> None:
    flags: list[dict[str, object]] = [
        {"split": "val", "complete_boxes": False},
        {"split": "val", "complete_keypoints": True},
        {"split": "val", "complete_keypoints": False},
        {"split": "train", "complete_boxes": False},
    ]
    folder = write_photos(tmp_path, flags)
    photos = LabelledPhotos(folder, "val")
    assert [each.image_id.rpartition("/")[2] for each in photos] == ["1", "2"]
    assert [photos.keypoints_complete_at(index) for index in range(2)] == [True, False]
    assert photos.left_out == 1
    with pytest.raises(ConfigError, match=r"no photo of split 'vall'; its splits are train, val"):
        LabelledPhotos(folder, "vall")
    with pytest.raises(ConfigError, match="whose boxes are complete"):
        LabelledPhotos(folder, "train")


def test_unknown_split_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_photos(tmp_path, [{"split": "val"}])
    assert main(["photos", "--data", str(folder), "--split", "vall"]) == EXIT_USAGE
    told = capsys.readouterr()
    assert told.err == f"error: {folder} holds no photo of split 'vall'; its splits are val\n"
    assert told.out == ""


def test_report_says_what_was_measured() -> None:
    figures = photo_metrics([detections(NO_BOXES, [])], [PhotoTruth.of(photo(1))], 0.5, masks=False)
    plain = json.loads(to_json(figures))
    assert plain["boxes"]["ap50"] == 0.0
    assert plain["mask_ap50"] is None
    assert plain["boxes"]["counts"] == {
        "truths": 1,
        "hit": 0,
        "found": 0,
        "right": 0,
        "recall": 0.0,
        "precision": None,
    }
    lines = photo_lines(figures)
    assert lines[0] == "photos 1, left out for their incomplete boxes: 0"
    assert lines[3] == "limb-joint AP at OKS .5 0.000, of 1 people in 1 photos with complete keypoints"
    bands, scores = lines[5:13], lines[14:]
    assert bands[-1].split() == ["all", "1", "0", "0.000", "0", "0", "-"]
    assert len({len(line) for line in bands}) == len({len(line) for line in scores}) == 1
    assert scores[1].split() == ["0.1", "-", "0.000", "-"]


def test_report_tells_what_each_score_costs() -> None:
    truth = PhotoTruth.of(photo(2))
    boxes = np.concatenate([truth.boxes_xyxy, [[1.0, 1, 5, 9]]])
    figures = photo_metrics([detections(boxes, [0.9, 0.45, 0.25])], [truth], 0.5, masks=False)
    rows = {row.score_threshold: row.counts for row in figures.boxes.by_score}
    assert list(rows) == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9])
    assert (rows[0.2].precision, rows[0.2].recall, rows[0.2].f1) == pytest.approx((2 / 3, 1, 0.8))
    assert (rows[0.4].precision, rows[0.4].recall, rows[0.4].f1) == (1, 1, 1)
    assert (rows[0.5].precision, rows[0.5].recall, rows[0.5].f1) == pytest.approx((1, 1 / 2, 2 / 3))
    assert photo_lines(figures)[-8].split() == ["0.2", "0.667", "1.000", "0.800"]
