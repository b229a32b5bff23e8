"""Outlines to masks and back, on whole pixels."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from mili_core.datasets.sample import Polygons

FINE = 7  # cells a px, odd, so that a px has a middle one; cv2 fills the cells of the edge, too: 1/14 px too much
ENLARGED = 3  # cv2 traces the centres of border pixels: this much larger they lie within 1/6 px of the true edge


def fill_outline(mask: NDArray[np.uint8], polygons: Polygons) -> None:
    """Sets the pixels of a mask (H, W) whose centres polygons cover to 1; what two of them cover is a hole."""
    if not polygons:
        return
    points = np.concatenate(polygons)
    low = np.clip(np.floor(points.min(axis=0)), 0, mask.shape[::-1]).astype(np.int64)
    high = np.clip(np.ceil(points.max(axis=0)), low, mask.shape[::-1]).astype(np.int64)
    width, height = (high - low).tolist()
    if not width or not height:
        return
    cells = np.zeros((height * FINE, width * FINE), dtype=np.uint8)
    # cv2 puts centres at integers, ours are at +.5
    cv2.fillPoly(cells, [np.rint((polygon - low) * FINE - 0.5).astype(np.int32) for polygon in polygons], 1)
    mask[low[1] : high[1], low[0] : high[0]] |= cells[FINE // 2 :: FINE, FINE // 2 :: FINE]


def trace_outline(mask: NDArray[np.uint8], *, holes: bool = False) -> Polygons | None:
    """Gives the outer contours of a mask (H, W) in continuous px, and its holes if asked to; None for an empty mask."""
    enlarged = np.repeat(np.repeat(np.ascontiguousarray(mask), ENLARGED, axis=0), ENLARGED, axis=1)
    kind = cv2.RETR_LIST if holes else cv2.RETR_EXTERNAL
    contours, _ = cv2.findContours(enlarged, kind, cv2.CHAIN_APPROX_SIMPLE)
    rings = (
        ((contour.reshape(-1, 2) + 0.5) / ENLARGED).astype(np.float32) for contour in contours if len(contour) >= 3
    )
    return tuple(rings) or None
