"""Artificial occluders: a patch of the image itself over part of a person, with all labels following."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from mili_core.datasets.outlines import fill_outline, trace_outline
from mili_core.datasets.sample import BodyTruth, Float32Array, Polygons, Sample

TRIES = 4
LEAST_LEFT = 0.4  # of what was seen of each person; less is no fair example
MIN_HEIGHT_PX = 24.0  # people less tall are not covered any further
SIDES = (0.25, 0.6)  # of the patch, as shares of the person's box

BoolArray = NDArray[np.bool_]


def hide_part(sample: Sample, rng: np.random.Generator) -> Sample:
    """Gives the sample with a patch over part of one person; unchanged where no fair place is found.

    The patch is an ellipse or a rectangle cut from elsewhere in the image. Outlines, boxes, the visibility of joints
    and visible fractions are those of what remains. People without an outline are not touched.
    """
    tall = sample.boxes_xyxy[:, 3] - sample.boxes_xyxy[:, 1] >= MIN_HEIGHT_PX
    candidates = [i for i, rings in enumerate(sample.polygons) if rings is not None and tall[i]]
    for _ in range(TRIES if candidates else 0):
        person = candidates[int(rng.integers(len(candidates)))]
        patch = _draw_patch(sample.boxes_xyxy[person], sample.image.shape[:2], rng)
        hidden = _hidden(sample, patch)
        if hidden is not None:
            return replace(hidden, image=_painted(sample, patch, rng))
    return sample


def _draw_patch(box: Float32Array, shape: tuple[int, int], rng: np.random.Generator) -> BoolArray:
    """Gives the (H, W) pixels of a patch whose centre lies in a person's box."""
    size = np.maximum((box[2:] - box[:2]) * rng.uniform(*SIDES, 2), 3.0)
    centre = rng.uniform(box[:2], box[2:])
    patch = np.zeros(shape, dtype=np.uint8)
    if rng.random() < 0.5:
        axes = np.maximum(size / 2, 1.0)
        cv2.ellipse(
            patch, (round(float(centre[0])), round(float(centre[1]))), (round(float(axes[0])), round(float(axes[1]))),
            float(rng.uniform(0, 180)), 0, 360, 1, -1,
        )  # fmt: skip
    else:
        low, high = (centre - size / 2).round().astype(int), (centre + size / 2).round().astype(int)
        cv2.rectangle(patch, (int(low[0]), int(low[1])), (int(high[0]), int(high[1])), 1, -1)
    return patch.astype(bool)


def _hidden(sample: Sample, patch: BoolArray) -> Sample | None:
    """Gives the sample's labels under a patch; None where it hides too much of somebody or lies over the unknown."""
    boxes, polygons = sample.boxes_xyxy.copy(), list(sample.polygons)
    left = np.ones(len(boxes), dtype=np.float32)
    rows, columns = np.nonzero(patch)
    if not len(rows):
        return None
    low, high = (columns.min(), rows.min()), (columns.max() + 1, rows.max() + 1)
    touched = (boxes[:, :2] < high).all(axis=1) & (boxes[:, 2:] > low).all(axis=1)
    for person in np.flatnonzero(touched).tolist():
        outline = polygons[person]
        if outline is None:
            return None
        kept = _kept(outline, patch)
        if kept is None:
            return None
        left[person], polygons[person] = kept
        boxes[person] = _bounds(polygons[person] or (), boxes[person])
    return replace(
        sample,
        boxes_xyxy=boxes,
        polygons=tuple(polygons),
        keypoints=_marked(sample.keypoints, patch, 1.0),
        bodies=None if sample.bodies is None else _bodies(sample.bodies, left, patch),
    )


def _kept(outline: Polygons, patch: BoolArray) -> tuple[float, Polygons] | None:
    """Gives the share of a person that stays in sight, and its outline; None for less than LEAST_LEFT."""
    mask = np.zeros(patch.shape, dtype=np.uint8)
    fill_outline(mask, outline)
    whole = int(mask.sum())
    if not (mask.astype(bool) & patch).any():
        return 1.0, outline
    mask[patch] = 0
    share = int(mask.sum()) / whole
    traced = trace_outline(mask, holes=True)
    return None if traced is None or share < LEAST_LEFT else (share, traced)


def _bounds(rings: Polygons, box: Float32Array) -> Float32Array:
    """Gives the box of what remains, inside the box that was."""
    points = np.concatenate(rings)
    return np.concatenate([np.maximum(points.min(0), box[:2]), np.minimum(points.max(0), box[2:])]).astype(np.float32)


def _bodies(bodies: BodyTruth, left: Float32Array, patch: BoolArray) -> BodyTruth:
    fraction = bodies.visible_fraction
    return replace(
        bodies,
        joints2d=_marked(bodies.joints2d, patch, 0.0),
        visible_fraction=None if fraction is None else fraction * left,
    )


def _marked(points: Float32Array, patch: BoolArray, value: float) -> Float32Array:
    """Gives points (P, K, 3) whose third number is at most `value` where the patch lies."""
    cells = np.floor(points[..., :2]).astype(np.int64)
    inside = np.asarray(((cells >= 0) & (cells < [patch.shape[1], patch.shape[0]])).all(axis=-1), dtype=bool)
    column, row = np.where(inside[..., None], cells, 0).transpose(2, 0, 1)
    marked = points.copy()
    covered = inside & patch[row, column]
    marked[..., 2] = np.where(covered, np.minimum(points[..., 2], np.float32(value)), points[..., 2])
    return marked


def _painted(sample: Sample, patch: BoolArray, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Gives the image with the patch filled from where nobody is, in another light; with one colour if that is hard."""
    image, people = sample.image, np.zeros(patch.shape, dtype=bool)
    for x0, y0, x1, y1 in np.concatenate([sample.boxes_xyxy, sample.ignore_boxes_xyxy]).round().astype(int).tolist():
        people[max(y0, 0) : y1, max(x0, 0) : x1] = True
    source = np.broadcast_to(rng.uniform(0, 255, 3).astype(np.float32), (int(patch.sum()), 3))
    for _ in range(TRIES):
        shift = (int(rng.integers(patch.shape[0])), int(rng.integers(patch.shape[1])))
        if not np.roll(people, shift, axis=(0, 1))[patch].any():
            source = np.roll(image, shift, axis=(0, 1))[patch].astype(np.float32)
            break
    tint = rng.uniform(0.5, 1.4, 3).astype(np.float32)
    painted = image.copy()
    painted[patch] = np.clip(source * tint, 0, 255).astype(np.uint8)
    return painted
