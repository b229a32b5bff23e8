"""RoIAlign in plain torch: bilinear samples at bin centres, averaged (He et al., "Mask R-CNN", ICCV 2017).

Every output cell is a weighted sum of a few feature vectors, which is what `embedding_bag` computes: the maps of
all levels and images form one table of vectors, so there is no loop over boxes, levels or images.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor

from mili_core.nets.boxes import area

STRIDES = (4, 8, 16, 32)
FINEST_SIDE = 56.0  # a box of this side or less is read from P2; each doubling moves one level up (CRMH spec 1.3)
SAMPLES = 2  # samples along each side of a bin


def assign_levels(boxes: Float[Tensor, "n 4"]) -> Int64[Tensor, " n"]:
    """Returns the pyramid level 0..3 (P2..P5) that each box is read from."""
    levels = torch.floor(torch.log2(area(boxes).sqrt() / FINEST_SIDE + 1e-6))
    return levels.clamp(0, len(STRIDES) - 1).long()


def roi_align(
    features: Sequence[Float[Tensor, "images c _ _"]],
    boxes: Float[Tensor, "n 4"],
    image_index: Int64[Tensor, " n"],
    side: int,
    *,
    half_pixel: bool = True,
) -> Float[Tensor, "n c side side"]:
    """Gives `side` x `side` features of each box from its pyramid level.

    Args:
        features: P2..P5, strides 4..32.
        boxes: half-open xyxy, network px.
        image_index: image of each box.
        side: output cells a side.
        half_pixel: the value of feature cell i holds at (i + .5) x stride; else at i x stride, as in the first
            version of the operation, where samples more than one cell beyond the map count as 0.

    Returns:
        (N, C, side, side) float32. Samples beyond the map repeat its border.
    """
    images, channels = features[0].shape[:2]
    sizes = torch.tensor([feature.shape[2:] for feature in features], device=boxes.device)
    cells = sizes.prod(dim=1)
    first = F.pad(torch.cumsum(cells * images, 0), (1, 0))
    table = torch.cat([feature.float().permute(0, 2, 3, 1).reshape(-1, channels) for feature in features])

    levels = assign_levels(boxes)
    strides = boxes.new_tensor(STRIDES)[levels]
    height, width = sizes[levels].unbind(1)
    start = first[levels] + image_index * cells[levels]
    shift = 0.5 if half_pixel else 0.0
    reach = math.inf if half_pixel else 1.0
    rows, row_weights = _lines(boxes[:, 1], boxes[:, 3], strides, height, side, shift=shift, reach=reach)
    columns, column_weights = _lines(boxes[:, 0], boxes[:, 2], strides, width, side, shift=shift, reach=reach)

    # (N, side, side, row terms, column terms): the outer product of the two one-dimensional interpolations
    index = start[:, None, None, None, None] + (
        rows[:, :, None, :, None] * width[:, None, None, None, None] + columns[:, None, :, None, :]
    )
    weight = row_weights[:, :, None, :, None] * column_weights[:, None, :, None, :]
    terms = (2 * SAMPLES) ** 2
    pooled = F.embedding_bag(
        index.reshape(-1, terms), table, per_sample_weights=weight.reshape(-1, terms).to(table.dtype), mode="sum"
    )
    return pooled.view(len(boxes), side, side, channels).permute(0, 3, 1, 2)


def _lines(
    low: Float[Tensor, " n"],
    high: Float[Tensor, " n"],
    stride: Float[Tensor, " n"],
    size: Int64[Tensor, " n"],
    side: int,
    *,
    shift: float,
    reach: float,
) -> tuple[Int64[Tensor, "n side terms"], Float[Tensor, "n side terms"]]:
    """Returns the cells and weights whose sum is each bin's mean along one axis (2 terms a sample).

    Cell i lies at i + `shift`; what lies more than `reach` cells beyond the map weighs nothing.
    """
    steps = (torch.arange(side * SAMPLES, device=low.device, dtype=low.dtype) + 0.5) / (side * SAMPLES)
    sampled = (low[:, None] + (high - low).clamp(min=0)[:, None] * steps) / stride[:, None] - shift
    last = (size - 1).to(low.dtype)[:, None]
    at = torch.minimum(sampled.clamp(min=0), last)
    floor = at.floor()
    fraction = at - floor
    cell = floor.long()
    after = torch.minimum(cell + 1, (size - 1)[:, None])
    index = torch.stack((cell, after), dim=-1).view(len(low), side, 2 * SAMPLES)
    near = (sampled >= -reach) & (sampled <= last + reach)
    weights = torch.stack(((1 - fraction) * near, fraction * near), dim=-1).view(len(low), side, 2 * SAMPLES) / SAMPLES
    return index, weights
