"""One training step: features once, then each head on its examples, then what the teacher adds (paper eq. 2)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from types import MappingProxyType
from typing import Literal

import torch
from torch import Tensor, nn

from mili_core.config import Branch
from mili_core.errors import ConfigError
from mili_core.losses.contrastive import FeatureQueue
from mili_core.losses.settings import LossSettings
from mili_core.losses.total import LossTerms
from mili_core.nets.mili import Mili
from mili_core.training.assign import Sampling
from mili_core.training.batch import Batch, normalise
from mili_core.training.bodies import BodySupervision, body_examples, body_terms
from mili_core.training.detection import detection_terms, find_candidates, mask_term
from mili_core.training.guidance import contrastive_term, restoration_term, roi_guidance_term, teach

Heads = Literal["all", "body"]


@dataclass(frozen=True, slots=True, eq=False)
class Teacher:
    """The frozen high-resolution branch: it stands outside the optimiser and the averaged weights.

    Attributes:
        model: in eval mode, without gradients.
        sha256: of the weights file that it came from.
    """

    model: Mili
    sha256: str

    @staticmethod
    def of(model: Mili, sha256: str) -> Teacher:
        """Gives a model as a teacher; it is frozen from now on."""
        return Teacher(model.eval().requires_grad_(requires_grad=False), sha256)


@dataclass(frozen=True, slots=True)
class Plan:
    """What a stage trains on.

    Attributes:
        branch: whose attention is used; masks and restoration are the LR branch's.
        heads: "all", or "body": the SMPL head alone, on true boxes, the rest as it is.
        losses: weights and settings of the terms.
        sampling: examples an image.
    """

    branch: Branch = "lr"
    heads: Heads = "all"
    losses: LossSettings = field(default_factory=LossSettings)
    sampling: Sampling = field(default_factory=Sampling)


class Objective:
    """The terms of a stage, and what they remember from step to step.

    Args:
        plan: what is trained.
        bodies: supervision of the SMPL head; None leaves its terms out.
        teacher: of the LR stage; None leaves guidance out.
        origin: what else the run depends on, by name; a checkpoint of another one is not continued.

    Raises:
        ConfigError: a teacher on the HR branch, or bodies alone without supervision.
    """

    def __init__(
        self,
        plan: Plan,
        bodies: BodySupervision | None = None,
        teacher: Teacher | None = None,
        origin: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        if teacher is not None and (plan.branch == "hr" or plan.heads == "body"):
            raise ConfigError("a teacher guides all heads of the LR branch only; leave it out")
        if plan.heads == "body" and bodies is None:
            raise ConfigError("the SMPL head cannot be trained without a body")
        self.plan = plan
        self.weights = plan.losses.weights
        self._bodies = bodies
        self._teacher = teacher
        self._origin = origin
        channels = 0 if teacher is None else teacher.model.config.fpn_channels
        self.memory: nn.Module = FeatureQueue(channels, plan.losses.queue_length) if channels else nn.Module()

    def to(self, device: torch.device) -> Objective:
        """Moves what the objective holds to a device; returns itself."""
        self.memory.to(device)
        if self._teacher is not None:
            self._teacher.model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        if self._bodies is not None:
            self._bodies = self._bodies.to(device)
        return self

    def identity(self) -> Mapping[str, str]:
        """Returns what must not change while a run is continued: origin, plan and teacher, as text."""
        plan = json.dumps(asdict(self.plan), sort_keys=True)
        return {
            **self._origin,
            "stage's plan": hashlib.sha256(plan.encode()).hexdigest(),
            "teacher": "" if self._teacher is None else self._teacher.sha256,
        }

    def terms(self, model: Mili, batch: Batch) -> LossTerms:
        """Gives the terms of one batch, not weighted.

        Args:
            model: in training mode (batch normalisation of the backbone in eval mode).
            batch: on the model's device; with sharp images where there is a teacher.
        """
        if self.plan.heads == "body":
            return self._body_alone(model, batch)
        plan, settings = self.plan, self.plan.losses
        unrestored = _pyramid(model, batch, plan.branch)
        top = unrestored[-1]
        levels = model.restored(unrestored, plan.branch)
        output = model.proposals(levels)
        candidates = find_candidates(levels, output, model, batch, plan.sampling)
        terms = detection_terms(model, levels, output, candidates, batch, plan.sampling)
        if plan.branch == "lr" and model.mask_head is not None and self.weights.occlusion > 0.0:
            terms = replace(terms, occlusion=mask_term(model, levels, candidates, batch))
        if self._bodies is not None:
            examples = body_examples(batch, candidates, plan.sampling)
            terms = _joined(terms, body_terms(model, levels, examples, self._bodies, batch, settings))
        return terms if self._teacher is None else _joined(terms, self._guidance(model, top, levels, batch))

    def _guidance(self, model: Mili, top: Tensor, levels: list[Tensor], batch: Batch) -> LossTerms:
        assert self._teacher is not None
        assert isinstance(self.memory, FeatureQueue)
        settings, weights = self.plan.losses, self.weights
        lesson = teach(self._teacher.model, batch, self.plan.sampling, settings.roi_term)
        terms = LossTerms()
        if weights.contrastive > 0.0:
            terms = replace(terms, contrastive=contrastive_term(top, lesson, batch, self.memory, settings.gamma))
        if weights.roi > 0.0 and len(lesson.rois):
            terms = replace(terms, roi=roi_guidance_term(model, levels, lesson, batch, settings.roi_term))
        if weights.restoration > 0.0 and model.restoration is not None:
            terms = replace(terms, restoration=restoration_term(model, top, levels, lesson, batch))
        return terms

    def _body_alone(self, model: Mili, batch: Batch) -> LossTerms:
        assert self._bodies is not None
        with torch.no_grad():
            levels = model.restored(_pyramid(model, batch, self.plan.branch), self.plan.branch)
        examples = body_examples(batch, None, self.plan.sampling)
        return body_terms(model, levels, examples, self._bodies, batch, self.plan.losses)


def _pyramid(model: Mili, batch: Batch, branch: Branch) -> list[Tensor]:
    """Returns P2..P5 before restoration."""
    images = normalise(batch, model.config.pixel_mean, model.config.pixel_std)
    levels: list[Tensor] = model.neck(model.backbone(model.attend(images, branch)))
    return levels


def _joined(terms: LossTerms, more: LossTerms) -> LossTerms:
    """Returns the terms of both; no term is in both."""
    return replace(
        terms, **{name: getattr(more, name) for name in LossTerms.__slots__ if getattr(more, name) is not None}
    )
