"""Two bones and a hinge: the angles that bring an arm's or a leg's end to a given place."""

from __future__ import annotations

import numpy as np

from mili_core.synth.poses.skeleton import Float64Array, axis_rotation


def hinge_angle(upper_m: Float64Array, lower_m: Float64Array, axis: int, distance_m: Float64Array) -> Float64Array:
    """Gives the hinge's angle (N,) >= its straight position for which the limb's ends are `distance_m` (N,) apart.

    Args:
        upper_m: (3,) from the limb's root to the hinge, the hinge at zero.
        lower_m: (3,) from the hinge to the limb's end, the hinge at zero.
        axis: coordinate axis of the hinge.
        distance_m: (N,); out of reach gives the straightest or the most folded limb.
    """
    first, second = (axis + 1) % 3, (axis + 2) % 3
    along = upper_m[first] * lower_m[first] + upper_m[second] * lower_m[second]
    across = upper_m[second] * lower_m[first] - upper_m[first] * lower_m[second]
    fixed = upper_m @ upper_m + lower_m @ lower_m + 2.0 * upper_m[axis] * lower_m[axis]
    cosine = (np.square(distance_m) - fixed) / (2.0 * np.hypot(along, across))
    angle: Float64Array = np.arctan2(across, along) + np.arccos(np.clip(cosine, -1.0, 1.0))
    return angle


def limb_length(upper_m: Float64Array, lower_m: Float64Array, axis: int, angle_rad: Float64Array) -> Float64Array:
    """Gives the distance (N,) of the limb's ends for hinge angles (N,): the inverse of `hinge_angle`."""
    length: Float64Array = np.linalg.norm(upper_m + axis_rotation(angle_rad, axis) @ lower_m, axis=-1)
    return length


def aim(rest_m: Float64Array, rest_hinge: Float64Array, target_m: Float64Array, hinge: Float64Array) -> Float64Array:
    """Gives rotations (N, 3, 3) that turn the limb onto the target and its hinge as near as possible to `hinge`.

    Args:
        rest_m: (N, 3) from the limb's root to its end, before the rotation.
        rest_hinge: (3,) axis of the hinge before the rotation.
        target_m: (N, 3) the same after it; only its direction counts.
        hinge: (N, 3) wanted axis of the hinge after it, not along the target.
    """
    before = _frame(rest_m, np.broadcast_to(rest_hinge, rest_m.shape))
    return _frame(target_m, hinge) @ before.swapaxes(-1, -2)


def _frame(first: Float64Array, second: Float64Array) -> Float64Array:
    """Gives (N, 3, 3) rotations whose columns are `first`, `second` made square to it, and their product."""
    x = first / np.linalg.norm(first, axis=-1, keepdims=True)
    y = second - (second * x).sum(axis=-1, keepdims=True) * x
    y /= np.linalg.norm(y, axis=-1, keepdims=True)
    return np.stack((x, y, np.cross(x, y)), axis=-1)


def swing_angles(matrices: Float64Array) -> Float64Array:
    """Gives (N, 4) pitch, yaw, roll and a twist of 0 of rotations (N, 3, 3): Rx(pitch) Ry(yaw) Rz(roll)."""
    pitch = np.arctan2(-matrices[:, 1, 2], matrices[:, 2, 2])
    yaw = np.arcsin(np.clip(matrices[:, 0, 2], -1.0, 1.0))
    roll = np.arctan2(-matrices[:, 0, 1], matrices[:, 0, 0])
    return np.stack((pitch, yaw, roll, np.zeros_like(roll)), axis=-1)


def arm_angles(matrices: Float64Array) -> Float64Array:
    """Gives (N, 4) pitch, yaw 0, roll in -180..0 and twist of rotations (N, 3, 3): Rx(pitch) Rz(roll) Rx(twist)."""
    roll = -np.arccos(np.clip(matrices[:, 0, 0], -1.0, 1.0))
    pitch = np.arctan2(-matrices[:, 2, 0], -matrices[:, 1, 0])
    twist = np.arctan2(-matrices[:, 0, 2], matrices[:, 0, 1])
    return np.stack((pitch, np.zeros_like(roll), roll, twist), axis=-1)
