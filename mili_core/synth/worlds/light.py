"""The light of a scene: sun, sky, what the ground throws back, and haze."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Float32Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Light:
    """World axes as in SceneCamera (x right, y down, z ahead).

    Attributes:
        sun: (3,) float64 unit vector towards the sun, above the horizon.
        sun_light: (3,) float32 linear intensity on a surface that faces the sun.
        sky_light: (3,) float32 linear intensity from above.
        bounce_light: (3,) float32 linear intensity from below.
        haze: (3,) float32 linear colour of haze.
        haze_m: distance at which haze has taken two thirds of the contrast.
    """

    sun: NDArray[np.float64]
    sun_light: Float32Array
    sky_light: Float32Array
    bounce_light: Float32Array
    haze: Float32Array
    haze_m: float

    def through_haze(self, light: Float32Array, distance_m: Float32Array) -> Float32Array:
        """Gives what is left of light (N, 3) over distances (N,)."""
        clear = np.exp(-distance_m / np.float32(self.haze_m))[:, None]
        hazy: Float32Array = light * clear + self.haze * (np.float32(1.0) - clear)
        return hazy
