"""Rows of blocks along the ground: each row as large as the people who stand there, from the far end to the near."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.geometry import BLOCK_HEIGHT, BLOCK_WIDTH
from pipeline.ground import HeightLine
from pipeline.plan.cutting import cut_block
from pipeline.plan.held import clip_to_frame, held
from pipeline.types import Block, Float64Array

HEADROOM = 1.1
"""Window a person needs, in body heights: hats, raised arms and the line's own error."""
TALLER = 0.2
"""How much taller than the line a person may be: two standard deviations of adults."""
SMALLER = 0.12
"""How much smaller than the line a person may be and still be planned for; a child gets a block when found."""
GUARD_PX = 6.0
"""Network px that the farthest people of a row are taller than asked for, a tenth of 64 px. It is not in proportion,
because people of 128 px who come out a little smaller are seen no worse."""
BELOW_FEET = 0.1
"""Room under the feet, in body heights."""
PERSON_WIDTH = 0.5
"""Widest person that is whole in one of two neighbouring blocks, in heights of the tallest: the median is .37."""
NEGLIGIBLE = 0.2
"""Share of those who may stand in a block's part: where other blocks miss no more of them, it is left out. Those
whom they miss are the extremes, and get a block of their own when found."""
MOST_ENLARGED = 1.6
"""Network px per frame px at most: beyond level 0 nothing is gained but the size that the network likes."""

_FACTORS = (1.0 - SMALLER, 1.0, 1.0 + TALLER)
_MOST_ROWS = 200
_PLACES = 5  # virtual people across a block's own part, and as many down it


@dataclass(frozen=True, slots=True)
class Reach:
    """Where people of a line may stand: feet from column x0 to x1, and from the row far_y on at column `at_x`.

    Attributes:
        far_y: foot row of the farthest people at the column at_x, frame px.
        near_y: foot row of the nearest ones there, frame px; may lie below the frame.
        at_x: column that the two rows are given for; elsewhere they follow the rows of equal height.
        x0, x1: columns, frame px.
    """

    far_y: float
    near_y: float
    at_x: float
    x0: float
    x1: float


@dataclass(frozen=True, slots=True)
class Row:
    """Blocks of one scale.

    Attributes:
        far_y, near_y: foot rows at the reach's column that the row accounts for, frame px.
        scale: network px per frame px.
        smallest_px, tallest_px: heights of people there, frame px, by the line.
        blocks: from left to right.
    """

    far_y: float
    near_y: float
    scale: float
    smallest_px: float
    tallest_px: float
    blocks: tuple[Block, ...]


def row_plan(
    line: HeightLine, reach: Reach, frame: tuple[int, int], smallest_px: float, name: str, there: Sequence[Block] = ()
) -> tuple[Row, ...]:
    """Gives rows of blocks that see everyone who obeys a line whole and at least `smallest_px` network px tall.

    People less than smallest_px / MOST_ENLARGED tall in the frame are too far for that; they are not planned for.

    Args:
        line: heights of people.
        reach: where they may stand.
        frame: (width, height), px.
        smallest_px: network px.
        name: what the ids of the blocks begin with.
        there: blocks that are looked at anyway: where they see everyone well, no block is added.
    """
    rows: list[Row] = []
    for far_y, near_y, scale in _bands(line, reach, frame, smallest_px):
        at = np.array([[reach.at_x, far_y], [reach.at_x, near_y]], dtype=np.float64)
        smallest, tallest = (float(height) for height in line.heights(at))
        cells = [
            (block, people)
            for block, people in _blocks(line, reach, frame, (far_y, near_y, scale), f"{name}-r{len(rows):03d}")
            if len(people) and held(people, there, smallest_px).mean() < 1.0 - NEGLIGIBLE
        ]
        if cells:
            rows.append(Row(far_y, near_y, scale, smallest, tallest, tuple(block for block, _ in cells)))
    return tuple(rows)


def has_room(line: HeightLine, reach: Reach, frame: tuple[int, int], smallest_px: float) -> bool:
    """Says whether rows can follow a line: a camera rolled too far shows near and far people side by side.

    Arguments are those of `row_plan`. True also where the reach holds nobody tall enough.
    """
    far, near = (float(line.heights(np.array([[reach.at_x, y]]))[0]) for y in (reach.far_y, reach.near_y))
    wanted = reach.far_y < reach.near_y and max(far, near) >= smallest_px / MOST_ENLARGED
    return not wanted or next(_bands(line, reach, frame, smallest_px), None) is not None


