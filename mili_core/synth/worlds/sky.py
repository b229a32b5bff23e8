"""Sky: from the horizon's haze to the zenith, clouds, the sun's glow, and the far skyline."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mili_core.synth.worlds.materials import clouds
from mili_core.synth.worlds.surface import mix
from mili_core.synth.worlds.weather import Weather

Float32Array = NDArray[np.float32]

_LIFT = np.float32(0.1)
"""Keeps clouds at the horizon from shrinking to nothing, as the earth's curve does."""

_PROFILE = 4096
"""Steps of the skyline over all tangents -_SPREAD.._SPREAD of the direction."""

_SPREAD = 3.0


@dataclass(frozen=True, slots=True, eq=False)
class Sky:
    """Everything above the horizon.

    Attributes:
        weather: colours.
        offset: (2,) float32 where in the cloud field this sky is, periods.
        scale: size of the clouds, periods per unit of the cloud plane.
        skyline: (_PROFILE,) float32 tangent of the elevation to which far things reach.
        shades: (_PROFILE, 3) float32 linear colours of them, haze included.
    """

    weather: Weather
    offset: Float32Array
    scale: float
    skyline: Float32Array
    shades: Float32Array

    def paint(self, rays: Float32Array, pixel_rad: float) -> Float32Array:
        """Gives (3, N) float32 linear light from directions (3, N), any length, of pixels of an angle."""
        weather = self.weather
        length = np.sqrt(rays[0] * rays[0] + rays[1] * rays[1] + rays[2] * rays[2])
        up = np.maximum(-rays[1] / length, np.float32(0.0))
        fade = np.exp(np.float32(-3.0) * up)
        colour: Float32Array = weather.zenith[:, None] + (weather.horizon - weather.zenith)[:, None] * fade
        if weather.glow.max() > 0.02:
            colour += weather.glow[:, None] * self._glow(rays, length)
        if weather.cover > 0.02:
            self._clouds(rays, up, length, np.float32(pixel_rad), colour)
        if self.skyline.max() > 0:
            self._far(rays, np.float32(pixel_rad), colour)
        return colour

    def _glow(self, rays: Float32Array, length: Float32Array) -> Float32Array:
        sun = weather_sun(self.weather)
        towards = (rays[0] * sun[0] + rays[1] * sun[1] + rays[2] * sun[2]) / length
        glow: Float32Array = np.maximum(towards, np.float32(0.0))
        for _ in range(3):
            glow *= glow
        narrow: Float32Array = glow * glow
        for _ in range(4):
            narrow *= narrow
        glow *= np.float32(0.35)
        narrow += glow
        return narrow

    def _clouds(
        self, rays: Float32Array, up: Float32Array, length: Float32Array, pixel_rad: np.float32, colour: Float32Array
    ) -> None:
        weather = self.weather
        reach = np.float32(self.scale) / (up + _LIFT)
        across = rays[0] / length * reach + self.offset[0]
        ahead = rays[2] / length * reach + self.offset[1]
        near = pixel_rad * reach
        noise = clouds().at(across, ahead, near, near / (up + _LIFT))
        detail = clouds().at(across * np.float32(3.7), ahead * np.float32(3.7), near * 4, near * 4 / (up + _LIFT))
        height = noise[0] + np.float32(0.35) * (detail[1] - np.float32(0.5))
        # Deviation 0.16: the threshold leaves about `cover` of the field above it.
        threshold = np.float32(0.5 + 0.3 * (1.0 - 2.0 * weather.cover))
        share = np.clip((height - threshold) * np.float32(5.0), np.float32(0.0), np.float32(1.0))
        # Thick clouds are grey below.
        body = np.float32(1.12) - np.float32(0.9) * np.maximum(height - threshold, np.float32(0.0))
        body += np.float32(0.5) * (detail[2] - np.float32(0.5))
        body *= np.float32(0.85) + np.float32(0.3) * noise[3]
        share *= np.minimum(np.float32(0.35) + np.float32(3.0) * up, np.float32(0.95))
        mix(colour, weather.cloud[:, None] * body, share)

    def _far(self, rays: Float32Array, pixel_rad: np.float32, colour: Float32Array) -> None:
        low = -rays[1] < np.float32(self.skyline.max() + 0.01) * np.maximum(rays[2], np.float32(1e-3))
        here = np.flatnonzero(low & (rays[2] > np.float32(1e-3)))
        if not len(here):
            return
        side, up, ahead = rays[0, here], -rays[1, here], rays[2, here]
        place = (side / ahead + np.float32(_SPREAD)) * np.float32(_PROFILE / (2 * _SPREAD))
        step = np.clip(place, 0, _PROFILE - 1).astype(np.int32)
        share = np.clip((self.skyline[step] - up / ahead) / pixel_rad + np.float32(0.5), 0, 1).astype(np.float32)
        # Haze lies thickest at the foot of far things.
        share *= np.float32(0.55) + np.float32(0.45) * np.clip(up / ahead * np.float32(40.0), 0, 1).astype(np.float32)
        part = colour[:, here]
        mix(part, np.ascontiguousarray(self.shades[step].T), share)
        colour[:, here] = part


