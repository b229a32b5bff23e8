"""Constrained union-find: the most similar pair first, never two views of one block in one group."""

from __future__ import annotations

import numpy as np

from pipeline.merge.config import MergeConfig
from pipeline.merge.similarity import Pairs, same_person
from pipeline.types import Float64Array, Int64Array


def link(block: Int64Array, pairs: Pairs, config: MergeConfig) -> Int64Array:
    """Gives each view's group, numbered in the order of each group's first view.

    Args:
        block: (N,) the block of each view.
        pairs: compared pairs of views; those that are no link are passed over.
        config: the thresholds.

    Returns:
        (N,) int64 groups 0..G-1.
    """
    links = pairs.take(same_person(pairs, config))
    order = np.lexsort((links.j, links.i, -strength(links, config)))
    parent = list(range(len(block)))
    blocks = [{value} for value in block.tolist()]
    for i, j in zip(links.i[order].tolist(), links.j[order].tolist(), strict=True):
        a, b = _root(parent, i), _root(parent, j)
        if a == b or not blocks[a].isdisjoint(blocks[b]):
            continue
        if len(blocks[a]) < len(blocks[b]):
            a, b = b, a
        parent[b] = a
        blocks[a] |= blocks[b]
        blocks[b] = set()
    roots = np.array([_root(parent, k) for k in range(len(parent))], dtype=np.int64)
    return _numbered(roots)


def strength(pairs: Pairs, config: MergeConfig) -> Float64Array:
    """Gives the linking order of pairs: similarity, less where few pixels speak for it."""
    factor = np.minimum(1.0, config.evidence_floor + pairs.evidence_px / config.evidence_scale_px)
    return np.round(pairs.similarity * factor, 9)


def _root(parent: list[int], k: int) -> int:
    while parent[k] != k:
        parent[k] = parent[parent[k]]
        k = parent[k]
    return k


def _numbered(labels: Int64Array) -> Int64Array:
    """Gives the labels renumbered 0..G-1 in the order of their first appearance."""
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    place = np.empty(len(first), dtype=np.int64)
    place[np.argsort(first)] = np.arange(len(first), dtype=np.int64)
    return place[inverse.reshape(-1)]
