"""Low-resolution twins of images: down to a share of the size and back up (the paper's LR branch)."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from mili_core.body import NETWORK_HEIGHT, NETWORK_WIDTH
from mili_core.letterbox import check_image

Interpolation = Literal["nearest", "linear", "area", "cubic", "lanczos"]
ScaleName = Literal["large", "small"]

LR_SHARES: dict[ScaleName, Fraction] = {"large": Fraction(11, 32), "small": Fraction(1, 4)}
"""Share of the canvas that is left of it at low resolution: 286x176 and 208x128 of 832x512, the paper's sizes for
large-scale and small-scale data sets. As shares they hold for smaller canvases, too."""

ZERO_RGB = (0, 0, 0)

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


@dataclass(frozen=True, slots=True)
class PairSettings:
    """How an HR image and its LR twin are made.

    Attributes:
        scale_name: "large" or "small", see LR_SHARES.
        width, height: the canvas of both, px.
        down: interpolation from HR to LR; "area" averages, so that nothing aliases.
        up: interpolation from LR back to the canvas.
        padding_rgb: colour at the right and at the bottom of what the image does not fill. A network that normalises
            whole canvases sees zero there when this is its mean colour, or when it clears what lies beyond
            `HrLrPair.fit`.
    """

    scale_name: ScaleName = "large"
    width: int = NETWORK_WIDTH
    height: int = NETWORK_HEIGHT
    down: Interpolation = "area"
    up: Interpolation = "cubic"
    padding_rgb: tuple[int, int, int] = ZERO_RGB

    def __post_init__(self) -> None:
        if self.scale_name not in LR_SHARES:
            raise ValueError(f"PairSettings.scale_name is {self.scale_name!r}, expected one of {', '.join(LR_SHARES)}")
        if self.width < 1 or self.height < 1:
            raise ValueError(f"PairSettings has a canvas of {self.width}x{self.height} px, expected at least 1x1")
        unknown = [name for name in (self.down, self.up) if name not in _CV2_FLAGS]
        if unknown:
            raise ValueError(
                f"PairSettings names interpolation {unknown[0]!r}, expected one of {', '.join(_CV2_FLAGS)}"
            )

    @property
    def lr_size(self) -> tuple[int, int]:
        """Width and height of the canvas at low resolution, px."""
        share = LR_SHARES[self.scale_name]
        return _share_of(self.width, share), _share_of(self.height, share)


@dataclass(frozen=True, slots=True)
class CanvasFit:
    """Where an image lies on its canvas: at the top left, aspect kept.

    Attributes:
        scale: canvas px per image px, before whole pixels are rounded.
        factors: canvas px per image px along x and y, exact.
        width, height: of the part that is filled, canvas px.
        interpolation: how the image was brought to that size; None where it had it.
    """

    scale: float
    factors: tuple[float, float]
    width: int
    height: int
    interpolation: Interpolation | None

    def boxes_on_canvas(self, boxes_xyxy: NDArray[np.float32]) -> NDArray[np.float32]:
        """Gives (N, 4) boxes of the image in px of the canvas, the same for HR and LR."""
        moved: NDArray[np.float32] = boxes_xyxy * np.array(self.factors * 2, dtype=np.float32)
        return moved


@dataclass(frozen=True, slots=True, eq=False)
class HrLrPair:
    """An image at high resolution and its low-resolution twin, on canvases of one size and in the same coordinates.

    Attributes:
        hr: (H, W, 3) uint8.
        lr: (H, W, 3) uint8, enlarged from `lr_size`.
        scale_name: which of the paper's sizes.
        lr_size: width and height of the canvas at low resolution, px.
        down, up: the interpolations between the two.
        fit: where the image lies on both canvases; the rest is padding.
    """

    hr: NDArray[np.uint8]
    lr: NDArray[np.uint8]
    scale_name: ScaleName
    lr_size: tuple[int, int]
    down: Interpolation
    up: Interpolation
    fit: CanvasFit


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
    return _down_and_up(image, small, settings.down, settings.up)


def hr_lr_pair(image: NDArray[np.uint8], settings: PairSettings | ScaleName = "large") -> HrLrPair:
    """Gives an image fitted to the canvas, and the same after the way through the paper's low resolution.

    The image is brought to the canvas first; what it fills there is shrunk to its share of the LR canvas and enlarged
    to the same place, so that boxes and points of one hold for the other. Padding is laid on last and stays sharp.

    Args:
        image: (H, W, 3) uint8.
        settings: sizes and interpolations, or the name of one of the paper's two sizes on the network's canvas.

    Raises:
        ImageError: the image has another dtype or shape, or no pixels.
        ValueError: an unknown scale name.
    """
    check_image(image)
    chosen = settings if isinstance(settings, PairSettings) else PairSettings(settings)
    fit = fit_to_canvas(image.shape[1], image.shape[0], chosen.width, chosen.height)
    sharp = image if fit.interpolation is None else _resized(image, (fit.width, fit.height), fit.interpolation)
    share = LR_SHARES[chosen.scale_name]
    small = (_share_of(fit.width, share), _share_of(fit.height, share))
    soft = _down_and_up(sharp, small, chosen.down, chosen.up)
    return HrLrPair(
        hr=_padded(sharp, chosen),
        lr=_padded(soft, chosen),
        scale_name=chosen.scale_name,
        lr_size=chosen.lr_size,
        down=chosen.down,
        up=chosen.up,
        fit=fit,
    )


def fit_to_canvas(width: int, height: int, canvas_width: int, canvas_height: int) -> CanvasFit:
    """Gives how an image of a size, px, fits a canvas: as large as possible, aspect kept."""
    scale = min(canvas_width / width, canvas_height / height)
    filled_width = min(max(int(width * scale + 0.5), 1), canvas_width)
    filled_height = min(max(int(height * scale + 0.5), 1), canvas_height)
    same = (filled_width, filled_height) == (width, height)
    how: Interpolation | None = None if same else "area" if scale < 1 else "linear"
    return CanvasFit(scale, (filled_width / width, filled_height / height), filled_width, filled_height, how)


def _share_of(length: int, share: Fraction) -> int:
    """Gives a share of a length, to the nearest whole px (halves up), at least one."""
    return max(1, (2 * length * share.numerator + share.denominator) // (2 * share.denominator))


def _down_and_up(
    image: NDArray[np.uint8], small: tuple[int, int], down: Interpolation, up: Interpolation
) -> NDArray[np.uint8]:
    height, width = image.shape[:2]
    return _resized(_resized(image, small, down), (width, height), up)


def _resized(image: NDArray[np.uint8], size: tuple[int, int], how: Interpolation) -> NDArray[np.uint8]:
    """Gives a new array of a size (width, height)."""
    if size == (image.shape[1], image.shape[0]):
        return image.copy()
    return np.asarray(cv2.resize(image, size, interpolation=_CV2_FLAGS[how]), dtype=np.uint8)


def _padded(image: NDArray[np.uint8], settings: PairSettings) -> NDArray[np.uint8]:
    canvas = np.empty((settings.height, settings.width, 3), dtype=np.uint8)
    canvas[:] = settings.padding_rgb
    canvas[: image.shape[0], : image.shape[1]] = image
    return canvas
