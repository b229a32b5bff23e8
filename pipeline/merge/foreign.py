"""Detections of any model as views that `merge` takes: bad rows are left out, each named with its block."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mili_core.errors import DetectionError
from pipeline.geometry import boxes_to_frame
from pipeline.types import Block, SceneDetections


def views_of_blocks(
    blocks: Sequence[Block], boxes_block: Sequence[NDArray[np.floating]], scores: Sequence[NDArray[np.floating]]
) -> tuple[SceneDetections, tuple[str, ...]]:
    """Gives what a detector reported block by block as views in frame px, and why rows were left out.

    Boxes that are inverted or outside their block stay: `merge` rejects them and says so.

    Args:
        blocks: B blocks.
        boxes_block: for each block (N, 4) xyxy, px of the block's raster.
        scores: for each block (N,), 0..1.

    Returns:
        The views whose numbers are finite, block after block, and one line for each other row.

    Raises:
        DetectionError: lengths or shapes disagree.
    """
    if not len(blocks) == len(boxes_block) == len(scores):
        raise DetectionError(f"{len(blocks)} blocks, {len(boxes_block)} arrays of boxes, {len(scores)} of scores")
    parts: list[SceneDetections] = []
    refused: list[str] = []
    for index, block in enumerate(blocks):
        boxes, said = np.asarray(boxes_block[index], dtype=np.float64), np.asarray(scores[index], dtype=np.float32)
        if boxes.ndim != 2 or boxes.shape[1] != 4 or said.shape != boxes.shape[:1]:
            shapes = f"boxes {boxes.shape}, scores {said.shape}"
            raise DetectionError(f"block {block.id}: {shapes}; expected (N, 4) and (N,)")
        usable = np.isfinite(boxes).all(axis=1) & np.isfinite(said)
        refused += [f"box or score is not a number, block {block.id}, row {row}" for row in np.flatnonzero(~usable)]
        frame = boxes_to_frame(block.grid, boxes[usable])
        parts.append(SceneDetections(frame, said[usable], np.full(len(frame), index, dtype=np.int64)))
    return SceneDetections.concat(parts), tuple(refused)
