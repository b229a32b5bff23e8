"""Weights on disk: safetensors with the configuration and the body in the metadata, loaded strictly.

Format 2 names the parts and conventions of the model in its configuration. Format 1 had none of these settings and is
read as what it was: one branch, "lr", with all of its parts.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from mili_core.config import ModelConfig
from mili_core.errors import MissingFileError, WeightsError
from mili_core.nets.mili import Mili
from mili_core.whole_file import whole_file

SHIPPED = Path(__file__).parent / "weights" / "mili_lite.safetensors"
FORMAT_1, FORMAT = "mili-weights-1", "mili-weights-2"
COUNTER = "num_batches_tracked"  # of batch normalisation; inference does not need it, so no file holds it
STATISTICS = ("running_mean", "running_var")
"""Of batch normalisation: kept in single precision, for a variance may well be beyond half precision's 65504."""

Holds = Literal["model", "backbone"]


@dataclass(frozen=True, slots=True, eq=False)
class Weights:
    """A weights file in memory.

    Attributes:
        config: the model that the tensors fit.
        tensors: state dict, float32.
        body_name, body_sha256: the body that the weights regress.
        score_threshold: the detection score recommended by whoever trained them (chosen on validation photos).
        sha256: hex digest of the file.
        notes: free text of training (data, minutes), JSON.
        holds: "model", or "backbone" where a training shall start from these tensors and new heads.
    """

    config: ModelConfig
    tensors: Mapping[str, Tensor]
    body_name: str
    body_sha256: str
    score_threshold: float
    sha256: str
    notes: str
    holds: Holds = "model"


def save_weights(
    path: Path,
    model: Mili,
    config: ModelConfig,
    *,
    body_name: str,
    body_sha256: str,
    score_threshold: float,
    notes: Mapping[str, object],
) -> None:
    """Writes the model's state as fp16 safetensors (integer buffers and STATISTICS unchanged), whole or not at all.

    Raises:
        WeightsError: as of `save_tensors`, or a tensor holds values that half precision cannot.
    """
    save_tensors(
        path,
        _halved(path, model.state_dict()),
        config,
        body_name=body_name,
        body_sha256=body_sha256,
        score_threshold=score_threshold,
        notes=notes,
    )


def save_tensors(
    path: Path,
    tensors: Mapping[str, Tensor],
    config: ModelConfig,
    *,
    body_name: str,
    body_sha256: str,
    score_threshold: float,
    notes: Mapping[str, object],
    holds: Holds = "model",
) -> None:
    """Writes tensors as they are (counters of batch normalisation left out), whole or not at all.

    Tensors that share memory are written each in full.

    Raises:
        WeightsError: the file or its folder cannot be written.
    """
    metadata = {
        "format": FORMAT,
        "config": config.to_json(),
        "body_name": body_name,
        "body_sha256": body_sha256,
        "score_threshold": repr(score_threshold),
        "notes": json.dumps(notes, sort_keys=True),
        "holds": holds,
    }
    apart = torch.contiguous_format
    stored = {n: value.cpu().clone(memory_format=apart) for n, value in tensors.items() if not n.endswith(COUNTER)}
    try:
        with whole_file(path) as partial:
            save_file(stored, partial, metadata)
    except OSError as error:
        reason = f"cannot be written ({error.strerror or error})"
        raise WeightsError(f"weights {path}: {reason}; name another folder or free space") from error
    except SafetensorError as error:
        raise WeightsError(f"weights {path}: safetensors cannot write them ({error}); free space") from error


def read_weights(path: Path | None = None) -> Weights:
    """Gives the weights in a file; None means the shipped default.

    Raises:
        MissingFileError: no such file.
        WeightsError: a folder, a file that cannot be read, or not a weights file of this project.
    """
    path = path or SHIPPED
    sha256, metadata, tensors = _stored(path)
    version = metadata.get("format")
    if version not in {FORMAT_1, FORMAT}:
        raise WeightsError(f"weights {path}: made by another program (format {version!r}, not {FORMAT})")
    broken = [name for name, value in tensors.items() if not torch.isfinite(value).all()]
    if broken:
        raise WeightsError(f"weights {path}: {broken[0]} and {len(broken) - 1} more hold values that are not finite")
    try:
        return Weights(
            config=ModelConfig.from_json(metadata["config"], format_1=version == FORMAT_1),
            tensors={name: value.float() if value.is_floating_point() else value for name, value in tensors.items()},
            body_name=metadata["body_name"],
            body_sha256=metadata["body_sha256"],
            score_threshold=_share(metadata["score_threshold"]),
            sha256=sha256,
            notes=metadata["notes"],
            holds="model" if version == FORMAT_1 else _holds(metadata["holds"]),
        )
    except WeightsError as error:
        raise WeightsError(f"weights {path}: {error}") from error
    except KeyError as error:
        raise WeightsError(f"weights {path}: the metadata lacks {error}; get the file again") from error
    except ValueError as error:
        raise WeightsError(f"weights {path}: the metadata is damaged ({error}); get the file again") from error


