"""Kiosks and market stalls."""

from __future__ import annotations

import numpy as np

from mili_core.synth.objects.mesh import Mesh, join
from mili_core.synth.objects.paints import (
    FABRICS,
    GLASS,
    PLASTICS,
    STEEL,
    STREET_METALS,
    WHITE,
    WOODS,
    Paint,
    draw_paint,
    paint,
)
from mili_core.synth.objects.solids import at, box, ellipsoid, quads, rods

_FRUIT = (paint(186, 70, 32), paint(206, 164, 56), paint(120, 142, 60), paint(150, 36, 34), paint(196, 168, 128))


def kiosk(rng: np.random.Generator) -> Mesh:
    """Gives a closed booth with a counter window, a shop sign and papers on its front."""
    wide, deep, high = rng.uniform(2.0, 3.2), rng.uniform(1.6, 2.2), rng.uniform(2.3, 2.7)
    body, trim = draw_paint(rng, STREET_METALS, 0.2), draw_paint(rng, FABRICS, 0.1)
    front = 0.5 * deep
    parts = [
        box([wide, high, deep], [0.0, 0.5 * high, 0.0], body),
        box([wide + 0.5, 0.12, deep + 0.6], [0.0, high + 0.06, 0.05], body.times(0.7)),
        box([wide + 0.1, 0.35, 0.06], [0.0, high - 0.1, front + 0.05], trim),
        box([0.5 * wide, 0.14, 0.02], [0.0, high - 0.1, front + 0.09], WHITE),
        box([0.62 * wide, 0.85, 0.02], [0.0, 1.5, front + 0.005], GLASS),
        box([0.8 * wide, 0.05, 0.35], [0.0, 1.02, front + 0.16], STEEL),
    ]
    for column in range(6):
        for row in range(2):
            if rng.random() < 0.8:
                at = [(column - 2.5) * 0.155 * wide, 0.78 - 0.36 * row, front + 0.02]
                parts.append(box([0.12 * wide, 0.3, 0.02], at, draw_paint(rng, FABRICS, 0.2, 0.3)))
    for side in (-1.0, 1.0):
        parts.append(box([0.02, 0.9, 0.5 * deep], [0.501 * side * wide, 1.5, 0.0], GLASS))
        parts.append(box([0.025, 0.6, 0.4 * deep], [0.5 * side * wide, 0.6, 0.0], trim))
    return join(parts)


def stall(rng: np.random.Generator) -> Mesh:
    """Gives a market stall: crates of goods on a table under a striped awning."""
    wide, deep, high = rng.uniform(2.2, 3.2), rng.uniform(1.2, 1.6), 2.2
    cloth, second = draw_paint(rng, FABRICS, 0.0), WHITE if rng.random() < 0.6 else draw_paint(rng, FABRICS, 0.0)
    half, front = 0.5 * wide, 0.5 * deep
    corners = np.array([[x, 0.0, z] for x in (-half, half) for z in (-front, front)])
    parts = [
        rods(corners, corners + at(0.0, high, 0.0), 0.025, STEEL, sides=6),
        box([wide - 0.1, 0.05, deep - 0.2], [0.0, 0.8, 0.0], draw_paint(rng, WOODS, 0.0)),
        quads(_skirt(half - 0.06, front - 0.1, 0.8), cloth.times(0.9), both_sides=True),
        *_awning(half + 0.15, front, high, cloth, second),
    ]
    crates = max(3, int(wide / 0.5))
    for number in range(crates):
        x = (number + 0.5) * (wide - 0.2) / crates - half + 0.1
        for z in (-0.22 * deep, 0.2 * deep):
            lift = 0.95 if z < 0 else 0.87
            parts.append(box([0.42, 0.14, 0.36], [x, lift, z], draw_paint(rng, PLASTICS if number % 2 else WOODS, 0.1)))
            parts.append(ellipsoid([x, lift + 0.06, z], [0.19, 0.09, 0.16], _FRUIT[int(rng.integers(len(_FRUIT)))],
                                   rows=4, sides=8))  # fmt: skip
    return join(parts)


def _skirt(half: float, front: float, high: float) -> np.ndarray:
    """Gives (3, 4, 3) the cloth that hangs around a table's front and sides."""
    turns = np.array([[-half, -front], [-half, front], [half, front], [half, -front]])
    low = np.insert(turns, 1, 0.05, axis=1)
    upper = np.insert(turns, 1, high, axis=1)
    return np.stack([low[:-1], low[1:], upper[1:], upper[:-1]], axis=1)


def _awning(half: float, front: float, high: float, cloth: Paint, second: Paint) -> list[Mesh]:
    """Gives a gabled roof of stripes with a hanging edge on both long sides."""
    stripes = 9
    edges = np.linspace(-half, half, stripes + 1)
    line = np.array([[high - 0.22, front + 0.25], [high, front + 0.25], [high + 0.5, 0.0], [high, -front - 0.25],
                     [high - 0.22, -front - 0.25]])  # fmt: skip
    parts = []
    for parity, finish in enumerate((cloth, second)):
        corners = []
        for stripe in range(parity, stripes, 2):
            left, right = (np.insert(line, 0, edge, axis=1) for edge in edges[stripe : stripe + 2])
            corners.append(np.stack([left[:-1], right[:-1], right[1:], left[1:]], axis=1))
        parts.append(quads(np.concatenate(corners), finish, both_sides=True))
    return parts
