"""What the light of a place is like on a day drawn at random, outdoors and indoors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mili_core.synth.worlds.light import Light

Float32Array = NDArray[np.float32]
Float64Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Weather:
    """A light and the sky that goes with it.

    Attributes:
        light: sun, sky, bounce, haze; the bounce is that of a grey ground.
        horizon: (3,) float32 linear colour of the sky above the horizon.
        zenith: (3,) float32 linear colour overhead.
        cloud: (3,) float32 linear colour of lit clouds.
        cover: share of the sky under clouds, 0..1.
        glow: (3,) float32 linear light around the sun.
    """

    light: Light
    horizon: Float32Array
    zenith: Float32Array
    cloud: Float32Array
    cover: float
    glow: Float32Array


_KINDS = ("clear", "broken", "overcast", "golden", "veiled", "dusk")
_SHARES = (0.26, 0.22, 0.24, 0.12, 0.1, 0.06)


def draw_weather(rng: np.random.Generator) -> Weather:
    """Gives a day outdoors: bright, cloudy, late, or anything between."""
    kind = str(rng.choice(_KINDS, p=_SHARES))
    elevation, strength, ambient, cover = _day(rng, kind)
    # The lower the sun, the redder; the clearer the sky, the bluer what it gives.
    low = float(np.clip((32.0 - elevation) / 26.0, 0.0, 1.0)) * rng.uniform(0.6, 1.0)
    sun_tint = np.array([1.0, 0.95 - 0.22 * low, 0.87 - 0.45 * low])
    blue = (1.0 - cover) * rng.uniform(0.5, 1.0)
    sky_tint = np.array([1.0 - 0.16 * blue, 1.0, 1.03 + 0.2 * blue])
    sun_light, sky_light = strength * sun_tint, ambient * sky_tint
    bright = rng.uniform(0.75, 1.15) * (0.35 + 0.75 * ambient / 0.7)
    pale = bright * (np.array([0.86, 0.92, 1.0]) * (1.0 - low) + low * np.array([1.05, 0.86, 0.66]))
    grey = bright * np.array([0.93, 0.97, 1.0])
    horizon = pale * (1.0 - 0.8 * cover) + grey * 0.8 * cover
    zenith = bright * (np.array([0.2, 0.38, 0.72]) * rng.uniform(0.7, 1.25))
    cloud = 0.75 * bright * np.array([1.0, 1.0, 1.02]) + 0.3 * sun_light
    return Weather(
        light=Light(
            sun=sun_direction(rng.uniform(0.0, 2.0 * np.pi), np.deg2rad(elevation)),
            sun_light=sun_light.astype(np.float32),
            sky_light=sky_light.astype(np.float32),
            bounce_light=(0.3 * (sky_light + 0.6 * sun_light)).astype(np.float32),
            haze=(horizon * 0.92).astype(np.float32),
            haze_m=float(np.exp(rng.uniform(np.log(350.0), np.log(3000.0)))),
        ),
        horizon=horizon.astype(np.float32),
        zenith=zenith.astype(np.float32),
        cloud=cloud.astype(np.float32),
        cover=cover,
        glow=(0.5 * sun_light * (1.0 - 0.7 * cover)).astype(np.float32),
    )


def _day(rng: np.random.Generator, kind: str) -> tuple[float, float, float, float]:
    """Gives the sun's elevation in degrees, its strength, the sky's, and the share of clouds."""
    if kind == "clear":
        return rng.uniform(28, 68), rng.uniform(0.95, 1.6), rng.uniform(0.3, 0.5), rng.uniform(0.0, 0.2)
    if kind == "broken":
        return rng.uniform(25, 65), rng.uniform(0.7, 1.35), rng.uniform(0.4, 0.65), rng.uniform(0.3, 0.65)
    if kind == "overcast":
        return rng.uniform(30, 70), rng.uniform(0.02, 0.2), rng.uniform(0.75, 1.25), rng.uniform(0.9, 1.0)
    if kind == "golden":
        return rng.uniform(11, 22), rng.uniform(0.8, 1.3), rng.uniform(0.25, 0.42), rng.uniform(0.0, 0.5)
    if kind == "veiled":
        return rng.uniform(25, 60), rng.uniform(0.3, 0.65), rng.uniform(0.55, 0.8), rng.uniform(0.6, 0.85)
    return rng.uniform(12, 25), rng.uniform(0.03, 0.12), rng.uniform(0.4, 0.65), rng.uniform(0.2, 0.9)


def draw_indoor_light(rng: np.random.Generator) -> Light:
    """Gives the light of a hall: many lamps and a bright roof, no sun that casts a shadow."""
    ambient = rng.uniform(0.5, 1.0)
    warmth = rng.uniform(-0.08, 0.2)
    tint = np.array([1.0 + warmth, 1.0, 1.0 - 1.3 * warmth])
    overhead = rng.uniform(0.1, 0.3)
    return Light(
        sun=sun_direction(rng.uniform(0.0, 2.0 * np.pi), np.deg2rad(rng.uniform(55.0, 85.0))),
        sun_light=(overhead * ambient * tint).astype(np.float32),
        sky_light=(ambient * tint).astype(np.float32),
        bounce_light=(0.4 * ambient * tint).astype(np.float32),
        haze=(0.5 * ambient * tint).astype(np.float32),
        haze_m=rng.uniform(300.0, 1200.0),
    )


def sun_direction(azimuth: float, elevation: float) -> Float64Array:
    """Gives (3,) the unit vector towards a sun at an azimuth (from x towards z) and above the horizon, radians."""
    flat = np.cos(elevation)
    return np.array([np.cos(azimuth) * flat, -np.sin(elevation), np.sin(azimuth) * flat], dtype=np.float64)
