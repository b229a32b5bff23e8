"""Where outputs go: local folders, written whole or not at all."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Literal
from urllib.parse import unquote

from mili_core.errors import MiliError, StoreError
from mili_core.whole_file import new_file_mode

TEMPORARY_PREFIX = ".part-"
"""Names of unfinished files start with it; readers of Parquet folders skip names that start with a dot."""

_REMEDIES = {
    "read": "check its permissions",
    "written": "free disk space, check permissions or give another folder",
}


def local_path(uri: str | Path) -> Path:
    """Gives the local path that `uri` names: a plain path or file:///….

    Raises:
        StoreError: the URI has another scheme, or is empty, which would be the current folder.
    """
    if not str(uri).strip():
        raise StoreError("an empty path; give a folder or file, a single dot for the current folder")
    scheme = re.match(r"([A-Za-z][A-Za-z0-9+.-]+):/", str(uri))
    if scheme is None:
        return Path(uri)
    text = str(uri)
    if scheme[1] == "file" and text.startswith("file:///"):
        return Path(unquote(text.removeprefix("file://")))
    raise StoreError(f"{uri}: only local paths can be used, not {scheme[1]}:; give a local folder")


@contextmanager
def store_access(path: Path, purpose: Literal["read", "written"]) -> Iterator[None]:
    """Turns the system's refusals within the block into a line that names `path`.

    Raises:
        StoreError: an OSError was raised in the block.
    """
    try:
        yield
    except MiliError:
        raise  # some are OSErrors too, and say more
    except (FileExistsError, NotADirectoryError) as error:
        reason = "a file stands where a folder is needed"
        raise StoreError(f"{path}: cannot be {purpose} ({reason}); name another folder") from error
    except OSError as error:
        reason = " ".join((error.strerror or str(error)).split())
        raise StoreError(f"{path}: cannot be {purpose} ({reason}); {_REMEDIES[purpose]}") from error


@contextmanager
def atomic_file(path: Path) -> Iterator[BinaryIO]:
    """Gives a binary file that appears as `path` when the block ends well, and leaves nothing otherwise.

    The data is on disk before the name is (fsync, rename, fsync of the folder). Missing folders are made.

    Args:
        path: final name; an older file of that name is replaced.

    Raises:
        StoreError: the file, its folder or the data cannot be written.
    """
    with store_access(path, "written"), _replacing(path) as file:
        yield file


@contextmanager
def _replacing(path: Path) -> Iterator[BinaryIO]:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=TEMPORARY_PREFIX, suffix=path.name[-40:], dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            temporary.chmod(new_file_mode())
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def write_bytes(path: Path, data: bytes) -> None:
    """Writes `data` to `path`, whole or not at all."""
    with atomic_file(path) as file:
        file.write(data)


def write_text(path: Path, text: str) -> None:
    """Writes `text` to `path` in UTF-8, whole or not at all."""
    write_bytes(path, text.encode())


def _sync_folder(folder: Path) -> None:
    """Makes a rename in `folder` durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
