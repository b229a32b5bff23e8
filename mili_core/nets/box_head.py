"""Second stage of detection: is the proposal a person, and where exactly."""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor, nn

from mili_core.config import ModelConfig
from mili_core.nets.boxes import BOX_STDS, clip, decode
from mili_core.nets.nms import nms

SIDE = 7
LIKELY = 0.05  # least score at a first look that is worth another; CRMH keeps nothing below it
MIN_SIDE = 1.0  # network px; a person who is not wider than that has left the image


class BoxHead(nn.Module):
    """Fully connected layers on 7x7 RoI features; two classes (0 background, 1 person) and the person's box."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        widths = [config.fpn_channels * SIDE * SIDE, *[config.box_fc] * config.box_fcs]
        self.fcs = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(widths))
        self.logits = nn.Linear(config.box_fc, 2)
        self.deltas = nn.Linear(config.box_fc, 8 if config.class_boxes else 4)
        nn.init.normal_(self.logits.weight, std=0.01)
        nn.init.normal_(self.deltas.weight, std=0.001)
        nn.init.zeros_(self.logits.bias)
        nn.init.zeros_(self.deltas.bias)

    def forward(self, rois: Float[Tensor, "n c 7 7"]) -> tuple[Float[Tensor, "n 2"], Float[Tensor, "n 4"]]:
        """Returns class logits and the person's box deltas (in BOX_STDS units)."""
        logits, deltas = self.all_classes(rois)
        return logits, deltas[:, -4:]

    def all_classes(self, rois: Float[Tensor, "n c 7 7"]) -> tuple[Float[Tensor, "n 2"], Float[Tensor, "n columns"]]:
        """Returns class logits and the box deltas of every class that has a box, the person's last."""
        hidden = rois.flatten(1)
        for fc in self.fcs:
            hidden = F.relu(fc(hidden))
        return self.logits(hidden).float(), self.deltas(hidden).float()


def regress(
    deltas: Float[Tensor, "n 4"], boxes: Float[Tensor, "n 4"], ends: Float[Tensor, "n 2"], config: ModelConfig
) -> Float[Tensor, "n 4"]:
    """Gives the boxes that the head makes of others.

    Args:
        deltas: of `BoxHead`.
        boxes: that it looked at, half-open xyxy, network px.
        ends: width and height of their image without its padding.
        config: inclusive_boxes.
    """
    return clip(decode(deltas, boxes, BOX_STDS), ends, 1.0 if config.inclusive_boxes else 0.0)


@torch.no_grad()
def detect(
    scores: Float[Tensor, " n"], boxes: Float[Tensor, "n 4"], threshold: float, config: ModelConfig
) -> tuple[Float[Tensor, "k 4"], Float[Tensor, " k"], Int64[Tensor, " k"]]:
    """Gives the people of one image.

    Args:
        scores: probability that each is a person.
        boxes: half-open xyxy, network px.
        threshold: least score kept.
        config: box_nms_iou, max_people, inclusive_boxes.

    Returns:
        Boxes, scores and indices, best first.
    """
    solid = ((boxes[:, 2:] - boxes[:, :2]) > (0.0 if config.inclusive_boxes else MIN_SIDE)).all(dim=1)
    candidates = ((scores >= threshold) & solid).nonzero()[:, 0]
    keep = nms(boxes[candidates], scores[candidates], config.box_nms_iou)[: config.max_people]
    kept = candidates[keep]
    return boxes[kept], scores[kept], kept
