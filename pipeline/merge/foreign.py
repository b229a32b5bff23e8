"""Detections of any model as views that `merge` takes: bad rows are left out, each named with its block."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from mili_core.errors import DetectionError
from pipeline.geometry import boxes_to_frame
from pipeline.merge.unreadable import LARGEST
from pipeline.merge.views import ROUNDING
from pipeline.types import Block, BoolArray, Float64Array, SceneDetections


def views_of_blocks(
    blocks: Sequence[Block], boxes_block: Sequence[ArrayLike], scores: Sequence[ArrayLike]
) -> tuple[SceneDetections, tuple[str, ...]]:
    """Gives what a detector reported block by block as views in frame px, and why rows were left out.

    Boxes that are inverted or outside their block stay: `merge` rejects them and says so.

    Args:
        blocks: B blocks.
        boxes_block: for each block (N, 4) xyxy, px of the block's raster; an empty list where nobody was found.
        scores: for each block (N,), 0..1.

    Returns:
        The views whose numbers are finite, block after block, and one line for each other row.

    Raises:
        DetectionError: lengths or shapes disagree, something is no number at all, or a score is outside 0..1.
    """
    if not len(blocks) == len(boxes_block) == len(scores):
        raise DetectionError(f"{len(blocks)} blocks, {len(boxes_block)} arrays of boxes, {len(scores)} of scores")
    parts: list[SceneDetections] = []
    refused: list[str] = []
    for index, block in enumerate(blocks):
        boxes, said = _numbers(boxes_block[index], block), _numbers(scores[index], block)
        boxes = boxes.reshape(0, 4) if boxes.shape == (0,) else boxes
        if boxes.ndim != 2 or boxes.shape[1] != 4 or said.shape != boxes.shape[:1]:
            shapes = f"boxes {boxes.shape}, scores {said.shape}"
            raise DetectionError(f"block {block.id}: {shapes}; expected (N, 4) and (N,)")
        usable = (np.abs(boxes) < LARGEST).all(axis=1) & np.isfinite(said)
        refused += [f"box or score is not a number, block {block.id}, row {row}" for row in np.flatnonzero(~usable)]
        _check_scores(said, usable, block)
        frame = boxes_to_frame(block.grid, boxes[usable])
        parts.append(
            SceneDetections(
                frame, said[usable].clip(0.0, 1.0).astype(np.float32), np.full(len(frame), index, dtype=np.int64)
            )
        )
    return SceneDetections.concat(parts), tuple(refused)


def _numbers(values: ArrayLike, block: Block) -> Float64Array:
    """Gives values as an array of whatever shape they have."""
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DetectionError(f"block {block.id}: boxes or scores are no array of numbers ({error})") from error


def _check_scores(scores: Float64Array, usable: BoolArray, block: Block) -> None:
    """Raises DetectionError for the first usable score (N,) that is outside 0..1."""
    outside = np.flatnonzero(usable & ((scores < -ROUNDING) | (scores > 1.0 + ROUNDING)))
    if len(outside):
        row = int(outside[0])
        score = float(scores[row])
        raise DetectionError(f"block {block.id}, row {row}: score {score!r} is outside 0..1; give probabilities")
