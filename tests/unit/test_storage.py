"""Outputs appear whole or not at all; what the system refuses is one line that names the path."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mili_core.errors import MissingFileError, StoreError
from pipeline.storage import atomic_file, write_text


def test_text_is_written_into_new_folders(tmp_path: Path) -> None:
    write_text(tmp_path / "a" / "b.txt", "ä")
    assert (tmp_path / "a" / "b.txt").read_bytes() == "ä".encode()


def test_a_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    with pytest.raises(
        StoreError, match=r"a/b\.txt: cannot be written \(a file stands where a folder is needed\); name another"
    ):
        write_text(tmp_path / "a" / "b.txt", "text")


def test_a_file_that_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(StoreError, match="cannot be written") as error:
        write_text(tmp_path / "a", "text")
    assert str(tmp_path / "a") in str(error.value)
    assert [*tmp_path.iterdir()] == [tmp_path / "a"]


def test_a_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    write_text(tmp_path / "a", "old")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match=r"a: cannot be written \(No space left on device\)"):
        write_text(tmp_path / "a", "new")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("a", "old")]


@pytest.mark.parametrize("error", [MissingFileError("b.npz: not there"), ValueError("3 rows"), KeyboardInterrupt()])
def test_other_errors_pass_and_leave_nothing(error: BaseException, tmp_path: Path) -> None:
    with pytest.raises(type(error)) as caught, atomic_file(tmp_path / "a"):
        raise error
    assert caught.value is error
    assert not [*tmp_path.iterdir()]
