"""The training loop on one machine: steps, averaged weights, a log and checkpoints."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import Tensor, nn

from mili_core.errors import MiliError
from mili_core.losses.total import LossTerms, total_loss
from mili_core.nets.mili import Mili
from mili_core.training.batch import Batch
from mili_core.training.checkpoint import Lesson, LessonT, Trained, TrainSettings, TrainState, save, start
from mili_core.training.loader import SampleStream, batches
from mili_core.training.precision import precision

__all__ = ["DivergedError", "SampleStream", "TrainSettings", "freeze_norms", "train", "train_on"]


class DivergedError(MiliError, ArithmeticError):
    """The loss is not finite; the last good checkpoint is untouched."""


def train(
    model: Mili,
    objective: Trained[Batch],
    samples: SampleStream,
    settings: TrainSettings,
    folder: Path,
    *,
    log: Callable[[str], None],
    device: torch.device | None = None,
) -> dict[str, Tensor]:
    """Trains the model on a stream of samples, `settings.batch` a step; see `train_on`.

    Args:
        model: with its initial weights.
        objective: what is minimised.
        samples: index i gives the i-th sample of an endless stream, the same at every run.
        settings: length and pace.
        folder: holds checkpoint.pt and log.jsonl.
        log: takes one line of progress.
        device: where to train; None means the CPU.
    """
    device = device or torch.device("cpu")

    def lessons(step: int) -> Iterator[Batch]:
        return batches(samples, settings, device, first=step * settings.batch)

    return train_on(model, objective, lessons, settings, folder, log=log, device=device)


def train_on(
    model: Mili,
    objective: Trained[LessonT],
    lessons: Callable[[int], Iterator[LessonT]],
    settings: TrainSettings,
    folder: Path,
    *,
    log: Callable[[str], None],
    device: torch.device,
) -> dict[str, Tensor]:
    """Trains the model and gives the averaged weights, on the CPU; continues a checkpoint in `folder` exactly.

    Randomness of a step depends on the seed and the step alone, so a checkpoint needs no generator's state.

    Args:
        model: with its initial weights (overwritten when a checkpoint exists).
        objective: what is minimised.
        lessons: given a step, all that follow from there, one a step, the same at every run.
        settings: length and pace; must equal those of the checkpoint.
        folder: holds checkpoint.pt and log.jsonl.
        log: takes one line of progress.
        device: where to train.

    Raises:
        ConfigError: the checkpoint was made with other settings or another teacher.
        DivergedError: a loss or a gradient is not finite; names the batch.
    """
    state = start(model, objective, settings, folder, device)
    if state.step:
        log(f"resuming at step {state.step} of {settings.steps}")
    started = time.monotonic() - state.seconds
    for lesson in lessons(state.step):
        terms = _step(state, objective, lesson.to(device), settings, device)
        state.seconds = time.monotonic() - started
        if state.step % settings.log_every == 0 or state.step == settings.steps:
            _report(folder, state, terms.values(objective.weights), log)
        if state.step % settings.checkpoint_every == 0 or state.step == settings.steps:
            save(state, settings, folder)
    return {name: value.cpu() for name, value in state.averaged.items()}


def freeze_norms(model: Mili) -> None:
    """Puts the model in training mode with the backbone's batch normalisation fixed (small batches; CRMH)."""
    model.train()
    for module in model.backbone.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()


def _step(
    state: TrainState, objective: Trained[LessonT], lesson: LessonT, settings: TrainSettings, device: torch.device
) -> LossTerms:
    torch.manual_seed(settings.seed * 1_000_003 + state.step)  # sampling and dropout depend on the step alone
    freeze_norms(state.model)
    for group in state.optimiser.param_groups:
        group["lr"] = group["peak"] * _pace(state.step, settings)
    with precision(device, settings.amp):
        terms = objective.terms(state.model, lesson)
    total = total_loss(terms, objective.weights)
    if not torch.isfinite(total):
        bad = [name for name, value in terms.weighted(objective.weights).items() if not torch.isfinite(value)]
        raise _diverged(f"loss is {total.item()} ({', '.join(bad)})", state, lesson)
    state.optimiser.zero_grad(set_to_none=True)
    if total.requires_grad:  # a batch may hold nothing that this stage learns from
        total.backward()  # type: ignore[no-untyped-call]  # torch's own annotation is missing
        norm = nn.utils.clip_grad_norm_(state.model.parameters(), settings.clip_norm)
        if not torch.isfinite(norm):
            raise _diverged(f"gradient is {norm.item()}", state, lesson)
        state.optimiser.step()
    state.step += 1
    _average(state, settings)
    return terms


def _diverged(what: str, state: TrainState, lesson: Lesson) -> DivergedError:
    return DivergedError(
        f"{what} at step {state.step}, images {', '.join(lesson.ids)}; the last checkpoint is intact: look at these "
        "images, or go on in a new folder with a lower --lr"
    )


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


def _report(folder: Path, state: TrainState, terms: dict[str, float], log: Callable[[str], None]) -> None:
    row = {"step": state.step, "seconds": round(state.seconds, 1), **{k: round(v, 4) for k, v in terms.items()}}
    with (folder / "log.jsonl").open("a") as lines:
        lines.write(json.dumps(row) + "\n")
    log(f"step {state.step} {state.seconds / 60:.1f} min " + " ".join(f"{k} {v:.3f}" for k, v in terms.items()))
