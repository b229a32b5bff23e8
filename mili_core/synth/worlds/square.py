"""A paved square with houses around it."""

from __future__ import annotations

import numpy as np

from mili_core.synth.worlds.canvas import pick
from mili_core.synth.worlds.ground import Ground, Line
from mili_core.synth.worlds.parts import COBBLES, PAVINGS, draw_band, draw_discs, ground_light, houses, tree_row
from mili_core.synth.worlds.place import CLEARANCE_M, Place
from mili_core.synth.worlds.sky import draw_sky
from mili_core.synth.worlds.weather import draw_weather

FURNITURE = {
    "bicycle": 0.12,
    "street_lamp": 0.1,
    "bollard": 0.1,
    "barrier": 0.06,
    "bench": 0.1,
    "chair": 0.05,
    "parasol_table": 0.1,
    "litter_bin": 0.06,
    "tree": 0.08,
    "planter": 0.06,
    "stall": 0.06,
    "kiosk": 0.03,
    "column": 0.02,
    "flag": 0.03,
    "banner": 0.03,
    "advertising_pillar": 0.03,
    "pram": 0.05,
    "umbrella": 0.06,
}


def draw(rng: np.random.Generator, *, reach_m: float) -> Place:
    """Gives a random square; the houses behind stand behind `reach_m`."""
    weather = draw_weather(rng)
    behind = reach_m * rng.uniform(1.06, 2.4) + 3.0
    left, right = -behind * rng.uniform(0.45, 1.1), behind * rng.uniform(0.45, 1.1)
    walls = []
    # An open side shows the skyline.
    if rng.random() < 0.8:
        walls.append(houses(rng, weather, 2, behind, (9.0, 24.0)))
    if rng.random() < 0.75:
        walls.append(houses(rng, weather, 0, left, (9.0, 24.0)))
    if rng.random() < 0.75:
        walls.append(houses(rng, weather, 0, right, (9.0, 24.0)))
    if rng.random() < 0.5 or not walls:
        walls.append(tree_row(rng, weather, 2, behind - 2.0, wood=rng.random() < 0.4))
    kind, palette = ("paving", PAVINGS) if rng.random() < 0.68 else ("cobbles", COBBLES)
    ground = Ground(
        bands=(draw_band(rng, kind, palette, (3.0, 8.0) if kind == "paving" else (2.4, 4.5), wear=0.6),),
        lines=_inlays(rng, reach_m),
        discs=draw_discs(rng, 0.4 * reach_m, reach_m, 5),
        light=ground_light(weather),
    )
    return Place(
        name="square",
        light=weather.light,
        furniture=FURNITURE,
        indoor=False,
        ground=ground,
        walls=tuple(walls),
        above=draw_sky(rng, weather, town=True),
        bounds=(left + CLEARANCE_M, right - CLEARANCE_M, 0.0, behind - 2.0 - CLEARANCE_M),
    )


def _inlays(rng: np.random.Generator, reach_m: float) -> tuple[Line, ...]:
    """Gives bands of other stone in both directions, and drains."""
    lines: list[Line] = []
    if rng.random() < 0.6:
        stone, wide = pick(rng, PAVINGS, 0.2), rng.uniform(0.2, 0.9)
        step = rng.uniform(4.0, 9.0)
        places = np.arange(-2.0 * step, 2.1 * step, step) + rng.uniform(0.0, step)
        lines += [Line(0, at, at + wide, -50.0, 2.0 * reach_m, 0.0, stone, 0.6) for at in places]
        if rng.random() < 0.6:
            rows = np.arange(step, min(6.0 * step, reach_m), step)
            lines += [Line(1, at, at + wide, -2.0 * reach_m, 2.0 * reach_m, 0.0, stone, 0.6) for at in rows]
    if rng.random() < 0.5:
        at = rng.uniform(-0.3, 0.3) * reach_m
        lines.append(Line(0, at, at + 0.2, -50.0, 2.0 * reach_m, 0.0, pick(rng, ((56, 54, 52),)), 0.7))
    return tuple(lines)
