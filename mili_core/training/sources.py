"""Which data the default weights are trained on, and in which parts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mili_core.datasets.augment import AugmentSettings
from mili_core.datasets.coco import CocoPhotos
from mili_core.datasets.mixture import MixtureSource, TrainingMixture
from mili_core.datasets.sport import SportPoses
from mili_core.datasets.squeezed import SqueezedPhotos
from mili_core.errors import ConfigError

NEGATIVES = 0.22  # share of person-free samples


def photo_sources(photos: Path, squeezed: Path | None, sport: Path | None) -> list[MixtureSource]:
    """Gives the real sources; weights are about proportional to what each photo adds.

    Args:
        photos: COCO-style folder with boxes, masks and keypoints.
        squeezed: more boxes, or None.
        sport: 2D poses, or None; they train the SMPL head only.
    """
    sources = [MixtureSource("photos", CocoPhotos(photos, "train"), 0.60, negatives=True)]
    if squeezed is not None:
        sources.append(MixtureSource("squeezed", SqueezedPhotos(squeezed), 0.28, negatives=True))
    if sport is not None:
        sources.append(MixtureSource("sport", SportPoses(sport), 0.08))
    return sources


def keypoint_sources(photos: Path, sport: Path | None) -> list[MixtureSource]:
    """Gives the real sources with 2D keypoints; arguments as of `photo_sources`."""
    sources = [MixtureSource("keypoints", CocoPhotos(photos, "train", require="keypoints"), 0.55)]
    if sport is not None:
        sources.append(MixtureSource("sport", SportPoses(sport), 0.45))
    return sources


def mixture(
    sources: Sequence[MixtureSource], settings: AugmentSettings, seed: int, *, people_only: bool = False
) -> TrainingMixture:
    """Gives the endless stream of training samples; `people_only` leaves out the person-free ones.

    Raises:
        ConfigError: no sources.
    """
    if not sources:
        raise ConfigError("training needs data: give --photos and the other folders")
    return TrainingMixture(sources, settings, seed, negatives=0.0 if people_only else NEGATIVES)
