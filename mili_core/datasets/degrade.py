"""Low-resolution twins of images: down to a share of the size and back up (the paper's LR branch)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

Interpolation = Literal["nearest", "linear", "area", "cubic", "lanczos"]

_CV2_FLAGS: dict[Interpolation, int] = {
    "nearest": cv2.INTER_NEAREST,
    "linear": cv2.INTER_LINEAR,
    "area": cv2.INTER_AREA,
    "cubic": cv2.INTER_CUBIC,
    "lanczos": cv2.INTER_LANCZOS4,
}


@dataclass(frozen=True, slots=True)
class DegradeSettings:
    """How an image loses its detail.

    Attributes:
        scale_range: the share of the size it shrinks to is drawn uniformly from here; equal ends fix it.
        down: interpolation on the way down; "area" averages, so that nothing aliases.
        up: interpolation on the way back up.
    """

    scale_range: tuple[float, float] = (0.25, 1.0)
    down: Interpolation = "area"
    up: Interpolation = "cubic"

    def __post_init__(self) -> None:
        low, high = self.scale_range
        if not 0.0 < low <= high <= 1.0:
            raise ValueError(f"DegradeSettings.scale_range is {self.scale_range}, expected 0 < low <= high <= 1")


def draw_scale(rng: np.random.Generator, settings: DegradeSettings) -> float:
    """Gives a scale from the settings' range."""
    return float(rng.uniform(*settings.scale_range))


def degrade(image: NDArray[np.uint8], scale: float, settings: DegradeSettings) -> NDArray[np.uint8]:
    """Gives the image as if it had been taken at `scale` of its size: shrunk, then enlarged again.

    Args:
        image: (H, W, 3) uint8.
        scale: share of the size, 0 < scale <= 1; 1 returns a copy.
        settings: names the interpolations.

    Returns:
        (H, W, 3) uint8.
    """
    height, width = image.shape[:2]
    small = (max(1, round(width * scale)), max(1, round(height * scale)))
    if small == (width, height):
        return image.copy()
    shrunk = cv2.resize(image, small, interpolation=_CV2_FLAGS[settings.down])
    return np.asarray(cv2.resize(shrunk, (width, height), interpolation=_CV2_FLAGS[settings.up]), dtype=np.uint8)
