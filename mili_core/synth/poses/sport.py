"""People at play: wide stances, kicks, throws, jumps; children among them."""

from __future__ import annotations

import numpy as np

from mili_core.synth.poses.arms import hang_arms
from mili_core.synth.poses.common import SPINE, blank, bow, deg, look, pair
from mili_core.synth.poses.gait import running, step
from mili_core.synth.poses.hands import ARMS
from mili_core.synth.poses.legs import Feet, flat_feet, pelvis_rotation, plant, standing_height
from mili_core.synth.poses.skeleton import Angle, Float64Array, Joint
from mili_core.synth.poses.walking import individual, run_arms, tilt_run

JUMP_M = (0.04, 0.30)
"""Height of a jumper's feet above the ground."""


def lunge(rng: np.random.Generator, count: int) -> Float64Array:
    """Gives people in a wide stance or on a step, one leg bent before the other, arms anywhere."""
    angles = blank(count)
    angles[:, Joint.PELVIS, Angle.PITCH] = deg(rng, count, -4.0, 24.0)
    bow(angles, deg(rng, count, -8.0, 24.0))
    _twist(rng, angles)
    front, aside = rng.uniform(0.08, 0.55, count), rng.uniform(0.06, 0.30, (count, 2))
    places = np.zeros((count, 2, 3), dtype=np.float64)
    places[:, 0, 2], places[:, 1, 2] = front, -rng.uniform(0.25, 1.0, count) * front
    places[..., 0] = aside * [1.0, -1.0]
    heading = np.stack((deg(rng, count, -5.0, 20.0), deg(rng, count, 0.0, 38.0)), axis=1)
    pitch = np.stack((np.zeros(count), np.deg2rad(70.0) * front * rng.uniform(0.4, 1.3, count)), axis=1)
    feet = Feet(places, heading, pitch, heading)
    pelvis = np.zeros((count, 3), dtype=np.float64)
    knees = np.deg2rad(rng.uniform(6.0, 16.0, (count, 2)))
    pelvis[:, 1] = standing_height(pelvis_rotation(angles), pelvis, feet, knees) - rng.uniform(0.0, 0.2, count)
    plant(angles, pelvis, feet)
    look(rng, angles)
    free_arms(rng, angles)
    return angles


def kick(rng: np.random.Generator, count: int) -> Float64Array:
    """Gives people on the left leg whose right one swings at a ball, behind or before them."""
    angles = blank(count)
    swing = rng.uniform(-1.0, 1.0, count)  # -1 drawn back, 1 followed through
    angles[:, Joint.PELVIS, Angle.PITCH] = -np.deg2rad(10.0) * swing + deg(rng, count, -4.0, 8.0)
    angles[:, Joint.PELVIS, Angle.ROLL] = deg(rng, count, 0.0, 8.0)
    bow(angles, deg(rng, count, 2.0, 20.0))
    _twist(rng, angles)
    places = np.zeros((count, 2, 3), dtype=np.float64)
    places[:, 0] = [0.06, 0.0, 0.05]
    places[:, 1, 0] = -rng.uniform(0.05, 0.18, count)
    places[:, 1, 1] = 0.05 + 0.38 * np.abs(swing) * rng.uniform(0.5, 1.1, count)
    places[:, 1, 2] = np.where(swing > 0.0, 0.62, 0.42) * swing
    pitch = np.stack((np.zeros(count), np.deg2rad(np.where(swing > 0.0, 10.0, -70.0 * swing))), axis=1)
    heading = pair(rng, count, 0.0, 16.0)
    feet = Feet(places, heading, pitch, heading)
    pelvis = np.zeros((count, 3), dtype=np.float64)
    pelvis[:, 2] = 0.05 * swing
    knees = np.stack((deg(rng, count, 8.0, 28.0), np.full(count, np.pi)), axis=1)
    pelvis[:, 1] = standing_height(pelvis_rotation(angles), pelvis, feet, knees)
    plant(angles, pelvis, feet)
    look(rng, angles)
    free_arms(rng, angles)
    return angles