def _stored(path: Path) -> tuple[str, dict[str, str], dict[str, Tensor]]:
    """Returns a file's digest, its metadata and its tensors."""
    if path.is_dir():
        raise WeightsError(f"weights {path}: is a folder; name the .safetensors file in it")
    if not path.is_file():
        raise MissingFileError(f"weights {path}: no such file; leave --weights out to use the shipped ones")
    try:
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        with safe_open(path, framework="pt") as stored:
            tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118 - not a dict
            return sha256, stored.metadata() or {}, tensors
    except OSError as error:
        reason = error.strerror or str(error)
        raise WeightsError(f"weights {path}: cannot be read ({reason}); check its permissions and its disk") from error
    except SafetensorError as error:
        raise WeightsError(
            f"weights {path}: not a safetensors file ({error}); pickles are never loaded, mili convert-weights turns "
            "those that it knows into weights"
        ) from error


def _halved(path: Path, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Returns tensors with their floating point values in half precision, but for those in STATISTICS."""
    halved = {
        name: value.half() if value.is_floating_point() and not name.endswith(STATISTICS) else value
        for name, value in tensors.items()
    }
    for name, value in halved.items():
        if not torch.isfinite(value).all():
            raise WeightsError(
                f"weights {path}: {name} holds values that are not finite in half precision, which ends at "
                f"{torch.finfo(torch.half).max:g}; train with a lower learning rate"
            )
    return halved


def _share(text: str) -> float:
    value = float(text)
    if not 0.0 <= value <= 1.0:
        raise ValueError(f"score_threshold {text} is not in 0..1")
    return value


def _holds(text: str) -> Holds:
    for known in get_args(Holds):
        if text == known:
            return known  # type: ignore[no-any-return]  # get_args gives the literal's own values
    raise ValueError(f"holds {text!r} is neither model nor backbone")


def load_into(model: Mili, weights: Weights) -> None:
    """Copies the tensors into the model; names and shapes must match exactly.

    Only what either side declares absent may differ: a part that the weights' configuration or `holds` leaves out
    keeps the model's initial values (an attention or a restoration is then the identity), and a part that the
    model's configuration leaves out is not read.

    Raises:
        WeightsError: the backbones differ, or the first few names that are missing, unknown or of another shape.
    """
    label, given, wanted = f"weights {weights.sha256[:12]}", weights.config, model.config
    if given.backbone != wanted.backbone:
        raise WeightsError(f"{label} are of {given.name} ({given.backbone}), not of {wanted.name} ({wanted.backbone})")
    if given.body_features == "joints" and any(name.startswith("smpl_head.convs.") for name in weights.tensors):
        remedy = "train this one: mili train-mili --stage body --initial FILE"
        raise WeightsError(f"{label} have the SMPL head of an earlier version; {remedy}")
    absent = _absent(given) if weights.holds == "model" else ()
    foreign = {name for name in weights.tensors if name.startswith(absent) or not _held(name, weights.holds)}
    unread = {name for name in weights.tensors if name.startswith(_absent(wanted))} - foreign
    own = {
        name: value
        for name, value in model.state_dict().items()
        if not name.endswith(COUNTER) and not name.startswith(absent) and _held(name, weights.holds)
    }
    stored = set(weights.tensors) - unread
    missing, unknown = sorted(set(own) - stored), sorted((stored - set(own)) | foreign)
    shapes = [name for name in own if name in stored and own[name].shape != weights.tensors[name].shape]
    for what, names in (("missing", missing), ("unknown", unknown), ("of another shape", shapes)):
        if names:
            listed = ", ".join(names[:3]) + (" ..." if len(names) > 3 else "")
            raise WeightsError(f"{label}: {len(names)} tensors {what} ({listed})")
    with torch.no_grad():
        for name, value in own.items():
            value.copy_(weights.tensors[name])


def _held(name: str, holds: Holds) -> bool:
    return holds == "model" or name.startswith("backbone.")


def _absent(config: ModelConfig) -> tuple[str, ...]:
    """Returns how the names of the parts begin that a configuration switches off."""
    present = {
        "attention.hr.": "hr" in config.attention,
        "attention.lr.": "lr" in config.attention,
        "mask_head.": config.mask_network,
        "restoration.": config.restoration,
    }
    return tuple(prefix for prefix, there in present.items() if not there)
