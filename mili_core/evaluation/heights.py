"""Average precision of people of some height, as COCO has it for its sizes: all others count neither way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mili_core.evaluation.bands import Bands
from mili_core.evaluation.detection import FoundBoxes, TrueBoxes, match_boxes
from mili_core.evaluation.matching import Match
from mili_core.evaluation.precision import average_precision_of


@dataclass(frozen=True, slots=True)
class BandPrecision:
    """Average precision of people whose height is in [low_px, high_px); NaN where nobody is so tall."""

    low_px: float
    high_px: float
    people: int
    average_precision: float


def precision_by_height(
    predictions: Sequence[FoundBoxes],
    truths: Sequence[TrueBoxes],
    bands: Bands,
    iou_threshold: float = 0.5,
    *,
    asked: Sequence[NDArray[np.bool_]] | None = None,
) -> tuple[BandPrecision, ...]:
    """Gives the average precision in each band.

    In a band, people of other heights and ignore regions count neither way, nor do detections paired with them; a
    detection paired with nobody is wrong in the band of its own height only.

    Args:
        predictions: one an image, down to low scores.
        truths: one an image, in the same order.
        bands: half-open ranges of box heights, px.
        iou_threshold: least IoU of a right detection (>=).
        asked: one (M,) an image: people who count at all; the others are as those of another height. None: all.
    """
    everyone = [np.ones(len(truth.boxes_xyxy), dtype=bool) for truth in truths]
    rows = []
    for low, high in bands:
        images = zip(predictions, truths, everyone if asked is None else asked, strict=True)
        matches = [_match_band(*image, low, high, iou_threshold) for image in images]
        rows.append(BandPrecision(low, high, sum(one.truths for one in matches), average_precision_of(matches)))
    return tuple(rows)


def _match_band(
    found: FoundBoxes, truth: TrueBoxes, asked: NDArray[np.bool_], low_px: float, high_px: float, threshold: float
) -> Match:
    pairs = match_boxes(found, truth, threshold, asked=asked & _within(truth.boxes_xyxy, low_px, high_px))
    elsewhere = ~_within(found.boxes_xyxy[pairs.order], low_px, high_px)
    return Match(pairs.scores, pairs.order, pairs.truth, pairs.ignored | ((pairs.truth < 0) & elsewhere), pairs.truths)


def _within(boxes_xyxy: NDArray[np.floating], low_px: float, high_px: float) -> NDArray[np.bool_]:
    heights = boxes_xyxy[:, 3] - boxes_xyxy[:, 1]
    return np.asarray((heights >= low_px) & (heights < high_px), dtype=bool)
