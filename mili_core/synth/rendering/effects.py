"""What a camera does to light: exposure, white balance, blur, noise, tone curve, JPEG."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mili_core.synth.colours import to_srgb

Float32Array = NDArray[np.float32]

HALO_PX = 2
"""Pixels around a window that `develop` looks at: one for each blur pass."""

TONES = 4096
"""Entries of the table of tones: darker than the first step it is off by less than half a grey level."""

MIDDLE_GREY = 0.2
"""Mean linear light that an automatic exposure aims at."""

AUTOMATIC = 0.75
"""How far it gets there: dusk stays darker than noon."""

JPEG_SHARE = 0.7
"""Most photos have been through a JPEG; the rest are raw or scaled down."""


@dataclass(frozen=True, slots=True, eq=False)
class Film:
    """One photo's settings.

    Attributes:
        gain: (3,) float32 exposure times white balance.
        gamma: exponent of the tone curve on top of sRGB's; below 1 lifts the shadows.
        blur: weight of each direct neighbour in the two passes of blur, 0..0.25.
        noise: standard deviation of noise, grey levels of 255.
        jpeg_quality: 1..100, or None for no JPEG artefacts.
    """

    gain: Float32Array
    gamma: float
    blur: float
    noise: float
    jpeg_quality: int | None


def draw_film(rng: np.random.Generator, metered: float) -> Film:
    """Gives random settings of an ordinary photo.

    Args:
        rng: source of all randomness.
        metered: mean linear light of the scene.
    """
    exposure = (MIDDLE_GREY / max(metered, 1e-3)) ** AUTOMATIC
    gain = exposure * np.exp(rng.normal(0.0, 0.22)) * np.exp(rng.normal(0.0, 0.05, 3))
    return Film(
        gain.astype(np.float32),
        gamma=float(np.exp(rng.normal(0.0, 0.1))),
        blur=rng.uniform(0.0, 0.2),
        noise=float(np.exp(rng.uniform(np.log(0.6), np.log(6.0)))),
        jpeg_quality=int(rng.integers(45, 97)) if rng.random() < JPEG_SHARE else None,
    )


def develop(linear: Float32Array, film: Film, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Gives the sRGB photo of the interior of a render, HALO_PX smaller on each side.

    Args:
        linear: (H + 2 HALO_PX, W + 2 HALO_PX, 3) linear light.
        film: settings.
        rng: source of the noise.

    Returns:
        (H, W, 3) uint8.
    """
    grey = _tones(_blur(linear * film.gain, film.blur), film.gamma)
    # Noise of the sensor is partly common to the colours.
    grey += film.noise * 0.8 * rng.standard_normal((*grey.shape[:2], 1), dtype=np.float32)
    grey += film.noise * 0.6 * rng.standard_normal(grey.shape, dtype=np.float32)
    photo: NDArray[np.uint8] = np.clip(grey + 0.5, 0.0, 255.0).astype(np.uint8)
    return photo if film.jpeg_quality is None else through_jpeg(photo, film.jpeg_quality)


def _tones(light: Float32Array, gamma: float) -> Float32Array:
    """Gives sRGB values 0..255, not rounded, of linear light, bent by the tone curve; a table, as in `to_srgb`."""
    steps = np.linspace(0.0, 1.0, TONES, dtype=np.float32)
    table = np.float32(255.0) * (to_srgb(steps) / np.float32(255.0)) ** np.float32(gamma)
    index = (np.clip(light, 0.0, 1.0) * np.float32(TONES - 1) + np.float32(0.5)).astype(np.int32)
    tones: Float32Array = table[index]
    return tones


def through_jpeg(photo: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    """Gives an sRGB photo (H, W, 3) with the artefacts of a JPEG of the given quality, 1..100."""
    _, encoded = cv2.imencode(".jpg", cv2.cvtColor(photo, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    decoded = cv2.imdecode(encoded, cv2.IMREAD_COLOR)
    assert decoded is not None  # encoded just now
    return np.asarray(cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def _blur(light: Float32Array, weight: float) -> Float32Array:
    """Gives an image (H, W, 3) after two passes of a 3-tap blur, HALO_PX smaller on each side."""
    once = np.array([weight, 1.0 - 2.0 * weight, weight])
    twice = np.convolve(once, once).astype(np.float32)
    blurred = cv2.sepFilter2D(np.ascontiguousarray(light), cv2.CV_32F, twice, twice)
    return np.asarray(blurred[HALO_PX:-HALO_PX, HALO_PX:-HALO_PX], dtype=np.float32)
