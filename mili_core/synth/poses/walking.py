"""People who walk or run, at any phase and speed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mili_core.synth.poses.arms import hang_arms
from mili_core.synth.poses.common import blank, bow, deg, look, swing_arms, with_arms
from mili_core.synth.poses.gait import Stride, running, step, walking
from mili_core.synth.poses.hands import ARMS
from mili_core.synth.poses.skeleton import Angle, Float64Array, Joint


def walk(rng: np.random.Generator, count: int) -> Float64Array:
    """Gives people in mid-walk, stroll to brisk."""
    angles, _, phase, stride = stroll(rng, count, (0.5, 1.85))
    look(rng, angles)
    swinging = hang_arms(rng, angles.copy())
    relaxed_swing(rng, swinging, phase, stride)
    styled = with_arms(rng, angles)
    busy = rng.random(count) < 0.3
    swinging[busy] = styled[busy]
    return swinging


def run(rng: np.random.Generator, count: int) -> Float64Array:
    """Gives people who run, jog to sprint, elbows bent, trunk forward."""
    angles = blank(count)
    speed = rng.uniform(2.0, 5.2, count)
    tilt_run(rng, angles, speed)
    phase = rng.random(count)
    step(angles, individual(rng, running(speed)), phase)
    look(rng, angles)
    run_arms(rng, angles, phase, speed)
    return angles


def stroll(
    rng: np.random.Generator, count: int, speed_m_s: tuple[float, float]
) -> tuple[Float64Array, Float64Array, Float64Array, Stride]:
    """Gives walking legs below a straight trunk: poses, pelvis (N, 3) metres, phases (N,), strides."""
    angles = blank(count)
    stride = individual(rng, walking(rng.uniform(*speed_m_s, count)))
    angles[:, Joint.PELVIS, Angle.PITCH] = rng.normal(np.deg2rad(3.0), np.deg2rad(2.0), count)
    angles[:, Joint.PELVIS, Angle.ROLL] = rng.normal(0.0, np.deg2rad(1.0), count)
    bow(angles, rng.normal(0.0, np.deg2rad(4.0), count))
    phase = rng.random(count)
    pelvis = step(angles, stride, phase)
    return angles, pelvis, phase, stride


def relaxed_swing(rng: np.random.Generator, angles: Float64Array, phase: Float64Array, stride: Stride) -> None:
    """Swings hanging arms as people walk, in place: more with speed."""
    lead = np.cos(2.0 * np.pi * phase)
    swing_arms(angles, lead, np.deg2rad(17.0) * rng.uniform(0.3, 1.35, len(angles)) * stride.length_m)


def tilt_run(rng: np.random.Generator, angles: Float64Array, speed_m_s: Float64Array) -> None:
    """Leans runners forward, in place."""
    angles[:, Joint.PELVIS, Angle.PITCH] = np.deg2rad(3.0 + 1.4 * speed_m_s) + rng.normal(0.0, 0.03, len(angles))
    bow(angles, deg(rng, len(angles), 0.0, 10.0))


def run_arms(rng: np.random.Generator, angles: Float64Array, phase: Float64Array, speed_m_s: Float64Array) -> None:
    """Sets runners' arms in place: bent, pumping against the legs."""
    count = len(angles)
    hang_arms(rng, angles)
    swing_arms(angles, np.cos(2.0 * np.pi * phase), np.deg2rad(20.0 + 5.0 * speed_m_s))
    for _, shoulder, elbow in ARMS:
        angles[:, elbow, Angle.YAW] -= deg(rng, count, 50.0, 75.0)
        angles[:, shoulder, Angle.PITCH] += np.deg2rad(12.0)
        angles[:, shoulder, Angle.ROLL] += deg(rng, count, 0.0, 10.0)


def individual(rng: np.random.Generator, stride: Stride) -> Stride:
    """Gives the strides with each person's own length, width, toe-out and bounce."""
    count = len(stride.speed_m_s)
    longer = np.clip(rng.normal(1.0, 0.06, count), 0.85, 1.12)
    return replace(
        stride,
        length_m=stride.length_m * longer,
        ahead_m=stride.ahead_m * longer,
        lift_m=stride.lift_m * rng.uniform(0.7, 1.5, count),
        bob_m=stride.bob_m * rng.uniform(0.6, 1.2, count),
        half_width_m=stride.half_width_m + np.abs(rng.normal(0.0, 0.022, count)),
        toe_out_rad=stride.toe_out_rad + rng.normal(0.0, np.deg2rad(5.0), count),
        knee_rad=stride.knee_rad + np.abs(rng.normal(0.0, np.deg2rad(4.0), count)),
    )
