"""What stands upright and thin: poles, lamps, signs, bollards, cones, columns, flags."""

from __future__ import annotations

import numpy as np

from mili_core.synth.objects.mesh import Mesh, join
from mili_core.synth.objects.paints import (
    DARK_STEEL,
    FABRICS,
    IRON,
    ORANGE,
    RED,
    STEEL,
    STONES,
    STREET_METALS,
    WHITE,
    Paint,
    draw_paint,
    paint,
)
from mili_core.synth.objects.solids import at, box, disc, lathe, prism, quads, rod, tube


def pole(rng: np.random.Generator) -> Mesh:
    """Gives a plain mast, e.g. of wires or cameras."""
    height, radius = rng.uniform(3.5, 8.0), rng.uniform(0.05, 0.12)
    body = draw_paint(rng, STREET_METALS, 0.3)
    parts = [
        lathe([[1.5 * radius, 0.0], [1.4 * radius, 0.9], [radius, 1.0], [0.7 * radius, height]], body, sides=10),
        box([0.25, 0.4, 0.18], [0.0, 1.4, radius + 0.08], body.times(0.8)),
    ]
    if rng.random() < 0.5:
        parts.append(box([0.12, 0.12, 0.3], [0.0, height - 0.3, 0.2], WHITE))
    return join(parts)


def street_lamp(rng: np.random.Generator) -> Mesh:
    """Gives a street lamp with one or two arms, or a lantern on top."""
    body, glow = draw_paint(rng, STREET_METALS, 0.3), paint(226, 222, 206, 0.4)
    if rng.random() < 0.4:
        height = rng.uniform(3.0, 4.5)
        return join([
            lathe([[0.14, 0.0], [0.12, 0.5], [0.06, 0.6], [0.05, height]], body, sides=10),
            lathe([[0.06, height], [0.2, height + 0.1], [0.24, height + 0.45]], glow, sides=8),
            lathe([[0.29, height + 0.45], [0.1, height + 0.62], [0.02, height + 0.72]], body, sides=8),
        ])  # fmt: skip
    height, reach = rng.uniform(5.0, 9.0), rng.uniform(0.8, 1.8)
    parts = [lathe([[0.12, 0.0], [0.11, 1.0], [0.05, height]], body, sides=8)]
    for side in (1.0, -1.0) if rng.random() < 0.3 else (1.0,):
        arm = [[0.0, height - 0.1, 0.0], [0.4 * side * reach, height + 0.2, 0.0], [side * reach, height + 0.25, 0.0]]
        parts += [
            tube(arm, 0.035, body, sides=5),
            box([0.6, 0.1, 0.22], [side * (reach + 0.2), height + 0.25, 0.0], body, bevel=0.03),
            box([0.45, 0.02, 0.16], [side * (reach + 0.2), height + 0.19, 0.0], glow),
        ]
    return join(parts)


def traffic_sign(rng: np.random.Generator) -> Mesh:
    """Gives one or two signs on a post: round, square, or a triangle."""
    height = rng.uniform(2.1, 2.7)
    parts = [rod([0.0, 0.0, 0.0], [0.0, height + 0.4, 0.0], 0.035, STEEL, sides=8)]
    for level in range(int(rng.integers(1, 3))):
        parts += _sign(rng, height - 0.05 - 0.68 * level)
    return join(parts)


def _sign(rng: np.random.Generator, height: float) -> list[Mesh]:
    front, behind = [0.0, height, 0.05], [0.0, height, 0.04]
    shape, blue = int(rng.integers(3)), paint(28, 74, 150, 0.3)
    if shape == 0:
        rim, field = (RED, WHITE) if rng.random() < 0.6 else (WHITE, blue)
        middle = [0.0, height, 0.056]
        return [
            disc(behind, [0.0, 0.0, 1.0], 0.3, STEEL.times(0.7), sides=20),
            disc(front, [0.0, 0.0, 1.0], 0.3, rim, sides=20),
            disc(middle, [0.0, 0.0, 1.0], 0.22, field, sides=20),
            box([0.3, 0.06, 0.01], [0.0, height, 0.06], rim if rng.random() < 0.5 else IRON),
        ]
    if shape == 1:
        return [
            box([0.6, 0.6, 0.01], behind, STEEL.times(0.7)),
            box([0.6, 0.6, 0.01], front, blue),
            box([0.16, 0.34, 0.01], [0.0, height, 0.06], WHITE),
        ]
    corners = np.array([[-0.33, -0.25], [0.33, -0.25], [0.0, 0.32]])
    return [
        prism(corners + np.array([0.0, height]), 0.035, 0.05, 2, RED),
        prism(0.72 * corners + np.array([0.0, height]), 0.05, 0.056, 2, WHITE),
        box([0.05, 0.2, 0.01], [0.0, height - 0.02, 0.058], IRON),
    ]


