"""A person's own frame on the ground, in which things are fitted to the body."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mili_core.synth.objects.mesh import Mesh
from mili_core.synth.poses.skeleton import Joint

Float64Array = NDArray[np.float64]

THIGH_M = 0.40
"""From hip to knee of a mean adult: what sizes are scaled by."""

WRISTS = [Joint.LEFT_WRIST, Joint.RIGHT_WRIST]
HANDS = [Joint.LEFT_HAND, Joint.RIGHT_HAND]
FEET = [Joint.LEFT_FOOT, Joint.RIGHT_FOOT]


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """A person's own frame on the ground.

    Attributes:
        rotation: (3, 3) from the frame to upright axes; its columns are the person's left, up and front.
        origin: (3,) ground point below the pelvis.
        joints: (24, 3) in the frame.
        size: of the person over a mean adult.
    """

    rotation: Float64Array
    origin: Float64Array
    joints: Float64Array
    size: float

    def enter(self, points: NDArray[np.floating]) -> Float64Array:
        """Gives points (N, 3) of upright axes in the frame."""
        inside: Float64Array = (points.astype(np.float64) - self.origin) @ self.rotation
        return inside

    def leave(self, mesh: Mesh) -> Mesh:
        """Gives a mesh of the frame in upright axes."""
        return mesh.transformed(self.rotation, self.origin)


def frame_of(joints: NDArray[np.floating]) -> Frame:
    """Gives the frame of a person from joints (24, 3) in upright axes."""
    points = joints.astype(np.float64)
    left = points[Joint.LEFT_HIP] - points[Joint.RIGHT_HIP]
    left[1] = 0.0
    left /= max(float(np.linalg.norm(left)), 1e-6)
    up = np.array([0.0, 1.0, 0.0])
    rotation = np.stack([left, up, np.cross(left, up)], axis=1)
    origin = points[Joint.PELVIS] * [1.0, 0.0, 1.0]
    thighs = points[[Joint.LEFT_KNEE, Joint.RIGHT_KNEE]] - points[[Joint.LEFT_HIP, Joint.RIGHT_HIP]]
    size = float(np.linalg.norm(thighs, axis=1).mean()) / THIGH_M
    return Frame(rotation, origin, (points - origin) @ rotation, size)
