"""Arrow columns from numpy arrays: vectors, boxes, outlines, with nulls where a value is unknown."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pyarrow as pa
import shapely
from numpy.typing import NDArray

from pipeline.types import BoolArray, Float32Array, Float64Array, GeometryArray, Window
from schemas.people import BLOCK_BOX, BOX

CORNERS = ("xmin", "ymin", "xmax", "ymax")


def numbers(values: NDArray[Any], known: BoolArray | None = None) -> pa.Array:
    """Gives (N,) numbers as a column, null where `known` (N,) is False."""
    return pa.array(values, mask=None if known is None else ~known)


def vectors(values: Float32Array, known: BoolArray | None = None) -> pa.Array:
    """Gives (N, ...) float32 as a column of fixed-size lists of the flattened rest, null where `known` is False."""
    width = int(np.prod(values.shape[1:], dtype=np.int64))
    flat = pa.array(np.ascontiguousarray(values, dtype=np.float32).reshape(-1))
    mask = None if known is None else pa.array(~known)
    return pa.FixedSizeListArray.from_arrays(flat, width, mask=mask)


def boxes(boxes_frame: Float32Array, known: BoolArray | None = None) -> pa.Array:
    """Gives (N, 4) float32 xyxy as a column of boxes, null where `known` (N,) is False."""
    corners = [pa.array(np.ascontiguousarray(boxes_frame[:, side], dtype=np.float32)) for side in range(4)]
    mask = None if known is None else pa.array(~known)
    return pa.StructArray.from_arrays(corners, fields=list(BOX), mask=mask)


def windows(windows_frame: list[Window]) -> pa.Array:
    """Gives windows as a column of integer boxes, rounded outward."""
    return pa.array([dict(zip(CORNERS, outward(window), strict=True)) for window in windows_frame], type=BLOCK_BOX)


def outward(window: Window) -> tuple[int, int, int, int]:
    """Gives the smallest box with integer corners (x0, y0, x1, y1) that holds `window`."""
    return math.floor(window.x0), math.floor(window.y0), math.ceil(window.x1), math.ceil(window.y1)


def outward_float32(boxes_frame: Float64Array) -> Float32Array:
    """Gives the smallest float32 boxes (N, 4) that hold the float64 boxes (N, 4)."""
    rounded = boxes_frame.astype(np.float32)
    below = np.nextafter(rounded, np.float32(-np.inf))
    above = np.nextafter(rounded, np.float32(np.inf))
    low = np.where(rounded.astype(np.float64) > boxes_frame, below, rounded)
    high = np.where(rounded.astype(np.float64) < boxes_frame, above, rounded)
    return np.concatenate([low[:, :2], high[:, 2:]], axis=1)


def outlines(geometries: GeometryArray) -> pa.Array:
    """Gives (N,) shapely geometries or None as a WKB column (little-endian, x and y only)."""
    return pa.array(shapely.to_wkb(geometries, output_dimension=2, byte_order=1).tolist(), type=pa.binary())
