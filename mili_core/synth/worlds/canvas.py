"""Drawing walls in metres: rectangles, gradients, lettering-like marks; the start of every wall texture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mili_core.synth.colours import to_linear
from mili_core.synth.worlds.materials import fractal
from mili_core.synth.worlds.noise import SIDE

Float32Array = NDArray[np.float32]
Colour = NDArray[np.floating]


@dataclass(frozen=True, slots=True, eq=False)
class Canvas:
    """A wall from its foot upwards.

    Attributes:
        pixels: (H, W, 4) float32 linear reflectance and, last, how much of the sky the wall mirrors.
        texel_m: size of a texel, metres.
    """

    pixels: Float32Array
    texel_m: float

    @property
    def width_m(self) -> float:
        """Length of the wall."""
        return float(self.pixels.shape[1] * self.texel_m)

    @property
    def height_m(self) -> float:
        """Height of the wall."""
        return float(self.pixels.shape[0] * self.texel_m)

    def part(self, u0: float, v0: float, u1: float, v1: float) -> Float32Array:
        """Gives the texels of a rectangle, u along and v up, metres, to be changed in place; at least one each way."""
        height, width = self.pixels.shape[:2]
        left, low = (int(np.clip(round(value / self.texel_m), 0, None)) for value in (u0, v0))
        right, high = (round(value / self.texel_m) for value in (u1, v1))
        return self.pixels[low : min(max(high, low + 1), height), left : min(max(right, left + 1), width)]

    def fill(self, u0: float, v0: float, u1: float, v1: float, colour: Colour, gloss: float = 0.0) -> None:
        """Paints a rectangle with a linear colour (3,)."""
        texels = self.part(u0, v0, u1, v1)
        texels[..., :3], texels[..., 3] = colour, gloss

    def shade(self, u0: float, v0: float, u1: float, v1: float, factor: float) -> None:
        """Darkens or brightens a rectangle."""
        self.part(u0, v0, u1, v1)[..., :3] *= np.float32(factor)

    def ramp(self, u0: float, v0: float, u1: float, v1: float, low: float, high: float) -> None:
        """Multiplies a rectangle by factors from its foot to its top."""
        texels = self.part(u0, v0, u1, v1)
        texels[..., :3] *= np.linspace(low, high, texels.shape[0], dtype=np.float32)[:, None, None]

    def lettering(self, rng: np.random.Generator, u0: float, v0: float, u1: float, v1: float, colour: Colour) -> None:
        """Paints a row of marks that looks like writing from afar."""
        size = v1 - v0
        at = u0
        while at < u1 - 0.3 * size:
            wide = size * rng.uniform(0.45, 0.75)
            if rng.random() < 0.15:
                at += 0.6 * size
                continue
            stroke = 0.16 * size
            self.fill(at, v0, at + stroke, v1, colour)
            for level in rng.choice([0.0, 0.42, 0.84], size=int(rng.integers(1, 3)), replace=False):
                self.fill(at, v0 + level * size, at + 0.8 * wide, v0 + level * size + stroke, colour)
            if rng.random() < 0.5:
                self.fill(at + 0.8 * wide - stroke, v0, at + 0.8 * wide, v0 + size * rng.choice([0.5, 1.0]), colour)
            at += wide

    def clutter(self, rng: np.random.Generator, box: tuple[float, float, float, float], count: int, dim: float) -> None:
        """Paints what stands behind a shop window: shelves of things, alike in a row and unlike between rows."""
        u0, v0, u1, v1 = box
        shelf = rng.uniform(0.3, 0.6)
        rows = max(1, int((v1 - v0) / shelf))
        for row in range(rows):
            low, main = v0 + row * shelf, rng.uniform(0.05, 0.35) * np.exp(rng.normal(0.0, 0.2, 3))
            for _ in range(count // rows):
                wide, high = rng.uniform(0.06, 0.3), shelf * rng.uniform(0.3, 0.85)
                left = rng.uniform(u0, max(u1 - wide, u0 + 1e-3))
                colour = dim * main * rng.uniform(0.4, 1.6) * np.exp(rng.normal(0.0, 0.12, 3))
                self.fill(left, low, min(left + wide, u1), min(low + high, v1), colour, 0.15)
            self.shade(u0, low - 0.04, u1, low, 0.5)

    def weather(self, rng: np.random.Generator, strength: float) -> None:
        """Lays stains, streaks of rain and fine grain over everything."""
        height, width = self.pixels.shape[:2]
        rows, columns = np.arange(height) % SIDE, np.arange(width) % SIDE
        soft, fine = fractal(rng, 1.2), fractal(rng, 0.7)
        streak = fractal(rng, 1.0)[rows // 16][:, columns]
        noise = soft[rows][:, columns] + 0.6 * streak + 0.6 * fine[rows][:, columns]
        self.pixels[..., :3] *= np.exp(np.float32(strength) * noise)[..., None].astype(np.float32)


def blank(width: int, height: int, texel_m: float) -> Canvas:
    """Gives a black wall of so many texels."""
    return Canvas(np.zeros((height, width, 4), dtype=np.float32), texel_m)


def pick(rng: np.random.Generator, palette: tuple[tuple[int, int, int], ...], spread: float = 0.1) -> Float32Array:
    """Gives (3,) float32 linear colour near one of a palette of sRGB colours 0..255."""
    colour = np.array(palette[int(rng.integers(len(palette)))], dtype=np.float64)
    colour = colour * np.exp(rng.normal(0.0, spread)) * np.exp(rng.normal(0.0, spread / 9.0, 3))
    return to_linear(np.clip(colour, 8.0, 245.0))
