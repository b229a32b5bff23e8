"""The one predicate "same person?", decided inside the area that both blocks saw."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
import shapely

from pipeline.merge.config import MergeConfig
from pipeline.merge.joints import UNKNOWN, agreement, thin
from pipeline.merge.pairs import candidate_pairs, pairs_of_shard, shards
from pipeline.merge.views import Views, area, edge_distances, intersect, iou, longer_side, sides
from pipeline.types import BoolArray, Float64Array, GeometryArray, Int64Array

# Pairs compared at once; bounds the memory of the intermediate arrays to some 100 MB.
CHUNK = 200_000

# Similarities are compared after rounding to this many decimals, so that equal pairs are exactly equal.
DECIMALS = 9


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """P compared pairs of views, ordered by (i, j), i < j.

    Attributes:
        i, j: (P,) int64 view numbers.
        similarity: (P,) float64 in 0..1, of the boxes or, where they were looked at, of boxes and outlines.
        box_similarity: (P,) float64, what the boxes alone say.
        evidence_px: (P,) float64, network px of the coarser block that both views show in the common view.
        agreement: (P,) float64 in 0..1, what joints and depth say of contested pairs, UNKNOWN elsewhere.
        unsure: (P,) bool, the boxes leave the pair open and its outlines were not looked at yet.
    """

    i: Int64Array
    j: Int64Array
    similarity: Float64Array
    box_similarity: Float64Array
    evidence_px: Float64Array
    agreement: Float64Array
    unsure: BoolArray

    def take(self, index: Int64Array | BoolArray) -> Pairs:
        """Returns the pairs `index`, in that order."""
        return Pairs(*(getattr(self, field.name)[index] for field in fields(self)))


def same_person(pairs: Pairs, config: MergeConfig) -> BoolArray:
    """Says for each pair whether its two views show one person."""
    result: BoolArray = (pairs.similarity >= config.link_similarity) & (pairs.evidence_px >= config.min_evidence_px)
    return result


def alike(pairs: Pairs, config: MergeConfig) -> BoolArray:
    """Says for each pair whether its views would be taken for one person if there were no others.

    Where boxes agree well, outlines are asked only because a rival is there; without the rival, boxes decide.
    """
    boxes_decide = pairs.box_similarity >= _sure_similarity(config)
    alone = np.where(boxes_decide, np.maximum(pairs.similarity, pairs.box_similarity), pairs.similarity)
    return same_person(replace(pairs, similarity=alone), config)


def compare_all(views: Views, config: MergeConfig) -> Pairs:
    """Gives all pairs of views that may be one person, shard by shard where there are many views.

    Each pair is compared on its own, so shards change nothing but the memory that it takes.
    """
    if len(views) <= config.shard_views:
        return compare(views, *candidate_pairs(views.boxes, views.block), config)
    strips = shards(views.boxes, config.shard_views)
    parts = [_comparable(views, *pairs_of_shard(views.boxes, views.block, shard), config) for shard in strips]
    pairs = Pairs(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Pairs)))
    return _with_open_ones(views, pairs.take(np.lexsort((pairs.j, pairs.i))), config)


def compare(views: Views, i: Int64Array, j: Int64Array, config: MergeConfig) -> Pairs:
    """Gives those of the pairs (i, j) that are alike enough to matter, and which of them outlines should decide."""
    return _with_open_ones(views, _comparable(views, i, j, config), config)


def _comparable(views: Views, i: Int64Array, j: Int64Array, config: MergeConfig) -> Pairs:
    """Gives the pairs (i, j) whose boxes are at least as similar as a rival's must be; the others decide nothing."""
    parts: list[Pairs] = []
    for start in range(0, max(len(i), 1), CHUNK):
        part = slice(start, start + CHUNK)
        similarity, seen = _box_similarity(views, i[part], j[part], config)
        said = np.full(len(similarity), UNKNOWN, dtype=np.float64)
        pairs = Pairs(i[part], j[part], similarity, similarity, seen, said, np.zeros(len(similarity), dtype=np.bool_))
        pairs = _told_by_joints(views, pairs, config)
        parts.append(pairs.take(pairs.similarity >= min(config.rival_similarity, config.link_similarity)))
    return Pairs(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Pairs)))


