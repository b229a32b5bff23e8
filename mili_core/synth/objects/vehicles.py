"""Parked cars and vans."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mili_core.synth.objects.mesh import Mesh, join
from mili_core.synth.objects.paints import (
    BLACK,
    CARS,
    CHROME,
    GLASS,
    HEADLIGHT,
    RUBBER,
    TAILLIGHT,
    WHITE,
    Paint,
    draw_paint,
    paint,
)
from mili_core.synth.objects.solids import Points, at, box, loft, prism, quads, rods

UNDERSIDE_M = 0.2


@dataclass(frozen=True, slots=True)
class Body:
    """A car's outline; lengths as shares of `length_m`, measured from the front, heights of `height_m`.

    Attributes:
        length_m, width_m, height_m: overall.
        nose: height of the bonnet's front edge.
        belt: height of the windows' lower edge.
        screen: where the windscreen meets the bonnet.
        roof_front, roof_back: where the roof begins and ends.
        back: where the rear window ends.
        boot: height of the rear behind the window.
        sides: how many side windows there are: 0 leaves the sides closed but for the front doors.
    """

    length_m: float
    width_m: float
    height_m: float
    nose: float
    belt: float
    screen: float
    roof_front: float
    roof_back: float
    back: float
    boot: float
    sides: int


SEDAN = Body(4.6, 1.8, 1.45, 0.50, 0.63, 0.27, 0.42, 0.70, 0.84, 0.66, 2)
HATCHBACK = Body(4.1, 1.76, 1.48, 0.52, 0.63, 0.25, 0.40, 0.86, 0.985, 0.62, 2)
SMALL = Body(3.6, 1.65, 1.5, 0.54, 0.63, 0.21, 0.36, 0.88, 0.99, 0.62, 2)
ESTATE = Body(4.7, 1.82, 1.5, 0.50, 0.62, 0.26, 0.40, 0.90, 0.985, 0.62, 3)
OFFROADER = Body(4.5, 1.88, 1.7, 0.57, 0.65, 0.25, 0.38, 0.88, 0.985, 0.64, 3)
TAXI = Body(4.55, 1.8, 1.65, 0.48, 0.6, 0.25, 0.37, 0.88, 0.985, 0.6, 3)
VAN = Body(5.2, 1.95, 2.2, 0.48, 0.55, 0.14, 0.27, 0.97, 0.998, 0.55, 0)
MINIBUS = Body(4.9, 1.9, 1.95, 0.48, 0.56, 0.15, 0.29, 0.95, 0.995, 0.56, 3)

_STYLES = ((0.24, SEDAN), (0.28, HATCHBACK), (0.14, SMALL), (0.14, ESTATE), (0.16, OFFROADER), (0.04, TAXI))


def car(rng: np.random.Generator) -> Mesh:
    """Gives a parked car of one of six body styles."""
    share = np.array([weight for weight, _ in _STYLES])
    style = _STYLES[int(rng.choice(len(share), p=share / share.sum()))][1]
    return build_car(style, draw_paint(rng, CARS, 0.75))


def van(rng: np.random.Generator) -> Mesh:
    """Gives a delivery van or a minibus."""
    white = rng.random() < 0.5
    finish = paint(212, 212, 210, 0.6) if white else draw_paint(rng, CARS, 0.6)
    return build_car(VAN if rng.random() < 0.6 else MINIBUS, finish)


def build_car(body: Body, finish: Paint) -> Mesh:
    """Gives a car of given outline and paint."""
    half, top = 0.5 * body.width_m, body.height_m
    low, belt, nose, boot = UNDERSIDE_M, body.belt * top, body.nose * top, body.boot * top

    def z(share: float) -> float:
        return body.length_m * (0.5 - share)

    hull = np.array([
        [low, z(0.02)], [0.30, z(0.0)], [0.75 * nose, z(0.003)], [nose, z(0.025)],
        [nose + 0.35 * (belt - nose), z(0.12)],
        [belt, z(body.screen)], [belt + 0.3 * (boot - belt), z(0.6)], [boot, z(min(body.back, 0.975))],
        [boot - 0.06, z(0.985)], [0.7 * boot, z(1.0)], [0.34, z(0.998)], [low, z(0.975)],
    ])  # fmt: skip
    parts = [_hull(hull, half, finish), *_cabin(body, half, finish)]
    axles = [z(0.18), z(0.19 + 0.6)]
    wheel = 0.215 * min(top, 1.6)
    parts += _wheels(axles, wheel, half, finish)
    parts += _face(body, half, nose, boot)
    return join(parts)


def _hull(outline: Points, half: float, finish: Paint) -> Mesh:
    """Gives the body below the windows: its outline (N, 2) y, z swept across, the flanks curved."""
    middle = np.array([0.55 * outline[:, 0].max(), 0.0])
    stations = ((-1.0, 0.93), (-0.97, 0.965), (-0.86, 1.0), (0.86, 1.0), (0.97, 0.965), (1.0, 0.93))
    sections = np.empty((len(stations), len(outline), 3), dtype=np.float64)
    counter = outline[::-1]
    for row, (share, size) in enumerate(stations):
        sections[row, :, 0] = share * half
        sections[row, :, 1:] = middle + (counter - middle) * [0.5 + 0.5 * size, size]
    return loft(sections, finish, flat=True)


def _cabin(body: Body, half: float, finish: Paint) -> list[Mesh]:
    """Gives windows as one dark trunk, roof and pillars over it."""
    top, length = body.height_m, body.length_m
    low = (body.belt - 0.02) * top
    ends = length * (0.5 - np.array([body.screen - 0.01, body.roof_front, body.roof_back, body.back]))
    wide, narrow = 0.93 * half, (0.78 if body.sides or top < 1.9 else 0.88) * half
    under = top - 0.07
    # Counter-clockwise seen from above, where z to x is the positive turn.
    corners = np.array([[-1.0, 0.0], [1.0, 0.0], [1.0, 1.0], [-1.0, 1.0]])
    base = np.stack([corners[:, 0] * wide, np.full(4, low), np.where(corners[:, 1] > 0, ends[3], ends[0])], axis=1)
    roof = np.stack([corners[:, 0] * narrow, np.full(4, under), np.where(corners[:, 1] > 0, ends[2], ends[1])], axis=1)
    inner = np.array([0.86, 1.0, 0.93]) * (roof - roof.mean(axis=0)) + roof.mean(axis=0) + [0.0, top - under, 0.0]
    edge = (roof - roof.mean(axis=0)) * [1.02, 1.0, 1.02] + roof.mean(axis=0)
    parts = [
        loft(np.stack([base, roof]), GLASS, flat=True),
        loft(np.stack([edge - [0.0, 0.03, 0.0], edge + at(0.0, 0.02, 0.0), inner]), finish, flat=True),
        rods(base, roof, 0.055, finish, end_radius=0.045, sides=6),
    ]
    for side in (-1.0, 1.0):
        bottom, upper = np.array([side * wide, low]), np.array([side * narrow, under])
        parts += [_pillar(bottom, upper, ends, share, width, finish) for share, width in _pillars(body)]
    return parts


def _pillars(body: Body) -> list[tuple[float, float]]:
    """Gives where along a side, as shares between the ends of the windows, pillars stand and how wide they are."""
    if body.sides == 0:
        return [(0.66, 0.66)]
    if body.sides == 2:
        return [(0.48, 0.03), (0.86, 0.05)]
    return [(0.4, 0.025), (0.72, 0.03)]


def _pillar(bottom: Points, top: Points, ends: Points, share: float, width: float, finish: Paint) -> Mesh:
    """Gives a strip of the body's paint over a side's windows; bottom, top (2,) x, y of the windows' edges."""
    shares = np.array([share - 0.5 * width, share + 0.5 * width])
    low_z, high_z = ends[0] + shares * (ends[3] - ends[0]), ends[1] + shares * (ends[2] - ends[1])
    proud = 0.012 * np.sign(bottom[0])
    corners = np.array([
        [bottom[0] + proud, bottom[1], low_z[0]], [bottom[0] + proud, bottom[1], low_z[1]],
        [top[0] + proud, top[1], high_z[1]], [top[0] + proud, top[1], high_z[0]],
    ])  # fmt: skip
    return quads(corners[None], finish, both_sides=True)


