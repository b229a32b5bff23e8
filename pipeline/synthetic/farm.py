"""A scene's groups of tiles, rendered in this process or by workers of a cluster."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

from mili_core.body import BodyModel
from mili_core.errors import MiliError
from pipeline.executor import ActorPool, PoolSettings, cluster
from pipeline.synthetic.request import SceneRequest
from pipeline.synthetic.worker import FACTS, RenderedGroup, SceneFacts, SceneWorker

ORDERED_AT_ONCE = 64
"""Groups handed out together: bounds how far fast workers run ahead of a slow one, to some 450 MB of encoded tiles."""

Pool = ActorPool[None, SceneFacts | RenderedGroup]


class RenderError(MiliError, RuntimeError):
    """A part of the frame could not be rendered."""


@contextmanager
def rendering(
    request: SceneRequest, body: BodyModel, groups: int
) -> Iterator[tuple[SceneFacts, Iterator[RenderedGroup]]]:
    """Gives a scene's facts and its groups, rendered while they are asked for and in the order in which they end.

    Args:
        request: what the scene is, and who renders it.
        body: body model.
        groups: how many there are.

    Raises:
        ConfigError: the scene cannot be built.
        WorkerError: there are no workers.
        RenderError: while groups are asked for: one failed.
    """
    with ExitStack() as stack:
        results = _by_workers(request, body, groups, stack) if request.workers != 0 else _here(request, body, groups)
        early: list[RenderedGroup] = []
        for result in results:
            if isinstance(result, SceneFacts):
                yield result, _groups(early, results)
                return
            early.append(result)
        raise AssertionError("no worker told the scene's facts")


def _groups(early: list[RenderedGroup], results: Iterator[SceneFacts | RenderedGroup]) -> Iterator[RenderedGroup]:
    while early:
        yield early.pop(0)
    for result in results:
        assert isinstance(result, RenderedGroup)
        yield result


def _here(request: SceneRequest, body: BodyModel, groups: int) -> Iterator[SceneFacts | RenderedGroup]:
    worker = SceneWorker(request, body)
    yield worker.facts()
    for group in range(groups):
        yield worker.render(group)


def _by_workers(
    request: SceneRequest, body: BodyModel, groups: int, stack: ExitStack
) -> Iterator[SceneFacts | RenderedGroup]:
    """Gives the facts, somewhere among the first, and the groups; `stack` ends what it starts."""
    stack.enter_context(cluster(None))
    pool: Pool = stack.enter_context(
        ActorPool(partial(SceneWorker, request, body), PoolSettings(actors=request.workers))
    )
    for first in range(0, groups, ORDERED_AT_ONCE):
        orders = range(first, min(first + ORDERED_AT_ONCE, groups))
        yield from _ordered(pool, [*([FACTS] if first == 0 else []), *orders])


def _ordered(pool: Pool, ids: Iterable[int]) -> Iterator[SceneFacts | RenderedGroup]:
    for outcome in pool.run(None, {number: (each,) for number, each in enumerate(ids)}):
        for failed in outcome.failed:
            raise RenderError(
                f"group {failed.id} of tiles cannot be rendered ({failed.error}); "
                "give fewer --workers if memory is short"
            )
        for done in outcome.done:
            yield done.value
