"""Loss on the surface of people with SMPL truth (L_mul, CRMH)."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor


def vertex_loss(predicted: Float[Tensor, "n v 3"], truth: Float[Tensor, "n v 3"]) -> Float[Tensor, ""]:
    """Gives the mean L1 distance of vertices, metres a coordinate; 0 for nobody.

    Args:
        predicted, truth: of one body model and in the axes of the camera, both without translation (the pelvis at
            its rest position), so that only pose and shape are judged.
    """
    return (predicted.float() - truth.detach().float()).abs().sum() / max(truth.numel(), 1)
