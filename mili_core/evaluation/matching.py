"""Who is whom: detections and truth of one image, paired as COCO does."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mili_core.errors import DetectionError

Float64Array = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
Int64Array = NDArray[np.int64]

# COCO scores at most the 100 best detections of an image.
MAX_DETECTIONS = 100


@dataclass(frozen=True, slots=True, eq=False)
class Match:
    """Pairs of one image, at one threshold.

    Attributes:
        scores: (D,) descending; the detections that take part.
        order: (D,) the index of each among the detections given.
        truth: (D,) the truth each is paired with, -1 for none.
        ignored: (D,) True for a detection that counts neither as right nor as wrong.
        truths: how many truths count (ignored ones do not).
    """

    scores: Float64Array
    order: Int64Array
    truth: Int64Array
    ignored: BoolArray
    truths: int

    @property
    def right(self) -> BoolArray:
        """(D,) True for detections paired with a truth that counts."""
        return (self.truth >= 0) & ~self.ignored


def pairwise_iou(boxes_xyxy: NDArray[np.floating], others_xyxy: NDArray[np.floating]) -> Float64Array:
    """Gives the (N, M) intersection over union of (N, 4) and (M, 4) half-open boxes; 0 where the union is empty."""
    shared, area, other_area = _overlaps(boxes_xyxy, others_xyxy)
    union = area[:, None] + other_area - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def pairwise_inside(boxes_xyxy: NDArray[np.floating], regions_xyxy: NDArray[np.floating]) -> Float64Array:
    """Gives the (N, M) share of each box's own area that lies in each region: COCO's overlap with a crowd."""
    shared, area, _ = _overlaps(boxes_xyxy, regions_xyxy)
    own = np.broadcast_to(area[:, None], shared.shape)
    return np.divide(shared, own, out=np.zeros_like(shared), where=own > 0)


def match(
    similarity: Float64Array,
    scores: NDArray[np.floating],
    ignored: BoolArray,
    threshold: float,
    *,
    reusable: BoolArray | None = None,
    max_detections: int | None = MAX_DETECTIONS,
) -> Match:
    """Pairs detections with truths, best score first, each with the most similar truth left.

    A truth that counts is preferred to an ignored one, whatever the similarity. Of equal scores the first given
    goes first, of equally similar truths the last given is taken (both as COCO has it).

    Args:
        similarity: (D, T), for example IoU; overlap with crowds for the ignored ones.
        scores: (D,).
        ignored: (T,) truths whose detections count neither way.
        threshold: least similarity of a pair (>=).
        reusable: (T,) truths that any number of detections may be paired with (crowds); None = the ignored ones.
        max_detections: only so many of the best scores take part; None takes all.

    Raises:
        DetectionError: the shapes do not agree.
    """
    if similarity.shape != (len(scores), len(ignored)):
        raise DetectionError(f"similarity is {similarity.shape}, expected ({len(scores)}, {len(ignored)})")
    order = np.argsort(-np.asarray(scores, dtype=np.float64), kind="stable")[:max_detections]
    free = np.ones(len(ignored), dtype=bool)
    again = ignored if reusable is None else reusable
    pairs = np.full(len(order), -1, dtype=np.int64)
    floor = min(threshold, 1 - 1e-10)
    for row, detection in enumerate(order):
        possible = (similarity[detection] >= floor) & (free | again)
        counting = possible & ~ignored
        candidates = np.flatnonzero(counting if counting.any() else possible)
        if len(candidates):
            values = similarity[detection, candidates]
            pairs[row] = candidates[np.flatnonzero(values == values.max())[-1]]
            free[pairs[row]] = False
    flags = np.append(ignored, False)[pairs]  # -1 picks the appended False
    return Match(
        scores=np.asarray(scores, dtype=np.float64)[order],
        order=order.astype(np.int64),
        truth=pairs,
        ignored=flags,
        truths=int((~ignored).sum()),
    )


def _overlaps(
    boxes: NDArray[np.floating], others: NDArray[np.floating]
) -> tuple[Float64Array, Float64Array, Float64Array]:
    """Gives intersections (N, M) and the areas (N,) and (M,)."""
    first = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
    second = np.asarray(others, dtype=np.float64).reshape(-1, 4)
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    shared: Float64Array = np.clip(high - low, 0, None).prod(-1)
    return shared, (first[:, 2:] - first[:, :2]).prod(-1), (second[:, 2:] - second[:, :2]).prod(-1)
