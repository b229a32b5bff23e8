"""What is minimised (paper eq. 2): L = L_base + L_occ + L_res, L_base = L_mul + lambda_cs L_cs + lambda_RoI L_RoI."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields

import torch
from jaxtyping import Float
from torch import Tensor

from mili_core.losses.settings import LossWeights

GUIDANCE = ("contrastive", "roi")
LOW_RESOLUTION_ONLY = ("occlusion", "restoration")


@dataclass(frozen=True, slots=True, eq=False)
class LossTerms:
    """The terms of one step before weighting, scalars; None where a stage does not have the term.

    Names are those of `LossWeights`.
    """

    objectness: Tensor | None = None
    proposal_box: Tensor | None = None
    person: Tensor | None = None
    box: Tensor | None = None
    keypoints: Tensor | None = None
    joint_maps: Tensor | None = None
    joint_places: Tensor | None = None
    joints3d: Tensor | None = None
    vertices: Tensor | None = None
    pose: Tensor | None = None
    betas: Tensor | None = None
    prior: Tensor | None = None
    shape_prior: Tensor | None = None
    interpenetration: Tensor | None = None
    depth_order: Tensor | None = None
    contrastive: Tensor | None = None
    roi: Tensor | None = None
    occlusion: Tensor | None = None
    restoration: Tensor | None = None

    def weighted(self, weights: LossWeights) -> dict[str, Tensor]:
        """Returns the terms that count, weighted, in the order of the fields.

        A term of weight 0 is left out: 0 times what is not finite would not be 0.
        """
        found = {}
        for name in ALL_TERMS:
            term, weight = getattr(self, name), getattr(weights, name)
            if term is not None and weight > 0.0:
                found[name] = term * weight
        return found

    def values(self, weights: LossWeights) -> dict[str, float]:
        """Returns the weighted terms as numbers, for the log; terms that are off are 0."""
        found = self.weighted(weights)
        return {name: found[name].item() if name in found else 0.0 for name in ALL_TERMS}


ALL_TERMS = tuple(field.name for field in fields(LossTerms))
MULTI_PERSON = tuple(name for name in ALL_TERMS if name not in GUIDANCE + LOW_RESOLUTION_ONLY)


def multi_person_loss(terms: LossTerms, weights: LossWeights) -> Float[Tensor, ""]:
    """Gives L_mul: detection, bodies and their order in space, at either resolution."""
    return _sum(terms, weights, MULTI_PERSON)


def base_loss(terms: LossTerms, weights: LossWeights) -> Float[Tensor, ""]:
    """Gives L_base (eq. 2)."""
    return _sum(terms, weights, (*MULTI_PERSON, *GUIDANCE))


def total_loss(terms: LossTerms, weights: LossWeights) -> Float[Tensor, ""]:
    """Gives L_base + L_occ + L_res."""
    return _sum(terms, weights, ALL_TERMS)


def _sum(terms: LossTerms, weights: LossWeights, names: Iterable[str]) -> Tensor:
    weighted = terms.weighted(weights)
    chosen = [weighted[name] for name in names if name in weighted]
    return torch.stack(chosen).sum() if chosen else torch.zeros(())