def jump(rng: np.random.Generator, count: int) -> Float64Array:
    """Gives people in the air, knees drawn up or legs spread, arms thrown."""
    angles = blank(count)
    angles[:, Joint.PELVIS, Angle.PITCH] = deg(rng, count, -6.0, 16.0)
    bow(angles, deg(rng, count, -8.0, 20.0))
    _twist(rng, angles)
    spread = rng.uniform(0.05, 0.34, (count, 2))
    places = np.zeros((count, 2, 3), dtype=np.float64)
    places[..., 0] = spread * [1.0, -1.0]
    places[..., 1] = rng.uniform(0.0, 0.16, (count, 2))
    places[..., 2] = rng.uniform(-0.25, 0.25, (count, 2))
    heading = pair(rng, count, 0.0, 20.0)
    pitch = pair(rng, count, 20.0, 65.0)
    feet = Feet(places, heading, pitch, heading)
    pelvis = np.zeros((count, 3), dtype=np.float64)
    pelvis[:, 1] = rng.uniform(0.70, 0.92, count)
    plant(angles, pelvis, feet)
    look(rng, angles)
    free_arms(rng, angles)
    return angles


def play(rng: np.random.Generator, count: int) -> Float64Array:
    """Gives children as they are livelier than adults: skipping, hopping, spinning, arms thrown, heads everywhere."""
    angles = blank(count)
    skipping = rng.random(count) < 0.55
    phase, speed = rng.random(count), rng.uniform(1.9, 3.6, count)
    tilt_run(rng, angles, speed)
    stride = individual(rng, running(speed))
    stride.kick_m[:] *= rng.uniform(0.3, 1.2, count)
    step(angles, stride, phase)
    run_arms(rng, angles, phase, speed)
    hopping = blank(int((~skipping).sum()))
    _hop(rng, hopping)
    angles[~skipping] = hopping
    for _ in range(2):  # children look about more
        look(rng, angles)
    thrown = (rng.random(count) < 0.5) | ~skipping
    lively = angles[thrown]
    free_arms(rng, lively)
    angles[thrown] = lively
    return angles


def free_arms(rng: np.random.Generator, angles: Float64Array) -> None:
    """Sets arms in place as balance and throws take them: anywhere before, above or beside the body."""
    count = len(angles)
    hang_arms(rng, angles)
    for _, shoulder, elbow in ARMS:
        angles[:, shoulder, Angle.PITCH] = deg(rng, count, -75.0, 30.0)
        angles[:, shoulder, Angle.ROLL] = np.deg2rad(rng.triangular(-78.0, -45.0, 65.0, count))
        angles[:, shoulder, Angle.TWIST] = deg(rng, count, -40.0, 40.0)
        angles[:, elbow, Angle.YAW] = deg(rng, count, -100.0, -5.0)


def _hop(rng: np.random.Generator, angles: Float64Array) -> None:
    """Sets the legs of people on one leg, the other drawn up or swung, in place."""
    count = len(angles)
    angles[:, Joint.PELVIS, Angle.ROLL] = deg(rng, count, -2.0, 9.0)
    angles[:, Joint.PELVIS, Angle.PITCH] = deg(rng, count, -4.0, 12.0)
    bow(angles, deg(rng, count, -6.0, 22.0))
    feet = flat_feet(np.zeros((count, 2, 3), dtype=np.float64), pair(rng, count, -4.0, 20.0))
    feet.spots_m[:, 0, 0] = 0.05
    feet.spots_m[:, 1] = rng.uniform([-0.22, 0.12, -0.3], [-0.06, 0.42, 0.28], (count, 3))
    feet.pitch_rad[:, 1] = deg(rng, count, 5.0, 50.0)
    feet.pitch_rad[:, 0] = deg(rng, count, 0.0, 35.0)
    pelvis = np.zeros((count, 3), dtype=np.float64)
    knees = np.stack((deg(rng, count, 8.0, 40.0), np.full(count, np.pi)), axis=1)
    pelvis[:, 1] = standing_height(pelvis_rotation(angles), pelvis, feet, knees)
    plant(angles, pelvis, feet)


def _twist(rng: np.random.Generator, angles: Float64Array) -> None:
    for spine in SPINE:
        angles[:, spine] += np.deg2rad(rng.uniform([0.0, -11.0, -7.0, 0.0], [0.0, 11.0, 7.0, 0.0], (len(angles), 4)))
