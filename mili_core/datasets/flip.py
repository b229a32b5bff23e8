"""Mirror images: x becomes width - x, and what is left or right of a body changes places."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mili_core.datasets.sample import BodyTruth, Float32Array, Polygons, Sample

FLIPPED_KEYPOINTS = np.array([0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15], dtype=np.int64)
"""COCO's keypoints with left and right exchanged."""

FLIPPED_JOINTS = np.array(
    [0, 2, 1, 3, 5, 4, 6, 8, 7, 9, 11, 10, 12, 14, 13, 15, 17, 16, 19, 18, 21, 20, 23, 22], dtype=np.int64
)
"""SMPL's joints with left and right exchanged."""

_MIRROR = np.array([-1.0, 1.0, 1.0], dtype=np.float32)


def flip(sample: Sample) -> Sample:
    """Gives the mirror image; left and right keypoints, joints and rotations change places.

    Bodies keep their betas: SMPL's shapes are symmetric but for millimetres.
    """
    width = np.float32(sample.image.shape[1])
    return replace(
        sample,
        image=np.ascontiguousarray(sample.image[:, ::-1]),
        image_hr=None if sample.image_hr is None else np.ascontiguousarray(sample.image_hr[:, ::-1]),
        boxes_xyxy=_flip_boxes(sample.boxes_xyxy, width),
        ignore_boxes_xyxy=_flip_boxes(sample.ignore_boxes_xyxy, width),
        polygons=tuple(None if rings is None else _flip_rings(rings, width) for rings in sample.polygons),
        keypoints=_flip_points(sample.keypoints[:, FLIPPED_KEYPOINTS], width),
        bodies=None if sample.bodies is None else flip_bodies(sample.bodies, float(width)),
    )


def flip_bodies(bodies: BodyTruth, width: float) -> BodyTruth:
    """Gives the SMPL truth of the mirror image of an image `width` px wide.

    With M the mirror of x, a joint's rotation R becomes M R' M, R' being that of the joint on the other side.
    """
    amodal = bodies.amodal_polygons
    joints2d = bodies.joints2d[:, FLIPPED_JOINTS].copy()
    joints2d[..., 0] = np.float32(width) - joints2d[..., 0]  # joints out of sight have a place, too
    return replace(
        bodies,
        rotmats=np.ascontiguousarray(bodies.rotmats[:, FLIPPED_JOINTS] * _MIRROR[:, None] * _MIRROR),
        joints3d_m=bodies.joints3d_m[:, FLIPPED_JOINTS] * _MIRROR,
        joints2d=joints2d,
        amodal_polygons=None if amodal is None else tuple(_flip_rings(rings, np.float32(width)) for rings in amodal),
    )


def _flip_points(points: Float32Array, width: np.float32) -> Float32Array:
    """Gives points (P, K, 3) x, y, known; unknown ones stay 0."""
    flipped = points.copy()
    flipped[..., 0] = np.where(points[..., 2] > 0, width - points[..., 0], np.float32(0))
    return flipped


def _flip_boxes(boxes_xyxy: Float32Array, width: np.float32) -> Float32Array:
    flipped = boxes_xyxy.copy()
    flipped[:, 0], flipped[:, 2] = width - boxes_xyxy[:, 2], width - boxes_xyxy[:, 0]
    return flipped


def _flip_rings(rings: Polygons, width: np.float32) -> Polygons:
    mirror, offset = np.array([-1, 1], dtype=np.float32), np.array([width, 0], dtype=np.float32)
    return tuple(ring * mirror + offset for ring in rings)
