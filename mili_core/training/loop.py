"""The training loop on one machine: optimiser, averaged weights, checkpoints that resume exactly."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import cv2
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from mili_core.datasets.sample import Sample
from mili_core.errors import ConfigError, MiliError
from mili_core.nets.mili import Mili
from mili_core.training.batch import Batch, collate
from mili_core.training.step import LossTerms

Losses = Callable[[Mili, Batch], LossTerms]


@runtime_checkable
class SampleStream(Protocol):
    """An endless stream: index i gives the same sample at every run."""

    def __getitem__(self, index: int) -> Sample:
        """Gives sample `index` >= 0."""
        ...


class DivergedError(MiliError, ArithmeticError):
    """The loss is not finite; the last good checkpoint is untouched."""


@dataclass(frozen=True, slots=True)
class TrainSettings:
    """Length and pace of a training.

    Attributes:
        steps: batches in all; the schedule ends there.
        batch: images a step.
        lr: peak learning rate of the new layers (AdamW).
        backbone_lr: peak learning rate of the pretrained backbone.
        warmup: steps of linear warm-up.
        weight_decay: on matrices and kernels; biases and norms have none.
        clip_norm: gradient norm limit (CRMH: 35 with SGD-like scales; ours is in AdamW's).
        average: decay a step of the averaged weights, which are the result.
        seed: of the model's new layers and of sampling.
        workers: loader processes.
        checkpoint_every: steps.
        log_every: steps.
    """

    steps: int = 3000
    batch: int = 8
    lr: float = 6e-4
    backbone_lr: float = 3e-4
    warmup: int = 150
    weight_decay: float = 0.02
    clip_norm: float = 10.0
    average: float = 0.998
    seed: int = 0
    workers: int = 1
    checkpoint_every: int = 200
    log_every: int = 20


@dataclass(slots=True, eq=False)
class TrainState:
    """Everything a checkpoint holds."""

    model: Mili
    averaged: dict[str, Tensor]
    optimiser: torch.optim.Optimizer
    step: int = 0
    seconds: float = 0.0


def train(
    model: Mili,
    losses: Losses,
    samples: SampleStream,
    settings: TrainSettings,
    folder: Path,
    *,
    log: Callable[[str], None],
) -> dict[str, Tensor]:
    """Trains the model and gives the averaged weights; continues a checkpoint in `folder` exactly.

    Args:
        model: with its initial weights (overwritten when a checkpoint exists).
        losses: of one batch.
        samples: index i gives the i-th sample of an endless stream, the same at every run.
        settings: length and pace; must equal those of the checkpoint.
        folder: holds checkpoint.pt and log.jsonl.
        log: takes one line of progress.

    Raises:
        ConfigError: the checkpoint was made with other settings.
        DivergedError: a loss is not finite; names the batch.
    """
    state = _start(model, settings, folder)
    if state.step:
        log(f"resuming at step {state.step} of {settings.steps}")
    loader = _loader(samples, settings, first=state.step * settings.batch)
    started = time.monotonic() - state.seconds
    for batch in loader:
        terms = _step(state, losses, batch, settings)
        state.seconds = time.monotonic() - started
        if state.step % settings.log_every == 0 or state.step == settings.steps:
            _report(folder, state, terms, log)
        if state.step % settings.checkpoint_every == 0 or state.step == settings.steps:
            _save(state, settings, folder)
    return state.averaged


def freeze_norms(model: Mili) -> None:
    """Puts the model in training mode with the backbone's batch normalisation fixed (small batches; CRMH)."""
    model.train()
    for module in model.backbone.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()


def _step(state: TrainState, losses: Losses, batch: Batch, settings: TrainSettings) -> dict[str, float]:
    torch.manual_seed(settings.seed * 1_000_003 + state.step)  # sampling and dropout depend on the step alone
    freeze_norms(state.model)
    for group in state.optimiser.param_groups:
        group["lr"] = group["peak"] * _pace(state.step, settings)
    terms = losses(state.model, batch)
    total = terms.total()
    if not torch.isfinite(total):
        raise DivergedError(f"loss is {total.item()} at step {state.step}, images {', '.join(batch.ids)}")
    state.optimiser.zero_grad(set_to_none=True)
    if total.requires_grad:  # a batch may hold nothing that this stage learns from
        total.backward()  # type: ignore[no-untyped-call]  # torch's own annotation is missing
        nn.utils.clip_grad_norm_(state.model.parameters(), settings.clip_norm)
        state.optimiser.step()
    state.step += 1
    _average(state, settings)
    return terms.values()


def _pace(step: int, settings: TrainSettings) -> float:
    """Returns the share of the peak learning rate: linear warm-up, then half a cosine down to 2 %."""
    if step < settings.warmup:
        return (step + 1) / settings.warmup
    progress = (step - settings.warmup) / max(settings.steps - settings.warmup, 1)
    return 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))


