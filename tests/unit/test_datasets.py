"""Readers, un-squeezing and the mixture, on tiny data sets made here."""

import json
import pickle
from pathlib import Path

import cv2
import numpy as np
import pytest

from mili_core.datasets import (
    AugmentSettings,
    CocoPhotos,
    FunctionSource,
    MixtureSource,
    Sample,
    SportPoses,
    SqueezedPhotos,
    TrainingMixture,
)
from mili_core.datasets.coco import looks_like_crowd
from mili_core.datasets.sample import without_people
from mili_core.datasets.sport import COCO_SLOTS, JOINT_ORDER
from mili_core.datasets.squeezed import ASPECTS, unsqueeze
from mili_core.errors import ImageError, MissingFileError

COCO_NAMES = (
    "nose", "LEye", "REye", "LEar", "REar", "LShoulder", "RShoulder", "LElbow", "RElbow",
    "LWrist", "RWrist", "LHip", "RHip", "LKnee", "RKnee", "LAnkle", "RAnkle",
)  # fmt: skip


def write_image(path: Path, width: int, height: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = np.zeros((height, width, 3), np.uint8)
    image[:, :, 2] = 200  # BGR: red
    cv2.imwrite(str(path), image)


def annotation(image_id: int, bbox: list[float], **more: object) -> dict[str, object]:
    return {"image_id": image_id, "category_id": 1, "bbox": bbox, **more}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "photos"
    write_image(root / "images" / "a.png", 100, 80)
    write_image(root / "images" / "b.png", 60, 90)
    write_image(root / "images" / "c.png", 40, 40)
    keypoints = [0.0] * 51
    keypoints[15:18] = [20.0, 30.0, 2.0]
    images = [
        {"id": 1, "file_name": "a.png", "width": 100, "height": 80, "split": "train"},
        {"id": 2, "file_name": "b.png", "width": 60, "height": 90, "split": "val", "complete_boxes": False},
        {"id": 3, "file_name": "c.png", "width": 40, "height": 40, "split": "train"},
    ]
    annotations = [
        annotation(
            1,
            [10, 20, 30, 40],
            iscrowd=0,
            segmentation=[[10, 20, 40, 20, 40, 60]],
            keypoints=keypoints,
        ),
        annotation(1, [50, 10, 60, 20], iscrowd=1),
        annotation(1, [0, 0, 5, 5], category_id=2),
        annotation(1, [7, 7, 0, 5], iscrowd=0),
        annotation(
            2, [1, 2, 3, 4], iscrowd=0, segmentation={"size": [90, 60], "counts": [90 * 10 + 5, 20, 90 * 49 + 65]}
        ),
    ]
    annotations[2]["category_id"] = 2
    document = {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "person"}]}
    (root / "annotations.json").write_text(json.dumps(document))
    return root


def test_coco_reads_boxes_outlines_keypoints_and_crowds(folder: Path) -> None:
    photos = CocoPhotos(folder, "train")
    assert len(photos) == 2
    sample = photos[0]
    assert sample.image.shape == (80, 100, 3)
    assert sample.image[0, 0].tolist() == [200, 0, 0]
    np.testing.assert_array_equal(sample.boxes_xyxy, [[10, 20, 40, 60]])
    np.testing.assert_array_equal(sample.ignore_boxes_xyxy, [[50, 10, 100, 30]])
    assert sample.polygons[0] is not None
    np.testing.assert_array_equal(sample.polygons[0][0], [[10, 20], [40, 20], [40, 60]])
    np.testing.assert_array_equal(sample.keypoints[0, 5], [20, 30, 2])
    assert sample.keypoints.sum() == 52
    assert sample.boxes_complete


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"images": []},
        {"images": ["a"], "annotations": []},
        {"images": [], "annotations": ["x"]},
        {"images": [], "annotations": [], "categories": None},
        {"images": [{"id": 1}], "annotations": []},
        {"images": {}, "annotations": {}},
        [],
        3,
    ],
)
def test_annotations_of_another_form_are_named(document: object, tmp_path: Path) -> None:
    (tmp_path / "annotations.json").write_text(json.dumps(document))
    with pytest.raises(ImageError, match=r"annotations\.json is not in COCO's form: .+"):
        CocoPhotos(tmp_path)