def weather_sun(weather: Weather) -> Float32Array:
    """Gives (3,) float32 the direction of the sun."""
    return weather.light.sun.astype(np.float32)


def draw_sky(rng: np.random.Generator, weather: Weather, *, town: bool) -> Sky:
    """Gives a sky whose far skyline is a town's or of trees and hills."""
    tangent = np.linspace(-_SPREAD, _SPREAD, _PROFILE)
    if town:
        skyline, number = _town(rng, tangent)
    else:
        skyline, number = _woods(rng, tangent)
    shades = rng.uniform(0.25, 0.75, (int(number.max()) + 1, 1)) * np.exp(rng.normal(0.0, 0.05, (number.max() + 1, 3)))
    light = weather.light
    plain = (shades if town else shades * np.array([0.42, 0.5, 0.3])) * 0.4 * (light.sky_light + 0.5 * light.sun_light)
    clear = rng.uniform(0.25, 0.6)
    hazy = plain[number] * clear + light.haze * (1.0 - clear)
    return Sky(
        weather=weather,
        offset=rng.random(2).astype(np.float32),
        scale=float(rng.uniform(0.05, 0.16)),
        skyline=skyline.astype(np.float32),
        shades=hazy.astype(np.float32),
    )


def _town(rng: np.random.Generator, tangent: Float64Array) -> tuple[Float64Array, NDArray[np.intp]]:
    """Gives heights of far houses side by side and the number of each."""
    edges = np.cumsum(np.exp(rng.normal(np.log(0.03), 0.6, 400))) - _SPREAD
    number = np.searchsorted(edges, tangent)
    mean = rng.uniform(0.015, 0.06)
    heights = mean * np.exp(rng.normal(0.0, 0.35, 401))
    towers = rng.random(401) < 0.06
    heights = heights * np.where(towers, rng.uniform(1.4, 3.0, 401), 1.0)
    inside = (tangent - np.concatenate([[-_SPREAD], edges])[number]) / 0.03
    chimney = (np.mod(inside * 7.0, 1.0) < 0.16) & (rng.random(401) < 0.3)[number]
    return heights[number] + 0.0022 * chimney, number


def _woods(rng: np.random.Generator, tangent: Float64Array) -> tuple[Float64Array, NDArray[np.intp]]:
    """Gives heights of a far tree line over a hill and the number of each tree."""
    mean = rng.uniform(0.008, 0.05)
    hill = 1.0 + 0.35 * np.sin(tangent * rng.uniform(0.7, 2.0) + rng.uniform(0.0, 6.0))
    crowns = sum(
        0.5 ** (0.8 * octave) * np.sin(tangent * 9.0 * 1.9**octave + rng.uniform(0.0, 6.3)) for octave in range(9)
    )
    heights = mean * hill * np.exp(0.2 * crowns)
    return heights, np.floor((tangent + _SPREAD) / 1.7).astype(np.intp)


Float64Array = NDArray[np.float64]