def _bands(
    line: HeightLine, reach: Reach, frame: tuple[int, int], smallest_px: float
) -> Iterator[tuple[float, float, float]]:
    """Gives (far foot row, near foot row, scale) of each row, at the reach's column, far to near."""
    slope, at_zero = line.per_y, float(line.heights(np.array([[reach.at_x, 0.0]], dtype=np.float64))[0])
    room = HEADROOM * (1.0 + TALLER)
    far_y, least = reach.far_y, smallest_px / MOST_ENLARGED
    if slope > 0.0:
        far_y = max(far_y, (least - at_zero) / slope)
    for _ in range(_MOST_ROWS):
        height = slope * far_y + at_zero
        if far_y >= reach.near_y or height < least - 1e-6:
            return
        scale = min((smallest_px + GUARD_PX) / height, MOST_ENLARGED)
        block_width, block_height = BLOCK_WIDTH / scale, BLOCK_HEIGHT / scale
        drop = abs(line.tilt) * min(block_width, reach.x1 - reach.x0, frame[0])
        # The lowest foot row whose people still fit: below the heads of the far ones, and below their own.
        below = block_height - drop + far_y - room * height
        near_y = (below - BELOW_FEET * at_zero) / (1.0 + BELOW_FEET * slope)
        if slope > 0.0:
            near_y = min(near_y, ((block_height - drop) / (room + BELOW_FEET) - at_zero) / slope)
        if near_y - far_y < 0.05 * height:
            return  # a slope this steep leaves no row; the other passes see those who stand there
        yield far_y, min(near_y, reach.near_y), scale
        far_y = near_y


def _blocks(
    line: HeightLine, reach: Reach, frame: tuple[int, int], band: tuple[float, float, float], name: str
) -> Iterator[tuple[Block, Float64Array]]:
    """Gives the blocks of a row from left to right, each with the boxes of those it accounts for."""
    far_y, near_y, scale = band
    width, height = frame
    at = np.array([[reach.at_x, far_y], [reach.at_x, near_y]], dtype=np.float64)
    smallest, tallest = line.heights(at)
    room, block_width = HEADROOM * (1.0 + TALLER), BLOCK_WIDTH / scale
    x0, x1 = max(0.0, reach.x0), min(float(width), reach.x1)
    step = block_width - PERSON_WIDTH * room * float(tallest)
    count = 1 + max(0, math.ceil((x1 - x0 - block_width) / step)) if step > 0.0 else 0
    spread = (x1 - x0 - block_width) / (count - 1) if count > 1 else 0.0
    for column in range(count):
        centre = x0 + column * spread + block_width / 2.0 if count > 1 else (x0 + x1) / 2.0
        rise = line.tilt * (centre - reach.at_x)
        drop = abs(line.tilt) * min(block_width, x1 - x0) / 2.0
        head = min(far_y - room * float(smallest), near_y - room * float(tallest)) - rise - drop
        if head >= height or near_y + drop - rise <= 0.0:
            continue
        block = cut_block(f"{name}-c{column:03d}", centre, head, scale, frame)
        half = spread / 2.0 if count > 1 else (x1 - x0) / 2.0
        yield block, _virtual_people(line, reach, frame, (centre - half, centre + half), (far_y, near_y))


def _virtual_people(
    line: HeightLine, reach: Reach, frame: tuple[int, int], columns: tuple[float, float], rows: tuple[float, float]
) -> Float64Array:
    """Gives (N, 4) boxes, cut at the frame, of people who stand all over a cell and are as tall as people may be."""
    x, y = np.meshgrid(np.linspace(*columns, _PLACES), np.linspace(*rows, _PLACES))
    feet = np.stack([x.ravel(), y.ravel() - line.tilt * (x.ravel() - reach.at_x)], axis=1)
    tall = np.concatenate([line.heights(feet) * factor for factor in _FACTORS])
    feet = np.tile(feet, (len(_FACTORS), 1))
    half = 0.5 * PERSON_WIDTH * tall / (1.0 + TALLER)
    boxes = np.stack([feet[:, 0] - half, feet[:, 1] - tall, feet[:, 0] + half, feet[:, 1]], axis=1)
    inside = (feet[:, 0] >= 0.0) & (feet[:, 0] <= frame[0]) & (tall > 0.0)
    boxes = clip_to_frame(boxes[inside], *frame)
    return boxes[(boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])]
