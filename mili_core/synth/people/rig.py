"""A body made ready for rendering: skinning, normals, and where on the body each vertex lies."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray

from mili_core.body import BodyModel, SkinnedBody
from mili_core.synth.people.drape import Drape, measure_drape
from mili_core.synth.poses.skeleton import Joint

Float32Array = NDArray[np.float32]

SKIN_BATCH = 16
"""People skinned at once: a fixed partition, so that a person's vertices do not depend on who else is rendered."""

_ARM_JOINTS = [
    Joint.LEFT_SHOULDER, Joint.RIGHT_SHOULDER, Joint.LEFT_ELBOW, Joint.RIGHT_ELBOW,
    Joint.LEFT_WRIST, Joint.RIGHT_WRIST, Joint.LEFT_HAND, Joint.RIGHT_HAND,
]  # fmt: skip
_RIGHT_EYE, _LEFT_EYE = 1, 2
"""Rows of `BodyModel.vertex_ids`."""

_CHIN_BELOW_HEAD_JOINT = 0.3
"""Where the chin lies under the head joint, as a share of the crown's height over it; for bodies without landmarks."""


class Field:
    """Columns of `Rig.fields`."""

    X = 0
    """Metres to the left in the rest pose."""
    Y = 1
    """Metres up in the rest pose."""
    Z = 2
    """Metres to the front in the rest pose."""
    ARM = 3
    """0 at the shoulder, 1 at the wrist; below 0 off the arms."""
    LEG = 4
    """0 at the hip joints' height, 1 at the ankles', below 0 above the hips; -1 on the arms."""
    HEAD = 5
    """0 at the chin, 0.5 at the eyes, 1 at the crown; below 0 on the neck, -1 elsewhere."""
    FRONT = 6
    """-1 at the back of the head, 1 at the face; 0 off the head."""
    COUNT = 7


@dataclass(frozen=True, slots=True, eq=False)
class Posed:
    """P bodies in a pose, metres, in the axes that the root rotation leads to.

    Attributes:
        vertices: (P, V, 3) float32.
        joints: (P, 24, 3) float32.
        transforms: (P, 24, 3, 4) float32, each joint's map from the rest pose to the posed one.
    """

    vertices: Float32Array
    joints: Float32Array
    transforms: Float32Array


@dataclass(frozen=True, slots=True, eq=False)
class Rig:
    """A body ready for rendering.

    Attributes:
        body: the model.
        skinned: its skinning.
        fields: (V, Field.COUNT) float32, position on the body in the rest pose of the mean shape.
        drape: how cloth hangs on the body.
        joints: (24, 3) float32 joints of the mean shape in the rest pose.
        normals: (V, 3) float32 unit normals of the mean shape in the rest pose.
        shoulder_y: metres, height of the shoulder joints in the rest pose.
        neck_y: metres, height of the neck joint in the rest pose.
        chin_y, crown_y: metres, where `Field.HEAD` is 0 and 1.
        head_half_width: metres.
        pelvis_y: metres, height of the pelvis joint in the rest pose.
    """

    body: BodyModel
    skinned: SkinnedBody
    fields: Float32Array
    drape: Drape
    joints: Float32Array
    normals: Float32Array
    shoulder_y: float
    neck_y: float
    chin_y: float
    crown_y: float
    head_half_width: float
    pelvis_y: float

    def pose(self, betas: Float32Array, rotmats: Float32Array) -> Posed:
        """Gives bodies in poses; the same bytes whatever the number of threads.

        Args:
            betas: (P, 10) float32.
            rotmats: (P, 24, 3, 3) float32.
        """
        vertices = [np.zeros((0, self.body.vertex_count, 3), dtype=np.float32)]
        joints = [np.zeros((0, 24, 3), dtype=np.float32)]
        transforms = [np.zeros((0, 24, 3, 4), dtype=np.float32)]
        with torch.no_grad(), single_thread():
            for start in range(0, len(betas), SKIN_BATCH):
                chunk = slice(start, start + SKIN_BATCH)
                parts = self.skinned.skin(torch.tensor(betas[chunk]), torch.tensor(rotmats[chunk]))
                vertices.append(parts[0].numpy())
                joints.append(parts[1].numpy())
                transforms.append(parts[2].numpy())
        return Posed(np.concatenate(vertices), np.concatenate(joints), np.concatenate(transforms))


