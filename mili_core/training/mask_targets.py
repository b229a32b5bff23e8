"""Mask targets: the visible outline of a person, resampled onto a box."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64, UInt8
from torch import Tensor

SIDE = 28
OVERSAMPLE = 2  # samples along each side of a cell: softens the outline instead of aliasing it


def crop_masks(
    masks: UInt8[Tensor, "people h w"], people: Int64[Tensor, " n"], boxes: Float[Tensor, "n 4"]
) -> Float[Tensor, "n 28 28"]:
    """Gives the share of each of 28x28 cells of a box that its person covers.

    Args:
        masks: visible outlines on the canvas, 1 inside.
        people: row of `masks` for each box.
        boxes: half-open xyxy, canvas px.
    """
    if len(boxes) == 0:
        return boxes.new_zeros((0, SIDE, SIDE))
    count = SIDE * OVERSAMPLE
    steps = (torch.arange(count, device=boxes.device, dtype=boxes.dtype) + 0.5) / count
    x = boxes[:, None, 0] + (boxes[:, None, 2] - boxes[:, None, 0]) * steps
    y = boxes[:, None, 1] + (boxes[:, None, 3] - boxes[:, None, 1]) * steps
    column = x.long().clamp(0, masks.shape[2] - 1)[:, None, :]
    row = y.long().clamp(0, masks.shape[1] - 1)[:, :, None]
    sampled = masks[people[:, None, None], row, column].to(boxes.dtype)
    outside = (
        (x < 0)[:, None, :]
        | (x >= masks.shape[2])[:, None, :]
        | (y < 0)[:, :, None]
        | (y >= masks.shape[1])[:, :, None]
    )
    return F.avg_pool2d(sampled.masked_fill(outside, 0.0)[:, None], OVERSAMPLE)[:, 0]
