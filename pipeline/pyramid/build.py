"""Writes the whole pyramid of a frame, decoding it once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import chain
from pathlib import Path
from typing import Any

import zarr

from pipeline.frames import Strip, read_strips
from pipeline.geometry import level_sizes
from pipeline.pyramid.completeness import shards_on_disk
from pipeline.pyramid.layout import Source, create_level, fast_codecs, group_attributes
from pipeline.pyramid.levels import COLUMNS, ROWS, Axis, LevelWriter
from pipeline.types import FrameRef


def build(ref: FrameRef, source: Source, path: Path) -> None:
    """Writes the whole pyramid of a frame into the new group `path`, decoding it once."""
    sizes = level_sizes(ref.width, ref.height)
    with fast_codecs(), closing(read_strips(ref)) as strips:
        first = next(strips)
        group = zarr.create_group(str(path), attributes=group_attributes(ref, source, sizes))
        arrays = [create_level(group, level, size) for level, size in enumerate(sizes)]
        _write_levels(chain([first], strips), arrays, _axis_of(first, ref), backwards=(first.x, first.y) != (0, 0))
        for level, array in enumerate(arrays):
            shards = shards_on_disk(path, level)
            array.attrs["mili"] = {"complete": True, "shards": shards.count, "bytes": shards.size}


def _write_levels(strips: Iterable[Strip], arrays: Sequence[zarr.Array[Any]], axis: Axis, *, backwards: bool) -> None:
    """Pours the strips of level 0 through all levels."""
    with ThreadPoolExecutor(max_workers=1) as executor:
        writers: list[LevelWriter] = []
        for level, array in reversed(list(enumerate(arrays))):
            writers.append(LevelWriter(array, axis, writers[-1] if writers else None, None if level else executor))
        for strip in strips:
            writers[-1].add(strip.pixels, strip.y if axis == ROWS else strip.x, backwards=backwards)
        for writer in reversed(writers):
            writer.finish()


def _axis_of(strip: Strip, ref: FrameRef) -> Axis:
    """Says along which axis the strips of a frame follow each other."""
    return ROWS if strip.pixels.shape[1] == ref.width else COLUMNS
