"""Phases of waves that run through the rest pose."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mili_core.synth.wardrobe.look import Float32Array


def phases(points: NDArray[np.floating], directions: Float32Array) -> Float32Array:
    """Gives (N, K) float32 products of points (N, 3) with K directions (K, 3), radians.

    Written out, since a library's matrix product may differ in the last bit with the number of its threads.
    """
    x, y, z = points[:, 0:1], points[:, 1:2], points[:, 2:3]
    summed: Float32Array = (x * directions[:, 0] + y * directions[:, 1] + z * directions[:, 2]).astype(np.float32)
    return summed
