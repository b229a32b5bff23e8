"""What a run is and what its checkpoint holds: an interrupted run continues exactly."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Protocol, TypeVar, runtime_checkable

import torch
from torch import Tensor, nn

from mili_core.errors import ConfigError
from mili_core.losses.settings import LossWeights
from mili_core.losses.total import LossTerms
from mili_core.nets.mili import Mili
from mili_core.training.precision import Amp

CHECKPOINT = "checkpoint.pt"
MANY = 99  # stages; more than any backbone has

SETTING_LEAST = {
    "steps batch checkpoint_every log_every": 1,
    "warmup seed workers weight_decay average": 0,
    "lr backbone_lr body_lr clip_norm": 1e-12,
}
FREE = {"workers", "checkpoint_every", "log_every"}  # settings that may change while a run is continued


@dataclass(frozen=True, slots=True)
class TrainSettings:
    """Length and pace of a training.

    Attributes:
        steps: batches in all; the schedule ends there.
        batch: images a step; RoIs a step where these are stored.
        lr: peak learning rate of the new layers (AdamW).
        backbone_lr: peak learning rate of the pretrained backbone.
        body_lr: peak learning rate of the SMPL head.
        warmup: steps of linear warm-up.
        frozen_stages: first stages of the backbone, with its stem, that stay as they are.
        frozen_attention: the attention before the backbone stays as it is, too: gradients then need not go back
            through what is frozen, and with 2 stages of EfficientNet-Lite0 a step takes little more than half the time.
        weight_decay: on matrices and kernels; biases and norms have none.
        clip_norm: gradient norm limit (CRMH: 35 with SGD-like scales; ours is in AdamW's).
        average: decay a step of the averaged weights, which are the result.
        seed: of the model's new layers and of sampling.
        amp: "bf16": networks run in bfloat16, losses in float32; faster on a GPU and on some processors.
        workers: loader processes.
        checkpoint_every: steps.
        log_every: steps.
    """

    steps: int = 3000
    batch: int = 8
    lr: float = 6e-4
    backbone_lr: float = 3e-4
    body_lr: float = 6e-4
    warmup: int = 150
    frozen_stages: int = 0
    frozen_attention: bool = False
    weight_decay: float = 0.02
    clip_norm: float = 10.0
    average: float = 0.998
    seed: int = 0
    amp: Amp = "none"
    workers: int = 1
    checkpoint_every: int = 200
    log_every: int = 20

    def __post_init__(self) -> None:
        for names, least in SETTING_LEAST.items():
            for name in names.split():
                if not (math.isfinite(value := getattr(self, name)) and value >= least):
                    raise ConfigError(f"training setting {name} is {value}; give at least {least:g}")
        if not self.average < 1.0:
            raise ConfigError(f"training setting average is {self.average}; give less than 1")


@runtime_checkable
class Lesson(Protocol):
    """What one step learns from: a batch of images, or of stored RoIs."""

    @property
    def ids(self) -> tuple[str, ...]:
        """Names of its parts, to name a batch that went wrong."""
        ...

    def to(self: LessonT, device: torch.device) -> LessonT:  # noqa: PYI019 - beartype takes no Self here
        """Returns it on a device."""
        ...


LessonT = TypeVar("LessonT", bound=Lesson)
LessonT_contra = TypeVar("LessonT_contra", bound=Lesson, contravariant=True)


@runtime_checkable
class Trained(Protocol[LessonT_contra]):
    """What a run minimises; `step.Objective` is one."""

    weights: LossWeights
    memory: nn.Module

    def terms(self, model: Mili, batch: LessonT_contra) -> LossTerms:
        """Gives the terms of one batch."""
        ...

    def to(self, device: torch.device) -> Trained[LessonT_contra]:
        """Moves what it holds to a device."""
        ...

    def identity(self) -> Mapping[str, str]:
        """Gives what must not change while a run is continued."""
        ...


@dataclass(slots=True, eq=False)
class TrainState:
    """Everything a checkpoint holds; `memory` is the objective's."""

    model: Mili
    memory: nn.Module
    identity: Mapping[str, str]
    averaged: dict[str, Tensor]
    optimiser: torch.optim.Optimizer
    step: int = 0
    seconds: float = 0.0


def start(
    model: Mili, objective: Trained[LessonT], settings: TrainSettings, folder: Path, device: torch.device
) -> TrainState:
    """Gives the state at the start of a run, or where its checkpoint left it.

    Args:
        model: with its initial weights.
        objective: what is minimised; both are moved to the device.
        settings: must equal those of the checkpoint.
        folder: may hold checkpoint.pt; made if need be.
        device: where to train.

    Raises:
        ConfigError: the checkpoint is of another run: other settings, model, data, body or teacher.
    """
    objective.to(device)
    _freeze(model, settings)
    state = TrainState(
        model=model.to(device, memory_format=torch.channels_last),  # type: ignore[call-overload]  # torch's stub
        memory=objective.memory,
        identity=objective.identity(),
        averaged={name: value.clone() for name, value in model.state_dict().items()},
        optimiser=torch.optim.AdamW(_parameter_groups(model, settings)),
    )
    check_same_run(folder, settings, state.identity)
    path = folder / CHECKPOINT
    if not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        return state
    stored = torch.load(path, weights_only=True, map_location=device)
    state.model.load_state_dict(stored["model"])
    state.memory.load_state_dict(stored["memory"])
    state.averaged = stored["averaged"]
    state.optimiser.load_state_dict(stored["optimiser"])
    state.step, state.seconds = stored["step"], stored["seconds"]
    return state


def check_same_run(folder: Path, settings: TrainSettings, identity: Mapping[str, str]) -> None:
    """Raises ConfigError when the folder has the checkpoint of another run, or one that cannot be read.

    Args:
        folder: of the run.
        settings: those in FREE may differ.
        identity: what else must not change, by name.
    """
    path = folder / CHECKPOINT
    if not path.is_file():
        return
    try:
        stored = torch.load(path, weights_only=True, map_location="cpu", mmap=True)
        kept = {**stored["settings"], **stored["identity"]}
    except (RuntimeError, OSError, UnpicklingError, KeyError, TypeError, EOFError) as error:
        raise ConfigError(
            f"checkpoint {path} cannot be read; remove it to start over, or give another folder"
        ) from error
    ours = {**asdict(settings), **identity}
    if changed := sorted(key for key in ours if key not in FREE and kept.get(key) != ours[key]):
        raise ConfigError(f"checkpoint {path} has other {', '.join(changed)}; give the same or another folder")


def _freeze(model: Mili, settings: TrainSettings) -> None:
    """Takes the gradients from the stem and the first stages, and from the attention; 0 stages leave the stem its own.

    Raises:
        ConfigError: the backbone has fewer stages.
    """
    stages = settings.frozen_stages
    most = len(model.backbone.first(MANY)) - len(model.backbone.first(0))
    if not 0 <= stages <= most:
        raise ConfigError(f"{stages} frozen stages are asked for; give 0 to {most}")
    frozen = [
        *(model.backbone.first(stages) if stages else ()),
        *([model.attention] if settings.frozen_attention else ()),
    ]
    for part in frozen:
        part.requires_grad_(requires_grad=False)


def _parameter_groups(model: Mili, settings: TrainSettings) -> list[dict[str, object]]:
    peaks = {"backbone": settings.backbone_lr, "smpl_head": settings.body_lr}
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        peak = peaks.get(name.partition(".")[0], settings.lr)
        decay = settings.weight_decay if parameter.ndim > 1 else 0.0
        groups.setdefault((peak, decay), []).append(parameter)
    return [
        {"params": group, "lr": peak, "peak": peak, "weight_decay": decay} for (peak, decay), group in groups.items()
    ]


def save(state: TrainState, settings: TrainSettings, folder: Path) -> None:
    """Writes the checkpoint, whole or not at all."""
    partial = folder / f"{CHECKPOINT}.partial"
    torch.save(
        {
            "settings": asdict(settings),
            "identity": dict(state.identity),
            "model": state.model.state_dict(),
            "memory": state.memory.state_dict(),
            "averaged": state.averaged,
            "optimiser": state.optimiser.state_dict(),
            "step": state.step,
            "seconds": state.seconds,
        },
        partial,
    )
    partial.replace(folder / CHECKPOINT)
