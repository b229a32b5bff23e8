"""Files that appear whole or not at all, with the permissions that the user gives new files."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Gives a file to write instead of `path`; it takes that name when the block ends well, and is removed otherwise.

    Missing folders are made, and an older file of the name is replaced. The file given has the suffix of `path`.

    Raises:
        OSError: the folder or the file cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=".part-", suffix=path.name[-40:], dir=path.parent)
    os.close(handle)
    partial = Path(name)
    try:
        yield partial
        partial.chmod(new_file_mode())
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def new_file_mode() -> int:
    """Gives the permissions of a new file under the process's umask; what makes temporary files makes them private."""
    umask = os.umask(0o022)
    os.umask(umask)
    return 0o666 & ~umask
