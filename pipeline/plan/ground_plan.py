"""The ground-aware plan: where people stand on a ground, rows of blocks follow it; whoever is off it gets a block.

first = coarse_plan(...)                              # looked at, and kept
fit = fit_people(boxes of those found there)          # one fit for all frames of a scene
plan = ground_plan(fit, boxes of this frame, ...)     # rows and residual blocks, or the rest of the uniform plan
more = refit_plan(plan, boxes of all found so far)    # once, for those who turned out to be off the lines
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.ground import GroundFit, HeightLine, feet_of, fit_ground, off_share, on_line
from pipeline.plan.held import clip_to_frame, held, windows
from pipeline.plan.residual import order_by_place, residual_plan
from pipeline.plan.rows import Reach, Row, has_room, row_plan
from pipeline.types import Block, BoolArray, Float64Array

FARTHEST_PEOPLE = 6
"""How many of the farthest people tell how densely the far end is peopled, of those who are found there."""
FARTHER_STEPS = 3.0
"""The ground is taken to go on behind the farthest person for so many of the steps between them."""
FARTHEST_SHARE = 0.5
"""How tall, by the line, people at the far end are at least, of the farthest one found: a lonely one proves little."""
OFF_SHARE = 0.05
"""A line that more people than this are off is fitted again, once, to all who were found."""
INNER = (0.03, 0.97)
"""Shares of the people between whom another ground ends: a few strangers happen to fit any line."""
HORIZON_MARGIN = 0.25
"""Of a block's height: how wrong the horizon may be that the nearer people tell."""
EDGE_PX = 2.0  # frame px: a box this near the frame's edge is cut, and its height says nothing


@dataclass(frozen=True, slots=True)
class SceneGround:
    """What all frames of a scene share.

    Attributes:
        fit: the lines.
        reaches: where people of each line may stand, in the same order.
    """

    fit: GroundFit
    reaches: tuple[Reach, ...]


def whole_people(boxes_frame: Float64Array, width: int, height: int) -> BoolArray:
    """Says for each of N boxes whether it is a box, and clear of the frame's edges."""
    low = (boxes_frame[:, :2] > EDGE_PX).all(axis=1)
    high = (boxes_frame[:, 2:] < np.array([width, height], dtype=np.float64) - EDGE_PX).all(axis=1)
    real = (boxes_frame[:, 2:] > boxes_frame[:, :2]).all(axis=1)
    return np.asarray(low & high & real, dtype=np.bool_)


def fit_scene(boxes_frame: Float64Array, frame: tuple[int, int]) -> SceneGround:
    """Gives the grounds that people of a scene stand on.

    Args:
        boxes_frame: (N, 4) xyxy of people, frame px, of all frames of the scene.
        frame: (width, height), px.
    """
    boxes = boxes_frame[whole_people(boxes_frame, *frame)]
    feet, heights = feet_of(boxes), boxes[:, 3] - boxes[:, 1]
    fit = fit_ground(feet, heights, frame)
    reaches = []
    for number, line in enumerate(fit.lines):
        on = on_line(line, feet, heights)
        reaches.append(_reach(line, feet[on], heights[on], frame, main=number == 0))
    return SceneGround(fit, tuple(reaches))


def below_horizon(blocks: Sequence[Block], ground: SceneGround, boxes_frame: Float64Array) -> tuple[Block, ...]:
    """Gives the blocks that may hold people: those that reach below a line's horizon, or touch someone found.

    Without a trusted line all of them are kept.

    Args:
        blocks: any plan.
        ground: from a coarser look.
        boxes_frame: (N, 4) people found there.
    """
    if not ground.fit.lines:
        return tuple(blocks)
    window = windows(blocks)
    bottom = window[:, 3] + HORIZON_MARGIN * (window[:, 3] - window[:, 1])
    corners = np.stack([np.stack([window[:, side], bottom], axis=1) for side in (0, 2)])
    above = [line.heights(corners).max(axis=0) <= 0.0 for line in ground.fit.lines]
    kept = [
        not all(rule[index] for rule in above) or _touched(window[index], boxes_frame) for index in range(len(blocks))
    ]
    return tuple(block for block, keep in zip(blocks, kept, strict=True) if keep)


def _touched(window: Float64Array, boxes_frame: Float64Array) -> bool:
    """Says whether one of the boxes (N, 4) shares area with a window (4,)."""
    low = (boxes_frame[:, :2] < window[2:]).all(axis=1)
    return bool((low & (boxes_frame[:, 2:] > window[:2]).all(axis=1)).any())


