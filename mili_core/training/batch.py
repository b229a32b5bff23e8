"""Samples to one training batch: normalised images on one canvas, targets as tensors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor

from mili_core.datasets.sample import Sample


@dataclass(frozen=True, slots=True, eq=False)
class Targets:
    """What is known about one image, network px (the canvas of the batch).

    Attributes:
        boxes: (P, 4) half-open.
        ignore_boxes: (I, 4).
        masks: (P, H, W) uint8 visible outlines (zeros where unknown), canvas px.
        has_mask: (P,) bool.
        keypoints: (P, 17, 3) x, y, confidence 0..1.
        boxes_complete: detection losses apply.
        rotmats, betas, joints3d_m, joints2d: SMPL truth of P people, or None.
    """

    boxes: Tensor
    ignore_boxes: Tensor
    masks: Tensor
    has_mask: Tensor
    keypoints: Tensor
    boxes_complete: bool
    rotmats: Tensor | None = None
    betas: Tensor | None = None
    joints3d_m: Tensor | None = None
    joints2d: Tensor | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """B images on one canvas.

    Attributes:
        images: (B, 3, H, W) uint8 RGB; smaller images are at the top left.
        sizes: (height, width) of each image without padding.
        targets: one an image.
        ids: image ids, to name a batch that went wrong.
    """

    images: Tensor
    sizes: tuple[tuple[int, int], ...]
    targets: tuple[Targets, ...]
    ids: tuple[str, ...]


def collate(samples: Sequence[Sample]) -> Batch:
    """Gives one batch; the canvas is the largest height and width among the samples."""
    height = max(sample.image.shape[0] for sample in samples)
    width = max(sample.image.shape[1] for sample in samples)
    images = torch.zeros((len(samples), 3, height, width), dtype=torch.uint8)
    for image, sample in zip(images, samples, strict=True):
        rows, columns = sample.image.shape[:2]
        image[:, :rows, :columns] = torch.from_numpy(sample.image).permute(2, 0, 1)
    return Batch(
        images=images,
        sizes=tuple((sample.image.shape[0], sample.image.shape[1]) for sample in samples),
        targets=tuple(_targets(sample, height, width) for sample in samples),
        ids=tuple(sample.image_id for sample in samples),
    )


def normalise(batch: Batch, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """Returns float32 images (B, 3, H, W), (x - mean) / std, with padding exactly 0, channels last."""
    images = batch.images.float()
    images = (images - images.new_tensor(mean)[:, None, None]) / images.new_tensor(std)[:, None, None]
    for image, (height, width) in zip(images, batch.sizes, strict=True):
        image[:, height:] = 0
        image[:, :, width:] = 0
    return images.contiguous(memory_format=torch.channels_last)


def _targets(sample: Sample, height: int, width: int) -> Targets:
    masks = np.zeros((len(sample.boxes_xyxy), height, width), dtype=np.uint8)
    for mask, polygons in zip(masks, sample.polygons, strict=True):
        if polygons:
            # cv2 puts pixel centres at integers, ours are at +.5
            cv2.fillPoly(mask, [np.rint(polygon - 0.5).astype(np.int32) for polygon in polygons], 1)
    keypoints = torch.from_numpy(sample.keypoints.copy())
    keypoints[..., 2] = (keypoints[..., 2] > 0).float()
    bodies = sample.bodies
    known = [bool(polygons) and sample.boxes_complete for polygons in sample.polygons]
    return Targets(
        boxes=torch.from_numpy(sample.boxes_xyxy.copy()),
        ignore_boxes=torch.from_numpy(sample.ignore_boxes_xyxy.copy()),
        masks=torch.from_numpy(masks),
        has_mask=torch.tensor(known, dtype=torch.bool),
        keypoints=keypoints,
        boxes_complete=sample.boxes_complete,
        rotmats=None if bodies is None else torch.from_numpy(bodies.rotmats.copy()),
        betas=None if bodies is None else torch.from_numpy(bodies.betas.copy()),
        joints3d_m=None if bodies is None else torch.from_numpy(bodies.joints3d_m.copy()),
        joints2d=None if bodies is None else torch.from_numpy(bodies.joints2d.copy()),
    )
