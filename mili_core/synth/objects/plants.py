"""Trees, planters, hedges."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mili_core.synth.objects.mesh import Mesh, join
from mili_core.synth.objects.paints import BARKS, FABRICS, LEAVES, PLASTICS, STONES, Paint, draw_paint
from mili_core.synth.objects.solids import at, box, ellipsoid, lathe, quads, rods, tube

Float64Array = NDArray[np.float64]

INSIDE = 0.42
"""Brightness of a crown's inside over that of its leaves: little light gets there."""


def tree(rng: np.random.Generator) -> Mesh:
    """Gives a street tree: broad, round, columnar or a young one."""
    style = int(rng.integers(4))
    height = rng.uniform(*((6.0, 9.0), (5.0, 7.5), (6.0, 10.0), (3.0, 4.5))[style])
    trunk = height * rng.uniform(*((0.28, 0.38), (0.3, 0.4), (0.15, 0.25), (0.35, 0.45))[style])
    crown = (height - trunk) * 0.5
    wide = crown * rng.uniform(*((1.1, 1.5), (0.9, 1.2), (0.4, 0.6), (0.7, 0.95))[style])
    bark, leaf = draw_paint(rng, BARKS, 0.0), draw_paint(rng, LEAVES, 0.05)
    centre = np.array([0.0, trunk + 0.92 * crown, 0.0])
    radii = np.array([wide, crown, wide])
    thick = 0.016 * height + 0.03
    bend = rng.normal(0.0, 0.12, 2)
    path = np.zeros((4, 3), dtype=np.float64)
    path[1:] = at(0.5 * bend[0], 0.5 * trunk, 0.5 * bend[1]), at(bend[0], trunk, bend[1]), centre
    parts = [tube(path, [1.35 * thick, thick, 0.85 * thick, 0.4 * thick], bark, sides=8)]
    puffs = _puffs(rng, 9)
    fork = np.array([bend[0], 0.95 * trunk, bend[1]])
    tips = centre + radii * puffs[:, :3]
    parts.append(
        rods(np.broadcast_to(fork, tips.shape), tips, 0.4 * thick, bark, end_radius=0.012, sides=5, capped=False)
    )
    parts += [_inside(rng, tip, 0.68 * radii * puff[3], leaf) for puff, tip in zip(puffs, tips, strict=True)]
    parts.append(leaves(rng, tips, radii * puffs[:, 3:], 1050, 0.115 * float(np.sqrt(wide * crown)), leaf))
    return join(parts)


def _inside(rng: np.random.Generator, centre: Float64Array, radii: Float64Array, leaf: Paint) -> Mesh:
    """Gives the dark, dented lump behind leaves."""
    lump = ellipsoid(np.zeros(3), radii, leaf.times(INSIDE), rows=5, sides=7)
    dents = rng.uniform(0.75, 1.15, (len(lump.vertices_m), 1))
    shades = rng.uniform(0.6, 1.5, (len(lump.vertices_m), 1))
    vertices = (lump.vertices_m * dents + centre).astype(np.float32)
    return replace(lump, vertices_m=vertices, albedo=(lump.albedo * shades).astype(np.float32))


def _puffs(rng: np.random.Generator, count: int) -> Float64Array:
    """Gives (count, 4) middles within the unit ball and sizes of the lumps that make up a crown."""
    turn = 2.4 * np.arange(count) + rng.uniform(0.0, 2.0 * np.pi)
    rise = np.linspace(-0.62, 0.68, count) + rng.normal(0.0, 0.06, count)
    # Narrower towards the top, widest a little below the middle.
    reach = 0.62 * np.sqrt(np.clip(1.0 - rise**2, 0.1, 1.0)) * rng.uniform(0.6, 1.05, count)
    size = rng.uniform(0.4, 0.56, count) * (1.0 - 0.25 * np.abs(rise))
    return np.stack([reach * np.cos(turn), rise, reach * np.sin(turn), size], axis=1)


def leaves(
    rng: np.random.Generator, middles: Float64Array, radii: Float64Array, count: int, size_m: float, leaf: Paint
) -> Mesh:
    """Gives twigs of leaves, each one sheet, on the surfaces of ellipsoids.

    Args:
        rng: source of all randomness.
        middles: (K, 3) of the ellipsoids.
        radii: (K, 3).
        count: how many sheets.
        size_m: of a sheet.
        leaf: their paint, varied from sheet to sheet.
    """
    weight = radii.prod(axis=1) ** (2.0 / 3.0)
    home = rng.choice(len(middles), size=count, p=weight / weight.sum())
    outward = rng.normal(size=(count, 3))
    outward /= np.linalg.norm(outward, axis=1, keepdims=True)
    spots = middles[home] + radii[home] * outward * rng.uniform(0.6, 1.08, count)[:, None]
    shade = 0.85 + 0.25 * outward[:, 1]
    return _sheets(rng, spots, outward + at(0.0, 0.35, 0.0), size_m, leaf, shade)


