"""Samples to one training batch: images on one canvas, targets as tensors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mili_core.datasets.outlines import fill_outline
from mili_core.datasets.sample import Sample
from mili_core.losses.contrastive import scene_keys


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
        visible_fraction: (P,) share of each person that is seen, 1 where it is unknown.
    """

    boxes: Tensor
    ignore_boxes: Tensor
    masks: Tensor
    has_mask: Tensor
    keypoints: Tensor
    boxes_complete: bool
    visible_fraction: Tensor
    rotmats: Tensor | None = None
    betas: Tensor | None = None
    joints3d_m: Tensor | None = None
    joints2d: Tensor | None = None

    def to(self, device: torch.device) -> Targets:
        """Returns the targets on a device."""
        changes: dict[str, Any] = {}  # replace() wants each field's own type
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, Tensor):
                changes[field.name] = value.to(device, non_blocking=True)
        return replace(self, **changes)


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """B images on one canvas.

    Attributes:
        images: (B, 3, H, W) uint8 RGB; smaller images are at the top left.
        sizes: (height, width) of each image without padding.
        targets: one an image.
        ids: image ids, to name a batch that went wrong.
        scenes: (B, SCENES) int64, what each image shows (`scene_keys`).
        images_hr: where `images` are low-resolution twins, what they were made of, same shape; else None.
    """

    images: Tensor
    sizes: tuple[tuple[int, int], ...]
    targets: tuple[Targets, ...]
    ids: tuple[str, ...]
    scenes: Tensor
    images_hr: Tensor | None = None

    def to(self, device: torch.device) -> Batch:
        """Returns the batch on a device."""
        if self.images.device == device:
            return self
        hr = None if self.images_hr is None else self.images_hr.to(device, non_blocking=True)
        return replace(
            self,
            images=self.images.to(device, non_blocking=True),
            images_hr=hr,
            targets=tuple(target.to(device) for target in self.targets),
            scenes=self.scenes.to(device, non_blocking=True),
        )


def collate(samples: Sequence[Sample]) -> Batch:
    """Gives one batch; the canvas is the largest height and width among the samples."""
    height = max(sample.image.shape[0] for sample in samples)
    width = max(sample.image.shape[1] for sample in samples)
    sharp = [sample.image_hr for sample in samples if sample.image_hr is not None]
    return Batch(
        images=_canvas([sample.image for sample in samples], height, width),
        sizes=tuple(sample.size for sample in samples),
        targets=tuple(_targets(sample, height, width) for sample in samples),
        ids=tuple(sample.image_id for sample in samples),
        scenes=torch.tensor([scene_keys(sample.scenes) for sample in samples], dtype=torch.int64),
        images_hr=_canvas(sharp, height, width) if len(sharp) == len(samples) else None,
    )


def normalise(batch: Batch, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """Gives the batch's images as `normalised` does."""
    return normalised(batch.images, batch.sizes, mean, std)


def normalised(images: Tensor, sizes: Sequence[tuple[int, int]], mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """Returns float32 images (B, 3, H, W), (x - mean) / std, with padding exactly 0, channels last."""
    pixels = images.float()
    pixels = (pixels - pixels.new_tensor(mean)[:, None, None]) / pixels.new_tensor(std)[:, None, None]
    for image, (height, width) in zip(pixels, sizes, strict=True):
        image[:, height:] = 0
        image[:, :, width:] = 0
    return pixels.contiguous(memory_format=torch.channels_last)


def _canvas(images: Sequence[np.ndarray], height: int, width: int) -> Tensor:
    canvas = torch.zeros((len(images), 3, height, width), dtype=torch.uint8)
    for target, image in zip(canvas, images, strict=True):
        target[:, : image.shape[0], : image.shape[1]] = torch.from_numpy(image).permute(2, 0, 1)
    return canvas


def _targets(sample: Sample, height: int, width: int) -> Targets:
    masks = np.zeros((len(sample.boxes_xyxy), height, width), dtype=np.uint8)
    for mask, polygons in zip(masks, sample.polygons, strict=True):
        fill_outline(mask, polygons or ())
    keypoints = torch.from_numpy(sample.keypoints.copy())
    keypoints[..., 2] = (keypoints[..., 2] > 0).float()
    known = [bool(polygons) and sample.boxes_complete for polygons in sample.polygons]
    bodies = sample.bodies
    fraction = None if bodies is None else bodies.visible_fraction
    return Targets(
        boxes=torch.from_numpy(sample.boxes_xyxy.copy()),
        ignore_boxes=torch.from_numpy(sample.ignore_boxes_xyxy.copy()),
        masks=torch.from_numpy(masks),
        has_mask=torch.tensor(known, dtype=torch.bool),
        keypoints=keypoints,
        boxes_complete=sample.boxes_complete,
        visible_fraction=torch.ones(len(masks)) if fraction is None else torch.from_numpy(fraction.copy()),
        rotmats=None if bodies is None else torch.from_numpy(bodies.rotmats.copy()),
        betas=None if bodies is None else torch.from_numpy(bodies.betas.copy()),
        joints3d_m=None if bodies is None else torch.from_numpy(bodies.joints3d_m.copy()),
        joints2d=None if bodies is None else torch.from_numpy(bodies.joints2d.copy()),
    )
