"""All blocks of a frame through the model: only what is missing runs, each batch is kept as soon as it is done."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial

from mili_core.protocol import ModelIdentity
from pipeline.block_worker import BlockWorker, FrameWork
from pipeline.config import SceneConfig
from pipeline.executor import ActorPool, BatchOutcome, PoolSettings, cluster
from pipeline.ledger import BatchPart, BlockRow, Ledger
from pipeline.progress import progress
from pipeline.types import Block, SceneDetections

Found = tuple[SceneDetections, ...]
Pool = ActorPool[FrameWork, Found]
STARTING = "workers start, then take the first batch"


@dataclass(slots=True, eq=False)
class Workers:
    """The cluster and its actors, started when first asked for; `stack` ends them."""

    config: SceneConfig
    device: str
    model: ModelIdentity
    stack: ExitStack
    _pool: Pool | None = field(default=None, init=False)

    def pool(self) -> Pool:
        """Gives the actors, each with the model loaded."""
        if self._pool is None:
            settings = self.config.ray
            self.stack.enter_context(cluster(settings.address, debug=self.config.debug))
            make_worker = partial(BlockWorker, self.config.model.with_full_paths(), self.device, self.model)
            self._pool = self.stack.enter_context(ActorPool(make_worker, pool_settings(self.config, self.device)))
        return self._pool

    def actors(self) -> int:
        """Gives how many actors work at once on many blocks."""
        return self.pool().most


def pool_settings(config: SceneConfig, device: str) -> PoolSettings:
    """Gives the actors that the settings ask for: a CPU for each thread and, on cuda, a GPU each, unless they say."""
    settings = config.ray
    return PoolSettings(
        actors=settings.actors,
        cpus=settings.threads if settings.cpus_per_actor is None else settings.cpus_per_actor,
        gpus=float(device == "cuda") if settings.gpus_per_actor is None else settings.gpus_per_actor,
        threads=settings.threads,
    )


def partition(blocks: int, batch_blocks: int) -> dict[int, tuple[int, ...]]:
    """Gives the fixed batches of a plan: block indices by number of the batch."""
    starts = range(0, blocks, batch_blocks)
    return {number: tuple(range(start, min(start + batch_blocks, blocks))) for number, start in enumerate(starts)}


def detect(
    work: FrameWork, batches: Mapping[int, tuple[int, ...]], ledger: Ledger, pool: Callable[[], Pool]
) -> tuple[tuple[BatchPart, ...], int]:
    """Gives the finished batches of a frame, ascending, and how many blocks were taken from an earlier run.

    Batches in which a block failed earlier are tried again. The pool is asked for only where something is missing.
    """
    finished = ledger.finished_batches(retry_failed=True)
    missing = {number: ids for number, ids in batches.items() if number not in finished}
    if missing:
        with progress("inference", sum(map(len, missing.values())), first=STARTING) as advance:
            for outcome in pool().run(work, missing):
                rows, found = keep(outcome, work.blocks)
                ledger.write_batch(outcome.batch, rows, found)
                advance(len(rows))
    parts = ledger.read_parts()
    assert [part.batch_id for part in parts] == sorted(batches), "a batch is neither done nor failed"
    return parts, sum(len(ids) for number, ids in batches.items() if number in finished)


def keep(outcome: BatchOutcome[Found], blocks: tuple[Block, ...]) -> tuple[list[BlockRow], SceneDetections]:
    """Gives what the ledger keeps of a batch: a row for every block and the people of all."""
    rows: dict[int, BlockRow] = {}
    for done in outcome.done:
        seconds = done.seconds / len(done.ids)
        for each, found in zip(done.ids, done.value, strict=True):
            rows[each] = BlockRow.done(blocks[each], seconds=seconds, detections=len(found), attempt=done.attempt)
    for failed in outcome.failed:
        block = blocks[failed.id]
        rows[failed.id] = BlockRow.failed(block, seconds=failed.seconds, error=failed.error, attempt=failed.attempt)
    people = SceneDetections.concat([found for done in outcome.done for found in done.value])
    return [rows[each] for each in sorted(rows)], people
