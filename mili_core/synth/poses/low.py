"""People near the ground: squatting, kneeling, bending down."""

from __future__ import annotations

import numpy as np

from mili_core.synth.poses.arms import hang_arms, seat_arms
from mili_core.synth.poses.common import blank, bow, deg, look, on_feet, pair, spots
from mili_core.synth.poses.figure import mean_figure
from mili_core.synth.poses.hands import hold
from mili_core.synth.poses.legs import Feet, flat_feet, plant
from mili_core.synth.poses.skeleton import Angle, Float64Array, Joint


def crouch(rng: np.random.Generator, count: int) -> Float64Array:
    """Gives people who squat on the balls of their feet or flat soles, arms on or before the knees."""
    angles = blank(count)
    depth = rng.uniform(0.0, 1.0, count)
    angles[:, Joint.PELVIS, Angle.PITCH] = np.deg2rad(6.0 + 8.0 * depth) + rng.normal(0.0, 0.05, count)
    bow(angles, deg(rng, count, 16.0, 48.0))
    pelvis = np.zeros((count, 3), dtype=np.float64)
    pelvis[:, 1] = 0.56 - 0.24 * depth
    places = spots(rng, count, (0.07, 0.20), (0.02, 0.10))
    places[..., 2] += (0.10 - 0.06 * depth)[:, None]
    raised = np.deg2rad(12.0 + 28.0 * depth[:, None]) * rng.uniform(0.7, 1.2, (count, 2))
    heading = pair(rng, count, 4.0, 22.0)
    plant(angles, pelvis, Feet(places, heading, raised, heading + pair(rng, count, 0.0, 14.0)))
    look(rng, angles)
    return seat_arms(rng, angles)


def kneel(rng: np.random.Generator, count: int) -> Float64Array:
    """Gives people on the right knee, the left foot before them: tying a shoe, talking to a child, photographing."""
    angles = blank(count)
    figure = mean_figure()
    angles[:, Joint.PELVIS, Angle.PITCH] = deg(rng, count, 0.0, 18.0)
    bow(angles, deg(rng, count, 0.0, 38.0))
    pelvis = np.zeros((count, 3), dtype=np.float64)
    # The knee is as thick as half a hand: its joint is 6 cm above the ground.
    pelvis[:, 1] = 0.07 + np.linalg.norm(figure.thigh_m) - figure.joints_m[Joint.LEFT_HIP, 1] - 0.012
    places = spots(rng, count, (0.08, 0.18), (0.0, 0.0))
    places[:, 0, 2] = rng.uniform(0.24, 0.40, count)
    places[:, 1] = [-0.12, 0.02, -0.50]
    pitch = np.stack((np.zeros(count), deg(rng, count, 62.0, 80.0)), axis=1)
    heading = pair(rng, count, 0.0, 12.0)
    plant(angles, pelvis, Feet(places, heading, pitch, heading))
    look(rng, angles)
    seat_arms(rng, angles)
    busy = np.flatnonzero(rng.random(count) < 0.5)
    shoe = np.stack((np.full(len(busy), 0.12), rng.uniform(0.15, 0.5, len(busy)), np.full(len(busy), 0.38)), axis=1)
    apart = np.array([0.07, 0.0, 0.0])
    bent = angles[busy]
    hold(bent, pelvis[busy], np.stack((shoe + apart, shoe - apart), axis=1))
    angles[busy] = bent
    return angles


def bend(rng: np.random.Generator, count: int) -> Float64Array:
    """Gives people who bend forward from the hips, hands towards the ground, a bag or the knees."""
    angles = blank(count)
    fold = deg(rng, count, 18.0, 88.0)
    angles[:, Joint.PELVIS, Angle.PITCH] = 0.62 * fold
    bow(angles, 0.42 * fold)
    angles[:, [Joint.NECK, Joint.HEAD], Angle.PITCH] -= 0.18 * fold[:, None]
    pelvis = np.zeros((count, 3), dtype=np.float64)
    pelvis[:, 2] = -0.17 * np.sin(fold)
    feet = flat_feet(spots(rng, count, (0.06, 0.18), (-0.08, 0.08)), pair(rng, count, 0.0, 18.0))
    pelvis = on_feet(rng, angles, pelvis, feet, straightest_deg=6.0)
    pelvis[:, 1] -= rng.uniform(0.0, 0.12, count) * np.sin(fold)
    plant(angles, pelvis, feet)
    look(rng, angles)
    hang_arms(rng, angles)
    down = 1.0 - np.sin(fold)
    middle = np.stack(
        (
            rng.uniform(-0.08, 0.08, count),
            0.25 + 0.75 * down + rng.uniform(-0.1, 0.2, count),
            0.30 + 0.15 * np.sin(fold),
        ),
        axis=1,
    )
    apart = rng.uniform(0.12, 0.24, (count, 1)) * [1.0, 0.0, 0.0]
    hold(angles, pelvis, np.stack((middle + apart, middle - apart), axis=1))
    return angles
