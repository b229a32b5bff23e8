"""The pictures beside a run's tables. One that cannot be made is said, and costs nothing else."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from mili_core.errors import MiliError
from pipeline.export.pictures import draw_people, write_picture
from pipeline.export.plan_picture import draw_plan
from pipeline.export.topview import draw_top_view
from pipeline.planning import GroundPlan
from pipeline.pyramid import Pyramid
from pipeline.types import Block, FrameRef

OVERVIEW_SIDE_PX = 3000  # people of 2 % of the frame's height are still some 30 px tall
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Pictures:
    """Draws into a folder.

    Attributes:
        folder: the run's output folder.
        several: the run has several frames, and the names say of which a picture is.
    """

    folder: Path
    several: bool

    def paths_of_people(self, frame: FrameRef) -> tuple[Path, Path]:
        """Gives where `draw_people` draws: over the frame, and from above."""
        return self._path("overview", frame), self._path("topview", frame)

    def draw_people(self, frame: FrameRef, pyramid: Path, table: pa.Table) -> None:
        """Draws a frame's people, and the same from above where their places on the ground are known."""
        overview, topview = self.paths_of_people(frame)
        try:
            image, scale = Pyramid.open(pyramid).thumbnail(OVERVIEW_SIDE_PX)
            write_picture(draw_people(image, scale, table, legend=f"{len(table)} people"), overview)
        except MiliError as error:
            _log.error("no %s: %s", overview, error)
        try:
            picture = draw_top_view(table)
            if picture is not None:
                write_picture(picture, topview)
        except MiliError as error:
            _log.error("no %s: %s", topview, error)

    def draw_plan(self, frame: FrameRef, pyramid: Path, blocks: Sequence[Block], plan: GroundPlan | None) -> None:
        """Draws the blocks of a frame's plan, and the lines that it follows."""
        path = self._path("plan", frame)
        try:
            image, scale = Pyramid.open(pyramid).thumbnail(OVERVIEW_SIDE_PX)
            lines = () if plan is None else tuple(zip(plan.ground.fit.lines, plan.ground.reaches, strict=True))
            write_picture(draw_plan(image, scale, blocks, lines), path)
        except MiliError as error:
            _log.error("no %s: %s", path, error)

    def _path(self, kind: str, frame: FrameRef) -> Path:
        return self.folder / (f"{kind}-{frame.scene_id}-{frame.frame_id}.jpg" if self.several else f"{kind}.jpg")
