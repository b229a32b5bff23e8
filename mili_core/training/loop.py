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
from mili_core.training.checkpoint import CHECKPOINT, Lesson, LessonT, Trained, TrainSettings, TrainState, save, start
from mili_core.training.kept_weights import WEIGHTS
from mili_core.training.loader import SampleStream, batches
from mili_core.training.precision import precision

__all__ = ["DivergedError", "SampleStream", "TrainSettings", "freeze_norms", "train", "train_on"]

LOG = "log.jsonl"  # in a run's folder, beside its checkpoint

Keep = Callable[[dict[str, Tensor], int, float], None]
"""Takes averaged weights on the CPU, the step that they are of, and the seconds until then."""


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
    keep: Keep | None = None,
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
        keep: takes the averaged weights whenever a checkpoint is written, and at the end.
    """
    device = device or torch.device("cpu")

    def lessons(step: int) -> Iterator[Batch]:
        return batches(samples, settings, device, first=step * settings.batch)

    return train_on(model, objective, lessons, settings, folder, log=log, device=device, keep=keep)


def train_on(
    model: Mili,
    objective: Trained[LessonT],
    lessons: Callable[[int], Iterator[LessonT]],
    settings: TrainSettings,
    folder: Path,
    *,
    log: Callable[[str], None],
    device: torch.device,
    keep: Keep | None = None,
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
        keep: takes the averaged weights whenever a checkpoint is written, and at the end.

    Raises:
        ConfigError: the checkpoint is of another run.
        DivergedError: a loss or a gradient is not finite; names the batch.
    """
    state = start(model, objective, settings, folder, device)
    _cut_log(folder, state.step)
    if state.step:
        log(f"resuming at step {state.step} of {settings.steps}")
    started = time.monotonic() - state.seconds
    for lesson in lessons(state.step):
        terms = _step(state, objective, lesson.to(device), settings, folder, device)
        state.seconds = time.monotonic() - started
        if state.step % settings.log_every == 0 or state.step == settings.steps:
            _report(folder, state, terms.values(objective.weights), log)
        if state.step % settings.checkpoint_every == 0 or state.step == settings.steps:
            if keep is not None and state.step < settings.steps:
                keep(_averaged(state), state.step, state.seconds)
            save(state, settings, folder)  # last: a run that is stopped before it writes the same weights again
    if keep is not None:
        keep(_averaged(state), state.step, state.seconds)
    return _averaged(state)


def freeze_norms(model: Mili) -> None:
    """Puts the model in training mode with the backbone's batch normalisation fixed (small batches; CRMH)."""
    model.train()
    for module in model.backbone.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()


def _averaged(state: TrainState) -> dict[str, Tensor]:
    return {name: value.cpu() for name, value in state.averaged.items()}


def _step(
    state: TrainState,
    objective: Trained[LessonT],
    lesson: LessonT,
    settings: TrainSettings,
    folder: Path,
    device: torch.device,
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
        raise _diverged(f"loss is {total.item()} ({', '.join(bad)})", state, lesson, folder)
    state.optimiser.zero_grad(set_to_none=True)
    if total.requires_grad:  # a batch may hold nothing that this stage learns from
        total.backward()  # type: ignore[no-untyped-call]  # torch's own annotation is missing
        norm = nn.utils.clip_grad_norm_(state.model.parameters(), settings.clip_norm)
        if not torch.isfinite(norm):
            raise _diverged(f"gradient is {norm.item()}", state, lesson, folder)
        state.optimiser.step()
    state.step += 1
    _average(state, settings)
    return terms


def _diverged(what: str, state: TrainState, lesson: Lesson, folder: Path) -> DivergedError:
    kept = (folder / CHECKPOINT).is_file()
    weights = f"the weights of the last checkpoint, --initial {folder / WEIGHTS}, and " if kept else ""
    return DivergedError(
        f"{what} at step {state.step}, images {', '.join(lesson.ids)}; "
        f"{'the last checkpoint is intact' if kept else 'there is no checkpoint yet'}: look at these images, or go on "
        f"in a new folder with {weights}a lower --lr"
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


def _cut_log(folder: Path, step: int) -> None:
    """Takes rows from the log that an interrupted run wrote after its last checkpoint: they come again."""
    path = folder / LOG
    if path.is_file():
        rows = path.read_text().splitlines(keepends=True)
        path.write_text("".join(row for row in rows if row.endswith("\n") and json.loads(row)["step"] <= step))


def _report(folder: Path, state: TrainState, terms: dict[str, float], log: Callable[[str], None]) -> None:
    row = {"step": state.step, "seconds": round(state.seconds, 1), **{k: float(f"{v:.4g}") for k, v in terms.items()}}
    with (folder / LOG).open("a") as lines:
        lines.write(json.dumps(row) + "\n")
    log(f"step {state.step} {state.seconds / 60:.1f} min " + " ".join(f"{k} {v:.3g}" for k, v in terms.items()))
