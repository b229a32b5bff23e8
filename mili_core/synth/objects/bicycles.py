"""Bicycles: parked ones, and ones that fit whoever rides them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mili_core.synth.objects.mesh import Mesh, join
from mili_core.synth.objects.paints import BLACK, CHROME, FRAMES, RUBBER, STEEL, TAILLIGHT, Paint, draw_paint
from mili_core.synth.objects.solids import at, box, ellipsoid, quads, rods, torus, tube

Float64Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class BicycleFit:
    """Where a bicycle meets its rider; axes x left, y up, z ahead, metres, ground at y = 0, middle plane x = 0.

    Attributes:
        saddle: (2,) y, z of the saddle's top.
        grips: (2, 3) left and right.
        pedals: (2, 3) left and right.
        bracket: (2,) y, z of the crank's axis.
        wheel_m: radius of both wheels with their tyres.
        rear_z, front_z: axles.
    """

    saddle: Float64Array
    grips: Float64Array
    pedals: Float64Array
    bracket: Float64Array
    wheel_m: float
    rear_z: float
    front_z: float


def bicycle(rng: np.random.Generator) -> Mesh:
    """Gives a parked bicycle that leans a little on its stand, its middle over the origin."""
    size = rng.uniform(0.92, 1.05) if rng.random() < 0.88 else rng.uniform(0.6, 0.8)
    turn = rng.uniform(0.0, 2.0 * np.pi)
    crank = 0.17 * size * np.array([np.sin(turn), np.cos(turn)])
    bracket = np.array([0.28, -0.1]) * size
    width = rng.uniform(0.24, 0.31) * size
    grip = np.array([rng.uniform(0.96, 1.1), rng.uniform(0.2, 0.34)]) * size
    fit = BicycleFit(
        saddle=np.array([rng.uniform(0.88, 1.0), -0.28]) * size,
        grips=np.array([[width, *grip], [-width, *grip]]),
        pedals=np.array([[0.13 * size, *(bracket + crank)], [-0.13 * size, *(bracket - crank)]]),
        bracket=bracket,
        wheel_m=0.34 * size,
        rear_z=-0.53 * size,
        front_z=0.53 * size,
    )
    tilt = float(np.deg2rad(rng.uniform(2.0, 8.0)))
    lean = np.array([[np.cos(tilt), -np.sin(tilt), 0.0], [np.sin(tilt), np.cos(tilt), 0.0], [0.0, 0.0, 1.0]])
    stand = rods([[0.02, 0.27 * size, -0.2 * size]], [[0.16, -0.01, -0.25 * size]], 0.012, STEEL, sides=5)
    return join([build_bicycle(fit, rng), stand]).transformed(lean, np.zeros(3))


def build_bicycle(fit: BicycleFit, rng: np.random.Generator) -> Mesh:
    """Gives the bicycle of a fit, with mudguards, a basket, a rack when it comes to that."""
    frame = draw_paint(rng, FRAMES, 0.5)
    parts = [*_wheels(fit, rng), *_frame(fit, frame, low=rng.random() < 0.4), *_drive(fit)]
    front = np.array([0.0, fit.wheel_m, fit.front_z])
    rear = np.array([0.0, fit.wheel_m, fit.rear_z])
    if rng.random() < 0.6:
        guard = frame if rng.random() < 0.4 else BLACK
        parts += [_guard(rear, fit.wheel_m, (-0.15, 0.8), guard), _guard(front, fit.wheel_m, (0.02, 0.62), guard)]
    if rng.random() < 0.4:
        deck = rear + at(0.0, fit.wheel_m + 0.05, -0.05)
        ends = np.array([[0.05, 0.0, 0.15], [-0.05, 0.0, 0.15], [0.05, 0.0, -0.15], [-0.05, 0.0, -0.15]]) + deck
        parts += [
            box([0.12, 0.02, 0.36], deck, BLACK),
            rods(ends[2:] * [1.0, 0.0, 0.0] + rear, ends[2:], 0.006, BLACK, sides=4),
        ]
    if rng.random() < 0.25:
        parts.append(_basket(fit))
    parts.append(box([0.06, 0.03, 0.02], [0.0, fit.wheel_m * 1.9, fit.rear_z - 0.1], TAILLIGHT))
    return join(parts)


def _wheels(fit: BicycleFit, rng: np.random.Generator) -> list[Mesh]:
    """Gives tyres, rims, hubs and spokes."""
    tyre = rng.uniform(0.013, 0.024) * fit.wheel_m / 0.34
    rim, count = fit.wheel_m - 2.0 * tyre, 14
    parts = []
    for z in (fit.rear_z, fit.front_z):
        hub = np.array([0.0, fit.wheel_m, z])
        turn = np.arange(count) * (2.0 * np.pi / count)
        around = np.stack([np.zeros(count), np.cos(turn), np.sin(turn)], axis=1)
        starts = hub + 0.03 * around + np.where(np.arange(count) % 2, 0.025, -0.025)[:, None] * [1.0, 0.0, 0.0]
        parts += [
            torus(hub, [1.0, 0.0, 0.0], fit.wheel_m - tyre, tyre, RUBBER, around=28, sides=5),
            torus(hub, [1.0, 0.0, 0.0], rim, 0.009, STEEL, around=28, sides=3),
            # Thicker than real ones: those would vanish between samples.
            rods(starts, hub + rim * around, 0.0022, STEEL, sides=3, capped=False),
            rods([hub - [0.05, 0.0, 0.0]], [hub + at(0.05, 0.0, 0.0)], 0.02, STEEL, sides=6),
        ]
    return parts


def _frame(fit: BicycleFit, frame: Paint, *, low: bool) -> list[Mesh]:
    """Gives frame, fork, saddle and handlebar; `low` is a frame to step through."""
    saddle, bracket = np.array([0.0, *fit.saddle]), np.array([0.0, *fit.bracket])
    rear, front = np.array([0.0, fit.wheel_m, fit.rear_z]), np.array([0.0, fit.wheel_m, fit.front_z])
    grip = fit.grips.mean(axis=0) * [0.0, 1.0, 1.0]
    # The steering axis leads from the front axle up and back, below the handlebar.
    steer = np.array([0.0, grip[1] - 0.06, min(grip[2] - 0.02, front[2] - 0.18 * fit.wheel_m / 0.34)])
    axis = steer - (front + at(0.0, 0.0, -0.04))
    crown, head = front + at(0.0, 0.0, -0.04) + 0.42 * axis, front + at(0.0, 0.0, -0.04) + 0.8 * axis
    crown[1] = max(crown[1], 2.0 * fit.wheel_m + 0.02)
    head[1] = max(head[1], crown[1] + 0.06)
    post = bracket + 0.68 * (saddle - bracket)
    upper = bracket + 0.35 * (post - bracket) if low else post
    sides = np.array([[0.055, 0.0, 0.0], [-0.055, 0.0, 0.0]])
    thin = 0.4 * sides
    starts = [bracket, crown, upper, crown, *(bracket + thin), *(post + thin), *(crown + thin)]
    ends = [post, bracket, head, steer, *(rear + sides), *(rear + sides), *(front + sides)]
    radii = [0.019, 0.021, 0.017, 0.021, *[0.011] * 4, *[0.014] * 2]
    left, right = fit.grips
    bow = [grip * [0.45, 1.0, 1.0] + at(0.0, 0.0, 0.03) for grip in (left, right)]
    return [
        rods(starts, ends, radii, frame, sides=7),
        rods([post], [saddle - [0.0, 0.04, 0.0]], 0.014, CHROME, sides=6),
        ellipsoid(saddle - [0.0, 0.035, 0.03], [0.085, 0.035, 0.12], BLACK),
        ellipsoid(saddle + at(0.0, -0.03, 0.07), [0.03, 0.025, 0.11], BLACK, rows=5, sides=6),
        tube(np.array([left, bow[0], steer, bow[1], right]), 0.0125, CHROME),
        rods([left, right], fit.grips * [0.72, 1.0, 1.0], 0.018, BLACK, sides=6),
        ellipsoid(steer + at(0.0, -0.1, 0.07), [0.035, 0.035, 0.04], CHROME, rows=4, sides=6),
    ]  # fmt: skip


def _drive(fit: BicycleFit) -> list[Mesh]:
    """Gives cranks, pedals, chain wheel and chain."""
    bracket, rear = np.array([0.0, *fit.bracket]), np.array([0.0, fit.wheel_m, fit.rear_z])
    aside = fit.pedals * [0.55, 0.0, 0.0]
    # The chain runs on the right.
    right = np.array([-0.06, 0.0, 0.0])
    up = np.array([0.0, 1.0, 0.0])
    chain = np.array([bracket + right + 0.08 * up, bracket + right - 0.08 * up])
    sprocket = np.array([rear + right + 0.035 * up, rear + right - 0.035 * up])
    parts = [
        rods(bracket + aside, fit.pedals * [0.55, 1.0, 1.0], 0.013, STEEL, sides=5),
        rods(fit.pedals * [0.55, 1.0, 1.0], fit.pedals, 0.008, STEEL, sides=4),
        rods([bracket + aside[1]], [bracket + aside[0]], 0.022, STEEL, sides=6),
        torus(bracket + right, [1.0, 0.0, 0.0], 0.085, 0.008, BLACK, around=16, sides=4),
        rods(chain, sprocket, 0.006, BLACK, sides=4, capped=False),
    ]
    parts += [box([0.09, 0.022, 0.08], pedal, BLACK) for pedal in fit.pedals]
    return parts


def _guard(hub: Float64Array, wheel_m: float, span: tuple[float, float], finish: Paint) -> Mesh:
    """Gives a mudguard over a part of a wheel: shares of half a turn from ahead over the top to behind."""
    turn = np.pi * np.linspace(*span, 8)
    arc = hub + (wheel_m + 0.018) * np.stack([np.zeros(8), np.sin(turn), np.cos(turn)], axis=1)
    left, right = arc + at(0.028, 0.0, 0.0), arc - [0.028, 0.0, 0.0]
    return quads(np.stack([left[:-1], left[1:], right[1:], right[:-1]], axis=1), finish, both_sides=True)


def _basket(fit: BicycleFit) -> Mesh:
    """Gives a wire basket before the handlebar."""
    grip = fit.grips.mean(axis=0)
    centre = np.array([0.0, grip[1] - 0.14, max(grip[2] + 0.14, fit.front_z - 0.05)])
    bars = []
    for share in np.linspace(-0.5, 0.5, 7):
        for side in (-0.5, 0.5):
            bars.append(([0.32 * share, -0.1, 0.24 * side], [0.36 * share, 0.1, 0.28 * side]))
            bars.append(([0.32 * side, -0.1, 0.24 * share], [0.36 * side, 0.1, 0.28 * share]))
    for level in (-0.1, 0.0, 0.1):
        for a, b in (((-1, -1), (1, -1)), ((1, -1), (1, 1)), ((1, 1), (-1, 1)), ((-1, 1), (-1, -1))):
            bars.append(([0.17 * a[0], level, 0.13 * a[1]], [0.17 * b[0], level, 0.13 * b[1]]))
    starts, ends = np.array(bars).transpose(1, 0, 2)
    return rods(centre + starts, centre + ends, 0.0035, STEEL.times(0.5), sides=3, capped=False)
