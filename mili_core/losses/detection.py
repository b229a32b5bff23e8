"""Losses of the two detection stages (Faster R-CNN; weights of CRMH, spec section 2.1: all 1)."""

from __future__ import annotations

import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor

RPN_BETA = 1.0 / 9.0  # smooth-L1 turning point of the first stage (Faster R-CNN)
BOX_BETA = 1.0  # and of the second


def rpn_loss(
    logits: Float[Tensor, " n"],
    deltas: Float[Tensor, "p 4"],
    labels: Float[Tensor, " n"],
    targets: Float[Tensor, "p 4"],
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """Gives objectness and box losses of the sampled anchors.

    Args:
        logits, labels: of all sampled anchors; labels 1 person, 0 background.
        deltas, targets: of the positive ones.

    Returns:
        Binary cross entropy and smooth L1, both divided by the number of sampled anchors.
    """
    count = max(len(labels), 1)
    objectness = F.binary_cross_entropy_with_logits(logits, labels, reduction="sum") / count
    return objectness, F.smooth_l1_loss(deltas, targets, beta=RPN_BETA, reduction="sum") / count


def box_loss(
    logits: Float[Tensor, "n 2"],
    deltas: Float[Tensor, "p 4"],
    labels: Int64[Tensor, " n"],
    targets: Float[Tensor, "p 4"],
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """Gives classification and box losses of the sampled RoIs, arguments as in `rpn_loss`."""
    count = max(len(labels), 1)
    classification = F.cross_entropy(logits, labels, reduction="sum") / count
    return classification, F.smooth_l1_loss(deltas, targets, beta=BOX_BETA, reduction="sum") / count
