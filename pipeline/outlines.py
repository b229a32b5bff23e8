"""Outlines of people from their small masks: sub-pixel contours at probability one half."""

from __future__ import annotations

from typing import Any

import contourpy
import numpy as np
import shapely
from numpy.typing import NDArray

from pipeline.types import GeometryArray

Float32Array = NDArray[np.float32]

# A pixel belongs to the person when that is at least as likely as not.
THRESHOLD = 0.5
# Parts smaller than one mask pixel are noise of the mask head, not limbs.
SMALLEST_PART_MASK_PX = 1.0
# Vertices that move the outline by less than this are left out: far below what a 28x28 mask can resolve.
SIMPLIFY_MASK_PX = 0.05
_ABOVE_ALL_PROBABILITIES = 2.0
_COLLECTIONS = (
    shapely.GeometryType.MULTIPOINT,
    shapely.GeometryType.MULTILINESTRING,
    shapely.GeometryType.MULTIPOLYGON,
    shapely.GeometryType.GEOMETRYCOLLECTION,
)


def mask_outlines(masks: Float32Array, mask_boxes_xyxy: Float32Array, width: float, height: float) -> GeometryArray:
    """Gives the outline of each mask in the pixels of its image.

    Mask pixel (i, j) has its centre at ((i + .5) / side, (j + .5) / side) of the mask's box; beyond the box the
    probability is 0, so every contour closes inside the box.

    Args:
        masks: (N, S, S) probabilities 0..1.
        mask_boxes_xyxy: (N, 4) half-open boxes that the masks lie on, image px.
        width: image px; outlines are clipped to 0..width.
        height: image px; outlines are clipped to 0..height.

    Returns:
        (N,) object array of valid Polygons or MultiPolygons, None where nothing is left.
    """
    outlines = np.full(len(masks), None, dtype=np.object_)
    image = shapely.box(0.0, 0.0, width, height)
    for n, (mask, box) in enumerate(zip(masks, mask_boxes_xyxy, strict=True)):
        outlines[n] = _outline(mask, box.astype(np.float64), image)
    return outlines


def polygons_of(shape: shapely.Geometry) -> GeometryArray:
    """Gives the (P,) polygons of any geometry, however deeply its collections are nested.

    Lines, points, empty parts, and parts with coordinates that are not finite are left out.
    """
    parts: GeometryArray = np.array([shape], dtype=np.object_)
    while np.isin(shapely.get_type_id(parts), _COLLECTIONS).any():
        parts = shapely.get_parts(parts)
    parts = parts[shapely.get_type_id(parts) == shapely.GeometryType.POLYGON]
    return parts[[_is_drawn(part) for part in parts]]


def _is_drawn(polygon: shapely.Polygon) -> bool:
    return bool(np.isfinite(shapely.get_coordinates(polygon)).all() and not shapely.is_empty(polygon))


def mask_scores(masks: Float32Array) -> Float32Array:
    """Gives the (N,) mean probability of the mask pixels inside the outline; 0 where there is none."""
    inside = masks >= THRESHOLD
    total: NDArray[np.float64] = np.where(inside, masks, 0.0).sum(axis=(1, 2), dtype=np.float64)
    return np.asarray(total / np.maximum(inside.sum(axis=(1, 2)), 1), dtype=np.float32)


def _outline(mask: Float32Array, box: NDArray[np.float64], image: shapely.Polygon) -> shapely.Geometry | None:
    side_x, side_y = (box[2] - box[0]) / mask.shape[1], (box[3] - box[1]) / mask.shape[0]
    if not (side_x > 0.0 and side_y > 0.0 and (mask >= THRESHOLD).any()):
        return None
    shape = _trace(mask, box[0], box[1], side_x, side_y)
    parts = polygons_of(shapely.intersection(shapely.make_valid(shape), image))
    large = parts[shapely.area(parts) >= SMALLEST_PART_MASK_PX * side_x * side_y]
    if len(large) == 0:
        return None
    whole = large[0] if len(large) == 1 else shapely.MultiPolygon(list(large))
    simple = shapely.simplify(whole, SIMPLIFY_MASK_PX * min(side_x, side_y))
    return simple if simple.is_valid else whole


def _trace(mask: Float32Array, x0: float, y0: float, side_x: float, side_y: float) -> shapely.MultiPolygon:
    """Gives the region of the padded mask at or above the threshold, holes included; not yet valid for certain."""
    padded = np.pad(mask, 1)
    x = x0 + (np.arange(padded.shape[1], dtype=np.float64) - 0.5) * side_x
    y = y0 + (np.arange(padded.shape[0], dtype=np.float64) - 0.5) * side_y
    generator = contourpy.contour_generator(x, y, padded, fill_type=contourpy.FillType.OuterOffset)
    filled: Any = generator.filled(THRESHOLD, _ABOVE_ALL_PROBABILITIES)  # its type depends on fill_type's value
    points, offsets = filled
    return shapely.MultiPolygon(
        [_polygon(np.split(ring, cuts[1:-1])) for ring, cuts in zip(points, offsets, strict=True)]
    )


def _polygon(rings: list[NDArray[np.float64]]) -> shapely.Polygon:
    return shapely.Polygon(rings[0], rings[1:])
