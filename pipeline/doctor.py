"""What is installed, which device, body and weights there are, what is missing, and the remedy."""
# ruff: noqa: PLC0415 - packages are imported where they are looked at: one that cannot be is a finding

from __future__ import annotations

import importlib
import os
import platform
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from mili_core.errors import install_hint

NEEDED_DISK_GB = 5.0  # the pyramid of a 400 MPix frame takes 1.7 GB, raw
_OLDEST_PYTHON = (3, 11)
APART = {"bench": "in an environment of its own: sahi brings opencv-python, which overwrites the headless one"}
"""Extras that do not get on with the rest."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report; `remedy` is set where something is wrong, `needed` where the main job needs it."""

    topic: str
    state: str
    remedy: str | None = None
    needed: bool = False

    @property
    def broken(self) -> bool:
        """True where the main job cannot run because of it."""
        return self.needed and self.remedy is not None


def examine(output: Path) -> Iterator[Finding]:
    """Gives every finding, what the main job needs first."""
    yield _python()
    yield from _packages()
    yield _try("images", _libvips, "reinstall with: pip install --force-reinstall 'pyvips[binary]'")
    yield _try("device", _device, "install torch: pip install torch -c constraints.txt")
    yield _try("body", _body, "reinstall mili: the open body is part of the package")
    yield _try("weights", _weights, "reinstall mili: the default weights are part of the package")
    yield _try("model", _model, "weights and body must belong together; reinstall mili")
    yield _disk(output)
    yield from _extras()
    yield _cluster()


def _python() -> Finding:
    wrong = None if sys.version_info >= _OLDEST_PYTHON else "install Python 3.11 or newer"
    return Finding(
        "python", f"{platform.python_version()} on {platform.system()} {platform.machine()}", wrong, needed=True
    )


def _packages() -> Iterator[Finding]:
    """Gives mili's version and each package that it always needs."""
    own = _version("mili")
    yield Finding("mili", own or "not installed", None if own else "pip install -e .", needed=True)
    for name in _requirements(None):
        found = _version(name)
        yield Finding(name, found or "not installed", None if found else f"pip install {name}", needed=True)


def _extras() -> Iterator[Finding]:
    """Gives each extra, with the packages that it lacks."""
    names = sorted({extra for line in requires("mili") or [] for extra in re.findall(r"extra == ['\"]([\w-]+)", line)})
    for extra in names:
        packages = _requirements(extra)
        missing = [name for name in packages if _version(name) is None]
        state = f"without {', '.join(missing)}" if missing else f"installed ({', '.join(packages)})"
        remedy = install_hint(extra) + (f", {APART[extra]}" if extra in APART else "")
        yield Finding(f"extra {extra}", state, remedy if missing else None)


def _requirements(extra: str | None) -> list[str]:
    """Gives the names of the packages that mili, or one of its extras, asks for; its own extras left out."""
    names = []
    for line in requires("mili") or []:
        requirement, _, marker = line.partition(";")
        named = re.search(r"extra == ['\"]([\w-]+)", marker)
        name = re.match(r"[\w.-]+", requirement.strip())
        if name and name[0] != "mili" and (named[1] if named else None) == extra:
            names.append(name[0])
    return sorted(names, key=str.lower)


def _try(topic: str, look: Callable[[], str], remedy: str) -> Finding:
    try:
        return Finding(topic, look(), needed=True)
    except Exception as error:  # noqa: BLE001 - a broken installation breaks in any way; the report names it
        line = next(iter(str(error).splitlines()), "")
        return Finding(topic, f"{type(error).__name__}: {line}", remedy, needed=True)


def _libvips() -> str:
    pyvips = importlib.import_module("pyvips")
    numbers = ".".join(str(pyvips.version(part)) for part in range(3))
    return f"libvips {numbers}"


def _device() -> str:
    import torch

    if torch.cuda.is_available():
        return f"cuda ({torch.cuda.device_count()} x {torch.cuda.get_device_name(0)})"
    return f"cpu ({os.cpu_count()} cores, torch {torch.__version__}; no CUDA device)"


def _body() -> str:
    from mili_core.body import load_body

    body = load_body(None)
    return f"{body.name}, sha256 {body.sha256[:16]}"


def _weights() -> str:
    from mili_core.weights import read_weights

    weights = read_weights(None)
    return f"{weights.config.name}, sha256 {weights.sha256[:16]}, score threshold {weights.score_threshold}"


def _model() -> str:
    from mili_core.api import Predictor

    identity = Predictor.load(device="cpu").identity
    return f"{identity.name} loads and regresses body {identity.body_name}"


def _disk(output: Path) -> Finding:
    folder = output.absolute()
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free / 1e9
    few = None if free >= NEEDED_DISK_GB else f"give --output on a disk with {NEEDED_DISK_GB:.0f} GB or more"
    return Finding("disk", f"{free:.1f} GB free at {folder}; temporary files at {tempfile.gettempdir()}", few)


def _cluster() -> Finding:
    address = os.environ.get("RAY_ADDRESS")
    return Finding("cluster", f"RAY_ADDRESS={address}" if address else "none set; runs start a local one")


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
