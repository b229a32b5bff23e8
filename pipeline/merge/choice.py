"""Which view stands for a person: one of the whole ones if there is any, never a mixture."""

from __future__ import annotations

import numpy as np

from pipeline.merge.config import MergeConfig
from pipeline.merge.similarity import Pairs, same_person
from pipeline.merge.stitch import united_boxes, uniting
from pipeline.merge.views import Views, edge_distances, iou, sides
from pipeline.types import BoolArray, Float64Array, Int64Array


def seen_whole(views: Views, group: Int64Array, pairs: Pairs, config: MergeConfig) -> BoolArray:
    """Says which views show all of their person (N,): no side is cut, and no other view of the person says otherwise.

    A cut box that was drawn too small ends before its block's edge. Another view of the person then reaches beyond
    the window of that block.
    """
    result = views.whole.copy()
    together = (group[pairs.i] == group[pairs.j]) & (group[pairs.i] >= 0) & same_person(pairs, config)
    i, j = pairs.i[together], pairs.j[together]
    for view, witness in ((i, j), (j, i)):
        margin = np.maximum(
            config.cut_margin_px / views.scale[witness][:, None],
            config.witness_margin_share * sides(views.boxes[witness]),
        )
        beyond = views.inner[view] & (edge_distances(views.boxes[witness], views.windows[view]) < -margin)
        result[view[beyond.any(axis=1)]] = False
    result[_bettered(views, group, result, config)] = False
    return result


def _bettered(views: Views, group: Int64Array, whole: BoolArray, config: MergeConfig) -> BoolArray:
    """Says which whole views (N,) are so small that the person's parts, put together, tell its box better.

    This holds where no whole view of the person reaches `coarse_px`, finer cut views show all of it, and their box
    agrees with the small one.
    """
    count = int(group.max(initial=-1)) + 1
    if count == 0:
        return np.zeros(len(views), dtype=np.bool_)
    members, complete = uniting(views, group)
    extent = united_boxes(views.boxes, np.where(members, group, -1), count)
    tallest = np.zeros(count, dtype=np.float64)
    height_px = (views.boxes[:, 3] - views.boxes[:, 1]) * views.scale
    np.maximum.at(tallest, group[whole & (group >= 0)], height_px[whole & (group >= 0)])
    told = np.bincount(group[complete & ~whole], minlength=count) > 1
    small = whole & (group >= 0) & ~members
    small &= told[group] & (tallest[group] < config.coarse_px)
    small[small] = iou(views.boxes[small], extent[group[small]]) >= config.link_similarity
    return small


def preference(views: Views, group: Int64Array, whole: BoolArray, pairs: Pairs, config: MergeConfig) -> Int64Array:
    """Gives all views ordered by group, within a group from the best to stand for it to the worst.

    Args:
        views: N views.
        group: (N,) group of each view, -1 for none.
        whole: (N,) see `seen_whole`.
        pairs: compared pairs.
        config: the weights.

    Returns:
        (N,) int64 view numbers. Whole views come before cut ones; ties go to the earlier view.
    """
    rank = -quality(views, group, whole, pairs, config)
    return np.lexsort((np.arange(len(views)), rank, views.thin, ~whole, group))


def quality(views: Views, group: Int64Array, whole: BoolArray, pairs: Pairs, config: MergeConfig) -> Float64Array:
    """Gives how well each view would stand for its person, higher is better (N,)."""
    height_px = (views.boxes[:, 3] - views.boxes[:, 1]) * views.scale
    total = (
        band_fit(height_px, config)
        + config.detail_weight * np.minimum(1.0, height_px / config.detail_px)
        + config.score_weight * views.scores
        + config.clearance_weight * _clearance(views, config)
        + config.agreement_weight * _agreement(whole, group, pairs)
    )
    return np.round(total, 9)


def band_fit(height_px: Float64Array, config: MergeConfig) -> Float64Array:
    """Gives 1 for network heights inside the band, falling with the ratio by which they miss it."""
    low = height_px / config.band_low_px
    high = config.band_high_px / np.maximum(height_px, 1e-9)
    return np.minimum(1.0, np.minimum(low, high))


def _clearance(views: Views, config: MergeConfig) -> Float64Array:
    """Gives 1 for boxes clear of their block's inner edges, 0 for boxes at one."""
    share = edge_distances(views.boxes, views.windows) / sides(views.boxes)
    nearest = np.where(views.inner, share, np.inf).min(axis=1)
    result: Float64Array = np.minimum(1.0, np.maximum(nearest, 0.0) / config.clearance_share)
    return result


def _agreement(whole: BoolArray, group: Int64Array, pairs: Pairs) -> Float64Array:
    """Gives each view's mean similarity to the other whole views of its person, 0 where there are none."""
    inside = (group[pairs.i] == group[pairs.j]) & (group[pairs.i] >= 0) & whole[pairs.i] & whole[pairs.j]
    i, j, similarity = pairs.i[inside], pairs.j[inside], pairs.similarity[inside]
    count = len(group)
    total = np.bincount(i, similarity, count) + np.bincount(j, similarity, count)
    partners = np.bincount(i, minlength=count) + np.bincount(j, minlength=count)
    result: Float64Array = total / np.maximum(partners, 1)
    return result
