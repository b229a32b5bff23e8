"""Legs from what they stand on: feet are put on the ground first, hips, knees and ankles follow."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mili_core.synth.poses.figure import HEEL_M, SIDE_MIRROR, mean_figure
from mili_core.synth.poses.limb import aim, hinge_angle, limb_length, swing_angles
from mili_core.synth.poses.skeleton import Angle, Float64Array, Joint, angle_limits_rad, axis_rotation

LEGS = (
    (Joint.LEFT_HIP, Joint.LEFT_KNEE, Joint.LEFT_ANKLE, Joint.LEFT_FOOT),
    (Joint.RIGHT_HIP, Joint.RIGHT_KNEE, Joint.RIGHT_ANKLE, Joint.RIGHT_FOOT),
)

TOES_BEND_RAD = float(-angle_limits_rad()[Joint.LEFT_FOOT, Angle.PITCH, 0])


@dataclass(frozen=True, slots=True, eq=False)
class Feet:
    """Where N people's feet are, left first, metres and radians, in the axes of the people (y up, facing +z).

    Attributes:
        spots_m: (N, 2, 3) the point under each ankle when the sole lies flat.
        heading_rad: (N, 2) turn of each foot, positive outwards.
        pitch_rad: (N, 2) positive when the heel is raised and the foot stands on its ball, negative when the toes are
            raised and it stands on its heel.
        knee_rad: (N, 2) where each knee points, positive outwards.
    """

    spots_m: Float64Array
    heading_rad: Float64Array
    pitch_rad: Float64Array
    knee_rad: Float64Array

    def ankle_m(self, side: int) -> Float64Array:
        """Gives (N, 3) where a foot's ankle joint is; the right one's mirrored to the left."""
        figure = mean_figure()
        pitch = self.pitch_rad[:, side]
        pivot = np.zeros((len(pitch), 3), dtype=np.float64)
        pivot[:, 2] = np.where(pitch > 0.0, figure.ball_m, -HEEL_M)
        lever = np.array([0.0, figure.ankle_m, 0.0]) - pivot
        shift = pivot + np.einsum("nij,nj->ni", axis_rotation(pitch, 0), lever)
        # Beyond what toes bend, the foot stands on their tips.
        shift[:, 1] += (figure.toe_m - figure.ball_m) * np.sin(np.maximum(pitch - TOES_BEND_RAD, 0.0))
        turned = np.einsum("nij,nj->ni", axis_rotation(self.heading_rad[:, side], 1), shift)
        ankle: Float64Array = self._mirrored(side) + turned
        return ankle

    def _mirrored(self, side: int) -> Float64Array:
        spots: Float64Array = self.spots_m[:, side] @ (SIDE_MIRROR if side else np.eye(3))
        return spots


def flat_feet(spots_m: Float64Array, heading_rad: Float64Array) -> Feet:
    """Gives feet with flat soles whose knees point where the toes do."""
    return Feet(spots_m, heading_rad, np.zeros_like(heading_rad), heading_rad)


def standing_height(pelvis: Float64Array, pelvis_m: Float64Array, feet: Feet, knee_rad: Float64Array) -> Float64Array:
    """Gives the greatest heights (N,) of the pelvis at which no knee is straighter than `knee_rad`.

    Args:
        pelvis: (N, 3, 3) rotation of the pelvis.
        pelvis_m: (N, 3); its height is ignored.
        feet: N people's.
        knee_rad: (N, 2) least flexion of each knee; pi frees a leg, for one that carries nothing.
    """
    figure = mean_figure()
    heights = np.full((len(pelvis), 2), np.inf)
    for side in range(2):
        hip = _mirror(pelvis, side) @ figure.joints_m[Joint.LEFT_HIP]
        reach = limb_length(figure.thigh_m, figure.shank_m, 0, knee_rad[:, side])
        ankle = feet.ankle_m(side)
        flip = -1.0 if side else 1.0
        away_x = ankle[:, 0] - flip * pelvis_m[:, 0] - hip[:, 0]
        away_z = ankle[:, 2] - pelvis_m[:, 2] - hip[:, 2]
        rise = np.sqrt(np.maximum(reach**2 - away_x**2 - away_z**2, 0.0025))
        carrying = knee_rad[:, side] < np.pi
        heights[carrying, side] = (ankle[:, 1] + rise - hip[:, 1])[carrying]
    lowest: Float64Array = heights.min(axis=1)
    return lowest


def plant(angles: Float64Array, pelvis_m: Float64Array, feet: Feet) -> None:
    """Sets hips, knees, ankles and toes of poses (N, 24, 4) in place, so that the feet are where they should be.

    Args:
        angles: with the pelvis' turn already set.
        pelvis_m: (N, 3) where the pelvis is.
        feet: where the feet are.
    """
    limits = angle_limits_rad()
    figure = mean_figure()
    pelvis = pelvis_rotation(angles)
    for side, (hip, knee, ankle, toes) in enumerate(LEGS):
        turn = _mirror(pelvis, side)
        hip_m = (pelvis_m @ SIDE_MIRROR if side else pelvis_m) + turn @ figure.joints_m[Joint.LEFT_HIP]
        target = feet.ankle_m(side) - hip_m
        flex = hinge_angle(figure.thigh_m, figure.shank_m, 0, np.linalg.norm(target, axis=-1))
        flex = np.clip(flex, *limits[knee, Angle.PITCH])
        bent = axis_rotation(flex, 0)
        hinge = axis_rotation(feet.knee_rad[:, side], 1)[..., 0]
        thigh = aim(figure.thigh_m + bent @ figure.shank_m, np.array([1.0, 0.0, 0.0]), target, hinge)
        swing = np.clip(swing_angles(turn.swapaxes(-1, -2) @ thigh), limits[hip, :, 0], limits[hip, :, 1])
        shank = turn @ _swing(swing) @ bent
        foot = axis_rotation(feet.heading_rad[:, side], 1) @ axis_rotation(feet.pitch_rad[:, side], 0)
        angles[:, hip] = swing
        angles[:, knee] = 0.0
        angles[:, knee, Angle.PITCH] = flex
        angles[:, ankle] = np.clip(
            swing_angles(shank.swapaxes(-1, -2) @ foot), limits[ankle, :, 0], limits[ankle, :, 1]
        )
        angles[:, toes] = 0.0
        # Toes stay flat while the heel rises.
        angles[:, toes, Angle.PITCH] = np.clip(-np.maximum(feet.pitch_rad[:, side], 0.0), limits[toes, 0, 0], 0.0)


def pelvis_rotation(angles: Float64Array) -> Float64Array:
    """Gives the pelvis' rotations (N, 3, 3) of poses (N, 24, 4)."""
    pitch, yaw, roll = (axis_rotation(angles[:, Joint.PELVIS, angle], angle) for angle in range(3))
    return yaw @ pitch @ roll


def _swing(angles: Float64Array) -> Float64Array:
    pitch, yaw, roll = (axis_rotation(angles[:, angle], angle) for angle in range(3))
    return pitch @ yaw @ roll


def _mirror(matrices: Float64Array, side: int) -> Float64Array:
    return SIDE_MIRROR @ matrices @ SIDE_MIRROR if side else matrices
