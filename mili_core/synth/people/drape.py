"""How cloth hangs on a body: what it spans instead of following the skin, and how far limbs are from their axes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mili_core.synth.poses.skeleton import Joint

Float32Array = NDArray[np.float32]
Float64Array = NDArray[np.float64]

_SECTORS = 72
_LEVEL_M = 0.015
"""Height of the slices of the trunk, about the distance of vertices."""

_DRAPE_LIMIT_M = 0.09
"""Cloth falls back to the body after this: shirts do not stand off like bells."""

_SMOOTHING = 6


@dataclass(frozen=True, slots=True, eq=False)
class Drape:
    """Where cloth leaves the skin of the mean shape in the rest pose.

    Attributes:
        fill_m: (V,) float32, how far a taut cloth around the trunk stands off the skin: over the hollow of the back,
            between breasts and buttocks; 0 off the trunk.
        hang_m: (V,) float32, how far a cloth that falls straight down from above stands off the skin, at least fill_m.
        limb_m: (V,) float32 distance to the axis of the arm or leg; 0 on trunk and head.
        crotch_y: height of the crotch, metres.
    """

    fill_m: Float32Array
    hang_m: Float32Array
    limb_m: Float32Array
    crotch_y: float


def measure_drape(
    vertices: Float32Array, faces: NDArray[np.int64], joints: Float32Array, on_arm: NDArray[np.bool_]
) -> Drape:
    """Gives how cloth hangs on a body in its rest pose.

    Args:
        vertices: (V, 3) metres, T-pose, y up, facing +z.
        faces: (F, 3).
        joints: (24, 3).
        on_arm: (V,) vertices of the arms.
    """
    x, y, _ = vertices.astype(np.float64).T
    hip_y = float(joints[[Joint.LEFT_HIP, Joint.RIGHT_HIP], 1].mean())
    knee_y = float(joints[[Joint.LEFT_KNEE, Joint.RIGHT_KNEE], 1].mean())
    shoulder_y = float(joints[[Joint.LEFT_SHOULDER, Joint.RIGHT_SHOULDER], 1].mean())
    middle = (np.abs(x) < 0.02) & (y < hip_y) & (y > knee_y)
    crotch_y = float(y[middle].min(initial=hip_y - 0.05))
    trunk = ~on_arm & (y > crotch_y) & (y < shoulder_y)
    fill, hang = _spans(vertices[trunk].astype(np.float64))
    offsets = np.zeros((len(vertices), 2))
    offsets[trunk] = np.stack([fill, hang], axis=1)
    offsets = _smooth(offsets, faces)
    below = np.clip((y - crotch_y) / 0.03, 0.0, 1.0)[:, None] * ~on_arm[:, None]
    offsets = np.clip(offsets * below, 0.0, _DRAPE_LIMIT_M).astype(np.float32)
    limb = np.where(on_arm, _from_arm(vertices, joints), np.where(y < hip_y, _from_leg(vertices, joints), 0.0))
    return Drape(offsets[:, 0], np.maximum(offsets[:, 0], offsets[:, 1]), limb.astype(np.float32), crotch_y)


def _spans(points: Float64Array) -> tuple[Float64Array, Float64Array]:
    """Gives (N,) distances from trunk points (N, 3) to their slice's convex hull, and to the widest one above."""
    x, y, z = points.T
    if not len(points):
        return np.zeros(0), np.zeros(0)
    level = np.floor((y.max() - y) / _LEVEL_M).astype(np.int64)
    turns = 2.0 * np.pi * np.arange(_SECTORS) / _SECTORS
    directions = np.stack([np.sin(turns), np.cos(turns)])
    centre = np.array([0.0, 0.5 * (np.quantile(z, 0.02) + np.quantile(z, 0.98))])
    flat = np.stack([x, z], axis=1) - centre
    reach = flat @ directions
    support = np.full((level.max() + 1, _SECTORS), -np.inf)
    np.maximum.at(support, level, reach)
    for row in range(1, len(support)):
        support[row] = np.where(np.isfinite(support[row]), support[row], support[row - 1])
    # Two slices together, so that the hull does not depend on where the cuts lie.
    support[1:] = np.maximum(support[1:], support[:-1])
    fallen = np.maximum.accumulate(support, axis=0)
    angle = np.arctan2(flat[:, 0], flat[:, 1])
    radius = np.hypot(*flat.T)
    toward = np.cos(angle[:, None] - turns)
    near = toward > 0.25
    spans = []
    for extent in (support, fallen):
        hull = np.where(near, extent[level] / np.where(near, toward, 1.0), np.inf).min(axis=1)
        spans.append(np.clip(hull - radius, 0.0, None))
    return spans[0], spans[1]


def _smooth(values: Float64Array, faces: NDArray[np.int64]) -> Float64Array:
    """Gives values (V, K) averaged over neighbours a few times."""
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    degree = np.maximum(np.bincount(edges[:, 0], minlength=len(values)), 1)[:, None]
    for _ in range(_SMOOTHING):
        total = np.stack([np.bincount(edges[:, 0], column[edges[:, 1]], len(values)) for column in values.T], axis=1)
        values = 0.5 * values + 0.5 * total / degree
    return values


def _from_arm(vertices: Float32Array, joints: Float32Array) -> Float64Array:
    """Gives (V,) distances to the line through the shoulder and the wrist on the vertex's side."""
    left = vertices[:, :1] > 0
    start = np.where(left, joints[Joint.LEFT_SHOULDER], joints[Joint.RIGHT_SHOULDER])
    end = np.where(left, joints[Joint.LEFT_WRIST], joints[Joint.RIGHT_WRIST])
    return _from_line(vertices, start, end)


def _from_leg(vertices: Float32Array, joints: Float32Array) -> Float64Array:
    """Gives (V,) distances to the thigh's or the shin's axis on the vertex's side."""
    left = vertices[:, :1] > 0
    hip, knee, ankle = (
        np.where(left, joints[a], joints[b])
        for a, b in (
            (Joint.LEFT_HIP, Joint.RIGHT_HIP),
            (Joint.LEFT_KNEE, Joint.RIGHT_KNEE),
            (Joint.LEFT_ANKLE, Joint.RIGHT_ANKLE),
        )
    )
    thigh = vertices[:, 1] > knee[:, 1]
    return np.where(thigh, _from_line(vertices, hip, knee), _from_line(vertices, knee, ankle))


def _from_line(points: Float32Array, start: Float32Array, end: Float32Array) -> Float64Array:
    along = (end - start).astype(np.float64)
    along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-6)
    offset = points - start
    distance: Float64Array = np.linalg.norm(offset - (offset * along).sum(axis=1, keepdims=True) * along, axis=1)
    return distance
