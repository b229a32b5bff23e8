"""The frame as an OME-Zarr 0.5 pyramid: written once, whole or not at all, then read block by block.

Layout: a Zarr v3 group with `ome` multiscales metadata and one array per level, "0" being full size, axes c, y, x
(the standard wants channels before space), 512 px chunks in 2048 px shards, bit-shuffled LZ4. Levels follow
pipeline.geometry.level_sizes: each halves the one before by area means, odd edges repeated, scale exactly 2**level.

Safety. A shard has one writer: the single process that holds the lock writes each shard once, as a whole. A level's
attributes get a completeness marker after its last shard, with the number and size of its shard files, because a
missing shard reads as black (and a shard that is black throughout has no file); `Pyramid.open` checks them. The group
takes its name by a rename at the very end.
"""

from __future__ import annotations

import fcntl
import glob
import hashlib
import json
import shutil
import uuid
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from itertools import chain, pairwise
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.codecs import BloscCodec

from mili_core.errors import MissingFileError, StoreError
from pipeline.frames import Strip, read_strips
from pipeline.geometry import level_origin, level_sizes
from pipeline.types import Block, FrameRef

CHUNK = 512
SHARD = 2048
FORMAT_VERSION = 1
OME_VERSION = "0.5"

# Measured on photographs, CPU ms per MB written and compression: bit-shuffled LZ4 1.9 and 1.23, zstd level 1 3.0 and
# 1.26, no compression 1.3 and 1. A block is read in 2/3 of zstd's time.
_CODEC = BloscCodec(cname="lz4", clevel=1, shuffle="bitshuffle", typesize=1)

# Read from either end of the source file for its fingerprint: covers headers and the end of the last strip.
_FINGERPRINT_BYTES = 2**16

UInt8Array = NDArray[np.uint8]
Axis = Literal[1, 2]
_ROWS: Axis = 1
_COLUMNS: Axis = 2


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


@dataclass(frozen=True, slots=True)
class PyramidInfo:
    """A pyramid that is ready to be read.

    Attributes:
        path: the Zarr group.
        level_sizes: (width, height) of each level, px of the level.
        stored_bytes: all shard files together.
        reused: True when it was there already, made from the same file.
    """

    path: Path
    level_sizes: tuple[tuple[int, int], ...]
    stored_bytes: int
    reused: bool


@dataclass(frozen=True, slots=True)
class _Shards:
    """Files of a level: how many, how many bytes together."""

    count: int
    size: int


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
        attributes = _read_group(path)
        sizes = tuple((int(width), int(height)) for width, height in attributes["level_sizes"])
        for level in range(len(sizes)):
            _check_level(path, level)
        with _fast_codecs():
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
        return _uint8(cv2.resize(pixels, target, interpolation=cv2.INTER_AREA)), scale

    def _read(self, level: int, x: int, y: int, width: int, height: int) -> UInt8Array:
        try:
            planes = np.asarray(self._levels[level][:, y : y + height, x : x + width])
        except (RuntimeError, ValueError, OSError) as error:
            reason = " ".join(str(error).split())
            raise StoreError(
                f"{self.path}: level {level} is damaged ({reason}); build it anew with --overwrite"
            ) from error
        return _uint8(cv2.merge(list(planes)))


def ensure_pyramid(ref: FrameRef, path: Path, *, overwrite: bool = False) -> PyramidInfo:
    """Gives a complete pyramid of the frame at `path`, built now unless one of the same file is there.

    Two processes may call this at once: the second waits for the first and uses its pyramid.

    Args:
        ref: the frame; its file is decoded once.
        path: the Zarr group to make; whatever stands there is replaced when it is not a pyramid of this very file.
        overwrite: build even then.

    Raises:
        ImageError: the frame cannot be read; nothing is left behind.
        StoreError: `path` holds something that is not a pyramid.
    """
    path = Path(path)
    source = _source_of(ref)
    path.parent.mkdir(parents=True, exist_ok=True)
    with _lock(path):
        _remove_leftovers(path)
        if not overwrite and _is_pyramid_of(source, path):
            return _info(path, reused=True)
        if path.exists() and not _looks_like_pyramid(path):
            raise StoreError(f"{path}: is in the way and not a pyramid; move it or choose another output")
        unfinished = _sibling(path, "unfinished")
        try:
            _build(ref, source, unfinished)
            _replace(unfinished, path)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
        return _info(path, reused=False)


