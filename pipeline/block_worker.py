"""What an actor does with blocks: reads their pixels from the pyramid and runs the model on them."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from pathlib import Path

from mili_core.errors import WeightsError
from mili_core.protocol import ModelIdentity
from pipeline.config import ModelSettings
from pipeline.infer import infer_blocks
from pipeline.merge.unreadable import ReadableRows, with_placeholders
from pipeline.model import load_model
from pipeline.pyramid import Pyramid
from pipeline.types import Block, SceneDetections


@dataclass(frozen=True, slots=True)
class FrameWork:
    """What the ids of a frame's blocks refer to: the pyramid, and the plan that they index."""

    pyramid: Path
    blocks: tuple[Block, ...]


class BlockWorker:
    """Holds the model for as long as its process lives, and the pyramid of the frame in work."""

    def __init__(self, settings: ModelSettings, device: str, expected: ModelIdentity) -> None:
        self._predictor = load_model(settings, device)
        if self._predictor.identity != expected:
            raise WeightsError(
                f"the model on {platform.node()} is {self._predictor.identity}, the run's is {expected}; "
                "give every machine the same files and leave them alone while a run lasts"
            )
        self._work: FrameWork | None = None
        self._pyramid: Pyramid | None = None

    def __call__(self, context: FrameWork, ids: tuple[int, ...], *, alone: bool) -> tuple[SceneDetections, ...]:
        """Gives the people of each block, in the order of `ids`; with `alone`, the model sees one block at a time."""
        calls = [(each,) for each in ids] if alone else [ids]
        return tuple(found for call in calls for found in self._infer(context, call))

    def _infer(self, work: FrameWork, ids: tuple[int, ...]) -> list[SceneDetections]:
        """Gives the views of each block; a row that holds values which are not finite is kept as a placeholder."""
        pyramid, model = self._open(work), ReadableRows(self._predictor)
        blocks = [work.blocks[each] for each in ids]
        found = infer_blocks(model, [pyramid.read_block(block) for block in blocks], blocks, ids)
        return [with_placeholders(*each) for each in zip(found, model.unreadable, ids, strict=True)]

    def _open(self, work: FrameWork) -> Pyramid:
        if self._pyramid is None or work is not self._work:
            self._work, self._pyramid = work, Pyramid.open(work.pyramid)
        return self._pyramid