def bollard(rng: np.random.Generator) -> Mesh:
    """Gives a bollard of iron, stone or steel with a band."""
    height = rng.uniform(0.7, 1.1)
    style = int(rng.integers(3))
    if style == 0:
        body = draw_paint(rng, STONES, 0.0)
        return lathe([[0.17, 0.0], [0.16, 0.8 * height], [0.12, 0.93 * height], [0.03, height]], body, sides=12)
    body, band = (IRON, WHITE) if style == 1 else (STEEL, RED)
    radius = rng.uniform(0.045, 0.09)
    return join([
        lathe([[1.4 * radius, 0.0], [1.4 * radius, 0.1], [radius, 0.12], [radius, height]], body, sides=12),
        lathe([[1.06 * radius, 0.78 * height], [1.06 * radius, 0.9 * height]], band, sides=12),
        lathe([[1.05 * radius, height], [0.8 * radius, height + radius], [0.1 * radius, height + 1.3 * radius]],
              body, sides=12),
    ])  # fmt: skip


def traffic_cone(rng: np.random.Generator) -> Mesh:
    """Gives an orange cone with white bands."""
    size = rng.uniform(0.45, 0.8)
    parts = [box([0.42 * size, 0.04 * size, 0.42 * size], [0.0, 0.02 * size, 0.0], ORANGE.times(0.8))]
    parts.append(lathe(np.array([[0.178, 0.0], [0.025, 1.0]]) * size, ORANGE, sides=12))
    for low in (0.42, 0.68):
        wide, narrow = 0.178 - 0.145 * low, 0.178 - 0.145 * (low + 0.13)
        parts.append(lathe(np.array([[wide, low], [narrow, low + 0.13]]) * size, WHITE, sides=12))
    return join(parts)


def column(rng: np.random.Generator) -> Mesh:
    """Gives a load-bearing column, round on a base or square, a storey high and more."""
    height, radius = rng.uniform(3.5, 7.0), rng.uniform(0.22, 0.5)
    stone = draw_paint(rng, STONES, 0.1)
    if rng.random() < 0.35:
        band = draw_paint(rng, STREET_METALS, 0.3)
        return join([
            box([2.0 * radius, height, 2.0 * radius], [0.0, 0.5 * height, 0.0], stone, bevel=0.03),
            box([2.04 * radius, 0.25, 2.04 * radius], [0.0, 0.125, 0.0], band),
        ])  # fmt: skip
    wide = 1.3 * radius
    return join([
        box([2.0 * wide, 0.25, 2.0 * wide], [0.0, 0.125, 0.0], stone.times(0.9)),
        lathe([[wide, 0.25], [1.1 * radius, 0.45]], stone, sides=20),
        lathe([[radius, 0.45], [0.88 * radius, height]], stone, sides=20),
        box([2.2 * radius, 0.2, 2.2 * radius], [0.0, height + 0.1, 0.0], stone.times(0.95)),
    ])  # fmt: skip


def advertising_pillar(rng: np.random.Generator) -> Mesh:
    """Gives a thick round pillar with posters under a roof."""
    radius, height = rng.uniform(0.5, 0.7), rng.uniform(2.5, 3.2)
    body = draw_paint(rng, STREET_METALS, 0.1)
    count = 6
    edges = np.linspace(0.0, 2.0 * np.pi, 4 * count + 1)
    parts = [
        lathe([[1.08 * radius, 0.0], [1.08 * radius, 0.35], [radius, 0.4], [radius, height]], body, sides=24),
        lathe([[1.2 * radius, height], [1.2 * radius, height + 0.1], [0.5 * radius, height + 0.35],
               [0.05 * radius, height + 0.7]], body.times(0.7), sides=24),
    ]  # fmt: skip
    for poster in range(count):
        turn = edges[4 * poster : 4 * poster + 5][:, None]
        low, high = rng.uniform(0.45, 0.8), height - rng.uniform(0.1, 0.5)
        wall = 1.01 * radius * np.concatenate([np.sin(turn), np.zeros_like(turn), np.cos(turn)], axis=1)
        paper = draw_paint(rng, FABRICS, 0.1, 0.2)
        strip = _strip(wall + at(0.0, low, 0.0), wall + at(0.0, high, 0.0))
        band = rng.uniform(low + 0.2, high - 0.5)
        over = wall * 1.005
        parts.append(quads(strip, paper))
        parts.append(
            quads(_strip(over + at(0.0, band, 0.0), over + at(0.0, band + 0.3, 0.0)), draw_paint(rng, FABRICS, 0.1))
        )
    return join(parts)