def _average(state: TrainState, settings: TrainSettings) -> None:
    # The window grows with the step, so that the first, bad weights are soon forgotten.
    decay = min(settings.average, (1 + state.step) / (10 + state.step))
    for name, value in state.model.state_dict().items():
        kept = state.averaged[name]
        if value.is_floating_point():
            kept.lerp_(value, 1 - decay)
        else:
            kept.copy_(value)


def _start(model: Mili, settings: TrainSettings, folder: Path) -> TrainState:
    state = TrainState(
        model=model.to(memory_format=torch.channels_last),  # type: ignore[call-overload]  # torch's stub lacks it
        averaged={name: value.clone() for name, value in model.state_dict().items()},
        optimiser=torch.optim.AdamW(_parameter_groups(model, settings)),
    )
    path = folder / "checkpoint.pt"
    if not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        return state
    stored = torch.load(path, weights_only=True)
    ours = asdict(settings)
    changed = sorted(key for key in ours if key != "workers" and stored["settings"].get(key) != ours[key])
    if changed:
        raise ConfigError(f"checkpoint {path} has other {', '.join(changed)}; give the same or another folder")
    state.model.load_state_dict(stored["model"])
    state.averaged = stored["averaged"]
    state.optimiser.load_state_dict(stored["optimiser"])
    state.step, state.seconds = stored["step"], stored["seconds"]
    return state


def _parameter_groups(model: Mili, settings: TrainSettings) -> list[dict[str, object]]:
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        peak = settings.backbone_lr if name.startswith("backbone.") else settings.lr
        decay = settings.weight_decay if parameter.ndim > 1 else 0.0
        groups.setdefault((peak, decay), []).append(parameter)
    return [
        {"params": group, "lr": peak, "peak": peak, "weight_decay": decay} for (peak, decay), group in groups.items()
    ]


def _save(state: TrainState, settings: TrainSettings, folder: Path) -> None:
    partial = folder / "checkpoint.pt.partial"
    torch.save(
        {
            "settings": asdict(settings),
            "model": state.model.state_dict(),
            "averaged": state.averaged,
            "optimiser": state.optimiser.state_dict(),
            "step": state.step,
            "seconds": state.seconds,
        },
        partial,
    )
    partial.replace(folder / "checkpoint.pt")


def _report(folder: Path, state: TrainState, terms: dict[str, float], log: Callable[[str], None]) -> None:
    row = {"step": state.step, "seconds": round(state.seconds, 1), **{k: round(v, 4) for k, v in terms.items()}}
    with (folder / "log.jsonl").open("a") as lines:
        lines.write(json.dumps(row) + "\n")
    log(f"step {state.step} {state.seconds / 60:.1f} min " + " ".join(f"{k} {v:.3f}" for k, v in terms.items()))


class _Stream(Dataset[Sample]):
    """Samples first .. first + count - 1 of an endless stream."""

    def __init__(self, samples: SampleStream, first: int, count: int) -> None:
        self.samples, self.first, self.count = samples, first, count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Sample:
        if index >= self.count:
            raise IndexError(index)
        return self.samples[self.first + index]


def _loader(samples: SampleStream, settings: TrainSettings, *, first: int) -> Iterator[Batch]:
    stream = _Stream(samples, first, settings.steps * settings.batch - first)
    return iter(
        DataLoader(
            stream,
            batch_size=settings.batch,
            num_workers=settings.workers,
            collate_fn=collate,
            prefetch_factor=4 if settings.workers else None,
            persistent_workers=False,
            worker_init_fn=_one_thread,
        )
    )


def _one_thread(_: int) -> None:
    """Keeps a loader process from fighting the training threads."""
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
