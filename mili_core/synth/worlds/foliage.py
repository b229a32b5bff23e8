"""Trees and hedges before a wall or the sky, as a texture with a share of cover."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from mili_core.synth.worlds.materials import fractal
from mili_core.synth.worlds.noise import SIDE
from mili_core.synth.worlds.texture import Texture, make_texture

Float32Array = NDArray[np.float32]

VARIANTS = 5
TREES_M = (25.6, 12.8)
"""Length after which the trees repeat, and the height of the picture."""

_TEXELS = (1024, 512)
_GREENS = ((0.045, 0.075, 0.018), (0.075, 0.1, 0.03), (0.03, 0.055, 0.022), (0.12, 0.1, 0.03), (0.055, 0.085, 0.04))
_BARK = np.array([0.05, 0.042, 0.034], dtype=np.float32)


@lru_cache(maxsize=VARIANTS)
def trees(number: int) -> Texture:
    """Gives trees in a row, foot at 0; the last channel is cover. Even numbers close ranks to a wood."""
    rng = np.random.default_rng([number, 506])
    wide, high = _TEXELS
    texel = TREES_M[0] / wide
    v = ((np.arange(high, dtype=np.float32) + 0.5) * np.float32(texel))[:, None]
    ragged = np.tile(fractal(rng, 1.15), (1, wide // SIDE))
    leaves = np.tile(fractal(rng, 0.75), (1, wide // SIDE))
    colour, cover = np.zeros((high, wide, 3), dtype=np.float32), np.zeros((high, wide), dtype=np.float32)
    wood = number % 2 == 0
    count = int(rng.integers(9, 14)) if wood else int(rng.integers(3, 5))
    for tree in range(count):
        centre = (tree + rng.uniform(0.2, 0.8)) * TREES_M[0] / count
        size = np.array([rng.uniform(1.7, 3.0), rng.uniform(1.8, 3.2)]) * (1.1 if wood else 0.9)
        middle = rng.uniform(3.5, 7.5) if wood else rng.uniform(4.8, 7.5)
        # Only the columns that a ragged crown can reach.
        near = (round(centre / texel) + np.arange(-round(1.7 * size[0] / texel), round(1.7 * size[0] / texel))) % wide
        aside = ((np.arange(len(near)) - len(near) // 2) * texel).astype(np.float32)
        rough, fine, part, share = ragged[:, near], leaves[:, near], colour[:, near], cover[:, near]
        up = (v - np.float32(middle)) / np.float32(size[1])
        trunk = (np.abs(aside - 0.12 * np.sin(v + tree)) < 0.16 * (1.2 - v / 14.0)) & (v < middle)
        _over(part, share, np.float32(rng.uniform(0.6, 1.8)) * _BARK, trunk.astype(np.float32))
        body = np.float32(1.0) - (aside / np.float32(size[0])) ** 2 - up**2
        body += np.float32(0.42) * rough + np.float32(0.16) * fine
        green = np.array(_GREENS[int(rng.integers(len(_GREENS)))], dtype=np.float32) * np.float32(rng.uniform(0.7, 1.5))
        # Crowns are lit from above and dark below and inside.
        lit = np.exp(np.float32(0.45) * fine + np.float32(0.3) * rough + np.float32(0.35) * np.clip(up, -1.2, 1.2))
        _over(part, share, green * lit[..., None], np.clip((body - np.float32(0.1)) * np.float32(4.0), 0.0, 1.0))
        colour[:, near], cover[:, near] = part, share
    if wood or rng.random() < 0.5:
        top = rng.uniform(0.8, 2.4) + 0.35 * ragged
        green = np.array(_GREENS[int(rng.integers(len(_GREENS)))], dtype=np.float32)
        hedge = green * np.exp(np.float32(0.5) * leaves - np.float32(0.3) + np.float32(0.25) * v)[..., None]
        _over(colour, cover, hedge, np.clip((top - v) * 4.0, 0.0, 1.0))
    # Colours are weighed by cover, so that averages of a leaf and a gap keep the leaf's colour.
    colour *= cover[..., None]
    picture = np.concatenate([colour, cover[..., None]], axis=-1)
    return make_texture(np.clip(picture, 0.0, 1.0).astype(np.float32), 1.0)


def _over(colour: Float32Array, cover: Float32Array, other: Float32Array, share: Float32Array) -> None:
    """Lays a colour over (H, W, 3) and its cover (H, W) by shares, in place."""
    colour += (other - colour) * share[..., None]
    cover += (1.0 - cover) * share
