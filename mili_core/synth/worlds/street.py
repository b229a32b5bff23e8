"""A street between two rows of houses."""

from __future__ import annotations

import numpy as np

from mili_core.synth.worlds.canvas import pick
from mili_core.synth.worlds.ground import Band, Ground, Line
from mili_core.synth.worlds.parts import (
    ASPHALTS,
    COBBLES,
    PAVINGS,
    draw_band,
    draw_discs,
    ground_light,
    houses,
    tree_row,
)
from mili_core.synth.worlds.place import CLEARANCE_M, Place
from mili_core.synth.worlds.sky import draw_sky
from mili_core.synth.worlds.weather import draw_weather

FURNITURE = {
    "car": 0.2,
    "van": 0.06,
    "bicycle": 0.12,
    "pole": 0.06,
    "street_lamp": 0.1,
    "traffic_sign": 0.08,
    "bollard": 0.08,
    "traffic_cone": 0.03,
    "barrier": 0.06,
    "bench": 0.04,
    "litter_bin": 0.06,
    "tree": 0.08,
    "planter": 0.04,
    "kiosk": 0.02,
    "advertising_pillar": 0.02,
    "parasol_table": 0.05,
    "pram": 0.04,
}

_WHITE = ((226, 224, 218), (236, 236, 232), (206, 202, 190))
_KERB = ((168, 164, 158), (186, 182, 174), (140, 138, 134))


def draw(rng: np.random.Generator, *, reach_m: float) -> Place:
    """Gives a random street; what closes it, if anything, stands behind `reach_m`."""
    weather = draw_weather(rng)
    half = max(rng.uniform(7.0, 16.0), 0.16 * reach_m)
    centre = rng.uniform(-0.35, 0.35) * half
    left, right = centre - half, centre + half
    road = rng.uniform(0.4, 0.7) * half
    behind = reach_m * rng.uniform(1.08, 2.2) + 4.0
    walls = [houses(rng, weather, 0, left, (9.0, 22.0)), houses(rng, weather, 0, right, (9.0, 22.0))]
    if rng.random() < 0.7:
        walls.append(houses(rng, weather, 2, behind, (9.0, 24.0)))
    if rng.random() < 0.45:
        walls.append(tree_row(rng, weather, 2, behind - 2.0, wood=rng.random() < 0.3))
    if rng.random() < 0.3:
        walls.append(tree_row(rng, weather, 0, left + 1.2, wood=False, stop_m=behind))
    if rng.random() < 0.3:
        walls.append(tree_row(rng, weather, 0, right - 1.2, wood=False, stop_m=behind))
    ground = Ground(
        bands=_bands(rng, centre - road, centre + road),
        lines=_lines(rng, centre, road, behind),
        discs=draw_discs(rng, road, reach_m, 5),
        light=ground_light(weather),
    )
    return Place(
        name="street",
        light=weather.light,
        furniture=FURNITURE,
        indoor=False,
        ground=ground,
        walls=tuple(walls),
        above=draw_sky(rng, weather, town=True),
        bounds=(left + 1.2 + CLEARANCE_M, right - 1.2 - CLEARANCE_M, 0.0, behind - 2.0 - CLEARANCE_M),
    )


def _bands(rng: np.random.Generator, low: float, high: float) -> tuple[Band, ...]:
    """Gives pavement, carriageway, pavement."""
    kind, palette = ("asphalt", ASPHALTS) if rng.random() < 0.75 else ("cobbles", COBBLES)
    aside, beside = ("paving", PAVINGS) if rng.random() < 0.8 else ("asphalt", ASPHALTS)
    walk = draw_band(rng, aside, beside, (3.0, 6.0), high=low)
    other = Band(high, np.inf, walk.texture, walk.colour, walk.period, walk.wear)
    return walk, draw_band(rng, kind, palette, (2.6, 4.4), low=low, high=high, wear=0.7), other


def _mended(rng: np.random.Generator, centre: float, road: float, behind: float) -> list[Line]:
    """Gives wheel tracks, and rectangles of newer or older asphalt with their tarred edges."""
    tar = pick(rng, ((44, 43, 42),))
    tracks = np.arange(centre - 0.75 * road, centre + 0.75 * road, 1.8)
    lines = [Line(0, at, at + 0.55, -20.0, behind, 0.0, tar, rng.uniform(0.0, 0.16)) for at in tracks]
    for _ in range(int(rng.integers(0, 5))):
        left, near = rng.uniform(centre - road, centre + 0.6 * road), behind * rng.uniform(0.05, 0.9)
        wide, long = rng.uniform(0.5, 2.5), rng.uniform(0.8, 14.0)
        tone = pick(rng, ASPHALTS, 0.3)
        lines.append(Line(0, left - 0.05, left + wide + 0.05, near - 0.05, near + long + 0.05, 0.0, tar, 0.5))
        lines.append(Line(0, left, left + wide, near, near + long, 0.0, tone, 0.65))
    return lines


def _lines(rng: np.random.Generator, centre: float, road: float, behind: float) -> tuple[Line, ...]:
    """Gives lane markings, gutters, kerbs, sometimes a crossing or a track of trams."""
    paint, stone = pick(rng, _WHITE), pick(rng, _KERB)
    if rng.random() < 0.15:
        paint = pick(rng, ((228, 190, 70),))
    start, stop = -20.0, behind
    opacity = rng.uniform(0.45, 0.95)
    lines = _mended(rng, centre, road, behind)
    lanes = 2 if road < 6.0 else 4
    for lane in range(1, lanes):
        at = centre + road * (2.0 * lane / lanes - 1.0)
        dash = 0.0 if rng.random() < 0.15 else rng.choice([3.0, 6.0, 9.0])
        lines.append(Line(0, at - 0.06, at + 0.06, start, stop, float(dash), paint, opacity))
    if rng.random() < 0.25:
        steel = pick(rng, ((120, 116, 112), (90, 84, 78)))
        for at in (centre - 0.72, centre + 0.72):
            lines.append(Line(0, at - 0.04, at + 0.04, start, stop, 0.0, steel, 0.9))
    if rng.random() < 0.35:
        near = rng.uniform(0.15, 0.7) * behind
        for at in np.arange(centre - road + 0.4, centre + road - 0.4, 1.0):
            lines.append(Line(0, at, at + 0.5, near, near + 3.5, 0.0, paint, opacity))
    dirt = pick(rng, ((52, 50, 48),))
    for side in (-1.0, 1.0):
        edge = centre + side * road
        a, b = sorted((edge, edge - side * 0.35))
        lines.append(Line(0, a, b, start, stop, 0.0, dirt, rng.uniform(0.2, 0.5)))
        a, b = sorted((edge, edge + side * 0.16))
        lines.append(Line(0, a, b, start, stop, 0.0, stone, 0.9))
        a, b = sorted((edge, edge - side * 0.06))
        lines.append(Line(0, a, b, start, stop, 0.0, dirt * np.float32(0.5), 0.8))
    return tuple(lines)
