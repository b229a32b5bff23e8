"""People who stay where they are: standing, photographing, leaning."""

from __future__ import annotations

import numpy as np

from mili_core.synth.poses.arms import hang_arms
from mili_core.synth.poses.common import (
    blank,
    bow,
    deg,
    lean_aside,
    look,
    on_feet,
    pair,
    spots,
    stand_still,
    with_arms,
)
from mili_core.synth.poses.hands import hold
from mili_core.synth.poses.legs import Feet, flat_feet, pelvis_rotation, plant, standing_height
from mili_core.synth.poses.skeleton import Angle, Float64Array, Joint


def stand(rng: np.random.Generator, count: int) -> Float64Array:
    """Gives people who stand, soles flat; about half rest on the left leg, the other knee relaxed."""
    angles = blank(count)
    shift = rng.uniform(0.25, 1.0, count) * (rng.random(count) < 0.55)
    _weight(rng, angles, shift)
    feet = flat_feet(spots(rng, count, (0.06, 0.16), (-0.08, 0.08)), pair(rng, count, -2.0, 22.0))
    # The free foot is set ahead or aside, as far as its leg still reaches the ground.
    feet.spots_m[:, 1, 2] += shift * rng.uniform(-0.02, 0.16, count)
    feet.spots_m[:, 1, 0] -= shift * rng.uniform(-0.03, 0.07, count)
    pelvis = np.zeros((count, 3), dtype=np.float64)
    pelvis[:, 0] = 0.05 * shift
    pelvis[:, 2] = rng.uniform(-0.02, 0.04, count)
    on_feet(rng, angles, pelvis, feet)
    look(rng, angles)
    return with_arms(rng, angles)


def photograph(rng: np.random.Generator, count: int) -> Float64Array:
    """Gives people who hold a phone or a camera up before their eyes with both hands."""
    angles = blank(count)
    pelvis = stand_still(rng, angles)
    bow(angles, deg(rng, count, -8.0, 12.0))
    lean = deg(rng, count, -6.0, 10.0)
    angles[:, [Joint.NECK, Joint.HEAD], Angle.PITCH] += lean[:, None]
    hang_arms(rng, angles)
    middle = pelvis + rng.uniform([-0.05, 0.48, 0.24], [0.05, 0.74, 0.42], (count, 3))
    half = np.array([0.075, 0.0, 0.0])
    hold(angles, pelvis, np.stack((middle + half, middle - half), axis=1))
    return angles


def lean_on_wall(rng: np.random.Generator, count: int) -> Float64Array:
    """Gives people whose back rests against a wall or a post, feet before it, one sole sometimes against it."""
    angles = blank(count)
    back = deg(rng, count, 4.0, 13.0)
    angles[:, Joint.PELVIS, Angle.PITCH] = -back
    bow(angles, 0.6 * back)
    feet = flat_feet(spots(rng, count, (0.05, 0.16), (0.12, 0.34)), pair(rng, count, 0.0, 20.0))
    raised = rng.random(count) < 0.35
    knees = np.deg2rad(rng.uniform(2.0, 12.0, (count, 2)))
    knees[raised, 1] = np.pi
    wall = np.stack((np.full(count, -0.11), rng.uniform(0.08, 0.24, count), np.full(count, -0.10)), axis=1)
    placed = Feet(
        np.where((raised[:, None] & [False, True])[..., None], wall[:, None], feet.spots_m),
        feet.heading_rad,
        np.where(raised[:, None] & [False, True], np.deg2rad(55.0), 0.0),
        feet.knee_rad,
    )
    pelvis = np.zeros((count, 3), dtype=np.float64)
    pelvis[:, 1] = standing_height(pelvis_rotation(angles), pelvis, placed, knees)
    plant(angles, pelvis, placed)
    look(rng, angles)
    return with_arms(rng, angles)


def lean_on_bar(rng: np.random.Generator, count: int) -> Float64Array:
    """Gives people who lean forward with both hands or forearms on a railing or a bar table."""
    angles = blank(count)
    fold = deg(rng, count, 14.0, 46.0)
    angles[:, Joint.PELVIS, Angle.PITCH] = 0.55 * fold
    bow(angles, 0.55 * fold)
    lean_aside(angles, deg(rng, count, -5.0, 5.0))
    angles[:, [Joint.NECK, Joint.HEAD], Angle.PITCH] -= 0.3 * fold[:, None]
    feet = flat_feet(spots(rng, count, (0.05, 0.17), (-0.12, 0.12)), pair(rng, count, 0.0, 20.0))
    pelvis = np.zeros((count, 3), dtype=np.float64)
    pelvis[:, 2] = -0.25 * np.sin(fold)
    pelvis = on_feet(rng, angles, pelvis, feet)
    look(rng, angles)
    hang_arms(rng, angles)
    bar = np.stack((np.zeros(count), rng.uniform(0.98, 1.12, count), 0.26 + 0.16 * np.sin(fold)), axis=1)
    apart = rng.uniform(0.06, 0.26, (count, 1)) * [1.0, 0.0, 0.0]
    hold(angles, pelvis, np.stack((bar + apart, bar - apart), axis=1), elbows=(0.8, -0.8, -0.2))
    return angles


def _weight(rng: np.random.Generator, angles: Float64Array, shift: Float64Array) -> None:
    """Tilts pelvis and trunk as the left leg takes the weight (0..1), in place."""
    count = len(angles)
    tilt = np.deg2rad(6.5) * shift + rng.normal(0.0, np.deg2rad(0.8), count)
    angles[:, Joint.PELVIS, Angle.ROLL] = tilt
    angles[:, Joint.PELVIS, Angle.PITCH] = rng.normal(np.deg2rad(1.0), np.deg2rad(2.5), count)
    lean_aside(angles, -1.15 * tilt + rng.normal(0.0, np.deg2rad(1.5), count))
    bow(angles, rng.normal(np.deg2rad(2.0), np.deg2rad(5.0), count))
