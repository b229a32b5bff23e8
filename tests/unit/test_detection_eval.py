"""Average precision against COCO's own tool and by hand; scene recall and precision by hand."""

import contextlib
import io

import numpy as np
import pytest

from mili_core.errors import DetectionError
from mili_core.evaluation.bands import count_by_height
from mili_core.evaluation.detection import (
    COCO_THRESHOLDS,
    FoundBoxes,
    TrueBoxes,
    average_precision,
    evaluate_boxes,
    match_boxes,
)
from mili_core.evaluation.heights import precision_by_height
from mili_core.evaluation.matching import match, pairwise_inside, pairwise_iou
from mili_core.evaluation.precision import average_precision_of, bootstrap_interval
from mili_core.evaluation.scene import choose_people, match_scene

NONE = np.zeros((0, 4))


def random_boxes(rng: np.random.Generator, count: int) -> np.ndarray:
    corner = rng.integers(0, 20, (count, 2)) * 4.0
    size = rng.integers(1, 8, (count, 2)) * 4.0
    return np.concatenate([corner, corner + size], axis=1)


def random_image(rng: np.random.Generator) -> tuple[FoundBoxes, TrueBoxes]:
    """Boxes on a coarse grid and scores of few levels, so that IoU and scores tie often."""
    people, crowds = random_boxes(rng, rng.integers(0, 7)), random_boxes(rng, rng.integers(0, 3))
    noise = random_boxes(rng, rng.integers(0, 6))
    near = people[rng.random(len(people)) < 0.8]
    near = np.concatenate([near, near[: rng.integers(0, 3)]])
    near = near + rng.integers(-1, 2, near.shape) * rng.choice([0.0, 2.0, 4.0])
    near = near[((near[:, 2:] - near[:, :2]) > 0).all(1)]
    boxes = np.concatenate([near, noise, crowds[:1]])
    boxes = boxes[rng.permutation(len(boxes))]
    return FoundBoxes(boxes, rng.integers(1, 9, len(boxes)) / 10), TrueBoxes(people, crowds)


def coco_ap(images: list[tuple[FoundBoxes, TrueBoxes]]) -> np.ndarray:
    """Gives COCO's AP at each of its thresholds."""
    coco = pytest.importorskip("pycocotools.coco")
    evaluation = pytest.importorskip("pycocotools.cocoeval")

    def xywh(box: np.ndarray) -> list[float]:
        return [box[0], box[1], box[2] - box[0], box[3] - box[1]]

    annotations, results = [], []
    for i, (found, truth) in enumerate(images, start=1):
        for boxes, crowd in ((truth.boxes_xyxy, 0), (truth.ignore_boxes_xyxy, 1)):
            for box in boxes:
                entry = {"image_id": i, "category_id": 1, "bbox": xywh(box), "iscrowd": crowd, "area": 1.0}
                annotations.append({**entry, "id": len(annotations) + 1})
        for box, score in zip(found.boxes_xyxy, found.scores, strict=True):
            results.append({"image_id": i, "category_id": 1, "bbox": xywh(box), "score": float(score)})
    with contextlib.redirect_stdout(io.StringIO()):
        truth_set = coco.COCO()
        truth_set.dataset = {
            "images": [{"id": i} for i in range(1, len(images) + 1)],
            "annotations": annotations,
            "categories": [{"id": 1}],
        }
        truth_set.createIndex()
        run = evaluation.COCOeval(truth_set, truth_set.loadRes(results), "bbox")
        run.params.areaRng, run.params.areaRngLbl = [[0, 1e10]], ["all"]
        run.params.maxDets = [100]
        run.evaluate()
        run.accumulate()
    return run.eval["precision"][:, :, 0, 0, 0].mean(1)


@pytest.mark.parametrize("seed", range(6))
def test_average_precision_equals_coco(seed: int) -> None:
    rng = np.random.default_rng(seed)
    images = [random_image(rng) for _ in range(25)]
    found, truth = [pair[0] for pair in images], [pair[1] for pair in images]
    ours = [average_precision(found, truth, threshold) for threshold in COCO_THRESHOLDS]
    np.testing.assert_allclose(ours, coco_ap(images), atol=1e-6)
    assert 0.05 < ours[0] < 0.95


