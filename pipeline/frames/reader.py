"""One door to all file kinds: what a file holds, and its upright sRGB strips."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

from mili_core.errors import ImageError, MissingFileError
from pipeline.frames.colour import to_srgb
from pipeline.frames.orientation import upright_size, upright_strip
from pipeline.frames.stored import StoredImage
from pipeline.frames.strip import Strip
from pipeline.frames.tiff_reader import open_tiff
from pipeline.frames.vips_reader import open_vips
from pipeline.types import FrameRef

_READERS = {
    b"\xff\xd8\xff": open_vips,
    b"\x89PNG\r\n\x1a\n": open_vips,
    b"II*\0": open_tiff,
    b"MM\0*": open_tiff,
    b"II+\0": open_tiff,
    b"MM\0+": open_tiff,
}


def open_stored(path: Path) -> StoredImage:
    """Gives what the file's header says; the kind is told by the first bytes, not by the name.

    Raises:
        MissingFileError: there is no such file.
        ImageError: the file is empty, of no supported kind, damaged or absurdly large.
    """
    try:
        with path.open("rb") as file:
            head = file.read(8)
    except FileNotFoundError as error:
        raise MissingFileError(f"{path}: no such file") from error
    except OSError as error:
        raise ImageError(f"{path}: cannot be read ({error.strerror})") from error
    if not head:
        raise ImageError(f"{path}: the file is empty; copy it again")
    for magic, reader in _READERS.items():
        if head.startswith(magic):
            return reader(path)
    raise ImageError(f"{path}: not a JPEG, PNG or TIFF picture; convert it to one of these")


def read_strips(ref: FrameRef) -> Generator[Strip]:
    """Gives the frame in strips that tile it, each once, in file order.

    Memory is bounded by a strip (about 16 MiB; a row of tiles in a tiled TIFF), save for formats that force the
    decoder to hold the whole picture: those are read up to 1 GiB and refused beyond. Strips are full-width, from
    the top or, for EXIF orientations 3 and 4, from the bottom; orientations 5 to 8 give full-height strips, from
    the left (5, 8) or from the right (6, 7). A strip's pixels are valid until the next one is asked for.

    Raises:
        MissingFileError: there is no such file.
        ImageError: the file is unusable, or its size is not that of `ref`.
    """
    path = Path(ref.uri)
    stored = open_stored(path)
    size = upright_size(stored.width, stored.height, stored.orientation)
    if size != (ref.width, ref.height):
        raise ImageError(
            f"{path}: is {size[0]}x{size[1]} px, was {ref.width}x{ref.height} when it was listed; start again"
        )
    for row, samples in stored.rows():
        yield upright_strip(to_srgb(samples, stored.space), row, stored.height, stored.orientation)
