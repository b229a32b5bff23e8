"""A sports ground: mown grass or a running track, boards, stands."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mili_core.synth.worlds.canvas import pick
from mili_core.synth.worlds.facade import wall_light
from mili_core.synth.worlds.ground import Band, Ground, Line
from mili_core.synth.worlds.interiors import BOARDS_M, STAND_M, VARIANTS, boards, stand
from mili_core.synth.worlds.parts import GRASSES, draw_band, draw_land, ground_light, tree_row
from mili_core.synth.worlds.place import CLEARANCE_M, Place, Wall
from mili_core.synth.worlds.sky import draw_sky
from mili_core.synth.worlds.walls import Panel
from mili_core.synth.worlds.weather import Weather, draw_weather

Float32Array = NDArray[np.float32]

FURNITURE = {
    "hurdle": 0.18,
    "goal": 0.06,
    "barrier": 0.16,
    "traffic_cone": 0.2,
    "flag": 0.1,
    "banner": 0.12,
    "bench": 0.1,
    "street_lamp": 0.04,
    "litter_bin": 0.04,
}

_TRACKS = ((168, 82, 66), (150, 70, 58), (182, 100, 80), (70, 96, 132), (120, 64, 54))
_CHALK = ((232, 232, 228), (240, 240, 236))
LANE_M = 1.22
"""Width of a lane of a running track."""

CHALK_M = 0.05
"""Width of the lines between lanes."""


def draw(rng: np.random.Generator, *, reach_m: float) -> Place:
    """Gives a random sports ground; boards and stands are behind `reach_m`."""
    weather = draw_weather(rng)
    behind = reach_m * rng.uniform(1.06, 1.8) + 3.0
    left, right = -behind * rng.uniform(0.5, 1.2), behind * rng.uniform(0.5, 1.2)
    track = rng.random() < 0.4
    chalk = pick(rng, _CHALK)
    walls = []
    for axis, place in ((2, behind), (0, left), (0, right)):
        walls.extend(_surround(rng, weather, axis, place, behind))
    # A track passes the camera on either side or runs under it.
    lanes = int(rng.integers(6, 10))
    edge = -LANE_M * rng.uniform(0.0, lanes)
    ground = Ground(
        bands=_track(rng, edge, lanes) if track else (_lawn(rng),),
        lines=_lanes(rng, chalk, edge, lanes, behind) if track else _pitch(rng, chalk, reach_m),
        discs=(),
        light=ground_light(weather),
        beyond_m=1.1 * behind,
        beyond=draw_land(rng),
    )
    return Place(
        name="sports",
        light=weather.light,
        furniture=FURNITURE,
        indoor=False,
        ground=ground,
        walls=tuple(walls),
        above=draw_sky(rng, weather, town=rng.random() < 0.4),
        bounds=(left + CLEARANCE_M, right - CLEARANCE_M, 0.0, behind - CLEARANCE_M),
    )


def _surround(rng: np.random.Generator, weather: Weather, axis: int, place: float, behind: float) -> list[Wall]:
    """Gives boards, and what rises behind them on one side."""
    facing = np.zeros(3)
    facing[axis] = -np.sign(place)
    lit, sky = wall_light(weather, facing), (0.5 * weather.horizon).astype(np.float32)
    stop = behind if axis == 0 else np.inf
    walls = []
    kind = rng.random()
    if kind < 0.55:
        seats = Panel(
            stand(int(rng.integers(VARIANTS))),
            STAND_M,
            rng.uniform(0.0, STAND_M[0]),
            0.0,
            (lit + 0.3 * weather.light.sky_light).astype(np.float32),
            sky,
            0.2,
        )
        walls.append(Wall(axis, place * 1.04, rng.uniform(4.0, 9.0) + 0.05 * behind, seats, stop_m=stop))
    elif kind < 0.85:
        walls.append(tree_row(rng, weather, axis, place * 1.08, wood=rng.random() < 0.7, stop_m=stop))
    if rng.random() < 0.75:
        adverts = Panel(
            boards(int(rng.integers(VARIANTS))), BOARDS_M, rng.uniform(0.0, BOARDS_M[0]), 0.0, lit, sky, 0.1
        )
        walls.append(Wall(axis, place, rng.uniform(0.9, BOARDS_M[1]), adverts, stop_m=stop))
    return walls


def _lawn(rng: np.random.Generator, low: float = -np.inf, high: float = np.inf) -> Band:
    grass = draw_band(rng, "grass", GRASSES, (2.2, 4.0), low=low, high=high, wear=0.6)
    mown = rng.uniform(3.0, 6.0) if rng.random() < 0.6 else 0.0
    return Band(low, high, grass.texture, grass.colour, grass.period, grass.wear, mown)


def _track(rng: np.random.Generator, edge: float, lanes: int) -> tuple[Band, ...]:
    """Gives a track of lanes between two lawns; `edge` is the x of its left border."""
    other = edge + LANE_M * lanes + CHALK_M
    lawn = _lawn(rng, high=edge)
    right = replace(lawn, low=other, high=np.inf)
    return lawn, draw_band(rng, "tartan", _TRACKS, (3.0, 5.0), low=edge, high=other, wear=0.4), right


def _lanes(rng: np.random.Generator, chalk: Float32Array, edge: float, lanes: int, behind: float) -> tuple[Line, ...]:
    """Gives the lines between the lanes and on both borders of a track, and one across it."""
    opacity = rng.uniform(0.7, 0.95)
    starts = edge + LANE_M * np.arange(lanes + 1)
    lines = [Line(0, at, at + CHALK_M, -50.0, behind, 0.0, chalk, opacity) for at in starts.tolist()]
    across = rng.uniform(0.2, 0.8) * behind
    lines.append(Line(1, across, across + CHALK_M, edge, edge + LANE_M * lanes, 0.0, chalk, opacity))
    return tuple(lines)


def _pitch(rng: np.random.Generator, chalk: Float32Array, reach_m: float) -> tuple[Line, ...]:
    """Gives the lines of a pitch: its border, a half-way line, two boxes."""
    opacity = rng.uniform(0.5, 0.9)
    near, far = rng.uniform(0.05, 0.35) * reach_m, rng.uniform(0.8, 1.0) * reach_m
    left, right = -rng.uniform(0.3, 0.7) * reach_m, rng.uniform(0.3, 0.7) * reach_m
    across, along = rng.uniform(near, far), rng.uniform(left, right)
    lines = [Line(1, at, at + 0.12, left, right, 0.0, chalk, opacity) for at in (near, far, across)]
    lines += [Line(0, at, at + 0.12, near, far, 0.0, chalk, opacity) for at in (left, right, along)]
    return tuple(lines)
