"""Guidance of the second stage by the high-resolution branch (paper eq. 4): L_RoI = || x_h - x_l ||^2.

The paper compares "bounding boxes in the form of RoI". Proposals carry no gradient, so both branches refine the same
RoIs, those that were sampled for the teacher, and their refined boxes are compared in network px. The same function
compares RoI features, the other reading of the equation. Of refined boxes the sum is some thousand px^2 an image where
student and teacher begin with the same weights, so at the paper's weight of 1e-8 the term is next to nothing: for
`mili_lite` its gradient was 1/5000 of the box head's.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from mili_core.nets.boxes import BOX_STDS, decode


def refined_boxes(deltas: Float[Tensor, "n 4"], rois: Float[Tensor, "n 4"]) -> Float[Tensor, "n 4"]:
    """Gives the boxes, xyxy network px, that a box head makes of RoIs; not clipped, which would stop gradients."""
    return decode(deltas.float(), rois.detach().float(), BOX_STDS)


def roi_loss(student: Float[Tensor, "n ..."], teacher: Float[Tensor, "n ..."], images: int) -> Float[Tensor, ""]:
    """Gives L_RoI: the sum of squared differences over an image's RoIs, mean over images; 0 for no RoIs.

    Args:
        student: refined boxes (`refined_boxes`) or RoI features of the low-resolution branch.
        teacher: the same of the high-resolution branch for the same RoIs; no gradient reaches it.
        images: images in the batch, those without RoIs included.
    """
    return torch.square(student.float() - teacher.detach().float()).sum() / max(images, 1)
