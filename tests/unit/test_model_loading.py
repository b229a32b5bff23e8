"""--model: whatever a user's module does, the command ends in one line."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from mili_core.errors import ConfigError, MissingFileError
from pipeline.config import ModelSettings
from pipeline.model import load_model

MODULE = "users_model"
SOURCES = {
    "def make(device:": "cannot be imported .SyntaxError",
    "undefined": "cannot be imported .NameError: name 'undefined'",
    "import nowhere_at_all": "cannot be imported .ModuleNotFoundError",
    "make_it = None": "cannot be imported .AttributeError",
    "raise RuntimeError('one\\ntwo')": "cannot be imported .RuntimeError: one.; give package",
    "make = 3": "failed on device 'cpu' .TypeError: 'int'",
    "def make(): ...": "failed on device 'cpu' .TypeError",
    "def make(device):\n    raise MemoryError": "failed on device 'cpu' .MemoryError",
    "def make(device):\n    return 3": "gave a int without",
    "def make(device):\n    raise SystemExit(0)": "failed on device 'cpu' .SystemExit: 0",
    "class make:\n    identity = predict = 'me'\n    def __init__(self, device): ...": "its identity is a str",
}


@pytest.fixture
def users_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(importlib.sys.modules, MODULE, raising=False)  # type: ignore[attr-defined]
    return tmp_path


def load(folder: Path, source: str) -> None:
    (folder / f"{MODULE}.py").write_text(source)
    importlib.invalidate_caches()
    load_model(ModelSettings(factory=f"{MODULE}:make"), "cpu")


@pytest.mark.parametrize(("source", "words"), SOURCES.items())
def test_every_failure_is_one_line(source: str, words: str, users_folder: Path) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        load(users_folder, source)
    assert str(caught.value).startswith(f"--model {MODULE}:make: ")
    assert "\n" not in str(caught.value)


def test_our_own_errors_stay_as_they_are(users_folder: Path) -> None:
    source = (
        "from mili_core.errors import MissingFileError\ndef make(device):\n    raise MissingFileError('a.npz: none')"
    )
    with pytest.raises(MissingFileError, match=r"^a\.npz: none$"):
        load(users_folder, source)
