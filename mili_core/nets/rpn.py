"""Region proposal network: anchors, scores and deltas on P2..P6 (Ren et al., Faster R-CNN)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from mili_core.config import ModelConfig
from mili_core.nets.boxes import RPN_STDS, decode
from mili_core.nets.nms import keep_ranked

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
        self.scale, self.ratios, self.whole = config.anchor_scale, config.anchor_ratios, config.round_anchors
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
            grid = grid_anchors(height, width, stride, self.scale, self.ratios, whole=self.whole)
            anchors.append(grid.to(level.device))
        sizes = tuple(len(one) for one in anchors)
        return RpnOutput(torch.cat(logits, 1).float(), torch.cat(deltas, 1).float(), torch.cat(anchors), sizes)


def grid_anchors(
    height: int, width: int, stride: int, scale: float, ratios: tuple[float, ...], *, whole: bool = False
) -> Float[Tensor, "anchors 4"]:
    """Returns anchors of area (scale x stride)^2 around cell centres, row by row, ratio fastest.

    With `whole`, the first and the last pixel of an anchor are rounded to whole px, halves to even.
    """
    root = torch.tensor(ratios).sqrt()
    half = torch.stack((1 / root, root), dim=1) * (scale * stride / 2)
    cell = torch.cat((stride / 2 - half, stride / 2 + half), dim=1)
    if whole:
        last = torch.tensor((0.0, 0.0, 1.0, 1.0))
        cell = torch.round(cell - last) + last
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    corner = torch.stack((x, y, x, y), dim=-1).reshape(-1, 1, 4) * stride
    return (corner + cell).reshape(-1, 4)


def propose(
    output: RpnOutput, sizes: Sequence[tuple[int, int]], config: ModelConfig
) -> list[Float[Tensor, "proposals 4"]]:
    """Gives each image's best proposals, as `ranked_proposals` does, without their logits."""
    return [boxes for boxes, _ in ranked_proposals(output, sizes, config)]


@torch.no_grad()
def ranked_proposals(
    output: RpnOutput, sizes: Sequence[tuple[int, int]], config: ModelConfig
) -> list[tuple[Float[Tensor, "proposals 4"], Float[Tensor, " proposals"]]]:
    """Gives each image's best proposals.

    Args:
        output: of `RegionProposals`.
        sizes: (height, width) of each image without its padding, network px: boxes are clipped to it.
        config: pre_nms, proposals, rpn_nms_iou, inclusive_boxes.

    Returns:
        For each image at most config.proposals boxes, best first, and their logits.
    """
    least_px, least_kept_px = (1.0, 0.0) if config.inclusive_boxes else (0.0, MIN_SIDE)
    low = output.logits.new_tensor((0.0, 0.0, least_px, least_px))
    high = output.logits.new_tensor([(w - least_px, h - least_px, w, h) for h, w in sizes])
    boxes, scores = [], []
    for start, size in zip(_offsets(output), output.level_sizes, strict=True):
        best, index = output.logits[:, start : start + size].topk(min(config.pre_nms, size))
        index = index + start
        deltas = output.deltas.gather(1, index[..., None].expand(-1, -1, 4))
        level = decode(deltas, output.anchors[index], RPN_STDS)
        level = torch.minimum(torch.maximum(level, low), high[:, None])
        keep = keep_ranked(level, config.rpn_nms_iou)
        keep &= ((level[..., 2:] - level[..., :2]) >= least_kept_px).all(dim=2)
        boxes.append(level)
        scores.append(best.masked_fill(~keep, -math.inf))
    ranked, order = torch.sort(torch.cat(scores, dim=1), dim=1, descending=True, stable=True)
    ranked_boxes = torch.cat(boxes, dim=1).gather(1, order[..., None].expand(-1, -1, 4))
    counts = (ranked[:, : config.proposals] > -math.inf).sum(dim=1).tolist()
    return [(ranked_boxes[image, :count], ranked[image, :count]) for image, count in enumerate(counts)]


def _offsets(output: RpnOutput) -> list[int]:
    starts = [0]
    for size in output.level_sizes[:-1]:
        starts.append(starts[-1] + size)
    return starts
