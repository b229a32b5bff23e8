"""Losses of the maps of joints: the right cells, and the right mean place (Mask R-CNN's and integral regression's)."""

from __future__ import annotations

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor

SPREAD_CELLS = 0.7  # standard deviation of the target about the joint
HIDDEN_SHARE = 0.3  # of a visible joint's weight: where a hidden one is can be guessed only
BEYOND = 0.1  # RoI sides: a joint farther outside than this is not looked for

# COCO's limbs and the joints of the body that they stand for; hips differ by centimetres, faces have no joint.
LIMBS = ((5, 16), (6, 17), (7, 18), (8, 19), (9, 20), (10, 21), (13, 4), (14, 5), (15, 7), (16, 8))


def joint_places(
    points: Float[Tensor, "n 41 3"],
    posed: Bool[Tensor, " n"],
    rois: Float[Tensor, "n 4"],
    share: Float[Tensor, " n"],
) -> tuple[Float[Tensor, "n 24 2"], Float[Tensor, "n 24"]]:
    """Gives where joints are in their RoIs, and how much each counts.

    Whose joints are known is held to these, hidden ones less; anybody else to COCO's limbs.

    Args:
        points: 17 keypoints and 24 joints: x, y (network px), confidence.
        posed: whose joints are known.
        rois: network px.
        share: how much each person counts.

    Returns:
        Places in units of the RoI's sides, and weights, 0 for what is unknown or not in the RoI.
    """
    joints = points[:, 17:]
    limbs = torch.zeros_like(joints)
    for keypoint, joint in LIMBS:
        limbs[:, joint] = points[:, keypoint]
    chosen = torch.where(posed[:, None, None], joints, limbs)
    places = (chosen[..., :2] - rois[:, None, :2]) / (rois[:, 2:] - rois[:, :2]).clamp(min=1.0)[:, None]
    sure = chosen[..., 2].clamp(0, 1)
    sure = torch.where(posed[:, None], sure.clamp(min=HIDDEN_SHARE), sure)
    inside = ((places > -BEYOND) & (places < 1 + BEYOND)).all(dim=2)
    return places, sure * inside * share[:, None]


def joint_map_loss(
    logits: Float[Tensor, "n j p"], places: Float[Tensor, "n j 2"], weight: Float[Tensor, "n j"]
) -> Float[Tensor, ""]:
    """Gives the mean cross-entropy of maps with Gaussians about the joints, nats above the Gaussians' own entropy.

    Args:
        logits: of the p = side * side cells, row by row.
        places: x, y in units of the sides.
        weight: of each joint.
    """
    side = math.isqrt(logits.shape[2])
    middles = torch.arange(side, device=logits.device) + 0.5
    near = torch.exp(-0.5 * torch.square((middles - places[..., None] * side) / SPREAD_CELLS))
    target = (near[..., 1, :, None] * near[..., 0, None, :]).flatten(2)
    target = target / target.sum(dim=2, keepdim=True).clamp(min=1e-9)
    away = target * (target.clamp(min=1e-9).log() - logits.float().log_softmax(dim=2))
    return (away.sum(dim=2) * weight).sum() / weight.sum().clamp(min=1e-6)


def joint_place_loss(
    found: Float[Tensor, "n j 2"], places: Float[Tensor, "n j 2"], weight: Float[Tensor, "n j"]
) -> Float[Tensor, ""]:
    """Gives the mean L1 distance of mean places a coordinate, in units of the RoI's sides."""
    return ((found - places).abs().mean(dim=2) * weight).sum() / weight.sum().clamp(min=1e-6)
