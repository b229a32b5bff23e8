"""What keeps people out or in play: fences, hurdles, goals."""

from __future__ import annotations

import numpy as np

from mili_core.synth.objects.mesh import Mesh, join
from mili_core.synth.objects.paints import BLACK, RED, STEEL, STREET_METALS, WHITE, draw_paint
from mili_core.synth.objects.solids import box, rods, tube


def barrier(rng: np.random.Generator) -> Mesh:
    """Gives a crowd-control fence of bars to see through, or a beam in red and white."""
    if rng.random() < 0.2:
        return _beam(rng)
    width, high, low = rng.uniform(2.0, 2.5), 1.1, 0.22
    metal = STEEL.times(rng.uniform(0.7, 1.1))
    half = 0.5 * width
    outline = [[-half, 0.55, 0.0], [-half, high - 0.12, 0.0], [-half + 0.12, high, 0.0], [half - 0.12, high, 0.0],
               [half, high - 0.12, 0.0], [half, low, 0.0], [-half, low, 0.0], [-half, 0.56, 0.0]]  # fmt: skip
    bars = int(width / 0.12)
    xs = np.linspace(-half, half, bars + 2)[1:-1]
    feet = [[x, 0.02, z] for x in (-0.8 * half, 0.8 * half) for z in (-0.3, 0.3)]
    legs = [[x, low, 0.0] for x in (-0.8 * half, -0.8 * half, 0.8 * half, 0.8 * half)]
    return join([
        tube(outline, 0.02, metal),
        rods(np.stack([xs, np.full(bars, low), np.zeros(bars)], axis=1),
             np.stack([xs, np.full(bars, high), np.zeros(bars)], axis=1), 0.0085, metal, sides=4, capped=False),
        rods(legs, feet, 0.018, metal, sides=5),
    ])  # fmt: skip


def _beam(rng: np.random.Generator) -> Mesh:
    """Gives a road works beam on two feet."""
    width, stripes = rng.uniform(1.6, 2.4), 9
    pitch = width / stripes
    parts = [
        box([pitch, 0.22, 0.03], [(stripe + 0.5) * pitch - 0.5 * width, 0.9, 0.0], RED if stripe % 2 else WHITE)
        for stripe in range(stripes)
    ]
    for x in (-0.38 * width, 0.38 * width):
        parts += [box([0.05, 1.0, 0.04], [x, 0.5, -0.03], WHITE), box([0.2, 0.1, 0.7], [x, 0.05, 0.0], BLACK)]
    return join(parts)


def hurdle(rng: np.random.Generator) -> Mesh:
    """Gives a hurdle of track and field, its feet behind it."""
    high, half = rng.choice([0.76, 0.84, 0.91, 1.07]), 0.6
    metal = draw_paint(rng, STREET_METALS, 0.4)
    parts = [
        box([0.4, 0.07, 0.02], [x, high - 0.035, 0.0], WHITE if number != 1 else BLACK)
        for number, x in enumerate((-0.4, 0.0, 0.4))
    ]
    tops = [[-half + 0.05, high, -0.01], [half - 0.05, high, -0.01]]
    knees = [[-half + 0.05, 0.03, -0.01], [half - 0.05, 0.03, -0.01]]
    feet = [[-half + 0.05, 0.03, -0.7], [half - 0.05, 0.03, -0.7]]
    parts.append(rods([*tops, *knees, knees[0]], [*knees, *feet, knees[1]], 0.018, metal, sides=6))
    return join(parts)


def goal(rng: np.random.Generator) -> Mesh:
    """Gives a small or a large goal with its net; +z is the open side."""
    width, high, deep = (3.0, 2.0, 1.0) if rng.random() < 0.7 else (5.0, 2.0, 1.5)
    half = 0.5 * width
    posts = tube([[-half, 0.0, 0.0], [-half, high, 0.0], [half, high, 0.0], [half, 0.0, 0.0]], 0.045, WHITE, sides=8)
    back = tube([[-half, high, 0.0], [-half, 0.03, -deep], [half, 0.03, -deep], [half, high, 0.0]], 0.02, STEEL)
    xs, shares = np.linspace(-half, half, round(width / 0.24)), np.linspace(0.0, 1.0, 11)
    slope = np.stack([np.zeros_like(shares), high + (0.03 - high) * shares, -deep * shares], axis=1)
    aside = np.array([half, 0.0, 0.0])
    columns = np.zeros((len(xs), 3))
    columns[:, 0] = xs
    starts = [columns + slope[0], slope - aside]
    ends = [columns + slope[-1], slope + aside]
    for side in (-aside, aside):
        starts += [slope[1:] + side, slope[1:] * [1.0, 0.0, 1.0] + side]
        ends += [slope[1:] * [1.0, 1.0, 0.0] + side, slope[1:] + side]
    net = rods(np.concatenate(starts), np.concatenate(ends), 0.004, WHITE.times(0.85), sides=3, capped=False)
    return join([posts, back, net])
