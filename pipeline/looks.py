"""Looks at a frame, one after another: later blocks follow from what the earlier ones found, and all of it is kept.

Each look has its own part of the ledger, under a key that names its blocks: a run that was interrupted between two
looks reads the first one back, plans the same second one, and goes on with what is missing of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.block_worker import FrameWork
from pipeline.inference import Pool, detect, partition
from pipeline.ledger import BlockRow, Ledger
from pipeline.types import Block, SceneDetections

LedgerOf = Callable[[Sequence[Block], Sequence[Block]], Ledger]
"""Gives the ledger of a look from the blocks of the looks before and its own."""


@dataclass(slots=True, eq=False)
class Looks:
    """What was looked at in a frame so far, and what was seen.

    Attributes:
        pyramid: of the frame.
        ledger_of: gives the ledger of a look.
        batch_blocks: blocks of a call of the model.
        pool: gives the workers, asked for only where something is missing.
        blocks: of all looks, in their order; detections index them.
        rows: what became of each, in the same order.
        views: people found in all of them.
        reused: blocks taken from an earlier run.
    """

    pyramid: Path
    ledger_of: LedgerOf
    batch_blocks: int
    pool: Callable[[], Pool]
    blocks: tuple[Block, ...] = ()
    rows: list[BlockRow] = field(default_factory=list)
    views: SceneDetections = field(default_factory=SceneDetections.empty)
    reused: int = 0

    def look(self, more: Sequence[Block]) -> None:
        """Looks at further blocks; ids must be new in the frame. No blocks, no look."""
        if not more:
            return
        before = self.blocks
        blocks = (*before, *more)
        batches = {
            number: tuple(len(before) + each for each in ids)
            for number, ids in partition(len(more), self.batch_blocks).items()
        }
        parts, reused = detect(FrameWork(self.pyramid, blocks), batches, self.ledger_of(before, more), self.pool)
        self.blocks = blocks
        self.rows += [row for part in parts for row in part.rows]
        self.views = SceneDetections.concat([self.views, *(part.detections for part in parts)])
        self.reused += reused

    @property
    def seconds_per_block(self) -> float | None:
        """Mean seconds that a worker spent on a block, or None where none was looked at."""
        return sum(row.seconds for row in self.rows) / len(self.rows) if self.rows else None
