"""People on chairs, benches and steps."""

from __future__ import annotations

import numpy as np

from mili_core.synth.poses.arms import seat_arms
from mili_core.synth.poses.common import blank, bow, deg, look, pair, spots, with_arms
from mili_core.synth.poses.figure import mean_figure
from mili_core.synth.poses.legs import Feet, plant
from mili_core.synth.poses.limb import limb_length
from mili_core.synth.poses.skeleton import Angle, Float64Array, Joint

SEAT_M = (0.40, 0.48)
"""Heights of chairs and benches."""


def sit(rng: np.random.Generator, count: int) -> Float64Array:
    """Gives people on a chair or a bench, feet on the ground, upright to slumped."""
    angles = blank(count)
    tilt = deg(rng, count, -20.0, 8.0)
    angles[:, Joint.PELVIS, Angle.PITCH] = tilt
    angles[:, Joint.PELVIS, Angle.ROLL] = rng.normal(0.0, np.deg2rad(1.0), count)
    bow(angles, 0.5 * np.maximum(-tilt, 0.0) + deg(rng, count, 0.0, 26.0))
    pelvis = np.zeros((count, 3), dtype=np.float64)
    pelvis[:, 1] = rng.uniform(*SEAT_M, count) + mean_figure().seat_m
    places = spots(rng, count, (0.05, 0.20), (-0.04, 0.04))
    places[..., 2] += rng.uniform(0.30, 0.52, count)[:, None]
    stretched = rng.random(count) < 0.15
    places[stretched, :, 2] += rng.uniform(0.12, 0.24, (int(stretched.sum()), 1))
    places[..., 2] = np.minimum(places[..., 2], _farthest_m(pelvis[:, 1])[:, None])
    heel_up = pair(rng, count, 0.0, 30.0) * (rng.random((count, 2)) < 0.15)
    heading = pair(rng, count, -4.0, 22.0)
    plant(angles, pelvis, Feet(places, heading, heel_up, pair(rng, count, 0.0, 26.0)))
    look(rng, angles)
    seated = seat_arms(rng, angles.copy())
    styled = with_arms(rng, angles)
    busy = rng.random(count) < 0.35
    seated[busy] = styled[busy]
    return seated


def _farthest_m(pelvis_y: Float64Array) -> Float64Array:
    """Gives how far (N,) before the pelvis a sole can lie flat, the knee all but straight."""
    figure = mean_figure()
    drop = pelvis_y + figure.joints_m[Joint.LEFT_HIP, 1] - figure.ankle_m
    reach = limb_length(figure.thigh_m, figure.shank_m, 0, np.deg2rad(np.full(len(pelvis_y), 14.0)))
    farthest: Float64Array = np.sqrt(reach**2 - drop**2) - 0.05  # the hip is behind, and the foot is to the side
    return farthest
