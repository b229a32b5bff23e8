"""A planted scene: silhouettes on seams and corners of the uniform plan are found exactly once."""

from __future__ import annotations

import numpy as np
import pytest
import shapely

from pipeline.geometry import network_scale
from pipeline.merge import merge
from pipeline.plan import uniform_plan
from pipeline.types import MergeResult, SceneDetections, Window

WIDTH, HEIGHT = 6000, 4000
FRAME = Window(0.0, 0.0, float(WIDTH), float(HEIGHT))
BLOCKS = uniform_plan(WIDTH, HEIGHT)


def silhouette(x: float, foot: float, tall: float) -> shapely.Geometry:
    """A head, a torso, two arms and two legs; feet at (x, foot)."""
    parts = [
        shapely.Point(0.0, -0.92).buffer(0.08),
        shapely.box(-0.1, -0.84, 0.1, -0.45),
        shapely.LineString([(-0.08, -0.8), (-0.18, -0.5)]).buffer(0.03),
        shapely.LineString([(0.08, -0.8), (0.18, -0.5)]).buffer(0.03),
        shapely.LineString([(-0.05, -0.5), (-0.1, -0.04)]).buffer(0.04),
        shapely.LineString([(0.05, -0.5), (0.1, -0.04)]).buffer(0.04),
    ]
    return shapely.transform(shapely.union_all(parts), lambda points: points * tall + np.array([x, foot]))


def plant() -> list[shapely.Geometry]:
    """People of many sizes, each centred on an edge or a corner of a window, spread so that none overlap."""
    spots: list[tuple[float, float]] = []
    people: list[shapely.Geometry] = []
    for tall in (1800.0, 900.0, 600.0, 350.0, 200.0, 120.0, 60.0):
        for block in BLOCKS:
            window = block.grid.window
            middle_x, middle_y = (window.x0 + window.x1) / 2, (window.y0 + window.y1) / 2
            spots = [(window.x1, window.y1), (window.x1, middle_y), (middle_x, window.y1), (window.x0, middle_y)]
            for x, y in spots:
                person = silhouette(x, y + tall / 2, tall)
                x0, y0, x1, y1 = person.bounds
                inside = x0 > 0 and y0 > 0 and x1 < WIDTH and y1 < HEIGHT
                if inside and all(person.distance(other) > 20 for other in people):
                    people.append(person)
    return people


PEOPLE = plant()


def look(seed: int, jitter: float, *, outlines: bool) -> tuple[SceneDetections, np.ndarray]:
    """What a detector reports that misses nothing of 10 network px: boxes, each side off by N(0, jitter x side)."""
    rng = np.random.default_rng(seed)
    boxes, index, drawn, owners = [], [], [], []
    for k, block in enumerate(BLOCKS):
        window, scale = block.grid.window, network_scale(block)
        edges = np.array([window.x0, window.y0, window.x1, window.y1])
        for owner, person in enumerate(PEOPLE):
            part = shapely.clip_by_rect(person, *edges)
            if part.is_empty:
                continue
            box = np.array(part.bounds)
            extent = box[2:] - box[:2]
            if extent.max() * scale < 10.0:
                continue
            box = box + rng.normal(0.0, 1.0, 4) * jitter * np.concatenate([extent, extent])
            box = np.concatenate([np.maximum(box[:2], edges[:2]), np.minimum(box[2:], edges[2:])])
            if (box[2:] > box[:2]).all():
                boxes.append(box)
                index.append(k)
                drawn.append(part)
                owners.append(owner)
    scores = rng.uniform(0.1, 1.0, len(boxes)).astype(np.float32)
    geometries = np.empty(len(drawn), dtype=np.object_)
    geometries[:] = drawn
    views = SceneDetections(np.array(boxes), scores, np.array(index, dtype=np.int64), geometries if outlines else None)
    return views, np.array(owners)


def times_found(result: MergeResult) -> tuple[list[int], int]:
    """How often each planted person is among the merged boxes (IoU >= .5), and how many boxes match nobody."""
    truth = np.array([person.bounds for person in PEOPLE])
    found, strangers = [0] * len(PEOPLE), 0
    for box in result.boxes_frame:
        low, high = np.maximum(truth[:, :2], box[:2]), np.minimum(truth[:, 2:], box[2:])
        shared = np.maximum(high - low, 0.0).prod(axis=1)
        iou = shared / ((truth[:, 2:] - truth[:, :2]).prod(axis=1) + (box[2:] - box[:2]).prod() - shared)
        best = int(iou.argmax())
        found[best] += int(iou[best] >= 0.5)
        strangers += int(iou[best] < 0.5)
    return found, strangers


def test_the_scene_is_worth_the_test() -> None:
    views, _ = look(0, 0.0, outlines=False)
    assert len(PEOPLE) >= 100
    assert len(views) >= 8 * len(PEOPLE)


@pytest.mark.parametrize("outlines", [False, True])
def test_everyone_is_found_exactly_once(outlines: bool) -> None:
    views, owners = look(0, 0.0, outlines=outlines)
    result = merge(views, BLOCKS, FRAME)
    assert times_found(result) == ([1] * len(PEOPLE), 0)
    assert not result.stitched.any()
    for person in range(len(result.chosen)):
        assert len(set(owners[result.group == person].tolist())) == 1


@pytest.mark.parametrize("seed", range(3))
def test_nearly_everyone_is_found_once_with_unsteady_boxes(seed: int) -> None:
    """Boxes whose sides are off by 5 % of the part seen: nobody is lost, at most 3 % strangers and doubles."""
    views, _ = look(seed, 0.05, outlines=False)
    found, strangers = times_found(merge(views, BLOCKS, FRAME))
    assert min(found) >= 1
    assert strangers + sum(found) - len(PEOPLE) <= 0.03 * len(PEOPLE)
