"""What a reader knows of a file before it decodes a pixel."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mili_core.errors import ImageError
from pipeline.frames.colour import ColourSpace
from pipeline.frames.strip import WHOLE_DECODE_BYTES

# Larger headers are damaged or hostile: the largest stitched panoramas have about 1 GPix at under 100,000 px a side.
MAX_SIDE = 2**20
MAX_PIXELS = 4 * 10**9

# The diagonal of the 36 x 24 mm film frame that "35 mm equivalent" refers to (CIPA DCG-001).
FILM_DIAGONAL_MM = math.hypot(36.0, 24.0)

# EXIF FocalPlaneResolutionUnit: millimetres per unit. 1 (no unit) is read as inches, as cameras mean it.
MM_PER_UNIT: dict[float, float] = {1: 25.4, 2: 25.4, 3: 10.0, 4: 1.0, 5: 0.001}

Rows = Iterator[tuple[int, NDArray[np.uint8] | NDArray[np.uint16]]]


@dataclass(frozen=True, slots=True, eq=False)
class StoredImage:
    """A picture as it lies in its file, not yet upright.

    Attributes:
        width, height: stored px.
        orientation: EXIF 1..8.
        focal_px: focal length in px from the metadata, or None.
        focal_doubt: why what the metadata tells is no focal length of this picture, else "".
        space: how its samples become sRGB.
        rows: opens the file and gives (first row, samples (h, width, bands)) from the top down.
    """

    width: int
    height: int
    orientation: int
    focal_px: float | None
    focal_doubt: str
    space: ColourSpace
    rows: Callable[[], Rows]


@dataclass(frozen=True, slots=True)
class FocalTags:
    """EXIF values that bear on the focal length; None where a tag is absent.

    Attributes:
        film_mm: FocalLengthIn35mmFilm, as told: 0, below it or NaN are possible.
        focal_mm: FocalLength, likewise.
        plane_resolution: FocalPlaneXResolution, px per unit.
        plane_unit: FocalPlaneResolutionUnit.
        pixel_width: PixelXDimension, the width that plane_resolution counts in.
        pixel_height: PixelYDimension.
    """

    film_mm: float | None = None
    focal_mm: float | None = None
    plane_resolution: float | None = None
    plane_unit: float | None = None
    pixel_width: float | None = None
    pixel_height: float | None = None


def focal_px(tags: FocalTags, width: int, height: int) -> float | None:
    """Gives the focal length in px of a stored picture (width x height), or None if the tags do not say."""
    if tags.film_mm and 0.0 < tags.film_mm < math.inf:
        return tags.film_mm * math.hypot(width, height) / FILM_DIAGONAL_MM
    if tags.focal_mm and 0.0 < tags.focal_mm < math.inf and tags.plane_resolution:
        px_per_mm = tags.plane_resolution / MM_PER_UNIT.get(tags.plane_unit or 2, 25.4)
        return tags.focal_mm * px_per_mm * _resized(tags, width, height)
    return None


def _resized(tags: FocalTags, width: int, height: int) -> float:
    """Gives how much larger a picture is than its shot; turned by 90 degrees it is no larger."""
    if tags.pixel_width and tags.pixel_height:
        return max(width, height) / max(tags.pixel_width, tags.pixel_height)
    return width / tags.pixel_width if tags.pixel_width else 1.0


def check_size(path: Path, width: int, height: int) -> None:
    """Refuses a header that promises no pixels or absurdly many.

    Raises:
        ImageError: names the file and the size.
    """
    if width < 1 or height < 1:
        raise ImageError(f"{path}: the header says {width}x{height} px; the file is damaged")
    if max(width, height) > MAX_SIDE or width * height > MAX_PIXELS:
        raise ImageError(
            f"{path}: the header says {width}x{height} px; at most {MAX_SIDE} px a side and "
            f"{MAX_PIXELS // 10**9} GPix are read. Cut the picture, or check that the file is not damaged"
        )


def check_whole_decode(path: Path, needed_bytes: int, kind: str, remedy: str) -> None:
    """Refuses a file whose format makes the decoder hold (nearly) all of it, if that is too much.

    Raises:
        ImageError: names the bytes needed and how to save the file instead.
    """
    if needed_bytes > WHOLE_DECODE_BYTES:
        raise ImageError(
            f"{path}: {kind} needs {needed_bytes} bytes to decode, more than the {WHOLE_DECODE_BYTES} allowed; {remedy}"
        )
