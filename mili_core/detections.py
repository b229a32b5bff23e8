"""What the model says about one image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mili_core.errors import DetectionError

JOINTS = 24
BETAS = 10
MASK_SIDE = 28

Float32Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """People found in one image; all arrays float32, all pixels are those of the image given.

    A row may hold values that are not finite: what a model could not compute for one person costs nobody else. The
    pipeline rejects such rows by name and counts them.

    Attributes:
        boxes_xyxy: (N, 4) half-open visible boxes.
        scores: (N,) in 0..1.
        rotmats: (N, 24, 3, 3) SMPL rotations, root first, in the image's virtual camera.
        betas: (N, 10) shape coefficients of the body that the weights name.
        cam_crop: (N, 3) weak camera (s, tx, ty) relative to `crop_boxes_xyxy`.
        crop_boxes_xyxy: (N, 4) boxes that the body head looked at.
        transl_m: (N, 3) metres, in the image's own virtual camera (see mili_core.body.camera).
        joints2d: (N, 24, 3) x, y, confidence (mask probability at the joint, 1 without masks, 0 outside the image).
        joints3d_m: (N, 24, 3) metres, root-relative, camera axes (x right, y down, z forward).
        masks: (N, 28, 28) probabilities on `mask_boxes_xyxy`, or None.
        mask_boxes_xyxy: (N, 4), or None exactly when masks is None.
    """

    boxes_xyxy: Float32Array
    scores: Float32Array
    rotmats: Float32Array
    betas: Float32Array
    cam_crop: Float32Array
    crop_boxes_xyxy: Float32Array
    transl_m: Float32Array
    joints2d: Float32Array
    joints3d_m: Float32Array
    masks: Float32Array | None = None
    mask_boxes_xyxy: Float32Array | None = None

    def __post_init__(self) -> None:
        count = len(self.scores)
        expected: dict[str, tuple[int, ...]] = {
            "boxes_xyxy": (count, 4),
            "scores": (count,),
            "rotmats": (count, JOINTS, 3, 3),
            "betas": (count, BETAS),
            "cam_crop": (count, 3),
            "crop_boxes_xyxy": (count, 4),
            "transl_m": (count, 3),
            "joints2d": (count, JOINTS, 3),
            "joints3d_m": (count, JOINTS, 3),
        }
        if (self.masks is None) != (self.mask_boxes_xyxy is None):
            raise DetectionError("Detections: masks and mask_boxes_xyxy come together or not at all")
        if self.masks is not None:
            expected |= {"masks": (count, MASK_SIDE, MASK_SIDE), "mask_boxes_xyxy": (count, 4)}
        for name, shape in expected.items():
            array = getattr(self, name)
            if array.shape != shape or array.dtype != np.float32:
                raise DetectionError(f"Detections.{name} is {array.dtype}{array.shape}, expected float32{shape}")

    def __len__(self) -> int:
        return len(self.scores)
