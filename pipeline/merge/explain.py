"""Left-overs that are parts of people who were seen whole."""

from __future__ import annotations

import numpy as np

from pipeline.merge.config import MergeConfig
from pipeline.merge.pairs import overlapping
from pipeline.merge.views import Views, area, intersect, longer_side
from pipeline.types import BoolArray, Float64Array, Int64Array


def explained(
    views: Views, group: Int64Array, people: Float64Array, whole: BoolArray, config: MergeConfig
) -> BoolArray:
    """Says which groups are no people of their own, because whole people explain them.

    A group of cut views is explained when it lies in a whole person and a block that saw that person whole showed
    the place well without reporting anyone else there. A group that was seen whole may be a small person in front of
    a large one: it is explained only if more blocks of the larger person miss it, where it shows well, than blocks
    report it. In both cases, no block may report the two side by side.

    Args:
        views: N views.
        group: (N,) group 0..G-1 of each view, -1 for none.
        people: (G, 4) box of each group, frame px from the frame's corner.
        whole: (G,) whether some view of the group is whole.
        config: the thresholds.

    Returns:
        (G,) bool.
    """
    large = np.flatnonzero(whole)
    part, k = overlapping(people, people[large])
    larger = large[k]
    inside = area(intersect(people[part], people[larger])) / area(people[part])
    needed = np.where(whole[part], config.explain_whole_inside, config.explain_inside)
    fits = (inside >= needed) & (area(people[part]) < area(people[larger]))
    part, larger = part[fits], larger[fits]

    witness, pair = _members(group, larger)
    shown = people[part[pair]]
    visible = area(intersect(shown, views.windows[witness]))
    looked = visible >= config.contained * area(shown)
    covered = (visible > 0.0) & (area(intersect(shown, views.boxes[witness])) >= config.explain_inside * visible)
    size_px = longer_side(shown) * views.scale[witness]
    finest = np.zeros(len(people), dtype=np.float64)
    np.maximum.at(finest, group[group >= 0], views.scale[group >= 0])
    own_px = longer_side(shown) * finest[part[pair]]
    enough_px = np.where(whole[part[pair]], config.explain_whole_px, np.minimum(config.explain_px, own_px))
    both = _has_view(views, group, part[pair], views.block[witness]) & covered
    clear = covered & looked & (size_px >= enough_px) & (views.whole[witness] | ~whole[part[pair]])
    together = np.bincount(pair, both, len(part)) > 0
    absences = np.bincount(pair, clear & ~both, len(part))
    sightings = np.bincount(group[group >= 0], minlength=len(people))[part]
    gone = ~together & (absences > np.where(whole[part], sightings, 0))
    result = np.zeros(len(people), dtype=np.bool_)
    result[part[gone]] = True
    return result


def _members(group: Int64Array, wanted: Int64Array) -> tuple[Int64Array, Int64Array]:
    """Gives the views of each wanted group: (W,) view numbers and (W,) places in `wanted`."""
    members = np.flatnonzero(group >= 0)
    members = members[np.argsort(group[members], kind="stable")]
    first = np.searchsorted(group[members], wanted, side="left")
    count = np.searchsorted(group[members], wanted, side="right") - first
    place = np.repeat(np.arange(len(wanted), dtype=np.int64), count)
    step = np.arange(len(place), dtype=np.int64) - np.repeat(np.cumsum(count) - count, count)
    return members[np.repeat(first, count) + step], place


def _has_view(views: Views, group: Int64Array, wanted: Int64Array, block: Int64Array) -> BoolArray:
    """Says for each row whether group `wanted` has a view in `block`."""
    stride = int(views.block.max(initial=0)) + 1
    result: BoolArray = np.isin(wanted * stride + block, group * stride + views.block)
    return result
