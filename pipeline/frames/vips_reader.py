"""JPEG and PNG through libvips, row by row."""

from __future__ import annotations

import math
import re
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from mili_core.errors import ImageError
from pipeline.frames.colour import Alpha, ColourSpace, Model
from pipeline.frames.focal import told_focal
from pipeline.frames.orientation import known_orientation
from pipeline.frames.stored import FocalTags, Rows, StoredImage, check_size, check_whole_decode
from pipeline.frames.strip import strip_rows
from pipeline.frames.vips import vips, vips_reason

# libvips allocates what it hands out. In pieces this small malloc keeps reusing the same pages; in larger ones
# (MiB) it gives them back to the system each time, and faulting them in again takes longer than decoding.
FETCH_BYTES = 2**19

_DTYPE = {"uchar": np.uint8, "ushort": np.uint16}


def open_vips(path: Path) -> StoredImage:
    """Gives what the header of a JPEG or PNG says.

    Raises:
        ImageError: the header is damaged, absurd, or asks for more memory than is allowed.
    """
    image = _open(path)
    check_size(path, image.width, image.height)
    if image.format not in _DTYPE:
        raise ImageError(f"{path}: samples of type {image.format} are not read; save it with 8 or 16 bits a channel")
    _check_decoder_memory(path, image)
    focal_px, focal_doubt = told_focal(_focal_tags(image), image.width, image.height)
    return StoredImage(
        width=image.width,
        height=image.height,
        orientation=known_orientation(int(_field(image, "orientation", 1))),
        focal_px=focal_px,
        focal_doubt=focal_doubt,
        space=_colour_space(image),
        rows=partial(_rows, path),
    )


def _open(path: Path) -> Any:  # noqa: ANN401 - pyvips is untyped
    try:
        return vips().Image.new_from_file(str(path), access="sequential", fail_on="warning")
    except vips().Error as error:
        raise ImageError(f"{path}: the header cannot be read ({vips_reason(error)}); copy the file again") from error


def _rows(path: Path) -> Rows:
    image = _open(path)
    region = vips().Region.new(image)
    dtype = np.dtype(_DTYPE[image.format])
    row_shape = (image.width, image.bands)
    row_bytes = image.width * image.bands * dtype.itemsize
    step = strip_rows(image.width, image.bands * dtype.itemsize)
    fetched = max(1, FETCH_BYTES // row_bytes)
    strip = np.empty((min(step, image.height), *row_shape), dtype=dtype)
    for top in range(0, image.height, step):
        bottom = min(top + step, image.height)
        for row in range(top, bottom, fetched):
            count = min(fetched, bottom - row)
            try:
                buffer = region.fetch(0, row, image.width, count)
            except vips().Error as error:
                raise ImageError(
                    f"{path}: truncated or damaged near row {row} of {image.height} ({vips_reason(error)}); "
                    "copy the file again"
                ) from error
            strip[row - top : row - top + count] = np.frombuffer(buffer, dtype=dtype).reshape(count, *row_shape)
        yield top, strip[: bottom - top]


def _colour_space(image: Any) -> ColourSpace:  # noqa: ANN401 - pyvips is untyped
    profile = _field(image, "icc-profile-data", None)
    model: Model = "cmyk" if image.interpretation == "cmyk" else "grey" if image.bands < 3 else "rgb"
    alpha: Alpha = "straight" if image.bands == {"cmyk": 5, "grey": 2, "rgb": 4}[model] else "none"
    return ColourSpace(model, alpha, bytes(profile) if profile is not None else None)


def _check_decoder_memory(path: Path, image: Any) -> None:  # noqa: ANN401 - pyvips is untyped
    """Refuses what libjpeg or libpng can only decode by holding the whole picture, if that is too large."""
    pixels = image.width * image.height
    if _field(image, "jpeg-multiscan", 0):
        # One 16-bit coefficient per sample; with 4:2:0 both chroma planes together are half a luma plane.
        samples = 1.5 if _field(image, "jpeg-chroma-subsample", "") == "4:2:0" else image.bands
        needed = int(2 * samples * pixels)
        check_whole_decode(path, needed, "a progressive JPEG", "save it as a baseline JPEG or a tiled TIFF")
    elif _field(image, "interlaced", 0):
        needed = pixels * image.bands * np.dtype(_DTYPE[image.format]).itemsize
        check_whole_decode(path, needed, "an interlaced PNG", "save it without interlacing or as a tiled TIFF")


def _focal_tags(image: Any) -> FocalTags:  # noqa: ANN401 - pyvips is untyped
    return FocalTags(
        film_mm=_exif_number(image, "FocalLengthIn35mmFilm"),
        focal_mm=_exif_number(image, "FocalLength"),
        plane_resolution=_positive(_exif_number(image, "FocalPlaneXResolution")),
        plane_unit=_positive(_exif_number(image, "FocalPlaneResolutionUnit")),
        pixel_width=_positive(_exif_number(image, "PixelXDimension")),
        pixel_height=_positive(_exif_number(image, "PixelYDimension")),
    )


def _exif_number(image: Any, tag: str) -> float | None:  # noqa: ANN401 - pyvips is untyped
    """Gives an EXIF number, which libvips writes like "35/1 (35.0 mm, Rational, ...)": NaN over 0, None if absent."""
    match = re.match(r"(-?\d+)(?:/(-?\d+))?", str(_field(image, f"exif-ifd2-{tag}", "")))
    if match is None:
        return None
    below = int(match[2] or 1)
    return int(match[1]) / below if below else math.nan


def _positive(value: float | None) -> float | None:
    return value if value is not None and value > 0.0 else None


def _field(image: Any, name: str, default: Any) -> Any:  # noqa: ANN401 - a metadata field may be of any type
    return image.get(name) if image.get_typeof(name) else default
