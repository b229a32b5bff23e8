"""Morton (Z-order) codes: points that lie close together get ranks that are mostly close together."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipeline.types import Float64Array

UInt64Array = NDArray[np.uint64]

_LARGEST = 2**32 - 1
# Each step doubles the gaps between groups of bits: 16, 8, 4, 2, 1 zeros between what was together.
_SPREAD = (
    (16, 0x0000FFFF0000FFFF),
    (8, 0x00FF00FF00FF00FF),
    (4, 0x0F0F0F0F0F0F0F0F),
    (2, 0x3333333333333333),
    (1, 0x5555555555555555),
)


def morton_codes(points_frame: Float64Array) -> UInt64Array:
    """Gives the Morton code (N,) of the whole pixel that each point lies in: bits of x even, bits of y odd.

    Args:
        points_frame: (N, 2) x, y; what lies outside 0..2**32 counts as the nearest pixel inside.
    """
    pixels = np.clip(np.floor(points_frame), 0, _LARGEST).astype(np.uint64)
    return _spread(pixels[:, 0]) | (_spread(pixels[:, 1]) << np.uint64(1))


def _spread(values: UInt64Array) -> UInt64Array:
    """Gives numbers below 2**32 with a zero bit put after each of their bits."""
    spread = values
    for shift, mask in _SPREAD:
        spread = (spread | (spread << np.uint64(shift))) & np.uint64(mask)
    return spread
