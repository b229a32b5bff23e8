"""Model configurations: the numbers that make `mili_lite` and `mili_r50` out of the same code."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from typing import Any

from mili_core.errors import WeightsError


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """Sizes of the two-stage model. The defaults are `mili_lite`.

    Attributes:
        name: what weights call this configuration.
        backbone: "efficientnet_lite0" or "resnet50".
        pixel_mean, pixel_std: RGB normalisation, 0..255 units; padding is 0 after it.
        fpn_channels: width of the pyramid's levels P2..P6.
        anchor_scale: anchor side = scale x stride (8: sides 32..512 on P2..P6).
        anchor_ratios: height / width of the anchors at each cell.
        pre_nms, proposals: best anchors kept a level, and proposals kept an image.
        rpn_nms_iou, box_nms_iou: suppression thresholds.
        box_fc, box_fcs: width and number of the box head's fully connected layers.
        mask_channels, mask_convs: the mask head.
        body_channels, body_convs, body_fc: the SMPL head.
        body_dropout: of its fully connected layers in training; the light head is too narrow for CRMH's .5.
        body_iterations: refinements of the SMPL state (CRMH: 3).
        max_people: people kept an image.
    """

    name: str = "mili_lite"
    backbone: str = "efficientnet_lite0"
    pixel_mean: tuple[float, float, float] = (127.0, 127.0, 127.0)
    pixel_std: tuple[float, float, float] = (128.0, 128.0, 128.0)
    fpn_channels: int = 64
    anchor_scale: float = 8.0
    anchor_ratios: tuple[float, ...] = (0.75, 1.5, 3.0)
    pre_nms: int = 300
    proposals: int = 300
    rpn_nms_iou: float = 0.7
    box_nms_iou: float = 0.5
    box_fc: int = 512
    box_fcs: int = 2
    mask_channels: int = 64
    mask_convs: int = 4
    body_channels: int = 128
    body_convs: int = 4
    body_fc: int = 512
    body_dropout: float = 0.1
    body_iterations: int = 3
    max_people: int = 100

    def to_json(self) -> str:
        """Returns the configuration as JSON with sorted keys (stored in the weights' metadata)."""
        return json.dumps(asdict(self), sort_keys=True)

    @staticmethod
    def from_json(text: str) -> ModelConfig:
        """Returns the configuration in `text`.

        Raises:
            WeightsError: no JSON object, unknown or missing settings, or values of other types.
        """
        try:
            raw: object = json.loads(text)
        except json.JSONDecodeError as error:
            raise WeightsError(f"the model's configuration is not JSON ({error})") from error
        if not isinstance(raw, dict):
            raise WeightsError(f"the model's configuration is a JSON {type(raw).__name__}, not an object")
        if odd := sorted(set(raw) ^ {field.name for field in fields(ModelConfig)}):
            raise WeightsError(f"made for another version: settings {odd} differ; retrain or convert the weights")
        values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in raw.items()}
        for field in fields(ModelConfig):
            if not _same_kind(values[field.name], field.default):
                raise WeightsError(f"the model's configuration: {field.name} cannot be {values[field.name]!r}")
        return ModelConfig(**values)


def _same_kind(value: object, default: object) -> bool:
    """True where `value` has the type of `default`; whole numbers are floats too, tuples hold numbers."""
    if isinstance(default, tuple):
        return isinstance(value, tuple) and all(_same_kind(each, 0.0) for each in value)
    if isinstance(default, float):
        return isinstance(value, float | int) and not isinstance(value, bool)
    return type(value) is type(default)


MILI_LITE = ModelConfig()

# The paper's backbone (section 4.2) on CRMH's sizes; ImageNet statistics of torchvision's ResNet-50.
MILI_R50 = ModelConfig(
    name="mili_r50",
    backbone="resnet50",
    pixel_mean=(123.675, 116.28, 103.53),
    pixel_std=(58.395, 57.12, 57.375),
    fpn_channels=256,
    anchor_ratios=(0.5, 1.0, 2.0),
    pre_nms=1000,
    proposals=1000,
    box_fc=1024,
    mask_channels=256,
    body_channels=256,
    body_fc=1024,
    body_dropout=0.5,
)
