"""One run at a time in an output folder, and no empty folders after a run that failed at once."""

from __future__ import annotations

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mili_core.errors import StoreError

LOCK_NAME = ".lock"


@contextmanager
def tidy_failure(folder: Path) -> Iterator[None]:
    """Takes lock files and empty folders away when the block fails; entered inside `output_lock`, for new folders.

    Finished pyramids stay: the next run uses them.
    """
    try:
        yield
    except BaseException:
        _remove_empty(folder)
        raise


def _remove_empty(folder: Path) -> None:
    for child in folder.iterdir():
        if child.is_dir() and not child.is_symlink():
            _remove_empty(child)
        elif child.name.startswith(".") and child.name.endswith(".lock"):
            child.unlink()
    if not any(folder.iterdir()):
        folder.rmdir()


@contextmanager
def output_lock(folder: Path) -> Iterator[None]:
    """Holds `folder` (made where missing) for this process; the system lets go of it however the process ends.

    Raises:
        StoreError: another run is writing there, or the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / LOCK_NAME).open("a+", encoding="utf-8")
    except OSError as error:
        raise StoreError(
            f"output folder {folder}: cannot be written ({error.strerror}); give another --output"
        ) from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.seek(0)
            holder = file.read().strip() or "another process"
            message = f"output folder {folder}: {holder} is writing there; wait for it or give another --output"
            raise StoreError(message) from None
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}\n")
        file.flush()
        yield
