"""Which pairs of views are worth comparing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import shapely

from pipeline.types import Float64Array, Int64Array

ANSWER = 200_000
"""Pairs that the tree is asked for at once, about; bounds the memory of its answer, however dense the crowd."""
FEWEST, MOST = 16, 50_000
"""Boxes looked up at once; at first the fewest."""
GROWTH = 8


def overlapping(boxes: Float64Array, others: Float64Array) -> tuple[Int64Array, Int64Array]:
    """Gives all pairs of a box and another box that share area, ordered by (first, second).

    Args:
        boxes: (N, 4) xyxy.
        others: (M, 4) xyxy.

    Returns:
        (P,) int64 indices into `boxes` and (P,) int64 indices into `others`.
    """
    return _joined(_overlaps(boxes, others))


def _overlaps(boxes: Float64Array, others: Float64Array) -> Iterator[tuple[Int64Array, Int64Array]]:
    """Gives the pairs of `overlapping`, some `ANSWER` at a time."""
    tree = shapely.STRtree(shapely.box(*others.T))
    start, count = 0, FEWEST
    while start < len(boxes):
        part = boxes[start : start + count]
        i, j = tree.query(shapely.box(*part.T))
        a, b = part[i], others[j]
        shares = (np.minimum(a[:, 2:], b[:, 2:]) > np.maximum(a[:, :2], b[:, :2])).all(axis=1)
        order = np.lexsort((j[shares], i[shares]))
        yield (i[shares][order] + start).astype(np.int64), j[shares][order].astype(np.int64)
        start += len(part)
        count = min(max(count * ANSWER // max(len(i), 1), FEWEST), GROWTH * count, MOST)


def _joined(parts: Iterable[tuple[Int64Array, Int64Array]]) -> tuple[Int64Array, Int64Array]:
    none = np.zeros(0, dtype=np.int64)
    first, second = zip((none, none), *parts, strict=True)
    return np.concatenate(first), np.concatenate(second)


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
    outside = np.ones(len(boxes), dtype=np.bool_)
    outside[shard.own] = False

    def useful(a: Int64Array, b: Int64Array) -> tuple[Int64Array, Int64Array]:
        first, second = shard.own[a], shard.near[b]
        keep = (block[first] != block[second]) & (outside[second] | (first < second))
        return np.minimum(first, second)[keep], np.maximum(first, second)[keep]

    i, j = _joined(useful(a, b) for a, b in _overlaps(boxes[shard.own], boxes[shard.near]))
    order = np.lexsort((j, i))
    return i[order], j[order]
