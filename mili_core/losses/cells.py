"""Which cells of a feature map lie on the image and not on its padding."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor

TOP_STRIDE = 32  # network px a cell of P5, the level that L_cs and L_res compare


def valid_cells(
    top: Float[Tensor, "n c h w"], sizes: Sequence[tuple[int, int]], stride: int = TOP_STRIDE
) -> Bool[Tensor, "n h w"]:
    """Gives True for cells whose centre lies on the image; the first cell always counts.

    Args:
        top: the feature map.
        sizes: (height, width) of each image without its padding, network px.
        stride: network px a cell.
    """
    height, width = top.shape[2:]
    limits = torch.tensor(list(sizes), dtype=torch.float32, device=top.device).view(-1, 2).clamp(min=0.5 * stride + 1)
    rows = (torch.arange(height, device=top.device) + 0.5) * stride < limits[:, :1]
    columns = (torch.arange(width, device=top.device) + 0.5) * stride < limits[:, 1:]
    return rows[:, :, None] & columns[:, None, :]


def pool_valid(
    top: Float[Tensor, "n c h w"], sizes: Sequence[tuple[int, int]], stride: int = TOP_STRIDE
) -> Float[Tensor, "n c"]:
    """Gives the mean feature of each image over its valid cells, float32; arguments as in `valid_cells`."""
    weight = valid_cells(top, sizes, stride).float()
    weight = weight / weight.sum(dim=(1, 2), keepdim=True)
    return (top.float() * weight[:, None]).sum(dim=(2, 3))
