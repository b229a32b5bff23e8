"""A body made ready for rendering: skinning, normals, and where on the body each vertex lies."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray

from mili_core.body import BodyModel, SkinnedBody
from mili_core.synth.skeleton import Joint

Float32Array = NDArray[np.float32]

SKIN_BATCH = 16
"""People skinned at once: a fixed partition, so that a person's vertices do not depend on who else is rendered."""

_ARM_JOINTS = [
    Joint.LEFT_SHOULDER, Joint.RIGHT_SHOULDER, Joint.LEFT_ELBOW, Joint.RIGHT_ELBOW,
    Joint.LEFT_WRIST, Joint.RIGHT_WRIST, Joint.LEFT_HAND, Joint.RIGHT_HAND,
]  # fmt: skip


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
    """0 at the chin, 1 at the crown; below 0 off the head."""
    FRONT = 6
    """-1 at the back of the head, 1 at the face; 0 off the head."""
    COUNT = 7


@dataclass(frozen=True, slots=True, eq=False)
class Rig:
    """A body ready for rendering.

    Attributes:
        body: the model.
        skinned: its skinning.
        fields: (V, Field.COUNT) float32, position on the body in the rest pose of the mean shape.
        shoulder_y: metres, height of the shoulder joints in the rest pose.
        neck_y: metres, height of the neck joint in the rest pose.
        head_half_width: metres.
        pelvis_y: metres, height of the pelvis joint in the rest pose.
    """

    body: BodyModel
    skinned: SkinnedBody
    fields: Float32Array
    shoulder_y: float
    neck_y: float
    head_half_width: float
    pelvis_y: float

    def pose(self, betas: Float32Array, rotmats: Float32Array) -> tuple[Float32Array, Float32Array]:
        """Gives vertices (P, V, 3) and joints (P, 24, 3), metres, in the axes that the root rotation leads to.

        Args:
            betas: (P, 10).
            rotmats: (P, 24, 3, 3).
        """
        vertices = [np.zeros((0, self.body.vertex_count, 3), dtype=np.float32)]
        joints = [np.zeros((0, 24, 3), dtype=np.float32)]
        with torch.no_grad():
            for start in range(0, len(betas), SKIN_BATCH):
                chunk = slice(start, start + SKIN_BATCH)
                posed, skeleton = self.skinned(torch.tensor(betas[chunk]), torch.tensor(rotmats[chunk]))
                vertices.append(posed.numpy())
                joints.append(skeleton.numpy())
        return np.concatenate(vertices), np.concatenate(joints)


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
    low, high = y[on_head].min(), y[on_head].max()
    chin = joints[Joint.HEAD, 1] + 0.12 * (high - joints[Joint.HEAD, 1]) if on_head.any() else low
    front, back = z[on_head].max(), z[on_head].min()
    near_head = body.weights[:, [Joint.HEAD, Joint.NECK]].sum(axis=1) > 0.5
    fields[:, Field.HEAD] = np.where(near_head, (y - chin) / (high - chin), -1.0)
    fields[:, Field.FRONT] = np.where(near_head, (z - 0.5 * (front + back)) / (0.5 * (front - back)), 0.0)
    return Rig(
        body=body,
        skinned=SkinnedBody(body).eval(),
        fields=fields,
        shoulder_y=float(joints[[Joint.LEFT_SHOULDER, Joint.RIGHT_SHOULDER], 1].mean()),
        neck_y=float(joints[Joint.NECK, 1]),
        head_half_width=float(np.abs(x[on_head]).max()),
        pelvis_y=float(joints[Joint.PELVIS, 1]),
    )


def vertex_normals(vertices: Float32Array, faces: NDArray[np.int64]) -> Float32Array:
    """Gives (P, V, 3) float32 unit normals, area weighted; zero where a vertex has no face with area.

    Args:
        vertices: (P, V, 3) metres.
        faces: (F, 3), counter-clockwise from outside.
    """
    points, index = torch.from_numpy(vertices), torch.from_numpy(faces)
    a, b, c = (points[:, index[:, corner]] for corner in range(3))
    face_normals = torch.linalg.cross(b - a, c - a)
    normals = torch.zeros_like(points)
    for corner in range(3):
        normals.index_add_(1, index[:, corner], face_normals)
    unit: Float32Array = torch.nn.functional.normalize(normals, dim=-1).numpy()
    return unit
