"""Recall and precision by the height of people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Bands = tuple[tuple[float, float], ...]
HEIGHT_BANDS_PX: Bands = ((0, 32), (32, 64), (64, 128), (128, 256), (256, 512), (512, float("inf")))


@dataclass(frozen=True, slots=True)
class Counts:
    """How many there were and how many were got right.

    Attributes:
        truths: people who count.
        hit: of these, how many were found.
        found: detections that count.
        right: of these, how many are people.
    """

    truths: int
    hit: int
    found: int
    right: int

    @property
    def recall(self) -> float:
        """Share of the truths that were found; NaN without truths."""
        return self.hit / self.truths if self.truths else float("nan")

    @property
    def precision(self) -> float:
        """Share of the detections that are right; NaN without detections."""
        return self.right / self.found if self.found else float("nan")

    @property
    def f1(self) -> float:
        """Harmonic mean of recall and precision; 0 where both are, NaN where one is."""
        both = self.recall + self.precision
        return 2 * self.recall * self.precision / both if both != 0 else 0.0


@dataclass(frozen=True, slots=True)
class ScoreCounts:
    """Counts of detections with at least a score."""

    score_threshold: float
    counts: Counts


@dataclass(frozen=True, slots=True)
class BandCounts:
    """Counts of heights in [low_px, high_px): truths by their own height, detections by theirs."""

    low_px: float
    high_px: float
    counts: Counts


def count(hit: NDArray[np.bool_], right: NDArray[np.bool_]) -> Counts:
    """Gives the counts of flags per truth (T,) and per detection (D,)."""
    return Counts(len(hit), int(hit.sum()), len(right), int(right.sum()))


def count_by_height(
    truth_heights_px: NDArray[np.floating],
    hit: NDArray[np.bool_],
    found_heights_px: NDArray[np.floating],
    right: NDArray[np.bool_],
    bands: Sequence[tuple[float, float]] = HEIGHT_BANDS_PX,
) -> tuple[BandCounts, ...]:
    """Gives the counts in each band.

    Args:
        truth_heights_px: (T,).
        hit: (T,) True where that person was found.
        found_heights_px: (D,).
        right: (D,) True where that detection is a person.
        bands: half-open height ranges.
    """
    rows = []
    for low, high in bands:
        truths = (truth_heights_px >= low) & (truth_heights_px < high)
        found = (found_heights_px >= low) & (found_heights_px < high)
        rows.append(BandCounts(low, high, count(hit[truths], right[found])))
    return tuple(rows)
