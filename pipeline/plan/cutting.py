"""Blocks of any size: a window is read from the pyramid level that has at least the network's pixels for it."""

from __future__ import annotations

import math

from pipeline.geometry import BLOCK_HEIGHT, BLOCK_WIDTH, level_grid, level_sizes
from pipeline.types import Block, Window


def cut_block(name: str, centre_x: float, top: float, scale: float, frame: tuple[int, int]) -> Block:
    """Gives the block that the network sees at a scale: 832x512 network px, moved and cut so that it fits the frame.

    It lies on the pixels of the coarsest level that is no coarser than what the network sees, so it is at most twice
    as wide there as the network's canvas and nothing is lost to a coarse level.

    Args:
        name: the block's id.
        centre_x: of the window, frame px.
        top: of the window, frame px.
        scale: network px per frame px, > 0; above 1 the network sees level 0 enlarged. Where the whole frame would not
            fill the canvas it is enlarged until it does.
        frame: (width, height), px.
    """
    scale = max(scale, min(BLOCK_WIDTH / frame[0], BLOCK_HEIGHT / frame[1]))
    sizes = level_sizes(*frame)
    level = max(0, min(math.floor(math.log2(1.0 / scale) + 1e-9), len(sizes) - 1))
    pixel, (level_width, level_height) = float(2**level), sizes[level]
    width = min(math.ceil(BLOCK_WIDTH / (scale * pixel) - 1e-6), level_width)
    height = min(math.ceil(BLOCK_HEIGHT / (scale * pixel) - 1e-6), level_height)
    x = _first_pixel(centre_x - BLOCK_WIDTH / (2.0 * scale), BLOCK_WIDTH / scale, frame[0], pixel, level_width - width)
    y = _first_pixel(top, BLOCK_HEIGHT / scale, frame[1], pixel, level_height - height)
    grid = level_grid(level, x, y, width, height)
    window = grid.window
    owned = Window(window.x0, window.y0, min(window.x1, float(frame[0])), min(window.y1, float(frame[1])))
    return Block(name, level, grid, owned)


def _first_pixel(start: float, length: float, end: float, pixel: float, last: int) -> int:
    """Returns the level px where a window begins; one that reaches the frame's end ends in the level's last px."""
    if start + length >= end - 1e-6:
        return last
    return max(0, min(math.floor(start / pixel), last))
