"""Overlap of outlines: small predicted masks against true polygons, as COCO run lengths."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mili_core.datasets.sample import Polygons
from mili_core.errors import DependencyError

RunLengths = dict[str, Any]  # pycocotools' own record


def paste(mask: NDArray[np.float32], box_xyxy: NDArray[np.floating], width: int, height: int) -> NDArray[np.uint8]:
    """Gives the (height, width) pixels, 0 or 1, that a mask covers with probability >= 1/2.

    Args:
        mask: (S, S) probabilities; mask pixel i has its centre at (i + .5) / S of the box, beyond it is 0.
        box_xyxy: (4,) half-open box of the mask, image px.
        width: image px.
        height: image px.
    """
    canvas = np.zeros((height, width), dtype=np.uint8)
    x0, y0 = (int(max(0, np.floor(v))) for v in box_xyxy[:2])
    x1, y1 = int(min(width, np.ceil(box_xyxy[2]))), int(min(height, np.ceil(box_xyxy[3])))
    size = np.asarray(box_xyxy[2:], dtype=np.float64) - box_xyxy[:2]
    if x1 <= x0 or y1 <= y0 or size.min() <= 0:
        return canvas
    per_px = np.array(mask.shape[::-1], dtype=np.float64) / size
    corner = (np.array([x0, y0]) + 0.5 - box_xyxy[:2]) * per_px - 0.5
    to_mask = np.array([[per_px[0], 0, corner[0]], [0, per_px[1], corner[1]]], dtype=np.float64)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    window = cv2.warpAffine(mask, to_mask, (x1 - x0, y1 - y0), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    canvas[y0:y1, x0:x1] = window >= 0.5
    return canvas


def pairwise_mask_iou(
    masks: NDArray[np.float32],
    mask_boxes_xyxy: NDArray[np.floating],
    truths: Sequence[Polygons],
    regions_xyxy: NDArray[np.floating],
    width: int,
    height: int,
) -> NDArray[np.float64]:
    """Gives the (N, M + I) overlaps of N masks with M outlines (IoU) and I ignore boxes (share inside).

    Args:
        masks: (N, S, S) probabilities.
        mask_boxes_xyxy: (N, 4) image px.
        truths: M outlines.
        regions_xyxy: (I, 4) image px.
        width: image px.
        height: image px.

    Raises:
        DependencyError: pycocotools is not installed.
    """
    try:
        from pycocotools import mask as coco_mask  # noqa: PLC0415 - only the evaluation extra has it
    except ImportError as error:
        raise DependencyError("mask precision needs pycocotools", "eval") from error
    if not len(masks) or not (truths or len(regions_xyxy)):
        return np.zeros((len(masks), len(truths) + len(regions_xyxy)), dtype=np.float64)
    pasted = (paste(mask, box, width, height) for mask, box in zip(masks, mask_boxes_xyxy, strict=True))
    found: list[RunLengths] = [coco_mask.encode(np.asfortranarray(pixels)) for pixels in pasted]
    known = [_encode(coco_mask, rings, width, height) for rings in truths]
    known += [_encode(coco_mask, (_corners(box),), width, height) for box in regions_xyxy]
    crowd = [0] * len(truths) + [1] * len(regions_xyxy)
    return np.asarray(coco_mask.iou(found, known, crowd), dtype=np.float64)


def _encode(coco_mask: Any, rings: Polygons, width: int, height: int) -> RunLengths:  # noqa: ANN401 - untyped module
    flat = [ring.astype(np.float64).ravel().tolist() for ring in rings]
    merged: RunLengths = coco_mask.merge(coco_mask.frPyObjects(flat, height, width))
    return merged


def _corners(box_xyxy: NDArray[np.floating]) -> NDArray[np.float32]:
    x0, y0, x1, y1 = box_xyxy
    return np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], dtype=np.float32)
