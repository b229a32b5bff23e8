"""Blocks around people whom no planned block sees well: children, people on stairs, whoever is off the ground."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipeline.plan.cutting import cut_block
from pipeline.plan.held import TALLEST_PX, held, scales, windows
from pipeline.plan.rows import MOST_ENLARGED
from pipeline.types import Block, BoolArray, Float64Array, Int64Array

MARGIN_PX = 8.0
"""Network px between a person and the block's side; nearer, the merge may take the person for cut."""
GOAL = 1.3
"""A block's scale makes its person so many times the least height: tall enough for certain, and the window stays large
enough to take in those around."""
AT_ONCE = 1000  # people whom blocks are chosen for together; the greedy choice looks at all pairs


def residual_plan(
    boxes_frame: Float64Array,
    there: Sequence[Block],
    frame: tuple[int, int],
    smallest_px: float,
    name: str,
    *,
    near_enough: float = 1.0,
) -> tuple[Block, ...]:
    """Gives few blocks that, with those that are there, see every one of N people whole and tall enough.

    The block that sees most of those who are left is taken first, ties go to the first person. People who would have
    to be enlarged too much, and those too wide for a block, get none.

    Args:
        boxes_frame: (N, 4) xyxy, frame px, inside the frame.
        there: blocks that are looked at anyway.
        frame: (width, height), px.
        smallest_px: network px.
        name: what the ids begin with.
        near_enough: share of the least height at which those who are seen whole get no block.
    """
    waiting = boxes_frame[needy(boxes_frame, there, smallest_px, near_enough)]
    chosen: list[Block] = []
    for start in range(0, len(waiting), AT_ONCE):
        few = waiting[start : start + AT_ONCE]
        chosen += _around_all(few[~_sees(chosen, few, smallest_px, frame).any(axis=0)], frame, smallest_px)
    named = enumerate(chosen)
    return tuple(Block(f"{name}-{k:03d}", block.level, block.grid, block.owned) for k, block in named)


def _around_all(boxes: Float64Array, frame: tuple[int, int], smallest_px: float) -> list[Block]:
    """Gives few blocks that see each of N people who can be seen."""
    candidates = [_around(box, frame, smallest_px) for box in boxes]
    sees = _sees(candidates, boxes, smallest_px, frame)
    left, chosen = sees.any(axis=0), []
    while left.any():
        best = int(np.argmax((sees & left).sum(axis=1)))
        chosen.append(candidates[best])
        left &= ~sees[best]
    return chosen


def needy(boxes_frame: Float64Array, there: Sequence[Block], smallest_px: float, near_enough: float = 1.0) -> BoolArray:
    """Says for each of N people whether no block sees them well, or nearly so, although one could."""
    tall_enough = (boxes_frame[:, 3] - boxes_frame[:, 1]) * MOST_ENLARGED >= smallest_px
    return np.asarray(tall_enough & ~held(boxes_frame, there, near_enough * smallest_px), dtype=np.bool_)


def _around(box: Float64Array, frame: tuple[int, int], smallest_px: float) -> Block:
    x0, y0, x1, y1 = (float(value) for value in box)
    scale = min(GOAL * smallest_px / (y1 - y0), MOST_ENLARGED, 832.0 / (1.1 * (x1 - x0)))
    return cut_block("", (x0 + x1) / 2.0, (y0 + y1) / 2.0 - 256.0 / scale, scale, frame)


def _sees(blocks: Sequence[Block], boxes: Float64Array, smallest_px: float, frame: tuple[int, int]) -> BoolArray:
    """Says (B, N) which block sees whom whole, tall enough, and clear of its sides unless they are the frame's."""
    if not len(blocks):
        return np.zeros((0, len(boxes)), dtype=np.bool_)
    scale, window = scales(blocks)[:, None], windows(blocks)
    gap = MARGIN_PX / scale
    low = np.where(window[:, None, :2] <= 0.0, 0.0, window[:, None, :2] + gap[..., None])
    far = np.array(frame, dtype=np.float64)
    high = np.where(window[:, None, 2:] >= far, far, window[:, None, 2:] - gap[..., None])
    height = (boxes[:, 3] - boxes[:, 1])[None] * scale
    fits = (height >= smallest_px - 1e-6) & (height <= TALLEST_PX)
    inside = (boxes[None, :, :2] >= low).all(axis=2) & (boxes[None, :, 2:] <= high).all(axis=2)
    return np.asarray(fits & inside, dtype=np.bool_)


def order_by_place(boxes_frame: Float64Array) -> Int64Array:
    """Gives the (N,) order of boxes by their corners, so that no plan depends on the order of detections."""
    return np.lexsort(boxes_frame.T[::-1]).astype(np.int64)
