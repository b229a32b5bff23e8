"""Wrap-around pictures, averaged beforehand along either axis, so that no distance and no slant makes them flicker."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Float32Array = NDArray[np.float32]

MOST_POINTS = 32_000
"""Points that one lookup may hold: OpenCV counts columns in 16 bits."""

_HALF_LEVEL = np.float32(2.0**0.5)
_EXPONENT_ONE = np.int32(127)
_MANTISSA_BITS = np.int32(23)


@dataclass(frozen=True, slots=True, eq=False)
class Texture:
    """A periodic picture of four channels: colour and one more that its painter understands.

    Attributes:
        atlas: uint8 square roots of the values, every pair of averages along x and y side by side.
        width, height: texels of the sharpest picture, powers of two.
        peak: value of a texel of 255.
    """

    atlas: NDArray[np.uint8]
    width: int
    height: int
    peak: float

    def at(self, u: Float32Array, v: Float32Array, du: Float32Array, dv: Float32Array) -> Float32Array:
        """Gives (4, N) float32 values; the same for a point, whatever other points are asked for.

        Args:
            u, v: (N,) coordinates in periods, at most MOST_POINTS.
            du, dv: (N,) extents in periods over which to average: detail below them is gone.
        """
        column, row = _position(u, du, self.width), _position(v, dv, self.height)
        texels = cv2.remap(self.atlas, column[None], row[None], cv2.INTER_LINEAR)[0]
        values = np.ascontiguousarray(texels.T).astype(np.float32)
        values *= values
        values *= np.float32(self.peak / 255.0**2)
        return values


def make_texture(values: Float32Array, peak: float) -> Texture:
    """Gives the texture of a picture.

    Args:
        values: (H, W, 4) float32, not negative; H and W powers of two.
        peak: greater values are cut.
    """
    height, width = values.shape[:2]
    columns = [values]
    while columns[-1].shape[1] > 1:
        columns.append(_halved(columns[-1], 1))
    offsets_x, total_x = _offsets(width)
    offsets_y, total_y = _offsets(height)
    atlas = np.zeros((total_y, total_x, 4), dtype=np.uint8)
    for left, picture in zip(offsets_x, columns, strict=True):
        level = picture
        for top in offsets_y:
            code = np.sqrt(np.clip(level / np.float32(peak), 0.0, 1.0)) * np.float32(255.0) + np.float32(0.5)
            framed = np.pad(code.astype(np.uint8), ((1, 1), (1, 1), (0, 0)), mode="wrap")
            atlas[top : top + framed.shape[0], left : left + framed.shape[1]] = framed
            if level.shape[0] > 1:
                level = _halved(level, 0)
    return Texture(atlas, width, height, peak)


def _halved(picture: Float32Array, axis: int) -> Float32Array:
    even, odd = (picture[0::2], picture[1::2]) if axis == 0 else (picture[:, 0::2], picture[:, 1::2])
    mean: Float32Array = np.float32(0.5) * (even + odd)
    return mean


def _offsets(side: int) -> tuple[list[int], int]:
    """Gives where each average starts along one axis, one texel of frame around each, and the sum."""
    sizes = [side >> level for level in range(side.bit_length())]
    starts = [0]
    for size in sizes:
        starts.append(starts[-1] + size + 2)
    return starts[:-1], starts[-1]


def _position(coordinate: Float32Array, footprint: Float32Array, side: int) -> Float32Array:
    """Gives (N,) places along one axis of the atlas, in the average whose texels are as large as the footprint."""
    depth = side.bit_length() - 1
    wide = np.maximum(footprint * np.float32(side * _HALF_LEVEL), np.float32(1.0))
    # The exponent of a float is its logarithm: exact, and ten times as fast.
    level = np.minimum((wide.view(np.int32) >> _MANTISSA_BITS) - _EXPONENT_ONE, np.int32(depth))
    size = ((_EXPONENT_ONE + np.int32(depth) - level) << _MANTISSA_BITS).view(np.float32)
    place: Float32Array = coordinate - np.floor(coordinate)
    place -= np.float32(2.0)
    place *= size
    place += (level + level).astype(np.float32)
    place += np.float32(2.0 * side + 0.5)
    return place