class _LevelWriter:
    """Collects one row (or column) of shards, writes it when it is full, and feeds the next level.

    Shards come in one order along the axis, forwards or backwards, and each is written exactly once. With an
    executor of one thread, writing overlaps with collecting: a second buffer is filled meanwhile.
    """

    def __init__(
        self,
        array: zarr.Array[Any],
        axis: Axis,
        next_level: _LevelWriter | None,
        executor: ThreadPoolExecutor | None = None,
    ) -> None:
        self._array = array
        self._executor = executor
        self._axis = axis
        self._next = next_level
        self._length = int(array.shape[axis])
        shape = [int(side) for side in array.shape]
        shape[axis] = min(SHARD, self._length)
        self._buffer = np.empty(shape, dtype=np.uint8)
        self._spare = np.empty(shape if executor else 0, dtype=np.uint8)
        self._writing: Future[None] | None = None
        self._shard = -1
        self._filled = 0
        self._written = 0

    def add(self, pixels: UInt8Array, start: int, *, backwards: bool) -> None:
        """Takes full-width rows (or full-height columns) of the level, (h, w, 3), from row `start` on."""
        for first, stop in _pieces(start, pixels.shape[self._axis - 1], backwards=backwards):
            piece = pixels[first:stop] if self._axis == _ROWS else pixels[:, first:stop]
            for channel, plane in enumerate(self.reserve(start + first, stop - first)):
                _in_place(cv2.extractChannel(piece, channel, plane), plane)
            self.commit(stop - first)

    def finish(self) -> None:
        """Waits for the last shard and checks that every one was written."""
        self._wait()
        assert self._written == self._length, f"{self._written} of {self._length} rows were written"

    def reserve(self, start: int, count: int) -> UInt8Array:
        """Gives the (3, h, w) part of the buffer that holds `count` rows from `start`, all of one shard."""
        shard, first = divmod(start, SHARD)
        assert self._filled == 0 or shard == self._shard, "a shard was left before it was full"
        self._shard = shard
        return self._buffer[_region(self._axis, first, first + count)]

    def commit(self, count: int) -> None:
        """Counts rows that were put where `reserve` said; a full shard is written and passed on."""
        self._filled += count
        start = self._shard * SHARD
        extent = min(SHARD, self._length - start)
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
    array = _uint8(result)
    if not np.may_share_memory(array, out):
        out[...] = array.reshape(out.shape)


def _pieces(start: int, count: int, *, backwards: bool) -> list[tuple[int, int]]:
    """Cuts 0..count where start + i crosses into another shard; the pieces in the order of filling."""
    cuts = [0, *range(SHARD - start % SHARD, count, SHARD), count]
    pieces = list(pairwise(cuts))
    return pieces[::-1] if backwards else pieces


def _region(axis: Axis, start: int, stop: int) -> tuple[slice, slice, slice]:
    """Gives the index of rows or columns start..stop of an array (3, h, w)."""
    part = slice(start, stop)
    return (slice(None), part, slice(None)) if axis == _ROWS else (slice(None), slice(None), part)


def _build(ref: FrameRef, source: Source, path: Path) -> None:
    """Writes the whole pyramid of a frame into the new group `path`, decoding it once."""
    sizes = level_sizes(ref.width, ref.height)
    with _fast_codecs(), closing(read_strips(ref)) as strips:
        first = next(strips)
        group = zarr.create_group(str(path), attributes=_group_attributes(ref, source, sizes))
        arrays = [_create_level(group, level, size) for level, size in enumerate(sizes)]
        _write_levels(chain([first], strips), arrays, _axis_of(first, ref), backwards=(first.x, first.y) != (0, 0))
        for level, array in enumerate(arrays):
            shards = _shards_on_disk(path, level)
            array.attrs["mili"] = {"complete": True, "shards": shards.count, "bytes": shards.size}


def _write_levels(strips: Iterable[Strip], arrays: Sequence[zarr.Array[Any]], axis: Axis, *, backwards: bool) -> None:
    """Pours the strips of level 0 through all levels."""
    with ThreadPoolExecutor(max_workers=1) as executor:
        writers: list[_LevelWriter] = []
        for level, array in reversed(list(enumerate(arrays))):
            writers.append(_LevelWriter(array, axis, writers[-1] if writers else None, None if level else executor))
        for strip in strips:
            writers[-1].add(strip.pixels, strip.y if axis == _ROWS else strip.x, backwards=backwards)
        for writer in reversed(writers):
            writer.finish()


def _axis_of(strip: Strip, ref: FrameRef) -> Axis:
    """Says along which axis the strips of a frame follow each other."""
    return _ROWS if strip.pixels.shape[1] == ref.width else _COLUMNS


def _create_level(group: zarr.Group, level: int, size: tuple[int, int]) -> zarr.Array[Any]:
    width, height = size
    return group.create_array(
        str(level),
        shape=(3, height, width),
        dtype=np.uint8,
        chunks=(3, CHUNK, CHUNK),
        shards=(3, SHARD, SHARD),
        compressors=_CODEC,
        filters=None,
        fill_value=0,
        dimension_names=("c", "y", "x"),
    )


