"""The painter of a row of house fronts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mili_core.synth.worlds.houses import FOOT_M, HOUSE_M, SLOTS, STOREYS_M, VARIANTS, house_fronts
from mili_core.synth.worlds.materials import clouds, grain
from mili_core.synth.worlds.surface import Surface
from mili_core.synth.worlds.texture import Texture
from mili_core.synth.worlds.weather import Weather

Float32Array = NDArray[np.float32]

ROW = 16
"""Houses until a row begins again; a power of two."""

_LENGTH = np.float32(1.0 / (SLOTS * HOUSE_M))
_HEIGHT = np.float32(1.0 / (FOOT_M + STOREYS_M))


@dataclass(frozen=True, slots=True, eq=False)
class Facade:
    """House after house.

    Attributes:
        texture: fronts, from house_fronts.
        slots: (ROW,) int32 which front each house has.
        tints: (3, ROW) float32 its colour on top of that.
        start_m: where along the wall the first house begins.
        light: (3,) float32 linear light on the wall.
        sky: (3,) float32 linear light that windows mirror.
        ground: (3,) float32 linear light from below, strongest at the foot.
    """

    texture: Texture
    slots: NDArray[np.int32]
    tints: Float32Array
    start_m: float
    light: Float32Array
    sky: Float32Array
    ground: Float32Array

    def paint(self, surface: Surface) -> Float32Array:
        """Gives (3, N) float32 linear light."""
        along = (surface.u - np.float32(self.start_m)) * np.float32(1.0 / HOUSE_M)
        number = np.floor(along)
        within = along - number
        house = number.astype(np.int32) & np.int32(ROW - 1)
        u = (self.slots[house].astype(np.float32) + within) * np.float32(1.0 / SLOTS)
        above = np.maximum(surface.v - np.float32(FOOT_M), np.float32(0.0))
        above -= np.floor(above * np.float32(1.0 / STOREYS_M)) * np.float32(STOREYS_M)
        v = np.where(surface.v < np.float32(FOOT_M), np.maximum(surface.v, 0.0), np.float32(FOOT_M) + above) * _HEIGHT
        texels = self.texture.at(u, v, surface.du * _LENGTH, surface.dv * _HEIGHT)
        smears = clouds().at(surface.u / 23.0, surface.v / 17.0, surface.du / 23.0, surface.dv / 17.0)
        rough = grain().at(surface.u / 1.3, surface.v / 1.3, surface.du / 1.3, surface.dv / 1.3)[1]
        wear = (np.float32(0.75) + np.float32(0.5) * smears[1]) * rough
        foot = np.exp(surface.v * np.float32(-0.35))
        gloss = texels[3] * (np.float32(0.25) + np.float32(1.5) * smears[0])
        colour = texels[:3]
        for channel in range(3):
            light = self.light[channel] + self.ground[channel] * foot
            colour[channel] *= light * wear * self.tints[channel, house]
            colour[channel] += gloss * self.sky[channel]
        return colour


def draw_facade(rng: np.random.Generator, weather: Weather, facing: NDArray[np.float64]) -> Facade:
    """Gives a row of houses.

    Args:
        rng: source of all randomness.
        weather: light and sky.
        facing: (3,) unit normal of the wall, world axes, towards the camera.
    """
    tints = np.exp(rng.normal(0.0, 0.14, (1, ROW))) * np.exp(rng.normal(0.0, 0.05, (3, ROW)))
    return Facade(
        texture=house_fronts(int(rng.integers(VARIANTS))),
        slots=rng.integers(SLOTS, size=ROW).astype(np.int32),
        tints=tints.astype(np.float32),
        start_m=rng.uniform(0.0, ROW * HOUSE_M),
        light=wall_light(weather, facing),
        sky=(0.55 * weather.horizon + 0.45 * weather.zenith).astype(np.float32),
        ground=(0.4 * weather.light.bounce_light).astype(np.float32),
    )


def wall_light(weather: Weather, facing: NDArray[np.float64]) -> Float32Array:
    """Gives (3,) float32 linear light on an upright wall: half the sky, the sun if it faces it, and the ground."""
    light = weather.light
    sun = light.sun_light * max(0.0, float(light.sun @ facing))
    total: Float32Array = (0.5 * light.sky_light + sun + 0.5 * light.bounce_light).astype(np.float32)
    return total