def _strip(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Gives (N - 1, 4, 3) quads between two lines of points (N, 3)."""
    return np.stack([low[:-1], low[1:], high[1:], high[:-1]], axis=1)


def flag(rng: np.random.Generator) -> Mesh:
    """Gives a flag of two or three stripes that waves on a mast."""
    height, length, drop = rng.uniform(4.0, 7.0), rng.uniform(1.2, 1.9), rng.uniform(0.8, 1.2)
    sag, phase = rng.uniform(0.1, 0.5), rng.uniform(0.0, 2.0 * np.pi)
    parts = [rod([0.0, 0.0, 0.0], [0.0, height, 0.0], 0.045, WHITE.times(0.9), end_radius=0.025, sides=8)]
    along = np.linspace(0.0, 1.0, 9)
    wave = 0.12 * along * np.sin(phase + 7.0 * along)
    stripes = int(rng.integers(2, 4))
    for stripe in range(stripes):
        cloth = draw_paint(rng, FABRICS, 0.0)
        parts.append(
            _cloth(along, wave, length, sag, height - 0.1, drop, (stripe / stripes, (stripe + 1) / stripes), cloth)
        )
    return join(parts)


def _cloth(
    along: np.ndarray, wave: np.ndarray, length: float, sag: float, top: float, drop: float,
    share: tuple[float, float], cloth: Paint,
) -> Mesh:  # fmt: skip
    """Gives one stripe of a waving cloth between two shares of its height."""
    edges = [
        np.stack([length * along, top - sag * along**2 - drop * part, wave * (0.6 + 0.8 * part)], axis=1)
        for part in share
    ]
    return quads(_strip(edges[1], edges[0]), cloth, both_sides=True)


def banner(rng: np.random.Generator) -> Mesh:
    """Gives a tall cloth banner that hangs beside its mast, or a beach flag's blade."""
    height, width = rng.uniform(2.4, 4.5), rng.uniform(0.5, 0.8)
    cloth, ink = draw_paint(rng, FABRICS, 0.05), draw_paint(rng, FABRICS, 0.05)
    blade = rng.random() < 0.5
    rise = np.linspace(0.0, 1.0, 8)
    outer = width * (np.sqrt(np.clip(1.0 - rise**4, 0.0, 1.0)) if blade else np.ones(8))
    bow = 0.05 * np.sin(np.pi * rise)
    low = 0.5
    inner_edge = np.stack([np.full(8, 0.03), low + rise * (height - low), bow], axis=1)
    outer_edge = np.stack([0.03 + outer, low + rise * (height - low) - 0.06, bow + 0.04], axis=1)
    stripe_in, stripe_out = 0.7 * inner_edge[2:5] + 0.3 * outer_edge[2:5], 0.3 * inner_edge[2:5] + 0.7 * outer_edge[2:5]
    face = np.array([0.0, 0.0, 0.008])
    sheet = _strip(outer_edge, inner_edge)[:, ::-1]
    return join([
        rod([0.0, 0.0, 0.0], [0.0, height, 0.0], 0.03, DARK_STEEL, end_radius=0.02, sides=6),
        box([0.5, 0.05, 0.5], [0.0, 0.025, 0.0], DARK_STEEL),
        quads(sheet, cloth, both_sides=True),
        quads(_strip(stripe_out, stripe_in)[:, ::-1] + face, ink, both_sides=True),
        quads(_strip(stripe_out, stripe_in)[:, ::-1] - face, ink, both_sides=True),
    ])  # fmt: skip
