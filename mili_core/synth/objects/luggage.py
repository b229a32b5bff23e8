"""What people carry, push or lean on, in their own axes; companions.py fits them to hands."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mili_core.synth.objects.mesh import Mesh, join
from mili_core.synth.objects.paints import (
    BLACK,
    CASES,
    DARK_STEEL,
    FABRICS,
    RUBBER,
    STEEL,
    UMBRELLAS,
    WOODS,
    Paint,
    draw_paint,
)
from mili_core.synth.objects.solids import at, box, loft, rod, rods, torus, tube
from mili_core.synth.poses.skeleton import axis_rotation

Float64Array = NDArray[np.float64]


def suitcase(rng: np.random.Generator) -> Mesh:
    """Gives a wheeled suitcase that stands by itself, its handle pulled out or not."""
    return build_suitcase(rng, rng.uniform(0.5, 0.72), rng.uniform(0.0, 0.4))


def build_suitcase(rng: np.random.Generator, height_m: float, handle_m: float) -> Mesh:
    """Gives an upright suitcase; its handle ends `handle_m` over it, in the middle."""
    wide, deep = 0.66 * height_m, 0.36 * height_m
    shell, wheel = draw_paint(rng, CASES, 0.4), 0.035
    half, high = 0.5 * wide, wheel * 2.0 + 0.5 * height_m
    spots = np.array([[x, wheel, z] for x in (-half + 0.05, half - 0.05) for z in (-0.35 * deep, 0.35 * deep)])
    parts = [
        box([wide, height_m, deep], [0.0, high, 0.0], shell, bevel=0.035),
        rods(spots - [0.02, 0.0, 0.0], spots + at(0.02, 0.0, 0.0), wheel, RUBBER, sides=8),
        box([0.2 * wide, 0.03, 0.03], [0.0, high + 0.5 * height_m + 0.01, 0.1 * deep], BLACK),
    ]
    parts += [box([1.01 * wide, 0.9 * height_m, 0.012], [0.0, high, z * deep], shell.times(0.7)) for z in (-0.15, 0.15)]
    parts += [
        box([0.04, 0.9 * height_m, 1.02 * deep], [x * wide, high, 0.0], shell.times(0.8)) for x in (-0.25, 0.0, 0.25)
    ]
    if handle_m > 0.03:
        top = high + 0.5 * height_m
        z, bar = -0.38 * deep, 0.3 * wide
        path = [[-bar, top - 0.02, z], [-bar, top + handle_m, z], [bar, top + handle_m, z], [bar, top - 0.02, z]]
        parts.append(tube(path, 0.011, STEEL, sides=5))
        parts.append(rod([-0.8 * bar, top + handle_m, z], [0.8 * bar, top + handle_m, z], 0.017, BLACK, sides=6))
    return join(parts)


def pram(rng: np.random.Generator) -> Mesh:
    """Gives a parked pram."""
    return build_pram(rng, np.array([0.0, rng.uniform(0.95, 1.08), -0.55]), 0.46)


def build_pram(rng: np.random.Generator, handle: Float64Array, width_m: float) -> Mesh:
    """Gives a pram or a buggy with a hood that rolls ahead of its handle, the middle of its seat near the origin.

    Args:
        rng: source of all randomness.
        handle: (3,) middle of the handle, behind the seat.
        width_m: between the wheels.
    """
    cloth, half = draw_paint(rng, UMBRELLAS if rng.random() < 0.6 else FABRICS, 0.05), 0.5 * width_m
    big, small = rng.uniform(0.12, 0.17), rng.uniform(0.08, 0.12)
    axles = ((-0.3, big), (0.32, small))
    parts = [
        torus([side * half, radius - 0.018, z], [1.0, 0.0, 0.0], radius - 0.02, 0.018, RUBBER, around=16, sides=5)
        for z, radius in axles
        for side in (-1.0, 1.0)
    ]
    for z, radius in axles:
        for side in (-1.0, 1.0):
            hub = np.array([side * half, radius - 0.018, z])
            parts.append(rod(hub - [0.015, 0.0, 0.0], hub + at(0.015, 0.0, 0.0), 0.55 * radius, DARK_STEEL, sides=10))
    bars = []
    for side in (-1.0, 1.0):
        x, joint = side * (half - 0.03), np.array([side * (half - 0.03), 0.52, -0.05])
        bars += [[joint, at(x, small, 0.32)], [joint, at(x, big, -0.3)], [joint, np.array([x, *handle[1:]])]]
    starts, ends = np.array(bars).transpose(1, 0, 2)
    parts += [
        rods(starts, ends, 0.013, DARK_STEEL, sides=6),
        rod([-half + 0.06, *handle[1:]], [half - 0.06, *handle[1:]], 0.019, BLACK, sides=7),
        box([0.8 * width_m, 0.1, 0.4], [0.0, 0.22, 0.0], cloth.times(0.6), bevel=0.03),
        _cradle(width_m, cloth if rng.random() < 0.6 else draw_paint(rng, FABRICS, 0.0)),
        _hood(width_m, cloth),
    ]
    return join(parts)


def _cradle(width_m: float, cloth: Paint) -> Mesh:
    """Gives the tub or seat that the child lies in."""
    half = 0.42 * width_m
    line = np.array([[0.5, -0.36], [0.46, 0.1], [0.5, 0.42], [0.72, 0.45], [0.72, -0.34]])
    return loft(_across(line, half), cloth, flat=True)


def _across(line: Float64Array, half: float) -> Float64Array:
    """Gives the two rings (2, N, 3) of an outline (N, 2) y, z at x = -half and half, counter-clockwise about x."""
    following = np.roll(line, -1, axis=0)
    if (line[:, 0] * following[:, 1] - line[:, 1] * following[:, 0]).sum() < 0.0:
        line = line[::-1]
    return np.stack([np.insert(line, 0, x, axis=1) for x in (-half, half)])


def _hood(width_m: float, cloth: Paint) -> Mesh:
    """Gives the hood over the back half of the seat: a quarter of a drum."""
    turn = np.linspace(0.0, 0.62, 7) * np.pi
    arc = np.stack([0.7 + 0.36 * np.sin(turn), -0.06 - 0.36 * np.cos(turn)], axis=1)
    line = np.concatenate([arc, [[0.7, -0.06]]])
    return loft(_across(line, 0.44 * width_m), cloth, flat=True)


def umbrella(rng: np.random.Generator) -> Mesh:
    """Gives an open umbrella put down on its rim."""
    tilt = axis_rotation(np.asarray(rng.uniform(1.9, 2.2)), 0)
    opened = build_umbrella(rng, np.zeros(3), np.array([0.0, 0.8, 0.0]))
    turned = opened.transformed(tilt, np.zeros(3))
    lift = float(turned.vertices_m[:, 1].min())
    return turned.transformed(np.eye(3), np.array([0.0, -lift, 0.0]))


def build_umbrella(rng: np.random.Generator, grip: Float64Array, tip: Float64Array) -> Mesh:
    """Gives an open umbrella held at `grip` (3,) whose canopy's top is at `tip` (3,)."""
    cloth, radius, ribs = draw_paint(rng, UMBRELLAS, 0.05), rng.uniform(0.44, 0.56), 8
    shaft = tip - grip
    length = float(np.linalg.norm(shaft))
    up = shaft / length
    side = np.cross(up, [0.0, 0.0, 1.0])
    side /= np.linalg.norm(side)
    # Columns: where the canopy's own x, y, z go.
    frame = np.stack([side, up, np.cross(side, up)], axis=1)
    turn = np.arange(2 * ribs) * (np.pi / ribs)
    shares = np.array([1.0, 0.72, 0.4, 0.03])
    # Between the ribs the cloth is drawn in and up.
    slack = np.where(np.arange(2 * ribs) % 2, 0.93, 1.0)
    reach = radius * shares[:, None] * slack ** (shares[:, None] * 1.2)
    drop = 0.45 * radius * shares[:, None] ** 2 * np.where(np.arange(2 * ribs) % 2, 0.94, 1.0)
    rings = np.stack([reach * np.sin(turn), length - drop, reach * np.cos(turn)], axis=-1)
    # The lining lies below the cloth and both meet at the rim.
    lining = rings[::-1] * [0.985, 1.0, 0.985] - [0.0, 0.012, 0.0]
    parts = [
        loft(np.concatenate([rings, lining, rings[:1]]), cloth, flat=True, capped=False),
        rod([0.0, -0.12, 0.0], [0.0, length + 0.05, 0.0], 0.007, DARK_STEEL, sides=5),
        rod([0.0, -0.14, 0.0], [0.0, 0.02, 0.0], 0.014, BLACK, sides=6),
    ]
    return join(parts).transformed(frame, grip)


def phone(rng: np.random.Generator) -> Mesh:
    """Gives a phone about the origin, its display to +z."""
    return join([
        box([0.074, 0.15, 0.009], [0.0, 0.0, 0.0], draw_paint(rng, CASES, 0.6), bevel=0.003),
        box([0.068, 0.14, 0.002], [0.0, 0.0, 0.0045], BLACK),
    ])  # fmt: skip


def build_stick(rng: np.random.Generator, grip: Float64Array, foot: Float64Array) -> Mesh:
    """Gives a walking stick from a hand to the ground."""
    finish = draw_paint(rng, WOODS, 0.3)
    return join([
        rod(foot, grip, 0.009, finish, end_radius=0.012, sides=6),
        rod(grip - [0.0, 0.0, 0.04], grip + at(0.0, 0.0, 0.07), 0.013, finish, sides=6),
    ])  # fmt: skip
