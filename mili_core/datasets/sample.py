"""One record for every training sample, real or rendered."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Float32Array = NDArray[np.float32]
Polygons = tuple[Float32Array, ...]

BESIDE = "+"
"""Between the names of images, or of scenes, that share a canvas."""


@dataclass(frozen=True, slots=True, eq=False)
class BodyTruth:
    """SMPL truth of P people, in the camera axes of the image (x right, y down, z forward, metres).

    Attributes:
        rotmats: (P, 24, 3, 3), root first.
        betas: (P, 10).
        joints3d_m: (P, 24, 3) root-relative.
        joints2d: (P, 24, 3) x, y (image px), 1 where inside the image and visible, else 0.
        visible_fraction: (P,) share of the whole silhouette that is seen, parts beyond the image counted as hidden;
            None where it is unknown.
        amodal_polygons: P outlines of the silhouettes inside the image, hidden parts included; None where unknown.
    """

    rotmats: Float32Array
    betas: Float32Array
    joints3d_m: Float32Array
    joints2d: Float32Array
    visible_fraction: Float32Array | None = None
    amodal_polygons: tuple[Polygons, ...] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One image and what is known about the P people in it; all coordinates in px of `image`.

    Attributes:
        image_id: unique over all data sets.
        image: (H, W, 3) uint8 sRGB.
        boxes_xyxy: (P, 4) float32 half-open visible boxes.
        polygons: P entries: the visible outline as polygons of shape (K, 2), or None where it is unknown.
        keypoints: (P, 17, 3) float32 COCO order, x, y, v (0 = not labelled).
        ignore_boxes_xyxy: (I, 4) float32 crowds and doubtful regions: neither person nor background.
        boxes_complete: True when every person is in boxes_xyxy or under ignore_boxes_xyxy. False: the sample
            says nothing about detection (its box and mask losses are off).
        bodies: SMPL truth, or None.
        scene_id: what this and other views show (a photo, a sequence, a world), several joined by BESIDE; "" means
            `image_id`.
        image_hr: the same view, same size, before it lost detail, where `image` is its low-resolution twin; or None.
        filled: (height, width) px of what is not padding, which lies to the right of it and below; None: all of it.
    """

    image_id: str
    image: NDArray[np.uint8]
    boxes_xyxy: Float32Array
    polygons: tuple[Polygons | None, ...]
    keypoints: Float32Array
    ignore_boxes_xyxy: Float32Array
    boxes_complete: bool
    bodies: BodyTruth | None = None
    scene_id: str = ""
    image_hr: NDArray[np.uint8] | None = None
    filled: tuple[int, int] | None = None

    @property
    def scene(self) -> str:
        """The scene's name, never empty."""
        return self.scene_id or self.image_id

    @property
    def scenes(self) -> tuple[str, ...]:
        """The names of the scenes that the canvas shows side by side."""
        return tuple(self.scene.split(BESIDE))

    @property
    def size(self) -> tuple[int, int]:
        """Height and width, px, of what is not padding."""
        return self.filled or (self.image.shape[0], self.image.shape[1])


def without_people(image: NDArray[np.uint8], image_id: str) -> Sample:
    """Gives the sample of an image that is known to hold nobody."""
    return Sample(
        image_id=image_id,
        image=np.ascontiguousarray(image),
        boxes_xyxy=np.zeros((0, 4), dtype=np.float32),
        polygons=(),
        keypoints=np.zeros((0, 17, 3), dtype=np.float32),
        ignore_boxes_xyxy=np.zeros((0, 4), dtype=np.float32),
        boxes_complete=True,
    )
