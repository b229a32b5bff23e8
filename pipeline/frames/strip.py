"""The unit that readers hand out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Samples of a strip while it is read: small beside a row of shards, large enough for the cost per call to vanish.
STRIP_BYTES = 16 * 2**20

# What a single decoding step may hold where the format leaves no choice (progressive JPEG, interlaced PNG,
# a compressed TIFF of one strip).
WHOLE_DECODE_BYTES = 2**30


@dataclass(frozen=True, slots=True, eq=False)
class Strip:
    """A full-width or full-height part of a frame.

    Attributes:
        x, y: frame px of its first pixel.
        pixels: (h, w, 3) uint8 sRGB, C-contiguous. The buffer is reused: valid until the next strip is asked
            for, so copy what is to be kept.
    """

    x: int
    y: int
    pixels: NDArray[np.uint8]


def strip_rows(width: int, bytes_per_pixel: int) -> int:
    """Gives how many rows of `width` px make a strip of about STRIP_BYTES."""
    return max(1, STRIP_BYTES // (width * bytes_per_pixel))
