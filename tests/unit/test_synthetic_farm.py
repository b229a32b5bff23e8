"""How groups of tiles reach the files from workers: facts first, nothing lost, a failure is one line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Self

import numpy as np
import pytest

from mili_core.body import load_body
from pipeline.executor import BatchOutcome, Done, Failed
from pipeline.synthetic import SceneRequest, farm
from pipeline.synthetic.farm import ORDERED_AT_ONCE, RenderError, rendering
from pipeline.synthetic.worker import FACTS, RenderedGroup, SceneFacts, SceneWorker

GROUPS = ORDERED_AT_ONCE + 5
REQUEST = SceneRequest(people=0, width=64, height=64, seed=0, workers=2)


class BackwardsPool:
    """Answers each run's calls from the last to the first; fails at `poison`."""

    facts: SceneFacts
    poison: int | None = None
    runs: list[list[int]]

    def __init__(self, *_: object) -> None:
        self.runs.append([])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def run(self, context: None, batches: Mapping[int, Sequence[int]]) -> Iterator[BatchOutcome[Any]]:
        self.runs.append([each for ids in batches.values() for each in ids])
        for number, ids in reversed(batches.items()):
            if ids[0] == self.poison:
                yield BatchOutcome(number, (), (Failed(ids[0], "ValueError: poison", 1.0, 1),))
                continue
            group = RenderedGroup(ids[0], (), (), np.zeros((0, 24), dtype=np.bool_), 1.0)
            yield BatchOutcome(number, (Done(tuple(ids), self.facts if ids[0] == FACTS else group, 1.0, 1),), ())


@pytest.fixture
def pool(monkeypatch: pytest.MonkeyPatch) -> type[BackwardsPool]:
    class Pool(BackwardsPool):
        facts = SceneWorker(REQUEST, load_body()).facts()

    Pool.runs = []

    class Cluster:
        def __init__(self, address: str | None) -> None:
            pass

        def __enter__(self) -> None:
            pass

        def __exit__(self, *_: object) -> None:
            pass

    monkeypatch.setattr(farm, "ActorPool", Pool)
    monkeypatch.setattr(farm, "cluster", Cluster)
    return Pool


def test_facts_come_first_and_every_group_once(pool: type[BackwardsPool]) -> None:
    with rendering(REQUEST, load_body(), GROUPS) as (facts, groups):
        assert facts is pool.facts
        assert sorted(group.group for group in groups) == list(range(GROUPS))


def test_no_more_groups_are_handed_out_than_may_wait(pool: type[BackwardsPool]) -> None:
    with rendering(REQUEST, load_body(), GROUPS) as (_, groups):
        assert len(list(groups)) == GROUPS
    handed = [[each for each in run if each != FACTS] for run in pool.runs if run]
    assert [len(run) for run in handed] == [ORDERED_AT_ONCE, 5]


def test_a_group_that_fails_is_one_line(pool: type[BackwardsPool]) -> None:
    pool.poison = ORDERED_AT_ONCE + 2
    with (
        pytest.raises(RenderError, match=r"group 66 of tiles cannot be rendered \(ValueError: poison\)"),
        rendering(REQUEST, load_body(), GROUPS) as (_, groups),
    ):
        list(groups)
