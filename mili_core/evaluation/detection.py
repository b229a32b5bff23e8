"""How well people are found in photos: COCO's average precision, and recall and precision by height."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mili_core.errors import DetectionError
from mili_core.evaluation.bands import HEIGHT_BANDS_PX, BandCounts, Bands, Counts, ScoreCounts, count, count_by_height
from mili_core.evaluation.matching import MAX_DETECTIONS, Match, match, pairwise_inside, pairwise_iou
from mili_core.evaluation.precision import average_precision_of, bootstrap_interval

# COCO's thresholds .5, .55, ... .95, computed as its own code does so that exact ties fall alike.
COCO_THRESHOLDS = tuple(float(t) for t in np.linspace(0.5, 0.95, 10))
SCORES = tuple(tenth / 10 for tenth in range(1, 10))


@dataclass(frozen=True, slots=True, eq=False)
class FoundBoxes:
    """What was found in one image: (N, 4) half-open boxes and (N,) scores."""

    boxes_xyxy: NDArray[np.floating]
    scores: NDArray[np.floating]

    def __post_init__(self) -> None:
        if self.boxes_xyxy.shape != (len(self.scores), 4):
            raise DetectionError(f"FoundBoxes: {self.boxes_xyxy.shape} boxes for {len(self.scores)} scores")


@dataclass(frozen=True, slots=True, eq=False)
class TrueBoxes:
    """Who is in one image: (M, 4) people and (I, 4) regions in which detections count neither way."""

    boxes_xyxy: NDArray[np.floating]
    ignore_boxes_xyxy: NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class DetectionMetrics:
    """Detection figures over a set of photos; all shares are 0..1, NaN where nothing was counted.

    Attributes:
        images: number of photos.
        ap50: average precision at IoU .5.
        ap50_interval: 95 % bootstrap interval of ap50 over photos.
        ap: mean average precision over IoU .5:.05:.95.
        score_threshold: the counts below take detections with at least this score.
        counts: at IoU .5.
        bands: the same by height.
        by_score: counts at IoU .5 of detections with at least each of SCORES, to choose a score by.
    """

    images: int
    ap50: float
    ap50_interval: tuple[float, float]
    ap: float
    score_threshold: float
    counts: Counts
    bands: tuple[BandCounts, ...]
    by_score: tuple[ScoreCounts, ...]


def match_boxes(
    found: FoundBoxes,
    truth: TrueBoxes,
    iou_threshold: float,
    max_detections: int | None = MAX_DETECTIONS,
    *,
    asked: NDArray[np.bool_] | None = None,
) -> Match:
    """Gives the pairs of one image; truths are numbered people first, then ignore regions.

    Args:
        found: down to low scores.
        truth: of the same image.
        iou_threshold: least IoU of a right detection (>=).
        max_detections: see `match`.
        asked: (M,) people who count; each of the others takes one detection that counts neither way, as COCO has it
            (ignore regions take any number). None asks for all.
    """
    similarity = np.concatenate(
        [
            pairwise_iou(found.boxes_xyxy, truth.boxes_xyxy),
            pairwise_inside(found.boxes_xyxy, truth.ignore_boxes_xyxy),
        ],
        axis=1,
    )
    regions = np.arange(similarity.shape[1]) >= len(truth.boxes_xyxy)
    ignored = regions.copy()
    if asked is not None:
        ignored[: len(truth.boxes_xyxy)] = ~asked
    return match(similarity, found.scores, ignored, iou_threshold, reusable=regions, max_detections=max_detections)


def average_precision(
    predictions: Sequence[FoundBoxes], truths: Sequence[TrueBoxes], iou_threshold: float = 0.5
) -> float:
    """Gives COCO's average precision of boxes at one IoU threshold; NaN when nobody is there.

    Args:
        predictions: one a photo.
        truths: one a photo, in the same order.
        iou_threshold: least IoU of a right detection (>=).
    """
    pairs = zip(predictions, truths, strict=True)
    return average_precision_of([match_boxes(found, truth, iou_threshold) for found, truth in pairs])


def evaluate_boxes(
    predictions: Sequence[FoundBoxes],
    truths: Sequence[TrueBoxes],
    score_threshold: float,
    *,
    bands: Bands = HEIGHT_BANDS_PX,
    seed: int = 0,
) -> DetectionMetrics:
    """Gives all detection figures of a set of photos.

    Args:
        predictions: one a photo, down to low scores (average precision needs them).
        truths: one a photo, in the same order.
        score_threshold: for recall and precision.
        bands: height bands, px.
        seed: of the bootstrap.
    """
    at_half = [match_boxes(found, truth, 0.5) for found, truth in zip(predictions, truths, strict=True)]
    counts, by_height = _counts_above(predictions, truths, score_threshold, bands)
    return DetectionMetrics(
        images=len(truths),
        ap50=average_precision_of(at_half),
        ap50_interval=bootstrap_interval(at_half, seed=seed),
        ap=float(np.mean([average_precision(predictions, truths, threshold) for threshold in COCO_THRESHOLDS])),
        score_threshold=score_threshold,
        counts=counts,
        bands=by_height,
        by_score=tuple(ScoreCounts(score, _counts_above(predictions, truths, score, ())[0]) for score in SCORES),
    )


def _counts_above(
    predictions: Sequence[FoundBoxes], truths: Sequence[TrueBoxes], score_threshold: float, bands: Bands
) -> tuple[Counts, tuple[BandCounts, ...]]:
    """Gives the counts at IoU .5 of detections with at least the given score, in all and by height."""
    truth_heights: list[NDArray[np.floating]] = [np.zeros(0, dtype=np.float64)]
    found_heights: list[NDArray[np.floating]] = [np.zeros(0, dtype=np.float64)]
    hits: list[NDArray[np.bool_]] = [np.zeros(0, dtype=bool)]
    rights: list[NDArray[np.bool_]] = [np.zeros(0, dtype=bool)]
    for found, truth in zip(predictions, truths, strict=True):
        kept = found.scores >= score_threshold
        pairs = match_boxes(FoundBoxes(found.boxes_xyxy[kept], found.scores[kept]), truth, 0.5)
        counted = ~pairs.ignored
        truth_heights.append(_heights(truth.boxes_xyxy))
        hits.append(np.isin(np.arange(len(truth.boxes_xyxy)), pairs.truth))
        found_heights.append(_heights(found.boxes_xyxy[kept][pairs.order[counted]]))
        rights.append(pairs.right[counted])
    hit, right = np.concatenate(hits), np.concatenate(rights)
    by_height = count_by_height(np.concatenate(truth_heights), hit, np.concatenate(found_heights), right, bands)
    return count(hit, right), by_height


def _heights(boxes_xyxy: NDArray[np.floating]) -> NDArray[np.floating]:
    return boxes_xyxy[:, 3] - boxes_xyxy[:, 1]
