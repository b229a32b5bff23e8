"""How well the people of one whole scene are found.

The rule: all found boxes, best score first, are paired one to one with ALL people of the truth at IoU >= the
threshold, however small or hidden these are. Recall looks at a chosen part of the people (tall enough, visible
enough). Precision looks at every found box: it is right when it is paired with anyone, so that a box on a small or
hidden person is right; a second box on a person already paired is wrong and is also counted as a duplicate.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mili_core.evaluation.bands import HEIGHT_BANDS_PX, BandCounts, Bands, Counts, count, count_by_height
from mili_core.evaluation.matching import match, pairwise_iou


@dataclass(frozen=True, slots=True)
class SceneMetrics:
    """Figures of one scene.

    Attributes:
        people: all people of the truth.
        counts: recall over the chosen people, precision over all found boxes.
        duplicates: found boxes that overlap a person whom a better box had already taken.
        bands: the same by height, frame px.
    """

    people: int
    counts: Counts
    duplicates: int
    bands: tuple[BandCounts, ...]


def choose_people(
    boxes_frame: NDArray[np.floating],
    visible_fraction: NDArray[np.floating],
    *,
    min_height_px: float,
    min_visible: float,
) -> NDArray[np.bool_]:
    """Says for (M, 4) people whether they are tall (frame px) and visible enough to be asked for; (M,)."""
    chosen: NDArray[np.bool_] = (boxes_frame[:, 3] - boxes_frame[:, 1] >= min_height_px) & (
        visible_fraction >= min_visible
    )
    return chosen


def match_scene(
    found_boxes: NDArray[np.floating],
    scores: NDArray[np.floating],
    true_boxes: NDArray[np.floating],
    chosen: NDArray[np.bool_],
    *,
    iou_threshold: float = 0.5,
    bands: Bands = HEIGHT_BANDS_PX,
) -> SceneMetrics:
    """Gives recall over the chosen people and precision over all found boxes (the rule stands above).

    Args:
        found_boxes: (N, 4) frame px.
        scores: (N,).
        true_boxes: (M, 4) frame px, everyone.
        chosen: (M,) who counts for recall.
        iou_threshold: least IoU of a pair (>=).
        bands: height bands, frame px.
    """
    similarity = pairwise_iou(found_boxes, true_boxes)
    nobody_ignored = np.zeros(len(true_boxes), dtype=bool)
    pairs = match(similarity, scores, nobody_ignored, iou_threshold, max_detections=None)
    right = np.zeros(len(scores), dtype=bool)
    right[pairs.order] = pairs.right
    hit = np.isin(np.arange(len(true_boxes)), pairs.truth)[chosen]
    overlaps_someone = similarity.max(axis=1, initial=0.0) >= iou_threshold
    found_heights = found_boxes[:, 3] - found_boxes[:, 1]
    true_heights = (true_boxes[:, 3] - true_boxes[:, 1])[chosen]
    return SceneMetrics(
        people=len(true_boxes),
        counts=count(hit, right),
        duplicates=int((overlaps_someone & ~right).sum()),
        bands=count_by_height(true_heights, hit, found_heights, right, bands),
    )