def test_average_precision_equals_coco_beyond_a_hundred_detections() -> None:
    rng = np.random.default_rng(0)
    people = random_boxes(rng, 120)
    images = [(FoundBoxes(people, rng.permutation(120) / 120), TrueBoxes(people, NONE))]
    ours = average_precision([images[0][0]], [images[0][1]])
    np.testing.assert_allclose(ours, coco_ap(images)[0], atol=1e-6)
    assert ours < 0.9


def test_average_precision_by_hand() -> None:
    person, elsewhere = np.array([[0.0, 0, 10, 20]]), np.array([[50.0, 0, 60, 20]])
    truth = [TrueBoxes(np.concatenate([person, person + 100]), NONE)]
    both = np.concatenate([person, elsewhere, person + 100])
    # right, wrong, right: precision 1 up to recall 1/2 (51 of 101 points), then 2/3
    ap = average_precision([FoundBoxes(both, np.array([0.9, 0.8, 0.7]))], truth)
    assert ap == pytest.approx((51 + 50 * 2 / 3) / 101)
    assert average_precision([FoundBoxes(NONE, np.zeros(0))], truth) == 0.0
    assert np.isnan(average_precision([FoundBoxes(both, np.ones(3))], [TrueBoxes(NONE, NONE)]))
    assert np.isnan(average_precision([], []))


def test_crowds_swallow_any_number_and_duplicates_are_wrong() -> None:
    crowd, person = np.array([[0.0, 0, 100, 50]]), np.array([[200.0, 0, 220, 40]])
    found = FoundBoxes(
        np.array([[10.0, 10, 20, 30], [40, 10, 50, 30], *person, *person]), np.array([0.9, 0.8, 0.7, 0.6])
    )
    pairs = match_boxes(found, TrueBoxes(person, crowd), 0.5)
    assert pairs.ignored.tolist() == [True, True, False, False]
    assert pairs.right.tolist() == [False, False, True, False]
    assert pairs.truths == 1


def test_people_not_asked_for_swallow_one() -> None:
    crowd, people = np.array([[0.0, 0, 100, 50]]), np.array([[200.0, 0, 220, 40], [300, 0, 320, 40]])
    boxes = np.concatenate([crowd[:, [0, 1, 0, 1]] + [[0, 0, 20, 40]], people[[0, 0, 1, 1]]])
    found = FoundBoxes(boxes, np.array([0.9, 0.8, 0.7, 0.6, 0.5]))
    pairs = match_boxes(found, TrueBoxes(people, crowd), 0.5, asked=np.array([False, True]))
    assert pairs.ignored.tolist() == [True, True, False, False, False]
    assert pairs.right.tolist() == [False, False, False, True, False]  # both duplicates are wrong
    assert pairs.truths == 1


def test_precision_by_height_asks_for_some() -> None:
    people = np.array([[0.0, 0, 10, 20], [50, 0, 60, 22], [90, 0, 110, 60]])
    truth, found = TrueBoxes(people, NONE), FoundBoxes(people[[0, 1, 1, 2]], np.array([0.6, 0.9, 0.8, 0.7]))
    (all_small,) = precision_by_height([found], [truth], ((15, 30),))
    assert all_small.people == 2
    assert all_small.average_precision == pytest.approx((51 + 50 * 2 / 3) / 101)
    (one_small,) = precision_by_height([found], [truth], ((15, 30),), asked=[np.array([True, False, True])])
    assert one_small.people == 1
    assert one_small.average_precision == pytest.approx(1 / 2)  # the duplicate of the other one goes before


def test_exact_threshold_matches() -> None:
    half = FoundBoxes(np.array([[0.0, 0, 10, 10]]), np.ones(1))
    truth = TrueBoxes(np.array([[0.0, 0, 10, 20]]), NONE)
    assert pairwise_iou(half.boxes_xyxy, truth.boxes_xyxy)[0, 0] == 0.5
    assert match_boxes(half, truth, 0.5).right.tolist() == [True]
    assert match_boxes(half, truth, 0.5001).right.tolist() == [False]


