"""More boxes alike than people could stand there: what keeps the cost of the merge from growing with their square."""

from __future__ import annotations

import numpy as np

from pipeline.types import BoolArray, Float64Array, Int64Array

MOST_IN_BLOCK = 24
"""Boxes of one spot that a block may report. A detector that suppresses doubles reports a few: so many people within
half their width and height nobody could tell apart."""
MOST_IN_ALL = 2048
"""The same for all blocks together: even where blocks share nine tenths of their sides, at most some 100 of a level
show one place."""
STEP_SHARE = 0.5


def crowded_out(boxes: Float64Array, block: Int64Array, scores: Float64Array) -> BoolArray:
    """Says which of N boxes lie in a spot that holds too many: all but those of the best scores.

    A spot is a cell of a fixed grid over place and size: widths and heights within a factor of 2, middles within half
    of them. So who is kept depends on nobody outside the spot, and of what is kept nothing is left out again.

    Args:
        boxes: (N, 4) xyxy with area, in an order that depends on neither input nor block order.
        block: (N,) the block of each.
        scores: (N,) ties go to the earlier box.
    """
    spot = _spots(boxes)
    dense = np.flatnonzero(np.bincount(spot, minlength=1)[spot] > MOST_IN_BLOCK)
    ranked = dense[np.lexsort((dense, -scores[dense], block[dense], spot[dense]))]
    place = _place_in_run(spot[ranked], block[ranked])
    result = np.zeros(len(boxes), dtype=np.bool_)
    result[ranked[place >= MOST_IN_BLOCK]] = True
    fair = np.lexsort((ranked, -scores[ranked], place, spot[ranked]))  # the best of each block, then the second best
    fair = ranked[fair[place[fair] < MOST_IN_BLOCK]]
    result[fair[_place_in_run(spot[fair]) >= MOST_IN_ALL]] = True
    return result


def _spots(boxes: Float64Array) -> Int64Array:
    """Gives the number of the spot of each box (N,)."""
    size = np.floor(np.log2(boxes[:, 2:] - boxes[:, :2]))
    step = STEP_SHARE * np.exp2(size)
    middle = np.floor((boxes[:, :2] + boxes[:, 2:]) / 2.0 / step)
    return _numbered(np.concatenate([size, middle], axis=1))


def _numbered(rows: Float64Array) -> Int64Array:
    """Gives equal numbers to equal rows (N, K), others to others (N,)."""
    order = np.lexsort(rows.T)
    new = np.any(np.diff(rows[order], axis=0) != 0.0, axis=1)
    result = np.empty(len(rows), dtype=np.int64)
    result[order] = np.concatenate([np.zeros(min(1, len(rows)), dtype=np.int64), np.cumsum(new)])
    return result


def _place_in_run(*keys: Int64Array) -> Int64Array:
    """Gives how many rows with the same keys (N,) come before each, where equal ones follow each other (N,)."""
    count = len(keys[0])
    starts = np.ones(count, dtype=np.bool_)
    starts[1:] = np.any([np.diff(key) != 0 for key in keys], axis=0)
    number = np.arange(count, dtype=np.int64)
    return number - np.maximum.accumulate(np.where(starts, number, 0))