@contextmanager
def single_thread() -> Iterator[None]:
    """Runs torch on one thread, since sums over several depend on their number."""
    threads = torch.get_num_threads()
    if threads == 1:
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@lru_cache(maxsize=4)
def prepare_rig(body: BodyModel) -> Rig:
    """Gives the rig of a body; kept for the bodies used last, since a sample asks for it each time."""
    joints = body.j_regressor @ body.v_template
    fields = np.zeros((body.vertex_count, Field.COUNT), dtype=np.float32)
    fields[:, :3] = body.v_template
    x, y, z = body.v_template.T
    on_arm = body.weights[:, _ARM_JOINTS].sum(axis=1)
    shoulder_x, wrist_x = abs(joints[Joint.LEFT_SHOULDER, 0]), abs(joints[Joint.LEFT_WRIST, 0])
    fields[:, Field.ARM] = np.where(on_arm > 0.25, (np.abs(x) - shoulder_x) / (wrist_x - shoulder_x), -0.5)
    hip_y = joints[[Joint.LEFT_HIP, Joint.RIGHT_HIP], 1].mean()
    ankle_y = joints[[Joint.LEFT_ANKLE, Joint.RIGHT_ANKLE], 1].mean()
    fields[:, Field.LEG] = np.where(on_arm > 0.5, -1.0, (hip_y - y) / (hip_y - ankle_y))
    on_head = body.weights[:, Joint.HEAD] > 0.5
    crown = float(y[on_head].max(initial=joints[Joint.HEAD, 1] + 0.1))
    chin = _chin_y(body, float(joints[Joint.HEAD, 1]), crown)
    front, back = z[on_head].max(initial=0.1), z[on_head].min(initial=-0.1)
    near_head = body.weights[:, [Joint.HEAD, Joint.NECK]].sum(axis=1) > 0.5
    fields[:, Field.HEAD] = np.where(near_head, np.maximum((y - chin) / (crown - chin), -0.8), -1.0)
    fields[:, Field.FRONT] = np.where(near_head, (z - 0.5 * (front + back)) / (0.5 * (front - back)), 0.0)
    return Rig(
        body=body,
        skinned=SkinnedBody(body).eval(),
        fields=fields,
        drape=measure_drape(body.v_template, body.faces, joints.astype(np.float32), on_arm > 0.25),
        joints=joints.astype(np.float32),
        normals=vertex_normals(body.v_template[None], body.faces)[0],
        shoulder_y=float(joints[[Joint.LEFT_SHOULDER, Joint.RIGHT_SHOULDER], 1].mean()),
        neck_y=float(joints[Joint.NECK, 1]),
        chin_y=chin,
        crown_y=crown,
        head_half_width=float(np.abs(x[on_head]).max(initial=0.08)),
        pelvis_y=float(joints[Joint.PELVIS, 1]),
    )


def _chin_y(body: BodyModel, head_joint_y: float, crown_y: float) -> float:
    """Gives the height of the chin: the eyes lie half way between it and the crown."""
    if body.vertex_ids is None:
        return head_joint_y - _CHIN_BELOW_HEAD_JOINT * (crown_y - head_joint_y)
    eyes_y = float(body.v_template[body.vertex_ids[[_RIGHT_EYE, _LEFT_EYE]], 1].mean())
    # A landmark off the head (a made-up body) must not turn the face upside down.
    return min(2.0 * eyes_y - crown_y, crown_y - 0.05)


def vertex_normals(vertices: Float32Array, faces: NDArray[np.int64]) -> Float32Array:
    """Gives (P, V, 3) float32 unit normals, area weighted; zero where a vertex has no face with area.

    Args:
        vertices: (P, V, 3) metres.
        faces: (F, 3), counter-clockwise from outside.
    """
    corners = np.ascontiguousarray(faces.T).ravel()
    normals = np.zeros(vertices.shape, dtype=np.float32)
    for points, outward in zip(vertices, normals, strict=True):
        x, y, z = np.ascontiguousarray(points.T)
        (xa, xb, xc), (ya, yb, yc), (za, zb, zc) = (
            (axis[faces[:, 0]], axis[faces[:, 1]], axis[faces[:, 2]]) for axis in (x, y, z)
        )
        ux, uy, uz, vx, vy, vz = xb - xa, yb - ya, zb - za, xc - xa, yc - ya, zc - za
        for axis, normal in enumerate((uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx)):
            outward[:, axis] = np.bincount(corners, weights=np.tile(normal, 3), minlength=len(points))
    unit: Float32Array = normals / np.maximum(np.linalg.norm(normals, axis=-1, keepdims=True), np.float32(1e-12))
    return unit
