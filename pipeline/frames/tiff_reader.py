"""TIFF and BigTIFF through tifffile, segment by segment; the first page of the file is the frame."""

from __future__ import annotations

import logging
import math
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from mili_core.errors import ImageError
from pipeline.frames.colour import COLOURS, Alpha, ColourSpace, Model
from pipeline.frames.focal import told_focal
from pipeline.frames.orientation import known_orientation
from pipeline.frames.stored import FocalTags, Rows, StoredImage, check_size, check_whole_decode
from pipeline.frames.strip import strip_rows

_NONE, _JPEG = 1, 7
COMPRESSIONS = {_NONE: "none", 5: "LZW", _JPEG: "JPEG", 8: "deflate", 32946: "deflate", 50000: "zstd"}
_MODELS: dict[int, Model] = {0: "inverted grey", 1: "grey", 2: "rgb", 3: "palette", 5: "cmyk", 6: "rgb"}
_YCBCR = 6
_ALPHAS: dict[int, Alpha] = {1: "premultiplied", 2: "straight"}
_ICC_PROFILE, _ORIENTATION, _EXIF = 34675, 274, 34665

# What tifffile and its codecs raise on damaged files.
_DAMAGE = (
    RuntimeError, ValueError, OSError, EOFError, LookupError, ArithmeticError, TypeError, AttributeError, struct.error
)  # fmt: skip

# Silence: tifffile logs oddities of a file that are either harmless or an ImageError here.
logging.getLogger("tifffile").addHandler(logging.NullHandler())


