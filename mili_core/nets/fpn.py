"""Feature pyramid (Lin et al., CVPR 2017): C2..C5 to P2..P5 of one width; P6 is made by `coarsest`."""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn


class FeaturePyramid(nn.Module):
    """Lateral 1x1 and output 3x3 convolutions around a top-down nearest upsampling, no norm, no activation."""

    def __init__(self, inputs: Sequence[int], channels: int) -> None:
        super().__init__()
        self.laterals = nn.ModuleList(nn.Conv2d(width, channels, 1) for width in inputs)
        self.outputs = nn.ModuleList(nn.Conv2d(channels, channels, 3, padding=1) for _ in inputs)

    def forward(self, features: Sequence[Tensor]) -> list[Tensor]:
        """Returns P2..P5, each (N, channels, H, W) of the matching input."""
        tops = [lateral(feature) for lateral, feature in zip(self.laterals, features, strict=True)]
        for level in range(len(tops) - 1, 0, -1):
            size = tops[level - 1].shape[2:]
            tops[level - 1] = tops[level - 1] + F.interpolate(tops[level], size=size, mode="nearest")
        return [output(top) for output, top in zip(self.outputs, tops, strict=True)]


def coarsest(p5: Tensor) -> Tensor:
    """Returns P6, every second cell of P5 (a max pooling with kernel 1 and stride 2)."""
    return F.max_pool2d(p5, 1, 2)
