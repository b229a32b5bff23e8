"""Readers of training data; one sample record for all."""

from mili_core.datasets.augment import (
    AugmentSettings,
    augment,
    pad,
    photometric,
    still_view,
)
from mili_core.datasets.coco import CocoPhotos
from mili_core.datasets.degrade import DegradeSettings
from mili_core.datasets.flip import flip
from mili_core.datasets.mixture import (
    FunctionSource,
    MixtureSource,
    SampleSource,
    TrainingMixture,
)
from mili_core.datasets.negatives import empty_canvas, person_free_crop
from mili_core.datasets.sample import BodyTruth, Sample
from mili_core.datasets.shards import ShardSource
from mili_core.datasets.sport import SportPoses
from mili_core.datasets.squeezed import SqueezedPhotos
from mili_core.datasets.twins import TwinSettings, TwinStream, twin

__all__ = [
    "AugmentSettings",
    "BodyTruth",
    "CocoPhotos",
    "DegradeSettings",
    "FunctionSource",
    "MixtureSource",
    "Sample",
    "SampleSource",
    "ShardSource",
    "SportPoses",
    "SqueezedPhotos",
    "TrainingMixture",
    "TwinSettings",
    "TwinStream",
    "augment",
    "empty_canvas",
    "flip",
    "pad",
    "person_free_crop",
    "photometric",
    "still_view",
    "twin",
]
