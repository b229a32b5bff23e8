"""SMPL's joints by name, anatomical angles, their limits, and the rotations that they stand for."""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

JOINT_COUNT = 24
Float64Array = NDArray[np.float64]


class Joint(IntEnum):
    """SMPL's 24 kinematic joints."""

    PELVIS = 0
    LEFT_HIP = 1
    RIGHT_HIP = 2
    SPINE1 = 3
    LEFT_KNEE = 4
    RIGHT_KNEE = 5
    SPINE2 = 6
    LEFT_ANKLE = 7
    RIGHT_ANKLE = 8
    SPINE3 = 9
    LEFT_FOOT = 10
    RIGHT_FOOT = 11
    NECK = 12
    LEFT_COLLAR = 13
    RIGHT_COLLAR = 14
    HEAD = 15
    LEFT_SHOULDER = 16
    RIGHT_SHOULDER = 17
    LEFT_ELBOW = 18
    RIGHT_ELBOW = 19
    LEFT_WRIST = 20
    RIGHT_WRIST = 21
    LEFT_HAND = 22
    RIGHT_HAND = 23


class Angle(IntEnum):
    """The four angles of a joint, radians; zero is the T-pose.

    A joint's rotation is Rx(PITCH) Ry(YAW) Rz(ROLL) Rx(TWIST) in the body's axes (y up, faces +z, left = +x); the
    pelvis turns about the vertical last: Ry(YAW) Rx(PITCH) Rz(ROLL).
    TWIST turns an arm about its own T-pose axis. Angles of right-side joints are stored mirrored (YAW and ROLL
    change sign when rotations are made), so one set of numbers means the same motion on both sides.
    """

    PITCH = 0
    YAW = 1
    ROLL = 2
    TWIST = 3


MIRROR = np.array([0, 2, 1, 3, 5, 4, 6, 8, 7, 9, 11, 10, 12, 14, 13, 15, 17, 16, 19, 18, 21, 20, 23, 22])
RIGHT_SIDE = np.array([2, 5, 8, 11, 14, 17, 19, 21, 23])

# Degrees (low, high) of pitch, yaw, roll, twist for the left side and the middle; clinical ranges of motion
# (AAOS), narrowed where clothing and everyday motion never go. Left-side signs: hip and shoulder flexion are
# negative pitch, knee flexion positive pitch, elbow flexion negative yaw, lowering the arm negative roll.
_LIMITS_DEG: dict[Joint, tuple[tuple[float, float], ...]] = {
    Joint.PELVIS: ((-25, 90), (-180, 180), (-15, 15), (0, 0)),
    Joint.LEFT_HIP: ((-130, 30), (-30, 50), (-20, 50), (0, 0)),
    Joint.SPINE1: ((-12, 35), (-15, 15), (-12, 12), (0, 0)),
    Joint.LEFT_KNEE: ((0, 150), (-8, 8), (-5, 5), (0, 0)),
    Joint.SPINE2: ((-12, 30), (-15, 15), (-12, 12), (0, 0)),
    Joint.LEFT_ANKLE: ((-35, 45), (-20, 20), (-15, 15), (0, 0)),
    Joint.SPINE3: ((-10, 25), (-15, 15), (-10, 10), (0, 0)),
    Joint.LEFT_FOOT: ((-60, 15), (0, 0), (0, 0), (0, 0)),
    Joint.NECK: ((-25, 35), (-40, 40), (-18, 18), (0, 0)),
    Joint.LEFT_COLLAR: ((-8, 8), (-20, 15), (-12, 25), (0, 0)),
    Joint.HEAD: ((-20, 30), (-40, 40), (-15, 15), (0, 0)),
    Joint.LEFT_SHOULDER: ((-170, 50), (-110, 40), (-90, 85), (-70, 80)),
    Joint.LEFT_ELBOW: ((0, 0), (-145, 0), (0, 0), (-80, 80)),
    Joint.LEFT_WRIST: ((0, 0), (-20, 25), (-60, 60), (0, 0)),
    Joint.LEFT_HAND: ((0, 0), (-10, 10), (-80, 10), (0, 0)),
}


def angle_limits_rad() -> Float64Array:
    """Gives (24, 4, 2) low and high of each joint's angles, radians, right side mirrored like the left."""
    limits = np.zeros((JOINT_COUNT, 4, 2), dtype=np.float64)
    for joint, ranges in _LIMITS_DEG.items():
        limits[joint] = np.deg2rad(ranges)
        limits[MIRROR[joint]] = limits[joint]
    return limits


def swap_sides(angles: Float64Array) -> Float64Array:
    """Gives the mirror image of poses (N, 24, 4): left and right change places, turns of the middle change sign."""
    swapped = angles[:, MIRROR].copy()
    middle = np.flatnonzero(np.arange(JOINT_COUNT) == MIRROR)
    swapped[:, middle, Angle.YAW] *= -1.0
    swapped[:, middle, Angle.ROLL] *= -1.0
    return swapped


def angles_to_rotmats(angles: Float64Array) -> NDArray[np.float32]:
    """Gives (N, 24, 3, 3) float32 rotations of anatomical angles (N, 24, 4)."""
    signed = angles.copy()
    signed[:, RIGHT_SIDE, Angle.YAW] *= -1.0
    signed[:, RIGHT_SIDE, Angle.ROLL] *= -1.0
    pitch, yaw = axis_rotation(signed[..., Angle.PITCH], 0), axis_rotation(signed[..., Angle.YAW], 1)
    swing = pitch @ yaw
    swing[:, Joint.PELVIS] = yaw[:, Joint.PELVIS] @ pitch[:, Joint.PELVIS]
    matrices = swing @ axis_rotation(signed[..., Angle.ROLL], 2) @ axis_rotation(signed[..., Angle.TWIST], 0)
    return matrices.astype(np.float32)


def axis_rotation(angle_rad: Float64Array, axis: int) -> Float64Array:
    """Gives (..., 3, 3) right-handed rotations by `angle_rad` (...) about coordinate axis 0, 1 or 2."""
    first, second = (axis + 1) % 3, (axis + 2) % 3
    matrices = np.zeros((*np.shape(angle_rad), 3, 3), dtype=np.float64)
    matrices[..., axis, axis] = 1.0
    matrices[..., first, first] = matrices[..., second, second] = np.cos(angle_rad)
    matrices[..., second, first] = np.sin(angle_rad)
    matrices[..., first, second] = -np.sin(angle_rad)
    return matrices
