"""Region proposal network: anchors, scores and deltas on P2..P6 (Ren et al., Faster R-CNN)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from mili_core.config import ModelConfig
from mili_core.nets.boxes import RPN_STDS, clip, decode
from mili_core.nets.nms import grouped_nms

STRIDES = (4, 8, 16, 32, 64)
MIN_SIDE = 2.0  # network px; narrower proposals hold nothing that a head could read


@dataclass(frozen=True, slots=True, eq=False)
class RpnOutput:
    """Raw predictions for all anchors of all levels, P2 first, row by row, ratio fastest.

    Attributes:
        logits: (images, anchors).
        deltas: (images, anchors, 4).
        anchors: (anchors, 4) half-open xyxy, network px.
        level_sizes: anchors of each level.
    """

    logits: Tensor
    deltas: Tensor
    anchors: Tensor
    level_sizes: tuple[int, ...]


class RegionProposals(nn.Module):
    """One shared 3x3 convolution, then a person score and a box delta for each anchor."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.scale, self.ratios = config.anchor_scale, config.anchor_ratios
        self.conv = nn.Conv2d(config.fpn_channels, config.fpn_channels, 3, padding=1)
        self.logit = nn.Conv2d(config.fpn_channels, len(self.ratios), 1)
        self.delta = nn.Conv2d(config.fpn_channels, len(self.ratios) * 4, 1)
        for layer in (self.conv, self.logit, self.delta):
            nn.init.normal_(layer.weight, std=0.01)
            assert layer.bias is not None
            nn.init.zeros_(layer.bias)

    def forward(self, levels: Sequence[Float[Tensor, "images c _ _"]]) -> RpnOutput:
        """Returns scores, deltas and anchors of P2..P6."""
        logits, deltas, anchors = [], [], []
        for level, stride in zip(levels, STRIDES, strict=True):
            hidden = F.relu(self.conv(level))
            images, _, height, width = hidden.shape
            logits.append(self.logit(hidden).permute(0, 2, 3, 1).reshape(images, -1))
            deltas.append(self.delta(hidden).permute(0, 2, 3, 1).reshape(images, -1, 4))
            anchors.append(grid_anchors(height, width, stride, self.scale, self.ratios).to(level.device))
        sizes = tuple(len(one) for one in anchors)
        return RpnOutput(torch.cat(logits, 1).float(), torch.cat(deltas, 1).float(), torch.cat(anchors), sizes)


def grid_anchors(
    height: int, width: int, stride: int, scale: float, ratios: tuple[float, ...]
) -> Float[Tensor, "anchors 4"]:
    """Returns anchors of area (scale x stride)^2 around cell centres, row by row, ratio fastest."""
    root = torch.tensor(ratios).sqrt()
    half = torch.stack((1 / root, root), dim=1) * (scale * stride / 2)
    y, x = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
    centre = torch.stack((x, y), dim=-1).reshape(-1, 1, 2) * stride
    return torch.cat((centre - half, centre + half), dim=2).reshape(-1, 4)


@torch.no_grad()
def propose(
    output: RpnOutput, sizes: Sequence[tuple[int, int]], config: ModelConfig
) -> list[Float[Tensor, "proposals 4"]]:
    """Gives each image's best proposals.

    Args:
        output: of `RegionProposals`.
        sizes: (height, width) of each image without its padding, network px: boxes are clipped to it.
        config: pre_nms, proposals, rpn_nms_iou.

    Returns:
        For each image at most config.proposals boxes, best first.
    """
    picked = [
        scores.topk(min(config.pre_nms, scores.shape[1])).indices + offset
        for scores, offset in zip(
            torch.split(output.logits, list(output.level_sizes), dim=1), _offsets(output), strict=True
        )
    ]
    index = torch.cat(picked, dim=1)
    level = torch.cat([torch.full_like(one[0], number) for number, one in enumerate(picked)])
    scores = output.logits.gather(1, index)
    deltas = output.deltas.gather(1, index[..., None].expand(-1, -1, 4))
    boxes = decode(deltas, output.anchors[index], RPN_STDS)
    result = []
    for image, (height, width) in enumerate(sizes):
        clipped = clip(boxes[image], width, height)
        valid = ((clipped[:, 2:] - clipped[:, :2]) >= MIN_SIDE).all(dim=1).nonzero()[:, 0]
        keep = grouped_nms(clipped[valid], scores[image][valid], level[valid], config.rpn_nms_iou)
        result.append(clipped[valid][keep[: config.proposals]])
    return result


def _offsets(output: RpnOutput) -> list[int]:
    starts = [0]
    for size in output.level_sizes[:-1]:
        starts.append(starts[-1] + size)
    return starts
