"""Occlusion-aware mask prediction network (paper section 3.2 and eq. 5): the visible part of each person."""

from __future__ import annotations

import torch.nn.functional as F
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


def probability_at(
    masks: Float[Tensor, "n 28 28"], boxes: Float[Tensor, "n 4"], points: Float[Tensor, "n k 2"]
) -> Float[Tensor, "n k"]:
    """Returns the probability that masks (not logits) on their boxes give to points (bilinear), 0 outside the box."""
    if len(boxes) == 0:
        return points[..., 0]
    relative = (points - boxes[:, None, :2]) / (boxes[:, None, 2:] - boxes[:, None, :2]).clamp(min=1e-3)
    within = ((relative >= 0) & (relative < 1)).all(dim=2)
    grid = (relative * 2 - 1).clamp(-2, 2)[:, None]
    sampled = F.grid_sample(masks[:, None], grid, align_corners=False, padding_mode="border")[:, 0, 0]
    return sampled * within


def inside(points: Float[Tensor, "n k 2"], size: tuple[int, int]) -> Float[Tensor, "n k"]:
    """Returns 1 where points lie in an image of (height, width), else 0."""
    within = (points >= 0).all(dim=2) & (points[..., 0] < size[1]) & (points[..., 1] < size[0])
    return within.to(points.dtype)
