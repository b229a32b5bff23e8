"""Object keypoint similarity (OKS): how near predicted keypoints are to labelled ones, in units of the person."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# COCO's spread of human labels per keypoint (COCO order), relative to the root of the person's area.
COCO_SIGMAS = (
    np.array(
        [0.26, 0.25, 0.25, 0.35, 0.35, 0.79, 0.79, 0.72, 0.72, 0.62, 0.62, 1.07, 1.07, 0.87, 0.87, 0.89, 0.89],
        dtype=np.float64,
    )
    / 10.0
)
# COCO scores at most the 20 best detections of an image by keypoints.
MAX_POSES = 20
# The twelve limb joints that COCO and SMPL's 24 joints share: SMPL index of COCO slots 5..16.
LIMB_SLOTS = np.arange(5, 17, dtype=np.int64)
SMPL_OF_LIMBS = np.array([16, 17, 18, 19, 20, 21, 1, 2, 4, 5, 7, 8], dtype=np.int64)


def pairwise_oks(
    points: NDArray[np.floating],
    truths: NDArray[np.floating],
    areas_px: NDArray[np.floating],
    boxes_xyxy: NDArray[np.floating],
    sigmas: NDArray[np.float64] = COCO_SIGMAS,
) -> NDArray[np.float64]:
    """Gives COCO's OKS of N predictions with M truths; (N, M) in 0..1.

    A truth without labelled keypoints is compared with its box, doubled in size: points inside it are perfect.

    Args:
        points: (N, K, 2) or more columns, image px.
        truths: (M, K, 3) x, y, v; v = 0 is not labelled.
        areas_px: (M,) area of each person, px^2.
        boxes_xyxy: (M, 4).
        sigmas: (K,).
    """
    labelled = np.asarray(truths[..., 2] > 0, dtype=bool)
    offset = np.asarray(points[:, None, :, :2], dtype=np.float64) - truths[None, :, :, :2]
    size = boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]
    low, high = (boxes_xyxy[:, :2] - size)[:, None], (boxes_xyxy[:, 2:] + size)[:, None]
    outside = np.maximum(low - points[:, None, :, :2], 0) + np.maximum(points[:, None, :, :2] - high, 0)
    has_labels = np.asarray(labelled.any(axis=1), dtype=bool)
    distance2 = np.square(np.where(has_labels[:, None, None], offset, outside)).sum(axis=-1)
    scale2 = (np.asarray(areas_px, dtype=np.float64)[:, None] + np.spacing(1.0)) * (2 * sigmas) ** 2 * 2
    similar = np.exp(-distance2 / scale2)
    weight = (labelled | ~has_labels[:, None]).astype(np.float64)
    result: NDArray[np.float64] = (similar * weight).sum(axis=-1) / np.maximum(weight.sum(axis=-1), 1)
    return result


def limbs_of_smpl(joints2d: NDArray[np.floating]) -> NDArray[np.floating]:
    """Gives the (N, 12, C) limb joints, in the order of LIMB_SLOTS, of SMPL's (N, 24, C) joints."""
    return joints2d[:, SMPL_OF_LIMBS]
