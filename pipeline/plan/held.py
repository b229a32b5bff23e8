"""Who is seen well: whole inside one block, and at a height that the network was made for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipeline.geometry import BLOCK_HEIGHT, BLOCK_WIDTH
from pipeline.types import Block, BoolArray, Float64Array

TALLEST_PX = 460.0
"""Network px: nine tenths of the network's 512 rows, which leaves room around the person."""

_ROUNDING_PX = 1e-6  # frame px
_PEOPLE_AT_ONCE = 4096  # people times blocks, a byte or eight each: some 100 MB at 2,500 blocks


def scales(blocks: Sequence[Block]) -> Float64Array:
    """Gives the (B,) network px per frame px of blocks: the network sees each as large as fits 832x512."""
    rows = [(b.grid.raster_width, b.grid.raster_height, b.grid.window.width) for b in blocks]
    width, height, frame_px = np.array(rows, dtype=np.float64).reshape(-1, 3).T
    return np.asarray(np.minimum(BLOCK_WIDTH / width, BLOCK_HEIGHT / height) * width / frame_px, dtype=np.float64)


def windows(blocks: Sequence[Block]) -> Float64Array:
    """Gives the (B, 4) xyxy of the windows of blocks, frame px."""
    corners = [(w.x0, w.y0, w.x1, w.y1) for w in (block.grid.window for block in blocks)]
    return np.array(corners, dtype=np.float64).reshape(-1, 4)


def held(
    boxes_frame: Float64Array,
    blocks: Sequence[Block],
    smallest_px: float,
    *,
    tallest_px: float = TALLEST_PX,
    margin_px: float = 0.0,
) -> BoolArray:
    """Says for each of N people whether some block sees them whole, between two network heights.

    Args:
        boxes_frame: (N, 4) xyxy, frame px, inside the frame.
        blocks: any.
        smallest_px: least height in network px.
        tallest_px: largest height in network px.
        margin_px: network px that must be left between a person and each side of the block.

    Returns:
        (N,) bool.
    """
    if not len(blocks):
        return np.zeros(len(boxes_frame), dtype=np.bool_)
    scale, window = scales(blocks), windows(blocks)
    gap = _ROUNDING_PX - margin_px / scale
    parts = [np.zeros(0, dtype=np.bool_)]
    for start in range(0, len(boxes_frame), _PEOPLE_AT_ONCE):
        boxes = boxes_frame[start : start + _PEOPLE_AT_ONCE, None]
        height = (boxes[..., 3] - boxes[..., 1]) * scale
        seen = (height >= smallest_px - _ROUNDING_PX) & (height <= tallest_px + _ROUNDING_PX)
        seen &= (boxes[..., 0] >= window[:, 0] - gap) & (boxes[..., 1] >= window[:, 1] - gap)
        seen &= (boxes[..., 2] <= window[:, 2] + gap) & (boxes[..., 3] <= window[:, 3] + gap)
        parts.append(np.asarray(seen.any(axis=1), dtype=np.bool_))
    return np.concatenate(parts)


def clip_to_frame(boxes_frame: Float64Array, width: int, height: int) -> Float64Array:
    """Gives what (N, 4) boxes show inside a frame; boxes beside it come out empty or inverted."""
    low = np.zeros(4, dtype=np.float64)
    high = np.array([width, height, width, height], dtype=np.float64)
    return np.asarray(np.clip(boxes_frame, low, high), dtype=np.float64)
