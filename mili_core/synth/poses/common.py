"""What pose generators share: empty poses, draws in degrees, looks, arm styles, swinging arms."""

from __future__ import annotations

import numpy as np

from mili_core.synth.poses.arms import ARM_STYLES
from mili_core.synth.poses.hands import ARMS
from mili_core.synth.poses.legs import Feet, flat_feet, pelvis_rotation, plant, standing_height
from mili_core.synth.poses.skeleton import JOINT_COUNT, Angle, Float64Array, Joint

SPINE = (Joint.SPINE1, Joint.SPINE2, Joint.SPINE3)


def blank(count: int) -> Float64Array:
    """Gives `count` T-poses (N, 24, 4)."""
    return np.zeros((count, JOINT_COUNT, 4), dtype=np.float64)


def deg(rng: np.random.Generator, count: int, low: float, high: float) -> Float64Array:
    """Gives `count` uniform angles between two bounds in degrees, radians."""
    angles: Float64Array = np.deg2rad(rng.uniform(low, high, count))
    return angles


def pair(rng: np.random.Generator, count: int, low: float, high: float) -> Float64Array:
    """Gives (N, 2) uniform angles between two bounds in degrees, radians: left and right apart."""
    angles: Float64Array = np.deg2rad(rng.uniform(low, high, (count, 2)))
    return angles


def spots(
    rng: np.random.Generator, count: int, half_width_m: tuple[float, float], ahead_m: tuple[float, float]
) -> Float64Array:
    """Gives (N, 2, 3) foot spots on the ground, left first, each `ahead_m` before the pelvis and out to its side."""
    places = np.zeros((count, 2, 3), dtype=np.float64)
    places[..., 0] = rng.uniform(*half_width_m, (count, 2)) * [1.0, -1.0]
    places[..., 2] = rng.uniform(*ahead_m, (count, 2))
    return places


def on_feet(
    rng: np.random.Generator, angles: Float64Array, pelvis_m: Float64Array, feet: Feet, straightest_deg: float = 2.0
) -> Float64Array:
    """Sets the legs of people who stand on both feet, at full height; gives where their pelvis is, (N, 3)."""
    knees = np.deg2rad(rng.uniform(straightest_deg, straightest_deg + 7.0, (len(angles), 2)))
    placed = pelvis_m.copy()
    placed[:, 1] = standing_height(pelvis_rotation(angles), placed, feet, knees)
    plant(angles, placed, feet)
    return placed


def stand_still(rng: np.random.Generator, angles: Float64Array) -> Float64Array:
    """Sets the legs of people who stand at ease below any trunk, in place; gives where their pelvis is, (N, 3)."""
    count = len(angles)
    feet = flat_feet(spots(rng, count, (0.06, 0.17), (-0.06, 0.06)), pair(rng, count, 0.0, 20.0))
    return on_feet(rng, angles, np.zeros((count, 3), dtype=np.float64), feet)


def look(rng: np.random.Generator, angles: Float64Array) -> None:
    """Turns and nods the heads, and twists the trunks a little, in place."""
    count = len(angles)
    turn, nod = rng.normal(0.0, np.deg2rad(18.0), count), rng.normal(np.deg2rad(6.0), np.deg2rad(9.0), count)
    for joint in (Joint.NECK, Joint.HEAD):
        angles[:, joint, Angle.YAW] += 0.5 * turn
        angles[:, joint, Angle.PITCH] += 0.5 * nod
    twist = rng.normal(0.0, np.deg2rad(7.0), count)
    for spine in SPINE:
        angles[:, spine, Angle.YAW] += twist / 3.0


def bow(angles: Float64Array, pitch_rad: Float64Array) -> None:
    """Bends the trunks forward by `pitch_rad` (N,) above the pelvis, in place."""
    for spine, share in zip(SPINE, (0.4, 0.35, 0.25), strict=True):
        angles[:, spine, Angle.PITCH] += share * pitch_rad


def lean_aside(angles: Float64Array, roll_rad: Float64Array) -> None:
    """Bends the trunks aside by `roll_rad` (N,) above the pelvis, in place; positive to the right."""
    for spine, share in zip(SPINE, (0.4, 0.35, 0.25), strict=True):
        angles[:, spine, Angle.ROLL] += share * roll_rad


def swing_arms(angles: Float64Array, stride: Float64Array, amplitude_rad: Float64Array) -> None:
    """Swings hanging arms against the legs, in place; each bends more on its way forward.

    Args:
        angles: poses.
        stride: (N,) -1..1, how far the left leg is ahead of the right.
        amplitude_rad: (N,) of the upper arms.
    """
    for sign, (_, shoulder, elbow) in zip((1.0, -1.0), ARMS, strict=True):
        swing = sign * stride * amplitude_rad
        angles[:, shoulder, Angle.PITCH] += swing
        angles[:, elbow, Angle.YAW] += np.minimum(swing, 0.0) * 0.8


def with_arms(rng: np.random.Generator, angles: Float64Array) -> Float64Array:
    """Gives the poses (N, 24, 4) with an arm style drawn for each."""
    share = np.array([weight for weight, _ in ARM_STYLES.values()])
    styles = rng.choice(len(share), size=len(angles), p=share / share.sum())
    posed = angles.copy()
    for style, (_, apply) in enumerate(ARM_STYLES.values()):
        members = np.flatnonzero(styles == style)
        if len(members) == 0:
            continue
        posed[members] = apply(rng, posed[members])
    return posed
