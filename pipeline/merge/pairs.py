"""Which pairs of views are worth comparing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

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
    everyone = np.arange(len(boxes), dtype=np.int64)
    return pairs_of_shard(boxes, block, Shard(everyone, everyone))


@dataclass(frozen=True, slots=True, eq=False)
class Shard:
    """A strip of the scene.

    Attributes:
        own: (O,) int64, ascending, views whose left side lies in the strip.
        near: (M,) int64, ascending, these and all others that reach into the strip from the left.
    """

    own: Int64Array
    near: Int64Array


def shards(boxes: Float64Array, size: int) -> Iterator[Shard]:
    """Gives strips of about `size` views each, from left to right, that together own every view once.

    A pair that shares area belongs to the strip in which the later of its two left sides lies. Its other view then
    reaches into that strip, however large the largest box is: no pair is missed and none is found twice.

    Args:
        boxes: (N, 4) xyxy.
        size: views a strip, >= 1; more where many left sides are equal.
    """
    left = np.sort(boxes[:, 0])
    starts = np.unique(left[::size])
    for start, stop in zip(starts, np.append(starts[1:], np.inf), strict=True):
        inside = (boxes[:, 0] >= start) & (boxes[:, 0] < stop)
        reaches = (boxes[:, 0] < start) & (boxes[:, 2] > start)
        yield Shard(np.flatnonzero(inside).astype(np.int64), np.flatnonzero(inside | reaches).astype(np.int64))


def pairs_of_shard(boxes: Float64Array, block: Int64Array, shard: Shard) -> tuple[Int64Array, Int64Array]:
    """Gives the pairs i < j that a shard owns: of different blocks, sharing area, ordered by (i, j)."""
    a, b = overlapping(boxes[shard.own], boxes[shard.near])
    first, second = shard.own[a], shard.near[b]
    outside = np.ones(len(boxes), dtype=np.bool_)
    outside[shard.own] = False
    useful = (block[first] != block[second]) & (outside[second] | (first < second))
    i, j = np.minimum(first, second)[useful], np.maximum(first, second)[useful]
    order = np.lexsort((j, i))
    return i[order], j[order]
