"""The views as the merge sees them: checked, in canonical order, relative to the frame, with their cut sides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely

from mili_core.errors import DetectionError
from pipeline.geometry import network_scale
from pipeline.merge.alike import crowded_out
from pipeline.merge.config import MergeConfig
from pipeline.merge.unreadable import LARGEST, beyond_number
from pipeline.outlines import polygons_of
from pipeline.types import (
    Block,
    BoolArray,
    Float32Array,
    Float64Array,
    GeometryArray,
    Int64Array,
    SceneDetections,
    Window,
)

# Coordinates are compared on this grid, frame px: rounding noise of a moved frame then decides nothing.
GRID_PX = 1.0 / 1024.0
ROUNDING = 1e-6  # by which a mean of probabilities may leave 0..1
ALIKE = "one of many boxes alike"


@dataclass(frozen=True, slots=True, eq=False)
class Views:
    """N usable views, in an order that depends on neither input nor block order.

    Attributes:
        boxes: (N, 4) float64, frame px from the frame's corner, clipped to window.
        windows: (N, 4) float64, what the view's block saw of the frame, frame px from the frame's corner.
        scale: (N,) float64, network px per frame px of the view's block.
        scores: (N,) float64.
        block: (N,) int64, canonical number of the view's block.
        inner: (N, 4) bool, the window's sides x0, y0, x1, y1 that are not the frame's edge.
        cut: (N, 4) bool, the box's sides that the block cuts.
        whole: (N,) bool, no side is cut.
        clear: (N,) bool, whole beyond doubt: no side is even near an inner edge.
        thin: (N,) bool, cut off so narrowly that it shows nobody.
        outlines: (N,) valid geometries with area, frame px (None where there is none), or None.
        joints: (N, 24, 3) float32 x, y (frame px from the frame's corner), confidence; or None.
        depth_px: (N,) float64, the depth in the block's camera times the block's scale, which is inverse to the size
            of a metre in frame px; or None.
        source: (N,) int64, the view's place in the input.
        corner: (4,) float64, the frame's corner (x0, y0, x0, y0): adds up with relative boxes to frame px.
    """

    boxes: Float64Array
    windows: Float64Array
    scale: Float64Array
    scores: Float64Array
    block: Int64Array
    inner: BoolArray
    cut: BoolArray
    whole: BoolArray
    clear: BoolArray
    thin: BoolArray
    outlines: GeometryArray | None
    joints: Float32Array | None
    depth_px: Float64Array | None
    source: Int64Array
    corner: Float64Array

    def __len__(self) -> int:
        return len(self.source)


@dataclass(frozen=True, slots=True, eq=False)
class Refused:
    """Views that cannot be used: (R,) int64 input indices, ascending, and R reasons."""

    index: Int64Array
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Plan:
    """The blocks as arrays, by input number: windows inside the frame, inner sides, scales, canonical numbers."""

    windows: Float64Array
    inner: BoolArray
    scale: Float64Array
    rank: Int64Array


def prepare(
    detections: SceneDetections, blocks: Sequence[Block], frame: Window, config: MergeConfig
) -> tuple[Views, Refused]:
    """Gives the usable views and the refused ones; together they are all of the input.

    Raises:
        DetectionError: a view names a block that is not in `blocks`.
    """
    _check_block_index(detections, len(blocks))
    plan = _plan(blocks, frame)
    raw = _snap(np.clip(detections.boxes_frame, -LARGEST, LARGEST) - _corner(frame))
    windows = plan.windows[detections.block_index]
    boxes = intersect(raw, windows)
    reasons = _refusals(raw, boxes, detections, blocks, frame)
    keep = np.setdiff1d(np.arange(len(raw)), np.array(list(reasons), dtype=np.int64))

    rank = plan.rank[detections.block_index[keep]]
    scores = detections.scores[keep].astype(np.float64)
    given = detections.boxes_frame[keep].T[::-1]  # tells views apart that snapping made equal
    order = np.lexsort((keep, *given, rank, -scores, *raw[keep].T[::-1]))
    surplus = crowded_out(boxes[keep[order]], rank[order], scores[order])
    for k in keep[order[surplus]].tolist():
        reasons[k] = f"{ALIKE}, block {blocks[int(detections.block_index[k])].id}"
    order = order[~surplus]
    source = keep[order].astype(np.int64)
    block_index = detections.block_index[source]
    outlines = None if detections.outlines is None else _usable_outlines(detections.outlines[source], source)
    cut, near = (
        _sides_within(boxes[source], windows[source], plan.inner[block_index], plan.scale[block_index], px, share)
        for px, share in (
            (config.cut_margin_px, config.cut_margin_share),
            (config.near_margin_px, config.near_margin_share),
        )
    )
    views = Views(
        boxes=boxes[source],
        windows=windows[source],
        scale=plan.scale[block_index],
        scores=scores[order],
        block=rank[order],
        inner=plan.inner[block_index],
        cut=cut,
        whole=~_any_side(cut),
        thin=_any_side(cut & (sides(boxes[source]) * plan.scale[block_index][:, None] < config.sliver_px)),
        clear=~_any_side(cut | near),
        outlines=outlines,
        joints=_joints(detections, source, frame),
        depth_px=None if detections.depth_m is None else detections.depth_m[source] * plan.scale[block_index],
        source=source,
        corner=_corner(frame),
    )
    refused = sorted(reasons)
    return views, Refused(np.array(refused, dtype=np.int64), tuple(reasons[k] for k in refused))


def intersect(boxes: Float64Array, windows: Float64Array) -> Float64Array:
    """Gives the (N, 4) overlap of boxes and windows (N, 4); x1 < x0 or y1 < y0 where there is none."""
    low = np.maximum(boxes[:, :2], windows[:, :2])
    high = np.minimum(boxes[:, 2:], windows[:, 2:])
    return np.concatenate([low, high], axis=1)


def area(boxes: Float64Array) -> Float64Array:
    """Gives the (N,) areas of boxes (N, 4), 0 where a box is empty or inverted."""
    result: Float64Array = np.maximum(boxes[:, 2] - boxes[:, 0], 0.0) * np.maximum(boxes[:, 3] - boxes[:, 1], 0.0)
    return result


def iou(boxes: Float64Array, others: Float64Array) -> Float64Array:
    """Gives the (N,) IoU of boxes (N, 4), 0 where both are empty."""
    shared = area(intersect(boxes, others))
    union = area(boxes) + area(others) - shared
    return np.divide(shared, union, out=np.zeros_like(union), where=union > 0.0)


def shorter_side(boxes: Float64Array) -> Float64Array:
    """Gives the (N,) smaller of width and height."""
    result: Float64Array = (boxes[:, 2:] - boxes[:, :2]).min(axis=1)
    return result


def longer_side(boxes: Float64Array) -> Float64Array:
    """Gives the (N,) longer sides of boxes (N, 4)."""
    result: Float64Array = np.maximum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1])
    return result


def edge_distances(boxes: Float64Array, windows: Float64Array) -> Float64Array:
    """Gives the (N, 4) distances of each side to the same side of the window, >= 0 inside."""
    return np.concatenate([boxes[:, :2] - windows[:, :2], windows[:, 2:] - boxes[:, 2:]], axis=1)


def sides(boxes: Float64Array) -> Float64Array:
    """Gives the (N, 4) extents that belong to the sides x0, y0, x1, y1: width, height, width, height."""
    extent = boxes[:, 2:] - boxes[:, :2]
    return np.concatenate([extent, extent], axis=1)


def _joints(detections: SceneDetections, source: Int64Array, frame: Window) -> Float32Array | None:
    """Gives the joints of the views `source`, relative to the frame's corner so that a moved frame changes nothing."""
    if detections.joints2d_frame is None:
        return None
    corner = np.array([frame.x0, frame.y0, 0.0], dtype=np.float64)
    return (detections.joints2d_frame[source] - corner).astype(np.float32)


def _sides_within(
    boxes: Float64Array, windows: Float64Array, inner: BoolArray, scale: Float64Array, px: float, share: float
) -> BoolArray:
    """Says (N, 4) which sides lie within `px` network px or `share` of the box's side of an inner edge."""
    margin = np.maximum(px / scale[:, None], share * sides(boxes))
    result: BoolArray = inner & (edge_distances(boxes, windows) <= margin)
    return result


def _any_side(flags: BoolArray) -> BoolArray:
    """Says (N,) which rows of (N, 4) flags hold for a side at least."""
    result: BoolArray = np.any(flags, axis=1)
    return result


def _plan(blocks: Sequence[Block], frame: Window) -> _Plan:
    whole_frame = np.array([[0.0, 0.0, frame.width, frame.height]], dtype=np.float64)
    grids = [block.grid.window for block in blocks]
    corners = np.array([(w.x0, w.y0, w.x1, w.y1) for w in grids], dtype=np.float64).reshape(-1, 4)
    seen = _snap(corners - _corner(frame))
    order = sorted(range(len(blocks)), key=lambda k: (*seen[k].tolist(), blocks[k].grid.raster_width, blocks[k].id))
    rank = np.empty(len(blocks), dtype=np.int64)
    rank[order] = np.arange(len(blocks), dtype=np.int64)
    return _Plan(
        windows=intersect(seen, whole_frame),
        inner=edge_distances(seen, whole_frame) > 0.0,
        scale=np.array([network_scale(block) for block in blocks], dtype=np.float64),
        rank=rank,
    )


def _refusals(
    raw: Float64Array, clipped: Float64Array, detections: SceneDetections, blocks: Sequence[Block], frame: Window
) -> dict[int, str]:
    """Gives the views that cannot be used, and why."""
    inverted = (raw[:, 2] <= raw[:, 0]) | (raw[:, 3] <= raw[:, 1])
    whole_frame = np.array([[0.0, 0.0, frame.width, frame.height]], dtype=np.float64)
    off_frame = area(intersect(raw, whole_frame)) <= 0.0
    off_block = area(clipped) <= 0.0
    reasons: dict[int, str] = {}
    for flags, text in (
        (off_block, "box outside its block"),
        (off_frame, "box outside the frame"),
        (inverted, "empty or inverted box"),
        ((detections.scores < -ROUNDING) | (detections.scores > 1.0 + ROUNDING), "score outside 0..1"),
        (beyond_number(detections.boxes_frame), "values that are not finite"),
    ):
        for k in np.flatnonzero(flags).tolist():
            reasons[k] = f"{text}, block {blocks[int(detections.block_index[k])].id}"
    return reasons


def _usable_outlines(outlines: GeometryArray, source: Int64Array) -> GeometryArray:
    """Gives valid geometries with area, None for what has none or reaches beyond any number of a picture.

    Self-touching ones are repaired; of a collection, however nested, the union of its polygons counts.

    Raises:
        DetectionError: something is neither a geometry nor None; `source` tells which view.
    """
    odd = np.flatnonzero(~(shapely.is_geometry(outlines) | (outlines == np.array(None))))
    if len(odd):
        kind = type(outlines[odd[0]]).__name__
        raise DetectionError(f"outline of view {source[odd[0]]} is a {kind}; give Shapely geometries, or None")
    usable = outlines.copy()
    usable[beyond_number(shapely.bounds(outlines))] = None
    plain = np.isin(shapely.get_type_id(usable), (shapely.GeometryType.POLYGON, shapely.GeometryType.MULTIPOLYGON))
    broken = np.flatnonzero(~shapely.is_missing(usable) & ~(plain & shapely.is_valid(usable)))
    for k in broken.tolist():
        usable[k] = repaired(usable[k])
    usable[shapely.is_missing(usable) | (shapely.area(usable) <= 0.0)] = None
    return usable


def repaired(outline: shapely.Geometry) -> shapely.Geometry:
    """Gives the union of a geometry's polygons, however nested, as a valid polygon or multipolygon (perhaps empty)."""
    valid = shapely.make_valid(polygons_of(outline), method="structure", keep_collapsed=False)
    return shapely.union_all([part for each in valid for part in polygons_of(each)])


def _check_block_index(detections: SceneDetections, count: int) -> None:
    wrong = np.flatnonzero((detections.block_index < 0) | (detections.block_index >= count))
    if len(wrong):
        value = int(detections.block_index[wrong[0]])
        raise DetectionError(
            f"merge: view {int(wrong[0])} names block {value} of {count}; pass the blocks that the views came from"
        )


def _corner(frame: Window) -> Float64Array:
    return np.array([frame.x0, frame.y0, frame.x0, frame.y0], dtype=np.float64)


def _snap(coordinates: Float64Array) -> Float64Array:
    result: Float64Array = np.round(coordinates / GRID_PX) * GRID_PX
    return result
