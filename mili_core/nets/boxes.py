"""Box arithmetic in tensors: half-open xyxy."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

MAX_LOG_SCALE = math.log(1000.0 / 16.0)  # a delta may not grow a box by more than this factor (Faster R-CNN)
BOX_STDS = (0.1, 0.1, 0.2, 0.2)  # scale of second-stage deltas (CRMH spec 1.3)
RPN_STDS = (1.0, 1.0, 1.0, 1.0)


def area(boxes: Float[Tensor, "*n 4"]) -> Float[Tensor, "*n"]:
    """Returns areas; an inverted box has area 0."""
    return (boxes[..., 2] - boxes[..., 0]).clamp(min=0) * (boxes[..., 3] - boxes[..., 1]).clamp(min=0)


def intersection(a: Float[Tensor, "*b n 4"], b: Float[Tensor, "*b m 4"]) -> Float[Tensor, "*b n m"]:
    """Returns the pairwise intersection areas."""
    left_top = torch.maximum(a[..., :, None, :2], b[..., None, :, :2])
    right_bottom = torch.minimum(a[..., :, None, 2:], b[..., None, :, 2:])
    sides = (right_bottom - left_top).clamp_(min=0)
    return sides[..., 0] * sides[..., 1]


def iou(a: Float[Tensor, "*b n 4"], b: Float[Tensor, "*b m 4"]) -> Float[Tensor, "*b n m"]:
    """Returns the pairwise intersection over union, 0 where both are empty."""
    common = intersection(a, b)
    union = area(a)[..., :, None] + area(b)[..., None, :] - common
    return common / union.clamp(min=1e-9)


def clip(boxes: Float[Tensor, "*n 4"], ends: Float[Tensor, "*#n 2"], least: float = 0.0) -> Float[Tensor, "*n 4"]:
    """Returns boxes cut to [0, width] x [0, height], each of which has `least` px on the far side of every edge.

    Args:
        boxes: xyxy.
        ends: width and height, of all boxes, or (2,) of each.
        least: px.
    """
    high = torch.cat((ends - least, ends), dim=-1)
    low = boxes.new_tensor((0.0, 0.0, least, least))
    return torch.minimum(torch.maximum(boxes, low), high)


def widened(boxes: Float[Tensor, "*n 4"], times: float) -> Float[Tensor, "*n 4"]:
    """Returns boxes `times` as wide and high about the same centres."""
    more = (times - 1.0) / 2.0 * (boxes[..., 2:] - boxes[..., :2])
    return torch.cat((boxes[..., :2] - more, boxes[..., 2:] + more), dim=-1)


def encode(boxes: Float[Tensor, "n 4"], anchors: Float[Tensor, "n 4"], stds: tuple[float, ...]) -> Float[Tensor, "n 4"]:
    """Returns deltas (dx, dy, dw, dh) / stds that carry each anchor to its box (Faster R-CNN, eq. 2)."""
    anchor_size = (anchors[:, 2:] - anchors[:, :2]).clamp(min=1e-3)
    size = (boxes[:, 2:] - boxes[:, :2]).clamp(min=1e-3)
    shift = ((boxes[:, :2] + boxes[:, 2:]) - (anchors[:, :2] + anchors[:, 2:])) / 2 / anchor_size
    return torch.cat((shift, torch.log(size / anchor_size)), dim=1) / boxes.new_tensor(stds)


def decode(
    deltas: Float[Tensor, "*n 4"], anchors: Float[Tensor, "*n 4"], stds: tuple[float, ...]
) -> Float[Tensor, "*n 4"]:
    """Returns the boxes that `deltas` make of `anchors`; inverse of `encode`."""
    deltas = deltas * deltas.new_tensor(stds)
    size = anchors[..., 2:] - anchors[..., :2]
    centre = (anchors[..., :2] + anchors[..., 2:]) / 2 + deltas[..., :2] * size
    half = size / 2 * torch.exp(deltas[..., 2:].clamp(-MAX_LOG_SCALE, MAX_LOG_SCALE))
    return torch.cat((centre - half, centre + half), dim=-1)