def test_overlaps_by_hand() -> None:
    box, region = np.array([[0.0, 0, 4, 4]]), np.array([[2.0, 0, 12, 4], [5, 5, 6, 6], [0, 0, 0, 0]])
    np.testing.assert_allclose(pairwise_iou(box, region), [[8 / 48, 0, 0]])
    np.testing.assert_allclose(pairwise_inside(box, region), [[0.5, 0, 0]])
    empty = np.zeros((1, 4))
    assert pairwise_iou(empty, empty)[0, 0] == 0
    assert pairwise_iou(NONE, region).shape == (0, 3)
    with pytest.raises(DetectionError, match="similarity"):
        match(np.zeros((2, 2)), np.zeros(3), np.zeros(2, bool), 0.5)
    with pytest.raises(DetectionError, match="scores"):
        FoundBoxes(region, np.zeros(2))


def test_all_figures_of_a_set() -> None:
    person = np.array([[0.0, 0, 20, 40]])
    tall = np.array([[100.0, 0, 140, 100]])
    truth = [TrueBoxes(np.concatenate([person, tall]), NONE), TrueBoxes(NONE, NONE)]
    found = [
        FoundBoxes(np.concatenate([person, tall]), np.array([0.9, 0.2])),
        FoundBoxes(person, np.array([0.5])),
    ]
    figures = evaluate_boxes(found, truth, 0.4)
    assert figures.images == 2
    assert (figures.counts.truths, figures.counts.hit, figures.counts.found, figures.counts.right) == (2, 1, 2, 1)
    assert figures.counts.recall == figures.counts.precision == 0.5
    by_band = {(band.low_px, band.high_px): band.counts for band in figures.bands}
    assert by_band[32, 64].precision == 0.5
    assert by_band[32, 64].recall == 1.0
    assert by_band[64, 128].recall == 0.0
    assert np.isnan(by_band[64, 128].precision)
    assert figures.ap50 == figures.ap == pytest.approx((51 + 50 * 2 / 3) / 101)
    nothing = evaluate_boxes([], [], 0.5)
    assert nothing.images == 0
    assert np.isnan(nothing.ap50)


def test_bootstrap_brackets_the_estimate_and_shrinks_with_more_images() -> None:
    rng = np.random.default_rng(2)
    images = [match_boxes(*random_image(rng), 0.5) for _ in range(160)]
    estimate = average_precision_of(images)
    low, high = bootstrap_interval(images, rounds=200)
    assert low < estimate < high
    few_low, few_high = bootstrap_interval(images[:20], rounds=200)
    assert high - low < 0.6 * (few_high - few_low)
    assert bootstrap_interval(images, rounds=50) == bootstrap_interval(images, rounds=50)
    assert np.isnan(bootstrap_interval([])).all()


def test_scene_rule() -> None:
    truth = np.array([[0.0, 0, 50, 100], [200, 0, 250, 100], [400, 0, 420, 40], [600, 0, 650, 100]])
    visible = np.array([1.0, 0.9, 1.0, 0.2])
    chosen = choose_people(truth, visible, min_height_px=64, min_visible=0.7)
    assert chosen.tolist() == [True, True, False, False]
    found = np.array([truth[0], truth[0] + 1, truth[2], truth[3], [900, 0, 950, 90]])
    figures = match_scene(found, np.array([0.5, 0.9, 0.8, 0.7, 0.6]), truth, chosen)
    assert (figures.people, figures.counts.truths, figures.counts.hit) == (4, 2, 1)
    assert (figures.counts.found, figures.counts.right, figures.duplicates) == (5, 3, 1)
    by_band = {band.low_px: band.counts for band in figures.bands}
    assert by_band[64].recall == 0.5
    assert by_band[32].truths == 0
    assert by_band[32].precision == 1.0
    assert by_band[64].precision == pytest.approx(2 / 4)
    assert sum(band.counts.found for band in figures.bands) == 5


def test_scene_with_nobody() -> None:
    box = np.array([[0.0, 0, 50, 100]])
    nobody = match_scene(box, np.ones(1), NONE, np.zeros(0, bool))
    assert nobody.counts.precision == 0.0
    assert np.isnan(nobody.counts.recall)
    nothing = match_scene(NONE, np.zeros(0), box, np.ones(1, bool))
    assert nothing.counts.recall == 0.0
    assert np.isnan(nothing.counts.precision)


def test_bands_are_half_open() -> None:
    heights = np.array([31.9, 32.0, 64.0])
    flags = np.array([True, False, True])
    rows = count_by_height(heights, flags, heights[:0], flags[:0], ((0, 32), (32, 64)))
    assert [(row.counts.truths, row.counts.hit) for row in rows] == [(1, 1), (1, 0)]
