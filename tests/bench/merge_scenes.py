"""Scenes of silhouettes for the oracle bench of the merge: two generators that share no rule of placing people."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely

from pipeline.merge.pairs import overlapping
from pipeline.types import Window


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """Truth: silhouettes (P,), boxes (P, 4), and who stands in a crowd or inside another's box (P,)."""

    width: int
    height: int
    outlines: np.ndarray
    boxes: np.ndarray
    crowded: np.ndarray

    @property
    def frame(self) -> Window:
        return Window(0.0, 0.0, float(self.width), float(self.height))


def make_scene(rng: np.random.Generator, width: int, height: int, people: int) -> Scene:
    """Gives a scene: 83 % standing anywhere, 10 % in pairs and triples of box IoU > .5, 7 % inside a larger one."""
    crowd, nested = round(0.1 * people), round(0.05 * people)
    boxes = _loners(rng, width, height, people - crowd - nested)
    boxes = np.concatenate([boxes, _crowds(rng, width, height, crowd)])
    boxes = np.concatenate([boxes, _nested(rng, boxes, nested)])
    outlines = np.array([_silhouette(rng, box) for box in boxes], dtype=np.object_)
    frame = shapely.box(0, 0, width, height)
    outlines = shapely.intersection(outlines, frame)
    boxes = shapely.bounds(outlines)
    return Scene(width, height, outlines, boxes, _crowded(boxes))


def _heights(rng: np.random.Generator, count: int) -> np.ndarray:
    usual = np.exp(rng.normal(np.log(300.0), 0.73, count))
    spread = np.exp(rng.uniform(np.log(20.0), np.log(3000.0), count))
    return np.clip(np.where(rng.random(count) < 0.15, spread, usual), 20.0, 3000.0)


def _boxes_at(rng: np.random.Generator, width: int, height: int, tall: np.ndarray) -> np.ndarray:
    wide = tall * rng.uniform(0.28, 0.5, len(tall))
    x = rng.uniform(0.0, width - wide)
    y = rng.uniform(0.0, np.maximum(height - tall, 1.0))
    return np.stack([x, y, x + wide, y + tall], axis=1)


def _loners(rng: np.random.Generator, width: int, height: int, count: int) -> np.ndarray:
    """Boxes anywhere that overlap no earlier one by IoU .3 or more (retried; the rest stay as they fall)."""
    boxes = _boxes_at(rng, width, height, _heights(rng, count))
    for _ in range(5):
        i, j = overlapping(boxes, boxes)
        bad = np.unique(j[(i < j) & (_iou(boxes[i], boxes[j]) > 0.3)])
        boxes[bad] = _boxes_at(rng, width, height, boxes[bad, 3] - boxes[bad, 1])
    return boxes


def _crowds(rng: np.random.Generator, width: int, height: int, count: int) -> np.ndarray:
    rows: list[np.ndarray] = []
    while len(rows) < count:
        first = _boxes_at(rng, width, height, _heights(rng, 1))[0]
        rows.append(first)
        for _ in range(int(rng.integers(1, 3))):
            wide, tall = first[2] - first[0], first[3] - first[1]
            shift = np.array([rng.choice([-1.0, 1.0]) * rng.uniform(0.15, 0.3) * wide, rng.uniform(-0.03, 0.03) * tall])
            grown = np.array([wide, tall]) * rng.uniform(0.92, 1.08, 2)
            first = np.concatenate([first[:2] + shift, first[:2] + shift + grown])
            rows.append(first)
    return np.array(rows[:count]).reshape(-1, 4)


def _nested(rng: np.random.Generator, boxes: np.ndarray, count: int) -> np.ndarray:
    host = boxes[rng.choice(np.flatnonzero(boxes[:, 3] - boxes[:, 1] > 80.0), count, replace=False)]
    extent = host[:, 2:] - host[:, :2]
    size = extent * rng.uniform(0.3, 0.65, (count, 1))
    corner = host[:, :2] + rng.uniform(0.0, 1.0, (count, 2)) * (extent - size)
    return np.concatenate([corner, corner + size], axis=1)


