"""What the pipeline asks of a model: anything that satisfies `PersonPredictor` can be run with --model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from mili_core.detections import Detections


@dataclass(frozen=True, slots=True)
class ModelIdentity:
    """Which model gave a result.

    Attributes:
        name: model configuration, for example "mili_lite".
        weights_sha256: hex digest of the weights file ("" for a model without one).
        body_name: "open" or "smpl".
        body_sha256: hex digest of the body arrays (mili_core.body.BodyModel.sha256).
        betas_source: "model", or "fit" where the weights regress another body and betas were carried over.
    """

    name: str
    weights_sha256: str
    body_name: str
    body_sha256: str
    betas_source: str = "model"


@runtime_checkable
class PersonPredictor(Protocol):
    """A model: images in, people out. A --model factory is called as `factory(device)` and returns one."""

    @property
    def identity(self) -> ModelIdentity:
        """Which model this is; part of the run's hash."""
        ...

    def predict(self, images: Sequence[NDArray[np.uint8]]) -> list[Detections]:
        """Gives the people of each image.

        Args:
            images: each (H, W, 3) uint8 sRGB, C-contiguous; sizes may differ; may be an empty sequence.

        Returns:
            One Detections per image, in px of that image; N = 0 where nobody is found.
        """
        ...
