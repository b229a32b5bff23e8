"""Left-overs that are parts of people who were seen whole."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.geometry import BLOCK_HEIGHT, BLOCK_WIDTH
from pipeline.merge.config import MergeConfig
from pipeline.merge.pairs import overlapping
from pipeline.merge.views import Views, area, intersect, iou, longer_side, shorter_side, sides
from pipeline.types import BoolArray, Float64Array, Int64Array

SURE = 2
"""Blocks that report somebody whole, from which on twice as many have to miss them."""
DECIMALS = 9
"""Sums of weights are compared after rounding, so that their order plays no part."""


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

    A group of cut views is explained when it lies in a person who was seen whole, or was put together from several
    views, and at least as many blocks that saw that person showed the place well without reporting anyone else there
    as reported the two side by side; one that lies all in a person seen whole beyond doubt is judged by blocks that
    show it smaller, too. A group that was seen whole may be a small person in front of a large one: it
    is explained only if more blocks of the larger person miss it, where it shows well, than blocks report it; one
    report is outweighed by two such blocks where none reports the two side by side, and two reports and more by twice
    as many: a detector's own suppression hides people in crowds, so to be missed is weaker evidence than to be seen.
    For the same reason a block that shows it less large than the closest report counts in proportion, unless that
    report is from a block too small to show all of the larger person: there, a detector takes parts for people.

    Args:
        views: N views.
        group: (N,) group 0..G-1 of each view, -1 for none.
        people: the G groups.
        config: the thresholds.

    Returns:
        (G,) bool.
    """
    several = np.bincount(group[group >= 0], minlength=len(people.boxes)) > 1
    large = np.flatnonzero(people.whole | several)
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
    closest = _finest_scale(views, group, len(people.boxes))[suspect]
    within = ~people.whole[suspect] & people.clear[larger[pair]]
    within &= _inside(shown, people.boxes[larger[pair]]) >= config.explain_within
    least_px = np.where(within, config.explain_within_px, config.explain_px)
    well_px = np.minimum(least_px, longer_side(shown) * closest)
    well_px = np.where(people.clear[suspect], config.explain_whole_px, well_px)
    clearly = looked & covered & (longer_side(shown) * views.scale[witness] >= well_px)
    clearly &= shorter_side(shown) * views.scale[witness] >= config.sliver_px  # thinner, nobody is recognised
    clearly &= (
        iou(views.boxes[witness], seen) < config.link_similarity
    )  # a view that fits the suspect shows the suspect
    both = covered & _has_view(views, group, suspect, views.block[witness])
    together = np.bincount(pair, both, len(part))
    weight = np.where(people.clear[suspect], _weight(views.scale[witness], closest, people.boxes[larger[pair]]), 1.0)
    absences = np.bincount(pair, np.where(clearly & ~both, weight, 0.0), len(part)).round(DECIMALS)
    sightings = np.bincount(group[group >= 0], minlength=len(people.boxes))[part]
    believed = np.minimum(sightings, _believed(views, group, people, config)[part])
    needed = np.where(together == 0, np.maximum(believed, 2), believed + 1)
    needed = np.where(believed >= SURE, 2 * believed, needed)
    gone = np.where(people.clear[part], absences >= needed, (absences >= together) & (absences >= 1))
    result = np.zeros(len(people.boxes), dtype=np.bool_)
    result[part[gone]] = True
    return result


def doubted(views: Views, group: Int64Array, people: People, config: MergeConfig) -> BoolArray:
    """Says which groups are nobody, because most blocks that looked report other people instead.

    A detector that takes several people for one reports a box around them, and one that reports a person twice a box
    beside the first. Other blocks show the same place and report only the people themselves. A block that shows half
    of the box or more believes it if it reports it, and otherwise doubts it once for each of these people whom it
    reports. A box around others is nobody if at least two people inside it doubt it and one of them twice, and as
    often as it is believed; a box beside a person, if that person is believed more often than the box is, and
    doubts it more often.

    Where every person has a single view nobody is doubted twice by one person: what is kept once is kept again.

    Args:
        views: N views.
        group: (N,) group 0..G-1 of each view, -1 for none.
        people: the G groups.
        config: the thresholds.

    Returns:
        (G,) bool.
    """
    count = len(people.boxes)
    box, other = overlapping(people.boxes, people.boxes)
    shared = area(intersect(people.boxes[box], people.boxes[other]))
    own, others = area(people.boxes[box]), area(people.boxes[other])
    around = (shared >= config.explain_inside * others) & (box != other)
    around &= (others >= config.doubt_least_share * own) & (others <= config.doubt_most_share * own)
    beside = (shared >= config.link_similarity * (own + others - shared)) & (box != other)
    close = around | beside
    box, other, around, beside = box[close], other[close], around[close], beside[close]

    believed = _believed(views, group, people, config)
    witness, pair = _members(group, other)
    absent = _shows(views, people.boxes[box[pair]], witness, config)
    absent &= ~_has_view(views, group, box[pair], views.block[witness])
    doubts = np.bincount(pair, absent, len(box))
    people_inside = np.bincount(box[around & (doubts >= 1)], minlength=count)
    enough = (doubts >= 2) & (doubts >= config.doubt_share * believed[box])
    outvoted = np.bincount(box[around & enough], minlength=count)
    rivals = beside & (doubts > np.maximum(believed[box], 1)) & (believed[other] > believed[box])
    result: BoolArray = ((people_inside >= 2) & (outvoted >= 1)) | (np.bincount(box[rivals], minlength=count) >= 1)
    return result


def _believed(views: Views, group: Int64Array, people: People, config: MergeConfig) -> Int64Array:
    """Gives by how many blocks each group is reported (G,) such that the view fits what the block shows of it."""
    member = np.flatnonzero(group >= 0)
    boxes = people.boxes[group[member]]
    fits = iou(intersect(boxes, views.windows[member]), views.boxes[member]) >= config.link_similarity
    fits &= _shows(views, boxes, member, config)
    return np.bincount(group[member[fits]], minlength=len(people.boxes))


def _shows(views: Views, boxes: Float64Array, witness: Int64Array, config: MergeConfig) -> BoolArray:
    """Says which boxes (P, 4) the blocks of views (P,) show well: half of them at least, at a size to see them."""
    seen = intersect(boxes, views.windows[witness])
    large = longer_side(seen) * views.scale[witness] >= config.explain_px
    result: BoolArray = large & (area(seen) >= config.doubt_shown * area(boxes))
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


def _weight(scale: Float64Array, closest: Float64Array, larger: Float64Array) -> Float64Array:
    """Gives what an absence at a scale (P,) weighs against a report at the scale `closest` (P,), 0..1.

    It is 1 where the larger person (P, 4) would not fit into a block of the closest scale.
    """
    extent = (larger[:, 2:] - larger[:, :2]) * closest[:, None]
    fits = (extent <= np.array([BLOCK_WIDTH, BLOCK_HEIGHT], dtype=np.float64)).all(axis=1)
    share = np.divide(scale, closest, out=np.ones_like(scale), where=fits & (closest > 0.0))
    return np.minimum(1.0, share)


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
