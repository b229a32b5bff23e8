"""Occlusion-aware mask prediction network (paper section 3.2 and eq. 5): the visible part of each person."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from mili_core.config import ModelConfig

SIDE = 14


class MaskHead(nn.Module):
    """3x3 convolutions on 14x14 RoI features, one x2 deconvolution, one logit a cell."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        inputs = config.fpn_channels
        for _ in range(config.mask_convs):
            layers += [nn.Conv2d(inputs, config.mask_channels, 3, padding=1), nn.ReLU(inplace=True)]
            inputs = config.mask_channels
        layers += [nn.ConvTranspose2d(inputs, inputs, 2, stride=2), nn.ReLU(inplace=True), nn.Conv2d(inputs, 1, 1)]
        self.layers = nn.Sequential(*layers)

    def forward(self, rois: Float[Tensor, "n c 14 14"]) -> Float[Tensor, "n 28 28"]:
        """Returns mask logits on the RoI's box."""
        out: Tensor = self.layers(rois)
        return out[:, 0].float()
