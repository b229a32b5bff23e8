"""What people sit at and leave things in: benches, chairs, tables under parasols, bins."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mili_core.synth.objects.mesh import Mesh, join
from mili_core.synth.objects.paints import (
    DARK_STEEL,
    FABRICS,
    IRON,
    PLASTICS,
    STEEL,
    STONES,
    STREET_METALS,
    WHITE,
    WOODS,
    Paint,
    draw_paint,
)
from mili_core.synth.objects.solids import box, disc, lathe, rod, rods
from mili_core.synth.poses.skeleton import axis_rotation


@dataclass(frozen=True, slots=True)
class Seat:
    """Where a seat is, in its own axes: the sitter looks along +z.

    Attributes:
        top_m: height of the seat's upper side.
        front_m, back_m: z of its front and back edge.
        width_m: along x, about x = 0.
        lean_rad: of the backrest, positive backwards.
        back_height_m: of the backrest over the seat; 0 for none.
    """

    top_m: float
    front_m: float
    back_m: float
    width_m: float
    lean_rad: float
    back_height_m: float


def bench(rng: np.random.Generator) -> Mesh:
    """Gives a park bench or a stone block to sit on."""
    width = rng.uniform(1.3, 2.2)
    back = rng.uniform(0.35, 0.5) * float(rng.random() < 0.65)
    return build_bench(Seat(rng.uniform(0.42, 0.48), 0.24, -0.22, width, rng.uniform(0.08, 0.3), back), rng)


def chair(rng: np.random.Generator) -> Mesh:
    """Gives a chair."""
    return build_chair(Seat(rng.uniform(0.43, 0.48), 0.22, -0.2, 0.44, rng.uniform(0.05, 0.2), 0.42), rng)


def build_bench(seat: Seat, rng: np.random.Generator) -> Mesh:
    """Gives a bench of boards, or a block where it has no back now and then."""
    depth, middle = seat.front_m - seat.back_m, 0.5 * (seat.front_m + seat.back_m)
    if seat.back_height_m <= 0.0 and rng.random() < 0.4:
        stone = draw_paint(rng, STONES, 0.05)
        return box([seat.width_m, seat.top_m, depth], [0.0, 0.5 * seat.top_m, middle], stone, bevel=0.02)
    wood, metal = draw_paint(rng, WOODS, 0.1), draw_paint(rng, STREET_METALS, 0.3)
    boards = max(3, round(depth / 0.11))
    pitch = depth / boards
    parts = [
        box([seat.width_m, 0.04, 0.88 * pitch], [0.0, seat.top_m - 0.02, seat.back_m + (board + 0.5) * pitch],
            wood.times(rng.uniform(0.9, 1.1)))
        for board in range(boards)
    ]  # fmt: skip
    parts += _backboards(seat, wood, rng)
    for side in (-0.42, 0.42):
        x, under = side * seat.width_m, seat.top_m - 0.04
        parts += [
            box([0.05, 0.05, depth], [x, under - 0.025, middle], metal),
            box([0.05, under, 0.06], [x, 0.5 * under, seat.front_m - 0.05], metal),
            box([0.05, under, 0.06], [x, 0.5 * under, seat.back_m + 0.05], metal),
        ]
        if seat.back_height_m > 0.0:
            foot = np.array([x, seat.top_m - 0.05, seat.back_m - 0.03])
            parts.append(rod(foot, foot + _along_back(seat, seat.back_height_m + 0.05), 0.025, metal, sides=6))
    return join(parts)


def _backboards(seat: Seat, wood: Paint, rng: np.random.Generator) -> list[Mesh]:
    count = max(2, round(seat.back_height_m / 0.13)) if seat.back_height_m > 0.0 else 0
    tilt = axis_rotation(np.asarray(-seat.lean_rad), 0)
    parts = []
    for board in range(count):
        offset = _along_back(seat, seat.back_height_m * (board + 0.75) / count - 0.02)
        centre = np.array([0.0, seat.top_m, seat.back_m]) + offset
        parts.append(box([seat.width_m, 0.09, 0.035], centre, wood.times(rng.uniform(0.9, 1.1)), rotation=tilt))
    return parts


def _along_back(seat: Seat, length: float) -> np.ndarray:
    """Gives the offset (3,) of a point that far up the backrest."""
    return length * np.array([0.0, np.cos(seat.lean_rad), -np.sin(seat.lean_rad)])


def build_chair(seat: Seat, rng: np.random.Generator) -> Mesh:
    """Gives a chair of wood or plastic on four legs."""
    light = rng.random() < 0.5
    shell = draw_paint(rng, PLASTICS if light else WOODS, 0.3 if light else 0.1)
    legs = draw_paint(rng, STREET_METALS, 0.4) if light else shell.times(0.9)
    half, under = 0.5 * seat.width_m, seat.top_m - 0.03
    depth, middle = seat.front_m - seat.back_m, 0.5 * (seat.front_m + seat.back_m)
    feet = [[x, z] for x in (-half + 0.03, half - 0.03) for z in (seat.front_m - 0.03, seat.back_m + 0.03)]
    parts = [
        box([seat.width_m, 0.035, depth], [0.0, seat.top_m - 0.0175, middle], shell, bevel=0.012),
        rods([[x, under, z] for x, z in feet], [[1.06 * x, 0.0, z] for x, z in feet], 0.017, legs, sides=6),
    ]
    if seat.back_height_m > 0.0:
        foot = np.array([[x, seat.top_m - 0.04, seat.back_m - 0.01] for x in (-half + 0.03, half - 0.03)])
        parts.append(rods(foot, foot + _along_back(seat, seat.back_height_m), 0.016, legs, sides=6))
        tilt = axis_rotation(np.asarray(-seat.lean_rad), 0)
        high = 0.6 * seat.back_height_m
        centre = np.array([0.0, seat.top_m, seat.back_m - 0.01]) + _along_back(seat, seat.back_height_m - 0.5 * high)
        parts.append(box([seat.width_m, high, 0.03], centre, shell, bevel=0.01, rotation=tilt))
    return join(parts)


def parasol_table(rng: np.random.Generator) -> Mesh:
    """Gives a café table under a parasol with two to four chairs."""
    top, round_top = draw_paint(rng, WOODS, 0.3), rng.random() < 0.6
    radius, high = rng.uniform(0.35, 0.5), rng.uniform(0.7, 0.76)
    parts = [
        lathe([[0.9 * radius, high - 0.04], [radius, high - 0.03], [radius, high]], top, sides=16)
        if round_top
        else box([2.0 * radius, 0.04, 2.0 * radius], [0.0, high - 0.02, 0.0], top),
        rod([0.0, 0.0, 0.0], [0.0, 2.5, 0.0], 0.025, WHITE, sides=6),
        lathe([[0.28, 0.0], [0.26, 0.05], [0.05, 0.09]], DARK_STEEL, sides=12),
        parasol(rng.uniform(1.2, 1.7), 2.1, 2.6, draw_paint(rng, FABRICS, 0.0), ribs=8),
    ]
    seat = Seat(0.45, 0.2, -0.2, 0.42, 0.12, 0.4)
    first, seats = rng.uniform(0.0, 2.0 * np.pi), int(rng.integers(2, 5))
    model = build_chair(seat, rng)
    for number in range(seats):
        turn = first + 2.0 * np.pi * number / seats
        away = np.array([-np.sin(turn), 0.0, -np.cos(turn)]) * (radius + rng.uniform(0.15, 0.4))
        parts.append(model.transformed(axis_rotation(np.asarray(turn + rng.normal(0.0, 0.2)), 1), away))
    return join(parts)


def parasol(radius: float, rim_m: float, tip_m: float, cloth: Paint, *, ribs: int, valance_m: float = 0.14) -> Mesh:
    """Gives a canopy about the vertical, its rim and tip at given heights, with a hanging edge."""
    middle = 0.5 * radius
    bulge = rim_m + 0.62 * (tip_m - rim_m)
    outside = [[radius, rim_m - valance_m], [radius, rim_m], [middle, bulge], [0.02, tip_m]]
    inside = [[r - 0.01, y - 0.015] for r, y in reversed(outside)]
    return lathe([*outside, *inside, outside[0]], cloth, sides=ribs, flat=True, capped=False)


def litter_bin(rng: np.random.Generator) -> Mesh:
    """Gives a litter bin: a round one, one on a post, or a wheeled one."""
    body, style = draw_paint(rng, PLASTICS, 0.3), int(rng.integers(3))
    if style == 0:
        radius, height = rng.uniform(0.2, 0.28), rng.uniform(0.75, 1.0)
        return join([
            lathe([[0.9 * radius, 0.0], [radius, 0.05], [radius, height]], body, sides=16),
            lathe([[1.06 * radius, height], [1.06 * radius, height + 0.05]], STEEL, sides=16),
            disc([0.0, height + 0.055, 0.0], [0.0, 1.0, 0.0], 0.7 * radius, IRON),
        ])  # fmt: skip
    if style == 1:
        return join([
            rod([0.0, 0.0, -0.2], [0.0, 1.15, -0.2], 0.03, DARK_STEEL),
            lathe([[0.14, 0.5], [0.19, 0.55], [0.2, 1.0]], body, sides=14),
            disc([0.0, 1.005, 0.0], [0.0, 1.0, 0.0], 0.17, IRON),
        ])  # fmt: skip
    lid = body.times(0.8)
    return join([
        box([0.5, 0.85, 0.52], [0.0, 0.55, 0.0], body, bevel=0.04),
        box([0.56, 0.06, 0.6], [0.0, 1.0, 0.02], lid, bevel=0.02),
        rods([[-0.25, 0.1, -0.24], [0.19, 0.1, -0.24]], [[-0.19, 0.1, -0.24], [0.25, 0.1, -0.24]], 0.1, IRON, sides=12),
        rod([-0.2, 0.98, -0.32], [0.2, 0.98, -0.32], 0.018, lid, sides=6),
    ])  # fmt: skip