@pytest.mark.parametrize("document", [{}, [], {"images": {}}, {"images": [{}]}, {"images": [{}], "order": 3}])
def test_athletes_of_another_form_are_named(document: object, tmp_path: Path) -> None:
    (tmp_path / "joints.json").write_text(json.dumps(document))
    with pytest.raises(ImageError, match=r"no list 'images' with athletes|are ordered (None|3), expected"):
        SportPoses(tmp_path)


def test_coco_gives_photos_without_people(folder: Path) -> None:
    empty = CocoPhotos(folder, "train")[1]
    assert empty.boxes_xyxy.shape == (0, 4)
    assert empty.keypoints.shape == (0, 17, 3)
    assert empty.polygons == ()
    assert empty.boxes_xyxy.dtype == empty.keypoints.dtype == empty.ignore_boxes_xyxy.dtype == np.float32


def test_coco_reads_run_lengths(folder: Path) -> None:
    sample = CocoPhotos(folder, "val")[0]
    rings = sample.polygons[0]
    assert rings is not None
    points = np.concatenate(rings)
    # column 10, rows 5..24: within a third of a px of the true edges
    np.testing.assert_allclose([points.min(0), points.max(0)], [[10, 5], [11, 25]], atol=0.34)
    assert not sample.boxes_complete


def test_coco_compressed_run_lengths_agree_with_plain_ones(folder: Path) -> None:
    coco_mask = pytest.importorskip("pycocotools.mask")
    document = json.loads((folder / "annotations.json").read_text())
    mask = np.zeros((90, 60), np.uint8, order="F")
    mask[5:25, 10] = 1
    encoded = coco_mask.encode(mask)
    document["annotations"][-1]["segmentation"] = {"size": [90, 60], "counts": encoded["counts"].decode()}
    plain = CocoPhotos(folder, "val")[0].polygons[0]
    (folder / "annotations.json").write_text(json.dumps(document))
    compressed = CocoPhotos(folder, "val")[0].polygons[0]
    assert plain is not None
    assert compressed is not None
    np.testing.assert_array_equal(plain[0], compressed[0])


def test_coco_filters_by_completeness(folder: Path) -> None:
    document = json.loads((folder / "annotations.json").read_text())
    document["images"][0]["complete_masks"] = False
    (folder / "annotations.json").write_text(json.dumps(document))
    assert [s.image_id for s in CocoPhotos(folder, "train", require="masks")] == ["photos/3"]
    assert len(CocoPhotos(folder, require="boxes")) == 3


def test_coco_names_what_is_missing(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"annotations\.json"):
        CocoPhotos(tmp_path / "nowhere")
    (folder / "images" / "a.png").unlink()
    with pytest.raises(MissingFileError, match=r"a\.png"):
        CocoPhotos(folder)[0]
    (folder / "images" / "b.png").write_bytes(b"no image")
    with pytest.raises(ImageError, match=r"b\.png"):
        CocoPhotos(folder)[1]
    write_image(folder / "images" / "c.png", 41, 40)
    with pytest.raises(ImageError, match="41x40"):
        CocoPhotos(folder)[2]


def test_crowd_is_a_wide_box_around_several_others() -> None:
    inner = [[i * 10.0, 5, i * 10 + 8.0, 20] for i in range(3)]
    wide, tall = [0, 0, 40, 22], [0, 0, 30, 22]
    boxes = np.array([*inner, wide], np.float32)
    assert looks_like_crowd(boxes).tolist() == [False, False, False, True]
    assert not looks_like_crowd(boxes[1:]).any()
    assert not looks_like_crowd(np.array([*inner, tall], np.float32)).any()
    assert looks_like_crowd(np.zeros((0, 4), np.float32)).shape == (0,)


