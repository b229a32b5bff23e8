"""Wrap-around fractal noise that can be looked up at any point and any scale."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Float32Array = NDArray[np.float32]

SIDE = 512
"""Texels along one period: centimetre detail over a period of metres."""

POOL = 8
"""How many different fields there are: enough that no training sees one pattern only."""


@dataclass(frozen=True, slots=True, eq=False)
class NoiseField:
    """A periodic fractal of zero mean and unit deviation.

    Attributes:
        levels: textures from SIDE x SIDE downwards, each half the size of the one before and area averaged.
    """

    levels: tuple[Float32Array, ...]

    def at(self, u: NDArray[np.floating], v: NDArray[np.floating], footprint: NDArray[np.floating]) -> Float32Array:
        """Gives noise values, float32, shape of u.

        Args:
            u: coordinate in periods.
            v: coordinate in periods.
            footprint: extent in periods over which to average: detail below it is gone.
        """
        depth = len(self.levels) - 1
        level = np.clip(np.log2(np.maximum(footprint, 1e-9) * SIDE), 0, depth).astype(np.int64)
        values = np.zeros(u.shape, dtype=np.float32)
        for index in range(int(level.min(initial=depth)), int(level.max(initial=0)) + 1):
            texture = self.levels[index]
            here = level == index
            side = len(texture)
            row = np.floor(v[here] * side).astype(np.int64) % side
            column = np.floor(u[here] * side).astype(np.int64) % side
            values[here] = texture[row, column]
        return values


@lru_cache(maxsize=4 * POOL)
def noise_field(number: int, roughness: float) -> NoiseField:
    """Gives one of the fixed noise fields; they are kept, since making one takes longer than a small render.

    Args:
        number: which one.
        roughness: exponent of the amplitude spectrum 1 / f^roughness; 1 is natural, more is smoother.
    """
    rng = np.random.default_rng(number)
    frequency = np.hypot(np.fft.fftfreq(SIDE)[:, None], np.fft.rfftfreq(SIDE)[None]) * SIDE
    amplitude = np.where(frequency > 0, 1.0, 0.0) / np.maximum(frequency, 1.0) ** roughness
    spectrum = amplitude * np.exp(2j * np.pi * rng.random(frequency.shape))
    texture = np.fft.irfft2(spectrum, s=(SIDE, SIDE))
    texture = (texture / texture.std()).astype(np.float32)
    levels = [texture]
    while len(levels[-1]) > 1:
        last = levels[-1]
        side = len(last) // 2
        levels.append(last.reshape(side, 2, side, 2).mean(axis=(1, 3), dtype=np.float32))
    return NoiseField(tuple(levels))
