"""Readers of training data; one sample record for all."""

from mili_core.datasets.augment import AugmentSettings, augment, empty_canvas, pad, person_free_crop, photometric
from mili_core.datasets.coco import CocoPhotos
from mili_core.datasets.degrade import DegradeSettings, degrade
from mili_core.datasets.mixture import (
    FunctionSource,
    MixtureSource,
    SampleSource,
    TrainingMixture,
)
from mili_core.datasets.sample import BodyTruth, Sample
from mili_core.datasets.sport import SportPoses
from mili_core.datasets.squeezed import SqueezedPhotos

__all__ = [
    "AugmentSettings",
    "BodyTruth",
    "CocoPhotos",
    "DegradeSettings",
    "FunctionSource",
    "MixtureSource",
    "Sample",
    "SampleSource",
    "SportPoses",
    "SqueezedPhotos",
    "TrainingMixture",
    "augment",
    "degrade",
    "empty_canvas",
    "pad",
    "person_free_crop",
    "photometric",
]
