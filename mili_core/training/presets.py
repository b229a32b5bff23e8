"""What each configuration is trained with where nothing else is asked for."""

from __future__ import annotations

from dataclasses import dataclass, field

from mili_core.config import MILI_LITE, MILI_R50, ModelConfig
from mili_core.training.assign import Sampling
from mili_core.training.checkpoint import TrainSettings
from mili_core.training.sources import CANVAS


@dataclass(frozen=True, slots=True)
class Preset:
    """One configuration's numbers of training; those of its losses are `suited_weights`.

    Attributes:
        config: the model.
        canvas: width and height of training images, px.
        settings: length and pace.
        backbone_pace, body_pace: peak learning rates of the backbone and of the SMPL head over that of the rest.
        sampling: examples an image.
    """

    config: ModelConfig
    canvas: tuple[int, int] = CANVAS
    settings: TrainSettings = field(default_factory=TrainSettings)
    backbone_pace: float = 0.5
    body_pace: float = 1.0
    sampling: Sampling = field(default_factory=Sampling)


PRESETS = {
    "mili_lite": Preset(MILI_LITE),
    # The paper's images and batch (section 4.2), CRMH's pace and samples (its baseline and tune stages, spec section
    # 2.2), for weights that CRMH's or ImageNet's were converted to. AdamW and half a cosine stand for its RAdam.
    "mili_r50": Preset(
        MILI_R50,
        canvas=(832, 512),
        settings=TrainSettings(
            steps=180_000, batch=6, lr=1e-5, warmup=500, frozen_stages=1, weight_decay=1e-4, clip_norm=35.0
        ),
        backbone_pace=1.0,
        sampling=Sampling(rois=512, body_rois=128),
    ),
}
