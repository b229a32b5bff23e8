"""Do feet stay where they are put? Gait as a sequence of frames, and measures of sliding and sinking feet."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mili_core.errors import ConfigError
from mili_core.synth.poses.arms import hang_arms
from mili_core.synth.poses.common import blank, swing_arms
from mili_core.synth.poses.gait import RUN_FROM_M_S, running, step, walking
from mili_core.synth.poses.skeleton import Angle, Float64Array, Joint

SPEEDS_M_S = (0.3, 5.5)
"""Slowest stroll to sprint."""

PLANTED_M = 0.01
"""A foot is planted while its lowest point is at most this far from the ground: less than a swinging foot clears it."""


@dataclass(frozen=True, slots=True, eq=False)
class Gait:
    """One person who moves straight ahead along +z, T frames.

    Attributes:
        angles: (T, 24, 4) float64.
        root_m: (T, 3) float64 where the pelvis is, y above the ground; for the open body's mean shape.
        time_s: (T,) float64.
        stride_m: length of a cycle of two steps.
        period_s: duration of a cycle.
    """

    angles: Float64Array
    root_m: Float64Array
    time_s: Float64Array
    stride_m: float
    period_s: float


def gait_sequence(speed_m_s: float, phases: Float64Array) -> Gait:
    """Gives a walk, or a run from 2.1 m/s on, at the phases given; feet are planned, so planted feet do not move.

    Args:
        speed_m_s: 0.3 to 5.5.
        phases: (T,) shares of the cycle, rising; whole numbers are touch-downs of the left foot.

    Raises:
        ConfigError: the speed is not one of people on foot.
    """
    if not SPEEDS_M_S[0] <= speed_m_s <= SPEEDS_M_S[1]:
        raise ConfigError(f"speed {speed_m_s} m/s is not within {SPEEDS_M_S[0]}..{SPEEDS_M_S[1]}, people on foot")
    count = len(phases)
    speed = np.full(count, speed_m_s)
    runs = speed_m_s >= RUN_FROM_M_S
    stride = running(speed) if runs else walking(speed)
    angles = blank(count)
    angles[:, Joint.PELVIS, Angle.PITCH] = np.deg2rad(3.0 + (1.4 * speed_m_s if runs else 0.0))
    root = step(angles, stride, np.mod(phases, 1.0))
    length = float(stride.length_m[0]) if count else 0.0
    root[:, 2] += length * phases
    fixed = np.random.default_rng(0)
    if count:
        angles[:, Joint.LEFT_SHOULDER :] = hang_arms(fixed, angles[:1].copy())[:, Joint.LEFT_SHOULDER :]
    swing_arms(angles, np.cos(2.0 * np.pi * phases), np.full(count, np.deg2rad(17.0 * min(length, 2.2))))
    return Gait(angles, root, phases * length / speed_m_s, length, length / speed_m_s)


def foot_skate_m(soles_m: NDArray[np.floating]) -> Float64Array:
    """Gives (T - 1, 2) how far each planted foot slides between frames, metres; 0 for a foot in the air.

    A foot's contact is the point of its sole that stays lowest over both frames: heel, then ball, then toes.

    Args:
        soles_m: (T, 2, K, 3) K points of each sole, the ground at y = 0.
    """
    before, after = soles_m[:-1].astype(np.float64), soles_m[1:].astype(np.float64)
    height = np.maximum(before[..., 1], after[..., 1])
    contact = height.argmin(axis=-1)[..., None]
    planted = np.take_along_axis(height, contact, axis=-1)[..., 0] <= PLANTED_M
    moved = np.take_along_axis(np.hypot(*np.moveaxis((after - before)[..., [0, 2]], -1, 0)), contact, axis=-1)[..., 0]
    slide: Float64Array = np.where(planted, moved, 0.0)
    return slide


def penetration_m(vertices_m: NDArray[np.floating]) -> Float64Array:
    """Gives (T,) how far each body (T, V, 3) sinks below the ground at y = 0, metres."""
    depth: Float64Array = np.maximum(0.0, -vertices_m[..., 1].min(axis=-1).astype(np.float64))
    return depth


def stance_travel_m(soles_m: NDArray[np.floating]) -> Float64Array:
    """Gives (T, 2) the way x, z that a walker's body moves, derived from the standing foot alone, from 0.

    Args:
        soles_m: (T, 2, K, 3) points of each sole in axes that move with the body, of somebody who always stands on
            one foot at least.
    """
    points = soles_m.reshape(len(soles_m), -1, 3).astype(np.float64)
    before, after = points[:-1], points[1:]
    level = np.minimum(before[..., 1].min(axis=1), after[..., 1].min(axis=1))[:, None]
    contact = (np.maximum(before[..., 1], after[..., 1]) - level).argmin(axis=1)
    rows = np.arange(len(contact))
    travel = np.zeros((len(soles_m), 2), dtype=np.float64)
    travel[1:] = -np.cumsum((after - before)[rows, contact][:, [0, 2]], axis=0)
    return travel
