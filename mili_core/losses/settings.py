"""Every number of the losses under one name: weights of the terms, and settings where the paper is silent."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import Literal

from mili_core.errors import ConfigError
from mili_core.losses import contrastive, depth_ordering, interpenetration
from mili_core.losses.body import Penalty

RoiTerm = Literal["boxes", "features"]


@dataclass(frozen=True, slots=True)
class LossWeights:
    """Weight of each term; a term of weight 0 is off and need not be computed.

    The first block is L_mul. Detection and 2D keypoints have CRMH's weights. What rendered people teach in 3D weighs
    more than there (`CRMH_WEIGHTS`): at CRMH's 1 for joints in metres and for rotations, half a million steps tell
    poses apart; in a few thousand the 2D term alone decides, and every body comes out standing. A prior fitted to
    generated poses stands for CRMH's adversary: it needs no captured poses and no second optimiser.

    Attributes:
        objectness, proposal_box: first stage of detection.
        person, box: second stage.
        joint_maps, joint_places: where the joints are, for an SMPL head that looks for them.
        keypoints, joints3d, vertices, pose, betas: the SMPL head.
        prior, shape_prior: plausible poses and shapes where there is no SMPL truth.
        interpenetration, depth_order: off; for the last stage or a GPU, see `TUNE_WEIGHTS`.
        contrastive: lambda_cs, silent in the paper; RSC-Net's share beside its other terms.
        roi: lambda_RoI (paper section 4.2).
        occlusion, restoration: L_occ and L_res, weight 1 in the paper's sum.
    """

    objectness: float = 1.0
    proposal_box: float = 1.0
    person: float = 1.0
    box: float = 1.0
    keypoints: float = 4.0
    joint_maps: float = 0.5
    joint_places: float = 8.0
    joints3d: float = 10.0
    vertices: float = 2.0
    pose: float = 10.0
    betas: float = 0.02
    prior: float = 0.01
    shape_prior: float = 0.002
    interpenetration: float = 0.0
    depth_order: float = 0.0
    contrastive: float = 0.025
    roi: float = 1e-8
    occlusion: float = 1.0
    restoration: float = 1.0

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if not (math.isfinite(value) and value >= 0.0):
                raise ConfigError(f"loss weight {name} is {value}; give a finite number of at least 0")


CRMH_WEIGHTS = LossWeights(joints3d=1.0, vertices=1.0, pose=1.0, betas=0.01)
"""CRMH's weights, for as many steps as it takes (spec section 2.1)."""

TUNE_WEIGHTS = replace(CRMH_WEIGHTS, interpenetration=0.01, depth_order=100.0)
"""Weights of CRMH's last stage, in which errors of joints are squared."""

BODY_TERMS = (
    "keypoints", "joint_maps", "joint_places", "joints3d", "vertices", "pose", "betas", "prior", "shape_prior"
)  # fmt: skip
LITE_BODY_SHARE = 0.5
LITE_WEIGHTS = replace(
    LossWeights(restoration=0.02),
    **{name: LITE_BODY_SHARE * getattr(LossWeights(), name) for name in BODY_TERMS},
)
"""Weights for `mili_lite`. L_res is in units of P5 squared, of which the first teacher's mean was 58: at weight 1 its
gradient on the backbone was 45 times that of any other term, so that nothing else was learnt. Later teachers' means
are 100 to 300 on photos and up to 2,500 on images without people, whose L_res then leads. Terms of
bodies have a share of theirs: in full, their gradient on backbone and pyramid was several times that of detection,
which learnt no more; at .15, with which the first stages were trained, bodies got little from the backbone. The
SMPL head itself learns as fast with any share, for its steps do not depend on its gradient's scale (AdamW)."""


def suited_weights(model: str, *, tune: bool = False) -> LossWeights:
    """Gives the weights for a model by its name; `tune` adds interpenetration and depth ordering."""
    weights = LITE_WEIGHTS if model == "mili_lite" else CRMH_WEIGHTS
    if not tune:
        return weights
    return replace(weights, interpenetration=TUNE_WEIGHTS.interpenetration, depth_order=TUNE_WEIGHTS.depth_order)


@dataclass(frozen=True, slots=True)
class LossSettings:
    """How the terms are computed.

    Attributes:
        weights: of the terms.
        gamma: temperature of L_cs (paper section 4.2).
        queue_length: features that L_cs contrasts with (paper section 4.2).
        penalty: of errors of joints, in 2D and in 3D (CRMH: "mse" in its last stage).
        roi_term: what L_RoI compares, refined boxes or RoI features; the paper's text and its 1e-8 fit boxes.
        depth_stride: canvas px a pixel of the depth ordering's rasters.
        volume_cells: cells a side of the interpenetration's volumes (CRMH: 32).
    """

    weights: LossWeights = LossWeights()
    gamma: float = contrastive.GAMMA
    queue_length: int = contrastive.QUEUE_LENGTH
    penalty: Penalty = "l1"
    roi_term: RoiTerm = "boxes"
    depth_stride: int = depth_ordering.STRIDE
    volume_cells: int = interpenetration.CELLS

    def __post_init__(self) -> None:
        if not (math.isfinite(self.gamma) and self.gamma > 0.0):
            raise ConfigError(f"loss setting gamma is {self.gamma}; give a finite number above 0")
        for name in ("queue_length", "depth_stride", "volume_cells"):
            if getattr(self, name) < 1:
                raise ConfigError(f"loss setting {name} is {getattr(self, name)}; give at least 1")
