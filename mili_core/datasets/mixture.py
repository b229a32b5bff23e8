"""An endless, exactly repeatable stream of training samples from several sources."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol

import numpy as np

from mili_core.datasets.augment import (
    AugmentSettings,
    augment,
    join,
    photometric,
    place,
    still_view,
)
from mili_core.datasets.negatives import empty_canvas, person_free_crop
from mili_core.datasets.sample import Sample

NEGATIVE_PHOTOS = 6
# The rest of a canvas beside or below a photo is filled with another photo when it is at least this large.
MIN_REGION_PX = 64


class SampleSource(Protocol):
    """Anything that gives random samples."""

    def draw(self, rng: np.random.Generator) -> Sample:
        """Gives a sample that depends on `rng` alone."""
        ...


@dataclass(frozen=True, slots=True)
class FunctionSource:
    """A function `(rng) -> Sample` as a source; picklable when the function is."""

    function: Callable[[np.random.Generator], Sample]

    def draw(self, rng: np.random.Generator) -> Sample:
        """Gives the function's sample."""
        return self.function(rng)


@dataclass(frozen=True, slots=True)
class MixtureSource:
    """A source and its part in the mixture.

    Attributes:
        name: for messages.
        source: gives samples.
        weight: share among the positives, relative to the other weights.
        change: "augment" moves and relights samples; "still" mirrors, covers and relights them (renders, whose SMPL
            truth cannot be moved otherwise), their size must not exceed the canvas.
        negatives: True lets person-free crops come from here; its photos must have complete boxes.
        pack: True fills the canvas with several of its samples where one leaves room.
    """

    name: str
    source: SampleSource
    weight: float
    change: Literal["augment", "still"] = "augment"
    negatives: bool = False
    pack: bool = True


@dataclass(frozen=True, slots=True)
class _Region:
    """A part of the canvas, px."""

    x: int
    y: int
    width: int
    height: int

    def around(self, width: int, height: int) -> tuple[_Region, _Region]:
        """Gives what is left beside and below a view of the given size in the top-left corner."""
        beside = _Region(self.x + width, self.y, self.width - width, height)
        below = _Region(self.x, self.y + height, self.width, self.height - height)
        return beside, below


class TrainingMixture:
    """Samples by index: sample i depends on (seed, i) alone, so training resumes exactly and workers share it.

    Works as a torch map-style data set without importing torch.

    Args:
        sources: at least one; weights of sources that should not appear as positives may be 0.
        settings: augmentation and canvas.
        seed: another seed is another stream.
        negatives: share of samples without any person.
        packed: share of the positives whose canvas is filled up with further photos; the others are padded.
        quartered: share of the packed ones that begin with the four quarters of the canvas: more, smaller people.
        length: what len() says; indices beyond it are as good.

    Raises:
        ValueError: no source, a share outside 0..1, or no positive weight.
    """

    def __init__(
        self,
        sources: Sequence[MixtureSource],
        settings: AugmentSettings,
        seed: int,
        *,
        negatives: float = 0.2,
        packed: float = 0.8,
        quartered: float = 0.2,
        length: int = 1_000_000,
    ) -> None:
        weights = np.array([source.weight for source in sources], dtype=np.float64)
        if not len(weights) or weights.min() < 0 or weights.sum() <= 0:
            raise ValueError(f"TrainingMixture needs sources with weights >= 0 and a positive sum, got {weights}")
        if not all(0 <= share <= 1 for share in (negatives, packed, quartered)):
            raise ValueError(f"TrainingMixture shares must lie in 0..1, got {negatives=}, {packed=}, {quartered=}")
        self._sources = tuple(sources)
        self._shares = weights / weights.sum()
        self._negative_sources = [source for source in sources if source.negatives]
        self._settings = settings
        self._seed = seed
        self._negatives = negatives
        self._packed = packed
        self._quartered = quartered
        self._length = length

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int) -> Sample:
        rng = np.random.default_rng((self._seed, index))
        if rng.random() < self._negatives:
            return self._negative(rng)
        source = self._sources[int(rng.choice(len(self._sources), p=self._shares))]
        if source.change == "still":
            return still_view(source.source.draw(rng), rng, self._settings)
        if source.pack and rng.random() < self._packed:
            regions = self._quarters() if rng.random() < self._quartered else [self._whole()]
            pieces = [piece for region in regions for piece in self._fill(source.source, region, rng)]
            return join(pieces, self._settings.width, self._settings.height)
        return augment(source.source.draw(rng), rng, self._settings)

    def _whole(self) -> _Region:
        return _Region(0, 0, self._settings.width, self._settings.height)

    def _quarters(self) -> list[_Region]:
        width, height = self._settings.width // 2, self._settings.height // 2
        return [_Region(x, y, width, height) for y in (0, height) for x in (0, width)]

    def _fill(self, source: SampleSource, region: _Region, rng: np.random.Generator) -> list[tuple[Sample, int, int]]:
        """Gives views of photos, with their corners, that fill a region from the top left."""
        view = self._view(source, region, rng)
        pieces = [(view, region.x, region.y)]
        for rest in region.around(view.image.shape[1], view.image.shape[0]):
            if min(rest.width, rest.height) >= MIN_REGION_PX:
                pieces += self._fill(source, rest, rng)
        return pieces

    def _view(self, source: SampleSource, region: _Region, rng: np.random.Generator) -> Sample:
        low, high = self._settings.person_height_px
        share = region.height / self._settings.height
        tallest = max(low, high * share)
        settings = replace(self._settings, width=region.width, height=region.height, person_height_px=(low, tallest))
        return photometric(place(source.draw(rng), rng, settings), rng, settings)

    def _negative(self, rng: np.random.Generator) -> Sample:
        """Gives a person-free crop of one of a few photos, or an artificial canvas when none has room."""
        for _ in range(NEGATIVE_PHOTOS if self._negative_sources else 0):
            source = self._negative_sources[int(rng.integers(len(self._negative_sources)))]
            crop = person_free_crop(source.source.draw(rng), rng, self._settings)
            if crop is not None:
                return crop
        return empty_canvas(rng, self._settings)
