"""People on bicycles."""

from __future__ import annotations

import numpy as np

from mili_core.synth.poses.arms import hang_arms
from mili_core.synth.poses.common import blank, bow, deg
from mili_core.synth.poses.figure import forward, mean_figure
from mili_core.synth.poses.hands import hold
from mili_core.synth.poses.legs import Feet, pelvis_rotation, plant, standing_height
from mili_core.synth.poses.skeleton import Angle, Float64Array, Joint, angles_to_rotmats

BOTTOM_BRACKET_M = 0.28
CRANK_M = 0.17
PEDAL_M = 0.01
"""A bicycle's usual measures: the axle of the cranks above the ground, their length, half a pedal's height."""


def cycle(rng: np.random.Generator, count: int) -> Float64Array:
    """Gives people on a bicycle: on the saddle, hands on the bar, the balls of their feet on the pedals."""
    figure = mean_figure()
    angles = blank(count)
    lean = deg(rng, count, 12.0, 52.0)
    angles[:, Joint.PELVIS, Angle.PITCH] = 0.55 * lean
    bow(angles, 0.5 * lean)
    angles[:, [Joint.NECK, Joint.HEAD], Angle.PITCH] -= 0.38 * lean[:, None]
    angles[:, Joint.HEAD, Angle.YAW] = rng.normal(0.0, np.deg2rad(14.0), count)
    turn = rng.random(count) * 2.0 * np.pi
    tilt = rng.uniform(0.10, 0.22, count)  # how far the cranks are before the saddle
    feet = _pedalling(turn, tilt, deg(rng, count, 8.0, 22.0))
    bottom = _pedalling(np.full(count, -0.5 * np.pi), tilt, feet.pitch_rad[:, 0])
    knees = np.stack((deg(rng, count, 26.0, 40.0), np.full(count, np.pi)), axis=1)
    pelvis = np.zeros((count, 3), dtype=np.float64)
    pelvis[:, 1] = standing_height(pelvis_rotation(angles), pelvis, bottom, knees)
    plant(angles, pelvis, feet)
    hang_arms(rng, angles)
    shoulder = figure.joints_m[Joint.LEFT_SHOULDER, 1]
    bar = np.zeros((count, 2, 3), dtype=np.float64)
    bar[..., 0] = rng.uniform(0.20, 0.29, (count, 1)) * [1.0, -1.0]
    bar[..., 1] = (pelvis[:, 1] + 0.24 - 0.22 * np.sin(lean))[:, None]
    bar[..., 2] = (0.36 + shoulder * np.sin(0.9 * lean) * 0.85)[:, None]
    hold(angles, pelvis, bar, elbows=(0.8, -0.8, -0.3))
    return angles


def lowest_pedal_m(angles: Float64Array) -> Float64Array:
    """Gives the height (N,) of cyclists' lower sole above the ground, metres."""
    joints, _ = forward(angles_to_rotmats(angles), np.zeros((len(angles), 3), dtype=np.float64))
    # Opposite pedals are as far below the cranks' axle as above it.
    drop = 0.5 * np.abs(joints[:, Joint.LEFT_FOOT, 1] - joints[:, Joint.RIGHT_FOOT, 1])
    lowest: Float64Array = BOTTOM_BRACKET_M + PEDAL_M - drop
    return lowest


def _pedalling(turn: Float64Array, ahead_m: Float64Array, pitch_rad: Float64Array) -> Feet:
    """Gives the feet on cranks turned by `turn` (N,) radians; pi / 2 is the left pedal on top."""
    figure = mean_figure()
    places = np.zeros((len(turn), 2, 3), dtype=np.float64)
    for side, sign in enumerate((1.0, -1.0)):
        places[:, side, 0] = 0.11 * sign
        places[:, side, 1] = BOTTOM_BRACKET_M + PEDAL_M + sign * CRANK_M * np.sin(turn)
        places[:, side, 2] = ahead_m + sign * CRANK_M * np.cos(turn) - figure.ball_m
    pitch = np.repeat(pitch_rad[:, None], 2, axis=1)
    return Feet(places, np.zeros_like(pitch), pitch, np.zeros_like(pitch))