def _told_by_joints(views: Views, pairs: Pairs, config: MergeConfig) -> Pairs:
    """Gives the pairs with those decided by joints and depth whose common view is too thin for their boxes."""
    if views.joints is None:
        return pairs
    rows = np.flatnonzero(thin(views, pairs.i, pairs.j, config))
    if len(rows) == 0:
        return pairs
    said, similarity, evidence = pairs.agreement.copy(), pairs.similarity.copy(), pairs.evidence_px.copy()
    said[rows] = agreement(views, pairs.i[rows], pairs.j[rows])
    linked = rows[said[rows] >= config.thin_agreement]
    similarity[linked] = np.maximum(config.link_similarity, (config.fragment_similarity * said[linked]).round(DECIMALS))
    evidence[linked] = config.min_evidence_px
    similarity[rows[said[rows] < config.thin_disagreement]] = 0.0
    return replace(pairs, similarity=similarity, box_similarity=similarity, evidence_px=evidence, agreement=said)


def _with_open_ones(views: Views, pairs: Pairs, config: MergeConfig) -> Pairs:
    """Gives the pairs with those marked that outlines should decide, and what joints say of all open ones."""
    if views.outlines is None and views.joints is None and views.depth_px is None:
        return pairs
    unsure = ambiguous(views, pairs, config)
    rows = np.flatnonzero(unsure)
    said = pairs.agreement.copy()
    for start in range(0, len(rows), CHUNK):
        part = rows[start : start + CHUNK]
        said[part] = agreement(views, pairs.i[part], pairs.j[part])
    if views.outlines is None:
        return replace(pairs, agreement=said)
    drawn = ~shapely.is_missing(views.outlines)
    return replace(pairs, agreement=said, unsure=unsure & drawn[pairs.i] & drawn[pairs.j])


def look_closer(views: Views, pairs: Pairs, wanted: BoolArray, config: MergeConfig) -> Pairs:
    """Gives the pairs with the unsure ones among `wanted` (P,) decided by their outlines."""
    rows = np.flatnonzero(wanted & pairs.unsure)
    if len(rows) == 0:
        return pairs
    weight = config.outline_weight
    boxes = (1.0 - weight) * pairs.box_similarity[rows]
    bound = boxes + weight * _outline_iou_bound(views, pairs.i[rows], pairs.j[rows])
    exact = bound >= config.link_similarity
    overlap = _outline_iou(views, pairs.i[rows[exact]], pairs.j[rows[exact]])
    similarity, unsure = pairs.similarity.copy(), pairs.unsure.copy()
    similarity[rows] = bound.round(DECIMALS)
    similarity[rows[exact]] = (boxes[exact] + weight * overlap).round(DECIMALS)
    unsure[rows] = False
    return replace(pairs, similarity=similarity, unsure=unsure)


def _box_similarity(
    views: Views, i: Int64Array, j: Int64Array, config: MergeConfig
) -> tuple[Float64Array, Float64Array]:
    common = intersect(views.windows[i], views.windows[j])
    seen_i, seen_j = intersect(views.boxes[i], common), intersect(views.boxes[j], common)
    scale = np.minimum(views.scale[i], views.scale[j])
    smaller = np.minimum(longer_side(seen_i), longer_side(seen_j))
    evidence = smaller * scale
    reach = np.minimum(config.blur_px / scale, config.blur_share * np.maximum(smaller, 0.0))
    near_i, near_j = _drawn_to(seen_i, seen_j, reach), _drawn_to(seen_j, seen_i, reach)
    strict = iou(seen_i, seen_j)
    as_whole = (strict + iou(near_i, seen_j)) / 2.0
    slack = np.maximum(
        config.opposite_px / scale,
        config.opposite_share * np.maximum(longer_side(views.boxes[i]), longer_side(views.boxes[j])),
    )
    as_part = np.maximum(
        _fragment_similarity(near_i, seen_j, views.cut[i], slack, config),
        _fragment_similarity(near_j, seen_i, views.cut[j], slack, config),
    )
    similarity: Float64Array = np.maximum(as_whole, as_part)
    return similarity.round(DECIMALS), np.where(strict > 0.0, evidence, 0.0)


def _drawn_to(boxes: Float64Array, others: Float64Array, reach: Float64Array) -> Float64Array:
    """Gives boxes (P, 4) with each side moved towards the other box's side, by at most `reach` (P,)."""
    result: Float64Array = boxes + np.clip(others - boxes, -reach[:, None], reach[:, None])
    return result


