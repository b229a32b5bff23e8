"""Spatial attention in front of the backbone, one per resolution branch (paper eq. 1)."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn


class SpatialAttention(nn.Module):
    """phi(x) * x with phi = 2 sigmoid(conv7x7([mean_c x, max_c x])).

    The gate is 1 everywhere at the start (zero convolution), so a model that was trained without attention is
    unchanged by adding it. Padding, which is 0 after normalisation, stays 0.
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 1, 7, padding=3, bias=False)
        nn.init.zeros_(self.conv.weight)

    def forward(self, images: Float[Tensor, "images 3 height width"]) -> Float[Tensor, "images 3 height width"]:
        """Returns the gated images, same shape."""
        pooled = torch.cat((images.mean(dim=1, keepdim=True), images.amax(dim=1, keepdim=True)), dim=1)
        return images * (2.0 * torch.sigmoid(self.conv(pooled)))
