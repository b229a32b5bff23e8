"""People whom no block saw whole: box and outline united from their cut views."""

from __future__ import annotations

import numpy as np
import shapely

from pipeline.types import Float64Array, GeometryArray, Int64Array


def united_boxes(boxes: Float64Array, group: Int64Array, count: int) -> Float64Array:
    """Gives the (count, 4) box around all boxes (N, 4) of each group 0..count-1 (N,), -1 for none."""
    united = np.empty((count, 4), dtype=np.float64)
    united[:, :2], united[:, 2:] = np.inf, -np.inf
    member = group >= 0
    np.minimum.at(united[:, :2], group[member], boxes[member, :2])
    np.maximum.at(united[:, 2:], group[member], boxes[member, 2:])
    return united


def united_outline(outlines: GeometryArray) -> shapely.Geometry | None:
    """Gives the union of the outlines (K,) of one person, None where none is drawn."""
    drawn = outlines[~shapely.is_missing(outlines)]
    return shapely.union_all(drawn) if len(drawn) else None
