"""EXIF orientation, undone strip by strip."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.frames.strip import Strip


@dataclass(frozen=True, slots=True)
class _Upright:
    """How a stored picture becomes upright: transpose first (x <-> y), then mirror."""

    transpose: bool
    flip_x: bool
    flip_y: bool


# EXIF 2.32, tag 0x0112: which side the stored row 0 and column 0 show.
_UPRIGHT = {
    1: _Upright(transpose=False, flip_x=False, flip_y=False),
    2: _Upright(transpose=False, flip_x=True, flip_y=False),
    3: _Upright(transpose=False, flip_x=True, flip_y=True),
    4: _Upright(transpose=False, flip_x=False, flip_y=True),
    5: _Upright(transpose=True, flip_x=False, flip_y=False),
    6: _Upright(transpose=True, flip_x=True, flip_y=False),
    7: _Upright(transpose=True, flip_x=True, flip_y=True),
    8: _Upright(transpose=True, flip_x=False, flip_y=True),
}
_CV2_FLIP = {(True, False): 1, (False, True): 0, (True, True): -1}


def known_orientation(value: int) -> int:
    """Gives the orientation 1..8; values that the standard does not know count as 1 (stored upright)."""
    return value if value in _UPRIGHT else 1


def upright_size(width: int, height: int, orientation: int) -> tuple[int, int]:
    """Gives (width, height) of the upright frame from the stored ones."""
    return (height, width) if _UPRIGHT[orientation].transpose else (width, height)


def upright_strip(pixels: NDArray[np.uint8], row: int, stored_height: int, orientation: int) -> Strip:
    """Gives a strip of the upright frame from full-width stored rows.

    Args:
        pixels: (h, stored width, 3), stored rows `row` .. `row` + h.
        row: first stored row.
        stored_height: rows of the stored picture.
        orientation: EXIF 1..8; 5..8 give vertical strips, 3, 4, 6 and 7 come in descending order.
    """
    how = _UPRIGHT[orientation]
    rows = pixels.shape[0]
    backwards = how.flip_x if how.transpose else how.flip_y
    start = stored_height - row - rows if backwards else row
    if how.transpose:
        pixels = _as_pixels(cv2.transpose(pixels))
    if how.flip_x or how.flip_y:
        pixels = _as_pixels(cv2.flip(pixels, _CV2_FLIP[how.flip_x, how.flip_y]))
    return Strip(start, 0, pixels) if how.transpose else Strip(0, start, pixels)


def _as_pixels(image: object) -> NDArray[np.uint8]:
    assert isinstance(image, np.ndarray)
    return image
