"""Model configurations: the numbers that make `mili_lite` and `mili_r50` out of the same code."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal, get_args

from mili_core.errors import ConfigError, WeightsError

Backbone = Literal["efficientnet_lite0", "resnet50"]
Branch = Literal["hr", "lr"]
RestorationUse = Literal["replace", "aux"]
BodyFeatures = Literal["mean", "joints"]

RANGES: dict[str, tuple[float, float]] = {
    "pixel_mean": (0, 255),
    "pixel_std": (0.01, 1000),
    "fpn_channels": (1, 4096),
    "anchor_scale": (0.1, 100),
    "anchor_ratios": (0.01, 100),
    "pre_nms": (1, 100_000),
    "proposals": (1, 100_000),
    "rpn_nms_iou": (0, 1),
    "box_nms_iou": (0, 1),
    "box_fc": (1, 16_384),
    "box_fcs": (1, 16),
    "box_passes": (1, 16),
    "mask_channels": (1, 4096),
    "mask_convs": (1, 64),
    "body_channels": (1, 4096),
    "body_convs": (1, 64),
    "body_fc": (1, 16_384),
    "body_margin": (1, 4),
    "body_dropout": (0, 1),
    "body_iterations": (1, 64),
    "max_people": (1, 10_000),
}
"""Least and largest value of every number, ends included: wider than what anybody trains, narrower than what would
fill a machine's memory or divide by zero."""

COUNTS = {"pixel_mean": (3, 3), "pixel_std": (3, 3), "anchor_ratios": (1, 16), "attention": (0, 2)}
"""Fewest and most values of a setting that has several."""


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """Sizes, parts and conventions of the two-stage model. The defaults are `mili_lite`.

    A part that is switched off does not exist: the model has no such tensors, and weights made for it hold none.

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
        box_passes: how often the box head looks at what may be a person, each time through the box that it made of it
            before; a score is the mean of all its looks (iterative localisation: Gidaris and Komodakis, ICCV 2015).
        mask_channels, mask_convs: the mask head.
        body_channels, body_convs, body_fc: the SMPL head; with "joints" the convolutions are those of each level.
        body_features: what the SMPL head reads bodies from: "mean", one mean of the RoI (CRMH), or "joints", where each
            joint is, and what is there.
        body_margin: RoIs of the SMPL head are this many times as wide and high as the box.
        body_dropout: of its fully connected layers in training; the light head is too narrow for CRMH's .5.
        body_iterations: refinements of the SMPL state (CRMH: 3).
        max_people: people kept an image.
        attention: branches with a spatial attention of their own (paper eq. 1); for any other it is the identity.
        mask_network: whether the LR branch predicts masks (paper section 3.2).
        restoration: whether the LR branch restores the pyramid's top level (section 3.3).
        restoration_use: "replace": what is restored takes the place of P5; "aux": it serves its loss alone.
        class_boxes: the box head regresses one box a class, background first, instead of the person's only.
        round_anchors: anchors have whole px.
        inclusive_boxes: a box ends in its last pixel: none is narrower than 1 px, and the weak camera measures from
            first to last pixel. Boxes are half-open in every interface all the same.
        roi_half_pixel: the value of feature cell i holds at (i + .5) x stride, not at i x stride.

    Raises:
        ConfigError: an unknown backbone, branch or use of the restoration, or a number out of RANGES or COUNTS.
    """

    name: str = "mili_lite"
    backbone: Backbone = "efficientnet_lite0"
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
    box_passes: int = 3
    mask_channels: int = 64
    mask_convs: int = 4
    body_channels: int = 64
    body_convs: int = 2
    body_fc: int = 512
    body_features: BodyFeatures = "joints"
    body_margin: float = 1.15
    body_dropout: float = 0.1
    body_iterations: int = 3
    max_people: int = 100
    attention: tuple[Branch, ...] = ("hr", "lr")
    mask_network: bool = True
    restoration: bool = True
    restoration_use: RestorationUse = "replace"
    class_boxes: bool = False
    round_anchors: bool = False
    inclusive_boxes: bool = False
    roi_half_pixel: bool = True

    def __post_init__(self) -> None:
        _one_of("backbone", self.backbone, get_args(Backbone))
        _one_of("body_features", self.body_features, get_args(BodyFeatures))
        _one_of("restoration_use", self.restoration_use, get_args(RestorationUse))
        for branch in self.attention:
            _one_of("attention", branch, get_args(Branch))
        for name, count in COUNTS.items():
            _within(f"number of values in {name}", len(getattr(self, name)), count)
        for name, ends in RANGES.items():
            value = getattr(self, name)
            for number in value if isinstance(value, tuple) else (value,):
                _within(name, number, ends)

    def to_json(self) -> str:
        """Returns the configuration as JSON with sorted keys (stored in the weights' metadata)."""
        return json.dumps(asdict(self), sort_keys=True)

    @staticmethod
    def from_json(text: str, *, format_1: bool = False) -> ModelConfig:
        """Returns the configuration in `text`.

        Args:
            text: of `to_json`.
            format_1: the text is of the first format of weights, which had no settings for parts and conventions.

        Raises:
            WeightsError: no JSON object, unknown or missing settings, or values of other types.
        """
        try:
            raw: object = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise WeightsError(f"the model's configuration is not JSON ({error})") from error
        if not isinstance(raw, dict):
            raise WeightsError(f"the model's configuration is a JSON {type(raw).__name__}, not an object")
        stored = {**LATER_SETTINGS, **(FORMAT_1_SETTINGS if format_1 else {}), **raw}
        if odd := sorted(set(stored) ^ {field.name for field in fields(ModelConfig)}):
            raise WeightsError(f"made for another version: settings {odd} differ; retrain or convert the weights")
        values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in stored.items()}
        for field in fields(ModelConfig):
            if not _same_kind(values[field.name], field.default):
                raise WeightsError(f"the model's configuration: {field.name} cannot be {values[field.name]!r}")
        try:
            return ModelConfig(**values)
        except ConfigError as error:
            raise WeightsError(str(error)) from error


