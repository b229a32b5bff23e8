"""Reads other programs' checkpoints without executing anything in them, and matches names strictly."""

from __future__ import annotations

import pickle
import struct
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from mili_core.errors import MissingFileError, WeightsError

STATE = "state_dict"

# What torch's and safetensors' readers raise on a damaged file: they take for granted what a sound one holds.
DAMAGE = (
    OSError,
    EOFError,
    RuntimeError,
    ValueError,
    LookupError,
    ArithmeticError,
    AssertionError,
    AttributeError,
    TypeError,
    MemoryError,
    struct.error,
    SafetensorError,
)


@dataclass(frozen=True, slots=True)
class Converted:
    """What a converter wrote.

    Attributes:
        read: tensors of the checkpoint that were needed.
        written: tensors in the weights file.
        ignored: names of tensors that were left out, in the checkpoint's order.
        sections: parts of the checkpoint beside its tensors, which were left out, too.
    """

    read: int
    written: int
    ignored: tuple[str, ...]
    sections: tuple[str, ...]


def read_state(path: Path) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """Gives the tensors of a checkpoint by name, and the names of its other sections.

    Args:
        path: a pickle of torch (plain state dict, or one under "state_dict"), or safetensors.

    Raises:
        MissingFileError: no such file.
        WeightsError: no checkpoint, one that holds code or objects, or one without tensors.
    """
    if not path.is_file():
        raise MissingFileError(f"checkpoint {path}: no such file")
    content = _load(path)
    state = content.get(STATE, content) if isinstance(content, Mapping) else content
    if not isinstance(content, Mapping) or not isinstance(state, Mapping) or not state:
        raise WeightsError(f"checkpoint {path}: holds no state dict, but a {type(state).__name__}")
    odd = [name for name, value in state.items() if not isinstance(name, str) or not isinstance(value, Tensor)]
    if odd:
        raise WeightsError(f"checkpoint {path}: {odd[0]!r} is no tensor; give a state dict, or a file with one in it")
    sections = tuple(str(name) for name in content if name != STATE) if state is not content else ()
    return dict(state), sections


def check_names(path: Path, state: Mapping[str, Tensor], wanted: Mapping[str, tuple[int, ...]]) -> None:
    """Raises WeightsError unless `state` has exactly the wanted names, with their shapes and finite values."""
    missing, unknown = [n for n in wanted if n not in state], [n for n in state if n not in wanted]
    shared = [name for name in wanted if name in state]
    shaped = [f"{n} {tuple(state[n].shape)} instead of {wanted[n]}" for n in shared if state[n].shape != wanted[n]]
    broken = [name for name in shared if not torch.isfinite(state[name]).all()]
    for names, what in (
        (missing, "missing"),
        (unknown, "unknown"),
        (shaped, "of another shape"),
        (broken, "not finite"),
    ):
        if names:
            listed = " ".join(", ".join(names[:3]).split()) + (" ..." if len(names) > 3 else "")
            raise WeightsError(f"checkpoint {path}: {len(names)} of its tensors are {what} ({listed})")


def _load(path: Path) -> object:
    try:
        with path.open("rb") as file:
            start = file.read(9)
        if start[8:] == b"{":  # safetensors: eight bytes of length, then JSON
            return load_file(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of pickle protocols, which the reader of a checkpoint cannot choose
            loaded: object = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise WeightsError(
            f"checkpoint {path}: no safetensors file and no pickle of plain tensors and values, and others are not "
            "loaded, for they could run code; give the .pth or .safetensors file that its authors released"
        ) from error
    except DAMAGE as error:
        reason = str(error).partition("\n")[0]
        raise WeightsError(f"checkpoint {path}: cannot be read ({type(error).__name__}: {reason})") from error
    return loaded
