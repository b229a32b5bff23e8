"""What a camera does to light: exposure, white balance, blur, noise, the sRGB curve."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mili_core.synth.colours import to_srgb

Float32Array = NDArray[np.float32]

HALO_PX = 2
"""Pixels around a window that `develop` looks at: one for each blur pass."""


@dataclass(frozen=True, slots=True, eq=False)
class Film:
    """One photo's settings.

    Attributes:
        gain: (3,) float32 exposure times white balance.
        blur: weight of each direct neighbour in the two passes of blur, 0..0.25.
        noise: standard deviation of noise, grey levels of 255.
    """

    gain: Float32Array
    blur: float
    noise: float


def draw_film(rng: np.random.Generator) -> Film:
    """Gives random settings of an ordinary photo."""
    gain = np.exp(rng.normal(0.0, 0.18)) * np.exp(rng.normal(0.0, 0.05, 3))
    return Film(gain.astype(np.float32), blur=rng.uniform(0.0, 0.2), noise=rng.uniform(0.8, 4.0))


def develop(linear: Float32Array, film: Film, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Gives the sRGB photo of the interior of a render, HALO_PX smaller on each side.

    Args:
        linear: (H + 2 HALO_PX, W + 2 HALO_PX, 3) linear light.
        film: settings.
        rng: source of the noise.

    Returns:
        (H, W, 3) uint8.
    """
    light = linear * film.gain
    for _ in range(HALO_PX):
        light = _blur(_blur(light, film.blur).transpose(1, 0, 2), film.blur).transpose(1, 0, 2)
    grey = to_srgb(np.ascontiguousarray(light))
    # Noise of the sensor is partly common to the colours.
    grey += film.noise * 0.8 * rng.standard_normal((*grey.shape[:2], 1), dtype=np.float32)
    grey += film.noise * 0.6 * rng.standard_normal(grey.shape, dtype=np.float32)
    photo: NDArray[np.uint8] = np.clip(grey + 0.5, 0.0, 255.0).astype(np.uint8)
    return photo


def _blur(rows: Float32Array, weight: float) -> Float32Array:
    """Gives a 3-tap blur along the first axis, two rows shorter."""
    return (1.0 - 2.0 * weight) * rows[1:-1] + weight * (rows[:-2] + rows[2:])
