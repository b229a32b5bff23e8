"""The stages that make the default weights: detection, then everything, then the SMPL head alone."""

from __future__ import annotations

import ctypes
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from mili_core.body import BodyModel, SkinnedBody, load_body
from mili_core.config import ModelConfig
from mili_core.datasets.augment import AugmentSettings
from mili_core.datasets.mixture import MixtureSource, TrainingMixture
from mili_core.errors import ConfigError
from mili_core.nets.mili import Mili
from mili_core.synth.samples import RenderSource
from mili_core.training.assign import Sampling
from mili_core.training.initial import initial_model, known_poses
from mili_core.training.loop import Losses, TrainSettings, train
from mili_core.training.sources import keypoint_sources, mixture, photo_sources
from mili_core.training.step import BodySupervision, body_losses_only, training_losses
from mili_core.weights import read_weights, save_weights

Stage = Literal["detection", "full", "body"]


@dataclass(frozen=True, slots=True)
class TrainingData:
    """Folders of photos, and the share of rendered samples (not in the detection stage)."""

    photos: Path
    squeezed: Path | None
    sport: Path | None
    renders: float


def train_stage(
    stage: Stage,
    config: ModelConfig,
    data: TrainingData,
    settings: TrainSettings,
    folder: Path,
    *,
    initial: Path | None,
    body: Path | None,
    score_threshold: float,
    log: Callable[[str], None],
) -> Path:
    """Trains one stage and gives the path of its weights, folder/weights.safetensors.

    Args:
        stage: "detection": RPN, box and mask heads; "full": these and the SMPL head; "body": the SMPL head alone.
        config: the model.
        data: what to train on.
        settings: length and pace.
        folder: checkpoints; continued where they exist.
        initial: earlier weights, or None.
        body: npz of the body to regress, or None for the open body.
        score_threshold: stored in the weights.
        log: takes lines of progress.
    """
    if not 0.0 <= data.renders < 1.0:
        raise ConfigError(f"share of renders {data.renders} is not in 0..1 (1 excluded)")
    _keep_memory()
    model = initial_model(config, settings.seed, initial)
    supervision, name, sha256 = None, "none", ""
    if stage != "detection":
        loaded = load_body(body)
        name, sha256 = loaded.name, loaded.sha256
        fresh = initial is None or read_weights(initial).body_sha256 != sha256
        supervision = _body_supervision(model, loaded, fresh=fresh)
    losses: Losses = partial(training_losses, bodies=supervision, sampling=Sampling())
    if stage == "body":
        assert supervision is not None
        losses = partial(body_losses_only, bodies=supervision, sampling=Sampling())
    averaged = train(model, losses, _stream(stage, data, settings.seed, body), settings, folder, log=log)
    model.load_state_dict(averaged)
    notes = {"stage": stage, "settings": asdict(settings), "seconds": _seconds(folder)}
    path = folder / "weights.safetensors"
    save_weights(path, model, config, body_name=name, body_sha256=sha256, score_threshold=score_threshold, notes=notes)
    return path


def _body_supervision(model: Mili, body: BodyModel, *, fresh: bool) -> BodySupervision:
    """Returns what the SMPL head is held to; a head not yet trained for this body starts at the mean pose."""
    mean, prior = known_poses()
    if fresh:
        model.smpl_head.set_initial_pose(mean)
    return BodySupervision(SkinnedBody(body), prior)


def _stream(stage: Stage, data: TrainingData, seed: int, body: Path | None) -> TrainingMixture:
    if stage == "detection":
        return mixture(photo_sources(data.photos, data.squeezed, None), AugmentSettings(), seed)
    sources = photo_sources(data.photos, data.squeezed, data.sport)
    if stage == "body":
        sources = keypoint_sources(data.photos, data.sport)
    renders = _render_source(sources, load_body(body), data.renders)
    return mixture([*sources, renders], AugmentSettings(), seed, people_only=stage == "body")


def _render_source(photos: list[MixtureSource], body: BodyModel, share: float) -> MixtureSource:
    weight = sum(source.weight for source in photos) * share / (1.0 - share)
    settings = AugmentSettings()
    return MixtureSource("renders", RenderSource(body, settings.width, settings.height), weight, change="photometric")


def _seconds(folder: Path) -> float:
    lines = (folder / "log.jsonl").read_text().splitlines()
    return float(json.loads(lines[-1])["seconds"]) if lines else 0.0


def _keep_memory() -> None:
    """Makes glibc keep freed memory: training allocates the same large buffers every step (7 % faster)."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for option, value in ((-4, 0), (-1, 2**31 - 1), (-2, 2**28)):  # M_MMAP_MAX, M_TRIM_THRESHOLD, M_TOP_PAD
            mallopt(option, value)
