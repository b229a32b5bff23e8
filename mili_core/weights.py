"""Weights on disk: safetensors with the configuration and the body in the metadata, loaded strictly."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from mili_core.config import ModelConfig
from mili_core.errors import MissingFileError, WeightsError

SHIPPED = Path(__file__).parent / "weights" / "mili_lite.safetensors"
FORMAT = "mili-weights-1"


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
    """

    config: ModelConfig
    tensors: Mapping[str, Tensor]
    body_name: str
    body_sha256: str
    score_threshold: float
    sha256: str
    notes: str


def save_weights(
    path: Path,
    model: nn.Module,
    config: ModelConfig,
    *,
    body_name: str,
    body_sha256: str,
    score_threshold: float,
    notes: Mapping[str, object],
) -> None:
    """Writes the model's state as fp16 safetensors (integer buffers unchanged), whole or not at all."""
    tensors = {
        name: (value.half() if value.is_floating_point() else value).contiguous().cpu()
        for name, value in model.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
    metadata = {
        "format": FORMAT,
        "config": config.to_json(),
        "body_name": body_name,
        "body_sha256": body_sha256,
        "score_threshold": repr(score_threshold),
        "notes": json.dumps(notes, sort_keys=True),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    save_file(tensors, partial, metadata)
    partial.replace(path)


def read_weights(path: Path | None = None) -> Weights:
    """Gives the weights in a file; None means the shipped default.

    Raises:
        MissingFileError: no such file.
        WeightsError: not a weights file of this project.
    """
    path = path or SHIPPED
    if not path.is_file():
        raise MissingFileError(f"weights {path}: no such file; leave --weights out to use the shipped ones")
    try:
        with safe_open(path, framework="pt") as stored:
            metadata = stored.metadata() or {}
            tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118 - not a dict
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"weights {path}: not a safetensors file ({error}); pickles are never loaded") from error
    if metadata.get("format") != FORMAT:
        raise WeightsError(f"weights {path}: made by another program (format {metadata.get('format')!r}, not {FORMAT})")
    broken = [name for name, value in tensors.items() if not torch.isfinite(value).all()]
    if broken:
        raise WeightsError(f"weights {path}: {broken[0]} and {len(broken) - 1} more hold values that are not finite")
    try:
        return Weights(
            config=ModelConfig.from_json(metadata["config"]),
            tensors={name: value.float() if value.is_floating_point() else value for name, value in tensors.items()},
            body_name=metadata["body_name"],
            body_sha256=metadata["body_sha256"],
            score_threshold=_share(metadata["score_threshold"]),
            sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
            notes=metadata["notes"],
        )
    except WeightsError as error:
        raise WeightsError(f"weights {path}: {error}") from error
    except KeyError as error:
        raise WeightsError(f"weights {path}: the metadata lacks {error}; get the file again") from error
    except ValueError as error:
        raise WeightsError(f"weights {path}: the metadata is damaged ({error}); get the file again") from error


def _share(text: str) -> float:
    value = float(text)
    if not 0.0 <= value <= 1.0:
        raise ValueError(f"score_threshold {text} is not in 0..1")
    return value


def load_into(model: nn.Module, weights: Weights) -> None:
    """Copies the tensors into the model; names and shapes must match exactly.

    Raises:
        WeightsError: the first few names that are missing, unknown or of another shape.
    """
    own = {name: value for name, value in model.state_dict().items() if not name.endswith("num_batches_tracked")}
    missing, unknown = sorted(set(own) - set(weights.tensors)), sorted(set(weights.tensors) - set(own))
    shapes = [name for name in own if name in weights.tensors and own[name].shape != weights.tensors[name].shape]
    for what, names in (("missing", missing), ("unknown", unknown), ("of another shape", shapes)):
        if names:
            listed = ", ".join(names[:3]) + (" ..." if len(names) > 3 else "")
            raise WeightsError(f"weights {weights.sha256[:12]}: {len(names)} tensors {what} ({listed})")
    with torch.no_grad():
        for name, value in own.items():
            value.copy_(weights.tensors[name])
