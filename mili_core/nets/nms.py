"""Greedy non-maximum suppression as a fixed point: no loop over boxes, so it suits a GPU too."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from mili_core.nets.boxes import iou


def nms(boxes: Float[Tensor, "n 4"], scores: Float[Tensor, " n"], threshold: float) -> Int64[Tensor, " k"]:
    """Gives the boxes that no better kept box overlaps by IoU > threshold.

    Args:
        boxes: half-open xyxy.
        scores: higher is better; ties go to the lower index.
        threshold: IoU in 0..1.

    Returns:
        Kept indices, best first.
    """
    order = torch.sort(scores, descending=True, stable=True).indices
    return order[keep_ranked(boxes[order][None], threshold)[0]]


def keep_ranked(boxes: Float[Tensor, "groups n 4"], threshold: float) -> Bool[Tensor, "groups n"]:
    """Gives which boxes survive in each group; boxes come best first, and groups do not see each other.

    A box without area overlaps nobody: it survives and suppresses nothing.
    """
    overlaps = torch.triu(iou(boxes, boxes) > threshold, diagonal=1).float()  # [g, i, j]: i is better and hits j
    keep = torch.ones(boxes.shape[:2], device=boxes.device)
    # Suppression chains settle from the best box down, one link an iteration: at most n, in practice 2 to 4.
    while True:
        settled = (torch.bmm(keep[:, None], overlaps)[:, 0] == 0).float()
        if torch.equal(settled, keep):
            return keep.bool()
        keep = settled
