"""Painters of walls and roofs from one repeating texture, and of rows of trees."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mili_core.synth.worlds.foliage import TREES_M
from mili_core.synth.worlds.materials import clouds, grain
from mili_core.synth.worlds.surface import Surface
from mili_core.synth.worlds.texture import Texture

Float32Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Panel:
    """One texture over and over.

    Attributes:
        texture: look; its last channel is how much of `sky` it mirrors.
        size: (2,) metres after which it repeats, along and up.
        start_m: where along the wall it begins.
        foot_m: height at which it begins.
        light: (3,) float32 linear light on it.
        sky: (3,) float32 linear light that it mirrors.
        wear: strength of smears.
        fold_m: above the texture's top only what is above this height repeats; 0 repeats all of it.
    """

    texture: Texture
    size: tuple[float, float]
    start_m: float
    foot_m: float
    light: Float32Array
    sky: Float32Array
    wear: float
    fold_m: float = 0.0

    def paint(self, surface: Surface) -> Float32Array:
        """Gives (3, N) float32 linear light."""
        along, up = np.float32(1.0 / self.size[0]), np.float32(1.0 / self.size[1])
        height = surface.v - np.float32(self.foot_m)
        if self.fold_m > 0:
            step = np.float32(self.size[1] - self.fold_m)
            height = height - np.maximum(np.floor((height - np.float32(self.fold_m)) / step), 0) * step
        texels = self.texture.at(
            (surface.u - np.float32(self.start_m)) * along,
            height * up,
            surface.du * along,
            surface.dv * up,
        )
        smears = clouds().at(surface.u / 19.0, surface.v / 15.0, surface.du / 19.0, surface.dv / 15.0)
        rough = grain().at(surface.u / 1.3, surface.v / 1.3, surface.du / 1.3, surface.dv / 1.3)[1]
        wear = (np.float32(1.0) + np.float32(2.0 * self.wear) * (smears[1] - np.float32(0.5))) * rough
        gloss = texels[3] * (np.float32(0.3) + np.float32(1.4) * smears[0])
        colour: Float32Array = texels[:3]
        for channel in range(3):
            colour[channel] *= wear * self.light[channel]
            colour[channel] += gloss * self.sky[channel]
        return colour


@dataclass(frozen=True, slots=True, eq=False)
class Trees:
    """Trees in a row, with gaps: the painter of a sparse wall.

    Attributes:
        texture: from `trees`.
        start_m: where along the wall they begin.
        scale: size of the trees, 1 as drawn.
        light: (3,) float32 linear light on leaves.
    """

    texture: Texture
    start_m: float
    scale: float
    light: Float32Array

    def paint(self, surface: Surface) -> Float32Array:
        """Gives (4, N) float32: linear light times cover, and the cover."""
        along, up = np.float32(1.0 / (TREES_M[0] * self.scale)), np.float32(1.0 / (TREES_M[1] * self.scale))
        u = (surface.u - np.float32(self.start_m)) * along
        texels = self.texture.at(u, surface.v * up, surface.du * along, surface.dv * up)
        leaves = grain().at(surface.u / 1.1, surface.v / 1.1, surface.du / 1.1, surface.dv / 1.1)
        rough = leaves[1] * leaves[3]
        for channel in range(3):
            texels[channel] *= rough * self.light[channel]
        return texels