def test_unsqueeze_keeps_points_on_their_pixels(rng: np.random.Generator) -> None:
    image = np.zeros((352, 352, 3), np.uint8)
    image[88:176, 176:264] = 255
    keypoints = np.zeros((1, 17, 3), np.float32)
    keypoints[0, 3] = [176, 88, 2]
    sample = Sample(
        "x",
        image,
        np.array([[176, 88, 264, 176]], np.float32),
        ((np.array([[176, 88], [264, 88], [264, 176]], np.float32),),),
        keypoints,
        np.zeros((0, 4), np.float32),
        boxes_complete=True,
    )
    for aspect, _ in ASPECTS:
        result = unsqueeze(sample, aspect)
        height, width = result.image.shape[:2]
        assert width / height == pytest.approx(aspect, rel=0.01)
        white = np.argwhere(result.image[..., 0] > 127)
        box = np.concatenate([white.min(0)[::-1], white.max(0)[::-1] + 1])
        np.testing.assert_allclose(result.boxes_xyxy[0], box, atol=1.0)
        np.testing.assert_allclose(result.keypoints[0, 3, :2], result.boxes_xyxy[0, :2], rtol=1e-6)
        assert result.polygons[0] is not None
        np.testing.assert_allclose(result.polygons[0][0][0], result.boxes_xyxy[0, :2], rtol=1e-6)


def test_aspects_have_the_stated_shares() -> None:
    landscape = sum(share for ratio, share in ASPECTS if ratio > 1)
    portrait = sum(share for ratio, share in ASPECTS if ratio < 1)
    assert landscape == pytest.approx(0.71)
    assert portrait == pytest.approx(0.25)
    assert sum(share for _, share in ASPECTS) == pytest.approx(1.0)


def test_squeezed_leaves_incomplete_photos_out_and_draws_repeatably(folder: Path) -> None:
    assert len(SqueezedPhotos(folder)) == 2
    assert len(SqueezedPhotos(folder, include_incomplete=True)) == 3
    photos = SqueezedPhotos(folder)
    one, two = (photos.draw(np.random.default_rng(3)) for _ in range(2))
    np.testing.assert_array_equal(one.image, two.image)
    shapes = {photos.draw(np.random.default_rng(i)).image.shape for i in range(40)}
    assert len(shapes) > 4


def test_sport_joints_land_in_the_slots_of_the_same_name(tmp_path: Path) -> None:
    root = tmp_path / "sport"
    write_image(root / "images" / "a.png", 100, 200)
    joints = [[10.0 + i, 20.0 + 10 * i, 1] for i in range(14)]
    joints[2][2] = 0
    entry = {"file_name": "a.png", "width": 100, "height": 200, "joints": joints}
    (root / "joints.json").write_text(json.dumps({"order": JOINT_ORDER, "images": [entry]}))
    sample = SportPoses(root)[0]
    for i, slot in enumerate(COCO_SLOTS):
        assert COCO_NAMES[slot] == JOINT_ORDER[i]
        expected = [0, 0, 0] if i == 2 else [10 + i, 20 + 10 * i, 2]
        np.testing.assert_array_equal(sample.keypoints[0, slot], expected)
    assert (sample.keypoints[0, :5] == 0).all()
    margin = 0.08 * 130
    np.testing.assert_allclose(sample.boxes_xyxy, [[0, 20 - margin, 23 + margin, 150 + margin]], rtol=1e-6)
    assert not sample.boxes_complete
    (root / "joints.json").write_text(json.dumps({"order": JOINT_ORDER[::-1], "images": [entry]}))
    with pytest.raises(ImageError, match="ordered"):
        SportPoses(root)


