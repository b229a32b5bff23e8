"""Which anchors and proposals stand for which person: assignment and sampling for training."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from mili_core.nets.boxes import area, intersection, iou

RPN_POSITIVE_IOU = 0.7
RPN_NEGATIVE_IOU = 0.3
ROI_POSITIVE_IOU = 0.5
IGNORE_IOA = 0.5  # a box that lies this much inside an ignored region is neither person nor background


@dataclass(frozen=True, slots=True)
class Sampling:
    """How many examples of each stage train on, an image (Faster R-CNN; CRMH 256 and 512, lite less).

    Attributes:
        anchors, anchor_positives: of the first stage, and the greatest share of them that holds a person.
        rois, roi_positives: of the second.
        body_rois: of the SMPL head: true boxes, moved a little, and then proposals.
    """

    anchors: int = 256
    anchor_positives: float = 0.5
    rois: int = 64
    roi_positives: float = 0.25
    body_rois: int = 12


@dataclass(frozen=True, slots=True, eq=False)
class Assignment:
    """Sampled examples of one image.

    Attributes:
        positives: (P,) indices of candidates that stand for a person.
        people: (P,) which person each stands for.
        negatives: (N,) indices of background candidates.
    """

    positives: Tensor
    people: Tensor
    negatives: Tensor


def assign_anchors(
    anchors: Float[Tensor, "n 4"],
    boxes: Float[Tensor, "p 4"],
    ignored: Float[Tensor, "i 4"],
    size: tuple[int, int],
    sampling: Sampling,
) -> Assignment:
    """Gives the sampled anchors of one image; each person's best anchors are positive however low their IoU.

    Args:
        anchors, boxes, ignored: half-open xyxy, network px.
        size: (height, width) of the image without padding; anchors centred outside it take no part.
        sampling: counts.
    """
    overlaps = iou(anchors, boxes)
    best, person = _best(overlaps)
    positive = best >= RPN_POSITIVE_IOU
    if len(boxes):
        top = overlaps.amax(dim=0).clamp(min=1e-3)
        forced = (overlaps >= top - 1e-6) & (overlaps > 0)
        rows = forced.any(dim=1)
        person[rows] = forced[rows].float().argmax(dim=1)
        positive |= rows
    centre = (anchors[:, :2] + anchors[:, 2:]) / 2
    inside = (centre[:, 0] < size[1]) & (centre[:, 1] < size[0])
    negative = (best < RPN_NEGATIVE_IOU) & ~positive & inside & ~_ignored(anchors, ignored)
    return _sample(positive & inside, person, negative, sampling.anchors, sampling.anchor_positives)


def assign_rois(
    rois: Float[Tensor, "n 4"], boxes: Float[Tensor, "p 4"], ignored: Float[Tensor, "i 4"], sampling: Sampling
) -> Assignment:
    """Gives the sampled RoIs of one image; arguments as in `assign_anchors`."""
    best, person = _best(iou(rois, boxes))
    positive = best >= ROI_POSITIVE_IOU
    return _sample(positive, person, ~positive & ~_ignored(rois, ignored), sampling.rois, sampling.roi_positives)


def _best(overlaps: Float[Tensor, "n p"]) -> tuple[Tensor, Tensor]:
    if overlaps.shape[1] == 0:
        zeros = overlaps.new_zeros(len(overlaps))
        return zeros, zeros.long()
    best, person = overlaps.max(dim=1)
    return best, person


def _ignored(candidates: Float[Tensor, "n 4"], ignored: Float[Tensor, "i 4"]) -> Tensor:
    if len(ignored) == 0:
        return torch.zeros(len(candidates), dtype=torch.bool, device=candidates.device)
    share = intersection(candidates, ignored) / area(candidates).clamp(min=1e-6)[:, None]
    return (share >= IGNORE_IOA).any(dim=1)


def _sample(positive: Tensor, person: Tensor, negative: Tensor, count: int, share: float) -> Assignment:
    chosen = pick(positive, int(count * share))
    return Assignment(chosen, person[chosen], pick(negative, count - len(chosen)))


def pick(mask: Tensor, count: int) -> Tensor:
    """Gives at most `count` random indices of where a mask (N,) is true; all, in order, where there are no more."""
    index = mask.nonzero()[:, 0]
    if len(index) <= count:
        return index
    return index[torch.randperm(len(index), device="cpu")[:count].to(index.device)]
