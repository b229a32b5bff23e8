"""Everything measured on a set of labelled photos: boxes, outlines, limb joints."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from mili_core.datasets.sample import Polygons, Sample
from mili_core.detections import Detections
from mili_core.evaluation.detection import DetectionMetrics, FoundBoxes, TrueBoxes, evaluate_boxes
from mili_core.evaluation.keypoints import COCO_SIGMAS, LIMB_SLOTS, MAX_POSES, limbs_of_smpl, pairwise_oks
from mili_core.evaluation.masks import pairwise_mask_iou
from mili_core.evaluation.matching import Match, match
from mili_core.evaluation.precision import average_precision_of
from mili_core.protocol import PersonPredictor

BATCH = 4


@dataclass(frozen=True, slots=True)
class PhotoMetrics:
    """Figures of a set of photos.

    Attributes:
        boxes: detection figures.
        mask_ap50: average precision of outlines at IoU .5 on photos where each person has one; NaN if there are none,
            or if the model finds people without outlines.
        limb_ap50: average precision at OKS .5 over the twelve limb joints that COCO and SMPL share (not COCO's own
            keypoint figure: it has no face points), on photos whose keypoints are complete, those without anybody
            among them; NaN if nobody has a labelled limb.
        limb_photos: how many photos limb_ap50 is over.
        limb_people: how many people with a labelled limb there are in them.
        left_out: photos that were not judged because their boxes are incomplete.
    """

    boxes: DetectionMetrics
    mask_ap50: float
    limb_ap50: float
    limb_photos: int
    limb_people: int
    left_out: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class PhotoTruth:
    """The labels of a photo, without its pixels; see Sample. `keypoints_complete`: of each person they are labelled."""

    width: int
    height: int
    boxes_xyxy: NDArray[np.float32]
    ignore_boxes_xyxy: NDArray[np.float32]
    polygons: tuple[Polygons | None, ...]
    keypoints: NDArray[np.float32]
    keypoints_complete: bool = True

    @staticmethod
    def of(sample: Sample) -> PhotoTruth:
        """Gives the labels of a sample."""
        height, width = sample.image.shape[:2]
        return PhotoTruth(width, height, sample.boxes_xyxy, sample.ignore_boxes_xyxy, sample.polygons, sample.keypoints)


def evaluate_photos(
    predictor: PersonPredictor,
    photos: Iterable[Sample],
    score_threshold: float,
    *,
    masks: bool = True,
    keypoints_complete: Sequence[bool] | None = None,
) -> PhotoMetrics:
    """Gives all figures of a predictor on labelled photos.

    Args:
        predictor: gives people down to low scores.
        photos: samples with complete boxes.
        score_threshold: for recall and precision.
        masks: False leaves outlines out (they need pycocotools).
        keypoints_complete: one a photo: whether the keypoints of everybody in it are labelled; None: in each.

    Raises:
        DependencyError: outlines are asked for and pycocotools is not installed.
    """
    truths: list[PhotoTruth] = []
    found: list[Detections] = []
    for batch in _batches(photos):
        found += predictor.predict([sample.image for sample in batch])
        truths += [PhotoTruth.of(sample) for sample in batch]
    if keypoints_complete is not None:
        pairs = zip(truths, keypoints_complete, strict=True)
        truths = [replace(truth, keypoints_complete=complete) for truth, complete in pairs]
    return photo_metrics(found, truths, score_threshold, masks=masks)


def photo_metrics(
    found: Sequence[Detections], truths: Sequence[PhotoTruth], score_threshold: float, *, masks: bool = True
) -> PhotoMetrics:
    """Gives all figures of detections, one Detections a photo; arguments as for `evaluate_photos`."""
    pairs = list(zip(found, truths, strict=True))
    boxes = evaluate_boxes(
        [FoundBoxes(one.boxes_xyxy, one.scores) for one in found],
        [TrueBoxes(truth.boxes_xyxy, truth.ignore_boxes_xyxy) for truth in truths],
        score_threshold,
    )
    people = [one for one in found if len(one.scores)]
    masks = masks and (not people or any(one.masks is not None for one in people))
    outlined = [(one, truth) for one, truth in pairs if masks and None not in truth.polygons]
    limbs = [_match_limbs(one, truth) for one, truth in pairs if truth.keypoints_complete]
    return PhotoMetrics(
        boxes,
        average_precision_of([_match_masks(one, truth) for one, truth in outlined]),
        average_precision_of(limbs),
        len(limbs),
        sum(one.truths for one in limbs),
    )


def _batches(photos: Iterable[Sample]) -> Iterator[list[Sample]]:
    remaining = iter(photos)
    while batch := list(islice(remaining, BATCH)):
        yield batch


def _match_masks(found: Detections, truth: PhotoTruth) -> Match:
    """Gives the pairs of one photo by outline; detections without a mask take no part."""
    outlines = [rings for rings in truth.polygons if rings is not None]
    ignored = np.arange(len(outlines) + len(truth.ignore_boxes_xyxy)) >= len(outlines)
    if found.masks is None or found.mask_boxes_xyxy is None:
        return match(np.zeros((0, len(ignored))), np.zeros(0), ignored, 0.5)
    similarity = pairwise_mask_iou(
        found.masks, found.mask_boxes_xyxy, outlines, truth.ignore_boxes_xyxy, truth.width, truth.height
    )
    return match(similarity, found.scores, ignored, 0.5)


def _match_limbs(found: Detections, truth: PhotoTruth) -> Match:
    """Gives the pairs of one photo by limb joints; people without a labelled limb and crowds are ignored."""
    crowds = truth.ignore_boxes_xyxy
    limbs = np.concatenate([truth.keypoints[:, LIMB_SLOTS], np.zeros((len(crowds), len(LIMB_SLOTS), 3))])
    boxes = np.concatenate([truth.boxes_xyxy, crowds])
    areas = np.array(
        [_area(rings, box) for rings, box in zip([*truth.polygons, *[None] * len(crowds)], boxes, strict=True)],
        dtype=np.float64,
    )
    similarity = pairwise_oks(limbs_of_smpl(found.joints2d), limbs, areas, boxes, COCO_SIGMAS[LIMB_SLOTS])
    ignored = np.asarray((limbs[..., 2] <= 0).all(axis=1), dtype=bool)
    # COCO lets only crowds take several detections; a person without labels takes one.
    reusable = np.arange(len(boxes)) >= len(truth.boxes_xyxy)
    return match(similarity, found.scores, ignored, 0.5, reusable=reusable, max_detections=MAX_POSES)


def _area(rings: Polygons | None, box_xyxy: NDArray[np.float32]) -> float:
    """Gives a person's area: of the outline, or of half the box, which people fill on average."""
    if rings is None:
        return float(np.prod(box_xyxy[2:] - box_xyxy[:2])) / 2
    return sum(_ring_area(ring.astype(np.float64)) for ring in rings)


def _ring_area(ring: NDArray[np.float64]) -> float:
    following = np.roll(ring, -1, axis=0)
    return abs(float((ring[:, 0] * following[:, 1] - ring[:, 1] * following[:, 0]).sum())) / 2
