"""Grounds and walls from close by: relative reflectance of a few square metres, made once and kept.

The mean of every colour channel is about 1; who uses a material multiplies by the colour it wants. The fourth channel
is gloss: how much of what is opposite a smooth ground shows.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from mili_core.synth.worlds.noise import POOL, SIDE, noise_field
from mili_core.synth.worlds.texture import Texture, make_texture

Float32Array = NDArray[np.float32]

VARIANTS = 3
"""How many of each material there are: they are recoloured, scaled and shifted besides."""

_PEAK = 4.0
"""Brightest texel as a multiple of the mean."""


def fractal(rng: np.random.Generator, roughness: float) -> Float32Array:
    """Gives one of the noise fields (SIDE, SIDE) of zero mean and unit deviation, shifted at random."""
    field = noise_field(int(rng.integers(POOL)), roughness).levels[0]
    down, right = rng.integers(SIDE, size=2)
    return np.roll(field, (int(down), int(right)), axis=(0, 1))


def local(rng: np.random.Generator, roughness: float) -> Float32Array:
    """Gives a fractal without its waves longer than an eighth: from afar nobody sees that it repeats."""
    spectrum = np.fft.rfft2(fractal(rng, roughness))
    waves = np.hypot(np.fft.fftfreq(SIDE)[:, None], np.fft.rfftfreq(SIDE)[None]) * SIDE
    short = np.fft.irfft2(spectrum * (waves >= 8.0), s=(SIDE, SIDE))
    unit: Float32Array = (short / short.std()).astype(np.float32)
    return unit


@lru_cache(maxsize=64)
def material(kind: str, number: int) -> Texture:
    """Gives variant `number` of a kind in MATERIALS."""
    rng = np.random.default_rng([number, *kind.encode()])
    return make_texture(MATERIALS[kind](rng), _PEAK)


@lru_cache(maxsize=1)
def clouds() -> Texture:
    """Gives four smooth noises (mean 0.5, deviation 0.16), for all that varies slowly over a place."""
    rng = np.random.default_rng(11)
    channels = [fractal(rng, roughness) for roughness in (1.25, 1.1, 1.25, 1.4)]
    return make_texture(np.clip(0.5 + 0.16 * np.stack(channels, axis=-1), 0.0, 1.0).astype(np.float32), 1.0)


@lru_cache(maxsize=1)
def grain() -> Texture:
    """Gives fine noise (mean 1, deviation 0.11) for what is nearer than a material's texels."""
    rng = np.random.default_rng(12)
    channels = [1.0 + 0.11 * fractal(rng, roughness) for roughness in (0.5, 0.8, 0.6, 0.9)]
    return make_texture(np.clip(np.stack(channels, axis=-1), 0.0, 2.0).astype(np.float32), 2.0)


def _finish(value: NDArray[np.floating], tint: NDArray[np.floating] | None, gloss: float) -> Float32Array:
    """Gives (SIDE, SIDE, 4) of values (SIDE, SIDE) and hues (SIDE, SIDE): positive is warm."""
    warm = np.zeros_like(value) if tint is None else tint
    colour = np.stack([value * (1.0 + warm), value, value * (1.0 - 1.3 * warm)], axis=-1)
    colour = np.maximum(colour / colour.mean(), 0.02)
    return np.concatenate([colour, np.full((*value.shape, 1), gloss)], axis=-1).astype(np.float32)


def _asphalt(rng: np.random.Generator) -> Float32Array:
    value = np.exp(0.16 * local(rng, 0.45) + 0.08 * local(rng, 1.1))
    stones = rng.random((SIDE, SIDE)) < 0.05
    value = value * np.where(stones, rng.uniform(1.1, 2.1, (SIDE, SIDE)), 1.0)
    crack = (np.abs(fractal(rng, 1.7)) < 0.018) & (fractal(rng, 1.4) > 0.9)
    return _finish(np.where(crack, 0.5 * value, value), 0.02 * local(rng, 1.0), 0.03)


def _slabs(columns: int, rows: int, shift: float) -> tuple[Float32Array, NDArray[np.intp]]:
    """Gives distance to the nearest joint in texels and the number of the slab, (SIDE, SIDE) each."""
    y, x = np.mgrid[0:SIDE, 0:SIDE].astype(np.float64) + 0.5
    row = np.floor(y * rows / SIDE).astype(np.intp)
    across = x * columns / SIDE + shift * (row % 2)
    column = np.floor(across).astype(np.intp) % columns
    along, down = across % 1.0, (y * rows / SIDE) % 1.0
    wide, high = SIDE / columns, SIDE / rows
    edge = np.minimum(np.minimum(along, 1 - along) * wide, np.minimum(down, 1 - down) * high)
    return edge.astype(np.float32), row * columns + column


def _paving(rng: np.random.Generator) -> Float32Array:
    columns, rows, shift = [(8, 8, 0.0), (8, 16, 0.5), (16, 16, 0.0), (4, 8, 0.5), (16, 32, 0.5), (6, 10, 0.5)][
        int(rng.integers(6))
    ]
    edge, slab = _slabs(columns, rows, shift)
    value = np.exp(0.07 * local(rng, 0.6) + 0.07 * local(rng, 1.2))
    value = value * np.exp(rng.normal(0.0, rng.uniform(0.03, 0.16), columns * rows))[slab]
    joint = np.clip(1.6 - edge, 0.0, 1.0) * (0.6 + 0.12 * local(rng, 0.8))
    tint = rng.normal(0.0, 0.025, columns * rows)[slab] + 0.02 * local(rng, 1.2)
    return _finish(value * (1.0 - rng.uniform(0.35, 0.75) * joint), tint, 0.06)