@dataclass(frozen=True, slots=True)
class _Layout:
    """How the page is cut: `down` x `across` segments of segment_height x segment_width px in each of `planes`."""

    width: int
    height: int
    bands: int
    planes: int
    segment_width: int
    segment_height: int
    dtype: np.dtype[Any]

    @property
    def across(self) -> int:
        """Segments in a row."""
        return -(-self.width // self.segment_width)

    @property
    def down(self) -> int:
        """Segments in a column."""
        return -(-self.height // self.segment_height)

    @property
    def bands_per_plane(self) -> int:
        """Channels that lie together."""
        return self.bands // self.planes

    @property
    def row_bytes(self) -> int:
        """Bytes of one decoded row of the frame."""
        return self.width * self.bands * self.dtype.itemsize

    def index(self, plane: int, down: int, across: int) -> int:
        """Gives the position of a segment in the file's tables."""
        return (plane * self.down + down) * self.across + across


def open_tiff(path: Path) -> StoredImage:
    """Gives what the first page of a TIFF says, after checking that all its segments are in the file.

    Raises:
        ImageError: the file is truncated, damaged, of an unsupported kind, or needs more memory than is allowed.
    """
    with _first_page(path) as page:
        check_size(path, page.imagewidth, page.imagelength)
        _check_kind(path, page)
        layout = _layout(page)
        _check_memory(path, page, layout)
        _check_segments(path, page, layout)
        focal_px, focal_doubt = told_focal(_focal_tags(page), layout.width, layout.height)
        return StoredImage(
            width=layout.width,
            height=layout.height,
            orientation=known_orientation(int(_tag(page, _ORIENTATION) or 1)),
            focal_px=focal_px,
            focal_doubt=focal_doubt,
            space=_colour_space(page),
            rows=partial(_rows, path),
        )


@contextmanager
def _first_page(path: Path) -> Iterator[Any]:
    """Opens the file; whatever the library stumbles over inside the block is one ImageError."""
    try:
        with tifffile.TiffFile(path) as tif:
            yield tif.pages[0]
    except ImageError:
        raise
    except _DAMAGE as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ImageError(f"{path}: truncated or damaged TIFF ({reason}); copy the file again") from error


def _check_kind(path: Path, page: Any) -> None:  # noqa: ANN401 - tifffile's pages are of several types
    compression, photometric = int(page.compression), int(page.photometric)
    if compression not in COMPRESSIONS:
        known = ", ".join(dict.fromkeys(COMPRESSIONS.values()))
        name = getattr(page.compression, "name", compression)
        raise ImageError(f"{path}: TIFF compression {name} is not read; save it with one of {known}")
    if photometric not in _MODELS or (photometric == _YCBCR and compression != _JPEG):
        name = getattr(page.photometric, "name", photometric)
        raise ImageError(f"{path}: TIFF colour model {name} is not read; save it as RGB")
    if page.sampleformat != 1 or page.bitspersample not in (8, 16):
        raise ImageError(
            f"{path}: TIFF samples of {page.bitspersample} bits, format {page.sampleformat}, are not read; "
            "save it with 8 or 16 unsigned bits a channel"
        )
    if page.imagedepth != 1 or page.samplesperpixel < COLOURS[_MODELS[photometric]]:
        raise ImageError(
            f"{path}: TIFF of depth {page.imagedepth} with {page.samplesperpixel} channels is not a picture; "
            "save it as one RGB page"
        )


def _layout(page: Any) -> _Layout:  # noqa: ANN401 - tifffile's pages are of several types
    tiled = bool(page.is_tiled)
    return _Layout(
        width=page.imagewidth,
        height=page.imagelength,
        bands=page.samplesperpixel,
        planes=page.samplesperpixel if int(page.planarconfig) == 2 else 1,
        segment_width=page.tilewidth if tiled else page.imagewidth,
        segment_height=page.tilelength if tiled else min(page.rowsperstrip or page.imagelength, page.imagelength),
        dtype=np.dtype(np.uint8 if page.bitspersample == 8 else np.uint16),
    )


def _is_raw(page: Any) -> bool:  # noqa: ANN401 - tifffile's pages are of several types
    """Says whether rows lie in the file as they are, so that any of them can be read alone."""
    return int(page.compression) == _NONE and not page.is_tiled and page.predictor == 1 and page.fillorder == 1


def _check_memory(path: Path, page: Any, layout: _Layout) -> None:  # noqa: ANN401 - see _layout
    if _is_raw(page):
        return
    needed = layout.row_bytes * layout.segment_height
    rows = f"a TIFF in {COMPRESSIONS[int(page.compression)]} segments of {layout.segment_height} rows"
    remedy = "save it tiled, for example: vips tiffsave IN OUT --tile --compression deflate --bigtiff"
    check_whole_decode(path, needed, rows, remedy)


def _check_segments(path: Path, page: Any, layout: _Layout) -> None:  # noqa: ANN401 - see _layout
    expected = layout.planes * layout.down * layout.across
    offsets, counts = page.dataoffsets, page.databytecounts
    if len(offsets) < expected or len(counts) < expected:
        raise ImageError(f"{path}: TIFF lists {len(offsets)} of {expected} segments; copy the file again")
    size = path.stat().st_size
    for index, (offset, count) in enumerate(zip(offsets[:expected], counts[:expected], strict=True)):
        if offset <= 0 or count <= 0:
            raise ImageError(f"{path}: TIFF segment {index} is empty (sparse file); fill it before use")
        if offset + count > size:
            raise ImageError(
                f"{path}: truncated: TIFF segment {index} ends at byte {offset + count}, the file has {size}; "
                "copy the file again"
            )
        rows = min(layout.segment_height, layout.height - index // layout.across % layout.down * layout.segment_height)
        if _is_raw(page) and count < rows * layout.row_bytes // layout.planes:
            raise ImageError(f"{path}: TIFF strip {index} has {count} bytes, too few; copy the file again")


def _rows(path: Path) -> Rows:
    with _first_page(path) as page:
        layout = _layout(page)
        read = _raw_rows if _is_raw(page) else _decoded_rows
        yield from read(path, page, layout)


def _raw_rows(path: Path, page: Any, layout: _Layout) -> Rows:  # noqa: ANN401, ARG001 - see _layout; like _decoded_rows
    """Reads rows straight from the file, never across the end of a TIFF strip."""
    file = page.parent.filehandle
    stored = layout.dtype.newbyteorder(page.parent.byteorder)
    step = strip_rows(layout.width, layout.bands * layout.dtype.itemsize)
    plane_row_bytes = layout.row_bytes // layout.planes
    for down in range(layout.down):
        first = down * layout.segment_height
        stop = min(first + layout.segment_height, layout.height)
        for row in range(first, stop, step):
            count = min(step, stop - row)
            planes = []
            for plane in range(layout.planes):
                file.seek(page.dataoffsets[layout.index(plane, down, 0)] + (row - first) * plane_row_bytes)
                samples = np.frombuffer(file.read(count * plane_row_bytes), dtype=stored)
                planes.append(samples.reshape(count, layout.width, layout.bands_per_plane))
            together = planes[0] if layout.planes == 1 else np.concatenate(planes, axis=2)
            yield row, together.astype(layout.dtype, copy=False)


def _decoded_rows(path: Path, page: Any, layout: _Layout) -> Rows:  # noqa: ANN401 - see _layout
    """Decodes whole rows of segments, several at a time where they are low."""
    together = max(1, strip_rows(layout.width, layout.bands * layout.dtype.itemsize) // layout.segment_height)
    height = min(together * layout.segment_height, layout.height)
    strip = np.empty((height, layout.width, layout.bands), dtype=layout.dtype)
    for first_down in range(0, layout.down, together):
        top = first_down * layout.segment_height
        bottom = min(top + together * layout.segment_height, layout.height)
        rows = strip[: bottom - top]
        for down in range(first_down, min(first_down + together, layout.down)):
            for plane in range(layout.planes):
                for across in range(layout.across):
                    segment = _segment(path, page, layout.index(plane, down, across))
                    _place(rows, segment, layout, (plane, down, across), top)
        yield top, rows


def _place(rows: NDArray[Any], segment: NDArray[Any], layout: _Layout, where: tuple[int, int, int], top: int) -> None:
    """Copies a decoded segment, cropped to the frame, into rows that start at frame row `top`."""
    plane, down, across = where
    y0, x0 = down * layout.segment_height - top, across * layout.segment_width
    y1 = min(y0 + layout.segment_height, rows.shape[0])
    x1 = min(x0 + layout.segment_width, layout.width)
    bands = slice(plane * layout.bands_per_plane, (plane + 1) * layout.bands_per_plane)
    rows[y0:y1, x0:x1, bands] = segment[: y1 - y0, : x1 - x0]


def _segment(path: Path, page: Any, index: int) -> NDArray[Any]:  # noqa: ANN401 - see _layout
    """Gives the decoded (h, w, bands of the plane) of one segment."""
    file = page.parent.filehandle
    file.seek(page.dataoffsets[index])
    data = file.read(page.databytecounts[index])
    # libjpeg fills what is missing with grey and does not complain, so the end marker is looked for.
    if int(page.compression) == _JPEG and not data.rstrip(b"\0").endswith(b"\xff\xd9"):
        raise ImageError(f"{path}: JPEG segment {index} of the TIFF is truncated; copy the file again")
    decoded = page.decode(data, index, jpegtables=page.jpegtables)[0]
    if decoded is None:
        raise ImageError(f"{path}: TIFF segment {index} is empty; copy the file again")
    segment: NDArray[Any] = np.asarray(decoded)[0]
    return segment


def _colour_space(page: Any) -> ColourSpace:  # noqa: ANN401 - see _layout
    model = _MODELS[int(page.photometric)]
    palette = None
    if model == "palette":
        palette = (np.asarray(page.colormap, dtype=np.uint16).T >> 8).astype(np.uint8)
    alpha: Alpha = "none"
    if page.samplesperpixel > COLOURS[model] and page.extrasamples:
        alpha = _ALPHAS.get(int(page.extrasamples[0]), "none")
    profile = _tag(page, _ICC_PROFILE)
    return ColourSpace(model, alpha, bytes(profile) if profile else None, palette)


def _focal_tags(page: Any) -> FocalTags:  # noqa: ANN401 - see _layout
    exif = _tag(page, _EXIF)
    if not isinstance(exif, dict):
        return FocalTags()
    return FocalTags(
        film_mm=_as_told(exif.get("FocalLengthIn35mmFilm")),
        focal_mm=_as_told(exif.get("FocalLength")),
        plane_resolution=_number(exif.get("FocalPlaneXResolution")),
        plane_unit=_number(exif.get("FocalPlaneResolutionUnit")),
        pixel_width=_number(exif.get("PixelXDimension")),
        pixel_height=_number(exif.get("PixelYDimension")),
    )


def _number(value: object) -> float | None:
    """Gives a positive number from a tag, which may be a (numerator, denominator) pair, or None."""
    number = _as_told(value)
    return number if number is not None and number > 0.0 else None


def _as_told(value: object) -> float | None:
    """Gives a number from a tag, which may be a (numerator, denominator) pair: NaN over 0, None if it is none."""
    if isinstance(value, tuple) and len(value) == 2:
        value = value[0] / value[1] if value[1] else math.nan
    return float(value) if isinstance(value, int | float) else None


def _tag(page: Any, code: int) -> Any:  # noqa: ANN401 - a tag's value may be of any type
    tag = page.tags.get(code)
    return None if tag is None else tag.value