def _silhouette(rng: np.random.Generator, box: np.ndarray) -> shapely.Geometry:
    """A head, a torso, two arms and two legs, stretched to fill the box."""
    lean, spread, arm = rng.uniform(-0.12, 0.12), rng.uniform(0.02, 0.2), rng.uniform(0.05, 0.3)
    parts = [
        shapely.Point(0.5 + lean, 0.08).buffer(0.08, quad_segs=4),
        shapely.Polygon([(0.36 + lean, 0.15), (0.64 + lean, 0.15), (0.6, 0.55), (0.4, 0.55)]),
        shapely.LineString([(0.4 + lean, 0.18), (0.36 - arm, 0.5)]).buffer(0.04, quad_segs=2),
        shapely.LineString([(0.6 + lean, 0.18), (0.64 + arm * rng.uniform(0.2, 1.0), 0.5)]).buffer(0.04, quad_segs=2),
        shapely.LineString([(0.45, 0.5), (0.46 - spread, 0.96)]).buffer(0.055, quad_segs=2),
        shapely.LineString([(0.55, 0.5), (0.54 + spread * rng.uniform(0.3, 1.0), 0.96)]).buffer(0.055, quad_segs=2),
    ]
    body = shapely.union_all(parts)
    x0, y0, x1, y1 = body.bounds
    scale = (box[2:] - box[:2]) / np.array([x1 - x0, y1 - y0])
    return shapely.transform(body, lambda xy: (xy - np.array([x0, y0])) * scale + box[:2])


def _iou(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    shared = np.maximum(np.minimum(a[:, 2:], b[:, 2:]) - np.maximum(a[:, :2], b[:, :2]), 0.0).prod(axis=1)
    return shared / ((a[:, 2:] - a[:, :2]).prod(axis=1) + (b[:, 2:] - b[:, :2]).prod(axis=1) - shared)


def _crowded(boxes: np.ndarray) -> np.ndarray:
    """Who overlaps a neighbour by IoU > .5 or lies inside another's box by .9 or more (both of them)."""
    i, j = overlapping(boxes, boxes)
    i, j = i[i != j], j[i != j]
    shared = np.maximum(np.minimum(boxes[i, 2:], boxes[j, 2:]) - np.maximum(boxes[i, :2], boxes[j, :2]), 0.0)
    inside = shared.prod(axis=1) / (boxes[i, 2:] - boxes[i, :2]).prod(axis=1)
    close = (_iou(boxes[i], boxes[j]) > 0.5) | (inside >= 0.9)
    result = np.zeros(len(boxes), dtype=np.bool_)
    result[i[close]] = True
    result[j[close]] = True
    return result


def make_square(rng: np.random.Generator, width: int, height: int, people: int) -> Scene:
    """Gives another kind of scene: a crowd on a ground plane, drawn from far to near, near people hiding far ones.

    Heights follow the foot row (20 px at the far line to 3,000 at the near edge, a few per cent beside it), people
    stand in knots of some four, many lean, sit or raise an arm, and only the largest visible piece of each is drawn.
    """
    share = rng.random(people) ** 1.6  # more people far away
    foot = 0.12 * height + 0.88 * height * share
    line = np.clip(20.0 + 0.2 * (foot - 0.12 * height), 20.0, 3000.0)
    knots = max(people // 4, 1)
    knot = rng.integers(0, knots, people)
    centre, depth = rng.random(knots), rng.random(knots)
    foot = 0.12 * height + 0.88 * height * (0.15 * share + 0.85 * depth[knot] ** 1.6)
    line = np.clip(20.0 + 0.2 * (foot - 0.12 * height), 20.0, 3000.0)
    tall = np.clip(line * rng.normal(1.0, 0.12, people) * np.where(rng.random(people) < 0.15, 0.65, 1.0), 20.0, 3000.0)
    wide = tall * np.exp(rng.normal(np.log(0.4), 0.25, people))
    x = np.clip(centre[knot] * width + rng.normal(0.0, 1.2, people) * wide, 0.0, width - wide)
    boxes = np.stack([x, foot - tall, x + wide, foot], axis=1)[np.argsort(-foot, kind="stable")]  # near ones first
    bodies = np.array([_silhouette(rng, box) for box in boxes], dtype=np.object_)
    bodies = shapely.intersection(bodies, shapely.box(0, 0, width, height))
    visible = bodies.copy()
    i, j = overlapping(boxes, boxes)
    for person in np.unique(i):
        front = bodies[j[(i == person) & (j < person)]]
        if len(front):
            pieces = shapely.get_parts(shapely.difference(bodies[person], shapely.union_all(front)))
            if len(pieces):  # a detector takes the largest piece for the person
                visible[person] = pieces[shapely.area(pieces).argmax()]
    shown = shapely.area(visible) >= 0.25 * shapely.area(bodies)
    visible = visible[shown & (shapely.area(bodies) > 0.0)]
    boxes = shapely.bounds(visible)
    return Scene(width, height, visible, boxes, _crowded(boxes))


SCENES = {"scattered": make_scene, "square": make_square}
