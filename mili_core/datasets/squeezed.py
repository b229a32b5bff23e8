"""Photos stored squeezed to a square: each draw gives them a plausible aspect back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from mili_core.datasets.coco import CocoPhotos
from mili_core.datasets.sample import Sample
from mili_core.datasets.sequence import SampleSequence

# (width / height, probability): 71 % landscape, 25 % portrait, the rest square. In each direction 4:3 is about
# three times as common as 3:2 among the photos of the Web collections these come from.
ASPECTS: tuple[tuple[float, float], ...] = ((4 / 3, 0.53), (3 / 2, 0.18), (3 / 4, 0.19), (2 / 3, 0.06), (1.0, 0.04))


class SqueezedPhotos(SampleSequence):
    """Photos whose aspect is lost; `draw` un-squeezes them at random, indexing gives them as stored.

    Args:
        folder: COCO-style folder (see CocoPhotos).
        split: keep images whose `split` equals this; None keeps all.
        include_incomplete: also keep photos with incomplete boxes. They carry neither masks nor keypoints, so
            they would train nothing; they are left out by default (cartoons, statues, groups under one box).
    """

    def __init__(self, folder: Path | str, split: str | None = None, *, include_incomplete: bool = False) -> None:
        self._photos = CocoPhotos(folder, split)
        self._kept = [i for i in range(len(self._photos)) if include_incomplete or self._photos.boxes_complete_at(i)]

    def __len__(self) -> int:
        return len(self._kept)

    def sample_at(self, index: int) -> Sample:
        """Gives sample `index`."""
        return self._photos[self._kept[index]]

    def draw(self, rng: np.random.Generator) -> Sample:
        """Gives a random photo at a random aspect."""
        return unsqueeze(self[int(rng.integers(len(self)))], draw_aspect(rng))

    def preload(self) -> int:
        """Reads all files ahead; returns the encoded bytes held."""
        return self._photos.preload()


def draw_aspect(rng: np.random.Generator) -> float:
    """Gives a width / height drawn from ASPECTS."""
    ratios, shares = zip(*ASPECTS, strict=True)
    return float(rng.choice(ratios, p=shares))


def unsqueeze(sample: Sample, aspect: float) -> Sample:
    """Gives the sample stretched to `aspect` (width / height) at equal area; boxes, outlines, keypoints follow."""
    height, width = sample.image.shape[:2]
    new_width = round(float(np.sqrt(width * height * aspect)))
    new_height = round(float(np.sqrt(width * height / aspect)))
    image = cv2.resize(sample.image, (new_width, new_height), interpolation=cv2.INTER_LINEAR)
    factors = np.array([new_width / width, new_height / height], dtype=np.float32)
    keypoints = sample.keypoints.copy()
    keypoints[..., :2] *= factors
    return replace(
        sample,
        image=np.asarray(image, dtype=np.uint8),
        boxes_xyxy=sample.boxes_xyxy * np.tile(factors, 2),
        ignore_boxes_xyxy=sample.ignore_boxes_xyxy * np.tile(factors, 2),
        keypoints=keypoints,
        polygons=tuple(None if rings is None else tuple(ring * factors for ring in rings) for rings in sample.polygons),
    )
