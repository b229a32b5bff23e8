"""Colours as street photos have them: mostly black, grey, navy, white and denim; skin and hair of all people.

Palettes are sRGB 0..255 with a share each; what is drawn is linear light, 0..1.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Float32Array = NDArray[np.float32]
Palette = tuple[tuple[float, tuple[int, int, int]], ...]

TOPS: Palette = (
    (0.22, (28, 28, 31)),
    (0.10, (58, 60, 64)),
    (0.08, (126, 128, 130)),
    (0.15, (222, 221, 216)),
    (0.12, (34, 42, 66)),
    (0.06, (70, 96, 132)),
    (0.05, (158, 178, 202)),
    (0.04, (182, 166, 140)),
    (0.04, (78, 82, 58)),
    (0.03, (104, 36, 42)),
    (0.04, (178, 42, 44)),
    (0.02, (210, 172, 66)),
    (0.02, (40, 104, 80)),
    (0.02, (212, 142, 154)),
    (0.01, (44, 90, 176)),
)
HATS: Palette = (
    (0.42, (27, 27, 30)),
    (0.18, (36, 44, 66)),
    (0.14, (84, 86, 90)),
    (0.08, (214, 212, 206)),
    (0.06, (70, 76, 56)),
    (0.06, (150, 40, 44)),
    (0.06, (112, 124, 140)),
)
BRIGHTS: Palette = (
    (0.2, (196, 36, 40)),
    (0.2, (38, 84, 178)),
    (0.12, (226, 190, 50)),
    (0.12, (34, 130, 86)),
    (0.1, (226, 112, 40)),
    (0.1, (206, 70, 120)),
    (0.08, (112, 70, 150)),
    (0.08, (60, 170, 190)),
)
SHIRTS: Palette = (
    (0.36, (228, 228, 226)),
    (0.2, (164, 186, 212)),
    (0.1, (100, 128, 168)),
    (0.1, (38, 44, 62)),
    (0.1, (30, 30, 33)),
    (0.06, (206, 172, 174)),
    (0.08, (180, 172, 156)),
)
SUITS: Palette = (
    (0.36, (26, 27, 31)),
    (0.3, (32, 38, 56)),
    (0.2, (70, 72, 77)),
    (0.07, (120, 116, 110)),
    (0.07, (150, 128, 100)),
)
COATS: Palette = (
    (0.36, (25, 25, 28)),
    (0.16, (34, 40, 58)),
    (0.14, (80, 82, 86)),
    (0.1, (164, 134, 98)),
    (0.08, (190, 178, 156)),
    (0.07, (74, 78, 54)),
    (0.05, (112, 36, 40)),
    (0.04, (150, 152, 154)),
)
DRESSES: Palette = (
    (0.28, (28, 28, 32)),
    (0.12, (36, 44, 74)),
    (0.12, (222, 218, 210)),
    (0.1, (164, 40, 48)),
    (0.1, (104, 136, 170)),
    (0.08, (62, 104, 84)),
    (0.1, (208, 156, 160)),
    (0.1, (196, 172, 132)),
)
BOTTOMS: Palette = (
    (0.32, (26, 27, 31)),
    (0.16, (36, 42, 60)),
    (0.14, (66, 66, 68)),
    (0.10, (118, 112, 104)),
    (0.14, (172, 154, 126)),
    (0.05, (206, 204, 198)),
    (0.09, (72, 70, 52)),
)
JEANS: Palette = (
    (0.42, (42, 54, 78)),
    (0.3, (70, 89, 118)),
    (0.08, (118, 138, 162)),
    (0.2, (34, 35, 40)),
)
LEGGINGS: Palette = ((0.82, (24, 24, 27)), (0.1, (58, 58, 64)), (0.08, (44, 50, 78)))
SHOES: Palette = (
    (0.46, (28, 27, 27)),
    (0.28, (214, 212, 208)),
    (0.15, (88, 62, 43)),
    (0.08, (96, 98, 104)),
    (0.03, (170, 46, 48)),
)
BOOTS: Palette = ((0.66, (27, 26, 26)), (0.26, (78, 54, 38)), (0.08, (150, 122, 92)))
SOLES: Palette = ((0.5, (226, 224, 220)), (0.4, (32, 31, 31)), (0.1, (150, 120, 88)))
HAIR: Palette = (
    (0.36, (26, 22, 20)),
    (0.28, (54, 38, 28)),
    (0.16, (92, 66, 44)),
    (0.11, (164, 130, 84)),
    (0.09, (156, 154, 150)),
)
SKIN: Palette = (
    (0.28, (228, 186, 164)),
    (0.25, (212, 166, 140)),
    (0.20, (186, 138, 108)),
    (0.14, (138, 94, 70)),
    (0.13, (92, 61, 47)),
)
BAGS: Palette = (
    (0.4, (28, 28, 31)),
    (0.14, (36, 44, 66)),
    (0.14, (92, 64, 44)),
    (0.1, (92, 94, 98)),
    (0.07, (168, 132, 92)),
    (0.07, (150, 38, 42)),
    (0.08, (78, 80, 60)),
)
SHOPPING: Palette = ((0.35, (222, 222, 220)), (0.3, (172, 136, 98)), (0.15, (30, 30, 33)), (0.2, (176, 60, 56)))
HIGH_VISIBILITY: Palette = ((0.6, (226, 232, 44)), (0.4, (244, 112, 36)))


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
