"""What several worlds share: rows of houses, trees, bands of paving, spots on the ground."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mili_core.synth.worlds.canvas import pick
from mili_core.synth.worlds.facade import draw_facade
from mili_core.synth.worlds.foliage import TREES_M, trees
from mili_core.synth.worlds.foliage import VARIANTS as TREE_VARIANTS
from mili_core.synth.worlds.ground import Band, Disc
from mili_core.synth.worlds.houses import HOUSE_M
from mili_core.synth.worlds.materials import VARIANTS, material
from mili_core.synth.worlds.place import Wall
from mili_core.synth.worlds.walls import Trees
from mili_core.synth.worlds.weather import Weather

Float32Array = NDArray[np.float32]
Palette = tuple[tuple[int, int, int], ...]

ASPHALTS: Palette = ((88, 88, 90), (112, 112, 114), (72, 72, 76), (128, 126, 122), (100, 96, 92))
PAVINGS: Palette = (
    (150, 146, 140), (172, 164, 152), (132, 130, 128), (186, 176, 158), (158, 132, 112), (118, 116, 118),
)  # fmt: skip
COBBLES: Palette = ((112, 110, 110), (134, 128, 120), (96, 94, 96), (150, 140, 126))
GRASSES: Palette = ((96, 112, 58), (84, 108, 52), (112, 118, 66), (78, 96, 56), (122, 116, 72))
GRAVELS: Palette = ((168, 158, 142), (150, 142, 132), (182, 166, 140), (140, 132, 120))
SANDS: Palette = ((206, 186, 150), (192, 172, 140), (214, 200, 172))


def ground_light(weather: Weather) -> Float32Array:
    """Gives (3,) float32 linear light on level ground in the open."""
    light = weather.light
    return (light.sky_light + light.sun_light * max(0.0, -float(light.sun[1]))).astype(np.float32)


def draw_band(
    rng: np.random.Generator,
    kind: str,
    palette: Palette,
    size: tuple[float, float],
    *,
    low: float = -np.inf,
    high: float = np.inf,
    wear: float = 0.5,
) -> Band:
    """Gives a strip of ground.

    Args:
        rng: source of all randomness.
        kind: of material.
        palette: its colours.
        size: least and greatest period, metres.
        low: x where it begins.
        high: x where it ends.
        wear: strength of stains.
    """
    period = rng.uniform(*size)
    # A mirrored material is another one.
    flip = 1.0 if rng.random() < 0.5 else -1.0
    return Band(
        low=low,
        high=high,
        texture=material(kind, int(rng.integers(VARIANTS))),
        colour=pick(rng, palette, 0.14),
        period=(flip * period, period),
        wear=wear * rng.uniform(0.5, 1.4),
    )


def houses(
    rng: np.random.Generator,
    weather: Weather,
    axis: int,
    distance_m: float,
    height_m: tuple[float, float],
    stop_m: float = np.inf,
) -> Wall:
    """Gives a row of houses on a plane (see Wall), of a mean height drawn from a range."""
    facing = np.zeros(3)
    facing[axis] = -np.sign(distance_m)
    facade = draw_facade(rng, weather, facing)
    outline = np.exp(rng.normal(0.0, rng.uniform(0.0, 0.2), 16)).astype(np.float32)
    return Wall(
        axis, distance_m, rng.uniform(*height_m), facade, tall=True, outline=outline, stretch_m=HOUSE_M, stop_m=stop_m
    )


def tree_row(
    rng: np.random.Generator,
    weather: Weather,
    axis: int,
    distance_m: float,
    *,
    wood: bool,
    stop_m: float = np.inf,
) -> Wall:
    """Gives trees on a plane (see Wall): a wood or single ones."""
    number = int(rng.integers(TREE_VARIANTS))
    number -= number % 2 if wood else (number + 1) % 2 if number else -1
    scale = rng.uniform(0.8, 1.5)
    light = weather.light
    facing = -np.sign(distance_m) * float(light.sun[axis])
    lit = light.sky_light + (0.35 + 0.65 * max(0.0, facing)) * light.sun_light
    painter = Trees(trees(number), rng.uniform(0.0, TREES_M[0]), scale, (1.3 * lit).astype(np.float32))
    return Wall(axis, distance_m, TREES_M[1] * scale - 0.15, painter, sparse=True, stop_m=stop_m)


def draw_discs(rng: np.random.Generator, half_width: float, reach_m: float, count: int) -> tuple[Disc, ...]:
    """Gives manhole covers and dark spots within a strip of ground; most are near."""
    discs = []
    for _ in range(count):
        x, z = rng.uniform(-half_width, half_width), reach_m * rng.uniform(0.1, 1.0) ** 1.5
        if rng.random() < 0.5:
            discs.append(Disc(x, z, 0.33, 0.02, pick(rng, ((58, 56, 54), (84, 78, 72))), 0.9))
        else:
            discs.append(Disc(x, z, rng.uniform(0.15, 0.9), rng.uniform(0.2, 0.7), pick(rng, ((46, 44, 42),)), 0.4))
    return tuple(discs)


def draw_land(rng: np.random.Generator) -> Float32Array:
    """Gives (3,) float32 linear reflectance of what lies behind woods and stands: trees and roofs, mostly dark."""
    return pick(rng, ((66, 76, 50), (84, 88, 72), (58, 66, 48), (96, 92, 84)), 0.15)
