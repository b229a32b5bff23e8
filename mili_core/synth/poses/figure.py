"""The stick figure that poses are planned on: the open body's mean skeleton, its soles, and what a pose makes of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from mili_core.body import PARENTS, load_body
from mili_core.synth.poses.skeleton import JOINT_COUNT, MIRROR, Float64Array, Joint

SIDE_MIRROR = np.diag([-1.0, 1.0, 1.0])
"""Left and right limbs are solved as left ones; this turns one side into the other."""

HEEL_M = 0.045
"""How far behind the ankle joint the heel still carries weight: two thirds of the way to its outline."""


@dataclass(frozen=True, slots=True, eq=False)
class Figure:
    """Metres, T-pose, y up, facing +z, its left at +x, made symmetric.

    Attributes:
        joints_m: (24, 3) float64, relative to the pelvis.
        ankle_m: height of the ankle joint above the sole.
        ball_m: how far ahead of the ankle joint the ball of the foot lies.
        toe_m: how far ahead of the ankle joint the toes end.
        seat_m: height of the pelvis joint above the underside of the buttocks of a sitting person.
    """

    joints_m: Float64Array
    ankle_m: float
    ball_m: float
    toe_m: float
    seat_m: float = 0.105

    @property
    def thigh_m(self) -> Float64Array:
        """(3,) from the left hip to the left knee."""
        return self._bone(Joint.LEFT_HIP, Joint.LEFT_KNEE)

    @property
    def shank_m(self) -> Float64Array:
        """(3,) from the left knee to the left ankle."""
        return self._bone(Joint.LEFT_KNEE, Joint.LEFT_ANKLE)

    @property
    def upper_arm_m(self) -> Float64Array:
        """(3,) from the left shoulder to the left elbow."""
        return self._bone(Joint.LEFT_SHOULDER, Joint.LEFT_ELBOW)

    @property
    def forearm_m(self) -> Float64Array:
        """(3,) from the left elbow to the palm, three quarters of the way from the wrist to the knuckles."""
        palm = self._bone(Joint.LEFT_WRIST, Joint.LEFT_HAND) * 0.75
        return self._bone(Joint.LEFT_ELBOW, Joint.LEFT_WRIST) + palm

    def _bone(self, start: Joint, end: Joint) -> Float64Array:
        bone: Float64Array = self.joints_m[end] - self.joints_m[start]
        return bone


@lru_cache(maxsize=1)
def mean_figure() -> Figure:
    """Gives the figure of the open body's mean shape."""
    body = load_body()
    joints = (body.j_regressor @ body.v_template).astype(np.float64)
    joints = 0.5 * (joints + joints[MIRROR] @ SIDE_MIRROR)
    sole_y, toe_z = float(body.v_template[:, 1].min()), float(body.v_template[:, 2].max())
    ankle, ball = joints[Joint.LEFT_ANKLE], joints[Joint.LEFT_FOOT]
    return Figure(
        joints_m=joints - joints[Joint.PELVIS],
        ankle_m=float(ankle[1] - sole_y),
        ball_m=float(ball[2] - ankle[2]),
        toe_m=float(toe_z - ankle[2]),
    )


def forward(rotmats: NDArray[np.floating], pelvis_m: Float64Array) -> tuple[Float64Array, Float64Array]:
    """Gives the joints (N, 24, 3) and the joints' world rotations (N, 24, 3, 3) of the mean figure.

    Args:
        rotmats: (N, 24, 3, 3), each relative to its parent.
        pelvis_m: (N, 3) where the pelvis is.
    """
    rest = mean_figure().joints_m
    joints = np.zeros((len(rotmats), JOINT_COUNT, 3), dtype=np.float64)
    world = np.zeros((len(rotmats), JOINT_COUNT, 3, 3), dtype=np.float64)
    for joint, parent in enumerate(PARENTS):
        if parent < 0:
            joints[:, joint], world[:, joint] = pelvis_m, rotmats[:, joint]
            continue
        joints[:, joint] = joints[:, parent] + world[:, parent] @ (rest[joint] - rest[parent])
        world[:, joint] = world[:, parent] @ rotmats[:, joint]
    return joints, world
