"""Arms from what the hands hold: handles, bars and boxes are given, shoulders and elbows follow."""

from __future__ import annotations

import numpy as np

from mili_core.synth.poses.figure import SIDE_MIRROR, forward, mean_figure
from mili_core.synth.poses.limb import aim, arm_angles, hinge_angle
from mili_core.synth.poses.skeleton import (
    Angle,
    Float64Array,
    Joint,
    angle_limits_rad,
    angles_to_rotmats,
    axis_rotation,
)

ARMS = (
    (Joint.LEFT_COLLAR, Joint.LEFT_SHOULDER, Joint.LEFT_ELBOW),
    (Joint.RIGHT_COLLAR, Joint.RIGHT_SHOULDER, Joint.RIGHT_ELBOW),
)

ELBOWS_DOWN = (0.45, -1.0, -0.35)
"""Where elbows point when a person holds something before the body: down, a little out and back."""


def hold(
    angles: Float64Array,
    pelvis_m: Float64Array,
    hands_m: Float64Array,
    *,
    elbows: tuple[float, float, float] = ELBOWS_DOWN,
    sides: tuple[int, ...] = (0, 1),
) -> None:
    """Sets shoulders and elbows of poses (N, 24, 4) in place, so that the palms are where they should be.

    Args:
        angles: with pelvis and spine already set.
        pelvis_m: (N, 3) where the pelvis is.
        hands_m: (N, 2, 3) where the palms are, left first; out of reach stretches the arm towards it.
        elbows: where elbows point, x outwards.
        sides: which arms to set, 0 left, 1 right.
    """
    limits = angle_limits_rad()
    figure = mean_figure()
    joints, world = forward(angles_to_rotmats(angles), pelvis_m)
    for side in sides:
        collar, shoulder, elbow = ARMS[side]
        mirror = SIDE_MIRROR if side else np.eye(3)
        turn = mirror @ world[:, collar] @ mirror
        target = (hands_m[:, side] - joints[:, shoulder]) @ mirror
        # The forearm comes to the front when the elbow's yaw is negative: the hinge's other branch.
        bend = -hinge_angle(figure.upper_arm_m, figure.forearm_m, 1, np.linalg.norm(target, axis=-1))
        bend = np.clip(bend, *limits[elbow, Angle.YAW])
        straight = figure.upper_arm_m + axis_rotation(bend, 1) @ figure.forearm_m
        hinge = np.cross(target, np.broadcast_to(elbows, target.shape))
        upper = aim(straight, np.array([0.0, 1.0, 0.0]), target, hinge)
        set_angles = arm_angles(turn.swapaxes(-1, -2) @ upper)
        angles[:, shoulder] = np.clip(set_angles, limits[shoulder, :, 0], limits[shoulder, :, 1])
        angles[:, elbow, Angle.YAW] = bend
