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


@torch.no_grad()
def detect(
    logits: Float[Tensor, "n 2"],
    deltas: Float[Tensor, "n 4"],
    proposals: Float[Tensor, "n 4"],
    size: tuple[int, int],
    threshold: float,
    config: ModelConfig,
) -> tuple[Float[Tensor, "k 4"], Float[Tensor, " k"], Int64[Tensor, " k"]]:
    """Gives the people of one image.

    Args:
        logits, deltas: of `BoxHead` for this image's proposals.
        proposals: half-open xyxy, network px.
        size: (height, width) of the image without its padding.
        threshold: least score kept.
        config: box_nms_iou, max_people, inclusive_boxes.

    Returns:
        Boxes, scores and proposal indices, best first.
    """
    scores = logits.softmax(dim=1)[:, 1]
    least_px, least_kept_px = (1.0, 0.0) if config.inclusive_boxes else (0.0, MIN_SIDE)
    boxes = clip(decode(deltas, proposals, BOX_STDS), float(size[1]), float(size[0]), least_px)
    solid = ((boxes[:, 2:] - boxes[:, :2]) > least_kept_px).all(dim=1)
    candidates = ((scores >= threshold) & solid).nonzero()[:, 0]
    keep = nms(boxes[candidates], scores[candidates], config.box_nms_iou)[: config.max_people]
    kept = candidates[keep]
    return boxes[kept], scores[kept], kept
