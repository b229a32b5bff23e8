"""Work on a Ray cluster: actors that read their own input, batches of ids, and a driver that isolates poison.

Only ids travel to the actors and small results travel back. At most two calls are in flight for each actor.

What goes wrong. A call that raises is cut in halves, again and again, until the id to blame is alone; that one is
reported as failed and everything else goes on. When an actor dies, any call that it had may be to blame, the last
finished one included, whose result may be lost with it: each is tried again whole, with an actor to itself, and cut
when that dies too. Ids of a cut batch are worked on `alone`, so that no result depends on where the cuts fell.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Generic, Protocol, Self, TypeVar

import ray
from ray.exceptions import RayError, RayTaskError

from mili_core.errors import MiliError
from pipeline.termination import handlers_kept

Context = TypeVar("Context")
Result = TypeVar("Result")
Item = TypeVar("Item")
Context_contra = TypeVar("Context_contra", contravariant=True)
Result_co = TypeVar("Result_co", covariant=True)

CALLS_IN_FLIGHT = 2  # one running, one waiting: the actor never idles, and a death takes little with it
STARTS = 3  # an actor that dies this often in a row before it is ready will not get ready
WAIT_S = 5.0
OBJECT_STORE_BYTES = 256 * 2**20  # a local cluster's; results are kilobytes
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS")

_log = logging.getLogger(__name__)


class WorkerError(MiliError, RuntimeError):
    """Worker processes cannot be started."""


class Worker(Protocol[Context_contra, Result_co]):
    """What an actor does, made once in its process by a function that is sent there."""

    def __call__(self, context: Context_contra, ids: tuple[int, ...], *, alone: bool) -> Result_co:
        """Gives the result of `ids`; with `alone`, each id is worked on as if it were the only one."""
        ...


@dataclass(frozen=True, slots=True)
class PoolSettings:
    """How many actors, and what each is given.

    Attributes:
        actors: at most so many; None = as many as the cluster's CPUs and GPUs allow.
        cpus: reserved for each.
        gpus: reserved for each.
        threads: of each one's numeric libraries.
    """

    actors: int | None = None
    cpus: float = 1.0
    gpus: float = 0.0
    threads: int = 1


@dataclass(frozen=True, slots=True, eq=False)
class Done(Generic[Result]):
    """A call that went well.

    Attributes:
        ids: what it was about.
        value: its result.
        seconds: time in the actor.
        attempt: 1 = first try.
    """

    ids: tuple[int, ...]
    value: Result
    seconds: float
    attempt: int


@dataclass(frozen=True, slots=True)
class Failed:
    """An id that fails on its own.

    Attributes:
        id: the id.
        error: one line.
        seconds: from its last submission to its failure.
        attempt: how often it was tried.
    """

    id: int
    error: str
    seconds: float
    attempt: int


@dataclass(frozen=True, slots=True, eq=False)
class BatchOutcome(Generic[Result]):
    """A finished batch: every id of it is in exactly one of `done` or `failed`, both in the order of the batch."""

    batch: int
    done: tuple[Done[Result], ...]
    failed: tuple[Failed, ...]


@dataclass(frozen=True, slots=True)
class _Call:
    """Ids of one batch, to be worked on in one call.

    Attributes:
        batch: number of the batch.
        ids: all of its ids, or a part where it was cut.
        attempt: 1 = first try.
        cut: the batch was cut.
        solo: needs an actor that has nothing else to do, so that a death tells whose fault it was.
    """

    batch: int
    ids: tuple[int, ...]
    attempt: int = 1
    cut: bool = False
    solo: bool = False

    def again(self) -> _Call:
        return replace(self, attempt=self.attempt + 1, solo=True)

    def halves(self) -> tuple[_Call, ...]:
        middle = (len(self.ids) + 1) // 2
        parts = (self.ids[:middle], self.ids[middle:])
        return tuple(replace(self, ids=ids, attempt=self.attempt + 1, cut=True) for ids in parts)


@dataclass(slots=True, eq=False)
class _Flight:
    """A call that an actor has."""

    reference: Any  # ray.ObjectRef is generic in its stubs only
    call: _Call
    since: float


@dataclass(slots=True, eq=False)
class _Slot:
    """An actor and its calls, oldest first; `starting` until it is ready."""

    actor: Any  # a ray actor handle has no static type
    starting: Any  # an ObjectRef, None once the actor is ready
    failed_starts: int = 0
    flights: deque[_Flight] = field(default_factory=deque)

    @property
    def awaited(self) -> Any | None:  # noqa: ANN401 - an ObjectRef
        """What the next news of this actor is about."""
        return self.starting or (self.flights[0].reference if self.flights else None)

    def takes(self, call: _Call) -> bool:
        """Says whether the actor is ready for this call on top of those that it has."""
        return self.starting is None and not (self.flights and (call.solo or self.flights[0].call.solo))


class ActorPool(Generic[Context, Result]):
    """Actors that keep their worker over many runs; a context manager that ends them.

    Entering it raises WorkerError where the cluster cannot hold a single actor.

    Args:
        make_worker: picklable; called once in each actor.
        settings: how many actors.
    """

    def __init__(self, make_worker: Callable[[], Worker[Context, Result]], settings: PoolSettings) -> None:
        self._make_worker = make_worker
        self._settings = settings
        self._slots: list[_Slot] = []

    def __enter__(self) -> Self:
        _actors_that_fit(self._settings)
        return self

    def __exit__(self, *_: object) -> None:
        for slot in self._slots:
            ray.kill(slot.actor)
        self._slots.clear()

    @property
    def most(self) -> int:
        """How many actors there are at most."""
        fitting = _actors_that_fit(self._settings)
        return min(fitting, self._settings.actors or fitting)

    def run(self, context: Context, batches: Mapping[int, Sequence[int]]) -> Iterator[BatchOutcome[Result]]:
        """Gives each batch as soon as all its ids are done or failed.

        Args:
            context: what the ids refer to; reaches each actor once.
            batches: ids by number of the batch; a fixed partition of the work.

        Raises:
            MiliError: raised by a worker while it started.
            WorkerError: actors die before they are ready.
        """
        queue = deque(_Call(number, tuple(ids)) for number, ids in batches.items() if ids)
        open_batches: dict[int, _Book[Result]] = {call.batch: _Book(call.ids) for call in queue}
        self._start(len(queue))
        sent_context = [ray.put(context)]
        while open_batches:
            self._feed(queue, sent_context)
            for call, news in self._news(queue):
                if isinstance(news, Failed) and len(call.ids) > 1:
                    queue.extendleft(reversed(call.halves()))
                    continue
                book = open_batches[call.batch]
                book.enter(news)
                if book.complete:
                    yield open_batches.pop(call.batch).close(call.batch)

    def _start(self, calls: int) -> None:
        wanted = min(calls, self.most)
        while len(self._slots) < wanted:
            self._slots.append(self._new_slot())

    def _new_slot(self, failed_starts: int = 0) -> _Slot:
        settings = self._settings
        threads = dict.fromkeys(THREAD_VARIABLES, str(settings.threads))
        actor = _REMOTE_ACTOR.options(
            num_cpus=settings.cpus,
            num_gpus=settings.gpus,
            max_restarts=0,
            max_task_retries=0,
            runtime_env={"env_vars": threads},
        ).remote()
        return _Slot(actor, actor.start.remote(self._make_worker, settings.threads), failed_starts)

    def _feed(self, queue: deque[_Call], sent_context: list[Any]) -> None:
        """Hands calls to ready actors, the least busy first, until each has enough."""
        for busy in range(CALLS_IN_FLIGHT):
            for slot in self._slots:
                if queue and len(slot.flights) == busy and slot.takes(queue[0]):
                    call = queue.popleft()
                    reference = slot.actor.work.remote(sent_context, call.ids, alone=call.cut)
                    slot.flights.append(_Flight(reference, call, time.monotonic()))

    def _news(self, queue: deque[_Call]) -> Iterator[tuple[_Call, Done[Result] | Failed]]:
        """Gives the calls that ended since the last look; waits a little where there is none."""
        awaited = {slot.awaited: slot for slot in self._slots if slot.awaited is not None}
        ready, _ = ray.wait(list(awaited), num_returns=1, timeout=WAIT_S)
        for reference in ready:
            slot = awaited[reference]
            if slot.starting is not None:
                self._finish_start(slot)
            else:
                yield from self._finish_call(slot, queue)

    def _finish_start(self, slot: _Slot) -> None:
        try:
            ray.get([slot.starting])
            slot.starting = None
        except RayTaskError as error:
            raise _cause(error) from error
        except RayError as error:
            if slot.failed_starts + 1 >= STARTS:
                message = f"workers die while they load the model ({_line(error)}); lower --actors or free memory"
                raise WorkerError(message) from error
            self._replace(slot, failed_starts=slot.failed_starts + 1)

    def _finish_call(self, slot: _Slot, queue: deque[_Call]) -> Iterator[tuple[_Call, Done[Result] | Failed]]:
        """Gives the news of the oldest call of an actor; none where it died and its calls are tried again."""
        flight = slot.flights.popleft()
        call = flight.call
        try:
            value, seconds = ray.get(flight.reference)
            yield call, Done(call.ids, value, seconds, call.attempt)
            return
        except RayTaskError as error:
            reason = _line(_cause(error))
        except RayError as error:
            reason = f"the worker process died ({_line(error)})"
            suspects = [call, *(waiting.call for waiting in slot.flights)]
            self._replace(slot, failed_starts=0)
            if not call.solo:
                queue.extendleft(suspect.again() for suspect in reversed(suspects))
                return
        _log.warning("ids %s, try %d: %s", call.ids, call.attempt, reason)
        yield call, Failed(call.ids[0], reason, time.monotonic() - flight.since, call.attempt)

    def _replace(self, slot: _Slot, *, failed_starts: int) -> None:
        ray.kill(slot.actor)
        self._slots[self._slots.index(slot)] = self._new_slot(failed_starts)


@dataclass(slots=True, eq=False)
class _Book(Generic[Result]):
    """What is known of an unfinished batch."""

    ids: tuple[int, ...]
    done: list[Done[Result]] = field(default_factory=list)
    failed: list[Failed] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        return sum(len(done.ids) for done in self.done) + len(self.failed) == len(self.ids)

    def enter(self, news: Done[Result] | Failed) -> None:
        if isinstance(news, Failed):
            self.failed.append(news)
        else:
            self.done.append(news)

    def close(self, batch: int) -> BatchOutcome[Result]:
        place = {each: n for n, each in enumerate(self.ids)}
        done = sorted(self.done, key=lambda each: place[each.ids[0]])
        return BatchOutcome(batch, tuple(done), tuple(sorted(self.failed, key=lambda each: place[each.id])))


class _Actor:
    """A process with one worker."""

    def start(self, make_worker: Callable[[], Worker[Any, Any]], threads: int) -> None:
        self._context_reference: Any = None
        self._context: Any = None
        self._worker = make_worker()
        _limit_threads(threads)

    def work(self, sent_context: list[Any], ids: tuple[int, ...], *, alone: bool) -> tuple[Any, float]:
        start = time.monotonic()
        if sent_context[0] != self._context_reference:
            self._context_reference, self._context = sent_context[0], ray.get(sent_context[0])
        return self._worker(self._context, ids, alone=alone), time.monotonic() - start


_REMOTE_ACTOR: Any = ray.remote(_Actor)  # ray's decorator changes the type in a way that checkers do not follow


def run_tasks(task: Callable[[int], Item], ids: Sequence[int], settings: PoolSettings) -> Iterator[Done[Item] | Failed]:
    """Gives task(id) for every id, in the order in which they end; one that fails does not stop the others.

    Args:
        task: picklable; runs in actors.
        ids: of the tasks, each once.
        settings: how many actors.
    """

    def worker(context: None, ids: tuple[int, ...], *, alone: bool) -> Item:  # noqa: ARG001 - the protocol's names
        return task(ids[0])

    with ActorPool[None, Item](lambda: worker, settings) as pool:
        for outcome in pool.run(None, {number: (each,) for number, each in enumerate(ids)}):
            yield from outcome.done
            yield from outcome.failed


@contextmanager
def cluster(address: str | None, *, debug: bool = False) -> Iterator[None]:
    """Connects to a Ray cluster, or starts a local one that ends with the block; one already connected is kept.

    Args:
        address: as ray.init takes it; None = RAY_ADDRESS where it is set, else a local cluster.
        debug: show the workers' output and Ray's own.

    Raises:
        WorkerError: there is no cluster at the address, or a local one does not start.
    """
    if ray.is_initialized():
        yield
        return
    address = address or os.environ.get("RAY_ADDRESS") or "local"
    local: dict[str, Any] = {"object_store_memory": OBJECT_STORE_BYTES, "include_dashboard": False}
    level = logging.INFO if debug else logging.ERROR
    options: dict[str, Any] = {"log_to_driver": debug, "logging_level": level}
    with handlers_kept():
        if address == "local":
            _start_local({**options, **local})
        else:
            _connect(address, options)
    try:
        yield
    finally:
        with handlers_kept():
            ray.shutdown()


def _connect(address: str, options: Mapping[str, Any]) -> None:
    """Connects to the cluster at an address.

    Raises:
        WorkerError: there is none.
    """
    try:
        ray.init(address, **options)
    except (ConnectionError, TimeoutError) as error:
        message = f"no Ray cluster at {address!r} ({_line(error)}); check --ray.address or RAY_ADDRESS"
        raise WorkerError(message) from error


def _start_local(options: Mapping[str, Any]) -> None:
    """Starts a cluster on this machine; on a busy one Ray gives up after half a minute, and a second try often works.

    Raises:
        WorkerError: it does not start.
    """
    for last in (False, True):
        try:
            ray.init("local", **options)
        except Exception as error:  # Ray says it with a plain one
            ray.shutdown()
            if last:
                remedy = "try again on a less busy machine, or start one with `ray start --head` and give --ray.address"
                raise WorkerError(f"Ray does not start here ({_line(error)}); {remedy}") from error
            _log.warning("Ray did not start (%s); trying once more", _line(error))
        else:
            return


def _actors_that_fit(settings: PoolSettings) -> int:
    """Gives how many actors the cluster can hold at once.

    Raises:
        WorkerError: not even one; it would be waited for in vain.
    """
    listed: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]  # of ray
    nodes = [node["Resources"] for node in listed if node["Alive"]]
    shares = [(node.get("CPU", 0.0), node.get("GPU", 0.0)) for node in nodes]
    fitting = sum(
        min(int(cpus / settings.cpus), int(gpus / settings.gpus)) if settings.gpus else int(cpus / settings.cpus)
        for cpus, gpus in shares
    )
    if fitting < 1:
        largest = " or ".join(f"{cpus:g} and {gpus:g}" for cpus, gpus in sorted(set(shares), reverse=True)[:3])
        raise WorkerError(
            f"a worker needs {settings.cpus:g} CPUs and {settings.gpus:g} GPUs, a node of the cluster has {largest}; "
            "lower --threads or --ray.cpus-per-actor, or give --device cpu"
        )
    return fitting


def _limit_threads(threads: int) -> None:
    """Keeps libraries that were imported before, or that read no environment variable, to `threads` threads."""
    if "cv2" in sys.modules:
        sys.modules["cv2"].setNumThreads(threads)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(threads)


def _cause(error: RayTaskError) -> BaseException:
    """Gives what was raised in the actor."""
    return error.cause if isinstance(error.cause, BaseException) else error


def _line(error: BaseException) -> str:
    """Gives an error as one line: the message of ours, type and message of others."""
    text = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    return text if isinstance(error, (MiliError, RayError)) and text else f"{type(error).__name__}: {text}"
