"""Loss of the occlusion-aware mask network (paper eq. 5): L_occ = sum over boxes p of || v(x_p) - tau_p ||^2.

tau_p is the visible part of box p's person, so whoever stands in front is 0 in it.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def occlusion_loss(logits: Float[Tensor, "n s s"], targets: Float[Tensor, "n s s"]) -> Float[Tensor, ""]:
    """Gives L_occ divided by boxes x cells, so that its weight does not depend on the number of people; 0 for nobody.

    Args:
        logits: of the mask network on low-resolution RoI features, one map a detection box.
        targets: share of each cell that the box's person covers visibly, 0..1. Boxes without a known mask stay out.
    """
    error = torch.square(torch.sigmoid(logits.float()) - targets.float())
    return error.sum() / max(error.numel(), 1)