def _sheets(
    rng: np.random.Generator, spots: Float64Array, facing: Float64Array, size_m: float, leaf: Paint, shade: Float64Array
) -> Mesh:
    """Gives kites of leaf colour, since squares give themselves away at the outline.

    They are drawn on one side only: what looks away from the camera is behind the crown's inside.

    Args:
        rng: source of all randomness.
        spots: (K, 3) middles.
        facing: (K, 3) where they look on the whole.
        size_m: half their length.
        leaf: their paint.
        shade: (K,) factors of brightness.
    """
    count = len(spots)
    normal = facing + rng.normal(0.0, 0.55, (count, 3))
    across = np.cross(normal, rng.normal(size=(count, 3)))
    across /= np.linalg.norm(across, axis=1, keepdims=True)
    over = np.cross(normal, across)
    over /= np.linalg.norm(over, axis=1, keepdims=True)
    extent = size_m * rng.uniform(0.6, 1.25, (count, 1))
    over, across = extent * over, 0.62 * extent * across
    corners = np.stack([spots - over, spots + across, spots + over, spots - across], axis=1)
    corners[..., 1] = np.maximum(corners[..., 1], 0.01)
    sheets = quads(corners, leaf)
    varied = np.repeat(shade * np.exp(rng.normal(0.0, 0.2, count)), 4)[:, None]
    return replace(sheets, albedo=np.clip(sheets.albedo * varied, 0.0, 0.9).astype(np.float32))


def planter(rng: np.random.Generator) -> Mesh:
    """Gives a pot or a trough with a shrub or flowers."""
    pot = draw_paint(rng, STONES if rng.random() < 0.6 else PLASTICS, 0.05)
    leaf, high = draw_paint(rng, LEAVES, 0.05), rng.uniform(0.4, 0.65)
    if rng.random() < 0.5:
        wide = rng.uniform(0.25, 0.45)
        vessel = lathe(
            [[0.75 * wide, 0.0], [wide, high], [0.85 * wide, high], [0.8 * wide, high - 0.06]], pot, sides=14
        )
        half = np.array([wide, wide])
    else:
        half = np.array([rng.uniform(0.5, 0.9), rng.uniform(0.22, 0.4)])
        vessel = box([2.0 * half[0], high, 2.0 * half[1]], [0.0, 0.5 * high, 0.0], pot, bevel=0.02)
    rise = rng.uniform(0.25, 0.7)
    middle = np.array([[0.0, high + 0.45 * rise, 0.0]])
    radii = np.array([[0.9 * half[0], 0.62 * rise, 0.9 * half[1]]])
    parts = [vessel, _inside(rng, middle[0], 0.75 * radii[0], leaf), leaves(rng, middle, radii, 420, 0.075, leaf)]
    if rng.random() < 0.5:
        parts.append(leaves(rng, middle + at(0.0, 0.05, 0.0), radii, 110, 0.05, draw_paint(rng, FABRICS, 0.0)))
    return join(parts)


def hedge(rng: np.random.Generator) -> Mesh:
    """Gives a clipped hedge."""
    size = np.array([rng.uniform(1.6, 3.0), rng.uniform(0.8, 1.5), rng.uniform(0.5, 0.8)])
    leaf = draw_paint(rng, LEAVES, 0.05)
    core = box(0.94 * size, [0.0, 0.47 * size[1], 0.0], leaf.times(INSIDE), bevel=0.05)
    count = 1100
    at = rng.uniform(-0.5, 0.5, (count, 3))
    # Each leaf is pushed to the nearest of the five sides that are seen, in proportion to their areas.
    areas = np.array([size[1] * size[2], size[0] * size[2], size[0] * size[1]])
    axis = rng.choice(3, size=count, p=areas / areas.sum())
    outward = np.zeros((count, 3))
    sign = np.where((axis == 1) | (rng.random(count) < 0.5), 1.0, -1.0)
    outward[np.arange(count), axis] = sign
    at[np.arange(count), axis] = 0.5 * sign
    spots = at * size + [0.0, 0.5 * size[1], 0.0] + outward * rng.uniform(-0.04, 0.03, (count, 1))
    return join([core, _sheets(rng, spots, outward, 0.075, leaf, np.ones(count))])