# What weights are that were made before these settings.
LATER_SETTINGS: dict[str, object] = {"box_passes": 1}

# What weights of the first format are: made before these settings, with one branch and all of its parts.
FORMAT_1_SETTINGS: dict[str, object] = {
    "attention": ["lr"],
    "mask_network": True,
    "restoration": True,
    "restoration_use": "replace",
    "class_boxes": False,
    "round_anchors": False,
    "inclusive_boxes": False,
    "roi_half_pixel": True,
    "body_features": "mean",
    "body_margin": 1.0,
}


def _one_of(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ConfigError(f"the model's {name} cannot be {value!r}; it is one of {', '.join(known)}")


def _within(name: str, value: float, ends: tuple[float, float]) -> None:
    low, high = ends
    if not low <= value <= high:
        wanted = f"between {low} and {high}" if low < high else low
        raise ConfigError(f"the model's {name} is {value}; it is {wanted}")


def _same_kind(value: object, default: object) -> bool:
    """True where `value` has the type of `default`; whole numbers are floats too; tuples hold what the default does."""
    if isinstance(default, tuple):
        return isinstance(value, tuple) and all(_same_kind(each, default[0]) for each in value)
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
    box_passes=1,
    mask_channels=256,
    body_channels=256,
    body_convs=4,
    body_fc=1024,
    body_features="mean",
    body_margin=1.0,
    body_dropout=0.5,
)

# CRMH as its authors released it: the paper's starting point, which has none of MILI's parts (CRMH spec, section 1).
CRMH_R50 = replace(
    MILI_R50,
    attention=(),
    mask_network=False,
    restoration=False,
    class_boxes=True,
    round_anchors=True,
    inclusive_boxes=True,
    roi_half_pixel=False,
)
