"""Which pairs of views are worth comparing."""

from __future__ import annotations

import numpy as np
import shapely

from pipeline.types import Float64Array, Int64Array

# Boxes looked up at once; bounds the memory of the tree's answer.
CHUNK = 50_000


def overlapping(boxes: Float64Array, others: Float64Array) -> tuple[Int64Array, Int64Array]:
    """Gives all pairs of a box and another box that share area, ordered by (first, second).

    Args:
        boxes: (N, 4) xyxy.
        others: (M, 4) xyxy.

    Returns:
        (P,) int64 indices into `boxes` and (P,) int64 indices into `others`.
    """
    tree = shapely.STRtree(shapely.box(*others.T))
    first: list[Int64Array] = []
    second: list[Int64Array] = []
    for start in range(0, len(boxes), CHUNK):
        part = boxes[start : start + CHUNK]
        i, j = tree.query(shapely.box(*part.T))
        a, b = part[i], others[j]
        shares = (np.minimum(a[:, 2:], b[:, 2:]) > np.maximum(a[:, :2], b[:, :2])).all(axis=1)
        i, j = i[shares] + start, j[shares]
        order = np.lexsort((j, i))
        first.append(i[order])
        second.append(j[order])
    if not first:
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    return np.concatenate(first).astype(np.int64), np.concatenate(second).astype(np.int64)


def candidate_pairs(boxes: Float64Array, block: Int64Array) -> tuple[Int64Array, Int64Array]:
    """Gives the pairs i < j of views from different blocks whose boxes share area, ordered by (i, j).

    Args:
        boxes: (N, 4) xyxy.
        block: (N,) the block of each view.
    """
    i, j = overlapping(boxes, boxes)
    useful = (i < j) & (block[i] != block[j])
    return i[useful], j[useful]
