"""What is said of a plan: its part of the manifest, and the lines of a dry run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pipeline import ground
from pipeline.config import PlanSettings
from pipeline.looks import Looks
from pipeline.plan import uniform_plan
from pipeline.plan.ground_plan import held_share
from pipeline.plan.rows import Row
from pipeline.planning import GroundPlan, Refit
from pipeline.types import Block, FrameRef, MergeResult
from schemas.manifest import BlockRowPlan, GroundReport, HeightLine

USUAL_SECONDS = 0.24
"""Seconds a block where none was looked at: the shipped model, one thread of a CPU (README.md, 8.2 blocks/s of two)."""
LATE_SHARE = 1.0
"""Blocks of the third look, at most, as a share of the second look's: an allowance. What it takes is known only after
the second; tests/bench/bench_plan.py prints what late looks take on real frames."""


def plan_entry(
    frame: FrameRef,
    plan: GroundPlan | None,
    refit: Refit | None,
    looks: Looks,
    merged: MergeResult,
    settings: PlanSettings,
) -> GroundReport | None:
    """Gives what the manifest says of a frame's plan, None for a plan that was even from the start.

    Args:
        frame: the frame.
        plan: of the second look.
        refit: of the third look, None where there was none.
        looks: all of them.
        merged: the people.
        settings: of the plan.
    """
    if plan is None:
        return None
    finished = [block for block, row in zip(looks.blocks, looks.rows, strict=True) if row.status == "done"]
    late = refit.blocks if refit else ()
    first = len(looks.blocks) - len(plan.blocks) - len(late)
    return GroundReport(
        trusted=plan.follows_ground,
        reason=plan.reason,
        smallest_px=settings.smallest_px,
        people=plan.ground.fit.people,
        inlier_share=plan.ground.fit.share,
        lines=tuple(map(_line, plan.ground.fit.lines)),
        rows=tuple(map(_row, (*plan.rows, *(refit.rows if refit else ())))),
        first_blocks=first,
        row_blocks=len(plan.row_blocks),
        residual_blocks=len(plan.residual),
        off_share=refit.off_share if refit else None,
        refit=refit is not None and refit.fit is not None,
        refit_lines=tuple(map(_line, refit.fit.lines)) if refit and refit.fit else (),
        refit_blocks=len(late) - len(refit.residual) if refit else 0,
        late_residual_blocks=len(refit.residual) if refit else 0,
        passes=len(looks.blocks),
        uniform_passes=len(uniform_plan(frame.width, frame.height, overlap=settings.overlap)),
        predicted_coverage=plan.predicted_coverage,
        reached_coverage=held_share(merged.boxes_frame, finished, (frame.width, frame.height), settings.smallest_px),
    )


def plan_lines(
    frame: FrameRef, looks: Looks, plan: GroundPlan | None, more: Sequence[Block], actors: int | None
) -> Iterator[str]:
    """Gives the lines of a dry run about one frame.

    Args:
        frame: the frame.
        looks: what was looked at.
        plan: of what follows; None for an even plan.
        more: blocks that are still to be looked at.
        actors: that would work on them; one is counted where it is not known.
    """
    yield f"{frame.scene_id}/{frame.frame_id}: {frame.width}x{frame.height} px"
    if plan is not None and plan.follows_ground:
        yield from _ground_lines(plan)
    else:
        yield f"  uniform plan{f': {plan.reason}' if plan and plan.reason else ''}"
    to_go = f"{len(more)} to go, {_time(len(more), looks.seconds_per_block, actors)}" if more else "none to go"
    yield f"  {len(looks.blocks)} block{'' if len(looks.blocks) == 1 else 's'} seen, {to_go}"
    if plan is not None and plan.follows_ground:
        late = most_late(plan)
        most = _minutes(len(more) + late, looks.seconds_per_block, actors)
        yield f"  not counted there: a third look, at most about {late} blocks, with it {most:.1f} min in all"


def most_late(plan: GroundPlan) -> int:
    """Gives about how many blocks the third look takes at most, an allowance and no promise: see `LATE_SHARE`."""
    return round(LATE_SHARE * len(plan.blocks)) if plan.follows_ground else 0


def _time(blocks: int, seconds: float | None, actors: int | None) -> str:
    """Gives what a dry run says of the time for blocks, and what that rests on."""
    workers = f"{actors or 1} worker{'s' if (actors or 1) > 1 else ''}"
    if seconds is None:
        rests_on = (
            f"{USUAL_SECONDS:.2f} s a block on {workers}, as the shipped model takes on a CPU; none measured here"
        )
    else:
        rests_on = f"{seconds:.2f} s a block on {workers}"
    return f"about {_minutes(blocks, seconds, actors):.1f} min at {rests_on}"


def _minutes(blocks: int, seconds: float | None, actors: int | None) -> float:
    return blocks * (USUAL_SECONDS if seconds is None else seconds) / (actors or 1) / 60.0


def _ground_lines(plan: GroundPlan) -> Iterator[str]:
    fit = plan.ground.fit
    for line in fit.lines:
        slant = f" {line.per_x:+.4f} x" if line.per_x else ""
        yield f"  height = {line.per_y:.4f} y{slant} {line.offset:+.0f} px, {line.people} of {fit.people} people on it"
    for row in plan.rows:
        heights = f"{row.smallest_px:.0f} to {row.tallest_px:.0f} px"
        yield (
            f"  feet from row {row.far_y:.0f} to {row.near_y:.0f}, people of {heights}: "
            f"{len(row.blocks)} blocks at scale {row.scale:.2f}"
        )
    share = plan.predicted_coverage
    seen = "" if share is None else f"; without them {share:.1%} of those found so far are seen well"
    yield f"  {len(plan.residual)} blocks around people off the lines{seen}"


def _line(line: ground.HeightLine) -> HeightLine:
    return HeightLine(
        per_x=line.per_x,
        per_y=line.per_y,
        offset=line.offset,
        log_sigma=line.log_sigma,
        people=line.people,
        share=line.share,
    )


def _row(row: Row) -> BlockRowPlan:
    return BlockRowPlan(
        far_y=row.far_y,
        near_y=row.near_y,
        network_px_per_frame_px=row.scale,
        smallest_px=row.smallest_px,
        tallest_px=row.tallest_px,
        blocks=len(row.blocks),
    )
