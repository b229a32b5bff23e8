"""Rows of a level become full shards, and their halves the rows of the next level."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from itertools import pairwise
from typing import Any, Literal

import cv2
import numpy as np
import zarr

from mili_core.errors import StoreError
from pipeline.pyramid import layout
from pipeline.pyramid.layout import UInt8Array, as_uint8

Axis = Literal[1, 2]
ROWS: Axis = 1
COLUMNS: Axis = 2


class LevelWriter:
    """Collects one row (or column) of shards, writes it when it is full, and feeds the next level.

    Shards come in one order along the axis, forwards or backwards, and each is written exactly once. With an
    executor of one thread, writing overlaps with collecting: a second buffer is filled meanwhile.
    """

    def __init__(
        self,
        array: zarr.Array[Any],
        axis: Axis,
        next_level: LevelWriter | None,
        executor: ThreadPoolExecutor | None = None,
    ) -> None:
        self._array = array
        self._executor = executor
        self._axis = axis
        self._next = next_level
        self._length = int(array.shape[axis])
        shape = [int(side) for side in array.shape]
        shape[axis] = min(layout.SHARD, self._length)
        self._buffer = np.empty(shape, dtype=np.uint8)
        self._spare = np.empty(shape if executor else 0, dtype=np.uint8)
        self._writing: Future[None] | None = None
        self._shard = -1
        self._filled = 0
        self._written = 0

    def add(self, pixels: UInt8Array, start: int, *, backwards: bool) -> None:
        """Takes full-width rows (or full-height columns) of the level, (h, w, 3), from row `start` on."""
        for first, stop in _pieces(start, pixels.shape[self._axis - 1], backwards=backwards):
            piece = pixels[first:stop] if self._axis == ROWS else pixels[:, first:stop]
            for channel, plane in enumerate(self.reserve(start + first, stop - first)):
                _in_place(cv2.extractChannel(piece, channel, plane), plane)
            self.commit(stop - first)

    def finish(self) -> None:
        """Waits for the last shard and checks that every one was written."""
        self._wait()
        assert self._written == self._length, f"{self._written} of {self._length} rows were written"

    def reserve(self, start: int, count: int) -> UInt8Array:
        """Gives the (3, h, w) part of the buffer that holds `count` rows from `start`, all of one shard."""
        shard, first = divmod(start, layout.SHARD)
        assert self._filled == 0 or shard == self._shard, "a shard was left before it was full"
        self._shard = shard
        return self._buffer[_region(self._axis, first, first + count)]

    def commit(self, count: int) -> None:
        """Counts rows that were put where `reserve` said; a full shard is written and passed on."""
        self._filled += count
        start = self._shard * layout.SHARD
        extent = min(layout.SHARD, self._length - start)
        if self._filled < extent:
            return
        full = self._buffer[_region(self._axis, 0, extent)]
        self._filled = 0
        if self._executor is None:
            self._pass_on(full, start)
            return
        self._wait()
        self._writing = self._executor.submit(self._pass_on, full, start)
        self._buffer, self._spare = self._spare, self._buffer

    def _wait(self) -> None:
        if self._writing is not None:
            self._writing.result()

    def _pass_on(self, full: UInt8Array, start: int) -> None:
        self._write(full, start)
        if self._next is not None:
            half = (full.shape[self._axis] + 1) // 2
            for plane, out in zip(full, self._next.reserve(start // 2, half), strict=True):
                halve(plane, out)
            self._next.commit(half)

    def _write(self, full: UInt8Array, start: int) -> None:
        extent = full.shape[self._axis]
        try:
            self._array[_region(self._axis, start, start + extent)] = full
        except (OSError, RuntimeError) as error:
            reason = " ".join(str(error).split())
            raise StoreError(f"the pyramid cannot be written ({reason}); is the disk full?") from error
        self._written += extent


def halve(plane: UInt8Array, out: UInt8Array) -> None:
    """Writes the 2x2 area means of a plane (h, w) into `out` (ceil(h / 2), ceil(w / 2)); odd edges count twice."""
    height, width = plane.shape
    even_height, even_width = height & ~1, width & ~1
    if even_height and even_width:
        _area_means(plane[:even_height, :even_width], out[: height // 2, : width // 2])
    if even_width < width and even_height:
        _area_means(np.repeat(plane[:even_height, -1:], 2, axis=1), out[: height // 2, -1:])
    if even_height < height and even_width:
        _area_means(np.repeat(plane[-1:, :even_width], 2, axis=0), out[-1:, : width // 2])
    if even_height < height and even_width < width:
        out[-1, -1] = plane[-1, -1]


def _area_means(plane: UInt8Array, out: UInt8Array) -> None:
    _in_place(cv2.resize(plane, (out.shape[1], out.shape[0]), dst=out, interpolation=cv2.INTER_AREA), out)


def _in_place(result: object, out: UInt8Array) -> None:
    """Copies an OpenCV result into `out` unless OpenCV wrote it there itself (it may not for odd memory layouts)."""
    array = as_uint8(result)
    if not np.may_share_memory(array, out):
        out[...] = array.reshape(out.shape)


def _pieces(start: int, count: int, *, backwards: bool) -> list[tuple[int, int]]:
    """Cuts 0..count where start + i crosses into another shard; the pieces in the order of filling."""
    cuts = [0, *range(layout.SHARD - start % layout.SHARD, count, layout.SHARD), count]
    pieces = list(pairwise(cuts))
    return pieces[::-1] if backwards else pieces


def _region(axis: Axis, start: int, stop: int) -> tuple[slice, slice, slice]:
    """Gives the index of rows or columns start..stop of an array (3, h, w)."""
    part = slice(start, stop)
    return (slice(None), part, slice(None)) if axis == ROWS else (slice(None), slice(None), part)