def refit_scene(ground: SceneGround, boxes_frame: Float64Array, frame: tuple[int, int]) -> SceneGround | None:
    """Gives new grounds for people who were found since; None where the old ones serve as well.

    Fitted again is what more than `OFF_SHARE` of the people are off, and kept is what so many more are on: in every
    crowd some sit or stoop, whom no line holds.

    Args:
        ground: of before.
        boxes_frame: (N, 4) xyxy of all people found, frame px.
        frame: (width, height), px.
    """
    off = ground_off_share(ground, boxes_frame, frame)
    if off <= OFF_SHARE:
        return None
    again = fit_scene(boxes_frame, frame)
    gain = off - ground_off_share(again, boxes_frame, frame)
    return again if again.fit.lines and gain > OFF_SHARE else None


def ground_off_share(ground: SceneGround, boxes_frame: Float64Array, frame: tuple[int, int]) -> float:
    """Gives the share of N people, those at the frame's edges left aside, who are on none of the lines."""
    boxes = boxes_frame[whole_people(boxes_frame, *frame)]
    return off_share(ground.fit.lines, feet_of(boxes), boxes[:, 3] - boxes[:, 1])


def rows_have_room(ground: SceneGround, frame: tuple[int, int], smallest_px: float) -> bool:
    """Says whether rows can follow every line of a scene."""
    lines = zip(ground.fit.lines, ground.reaches, strict=True)
    return all(has_room(line, reach, frame, smallest_px) for line, reach in lines)


def ground_rows(
    ground: SceneGround, frame: tuple[int, int], smallest_px: float, name: str, there: Sequence[Block]
) -> tuple[Row, ...]:
    """Gives the rows of all lines of a scene."""
    rows: list[Row] = []
    blocks = list(there)
    for number, (line, reach) in enumerate(zip(ground.fit.lines, ground.reaches, strict=True)):
        new = row_plan(line, reach, frame, smallest_px, f"{name}{number}", blocks)
        rows += new
        blocks += [block for row in new for block in row.blocks]
    return tuple(rows)


def residuals(
    boxes_frame: Float64Array,
    there: Sequence[Block],
    frame: tuple[int, int],
    smallest_px: float,
    name: str,
    *,
    near_enough: float = 1.0,
) -> tuple[Block, ...]:
    """Gives the blocks for people whom none of the blocks sees well; their order plays no part.

    Arguments are those of `residual_plan`.
    """
    boxes = clip_to_frame(boxes_frame, *frame)
    boxes = boxes[(boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])]
    ordered = boxes[order_by_place(boxes)]
    return residual_plan(ordered, there, frame, smallest_px, name, near_enough=near_enough)


def held_share(boxes_frame: Float64Array, blocks: Sequence[Block], frame: tuple[int, int], smallest_px: float) -> float:
    """Gives the share of N people whom some block sees whole and tall enough; 1 where nobody is there."""
    return float(held(clip_to_frame(boxes_frame, *frame), blocks, smallest_px).mean()) if len(boxes_frame) else 1.0


def _reach(
    line: HeightLine,
    feet: Float64Array,
    heights: Float64Array,
    frame: tuple[int, int],
    *,
    main: bool,
) -> Reach:
    """Gives where people of a line may stand: the main ground fills the frame, another one ends where its people do."""
    width, height = frame
    at_x = width / 2.0
    level_y = feet[:, 1] + line.tilt * (feet[:, 0] - at_x)  # foot rows as if all stood at that column
    level_y.sort()
    last = min(FARTHEST_PEOPLE, len(level_y) - 1)
    step = float(level_y[last] - level_y[0]) / max(last, 1)
    at_zero = line.offset + line.per_x * at_x
    margin = float(np.median(heights))
    far_y = float(level_y[0]) - FARTHER_STEPS * step
    if line.per_y > 0.0:
        far_y = max(far_y, (FARTHEST_SHARE * (line.per_y * float(level_y[0]) + at_zero) - at_zero) / line.per_y)
    far_y = far_y if main else max(far_y, float(np.quantile(level_y, INNER[0])) - margin)
    if main:
        half = abs(line.tilt) * at_x
        near_y = height + half + line.heights(np.array([[at_x, height + half]], dtype=np.float64))[0]
        return Reach(far_y, float(near_y), at_x, 0.0, float(width))
    x0, x1 = np.quantile(feet[:, 0], INNER) + (-2 * margin, 2 * margin)  # noqa: RUF005 - a sum of vectors
    near_y = float(np.quantile(level_y, INNER[1])) + margin
    return Reach(far_y, near_y, at_x, max(0.0, float(x0)), min(float(width), float(x1)))