def person_photo(rng: np.random.Generator) -> Sample:
    boxes = np.array([[60, 20, 100, 120], [5, 30, 40, 110]], np.float32)
    image = rng.integers(0, 255, (150, 200, 3), dtype=np.uint8)
    keypoints = np.zeros((2, 17, 3), np.float32)
    return Sample("photo", image, boxes, (None, None), keypoints, np.zeros((0, 4), np.float32), boxes_complete=True)


def empty_photo(rng: np.random.Generator) -> Sample:
    return without_people(rng.integers(0, 255, (150, 200, 3), dtype=np.uint8), "empty")


SETTINGS = AugmentSettings(width=128, height=96)


def mixture(**changes: float) -> TrainingMixture:
    sources = [
        MixtureSource("photo", FunctionSource(person_photo), 1.0, negatives=True),
        MixtureSource("empty", FunctionSource(empty_photo), 0.0),
    ]
    return TrainingMixture(sources, SETTINGS, 5, **changes)


def same(one: Sample, two: Sample) -> bool:
    return np.array_equal(one.image, two.image) and np.array_equal(one.boxes_xyxy, two.boxes_xyxy)


def test_mixture_depends_on_seed_and_index_alone() -> None:
    data = mixture()
    forward = [data[i] for i in range(20)]
    copy = pickle.loads(pickle.dumps(data))
    backward = [copy[i] for i in reversed(range(20))][::-1]
    assert all(same(a, b) for a, b in zip(forward, backward, strict=True))
    other = TrainingMixture([MixtureSource("photo", FunctionSource(person_photo), 1.0)], SETTINGS, 6)
    assert not any(same(a, other[i]) for i, a in enumerate(forward))


@pytest.mark.parametrize("packed", [0.0, 1.0])
def test_mixture_fills_the_canvas_and_keeps_boxes_inside(packed: float) -> None:
    data = mixture(packed=packed, quartered=0.5)
    for i in range(60):
        sample = data[i]
        assert sample.image.shape == (96, 128, 3)
        boxes = np.concatenate([sample.boxes_xyxy, sample.ignore_boxes_xyxy])
        assert (boxes >= 0).all()
        assert (boxes <= [128, 96, 128, 96]).all()
        assert (boxes[:, 2:] > boxes[:, :2]).all()
        assert len(sample.boxes_xyxy) == len(sample.polygons) == len(sample.keypoints)


def test_mixture_share_of_negatives() -> None:
    data = mixture(negatives=0.5)
    empty = np.mean([data[i].image_id.endswith("#free") or data[i].image_id.startswith("canvas") for i in range(300)])
    assert 0.4 < empty < 0.6
    assert all(len(mixture(negatives=1.0)[i].boxes_xyxy) == 0 for i in range(20))


def test_mixture_weights_choose_sources() -> None:
    sources = [
        MixtureSource("photo", FunctionSource(person_photo), 3.0, pack=False),
        MixtureSource("empty", FunctionSource(empty_photo), 1.0, pack=False),
    ]
    data = TrainingMixture(sources, SETTINGS, 1, negatives=0.0)
    share = np.mean([data[i].image_id == "photo" for i in range(400)])
    assert 0.68 < share < 0.82


def test_mixture_refuses_nonsense() -> None:
    with pytest.raises(ValueError, match="positive sum"):
        TrainingMixture([], SETTINGS, 0)
    with pytest.raises(ValueError, match="negatives"):
        mixture(negatives=1.5)


def test_mixture_runs_in_loader_workers() -> None:
    torch_data = pytest.importorskip("torch.utils.data")
    data = mixture()
    loader = torch_data.DataLoader(
        torch_data.Subset(data, range(8)), batch_size=4, num_workers=2, collate_fn=list, shuffle=False
    )
    loaded = [sample for batch in loader for sample in batch]
    assert all(same(sample, data[i]) for i, sample in enumerate(loaded))


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)