def _fragment_similarity(
    part: Float64Array,
    whole: Float64Array,
    cut: BoolArray,
    slack: Float64Array,
    config: MergeConfig,
) -> Float64Array:
    """Gives the similarity of a cut view to another one, both clipped to the common view; 0 where they do not fit.

    A cut view shows a part of a silhouette, so its box may be narrower than the clipped box of the whole person.
    What must agree are the sides opposite the cuts, which the other block shows as well.
    """
    opposite = cut[:, [2, 3, 0, 1]] & ~cut
    agrees = (~opposite | (np.abs(part - whole) <= slack[:, None])).all(axis=1)
    contained = _ratio(area(intersect(part, whole)), area(part))
    fits = cut.any(axis=1) & (contained >= config.contained) & agrees
    middle = np.abs((part[:, :2] + part[:, 2:]) - (whole[:, :2] + whole[:, 2:])) / 2.0
    offset = _ratio(middle, np.maximum(sides(part)[:, :2], sides(whole)[:, :2]))
    along = np.where(cut[:, 1] | cut[:, 3], offset[:, 0], offset[:, 1])
    return np.where(fits, config.fragment_similarity - config.fragment_offset_weight * along, 0.0)


def ambiguous(views: Views, pairs: Pairs, config: MergeConfig) -> BoolArray:
    """Says for which pairs the boxes leave open who is who: a rival in the other's block, or a middling similarity."""
    able = (pairs.similarity >= config.rival_similarity) & (pairs.evidence_px >= config.min_evidence_px)
    i, j, similarity = pairs.i[able], pairs.j[able], pairs.similarity[able]
    contested = np.zeros(len(pairs.i), dtype=np.bool_)
    contested[able] = _has_rival(i, views.block[j], similarity, config.rival_gap)
    contested[able] |= _has_rival(j, views.block[i], similarity, config.rival_gap)
    middling = pairs.similarity < _sure_similarity(config)
    result: BoolArray = able & (pairs.similarity < config.outline_below) & (contested | middling)
    return result


def _sure_similarity(config: MergeConfig) -> float:
    """Gives the similarity of boxes that lies as far above the link threshold as a rival's may lie below it."""
    return 2.0 * config.link_similarity - config.rival_similarity


def _has_rival(view: Int64Array, block: Int64Array, similarity: Float64Array, gap: float) -> BoolArray:
    """Says for which rows another row has the same view and block and a similarity no further off than `gap`."""
    order = np.lexsort((similarity, block, view))
    follows = (np.diff(view[order]) == 0) & (np.diff(block[order]) == 0) & (np.diff(similarity[order]) <= gap)
    result = np.zeros(len(view), dtype=np.bool_)
    result[order[1:][follows]] = True
    result[order[:-1][follows]] = True
    return result


def _outline_iou_bound(views: Views, i: Int64Array, j: Int64Array) -> Float64Array:
    """Gives an upper bound of `_outline_iou` for pairs (i, j) that both blocks saw in full, 1 for the others.

    Two outlines share at most the overlap of their bounds and at most the smaller of them.
    """
    assert views.outlines is not None
    bounds_i, bounds_j = _outline_bounds(views, i), _outline_bounds(views, j)
    area_i, area_j = shapely.area(views.outlines[i]), shapely.area(views.outlines[j])
    shared = np.minimum(area(intersect(bounds_i, bounds_j)), np.minimum(area_i, area_j))
    apart = _leaves(bounds_i, views.windows[j]) | _leaves(bounds_j, views.windows[i])
    return np.where(apart, 1.0, _ratio(shared, area_i + area_j - shared))


def _outline_iou(views: Views, i: Int64Array, j: Int64Array) -> Float64Array:
    """Gives the IoU of the outlines of pairs (i, j) inside the common view."""
    seen_i, seen_j = _clipped(views, i, j), _clipped(views, j, i)
    shared = shapely.area(shapely.intersection(seen_i, seen_j))
    return _ratio(shared, shapely.area(seen_i) + shapely.area(seen_j) - shared)


def _clipped(views: Views, k: Int64Array, other: Int64Array) -> GeometryArray:
    """Gives the outlines of views `k` inside the windows of views `other`."""
    assert views.outlines is not None
    seen = views.outlines[k]
    window = views.windows[other]
    out = np.flatnonzero(_leaves(_outline_bounds(views, k), window))
    seen[out] = shapely.intersection(seen[out], shapely.box(*(window[out] + views.corner).T))
    return seen


def _outline_bounds(views: Views, k: Int64Array) -> Float64Array:
    """Gives the bounds of the outlines of views `k` (K, 4), frame px from the frame's corner."""
    assert views.outlines is not None
    result: Float64Array = shapely.bounds(views.outlines[k]) - views.corner
    return result


def _leaves(boxes: Float64Array, windows: Float64Array) -> BoolArray:
    """Says which boxes (P, 4) reach out of their window."""
    result: BoolArray = np.any(edge_distances(boxes, windows) < 0.0, axis=1)
    return result


def _ratio(part: Float64Array, whole: Float64Array) -> Float64Array:
    """Gives part / whole, 0 where whole is 0."""
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0.0)
