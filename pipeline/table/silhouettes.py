"""Columns of the outlines, and of how much of a body they show."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import shapely

from pipeline import columns
from pipeline.bodies import DerivedColumns
from pipeline.types import Float32Array, Float64Array, GeometryArray, Int64Array
from schemas.people import PEOPLE_SCHEMA, null_column

_POLYGON, _MULTIPOLYGON = 3, 6


def cut_to_boxes(outlines: GeometryArray | None, order: Int64Array, boxes_frame: Float64Array) -> GeometryArray:
    """Gives the outlines (N,) in the given order as polygons inside their boxes, None where nothing is left."""
    if outlines is None:
        return np.full(len(order), None, dtype=np.object_)
    geometries: GeometryArray = outlines[order].copy()
    bounds = shapely.bounds(geometries)
    outside = (bounds[:, :2] < boxes_frame[:, :2]).any(axis=1) | (bounds[:, 2:] > boxes_frame[:, 2:]).any(axis=1)
    polygonal = np.isin(shapely.get_type_id(geometries), (_POLYGON, _MULTIPOLYGON)) & ~shapely.is_empty(geometries)
    for row in np.flatnonzero((outside | ~polygonal) & ~shapely.is_missing(geometries)):
        valid = shapely.make_valid(geometries[row])
        geometries[row] = _polygons_of(shapely.intersection(valid, shapely.box(*boxes_frame[row])))
    return geometries


def _polygons_of(geometry: shapely.Geometry) -> shapely.Geometry | None:
    """Gives the polygons inside a geometry of any kind, None where there is none."""
    parts = shapely.get_parts(shapely.get_parts(geometry))
    polygons = parts[(shapely.get_type_id(parts) == _POLYGON) & ~shapely.is_empty(parts)]
    if len(polygons) < 2:
        return polygons[0] if len(polygons) else None
    return shapely.MultiPolygon(polygons.tolist())


def outline_columns(geometries: GeometryArray, mask_scores: Float32Array | None) -> dict[str, pa.Array]:
    """Gives the columns of (N,) outlines and their (N,) scores, null where there is no outline."""
    known = ~shapely.is_missing(geometries)
    return {
        "geometry": columns.outlines(geometries),
        "mask_area_px": columns.numbers(shapely.area(geometries).astype(np.float32), known),
        "mask_score": null_column(PEOPLE_SCHEMA.field("mask_score").type, len(known))
        if mask_scores is None
        else columns.numbers(mask_scores, known),
    }


def derived_columns(derived: DerivedColumns, order: Int64Array, geometries: GeometryArray) -> dict[str, pa.Array]:
    """Gives the columns that follow from bodies and outlines, rows in the given order, null where unknown."""
    if len(derived) != len(order):
        raise ValueError(f"derived columns are of {len(derived)} people, the merge has {len(order)}")
    full, silhouette = derived.bbox_full_frame[order], derived.silhouette_area_px[order]
    fraction = _visible_fraction(geometries, silhouette)
    projected = np.asarray(np.isfinite(full).all(axis=1), dtype=np.bool_)
    height_m = derived.height_m[order]
    return {
        "bbox_full": columns.boxes(columns.outward_float32(full), projected),
        "visible_fraction": columns.numbers(fraction, np.isfinite(fraction)),
        "height_m": columns.numbers(height_m, np.isfinite(height_m)),
    }


def _visible_fraction(geometries: GeometryArray, silhouette_area_px: Float64Array) -> Float32Array:
    """Gives the outlines' share (N,) of the silhouettes, clipped to 0..1, NaN where either is unknown or empty."""
    known = ~shapely.is_missing(geometries) & (silhouette_area_px > 0)
    share = np.full(len(geometries), np.nan, dtype=np.float64)
    np.divide(shapely.area(geometries), silhouette_area_px, out=share, where=known)
    return np.clip(share, 0.0, 1.0).astype(np.float32)
