"""The only arithmetic between blocks, pyramid levels and the frame.

Convention of the levels. Level L + 1 halves level L and rounds up, so its size is ceil(frame size / 2**L) on each
axis and one of its pixels (i, j) covers the frame rectangle [i * 2**L, (i + 1) * 2**L) x [j * 2**L, (j + 1) * 2**L):
the scale of a level is exactly 2**L on both axes, whatever the frame's size. Where a level is of odd size its last
column or row is repeated before halving, so the outermost pixels of a level may reach past the frame's right and
bottom edge, by less than 2**L frame px. Nothing of the frame is lost and no pixel is stretched.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipeline.types import Block, PixelGrid, Window

Float64Array = NDArray[np.float64]

# The network's canvas (mili_core.body.camera); repeated here because that module imports torch.
BLOCK_WIDTH = 832
BLOCK_HEIGHT = 512

# How far, in level px, a window may lie off the level's pixels before it counts as misaligned: float64 rounding only.
ALIGNMENT_TOLERANCE = 1e-6


def to_frame(grid: PixelGrid, points: ArrayLike) -> Float64Array:
    """Gives the frame px of points on a raster.

    Args:
        grid: the raster and its window.
        points: (..., 2) x, y in raster px.

    Returns:
        (..., 2) float64 x, y in frame px.
    """
    return _points(points) * _frame_px_per_raster_px(grid) + _origin(grid)


def from_frame(grid: PixelGrid, points: ArrayLike) -> Float64Array:
    """Gives the raster px of points of the frame, the inverse of `to_frame`.

    Args:
        grid: the raster and its window.
        points: (..., 2) x, y in frame px.

    Returns:
        (..., 2) float64 x, y in raster px; outside 0..raster size for points outside the window.
    """
    return (_points(points) - _origin(grid)) / _frame_px_per_raster_px(grid)


def boxes_to_frame(grid: PixelGrid, boxes_xyxy: ArrayLike) -> Float64Array:
    """Gives the (N, 4) float64 frame px of xyxy boxes (N, 4) on a raster."""
    boxes = _boxes(boxes_xyxy)
    return to_frame(grid, boxes.reshape(-1, 2, 2)).reshape(-1, 4)


def boxes_from_frame(grid: PixelGrid, boxes_frame: ArrayLike) -> Float64Array:
    """Gives the (N, 4) float64 raster px of xyxy boxes (N, 4) in frame px, the inverse of `boxes_to_frame`."""
    boxes = _boxes(boxes_frame)
    return from_frame(grid, boxes.reshape(-1, 2, 2)).reshape(-1, 4)


def network_scale(block: Block) -> float:
    """Gives the network px per frame px of a block: its letterbox scale times its raster px per frame px.

    Windows keep the aspect of their raster, so the horizontal scale stands for both axes.
    """
    from mili_core.body import letterbox_scale  # noqa: PLC0415 - brings torch, which reading and planning do without

    grid = block.grid
    return float(letterbox_scale(grid.raster_width, grid.raster_height)) * grid.raster_width / grid.window.width


def translate(block: Block, dx: float, dy: float) -> Block:
    """Gives the same block moved by (dx, dy) frame px: its window and what it owns."""
    grid = replace(block.grid, window=_translate_window(block.grid.window, dx, dy))
    return replace(block, grid=grid, owned=_translate_window(block.owned, dx, dy))


def level_sizes(width: int, height: int) -> tuple[tuple[int, int], ...]:
    """Gives (width, height) of every pyramid level of a frame, level 0 first, in px of the level.

    Each level is half the one before, rounded up; the last is the first that fits 832x512.

    Args:
        width: frame px, >= 1.
        height: frame px, >= 1.

    Raises:
        ValueError: a side is below 1.
    """
    if width < 1 or height < 1:
        raise ValueError(f"level_sizes: a frame needs at least one pixel, got {width}x{height}")
    sizes = [(width, height)]
    while sizes[-1][0] > BLOCK_WIDTH or sizes[-1][1] > BLOCK_HEIGHT:
        sizes.append(((sizes[-1][0] + 1) // 2, (sizes[-1][1] + 1) // 2))
    return tuple(sizes)


def level_grid(level: int, x: int, y: int, width: int, height: int) -> PixelGrid:
    """Gives the grid of `width` x `height` pixels of a level, the first of them at (x, y) in level px."""
    scale = float(2**level)
    window = Window(x * scale, y * scale, (x + width) * scale, (y + height) * scale)
    return PixelGrid(window, width, height)


def level_origin(block: Block) -> tuple[int, int]:
    """Gives the level px (x, y) of a block's first pixel.

    Raises:
        ValueError: the window does not lie on the pixels of the block's level.
    """
    window, scale = block.grid.window, float(2**block.level)
    x, y = round(window.x0 / scale), round(window.y0 / scale)
    exact = level_grid(block.level, x, y, block.grid.raster_width, block.grid.raster_height).window
    gaps = (exact.x0 - window.x0, exact.y0 - window.y0, exact.x1 - window.x1, exact.y1 - window.y1)
    if max(abs(gap) for gap in gaps) > ALIGNMENT_TOLERANCE * scale:
        raise ValueError(f"block {block.id}: window {window} is not on the pixels of level {block.level}")
    return x, y


def _translate_window(window: Window, dx: float, dy: float) -> Window:
    return Window(window.x0 + dx, window.y0 + dy, window.x1 + dx, window.y1 + dy)


def _origin(grid: PixelGrid) -> Float64Array:
    return np.array([grid.window.x0, grid.window.y0], dtype=np.float64)


def _frame_px_per_raster_px(grid: PixelGrid) -> Float64Array:
    scale = [grid.window.width / grid.raster_width, grid.window.height / grid.raster_height]
    return np.array(scale, dtype=np.float64)


def _points(points: ArrayLike) -> Float64Array:
    array = np.asarray(points, dtype=np.float64)
    if array.ndim < 1 or array.shape[-1] != 2:
        raise ValueError(f"points have shape {array.shape}, expected (..., 2)")
    return array


def _boxes(boxes: ArrayLike) -> Float64Array:
    array = np.asarray(boxes, dtype=np.float64)
    if array.ndim != 2 or array.shape[1] != 4:
        raise ValueError(f"boxes have shape {array.shape}, expected (N, 4)")
    return array
