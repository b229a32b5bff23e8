"""From the sculptor's A-pose to SMPL's T-pose, so that skinning gives the sculpted surface back exactly."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mili_core.body.model import JOINTS, PARENTS, Float32Array

Float64Array = NDArray[np.float64]

PELVIS_M = (0.0, -0.22, 0.03)  # where SMPL's template has it
COLLAR_SHARE = 0.2  # of the arm's raise; a collarbone lifts with the arm
LEG_SLOPE = 0.02  # sideways per metre down from hip to ankle, as in SMPL's template; the sculpted legs are wide apart


def to_t_pose(
    vertices: Float32Array, joints: Float32Array, palms_across: Float32Array, weights: Float32Array
) -> tuple[Float32Array, Float32Array]:
    """Gives one person in T-pose: arms along x, palms down, legs nearly vertical, feet level.

    Args:
        vertices: (V, 3) in the sculpted pose, metres.
        joints: (24, 3).
        palms_across: (2, 3) from the little finger's side of the left and right palm to the index finger's.
        weights: (V, 24).

    Returns:
        vertices (V, 3) and joints (24, 3), pelvis at PELVIS_M. Skinning these with the inverse rotations gives the
        arguments back (but for the move of the pelvis).
    """
    sculpted = joints.astype(np.float64)
    rotations = _rotations(sculpted, palms_across.astype(np.float64))
    posed = _carry(sculpted, rotations)
    # Skinning T -> sculpted is x -> R_k^T (x - posed_k) + sculpted_k, blended; solve it for x.
    inverse = rotations.transpose(0, 2, 1)
    offsets = sculpted - np.einsum("kij,kj->ki", inverse, posed)
    blended = (weights.astype(np.float64) @ inverse.reshape(JOINTS, 9)).reshape(-1, 3, 3)
    shifted = vertices - weights.astype(np.float64) @ offsets
    solved = np.linalg.solve(blended, shifted[..., None])[..., 0]
    return solved.astype(np.float32), posed.astype(np.float32)


def _rotations(joints: Float64Array, palms_across: Float64Array) -> Float64Array:
    """Gives each joint's rotation from the sculpted pose to the T-pose, against the world, (24, 3, 3)."""
    rotations = np.broadcast_to(np.eye(3), (JOINTS, 3, 3)).copy()
    for side in (0, 1):
        _lay_arm(joints, palms_across[side], rotations, side)
        _close_leg(joints, rotations, side)
    return rotations


def _lay_arm(joints: Float64Array, palm_across: Float64Array, rotations: Float64Array, side: int) -> None:
    """Fills in collar, shoulder, elbow, wrist and hand of one side (0 left, 1 right)."""
    collar, shoulder, elbow, wrist, hand = (joint + side for joint in (13, 16, 18, 20, 22))
    outward = np.array((1.0 - 2.0 * side, 0.0, 0.0))
    raising = _align(joints[elbow] - joints[shoulder], outward)
    rotations[collar] = _fraction(raising, COLLAR_SHARE)
    rotations[shoulder] = raising
    straight = _align(raising @ (joints[wrist] - joints[elbow]), outward) @ raising
    level = _align(straight @ (joints[hand] - joints[wrist]), outward) @ straight
    twist = _palm_twist(level @ palm_across)
    # Turning the palm is the forearm's work: half of it by the elbow, all of it by the wrist.
    rotations[elbow] = _about_x(0.5 * twist) @ straight
    rotations[wrist] = rotations[hand] = _about_x(twist) @ level


def _palm_twist(across: Float64Array) -> float:
    """Gives the turn about x, in radians, that brings the thumb's side of the hand to +z."""
    return float(-np.arctan2(-across[1], across[2]))


def _close_leg(joints: Float64Array, rotations: Float64Array, side: int) -> None:
    """Fills in hip and knee of one side; ankle and foot keep the identity, so the sole stays level."""
    hip, knee, ankle = (joint + side for joint in (1, 4, 7))
    leg = joints[ankle] - joints[hip]
    target = leg * (0.0, 1.0, 1.0) + (LEG_SLOPE * abs(leg[1]) * (1.0 - 2.0 * side), 0.0, 0.0)
    rotations[hip] = rotations[knee] = _align(leg, target)


def _carry(joints: Float64Array, rotations: Float64Array) -> Float64Array:
    """Gives the joints after each bone is rotated with its parent, pelvis at PELVIS_M."""
    carried = np.empty_like(joints)
    carried[0] = PELVIS_M
    for joint, parent in enumerate(PARENTS[1:], start=1):
        carried[joint] = carried[parent] + rotations[parent] @ (joints[joint] - joints[parent])
    return carried


def _align(source: Float64Array, target: Float64Array) -> Float64Array:
    """Gives the smallest rotation that turns the direction `source` into `target` (not opposite)."""
    a, b = source / np.linalg.norm(source), target / np.linalg.norm(target)
    v = np.cross(a, b)
    skew = np.array(((0.0, -v[2], v[1]), (v[2], 0.0, -v[0]), (-v[1], v[0], 0.0)))
    rotation: Float64Array = np.eye(3) + skew + skew @ skew / (1.0 + a @ b)
    return rotation


def _fraction(rotation: Float64Array, share: float) -> Float64Array:
    """Gives the rotation about the same axis by `share` of the angle (angle below pi)."""
    axis = np.array((rotation[2, 1] - rotation[1, 2], rotation[0, 2] - rotation[2, 0], rotation[1, 0] - rotation[0, 1]))
    angle = np.arctan2(0.5 * np.linalg.norm(axis), 0.5 * (np.trace(rotation) - 1.0))
    x, y, z = axis / max(float(np.linalg.norm(axis)), 1e-12)
    skew = np.array(((0.0, -z, y), (z, 0.0, -x), (-y, x, 0.0)))
    partial: Float64Array = np.eye(3) + np.sin(share * angle) * skew + (1.0 - np.cos(share * angle)) * skew @ skew
    return partial


def _about_x(angle_rad: float) -> Float64Array:
    sine, cosine = np.sin(angle_rad), np.cos(angle_rad)
    return np.array(((1.0, 0.0, 0.0), (0.0, cosine, -sine), (0.0, sine, cosine)))
