"""People with something in their hands: prams and trolleys pushed, boxes, bags and children carried."""

from __future__ import annotations

import numpy as np

from mili_core.synth.poses.arms import hang_arms
from mili_core.synth.poses.common import blank, bow, deg, lean_aside, look, stand_still
from mili_core.synth.poses.hands import ARMS, hold
from mili_core.synth.poses.skeleton import Angle, Float64Array, Joint
from mili_core.synth.poses.walking import relaxed_swing, stroll

HANDLE_M = (0.92, 1.08)
"""Heights of the handles of prams and trolleys."""


def push(rng: np.random.Generator, count: int) -> Float64Array:
    """Gives people who walk behind a pram or a trolley, both hands on its handle."""
    angles, pelvis, _, _ = stroll(rng, count, (0.4, 1.4))
    bow(angles, deg(rng, count, 0.0, 14.0))
    look(rng, angles)
    hang_arms(rng, angles)
    handle = np.zeros((count, 2, 3), dtype=np.float64)
    handle[..., 0] = rng.uniform(0.14, 0.25, (count, 1)) * [1.0, -1.0]
    handle[..., 1] = rng.uniform(*HANDLE_M, (count, 1))
    handle[..., 2] = rng.uniform(0.30, 0.48, (count, 1))
    hold(angles, pelvis, handle)
    return angles


def carry(rng: np.random.Generator, count: int) -> Float64Array:
    """Gives people who carry a box before them, a bag at arm's length, a load on the shoulder or a child on the hip."""
    angles, pelvis, phase, stride = stroll(rng, count, (0.5, 1.5))
    still = rng.random(count) < 0.4
    resting = blank(int(still.sum()))
    pelvis[still] = stand_still(rng, resting)
    angles[still] = resting
    look(rng, angles)
    hang_arms(rng, angles)
    strolling = angles.copy()
    relaxed_swing(rng, strolling, phase, stride)
    angles[~still] = strolling[~still]
    kind = rng.choice(4, size=count, p=[0.3, 0.4, 0.15, 0.15])
    for number, apply in enumerate((_box, _bag, _shoulder, _child)):
        chosen = np.flatnonzero(kind == number)
        some = angles[chosen]
        apply(rng, some, pelvis[chosen])
        angles[chosen] = some
    return angles


def _box(rng: np.random.Generator, angles: Float64Array, pelvis_m: Float64Array) -> None:
    count = len(angles)
    bow(angles, -deg(rng, count, 0.0, 9.0))
    hands = np.repeat(pelvis_m[:, None], 2, axis=1)
    hands[..., 0] += rng.uniform(0.13, 0.24, (count, 1)) * [1.0, -1.0]
    hands[..., 1] += rng.uniform(0.06, 0.30, (count, 1))
    hands[..., 2] += rng.uniform(0.30, 0.42, (count, 1))
    hold(angles, pelvis_m, hands)


def _bag(rng: np.random.Generator, angles: Float64Array, pelvis_m: Float64Array) -> None:
    """A bag or a suitcase pulls one arm down; the trunk leans to the other side."""
    count = len(angles)
    lean_aside(angles, deg(rng, count, 1.0, 9.0))
    hands = np.repeat(pelvis_m[:, None], 2, axis=1)
    hands[:, 0] += rng.uniform([0.24, -0.14, -0.08], [0.30, -0.02, 0.10], (count, 3))
    hold(angles, pelvis_m, hands, elbows=(0.3, 0.0, -1.0), sides=(0,))


def _shoulder(rng: np.random.Generator, angles: Float64Array, pelvis_m: Float64Array) -> None:
    """A hand at the shoulder holds a strap or a load."""
    count = len(angles)
    hands = np.repeat(pelvis_m[:, None], 2, axis=1)
    hands[:, 0] += rng.uniform([0.11, 0.34, 0.12], [0.19, 0.50, 0.20], (count, 3))
    hold(angles, pelvis_m, hands, elbows=(0.7, -1.0, -0.2), sides=(0,))


def _child(rng: np.random.Generator, angles: Float64Array, pelvis_m: Float64Array) -> None:
    """One forearm carries a child or a bundle at the hip, the trunk leans back and away."""
    count = len(angles)
    lean_aside(angles, deg(rng, count, 2.0, 9.0))
    bow(angles, -deg(rng, count, 0.0, 8.0))
    hands = np.repeat(pelvis_m[:, None], 2, axis=1)
    hands[:, 0] += rng.uniform([0.02, 0.12, 0.26], [0.16, 0.26, 0.36], (count, 3))
    hold(angles, pelvis_m, hands, elbows=(0.9, -0.8, -0.3), sides=(0,))
    angles[:, ARMS[0][1], Angle.TWIST] = np.minimum(angles[:, ARMS[0][1], Angle.TWIST], np.deg2rad(70.0))
    angles[:, Joint.NECK, Angle.YAW] += deg(rng, count, -5.0, 25.0)