def _wheels(axles: list[float], radius: float, half: float, finish: Paint) -> list[Mesh]:
    """Gives four wheels and the dark arches that they stand in."""
    turn = np.linspace(0.0, np.pi, 11)
    parts = []
    for z in axles:
        arch = np.stack([radius + 1.17 * radius * np.sin(turn), z + 1.17 * radius * np.cos(turn)], axis=1)
        foot = np.array([[UNDERSIDE_M - 0.02, z - 1.1 * radius], [UNDERSIDE_M - 0.02, z + 1.1 * radius]])
        outline = np.concatenate([arch, foot])
        parts.append(prism(outline, -1.004 * half, 1.004 * half, 0, BLACK))
    hubs = np.array([[side * half, radius, z] for side in (-1.0, 1.0) for z in axles])
    inward = np.array([[side * 0.2, 0.0, 0.0] for side in (-1.0, -1.0, 1.0, 1.0)])
    outward = np.array([[side * 0.014, 0.0, 0.0] for side in (-1.0, -1.0, 1.0, 1.0)])
    parts += [
        rods(hubs - inward, hubs + outward, radius, RUBBER, sides=20),
        rods(hubs, hubs + 1.3 * outward, 0.66 * radius, CHROME.times(0.75), sides=14),
        rods(hubs, hubs + 1.6 * outward, 0.2 * radius, finish.times(0.4), sides=8),
    ]
    spokes = []
    for hub, out in zip(hubs, outward, strict=True):
        for angle in np.arange(5) * (0.4 * np.pi):
            tip = np.array([0.0, np.cos(angle), np.sin(angle)]) * 0.55 * radius
            spokes.append((hub + 1.45 * out + 0.5 * tip, hub + 1.45 * out + tip))
    starts, ends = np.array(spokes).transpose(1, 0, 2)
    parts.append(rods(starts, ends, 0.07 * radius, BLACK, sides=4, capped=False))
    return parts


