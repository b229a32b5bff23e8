"""How the looks at a frame are planned: first evenly and coarse, then along the ground that people stand on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.config import PlanSettings
from pipeline.ground import GroundFit
from pipeline.looks import Looks
from pipeline.merge import merge
from pipeline.plan import coarse_plan, restrict, uniform_plan
from pipeline.plan.coarse import COARSE_LEVEL
from pipeline.plan.ground_plan import (
    SceneGround,
    below_horizon,
    fit_scene,
    ground_off_share,
    ground_rows,
    held_share,
    refit_scene,
    residuals,
    rows_have_room,
    whole_people,
)
from pipeline.plan.rows import Row
from pipeline.regions import Regions, keep_inside
from pipeline.types import Block, BoolArray, Float64Array, FrameRef

LEAST_COVERAGE = 0.33
"""Share of what even blocks see well that rows see, too, at least; a strongly rolled camera leaves no room for rows."""
NEAR_ENOUGH = 0.9
"""At the last look, who is seen whole at this share of the least height gets no further block: it would show little."""
SURE = 0.8
"""Share of the median score; people found at less are mostly nobody, and no block shows more of those."""


@dataclass(frozen=True, slots=True)
class GroundPlan:
    """The second look of the ground-aware plan, or why there is none.

    Attributes:
        ground: lines and where they hold; no lines where the fit is not trusted.
        rows: blocks along the lines.
        residual: blocks around people off the lines.
        rest: of the uniform plan, taken instead; empty where `rows` and `residual` are used.
        reason: why `rest` is taken, or "".
        predicted_coverage: share of the people found at the first look whom it and the rows see well, the residual
            blocks left aside: what may be expected for people who were not found.
    """

    ground: SceneGround
    rows: tuple[Row, ...] = ()
    residual: tuple[Block, ...] = ()
    rest: tuple[Block, ...] = ()
    reason: str = ""
    predicted_coverage: float | None = None

    @property
    def follows_ground(self) -> bool:
        """Says whether rows and residual blocks are used."""
        return not self.reason

    @property
    def row_blocks(self) -> tuple[Block, ...]:
        """Blocks of all rows."""
        return tuple(block for row in self.rows for block in row.blocks)

    @property
    def blocks(self) -> tuple[Block, ...]:
        """What the second look sees."""
        return (*self.row_blocks, *self.residual, *self.rest)


@dataclass(frozen=True, slots=True)
class Refit:
    """The third look: what all who were found ask for beside what was seen.

    Attributes:
        fit: the new fit, or None where the first one still holds.
        off_share: of all people found so far, off the first lines.
        rows: further blocks along the new lines.
        residual: further blocks around people.
    """

    fit: GroundFit | None
    off_share: float
    rows: tuple[Row, ...]
    residual: tuple[Block, ...]

    @property
    def blocks(self) -> tuple[Block, ...]:
        """What the third look sees."""
        return (*(block for row in self.rows for block in row.blocks), *self.residual)


def first_look(frame: FrameRef, settings: PlanSettings, regions: Regions) -> tuple[Block, ...]:
    """Gives the blocks that are looked at first: all of the uniform plan, or its coarsest levels.

    A frame without such levels, up to 1,664 x 1,024 px, has few blocks anyway and gets all of them.
    """
    size, overlap = (frame.width, frame.height), settings.overlap
    blocks = coarse_plan(*size, overlap=overlap) if settings.kind == "ground" else ()
    blocks = tuple(block for block in blocks if block.level > COARSE_LEVEL) or blocks
    return restrict(blocks or uniform_plan(*size, overlap=overlap), regions.roi, regions.exclude)


def closer_look(frame: FrameRef, looks: Looks, settings: PlanSettings, regions: Regions) -> tuple[Block, ...]:
    """Gives the next finer level of the first look, without what lies wholly above the horizon where nobody was seen.

    Args:
        frame: the frame.
        looks: at the coarsest levels.
        settings: of the plan.
        regions: blocks outside of them are left out.
    """
    if settings.kind == "uniform" or any(block.level <= COARSE_LEVEL for block in looks.blocks):
        return ()
    people = people_found(frame, looks, regions)
    ground = fit_scene(people.boxes[people.whole], (frame.width, frame.height))
    level = (b for b in coarse_plan(frame.width, frame.height, overlap=settings.overlap) if b.level == COARSE_LEVEL)
    return restrict(below_horizon([*level], ground, people.boxes), regions.roi, regions.exclude)


def plan_frames(
    frames: Sequence[FrameRef], looks: Sequence[Looks], settings: PlanSettings, regions: Regions
) -> list[GroundPlan | None]:
    """Gives the second look at each frame from the first looks at all; None where the first was all there is to see.

    Frames of a scene that are equally large share the fit, unless the settings say otherwise.
    """
    if settings.kind == "uniform":
        return [None] * len(frames)
    people = [people_found(frame, seen, regions) for frame, seen in zip(frames, looks, strict=True)]
    scenes: dict[tuple[object, ...], list[int]] = {}
    for number, frame in enumerate(frames):
        key = (frame.scene_id, frame.width, frame.height) if settings.share_fit else (number,)
        scenes.setdefault(key, []).append(number)
    plans: list[GroundPlan | None] = [None] * len(frames)
    for members in scenes.values():
        ground = fitted_ground([people[number] for number in members], frames[members[0]])
        for number in members:
            plans[number] = second_look(frames[number], ground, people[number], looks[number].blocks, settings, regions)
    return plans


@dataclass(frozen=True, slots=True, eq=False)
class People:
    """N people found so far, each once.

    Attributes:
        boxes: (N, 4) frame px.
        whole: (N,) some block saw the person whole.
        sure: (N,) the score is about what scores of this frame are; who is less sure gets no block of their own.
    """

    boxes: Float64Array
    whole: BoolArray
    sure: BoolArray


def people_found(frame: FrameRef, looks: Looks, regions: Regions) -> People:
    """Gives the people found so far, each once, inside the regions.

    The merge's settings have no part in it, so that changing them leaves the plan as it is.
    """
    merged = keep_inside(merge(looks.views, looks.blocks, frame.window), regions)
    scores = looks.views.scores[merged.chosen]
    sure = scores >= SURE * np.median(scores) if len(scores) else np.zeros(0, dtype=np.bool_)
    return People(merged.boxes_frame, ~merged.stitched, sure)


def fitted_ground(people: Sequence[People], frame: FrameRef) -> SceneGround:
    """Gives the ground that frames of one size share; nobody whose height is not sure has a part in it."""
    boxes = np.concatenate([each.boxes[each.whole] for each in people])
    return fit_scene(boxes, (frame.width, frame.height))


def second_look(
    frame: FrameRef,
    ground: SceneGround,
    people: People,
    first: Sequence[Block],
    settings: PlanSettings,
    regions: Regions,
) -> GroundPlan:
    """Gives the second look at a frame.

    Args:
        frame: the frame.
        ground: of its scene.
        people: of its first look.
        first: blocks of its first look.
        settings: of the plan.
        regions: blocks outside of them are left out.
    """
    size, smallest_px = (frame.width, frame.height), settings.smallest_px
    if all(block.level < COARSE_LEVEL for block in first):
        return GroundPlan(ground, reason="the frame is small")
    seen = {block.id for block in first}
    even = restrict(uniform_plan(*size, overlap=settings.overlap), regions.roi, regions.exclude)
    rest = tuple(block for block in even if block.id not in seen)
    if not ground.fit.lines:
        return GroundPlan(ground, rest=rest, reason=ground.fit.reason)
    if not rows_have_room(ground, size, smallest_px):
        return GroundPlan(ground, rest=rest, reason="the camera is rolled too far for rows along the ground")
    rows = _restricted(ground_rows(ground, size, smallest_px, "G", first), regions)
    along = [*first, *(block for row in rows for block in row.blocks)]
    residual = restrict(
        residuals(people.boxes[people.sure], along, size, smallest_px, "P"), regions.roi, regions.exclude
    )
    if len(along) - len(first) + len(residual) >= len(rest):
        return GroundPlan(ground, rest=rest, reason="blocks along the ground would be no fewer than even ones")
    whole = people.boxes[whole_people(people.boxes, *size)]
    predicted = held_share(whole, along, size, smallest_px)
    if predicted < LEAST_COVERAGE * held_share(whole, even, size, smallest_px):
        return GroundPlan(
            ground, rest=rest, reason=f"rows along the ground would see only {predicted:.0%} of those found well"
        )
    return GroundPlan(ground, rows, residual, predicted_coverage=predicted)


def third_look(frame: FrameRef, plan: GroundPlan, looks: Looks, settings: PlanSettings, regions: Regions) -> Refit:
    """Gives the last look at a frame that follows a ground: what all who were found ask for.

    Args:
        frame: the frame.
        plan: of the second look.
        looks: both looks.
        settings: of the plan.
        regions: blocks outside of them are left out.
    """
    size, smallest_px, people = (frame.width, frame.height), settings.smallest_px, people_found(frame, looks, regions)
    sure = people.boxes[people.whole]
    again = refit_scene(plan.ground, sure, size)
    rows = _restricted(ground_rows(again, size, smallest_px, "H", looks.blocks), regions) if again else ()
    along = [*looks.blocks, *(block for row in rows for block in row.blocks)]
    late = residuals(people.boxes[people.sure], along, size, smallest_px, "Q", near_enough=NEAR_ENOUGH)
    residual = restrict(late, regions.roi, regions.exclude)
    off = ground_off_share(plan.ground, sure, size)
    return Refit(again.fit if again else None, off, rows, residual)


def _restricted(rows: Sequence[Row], regions: Regions) -> tuple[Row, ...]:
    kept = ((row, restrict(row.blocks, regions.roi, regions.exclude)) for row in rows)
    return tuple(
        Row(row.far_y, row.near_y, row.scale, row.smallest_px, row.tallest_px, blocks) for row, blocks in kept if blocks
    )
