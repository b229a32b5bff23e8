"""The stages of training: sharp images first, then their low-resolution twins under the first stage's guidance."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from copy import deepcopy
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Literal

import torch

from mili_core.body import BodyModel, SkinnedBody, load_body
from mili_core.config import MILI_LITE, Branch, ModelConfig
from mili_core.datasets.mixture import TrainingMixture
from mili_core.datasets.twins import TwinStream
from mili_core.errors import ConfigError
from mili_core.losses.settings import LossSettings
from mili_core.nets.mili import Mili
from mili_core.training.assign import Sampling
from mili_core.training.bodies import BodySupervision
from mili_core.training.checkpoint import check_same_run
from mili_core.training.initial import initial_model, known_poses, read_teacher, same_head, student_of
from mili_core.training.kept_weights import WEIGHTS, KeptWeights, recommended_score, refuse_own_weights
from mili_core.training.loop import TrainSettings, train, train_on
from mili_core.training.origin import rois_origin, run_origin
from mili_core.training.roi_store import stored_rois
from mili_core.training.sources import TrainingData, all_sources, box_sources, keypoint_sources, stream, with_renders
from mili_core.training.step import Objective, Plan, Teacher
from mili_core.training.stored_bodies import StoredBodies
from mili_core.weights import read_weights

Stage = Literal["detection", "hr", "lr", "body"]


@dataclass(frozen=True, slots=True)
class Recipe:
    """One stage.

    Attributes:
        stage: "hr": all heads on sharp images; "lr": all heads, masks and restoration on low-resolution twins, guided
            by a teacher; "detection": boxes (and masks on the LR branch) alone; "body": the SMPL head alone.
        branch: of "detection" and "body" (None: "hr"); the others have their own.
        config: the model.
        initial: weights to start from; None means the teacher's, or else ImageNet's backbone.
        teacher: weights of stage "hr".
        body: npz of the body to regress, None for the open body.
        mask_network, restoration, contrastive: False takes these parts out (the paper's Table 3).
        losses: weights and settings of the terms.
        sampling: examples an image.
        stored: of stage "body": the RoIs of this many samples, rounded up to whole parts, are computed once and kept
            beside the checkpoint and in memory; a step then takes RoIs, not images. 0 computes those of each step.
        score_threshold: stored in the weights; None means what the run's earlier weights recommend,
            or those that it starts from, or else SCORE_THRESHOLD.
        keep_weights: the weights of every checkpoint stay, as weights-STEP.safetensors: what a curve of validation
            figures over the run is drawn from.

    Raises:
        ConfigError: "lr" without teacher, a teacher elsewhere, a branch or losses that the stage has not, RoIs stored
            for another stage than "body" or of untrained weights, or a score outside 0..1.
    """

    stage: Stage
    branch: Branch | None = None
    config: ModelConfig = MILI_LITE
    initial: Path | None = None
    teacher: Path | None = None
    body: Path | None = None
    mask_network: bool = True
    restoration: bool = True
    contrastive: bool = True
    losses: LossSettings = field(default_factory=LossSettings)
    sampling: Sampling = field(default_factory=Sampling)
    stored: int = 0
    score_threshold: float | None = None
    keep_weights: bool = False

    def __post_init__(self) -> None:
        if self.stage == "lr" and self.teacher is None:
            raise ConfigError("stage lr needs --teacher, the weights that stage hr wrote")
        if self.stage != "lr" and self.teacher is not None:
            raise ConfigError(f"stage {self.stage} has no teacher; leave --teacher out")
        if self.stage in {"hr", "lr"} and self.branch not in {None, self.stage}:
            raise ConfigError(f"stage {self.stage} trains its own branch; leave --branch out")
        if self.stage != "lr" and not self.contrastive:
            raise ConfigError(f"stage {self.stage} has no contrastive loss; leave --no-contrastive out")
        if self.stage == "detection" and self.losses.penalty == "mse":
            raise ConfigError("stage detection trains no bodies; leave --tune out")
        if self.score_threshold is not None and not 0.0 <= self.score_threshold <= 1.0:
            raise ConfigError(f"--score-threshold {self.score_threshold} is not possible; give 0 to 1")
        if self.stored < 0 or (self.stored and self.stage != "body"):
            raise ConfigError(f"--stored {self.stored} is not possible; give 1 or more, in stage body only")
        if self.stored and self.initial is None:
            raise ConfigError("--stored keeps features of trained weights; name these with --initial")

    @property
    def trained_branch(self) -> Branch:
        """The branch that is trained."""
        if self.stage == "hr" or self.stage == "lr":  # noqa: PLR1714 - which mypy does not narrow
            return self.stage
        return self.branch or "hr"

    @property
    def model_config(self) -> ModelConfig:
        """The model with the parts that stay."""
        return replace(
            self.config,
            mask_network=self.config.mask_network and self.mask_network,
            restoration=self.config.restoration and self.restoration,
        )

    @property
    def plan(self) -> Plan:
        """What the stage trains on."""
        weights = self.losses.weights if self.contrastive else replace(self.losses.weights, contrastive=0.0)
        heads: Literal["all", "body"] = "body" if self.stage == "body" else "all"
        return Plan(self.trained_branch, heads, replace(self.losses, weights=weights), self.sampling)


def train_stage(
    recipe: Recipe,
    data: TrainingData,
    settings: TrainSettings,
    folder: Path,
    *,
    log: Callable[[str], None],
    device: torch.device | None = None,
) -> Path:
    """Trains one stage and gives the path of its weights, folder/weights.safetensors, renewed at each checkpoint.

    Args:
        recipe: the stage.
        data: what to train on.
        settings: length and pace.
        folder: checkpoints; continued where they exist.
        log: takes lines of progress.
        device: where to train; None means the CPU.
    """
    _keep_memory()
    starts = [path for path in (recipe.initial, recipe.teacher) if path is not None]
    refuse_own_weights(folder, starts)
    score = recommended_score(recipe.score_threshold, folder, starts)
    device = device or torch.device("cpu")
    model, teacher = _models(recipe, settings.seed)
    body = load_body(recipe.body)
    bodies = None if recipe.stage == "detection" else _supervision(model, recipe, body)
    samples = _samples(recipe, data, settings.seed, body)
    origin = run_origin(recipe, data, model.config, body.sha256)
    notes = _notes(recipe, data, settings, teacher)
    regressed = None if bodies is None else body
    keep = KeptWeights(folder, model.config, regressed, score, notes, recipe.keep_weights)
    if recipe.stored:
        assert bodies is not None
        whence = rois_origin(recipe, data, settings, model.config, body.sha256)
        alone = StoredBodies(recipe.losses, bodies, f"{whence} {recipe.stored}", origin)
        check_same_run(folder, settings, alone.identity())  # before minutes go into the RoIs
        rois = stored_rois(
            model,
            recipe.trained_branch,
            samples,
            recipe.stored,
            settings,
            folder / "rois",
            sampling=recipe.sampling,
            origin=whence,
            log=log,
            device=device,
        )
        lessons = partial(rois.from_step, settings=settings)
        train_on(model, alone, lessons, settings, folder, log=log, device=device, keep=keep)
    else:
        objective = Objective(recipe.plan, bodies, teacher, origin)
        train(model, objective, samples, settings, folder, log=log, device=device, keep=keep)
    return folder / WEIGHTS


def _models(recipe: Recipe, seed: int) -> tuple[Mili, Teacher | None]:
    """Returns the model to train, and its teacher in stage "lr"."""
    config = recipe.model_config
    if recipe.teacher is None:
        return initial_model(config, seed, recipe.initial), None
    stored = read_teacher(recipe.teacher, config)
    taught = initial_model(stored.config, seed, recipe.teacher)
    student = (
        student_of(taught, config, seed) if recipe.initial is None else initial_model(config, seed, recipe.initial)
    )
    return student, Teacher.of(deepcopy(taught), stored.sha256)


def _supervision(model: Mili, recipe: Recipe, body: BodyModel) -> BodySupervision:
    """Returns what the SMPL head is held to; a head not yet trained for this body starts at the mean pose."""
    mean, prior = known_poses()
    start = recipe.initial or recipe.teacher
    earlier = None if start is None else read_weights(start)
    if earlier is None or earlier.body_sha256 != body.sha256 or not same_head(earlier.config, model.config):
        model.smpl_head.set_initial_pose(mean)
    return BodySupervision(SkinnedBody(body), prior, torch.from_numpy(body.faces.copy()))


def _samples(recipe: Recipe, data: TrainingData, seed: int, body: BodyModel) -> TrainingMixture | TwinStream:
    twins = recipe.trained_branch == "lr"
    if recipe.stage == "detection":
        sources = box_sources(data)
        if data.render_detection:
            sources = with_renders(sources, data, body)
        return stream(sources, data, seed, twins=twins)
    if recipe.stage == "body":
        return stream(with_renders(keypoint_sources(data), data, body), data, seed, twins=twins, people_only=True)
    return stream(with_renders(all_sources(data), data, body), data, seed, twins=twins)


def _notes(recipe: Recipe, data: TrainingData, settings: TrainSettings, teacher: Teacher | None) -> dict[str, object]:
    return {
        "stage": recipe.stage,
        "branch": recipe.trained_branch,
        "contrastive": recipe.contrastive,
        "losses": asdict(recipe.plan.losses),
        "renders": data.renders,
        "render_detection": data.render_detection,
        "canvas": list(data.canvas),
        "twins": asdict(data.twins),
        "teacher_sha256": "" if teacher is None else teacher.sha256,
        "settings": asdict(settings),
        "stored": recipe.stored,
    }


def _keep_memory() -> None:
    """Makes glibc keep freed memory: training allocates the same large buffers every step (7 % faster)."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for option, value in ((-4, 0), (-1, 2**31 - 1), (-2, 2**28)):  # M_MMAP_MAX, M_TRIM_THRESHOLD, M_TOP_PAD
            mallopt(option, value)
