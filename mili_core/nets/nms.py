"""Greedy non-maximum suppression as a fixed point: no loop over boxes, so it suits a GPU too."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int64
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
    ranked = boxes[order]
    overlaps = torch.triu(iou(ranked, ranked) > threshold, diagonal=1).float()  # [i, j]: i is better and hits j
    keep = torch.ones(len(order), device=boxes.device)
    # Suppression chains settle from the best box down, one link an iteration: at most n, in practice 2 to 4.
    while True:
        settled = (keep @ overlaps == 0).float()
        if torch.equal(settled, keep):
            return order[keep.bool()]
        keep = settled


def grouped_nms(
    boxes: Float[Tensor, "n 4"], scores: Float[Tensor, " n"], groups: Int64[Tensor, " n"], threshold: float
) -> Int64[Tensor, " k"]:
    """Gives `nms` within each group; boxes of different groups never suppress each other."""
    if len(boxes) == 0:
        return torch.zeros(0, dtype=torch.int64, device=boxes.device)
    stride = boxes.max() - boxes.min() + 1.0
    return nms(boxes + (groups * stride)[:, None], scores, threshold)
