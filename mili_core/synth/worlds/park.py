"""A park: a path through grass, or a beach; woods or a far town behind."""

from __future__ import annotations

import numpy as np

from mili_core.synth.worlds.canvas import pick
from mili_core.synth.worlds.ground import Band, Ground, Line
from mili_core.synth.worlds.parts import (
    ASPHALTS,
    GRASSES,
    GRAVELS,
    SANDS,
    draw_band,
    draw_discs,
    draw_land,
    ground_light,
    tree_row,
)
from mili_core.synth.worlds.place import CLEARANCE_M, Place
from mili_core.synth.worlds.sky import draw_sky
from mili_core.synth.worlds.weather import draw_weather

FURNITURE = {
    "tree": 0.22,
    "bench": 0.2,
    "bicycle": 0.2,
    "litter_bin": 0.1,
    "street_lamp": 0.06,
    "hedge": 0.06,
    "pole": 0.04,
    "parasol_table": 0.04,
    "pram": 0.06,
    "umbrella": 0.04,
}


def draw(rng: np.random.Generator, *, reach_m: float) -> Place:
    """Gives a random park or beach; trees and water are behind `reach_m`."""
    weather = draw_weather(rng)
    behind = reach_m * rng.uniform(1.08, 2.2) + 4.0
    left, right = -max(10.0, behind * rng.uniform(0.4, 1.0)), max(10.0, behind * rng.uniform(0.4, 1.0))
    beach = rng.random() < 0.2
    walls = []
    if not beach:
        walls.append(tree_row(rng, weather, 2, behind, wood=True))
        walls.append(tree_row(rng, weather, 2, behind * 1.25 + 4.0, wood=True))
        sides = [place for place in (left, right) if rng.random() < 0.7]
        walls += [tree_row(rng, weather, 0, place, wood=rng.random() < 0.5, stop_m=behind) for place in sides]
    ground = Ground(
        bands=(draw_band(rng, "sand", SANDS, (2.5, 5.0), wear=0.3),) if beach else _path(rng),
        lines=_shore(rng, behind) if beach else (),
        discs=() if beach else draw_discs(rng, 6.0, reach_m, 3),
        light=ground_light(weather),
        beyond_m=np.inf if beach else 1.02 * behind,
        beyond=draw_land(rng),
    )
    return Place(
        name="park",
        light=weather.light,
        furniture=FURNITURE,
        indoor=False,
        ground=ground,
        walls=tuple(walls),
        above=draw_sky(rng, weather, town=not beach and rng.random() < 0.3),
        bounds=(left + CLEARANCE_M, right - CLEARANCE_M, 0.0, behind - CLEARANCE_M),
    )


def _path(rng: np.random.Generator) -> tuple[Band, ...]:
    """Gives grass, a path, grass."""
    middle, half = rng.uniform(-3.0, 3.0), rng.uniform(1.2, 5.0)
    kind, palette = [("gravel", GRAVELS), ("asphalt", ASPHALTS), ("sand", SANDS)][int(rng.integers(3))]
    grass = draw_band(rng, "grass", GRASSES, (1.8, 3.5), high=middle - half, wear=0.9)
    other = Band(middle + half, np.inf, grass.texture, grass.colour, grass.period, grass.wear)
    return grass, draw_band(rng, kind, palette, (2.0, 4.0), low=middle - half, high=middle + half, wear=0.7), other


def _shore(rng: np.random.Generator, behind: float) -> tuple[Line, ...]:
    """Gives wet sand, foam and water."""
    wet, sea = pick(rng, ((140, 122, 98), (128, 114, 94))), pick(rng, ((70, 110, 128), (86, 116, 124), (60, 92, 110)))
    foam = pick(rng, ((226, 230, 230),))
    far = 1e5
    return (
        Line(1, behind - 6.0, behind, -far, far, 0.0, wet, 0.8),
        Line(1, behind, far, -far, far, 0.0, sea, 0.85),
        Line(1, behind, behind + 0.8, -far, far, 0.0, foam, 0.7),
        Line(1, behind + 5.0, behind + 6.0, -far, far, 0.0, foam, 0.5),
        Line(1, behind + 14.0, behind + 15.0, -far, far, 0.0, foam, 0.4),
    )
