"""A pyramid of a frame at a path: the one that is there if it is of this very file, or a new one."""

from __future__ import annotations

import fcntl
import glob
import hashlib
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from mili_core.errors import MissingFileError, StoreError
from pipeline.pyramid.build import build
from pipeline.pyramid.completeness import read_attributes, read_group, shards_on_disk
from pipeline.pyramid.layout import Source
from pipeline.pyramid.reader import Pyramid
from pipeline.types import FrameRef

# Read from either end of the source file for its fingerprint: covers headers and the end of the last strip.
_FINGERPRINT_BYTES = 2**16


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
            build(ref, source, unfinished)
            _replace(unfinished, path)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
        return _info(path, reused=False)


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
        return bool(read_group(Pyramid.open(path).path).get("source") == asdict(source))
    except StoreError:
        return False


def _looks_like_pyramid(path: Path) -> bool:
    """Says whether `path` was made by us, in whatever state it is now, and may be replaced."""
    try:
        return "mili" in read_attributes(path)
    except StoreError:
        return False


def _info(path: Path, *, reused: bool) -> PyramidInfo:
    pyramid = Pyramid.open(path)
    stored = sum(shards_on_disk(path, level).size for level in range(len(pyramid.level_sizes)))
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
