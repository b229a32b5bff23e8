"""Loss of the restoration network (paper eq. 6): L_res = || x_h - phi(x_l) ||^2 on the pyramid's top level."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from mili_core.losses.cells import TOP_STRIDE, valid_cells


def restoration_loss(
    restored: Float[Tensor, "n c h w"],
    teacher: Float[Tensor, "n c h w"],
    sizes: Sequence[tuple[int, int]],
    stride: int = TOP_STRIDE,
) -> Float[Tensor, ""]:
    """Gives L_res as the mean over channels and cells that are not padding, float32; 0 for no images.

    Args:
        restored: phi(x_l), P5 of the low-resolution branch after its restoration network.
        teacher: x_h, P5 of the high-resolution branch; no gradient reaches it.
        sizes: (height, width) of each image without its padding, network px.
        stride: network px a cell.
    """
    valid = valid_cells(restored, sizes, stride)
    # Padding is left out by choosing, not by a factor 0: what is not finite there must not spread.
    error = torch.where(valid[:, None], restored.float() - teacher.detach().float(), 0.0)
    return torch.square(error).sum() / (valid.sum() * restored.shape[1]).clamp(min=1)
