"""People whom no block saw whole: box and outline united from their cut views."""

from __future__ import annotations

import numpy as np
import shapely

from pipeline.merge.views import Views
from pipeline.types import BoolArray, Float64Array, GeometryArray, Int64Array

# A view at this share of the finest scale or more errs about as little as the finest one.
FINE_SHARE = 0.5


def united_boxes(boxes: Float64Array, group: Int64Array, count: int) -> Float64Array:
    """Gives the (count, 4) box around all boxes (N, 4) of each group 0..count-1 (N,), -1 for none."""
    united = np.empty((count, 4), dtype=np.float64)
    united[:, :2], united[:, 2:] = np.inf, -np.inf
    member = group >= 0
    np.minimum.at(united[:, :2], group[member], boxes[member, :2])
    np.maximum.at(united[:, 2:], group[member], boxes[member, 2:])
    return united


def uniting(views: Views, group: Int64Array) -> tuple[BoolArray, BoolArray]:
    """Gives the views that make up the united box of their person (N,), and whether these show all of it (N,).

    Views of a person seen at very different sizes err by very different amounts. Those at half the finest scale or
    more are enough where, on each side, the one that reaches furthest is not cut: then nothing of the person lies
    beyond them. Elsewhere all views of the person are needed.
    """
    count = int(group.max(initial=-1)) + 1
    finest = np.zeros(count + 1, dtype=np.float64)  # the last entry serves group -1
    np.maximum.at(finest, group, np.where(group >= 0, views.scale, 0.0))
    fine = (views.scale >= FINE_SHARE * finest[group]) & (group >= 0)
    extent = united_boxes(views.boxes, np.where(fine, group, -1), count)
    furthest = views.boxes == np.concatenate([extent, np.zeros((1, 4), dtype=np.float64)])[group]
    ends = np.zeros((count + 1, 4), dtype=np.bool_)
    np.logical_or.at(ends, group, furthest & ~views.cut & fine[:, None])
    complete: BoolArray = np.all(ends[group], axis=1) & (group >= 0)
    return fine | ((group >= 0) & ~complete), complete & fine


def united_outline(outlines: GeometryArray) -> shapely.Geometry | None:
    """Gives the union of the outlines (K,) of one person, None where none is drawn."""
    drawn = outlines[~shapely.is_missing(outlines)]
    return shapely.union_all(drawn) if len(drawn) else None
