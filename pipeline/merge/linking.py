"""Constrained union-find: the most similar pair first, never two views of one block in one group."""

from __future__ import annotations

import numpy as np

from pipeline.merge.config import MergeConfig
from pipeline.merge.joints import UNKNOWN
from pipeline.merge.similarity import Pairs, same_person
from pipeline.types import BoolArray, Float64Array, Int64Array


class Groups:
    """People so far, as a union-find over N views; no group ever holds two views of one block."""

    def __init__(self, block: Int64Array) -> None:
        self._parent = list(range(len(block)))
        self._blocks = [{value} for value in block.tolist()]

    def link(self, pairs: Pairs, config: MergeConfig) -> None:
        """Unites the groups of each pair that shows one person, most similar pair first; ties go to the earlier one."""
        links = pairs.take(same_person(pairs, config))
        order = np.lexsort((links.j, links.i, -strength(links, config)))
        for i, j in zip(links.i[order].tolist(), links.j[order].tolist(), strict=True):
            self._unite(self._root(i), self._root(j))

    def may_link(self, pairs: Pairs) -> BoolArray:
        """Says for which pairs a link would change the groups: two groups that share no block."""
        ends = zip(pairs.i.tolist(), pairs.j.tolist(), strict=True)
        return np.array([self._can_unite(self._root(i), self._root(j)) for i, j in ends], dtype=np.bool_)

    def labels(self) -> Int64Array:
        """Gives each view's group, numbered 0..G-1 in the order of each group's first view (N,)."""
        return _numbered(np.array([self._root(k) for k in range(len(self._parent))], dtype=np.int64))

    def _can_unite(self, a: int, b: int) -> bool:
        return a != b and self._blocks[a].isdisjoint(self._blocks[b])

    def _unite(self, a: int, b: int) -> None:
        if not self._can_unite(a, b):
            return
        if len(self._blocks[a]) < len(self._blocks[b]):
            a, b = b, a
        self._parent[b] = a
        self._blocks[a] |= self._blocks[b]
        self._blocks[b] = set()

    def _root(self, k: int) -> int:
        parent = self._parent
        while parent[k] != k:
            parent[k] = parent[parent[k]]
            k = parent[k]
        return k


def strength(pairs: Pairs, config: MergeConfig) -> Float64Array:
    """Gives the linking order of pairs: similarity, less where few pixels or the joints speak against it."""
    factor = np.minimum(1.0, config.evidence_floor + pairs.evidence_px / config.evidence_scale_px)
    said = config.agreement_tie_weight * (pairs.agreement - UNKNOWN)
    return np.round(pairs.similarity * factor + said, 9)


def _numbered(labels: Int64Array) -> Int64Array:
    """Gives the labels renumbered 0..G-1 in the order of their first appearance."""
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    place = np.empty(len(first), dtype=np.int64)
    place[np.argsort(first)] = np.arange(len(first), dtype=np.int64)
    return place[inverse.reshape(-1)]
