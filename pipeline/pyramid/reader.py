"""An open pyramid: blocks and thumbnails of a frame."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import zarr

from mili_core.errors import StoreError
from pipeline.geometry import level_origin
from pipeline.pyramid.completeness import check_level, read_group
from pipeline.pyramid.layout import UInt8Array, as_uint8, fast_codecs
from pipeline.types import Block


@dataclass(frozen=True, slots=True, eq=False)
class Pyramid:
    """An open pyramid. Cheap to open; several processes may read at once.

    Attributes:
        path: the Zarr group.
        level_sizes: (width, height) of each level, px of the level.
    """

    path: Path
    level_sizes: tuple[tuple[int, int], ...]
    _levels: tuple[zarr.Array[Any], ...]

    @staticmethod
    def open(path: Path | str) -> Pyramid:
        """Gives the pyramid at `path` after checking that each level is complete.

        Raises:
            StoreError: there is none, it is incomplete, damaged or of another version.
        """
        path = Path(path)
        attributes = read_group(path)
        sizes = tuple((int(width), int(height)) for width, height in attributes["level_sizes"])
        for level in range(len(sizes)):
            check_level(path, level)
        with fast_codecs():
            levels = tuple(zarr.open_array(str(path / str(level)), mode="r") for level in range(len(sizes)))
        return Pyramid(path, sizes, levels)

    def read_block(self, block: Block) -> UInt8Array:
        """Gives the (h, w, 3) uint8 sRGB pixels of a block at its own level, C-contiguous.

        Raises:
            StoreError: the block lies outside its level or off its pixels, or a shard is damaged.
        """
        if not 0 <= block.level < len(self._levels):
            raise StoreError(f"block {block.id}: level {block.level} is not in {self.path}; plan the frame anew")
        try:
            x, y = level_origin(block)
        except ValueError as error:
            raise StoreError(f"{error}; plan the frame anew") from error
        width, height = block.grid.raster_width, block.grid.raster_height
        level_width, level_height = self.level_sizes[block.level]
        if x < 0 or y < 0 or x + width > level_width or y + height > level_height:
            raise StoreError(
                f"block {block.id}: {width}x{height} px at ({x}, {y}) leave level {block.level} of {self.path}, "
                f"which has {level_width}x{level_height} px; plan the frame anew"
            )
        return self._read(block.level, x, y, width, height)

    def thumbnail(self, max_side: int) -> tuple[UInt8Array, float]:
        """Gives a small picture of the frame and its scale.

        Args:
            max_side: px of its longer side, >= 1; a smaller frame stays as it is.

        Returns:
            (h, w, 3) uint8 sRGB and thumbnail px per frame px; frame point p lies at p * scale.
        """
        if max_side < 1:
            raise ValueError(f"thumbnail: max_side is {max_side}, expected at least 1")
        width, height = self.level_sizes[0]
        scale = min(1.0, max_side / max(width, height))
        level = max(i for i, size in enumerate(self.level_sizes) if i == 0 or max(size) >= max_side)
        pixels = self._read(level, 0, 0, *self.level_sizes[level])
        if scale == 1.0:
            return pixels, scale
        target = (max(1, round(width * scale)), max(1, round(height * scale)))
        return as_uint8(cv2.resize(pixels, target, interpolation=cv2.INTER_AREA)), scale

    def _read(self, level: int, x: int, y: int, width: int, height: int) -> UInt8Array:
        try:
            planes = np.asarray(self._levels[level][:, y : y + height, x : x + width])
        except (RuntimeError, ValueError, OSError) as error:
            reason = " ".join(str(error).split())
            raise StoreError(
                f"{self.path}: level {level} is damaged ({reason}); build it anew with --overwrite"
            ) from error
        return as_uint8(cv2.merge(list(planes)))
