"""Picks one view for each person such that the picked views alone still are these people."""

from __future__ import annotations

import numpy as np

from pipeline.merge.config import MergeConfig
from pipeline.merge.explain import People, explained
from pipeline.merge.similarity import Pairs, alike, look_closer
from pipeline.merge.views import Views
from pipeline.types import BoolArray, Int64Array


def pick(
    views: Views, group: Int64Array, whole: BoolArray, order: Int64Array, pairs: Pairs, config: MergeConfig
) -> Int64Array:
    """Gives the view that stands for each group, -1 where every view would be taken for somebody else.

    Groups may be apart only because a block reported two people side by side. Picked from different blocks, their
    views could look like one person to whoever merges the result again; then the next best view is picked, if need
    be together with another one for the neighbour. People with many views choose first, whole ones before cut ones.

    Args:
        views: N views.
        group: (N,) group 0..G-1 of each view, -1 for none.
        whole: (N,) see `pipeline.merge.choice.seen_whole`.
        order: (N,) views by group and preference, see `pipeline.merge.choice.preference`.
        pairs: compared pairs.
        config: the thresholds.

    Returns:
        (G,) int64 view numbers or -1. A whole view wherever the group has one.
    """
    members = _members(group, order)
    clear = whole & views.clear
    candidates = [_best_kind(ranked, clear, whole) for ranked in members]
    firm = np.array([bool(clear[ranked].any()) for ranked in members], dtype=np.bool_)
    picks = _Picks(candidates, group, _rivals(views, group, candidates, pairs, config))
    picks.settle(np.flatnonzero(firm))
    lost = _explained_alone(views, np.flatnonzero((group >= 0) & ~views.clear), picks.taken(), config) | views.thin
    picks.candidates = [[k for k in ranked if not lost[k]] for ranked in picks.candidates]
    picks.settle(np.flatnonzero(~firm))
    lost = _explained_alone(views, picks.taken(), picks.taken(), config)
    return np.array([-1 if k < 0 or lost[k] else k for k in picks.view], dtype=np.int64)


CHAIN = 4  # groups that may have to move, one for another, in crowds of people alike
TRIES = 300  # views tried to make room for one group: identical boxes by the thousand have no solution


class _Picks:
    """The picks so far: at every moment no two of them are rivals."""

    def __init__(self, candidates: list[list[int]], group: Int64Array, rivals: dict[int, set[int]]) -> None:
        self.candidates = candidates
        self.view = [-1] * len(candidates)
        self._group = group
        self._rivals = rivals
        self._moves: list[tuple[int, int]] = []  # group and earlier view, to be taken back
        self._tries = 0

    def taken(self) -> Int64Array:
        """(K,) the views picked so far."""
        return np.array([k for k in self.view if k >= 0], dtype=np.int64)

    def settle(self, groups: Int64Array) -> None:
        """Picks for `groups`, those with many candidates first."""
        for g in sorted(groups.tolist(), key=lambda g: (-len(self.candidates[g]), g)):
            self._tries = TRIES
            if not self._take_free(g):
                self._make_room(g, frozenset())
            self._moves.clear()

    def _hindrances(self, k: int) -> list[int]:
        """Gives the groups whose pick is a rival of view k."""
        groups = {int(self._group[other]) for other in self._rivals.get(k, ())}
        return sorted(g for g in groups if self.view[g] in self._rivals[k])

    def _take_free(self, g: int) -> bool:
        """Picks the best view of g that has no rival among the picks, if there is one."""
        k = next((k for k in self.candidates[g] if not self._hindrances(k)), -1)
        self._move(g, k)
        return k >= 0

    def _make_room(self, g: int, moved: frozenset[int]) -> bool:
        """Picks the first view of g whose hindrances can all move to other views; leaves all as it is if none.

        A hindrance may have to make room in turn, through up to CHAIN groups; `moved` are those on the way here.
        """
        moved = moved | {g}
        for k in self.candidates[g]:
            hindrances = self._hindrances(k)
            self._tries -= 1
            if moved.intersection(hindrances) or self._tries < 0:
                continue
            mark = len(self._moves)
            self._move(g, k)
            for h in hindrances:
                self._move(h, -1)
            if all(self._take_free(h) or (len(moved) < CHAIN and self._make_room(h, moved)) for h in hindrances):
                return True
            self._take_back(mark)
        return False

    def _move(self, g: int, view: int) -> None:
        self._moves.append((g, self.view[g]))
        self.view[g] = view

    def _take_back(self, mark: int) -> None:
        while len(self._moves) > mark:
            g, view = self._moves.pop()
            self.view[g] = view


def _members(group: Int64Array, order: Int64Array) -> list[list[int]]:
    """Gives the views of each group, best first."""
    ordered = order[group[order] >= 0]
    count = int(group.max(initial=-1)) + 1
    bounds = np.searchsorted(group[ordered], np.arange(1, count))
    return [part.tolist() for part in np.split(ordered, bounds)] if count else []


def _best_kind(ranked: list[int], clear: BoolArray, whole: BoolArray) -> list[int]:
    """Gives the views that are whole beyond doubt, or else the whole ones, or else all."""
    return [k for k in ranked if clear[k]] or [k for k in ranked if whole[k]] or ranked


def _rivals(
    views: Views, group: Int64Array, candidates: list[list[int]], pairs: Pairs, config: MergeConfig
) -> dict[int, set[int]]:
    """Gives for each candidate the candidates of other groups that would be taken for the same person."""
    eligible = np.zeros(len(views), dtype=np.bool_)
    eligible[[k for ranked in candidates for k in ranked]] = True
    across = eligible[pairs.i] & eligible[pairs.j] & (group[pairs.i] != group[pairs.j])
    clash = across & alike(look_closer(views, pairs, across, config), config)
    rivals: dict[int, set[int]] = {}
    for i, j in zip(pairs.i[clash].tolist(), pairs.j[clash].tolist(), strict=True):
        rivals.setdefault(i, set()).add(j)
        rivals.setdefault(j, set()).add(i)
    return rivals


def _explained_alone(views: Views, suspects: Int64Array, picks: Int64Array, config: MergeConfig) -> BoolArray:
    """Says (N,) which of the suspects (S,) the picked views (K,) would explain if nothing else were known."""
    chosen = np.union1d(suspects, picks)
    alone = np.full(len(views), -1, dtype=np.int64)
    alone[chosen] = np.arange(len(chosen), dtype=np.int64)
    whole = views.whole[chosen] & np.isin(chosen, picks)
    people = People(views.boxes[chosen], views.boxes[chosen], whole, views.clear[chosen])
    result = np.zeros(len(views), dtype=np.bool_)
    result[chosen] = explained(views, alone, people, config)
    return result
