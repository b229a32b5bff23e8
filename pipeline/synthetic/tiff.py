"""Tiled BigTIFFs out of tiles that were encoded elsewhere and arrive in any order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, BinaryIO, Literal

import imagecodecs
import numpy as np
import tifffile
from numpy.typing import NDArray

from pipeline.synthetic.layout import Layout

DEFLATE_LEVEL = 1
"""Noise hardly compresses further: level 3 saves 6 % and takes twice the time (libdeflate, rendered tiles)."""

_ROW_AXIS = {"rgb": -2, "minisblack": -1}
"""Along which axis of a tile's array neighbours in a row of pixels lie."""

Photometric = Literal["rgb", "minisblack"]


def encode_tile(pixels: NDArray[Any], photometric: Photometric, shape: tuple[int, int]) -> bytes:
    """Gives the bytes of a tile: horizontal differences, deflated.

    Args:
        pixels: (H, W, 3) or (H, W), no larger than the tile; the rest of it is zero.
        photometric: "rgb" for three channels, "minisblack" for one.
        shape: height and width of the tile, from the layout.
    """
    tile = np.zeros((*shape, *pixels.shape[2:]), dtype=pixels.dtype)
    tile[: pixels.shape[0], : pixels.shape[1]] = pixels
    differences = imagecodecs.delta_encode(tile, axis=_ROW_AXIS[photometric])
    return bytes(imagecodecs.deflate_encode(differences.tobytes(), level=DEFLATE_LEVEL))


def tiles_in_order(layout: Layout, groups: Iterable[tuple[int, tuple[bytes, ...]]]) -> Iterator[bytes]:
    """Gives the encoded tiles of a frame row by row; keeps those that came early.

    Args:
        layout: of the frame.
        groups: number of each group and its tiles, row by row; in any order.
    """
    early: dict[int, tuple[bytes, ...]] = {}
    row = 0
    for group, tiles in groups:
        early[group] = tiles
        while row < layout.groups_down and (members := _row_groups(layout, row)) <= early.keys():
            yield from _row_tiles(layout, {member: early.pop(member) for member in sorted(members)})
            row += 1
    assert row == layout.groups_down, "a group of tiles is missing"


def write_tiff(
    file: BinaryIO,
    name: str,
    layout: Layout,
    tiles: Iterator[bytes],
    dtype: type[np.uint8 | np.uint16],
    photometric: Photometric,
) -> None:
    """Writes a tiled BigTIFF of encoded tiles.

    Args:
        file: empty, seekable.
        name: to call the file in messages.
        layout: of the frame.
        tiles: every tile in order, from `encode_tile`.
        dtype: of the pixels.
        photometric: as the tiles were encoded.
    """
    # Named here, because tifffile cannot name a file that was opened by its descriptor.
    handle = tifffile.FileHandle(file, name=name, offset=0, size=0)
    with tifffile.TiffWriter(handle, bigtiff=True) as writer:
        writer.write(
            tiles,
            shape=(layout.height, layout.width, *((3,) if photometric == "rgb" else ())),
            dtype=dtype,
            tile=layout.tile_shape,
            photometric=photometric,
            compression="zlib",
            predictor=True,
            metadata=None,
            software=False,
        )


def _row_groups(layout: Layout, row: int) -> set[int]:
    return set(range(row * layout.groups_across, (row + 1) * layout.groups_across))


def _row_tiles(layout: Layout, groups: Mapping[int, tuple[bytes, ...]]) -> Iterator[bytes]:
    """Gives the tiles of one row of groups in the order of their numbers."""
    tiles = {
        tile: data
        for group, encoded in groups.items()
        for tile, data in zip(layout.group_tiles(group), encoded, strict=True)
    }
    for tile in sorted(tiles):
        yield tiles.pop(tile)
