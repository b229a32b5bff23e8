"""Merges what another detector reported block by block; run it: python docs/merge_example.py."""

from __future__ import annotations

import numpy as np

from pipeline.merge import merge, views_of_blocks
from pipeline.types import Block, MergeResult, PixelGrid, Window

FRAME = Window(0.0, 0.0, 1456.0, 512.0)


def block(name: str, x: float) -> Block:
    """Gives a block of 832x512 px of the frame's own pixels whose left side is at x."""
    window = Window(x, 0.0, x + 832.0, 512.0)
    return Block(name, 0, PixelGrid(window, 832, 512), window)


def example() -> MergeResult:
    """Gives the people of two overlapping blocks: one whole in both, one cut by the left block, one only right."""
    blocks = [block("left", 0.0), block("right", 624.0)]
    boxes = [
        np.array([[650, 100, 720, 300], [780, 120, 832, 310]], dtype=np.float64),  # px of the left block
        np.array([[27, 101, 97, 299], [156, 120, 240, 312], [500, 90, 580, 330]], dtype=np.float64),
    ]
    scores = [np.array([0.9, 0.8]), np.array([0.7, 0.9, 0.6])]
    views, refused = views_of_blocks(blocks, boxes, scores)
    assert refused == ()
    return merge(views, blocks, FRAME)


if __name__ == "__main__":
    result = example()
    for person, box in enumerate(result.boxes_frame.tolist()):
        members = np.flatnonzero(result.group == person).tolist()
        print(f"person {person}: box {box}, seen in views {members}, shown by view {result.chosen[person]}")  # noqa: T201
