"""Left-overs that are parts of people who were seen whole."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.merge.config import MergeConfig
from pipeline.merge.pairs import overlapping
from pipeline.merge.views import Views, area, intersect, longer_side, sides
from pipeline.types import BoolArray, Float64Array, Int64Array


@dataclass(frozen=True, slots=True, eq=False)
class People:
    """G groups of views as one box each.

    Attributes:
        boxes: (G, 4) float64, frame px from the frame's corner.
        extents: (G, 4) float64, around all views of the person.
        whole: (G,) bool, some view shows all of the person.
        clear: (G,) bool, some view does so beyond doubt.
    """

    boxes: Float64Array
    extents: Float64Array
    whole: BoolArray
    clear: BoolArray


def explained(views: Views, group: Int64Array, people: People, config: MergeConfig) -> BoolArray:
    """Says which groups are no people of their own, because whole people explain them.

    A group of cut views is explained when it lies in a whole person and a block that saw that person showed the
    place well without reporting anyone else there. A group that was seen whole may be a small person in front of
    a large one: it is explained only if more blocks of the larger person miss it, where it shows well, than blocks
    report it. In both cases, no block may report the two side by side.

    Args:
        views: N views.
        group: (N,) group 0..G-1 of each view, -1 for none.
        people: the G groups.
        config: the thresholds.

    Returns:
        (G,) bool.
    """
    large = np.flatnonzero(people.whole)
    part, k = overlapping(people.boxes, _widened(people.extents[large], config))
    larger = large[k]
    needed = np.where(people.clear[part], config.explain_whole_inside, config.explain_inside)
    fits = _inside(people.boxes[part], _widened(people.extents[larger], config)) >= needed
    fits &= area(people.boxes[part]) < area(people.boxes[larger])
    part, larger = part[fits], larger[fits]

    witness, pair = _members(group, larger)
    suspect = part[pair]
    shown = people.boxes[suspect]
    seen = intersect(shown, views.windows[witness])
    covered = _inside(seen, _widened(views.boxes[witness], config)) >= config.explain_inside
    looked = area(seen) >= config.contained * area(shown)
    well_px = np.minimum(
        config.explain_px, longer_side(shown) * _finest_scale(views, group, len(people.boxes))[suspect]
    )
    well_px = np.where(people.clear[suspect], config.explain_whole_px, well_px)
    clearly = looked & covered & (longer_side(shown) * views.scale[witness] >= well_px)
    both = covered & _has_view(views, group, suspect, views.block[witness])
    together = np.bincount(pair, both, len(part)) > 0
    absences = np.bincount(pair, clearly & ~both, len(part))
    sightings = np.bincount(group[group >= 0], minlength=len(people.boxes))[part]
    gone = ~together & (absences > np.where(people.clear[part], sightings, 0))
    result = np.zeros(len(people.boxes), dtype=np.bool_)
    result[part[gone]] = True
    return result


def slivers(views: Views, group: Int64Array, count: int) -> BoolArray:
    """Says which groups 0..count-1 consist of nothing but thin strips at the edges of their blocks."""
    result = np.ones(count, dtype=np.bool_)
    result[group[(group >= 0) & ~views.thin]] = False
    return result


def _finest_scale(views: Views, group: Int64Array, count: int) -> Float64Array:
    """Gives the largest scale at which each group was seen (count,), network px per frame px."""
    finest = np.zeros(count, dtype=np.float64)
    np.maximum.at(finest, group[group >= 0], views.scale[group >= 0])
    return finest


def _widened(boxes: Float64Array, config: MergeConfig) -> Float64Array:
    """Gives boxes (P, 4) with room for the error of their sides."""
    room = config.explain_margin_share * sides(boxes)
    result: Float64Array = boxes + room * np.array([-1.0, -1.0, 1.0, 1.0], dtype=np.float64)
    return result


def _inside(boxes: Float64Array, others: Float64Array) -> Float64Array:
    """Gives the (P,) share of boxes (P, 4) that lies in the other boxes, 0 where a box is empty."""
    whole = area(boxes)
    return np.divide(area(intersect(boxes, others)), whole, out=np.zeros_like(whole), where=whole > 0.0)


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
