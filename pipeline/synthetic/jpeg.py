"""The frame once more as a JPEG, strip by strip."""

from __future__ import annotations

from typing import BinaryIO

from mili_core.errors import StoreError
from pipeline.frames.vips import vips, vips_reason

QUALITY = 90
"""What cameras write: visible artefacts at the pixel level, none beyond."""


def write_jpeg(tiff: BinaryIO, file: BinaryIO, name: str) -> None:
    """Writes a tiled TIFF as a JPEG; holds a row of tiles at a time.

    Args:
        tiff: complete, on disk as far as other readers of its descriptor can see.
        file: empty.
        name: to call the JPEG in messages.

    Raises:
        StoreError: it cannot be written.
    """
    pyvips = vips()
    tiff.flush()
    tiff.seek(0)
    try:
        source = pyvips.Source.new_from_descriptor(tiff.fileno())
        image = pyvips.Image.new_from_source(source, "", access="sequential")
        target = pyvips.Target.new_to_descriptor(file.fileno())
        image.jpegsave_target(target, Q=QUALITY, subsample_mode="on", keep="none")
    except pyvips.Error as error:
        raise StoreError(f"{name}: cannot be written as JPEG ({vips_reason(error)}); leave --jpeg out") from error