def _cobbles(rng: np.random.Generator) -> Float32Array:
    side = int(rng.choice([24, 32, 40]))
    edge, stone, bulge = _cells(rng, side, 0.28, 0.5)
    value = np.exp(rng.normal(0.0, 0.2, side * side))[stone] * np.exp(0.1 * local(rng, 0.6))
    shape = np.clip(edge / 0.16, 0.0, 1.0) ** 0.6 * (1.0 - 0.3 * bulge)
    tint = rng.normal(0.0, 0.03, side * side)[stone]
    return _finish(value * (0.28 + 0.72 * shape), tint, 0.08)


def _gravel(rng: np.random.Generator) -> Float32Array:
    side = 160
    edge, stone, bulge = _cells(rng, side, 0.9, 0.0)
    value = np.exp(rng.normal(0.0, 0.22, side * side))[stone] * np.exp(0.1 * local(rng, 1.2))
    shape = np.clip(edge / 0.25, 0.35, 1.0) * (1.0 - 0.3 * bulge)
    return _finish(value * shape, rng.normal(0.0, 0.03, side * side)[stone], 0.0)


def _sand(rng: np.random.Generator) -> Float32Array:
    dents = np.clip(local(rng, 1.25), -2.0, 2.0)
    slope = dents - np.roll(dents, 2, axis=0)
    return _finish(np.exp(0.55 * slope + 0.05 * local(rng, 0.4) + 0.05 * dents), 0.015 * local(rng, 1.2), 0.0)


def _grass(rng: np.random.Generator) -> Float32Array:
    blades = local(rng, 0.45)
    blades = blades + np.roll(blades, 1, axis=0) + 0.7 * np.roll(blades, (2, 1), axis=(0, 1))
    value = np.exp(0.26 * blades / blades.std() + 0.16 * local(rng, 1.2))
    tint = 0.03 * local(rng, 0.8) + 0.03 * local(rng, 1.3)
    earth = np.clip(local(rng, 1.2) - 2.2, 0.0, 0.5)
    return _finish(value * (1.0 - 0.3 * earth), tint + 0.5 * earth, 0.0)


def _tiles(rng: np.random.Generator) -> Float32Array:
    columns, rows = [(8, 8), (12, 12), (5, 10), (16, 16)][int(rng.integers(4))]
    edge, slab = _slabs(columns, rows, 0.0)
    value = np.exp(0.05 * local(rng, 1.3) + rng.normal(0.0, 0.035, columns * rows)[slab] + 0.02 * local(rng, 0.5))
    if rng.random() < 0.35:
        dark = (slab // columns + slab % columns) % 2 == 0
        value = value * np.where(dark, rng.uniform(0.4, 0.9), 1.0)
    joint = np.clip(1.2 - edge, 0.0, 1.0)
    return _finish(value * (1.0 - 0.4 * joint), 0.01 * local(rng, 1.2), 0.6)


def _tartan(rng: np.random.Generator) -> Float32Array:
    value = np.exp(0.14 * local(rng, 0.4) + 0.05 * local(rng, 1.3))
    return _finish(value, 0.03 * local(rng, 1.2), 0.02)


def _cells(
    rng: np.random.Generator, side: int, jitter: float, stagger: float
) -> tuple[Float32Array, NDArray[np.intp], Float32Array]:
    """Gives the cells around side x side jittered points: distance to the border, cell number, distance to its point.

    Distances are in units of a cell, arrays (SIDE, SIDE).
    """
    places = rng.uniform(-0.5, 0.5, (side, side, 2)) * jitter
    y, x = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32) * np.float32(side / SIDE)
    row = np.floor(y).astype(np.intp)
    first = np.full((SIDE, SIDE), np.inf, dtype=np.float32)
    second = first.copy()
    cell = np.zeros((SIDE, SIDE), dtype=np.intp)
    for down in (-1, 0, 1):
        line = row + down
        shift = np.float32(stagger) * (line % 2)
        column = np.floor(x - shift).astype(np.intp)
        for aside in (-1, 0, 1):
            number = (line % side) * side + (column + aside) % side
            place = places.reshape(-1, 2)[number]
            far = np.hypot(column + aside + 0.5 + shift + place[..., 0] - x, line + 0.5 + place[..., 1] - y)
            far = far.astype(np.float32)
            nearer = far < first
            second = np.where(nearer, first, np.minimum(second, far))
            cell = np.where(nearer, number, cell)
            first = np.minimum(first, far)
    return second - first, cell, first


MATERIALS: dict[str, Callable[[np.random.Generator], Float32Array]] = {
    "asphalt": _asphalt,
    "paving": _paving,
    "cobbles": _cobbles,
    "gravel": _gravel,
    "sand": _sand,
    "grass": _grass,
    "tiles": _tiles,
    "tartan": _tartan,
}
