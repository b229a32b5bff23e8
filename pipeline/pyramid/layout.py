"""What lies where: a Zarr v3 group with `ome` multiscales metadata and one array per level, "0" being full size.

Axes are c, y, x (the standard wants channels before space), 512 px chunks in 2048 px shards, bit-shuffled LZ4. Levels
follow pipeline.geometry.level_sizes: each halves the one before by area means, odd edges repeated, scale exactly
2**level.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.codecs import BloscCodec

from pipeline.types import FrameRef

CHUNK = 512
SHARD = 2048
FORMAT_VERSION = 1
OME_VERSION = "0.5"

# Measured on photographs, CPU ms per MB written and compression: bit-shuffled LZ4 1.9 and 1.23, zstd level 1 3.0 and
# 1.26, no compression 1.3 and 1. A block is read in 2/3 of zstd's time.
CODEC = BloscCodec(cname="lz4", clevel=1, shuffle="bitshuffle", typesize=1)

UInt8Array = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Source:
    """Which file a pyramid was made from.

    Attributes:
        size: bytes.
        mtime_ns: time of the last change.
        sha256: of the first and last 64 KiB.
    """

    size: int
    mtime_ns: int
    sha256: str


def create_level(group: zarr.Group, level: int, size: tuple[int, int]) -> zarr.Array[Any]:
    """Gives the new array of a level of `size` (width, height), black so far."""
    width, height = size
    return group.create_array(
        str(level),
        shape=(3, height, width),
        dtype=np.uint8,
        chunks=(3, CHUNK, CHUNK),
        shards=(3, SHARD, SHARD),
        compressors=CODEC,
        filters=None,
        fill_value=0,
        dimension_names=("c", "y", "x"),
    )


def group_attributes(ref: FrameRef, source: Source, sizes: Sequence[tuple[int, int]]) -> dict[str, Any]:
    """Gives the OME-Zarr 0.5 metadata and our own: sizes and the source file."""
    datasets = [
        {
            "path": str(level),
            "coordinateTransformations": [
                {"type": "scale", "scale": [1.0, float(2**level), float(2**level)]},
                # OME-Zarr counts from pixel centres: the first pixel of a level is centred within its 2**level square.
                {"type": "translation", "translation": [0.0, (2**level - 1) / 2, (2**level - 1) / 2]},
            ],
        }
        for level in range(len(sizes))
    ]
    multiscale = {
        "name": f"{ref.scene_id}/{ref.frame_id}",
        "axes": [
            {"name": "c", "type": "channel"},
            {"name": "y", "type": "space"},
            {"name": "x", "type": "space"},
        ],
        "datasets": datasets,
        "type": "area mean",
        "metadata": {"description": "means of 2x2 pixels of the level before, rounded; odd edges repeated"},
    }
    window = {"min": 0, "max": 255, "start": 0, "end": 255}
    colours = {"red": "FF0000", "green": "00FF00", "blue": "0000FF"}
    channels = [
        {"label": name, "family": "linear", "color": colour, "window": window, "active": True}
        for name, colour in colours.items()
    ]
    return {
        "ome": {"version": OME_VERSION, "multiscales": [multiscale], "omero": {"channels": channels}},
        "mili": {"format": FORMAT_VERSION, "level_sizes": [list(size) for size in sizes], "source": asdict(source)},
    }


@contextmanager
def fast_codecs() -> Iterator[None]:
    """Makes the arrays that are created or opened inside use the zarrs pipeline (twice as fast), for good."""
    with zarr.config.set({"codec_pipeline.path": "zarrs.ZarrsCodecPipeline"}):
        yield


def as_uint8(image: object) -> UInt8Array:
    """Gives what OpenCV returned, whose type nothing states, as the uint8 array that it is."""
    assert isinstance(image, np.ndarray)
    assert image.dtype == np.uint8
    return image
