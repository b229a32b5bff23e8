"""Training samples with their low-resolution twin: the sharp view for the teacher, the poor one for the student."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from mili_core.datasets.degrade import DegradeSettings, PairSettings, ScaleName, degrade, draw_scale, hr_lr_pair
from mili_core.datasets.sample import Sample

TwinSizes = Literal["paper", "uniform", "mixed"]


@dataclass(frozen=True, slots=True)
class TwinSettings:
    """How the low-resolution twin of a training view is made.

    Attributes:
        sizes: "paper": one of the paper's two sizes; "uniform": a scale drawn from `degrade`'s range; "mixed": either,
            which is what the shipped weights see.
        paper_share: of "mixed", the share of the paper's sizes.
        scales: the paper's sizes that are drawn from.
        native: probability that the twin keeps all detail ("uniform" and "mixed"): the end of the range, which a draw
            from it never meets.
        degrade: range and interpolations of the scale that is drawn.
        jpeg: probability of a JPEG round trip of the twin.
        jpeg_quality: drawn uniformly from here, ends included.
        noise: greatest standard deviation of Gaussian noise on the twin, 0..255 units; drawn from 0 up.
    """

    sizes: TwinSizes = "mixed"
    paper_share: float = 0.4
    scales: tuple[ScaleName, ...] = ("large", "small")
    native: float = 0.1
    degrade: DegradeSettings = field(default_factory=DegradeSettings)
    jpeg: float = 0.3
    jpeg_quality: tuple[int, int] = (40, 95)
    noise: float = 4.0

    def __post_init__(self) -> None:
        if not all(0.0 <= share <= 1.0 for share in (self.paper_share, self.native, self.jpeg)):
            raise ValueError(f"TwinSettings: shares must lie in 0..1, got {self}")


class Samples(Protocol):
    """Samples by index."""

    def __getitem__(self, index: int) -> Sample:
        """Gives sample `index`."""
        ...


class TwinStream:
    """Samples of a stream with `image` their low-resolution twin and `image_hr` what it was made of.

    Sample i depends on (seed, i) and the stream alone.
    """

    def __init__(self, samples: Samples, settings: TwinSettings, seed: int) -> None:
        self._samples, self._settings, self._seed = samples, settings, seed

    def __getitem__(self, index: int) -> Sample:
        return twin(self._samples[index], np.random.default_rng((self._seed, index, 1)), self._settings)


def twin(sample: Sample, rng: np.random.Generator, settings: TwinSettings) -> Sample:
    """Gives the sample with a low-resolution image; its coordinates hold for both, and its padding stays as it is."""
    height, width = sample.size
    lr = _poor(np.ascontiguousarray(sample.image[:height, :width]), rng, settings)
    strength = float(rng.uniform(0.0, settings.noise))
    if strength > 0.0:
        noise = rng.standard_normal(lr.shape, dtype=np.float32) * np.float32(strength)
        lr = np.clip(np.rint(lr + noise), 0, 255).astype(np.uint8)
    if rng.random() < settings.jpeg:
        lr = jpeg_round_trip(lr, int(rng.integers(settings.jpeg_quality[0], settings.jpeg_quality[1] + 1)))
    canvas = sample.image.copy()
    canvas[:height, :width] = lr
    return replace(sample, image=canvas, image_hr=sample.image)


def jpeg_round_trip(image: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    """Gives an image (H, W, 3) as a JPEG of a quality of 1..100 keeps it."""
    done, encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    assert done
    # Channel order is kept as it is: swapping it twice would cost time and change next to nothing.
    return np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR), dtype=np.uint8)


def _poor(image: NDArray[np.uint8], rng: np.random.Generator, settings: TwinSettings) -> NDArray[np.uint8]:
    paper = settings.sizes == "paper" or (settings.sizes == "mixed" and rng.random() < settings.paper_share)
    if paper:
        scale = settings.scales[int(rng.integers(len(settings.scales)))]
        height, width = image.shape[:2]
        return hr_lr_pair(image, PairSettings(scale, width, height, settings.degrade.down, settings.degrade.up)).lr
    share = 1.0 if rng.random() < settings.native else draw_scale(rng, settings.degrade)
    return degrade(image, share, settings.degrade)
