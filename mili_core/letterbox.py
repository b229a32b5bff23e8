"""Fits an image of any size to the network's canvas, and carries results back (conventions: who resizes undoes it)."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mili_core.body import NETWORK_HEIGHT, NETWORK_WIDTH, letterbox_scale
from mili_core.errors import ImageError


@dataclass(frozen=True, slots=True, eq=False)
class Letterboxed:
    """An image at the top left of the canvas.

    Attributes:
        pixels: (height, width, 3) uint8, without padding; fits NETWORK_WIDTH x NETWORK_HEIGHT.
        factors: network px per image px along x and y. Each side is rounded to whole px, so the two differ a little.
    """

    pixels: NDArray[np.uint8]
    factors: tuple[float, float]


def letterbox(image: NDArray[np.uint8], *, always_linear: bool = False) -> Letterboxed:
    """Gives the image scaled, aspect kept, so that it just fits the canvas.

    Args:
        image: (H, W, 3) uint8.
        always_linear: shrink without averaging, too, as CRMH does (fine detail aliases).

    Raises:
        ImageError: another dtype or shape, or no pixels.
    """
    check_image(image)
    height, width = image.shape[:2]
    scale = letterbox_scale(width, height)
    filled_width = min(max(int(width * scale + 0.5), 1), NETWORK_WIDTH)
    filled_height = min(max(int(height * scale + 0.5), 1), NETWORK_HEIGHT)
    factors = (filled_width / width, filled_height / height)
    if factors == (1.0, 1.0):
        return Letterboxed(np.ascontiguousarray(image), factors)
    interpolation = cv2.INTER_AREA if scale < 1 and not always_linear else cv2.INTER_LINEAR
    resized = cv2.resize(image, (filled_width, filled_height), interpolation=interpolation)
    return Letterboxed(np.asarray(resized, dtype=np.uint8), factors)


def check_image(image: NDArray[np.uint8]) -> None:
    """Raises ImageError unless the image is a uint8 array (H, W, 3) with at least one pixel."""
    if not isinstance(image, np.ndarray):
        raise ImageError(f"image is a {type(image).__name__}; give a numpy array, uint8 (height, width, 3) RGB")
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise ImageError(f"image is {image.dtype}{image.shape}; give uint8 (height, width, 3) RGB")
    if 0 in image.shape:
        raise ImageError(f"image of {image.shape[1]} x {image.shape[0]} px has no pixels")