def _group_attributes(ref: FrameRef, source: Source, sizes: Sequence[tuple[int, int]]) -> dict[str, Any]:
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


def _read_group(path: Path) -> dict[str, Any]:
    """Gives our attributes of the group.

    Raises:
        StoreError: no pyramid, or one of another version.
    """
    attributes = _attributes(path)
    ours = attributes.get("mili")
    version = attributes.get("ome", {}).get("version")
    if not isinstance(ours, dict) or version != OME_VERSION or ours.get("format") != FORMAT_VERSION:
        raise StoreError(f"{path}: not a pyramid of this version; build it anew with --overwrite")
    return ours


def _attributes(path: Path) -> dict[str, Any]:
    """Gives the attributes of a Zarr v3 group or array, read without opening it."""
    try:
        node = json.loads((path / "zarr.json").read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise StoreError(f"{path}: no pyramid there; build it first") from error
    except (OSError, ValueError) as error:
        raise StoreError(f"{path}: zarr.json cannot be read; build it anew with --overwrite") from error
    attributes = node.get("attributes") if isinstance(node, dict) else None
    return attributes if isinstance(attributes, dict) else {}


def _check_level(path: Path, level: int) -> None:
    """Refuses a level without its marker or whose shard files are not those that the marker counted."""
    marker = _attributes(path / str(level)).get("mili")
    if not isinstance(marker, dict) or marker.get("complete") is not True:
        raise StoreError(f"{path}: level {level} was never finished; build it anew with --overwrite")
    found = _shards_on_disk(path, level)
    expected = _Shards(int(marker["shards"]), int(marker["bytes"]))
    if found != expected:
        raise StoreError(
            f"{path}: level {level} has {found.count} shards of {found.size} bytes, expected {expected.count} of "
            f"{expected.size}; build it anew with --overwrite"
        )


def _shards_on_disk(path: Path, level: int) -> _Shards:
    sizes = [file.stat().st_size for file in (path / str(level) / "c").glob("*/*/*") if file.is_file()]
    return _Shards(len(sizes), sum(sizes))


def _source_of(ref: FrameRef) -> Source:
    path = Path(ref.uri)
    try:
        status = path.stat()
        with path.open("rb") as file:
            digest = hashlib.sha256(file.read(_FINGERPRINT_BYTES))
            file.seek(max(0, status.st_size - _FINGERPRINT_BYTES))
            digest.update(file.read(_FINGERPRINT_BYTES))
    except FileNotFoundError as error:
        raise MissingFileError(f"{path}: no such file") from error
    return Source(status.st_size, status.st_mtime_ns, digest.hexdigest())


def _is_pyramid_of(source: Source, path: Path) -> bool:
    try:
        return bool(_read_group(Pyramid.open(path).path).get("source") == asdict(source))
    except StoreError:
        return False


def _looks_like_pyramid(path: Path) -> bool:
    """Says whether `path` was made by us, in whatever state it is now, and may be replaced."""
    try:
        return "mili" in _attributes(path)
    except StoreError:
        return False


def _info(path: Path, *, reused: bool) -> PyramidInfo:
    pyramid = Pyramid.open(path)
    stored = sum(_shards_on_disk(path, level).size for level in range(len(pyramid.level_sizes)))
    return PyramidInfo(path, pyramid.level_sizes, stored, reused)


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    """Holds the right to write `path`; another process waits. The system lets go if this one dies.

    The empty lock file stays: removing it would let two processes hold locks on two files of one name.
    """
    with path.with_name(f".{path.name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _sibling(path: Path, purpose: str) -> Path:
    return path.with_name(f".{path.name}.{uuid.uuid4().hex}.{purpose}")


def _remove_leftovers(path: Path) -> None:
    """Deletes what a writer that died left beside `path`; only the holder of the lock may."""
    for purpose in ("unfinished", "replaced"):
        for leftover in path.parent.glob(f".{glob.escape(path.name)}.*.{purpose}"):
            shutil.rmtree(leftover, ignore_errors=True)


def _replace(unfinished: Path, path: Path) -> None:
    """Gives the finished group its name."""
    if path.exists():
        replaced = _sibling(path, "replaced")
        path.rename(replaced)
        unfinished.rename(path)
        shutil.rmtree(replaced, ignore_errors=True)
    else:
        unfinished.rename(path)


@contextmanager
def _fast_codecs() -> Iterator[None]:
    """Makes the arrays that are created or opened inside use the zarrs pipeline (twice as fast), for good."""
    with zarr.config.set({"codec_pipeline.path": "zarrs.ZarrsCodecPipeline"}):
        yield


def _uint8(image: object) -> UInt8Array:
    assert isinstance(image, np.ndarray)
    assert image.dtype == np.uint8
    return image
