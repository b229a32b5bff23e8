"""Colours as street photos have them: mostly black, grey, navy, white and denim; skin and hair of all people.

Palettes are sRGB 0..255 with a share each; what is drawn is linear light, 0..1.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Float32Array = NDArray[np.float32]
Palette = tuple[tuple[float, tuple[int, int, int]], ...]

TOPS: Palette = (
    (0.20, (28, 28, 31)),
    (0.10, (58, 60, 64)),
    (0.08, (120, 122, 124)),
    (0.13, (214, 213, 208)),
    (0.12, (34, 42, 66)),
    (0.06, (70, 96, 132)),
    (0.05, (150, 172, 196)),
    (0.05, (176, 160, 134)),
    (0.05, (78, 82, 58)),
    (0.04, (104, 36, 42)),
    (0.04, (172, 44, 44)),
    (0.03, (206, 170, 72)),
    (0.03, (46, 98, 78)),
    (0.02, (206, 140, 150)),
)
BOTTOMS: Palette = (
    (0.28, (26, 27, 31)),
    (0.26, (46, 58, 84)),
    (0.12, (84, 104, 136)),
    (0.10, (66, 66, 68)),
    (0.07, (118, 112, 104)),
    (0.08, (168, 150, 122)),
    (0.03, (206, 204, 198)),
    (0.06, (70, 68, 50)),
)
SHOES: Palette = (
    (0.5, (28, 27, 27)),
    (0.25, (206, 204, 200)),
    (0.15, (84, 60, 42)),
    (0.1, (96, 98, 104)),
)
HAIR: Palette = (
    (0.34, (24, 20, 18)),
    (0.26, (52, 36, 26)),
    (0.16, (92, 66, 44)),
    (0.12, (158, 124, 80)),
    (0.12, (150, 148, 144)),
)
SKIN: Palette = (
    (0.25, (226, 182, 158)),
    (0.25, (208, 160, 132)),
    (0.20, (182, 132, 102)),
    (0.15, (134, 90, 66)),
    (0.15, (86, 56, 42)),
)


def draw_colours(rng: np.random.Generator, palette: Palette, count: int, jitter: float) -> Float32Array:
    """Gives (count, 3) float32 linear colours from a palette.

    Args:
        rng: source of all randomness.
        palette: shares and sRGB colours.
        count: how many.
        jitter: relative standard deviation of brightness; hue varies by a third of it.
    """
    share = np.array([weight for weight, _ in palette])
    colours = np.array([colour for _, colour in palette], dtype=np.float64)
    drawn = colours[rng.choice(len(palette), size=count, p=share / share.sum())]
    drawn = drawn * np.exp(rng.normal(0.0, jitter, (count, 1))) * np.exp(rng.normal(0.0, jitter / 3.0, (count, 3)))
    return to_linear(np.clip(drawn, 8.0, 245.0))


def to_linear(srgb_255: NDArray[np.floating]) -> Float32Array:
    """Gives linear light 0..1, float32, of sRGB values 0..255 of any shape."""
    value = np.asarray(srgb_255, dtype=np.float32) / 255.0
    linear: Float32Array = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4).astype(
        np.float32
    )
    return linear


_CURVE_STEPS = 4096
_CURVE_INPUT = np.linspace(0.0, 1.0, _CURVE_STEPS, dtype=np.float64)
_CURVE = np.where(_CURVE_INPUT <= 0.0031308, 12.92 * _CURVE_INPUT, 1.055 * _CURVE_INPUT ** (1.0 / 2.4) - 0.055).astype(
    np.float32
) * np.float32(255.0)


def to_srgb(linear: Float32Array) -> Float32Array:
    """Gives sRGB values 0..255, float32, not rounded, of linear light of any shape, clipped to 0..1.

    A table of 4096 steps: darker than step 1 it is off by less than half a grey level.
    """
    index = np.clip(linear * (_CURVE_STEPS - 1) + 0.5, 0.0, _CURVE_STEPS - 1.0).astype(np.int32)
    srgb: Float32Array = _CURVE[index]
    return srgb
