"""Tight crowds seen by a perfect detector: nobody whom a block saw whole is lost."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.merge import merge
from pipeline.plan import uniform_plan
from pipeline.types import Float64Array, Int64Array, SceneDetections, Window

WIDTH, HEIGHT = 2000, 1200
THINNEST_PX, SMALLEST_PX = 2.0, 24.0  # network px
BLOCKS = uniform_plan(WIDTH, HEIGHT)


def crowd(seed: int) -> Float64Array:
    """Two to nine people (P, 4) of 40 to 500 px within a step of one another."""
    rng = np.random.default_rng(seed)
    count = rng.integers(2, 10)
    corner = rng.uniform([100, 100], [1500, 600], (1, 2)) + rng.uniform(-60, 60, (count, 2))
    tall = np.exp(rng.uniform(np.log(40), np.log(500), count))
    wide = tall / rng.uniform(1.5, 3.5, count)
    boxes = np.concatenate([corner, corner + np.stack([wide, tall], axis=1)], axis=1)
    return np.clip(boxes, 0.0, [WIDTH, HEIGHT, WIDTH, HEIGHT])


def seen_by_all(people: Float64Array) -> tuple[SceneDetections, Int64Array, Int64Array]:
    """The views of a detector that misses nobody, whose they are, and who was seen whole."""
    boxes, index, who, whole = [], [], [], set()
    for number, block in enumerate(BLOCKS):
        window = block.grid.window
        low, high = np.array([window.x0, window.y0]), np.array([window.x1, window.y1])
        scale = block.grid.raster_width / window.width
        for person, box in enumerate(people):
            part = np.concatenate([np.maximum(box[:2], low), np.minimum(box[2:], high)])
            sides = (part[2:] - part[:2]) * scale
            if sides.min() > THINNEST_PX and sides.max() >= SMALLEST_PX:
                boxes.append(part)
                index.append(number)
                who.append(person)
                whole |= {person} if (part == box).all() else set()
    scores = np.full(len(boxes), 0.5, dtype=np.float32)
    views = SceneDetections(np.array(boxes), scores, np.array(index, dtype=np.int64))
    return views, np.array(who, dtype=np.int64), np.array(sorted(whole), dtype=np.int64)


@pytest.mark.parametrize("seed", [*range(30), 241, 276, 278])  # the last three need a chain of neighbours to move
def test_nobody_is_lost(seed: int) -> None:
    views, who, whole = seen_by_all(crowd(seed))
    kept = who[merge(views, BLOCKS, Window(0.0, 0.0, float(WIDTH), float(HEIGHT))).chosen]
    assert np.isin(whole, kept).all()
    assert len(set(kept.tolist())) == len(kept)
