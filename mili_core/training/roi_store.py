"""RoI features of a training stream, computed once: the SMPL head alone trains on them several times as fast.

A frozen model sees each sample of the stream once; what the SMPL head would read of it, and what is known about the
people, is kept in parts of PART samples. Parts that are there already are kept, so an interrupted run goes on.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from mili_core.config import Branch
from mili_core.errors import ConfigError
from mili_core.nets.mili import Mili
from mili_core.training.assign import Sampling
from mili_core.training.batch import Batch, normalise
from mili_core.training.bodies import BodyExamples, body_examples
from mili_core.training.checkpoint import TrainSettings
from mili_core.training.detection import find_candidates
from mili_core.training.loader import SampleStream, batches
from mili_core.training.precision import Amp, precision
from mili_core.whole_file import whole_file

PART = 512  # samples: some 6,000 RoIs, 150 MB with 64 channels; in training all parts are in memory
VIEW_BATCH = 8  # images at once
COLUMNS = tuple(field.name for field in fields(BodyExamples))


@dataclass(frozen=True, slots=True, eq=False)
class StoredRois:
    """N RoIs of the SMPL head and what is known about their people.

    Attributes:
        rois: (N, C, 14, 14) float16.
        examples: of the N RoIs; image_index and people are those of the batch that they were computed in.
        canvas: width and height of their images, px.
        ids: where they stand in the store, to name a batch that went wrong.
    """

    rois: Tensor
    examples: BodyExamples
    canvas: tuple[int, int]
    ids: tuple[str, ...] = ()

    def to(self, device: torch.device) -> StoredRois:
        """Returns the RoIs on a device."""
        columns = {name: getattr(self.examples, name).to(device) for name in COLUMNS}
        return replace(self, rois=self.rois.to(device), examples=BodyExamples(**columns))

    def drawn(self, rows: Tensor) -> StoredRois:
        """Returns the RoIs `rows` (K,) int64, in that order."""
        columns = {name: getattr(self.examples, name)[rows] for name in COLUMNS}
        ids = tuple(f"RoI {row}" for row in rows.tolist())
        return replace(self, rois=self.rois[rows], examples=BodyExamples(**columns), ids=ids)

    def from_step(self, step: int, settings: TrainSettings) -> Iterator[StoredRois]:
        """Gives `settings.batch` RoIs for each step from `step` on, drawn anew by seed and step."""
        for number in range(step, settings.steps):
            rows = np.random.default_rng((settings.seed, number, 2)).integers(len(self.rois), size=settings.batch)
            yield self.drawn(torch.from_numpy(rows))


def stored_rois(
    model: Mili,
    branch: Branch,
    samples: SampleStream,
    count: int,
    settings: TrainSettings,
    folder: Path,
    *,
    sampling: Sampling,
    origin: str,
    log: Callable[[str], None],
    device: torch.device,
) -> StoredRois:
    """Gives the RoIs of the first `count` samples (rounded up to whole parts) of a stream; computes what is missing.

    Args:
        model: whose features they are.
        branch: that it looks through.
        samples: the stream.
        count: of samples.
        settings: seed, precision and workers.
        folder: of the parts.
        sampling: examples an image.
        origin: what the RoIs depend on besides; parts with another one are refused.
        log: takes lines of progress.
        device: where to compute.

    Raises:
        ConfigError: parts of another origin, or that cannot be read, are in the folder; or nobody is in the samples, or
            somebody's keypoints or features are not finite.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"part-{number:05}.safetensors" for number in range(-(-count // PART))]
    missing = [number for number, path in enumerate(paths) if not path.is_file()]
    for path in paths:
        if path.is_file():
            _check(path, origin)
    model.eval().to(device)
    views = replace(settings, steps=len(paths) * PART // VIEW_BATCH, batch=VIEW_BATCH)
    seen: Iterator[Batch] = iter(())
    for number in missing:
        if number - 1 not in missing:  # one loader serves all parts in a row
            seen = batches(samples, views, device, first=number * PART)
        looks = []
        for view in range(number * PART, (number + 1) * PART, VIEW_BATCH):
            torch.manual_seed(settings.seed * 1_000_003 + view)  # which RoIs depends on the view alone
            looks.append(_looked_at(model, branch, next(seen).to(device), sampling, settings.amp))
        _save(paths[number], looks, origin)
        log(f"RoIs of {(number + 1) * PART} of {len(paths) * PART} samples are stored")
    return _read(paths, origin)


@torch.no_grad()
def _looked_at(model: Mili, branch: Branch, batch: Batch, sampling: Sampling, amp: Amp) -> StoredRois:
    with precision(batch.images.device, amp):
        levels = model.features(normalise(batch, model.config.pixel_mean, model.config.pixel_std), branch)
        candidates = find_candidates(levels, model.proposals(levels), model, batch, sampling)
        examples = body_examples(batch, candidates, sampling)
        rois = model.body_rois(levels, examples.boxes, examples.image_index)
    if not (torch.isfinite(rois.half()).all() and torch.isfinite(examples.points).all()):
        raise ConfigError(f"keypoints or features in images {', '.join(batch.ids)} are not finite; leave these out")
    return StoredRois(rois.half(), examples, (batch.images.shape[3], batch.images.shape[2])).to(torch.device("cpu"))


def _joined(looks: list[StoredRois]) -> StoredRois:
    """Returns the RoIs of several views."""
    if len({look.canvas for look in looks}) != 1:
        raise ConfigError("images of one size are needed to store RoIs")
    columns = {name: torch.cat([getattr(look.examples, name) for look in looks]) for name in COLUMNS}
    return StoredRois(torch.cat([look.rois for look in looks]), BodyExamples(**columns), looks[0].canvas)


def _save(path: Path, looked_at: list[StoredRois], origin: str) -> None:
    part = _joined(looked_at)
    tensors = {name: getattr(part.examples, name).contiguous() for name in COLUMNS} | {"rois": part.rois.contiguous()}
    with whole_file(path) as partial:
        save_file(tensors, partial, metadata={"origin": origin, "canvas": json.dumps(part.canvas)})


def _check(path: Path, origin: str) -> tuple[int, int]:
    """Returns the canvas of a part of this origin."""
    try:
        with safe_open(path, "pt") as part:
            metadata = part.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise ConfigError(f"{path} cannot be read ({error}); remove it, and it is computed again") from error
    if metadata.get("origin") != origin:
        raise ConfigError(f"{path} was computed with another model, data or settings; give another folder")
    width, height = json.loads(metadata["canvas"])
    return width, height


def _read(paths: Sequence[Path], origin: str) -> StoredRois:
    """Returns the RoIs of all parts; one part at a time is in memory twice."""
    canvases = {_check(path, origin) for path in paths}
    if len(canvases) != 1:
        raise ConfigError(f"{paths[0].parent} holds RoIs of images of several sizes; give another folder")
    rois, columns = [], []
    for path in paths:
        with safe_open(path, "pt") as part:
            rois.append(part.get_slice("rois").get_shape())
            columns.append(BodyExamples(**{name: part.get_tensor(name) for name in COLUMNS}))
    if sum(shape[0] for shape in rois) == 0:
        raise ConfigError("nobody is in the samples whose RoIs were to be stored; give --stored more, or other data")
    whole = torch.empty((sum(shape[0] for shape in rois), *rois[0][1:]), dtype=torch.float16)
    first = 0
    for path, shape in zip(paths, rois, strict=True):
        with safe_open(path, "pt") as part:
            whole[first : first + shape[0]] = part.get_tensor("rois")
        first += shape[0]
    joined = {name: torch.cat([getattr(part, name) for part in columns]) for name in COLUMNS}
    return StoredRois(whole, BodyExamples(**joined), canvases.pop())
