"""A station hall: a shiny floor, pillars, boards, a roof of steel and glass."""

from __future__ import annotations

import numpy as np

from mili_core.synth.worlds.canvas import pick
from mili_core.synth.worlds.ground import Ground, Line, Mirror
from mili_core.synth.worlds.interiors import HALL_M, ROOF_M, VARIANTS, hall_roof, hall_wall
from mili_core.synth.worlds.light import Light
from mili_core.synth.worlds.parts import draw_band
from mili_core.synth.worlds.place import CLEARANCE_M, Place, Roof, Wall
from mili_core.synth.worlds.walls import Panel
from mili_core.synth.worlds.weather import draw_indoor_light

FURNITURE = {
    "suitcase": 0.24,
    "column": 0.12,
    "barrier": 0.12,
    "bench": 0.14,
    "litter_bin": 0.1,
    "banner": 0.06,
    "advertising_pillar": 0.04,
    "planter": 0.05,
    "kiosk": 0.03,
    "chair": 0.04,
    "pole": 0.04,
    "pram": 0.06,
}

_FLOORS = ((172, 166, 156), (150, 148, 146), (192, 184, 168), (120, 116, 112), (204, 198, 188), (160, 140, 120))


def draw(rng: np.random.Generator, *, reach_m: float) -> Place:
    """Gives a random hall; its back wall stands behind `reach_m`."""
    light = draw_indoor_light(rng)
    behind = reach_m * rng.uniform(1.06, 1.8) + 3.0
    left, right = -max(8.0, behind * rng.uniform(0.3, 0.8)), max(8.0, behind * rng.uniform(0.3, 0.8))
    number = int(rng.integers(VARIANTS))
    start = rng.uniform(0.0, HALL_M[0])
    walls = tuple(
        Wall(axis, place, 60.0, _panel(light, number, start + turn), tall=True)
        for axis, place, turn in ((2, behind, 0.0), (0, left, 7.0), (0, right, 13.0))
    )
    roof = Panel(
        hall_roof(int(rng.integers(VARIANTS))),
        (ROOF_M, ROOF_M),
        rng.uniform(0.0, ROOF_M),
        0.0,
        (0.75 * light.sky_light).astype(np.float32),
        np.zeros(3, dtype=np.float32),
        0.1,
    )
    ground = Ground(
        bands=(draw_band(rng, "tiles", _FLOORS, (3.0, 7.0), wear=0.25),),
        lines=_lines(rng, behind),
        discs=(),
        light=(light.sky_light + 0.5 * light.sun_light).astype(np.float32),
        pools=(rng.uniform(0.05, 0.3), rng.uniform(5.0, 11.0)),
        mirror=Mirror(walls[0].painter, behind, rng.uniform(0.15, 0.5)),
    )
    return Place(
        name="station",
        light=light,
        furniture=FURNITURE,
        indoor=True,
        ground=ground,
        walls=walls,
        above=Roof(rng.uniform(10.0, 18.0) + 0.04 * reach_m, roof),
        bounds=(left + CLEARANCE_M, right - CLEARANCE_M, 0.0, behind - CLEARANCE_M),
    )


def _panel(light: Light, number: int, start_m: float) -> Panel:
    lit = (0.8 * light.sky_light + 0.2 * light.bounce_light).astype(np.float32)
    return Panel(hall_wall(number), HALL_M, start_m, 0.0, lit, (0.6 * light.sky_light).astype(np.float32), 0.2, 6.2)


def _lines(rng: np.random.Generator, behind: float) -> tuple[Line, ...]:
    """Gives a border of other tiles or the ribbed strip that guides the blind."""
    lines: list[Line] = []
    if rng.random() < 0.6:
        colour = pick(rng, ((206, 176, 90), (220, 216, 208), (96, 92, 90)))
        at = rng.uniform(-5.0, 5.0)
        lines.append(Line(0, at, at + 0.4, -20.0, behind, 0.0, colour, 0.8))
    if rng.random() < 0.5:
        colour = pick(rng, _FLOORS, 0.3)
        places = np.arange(4.0, min(behind, 60.0), rng.uniform(5.0, 9.0))
        lines += [Line(1, at, at + 0.6, -200.0, 200.0, 0.0, colour, 0.6) for at in places]
    return tuple(lines)
