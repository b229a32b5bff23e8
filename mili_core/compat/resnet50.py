"""A plain ResNet-50 state dict under torchvision's names to the backbone that training `mili_r50` starts from."""

from __future__ import annotations

from pathlib import Path

import torch

from mili_core.compat.checkpoint import Converted, check_names, read_state
from mili_core.config import MILI_R50
from mili_core.nets.resnet import ResNet50
from mili_core.weights import COUNTER, save_tensors

IGNORED = ("fc.",)  # the classifier


def convert_resnet50(source: Path, output: Path) -> Converted:
    """Writes backbone weights for `mili train-mili --initial`, in single precision.

    Args:
        source: state dict with torchvision's names; batch normalisation's counters may be absent, as they are in
            files older than them.
        output: the safetensors file to write.

    Raises:
        MissingFileError: no such checkpoint.
        WeightsError: it is no checkpoint, or its tensors are not a ResNet-50's; or the output cannot be written.
    """
    state, sections = read_state(source)
    ignored = tuple(name for name in state if name.startswith(IGNORED))
    needed = {n: value for n, value in state.items() if not n.startswith(IGNORED) and not n.endswith(COUNTER)}
    with torch.device("meta"):
        own = {n: tuple(value.shape) for n, value in ResNet50().state_dict().items() if not n.endswith(COUNTER)}
    check_names(source, needed, own)
    save_tensors(
        output,
        {f"backbone.{name}": value.float() for name, value in needed.items()},
        MILI_R50,
        body_name="none",
        body_sha256="",
        score_threshold=0.0,
        notes={"converted from": "ResNet-50", "checkpoint": source.name},
        holds="backbone",
    )
    return Converted(len(needed), len(needed), ignored, sections)
