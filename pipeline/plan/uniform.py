"""Every pyramid level, evenly: the plan that needs to know nothing about the frame but its size."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

from pipeline.geometry import BLOCK_HEIGHT, BLOCK_WIDTH, level_grid, level_sizes
from pipeline.types import Block, Window


@dataclass(frozen=True, slots=True)
class _Span:
    """One window on one axis, level px: where it starts and the part [owned_start, owned_stop) that it owns."""

    start: int
    owned_start: float
    owned_stop: float


def uniform_plan(
    width: int,
    height: int,
    *,
    block_width: int = BLOCK_WIDTH,
    block_height: int = BLOCK_HEIGHT,
    overlap: float = 0.25,
) -> tuple[Block, ...]:
    """Gives the blocks that cover every pyramid level of a frame, finest level first, then by row and column.

    Windows of one level are equally large and step by (1 - overlap) of the block; the last column and row are flush
    with the level's edge. A level smaller than a block on an axis gets a window of the level's size there. What two
    neighbours share is owned half and half, so the owned windows of each level tile the frame exactly. On coarse
    levels a window may reach past the frame by less than one level px (see pipeline.geometry), an owned one never.

    Args:
        width: frame px, >= 1.
        height: frame px, >= 1.
        block_width: level px, >= 1.
        block_height: level px, >= 1.
        overlap: share of the block that two neighbours have in common, 0 <= overlap < 1.

    Returns:
        Blocks with ids like "L2-r003-c011" (level, row, column).

    Raises:
        ValueError: a size is below 1 or the overlap is out of range.
    """
    if block_width < 1 or block_height < 1:
        raise ValueError(f"uniform_plan: a block needs at least one pixel, got {block_width}x{block_height}")
    if not 0.0 <= overlap < 1.0:
        raise ValueError(f"uniform_plan: overlap is {overlap}, expected 0 <= overlap < 1")
    blocks: list[Block] = []
    for level, (level_width, level_height) in enumerate(level_sizes(width, height)):
        columns = _spans(level_width, block_width, overlap)
        rows = _spans(level_height, block_height, overlap)
        for r, row in enumerate(rows):
            for c, column in enumerate(columns):
                raster_width, raster_height = min(block_width, level_width), min(block_height, level_height)
                grid = level_grid(level, column.start, row.start, raster_width, raster_height)
                owned = _owned_in_frame(level, column, row, width, height)
                blocks.append(Block(f"L{level}-r{r:03d}-c{c:03d}", level, grid, owned))
    return tuple(blocks)


def _spans(size: int, block: int, overlap: float) -> list[_Span]:
    """Gives the windows of `block` px on an axis of `size` px, the last one flush with its end."""
    block = min(block, size)
    step = max(1, math.floor(block * (1.0 - overlap)))
    count = 1 + math.ceil((size - block) / step)
    starts = [min(i * step, size - block) for i in range(count)]
    seams = [0.0, *((start + before + block) / 2 for before, start in pairwise(starts)), size]
    return [_Span(start, seams[i], seams[i + 1]) for i, start in enumerate(starts)]


def _owned_in_frame(level: int, column: _Span, row: _Span, width: int, height: int) -> Window:
    scale = 2**level
    return Window(
        column.owned_start * scale,
        row.owned_start * scale,
        min(column.owned_stop * scale, float(width)),
        min(row.owned_stop * scale, float(height)),
    )
