"""The actor pool on a real local cluster: order-free results, isolated poison, replaced actors."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ray = pytest.importorskip("ray")

from mili_core.errors import WeightsError  # noqa: E402
from pipeline.executor import ActorPool, BatchOutcome, Failed, PoolSettings, WorkerError, cluster, run_tasks  # noqa: E402

pytestmark = pytest.mark.ray

TWO_ACTORS = PoolSettings(actors=2, cpus=1.0)


@pytest.fixture(scope="module", autouse=True)
def local_cluster() -> Iterator[None]:
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers cannot import test files
    ray.init("local", num_cpus=2, include_dashboard=False, log_to_driver=False, object_store_memory=100 * 2**20)
    yield
    ray.shutdown()


class Squares:
    """Squares its ids; raises on `raises`, ends its process on `kills`; logs who did what into a file."""

    def __init__(self, log: Path, raises: frozenset[int] = frozenset(), kills: frozenset[int] = frozenset()) -> None:
        self.log, self.raises, self.kills = log, raises, kills

    def __call__(self, context: int, ids: tuple[int, ...], *, alone: bool) -> dict[int, int]:
        with self.log.open("a") as file:
            file.write(f"{os.getpid()} {','.join(map(str, ids))} {alone}\n")
        if self.kills & set(ids):
            os._exit(1)
        if self.raises & set(ids):
            raise RuntimeError("poison\nwith a second line")
        return {each: each * each + context for each in ids}


def make(log: Path, raises: frozenset[int] = frozenset(), kills: frozenset[int] = frozenset()) -> Callable[[], Squares]:
    return lambda: Squares(log, raises, kills)


def run(worker: Callable[[], Squares], batches: dict[int, tuple[int, ...]]) -> dict[int, BatchOutcome[dict[int, int]]]:
    with ActorPool(worker, TWO_ACTORS) as pool:
        outcomes = list(pool.run(0, batches))
    assert len({outcome.batch for outcome in outcomes}) == len(outcomes) == len(batches)
    return {outcome.batch: outcome for outcome in outcomes}


def values(outcome: BatchOutcome[dict[int, int]]) -> dict[int, int]:
    return {key: value for done in outcome.done for key, value in done.value.items()}


BATCHES = {number: tuple(range(number * 8, number * 8 + 8)) for number in range(6)}


def test_every_id_once(tmp_path: Path) -> None:
    outcomes = run(make(tmp_path / "log"), BATCHES)
    for number, ids in BATCHES.items():
        assert values(outcomes[number]) == {each: each * each for each in ids}
        assert outcomes[number].failed == ()
        assert [done.attempt for done in outcomes[number].done] == [1]
    calls = (tmp_path / "log").read_text().splitlines()
    assert len(calls) == len(BATCHES)
    assert all(call.endswith("False") for call in calls)


def test_nothing_to_do(tmp_path: Path) -> None:
    assert run(make(tmp_path / "log"), {}) == {}


@pytest.mark.parametrize("kind", ["raises", "kills"])
def test_poison_is_isolated(tmp_path: Path, kind: str) -> None:
    poison = frozenset({11, 30})
    outcomes = run(make(tmp_path / "log", **{kind: poison}), BATCHES)
    failed = {each.id: each for outcome in outcomes.values() for each in outcome.failed}
    assert set(failed) == poison
    everything = {key: value for outcome in outcomes.values() for key, value in values(outcome).items()}
    assert everything == {each: each * each for each in range(48) if each not in poison}
    for each in failed.values():
        assert each.attempt == (4 if kind == "raises" else 5)  # 8 -> 4 -> 2 -> 1, after a second look at a death
        assert "\n" not in each.error
        assert ("died" in each.error) == (kind == "kills")
    calls = [line.split(" ") for line in (tmp_path / "log").read_text().splitlines()]
    assert all((alone == "True") == (len(ids.split(",")) < 8) for _, ids, alone in calls)
    for number in (0, 2, 4, 5):  # batches without poison are never cut, whoever shared an actor with them
        assert [done.ids for done in outcomes[number].done] == [BATCHES[number]]
    if kind == "kills":
        assert len({pid for pid, _, _ in calls}) > 2


def test_a_death_that_does_not_come_back_harms_nobody(tmp_path: Path) -> None:
    def worker() -> Callable[..., int]:
        def call(context: None, ids: tuple[int, ...], *, alone: bool) -> int:
            assert not alone
            first = tmp_path / f"{ids[0]}"
            if ids[0] == 2 and not first.exists():
                first.touch()
                os._exit(1)
            return sum(ids)

        return call

    with ActorPool(worker, TWO_ACTORS) as pool:
        outcomes = {outcome.batch: outcome for outcome in pool.run(None, {n: (n, n + 10) for n in range(6)})}
    assert {n: [done.value for done in outcome.done] for n, outcome in outcomes.items()} == {
        n: [2 * n + 10] for n in range(6)
    }


def test_results_keep_the_order_of_the_batch(tmp_path: Path) -> None:
    outcomes = run(make(tmp_path / "log", raises=frozenset({5})), {0: tuple(range(8))})
    assert [each for done in outcomes[0].done for each in done.ids] == [0, 1, 2, 3, 4, 6, 7]


def test_a_pool_serves_several_contexts_with_the_same_actors(tmp_path: Path) -> None:
    with ActorPool(make(tmp_path / "log"), TWO_ACTORS) as pool:
        first = [values(outcome) for outcome in pool.run(100, {0: (1,), 1: (2,)})]
        second = [values(outcome) for outcome in pool.run(200, {0: (1,), 1: (2,), 2: (3,)})]
    assert sorted(value for each in first for value in each.values()) == [101, 104]
    assert sorted(value for each in second for value in each.values()) == [201, 204, 209]
    assert len({line.split(" ")[0] for line in (tmp_path / "log").read_text().splitlines()}) <= 2


def test_an_error_while_starting_is_that_error() -> None:
    def worker() -> Squares:
        raise WeightsError("weights.safetensors: tensor missing; get the file again")

    with ActorPool(worker, TWO_ACTORS) as pool, pytest.raises(WeightsError, match="get the file again"):
        list(pool.run(0, BATCHES))


def test_actors_that_die_while_starting_end_the_run() -> None:
    def worker() -> Squares:
        os._exit(1)

    with ActorPool(worker, PoolSettings(actors=1)) as pool, pytest.raises(WorkerError, match="load the model"):
        list(pool.run(0, {0: (1,)}))


def test_more_actors_than_fit_do_not_hang(tmp_path: Path) -> None:
    with ActorPool(make(tmp_path / "log"), PoolSettings(actors=5, cpus=1.0)) as pool:
        assert len(list(pool.run(0, BATCHES))) == len(BATCHES)


@pytest.mark.parametrize("settings", [PoolSettings(cpus=8.0), PoolSettings(gpus=1.0), PoolSettings(actors=1, cpus=8.0)])
def test_an_actor_that_no_node_can_hold_is_refused(settings: PoolSettings, tmp_path: Path) -> None:
    with (
        pytest.raises(WorkerError, match=r"a node of the cluster has 2 and 0; lower --threads"),
        ActorPool(make(tmp_path / "log"), settings),
    ):
        pass


def test_threads_are_limited_in_actors() -> None:
    def worker() -> Callable[..., tuple[int, str | None]]:
        def call(context: None, ids: tuple[int, ...], *, alone: bool) -> tuple[int, str | None]:
            import torch

            return torch.get_num_threads(), os.environ.get("OMP_NUM_THREADS")

        return call

    with ActorPool(worker, PoolSettings(actors=1, threads=2)) as pool:
        (outcome,) = pool.run(None, {0: (1,)})
    assert outcome.done[0].value == (2, "2")


def test_run_tasks() -> None:
    def task(each: int) -> str:
        if each == 3:
            raise ValueError("three")
        return f"task {each}"

    results = list(run_tasks(task, [1, 2, 3, 4], TWO_ACTORS))
    assert {done.ids[0]: done.value for done in results if not isinstance(done, Failed)} == {
        1: "task 1",
        2: "task 2",
        4: "task 4",
    }
    assert [(each.id, each.error) for each in results if isinstance(each, Failed)] == [(3, "ValueError: three")]


def test_a_connected_cluster_is_kept() -> None:
    with cluster(None):
        pass
    assert ray.is_initialized()
