"""From views of many blocks to people of one scene."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipeline.merge.choice import preference, seen_whole
from pipeline.merge.config import MergeConfig
from pipeline.merge.explain import People, doubted, explained, slivers
from pipeline.merge.linking import Groups
from pipeline.merge.settle import pick
from pipeline.merge.similarity import Pairs, compare_all, look_closer
from pipeline.merge.stitch import united_boxes, united_outline, uniting
from pipeline.merge.views import Views, prepare
from pipeline.types import Block, BoolArray, GeometryArray, Int64Array, MergeResult, SceneDetections, Window

DEFAULTS = MergeConfig()
EXPLAINED = "part of a person who was seen whole"
DOUBTED = "other people by most blocks that looked"
SLIVER = "thin strip at the edge of its block"
UNRESOLVED = "not told apart from another person"


def merge(
    views: SceneDetections, blocks: Sequence[Block], frame: Window, config: MergeConfig = DEFAULTS
) -> MergeResult:
    """Gives the people of a scene from the views that its blocks had of them.

    Two views are compared only inside the area that both blocks saw; two views of one block are two people. Each
    person is one chosen view, whole if any view is; only people whom no block saw whole get a united box and outline
    (`stitched`). Joints and depths, where given, order pairs that are nearly equally alike and decide those whose
    common view is too thin for boxes. Scenes of many views are compared in strips, with the same result. The result
    depends on neither the order of views and blocks nor the frame's place, but that of views alike in block, box and
    score the earlier one counts as the first; and merging the chosen views alone keeps them all.

    Args:
        views: N detections, frame px. Masks enter as outlines; without them boxes decide alone.
        blocks: what `views.block_index` counts.
        frame: the whole frame, frame px.
        config: the thresholds.

    Returns:
        The people, ordered by the place of their chosen box (x0, y0, ...), and the rejected views with reasons.

    Raises:
        DetectionError: a view names a block that is not in `blocks`.
    """
    usable, refused = prepare(views, blocks, frame, config)
    pairs = compare_all(usable, config)
    pairs, linked = _linked(usable, pairs, config)
    whole = seen_whole(usable, linked, pairs, config)
    order = preference(usable, linked, whole, pairs, config)
    people = _people(usable, linked, whole, order)
    thin = slivers(usable, linked, len(people.boxes))
    outvoted = doubted(usable, linked, people, config)
    nobody = thin | outvoted
    somebody = np.where(np.append(nobody, False)[linked], -1, linked)  # nobody explains nobody away
    standing = _keep(linked, ~(nobody | explained(usable, somebody, people, config)))
    picks = pick(usable, standing, whole, order, pairs, config)
    group = _keep(standing, picks >= 0, order=picks)
    reasons = np.full(len(views), "", dtype=np.object_)
    reasons[usable.source[standing < 0]] = EXPLAINED
    reasons[usable.source[np.append(outvoted, False)[linked]]] = DOUBTED
    reasons[usable.source[np.append(thin, False)[linked]]] = SLIVER
    reasons[usable.source[(standing >= 0) & (group < 0)]] = UNRESOLVED
    reasons[refused.index] = refused.reasons
    return _result(views, usable, group, whole, np.sort(picks[picks >= 0]), reasons)


def _linked(views: Views, pairs: Pairs, config: MergeConfig) -> tuple[Pairs, Int64Array]:
    """Gives the groups of views (N,), and the pairs with what was learnt from outlines on the way.

    What boxes decide is linked first. Most other pairs are settled by that: one group already, or two people whom
    some block reported side by side. Outlines are looked at for the rest only.
    """
    groups = Groups(views.block)
    groups.link(pairs.take(~pairs.unsure), config)
    open_pairs = np.flatnonzero(pairs.unsure)
    open_pairs = open_pairs[groups.may_link(pairs.take(open_pairs))]
    wanted = np.zeros(len(pairs.i), dtype=np.bool_)
    wanted[open_pairs] = True
    pairs = look_closer(views, pairs, wanted, config)
    groups.link(pairs.take(open_pairs), config)
    return pairs, groups.labels()


def _people(views: Views, group: Int64Array, whole: BoolArray, order: Int64Array) -> People:
    """Gives one box for each group: that of its best view, or of all its views if none is whole."""
    best = order[np.unique(group[order], return_index=True)[1]]
    count = len(best)
    extents = united_boxes(views.boxes, group, count)
    united = united_boxes(views.boxes, np.where(uniting(views, group)[0], group, -1), count)
    boxes = np.where(whole[best][:, None], views.boxes[best], united)
    clear = np.bincount(group, whole & views.clear, count) > 0
    return People(boxes, extents, whole[best], clear)


def _keep(group: Int64Array, keep: BoolArray, order: Int64Array | None = None) -> Int64Array:
    """Gives the groups renumbered 0.. over those to keep, by `order` (G,) if given; -1 for the others."""
    kept = np.flatnonzero(keep)
    if order is not None:
        kept = kept[np.argsort(order[kept], kind="stable")]
    number = np.full(len(keep) + 1, -1, dtype=np.int64)  # the last entry serves group -1
    number[kept] = np.arange(len(kept), dtype=np.int64)
    return number[group]


def _result(
    detections: SceneDetections,
    views: Views,
    group: Int64Array,
    whole: BoolArray,
    picks: Int64Array,
    reasons: GeometryArray,
) -> MergeResult:
    """Gives the result in terms of the input: its indices, its boxes, its outlines."""
    chosen = views.source[picks]
    stitched = ~whole[picks] & (np.bincount(group[group >= 0], minlength=len(picks)) > 1)
    input_group = np.full(len(detections), -1, dtype=np.int64)
    input_group[views.source] = group
    boxes = detections.boxes_frame[chosen].copy()
    united = np.full(len(detections), -1, dtype=np.int64)
    united[views.source] = np.where(uniting(views, group)[0], group, -1)
    boxes[stitched] = united_boxes(detections.boxes_frame, united, len(picks))[stitched]
    outlines = None
    if views.outlines is not None:
        outlines = views.outlines[picks]
        for person in np.flatnonzero(stitched).tolist():
            outlines[person] = united_outline(views.outlines[group == person])
    rejected = np.flatnonzero(input_group < 0).astype(np.int64)
    return MergeResult(input_group, chosen, boxes, outlines, stitched, rejected, tuple(reasons[rejected].tolist()))