def _face(body: Body, half: float, nose: float, boot: float) -> list[Mesh]:
    """Gives lamps, grille, plates, bumpers, mirrors, door joints and handles."""
    front, rear = 0.5 * body.length_m, -0.5 * body.length_m
    top, belt = body.height_m, body.belt * body.height_m
    lamp, light = 0.82 * nose, 0.82 * boot
    upright = body.height_m > 1.6
    parts = [
        box([0.9 * half, 0.11, 0.05], [0.0, 0.36, front - 0.01], BLACK),
        box([0.75 * half, 0.09, 0.05], [0.0, lamp - 0.02, front - 0.02], BLACK),
        box([0.5, 0.11, 0.02], [0.0, 0.47, front + 0.005], WHITE),
        box([0.5, 0.11, 0.02], [0.0, 0.62 * boot, rear - 0.005], WHITE),
        box([1.5 * half, 0.1, 0.05], [0.0, 0.33, rear + 0.01], BLACK),
    ]
    for side in (-1.0, 1.0):
        x = side * half
        parts += [
            box([0.36, 0.13, 0.1], [0.74 * x, lamp, front - 0.045], HEADLIGHT, bevel=0.02),
            box([0.2, 0.3 if upright else 0.15, 0.1], [0.8 * x, light, rear + 0.045], TAILLIGHT, bevel=0.02),
            box([0.16, 0.12, 0.09], [x + side * 0.06, belt + 0.05, 0.5 * body.length_m * (0.92 - 2.0 * body.screen)],
                BLACK, bevel=0.03),
        ]  # fmt: skip
        for z in (0.14, -0.08):
            parts.append(box([0.006, 0.03, 0.16], [1.001 * x, 0.86 * belt, z * body.length_m - 0.25], CHROME))
        for z in (0.19, -0.035, -0.2):
            low, high = 0.3, belt - 0.03
            parts.append(box([0.006, high - low, 0.012], [1.0 * x, 0.5 * (low + high), z * body.length_m], BLACK))
    if top > 1.62 and body.sides == 3 and top < 1.68:
        parts.append(box([0.5, 0.14, 0.2], [0.0, top + 0.06, 0.1], paint(226, 196, 80, 0.3), bevel=0.03))
    return parts
