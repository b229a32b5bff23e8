"""Which backend and device a raster is made with: said at the call, or once for everything inside a `with` block."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from mili_core.errors import ConfigError, DependencyError
from mili_core.raster.contract import Backend

AUTO = "auto"


@dataclass(frozen=True, slots=True)
class Choice:
    """A backend and the device it runs on: "cpu", "cuda" or "cuda:n"; each may be "auto"."""

    backend: Backend = "auto"
    device: str = AUTO


_OPEN = Choice()

_CHOSEN: ContextVar[Choice] = ContextVar("mili_core.raster.choice", default=_OPEN)


@contextmanager
def using(backend: Backend = "auto", device: str = AUTO) -> Iterator[None]:
    """Makes every `rasterise` inside the block that leaves backend and device on "auto" take these.

    Blocks nest, and what the inner one leaves on "auto" is the outer one's. The choice belongs to the context it was
    made in: a thread that is started inside does not see it.

    Args:
        backend: "auto", "numba" or "torch".
        device: "auto", "cpu" or, with torch, "cuda[:n]".

    Raises:
        ConfigError: a device that this backend does not know or that is not there.
        DependencyError: "numba" without numba.
    """
    outer = _CHOSEN.get()
    token = _CHOSEN.set(_merged(Choice(backend, device), outer))
    try:
        resolve()
        yield
    finally:
        _CHOSEN.reset(token)


def resolve(backend: Backend = "auto", device: str = AUTO) -> Choice:
    """Gives the definite backend and device of a call; errors as for `using`."""
    asked = _merged(Choice(backend, device), _CHOSEN.get())
    on_gpu = asked.device.partition(":")[0] == "cuda"
    chosen: Backend = asked.backend
    if chosen == "auto":
        chosen = "numba" if has_numba() and not on_gpu else "torch"
    if chosen == "numba":
        if not has_numba():
            raise DependencyError("raster backend 'numba' needs numba, which is not installed", "synth")
        if asked.device not in {AUTO, "cpu"}:
            raise ConfigError(f"raster backend 'numba' runs on the cpu, not on {asked.device!r}: give backend 'torch'")
        return Choice("numba", "cpu")
    if chosen != "torch":
        raise ConfigError(f"raster backend {chosen!r} is unknown; give auto, numba or torch")
    return Choice("torch", _checked_device("cpu" if asked.device == AUTO else asked.device))


def has_numba() -> bool:
    """Says whether the numba kernel can be used."""
    return importlib.util.find_spec("numba") is not None


def _merged(asked: Choice, outer: Choice) -> Choice:
    """Gives what is asked for, "auto" filled in from outside as far as it fits."""
    backend = outer.backend if asked.backend == "auto" else asked.backend
    if asked.device != AUTO:
        # A device that is asked for outweighs a backend that is not.
        fits = asked.backend != "auto" or backend != "numba" or asked.device == "cpu"
        return Choice(backend if fits else "auto", asked.device)
    return Choice(backend, AUTO if asked.backend == "numba" else outer.device)


def _checked_device(device: str) -> str:
    import torch  # noqa: PLC0415 - only where torch draws

    kind, _, index = device.partition(":")
    if kind not in {"cpu", "cuda"} or (index and not index.isdecimal()):
        raise ConfigError(f"raster device {device!r} is unknown; give auto, cpu or cuda[:n]")
    if kind == "cuda" and int(index or 0) >= torch.cuda.device_count():
        raise ConfigError(f"raster device {device!r}: torch sees {torch.cuda.device_count()} CUDA devices; give cpu")
    return device
