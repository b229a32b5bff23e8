"""How a predictor runs its model: which branch, on which pixels, and whose behaviour it keeps to."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from mili_core.body import letterbox_scale
from mili_core.config import CRMH_R50, Branch, ModelConfig
from mili_core.errors import ConfigError
from mili_core.letterbox import Letterboxed, letterbox

LrMode = Literal["native", "degrade"]
LrScale = Literal["large", "small"]
Compat = Literal["crmh"]

CRMH_SCORE_THRESHOLD = 0.05  # of its evaluation settings; its demo shows people above .5 only
CRMH_SETTINGS = (
    "attention",
    "mask_network",
    "restoration",
    "class_boxes",
    "round_anchors",
    "inclusive_boxes",
    "roi_half_pixel",
)


@dataclass(frozen=True, slots=True)
class Mode:
    """How images go through the model.

    Attributes:
        branch: "lr", or "hr", which has its own attention and neither masks nor restoration.
        lr_mode: on the LR branch, "native": pixels as they come; "degrade": shrunk to the paper's low resolution and
            enlarged again first, as in its benchmarks.
        lr_scale: that resolution, "large" (286 x 176 of 832 x 512) or "small" (208 x 128).
        compat: "crmh": what CRMH's released code computes: bilinear resizing, single precision, its score
            threshold, the weak camera as regressed.

    Raises:
        ConfigError: an unknown value, or two that contradict each other.
    """

    branch: Branch = "lr"
    lr_mode: LrMode = "native"
    lr_scale: LrScale = "large"
    compat: Compat | None = None

    def __post_init__(self) -> None:
        _one_of("branch", self.branch, get_args(Branch))
        _one_of("lr_mode", self.lr_mode, get_args(LrMode))
        _one_of("lr_scale", self.lr_scale, get_args(LrScale))
        if self.compat is not None:
            _one_of("compat", self.compat, get_args(Compat))
        if self.branch == "hr" and self.lr_mode == "degrade":
            raise ConfigError("lr_mode 'degrade' is of branch 'lr', and branch is 'hr'; leave one of them out")
        if self.compat == "crmh" and self.branch == "lr":
            raise ConfigError("compat 'crmh' has branch 'hr' only; leave branch out")

    @property
    def suffix(self) -> str:
        """What tells results of this mode from the default's, "" for the default."""
        degraded = f"degrade-{self.lr_scale}" if self.lr_mode == "degrade" else ""
        named = self.compat or degraded or ("hr" if self.branch == "hr" else "")
        return f"[{named}]" if named else ""

    def check(self, config: ModelConfig) -> None:
        """Raises ConfigError where weights of this configuration cannot run in this mode."""
        if self.compat is None:
            return
        other = [name for name in CRMH_SETTINGS if getattr(config, name) != getattr(CRMH_R50, name)]
        if other:
            raise ConfigError(
                f"compat 'crmh' needs weights made by mili convert-weights crmh, with --weights FILE; those of "
                f"{config.name} differ from CRMH's in {', '.join(other)}"
            )

    def fit(self, image: NDArray[np.uint8]) -> Letterboxed:
        """Gives an image as the model shall see it, on the network's canvas.

        Raises:
            ImageError: see `letterbox`.
        """
        if self.lr_mode == "degrade":
            return _degraded(image, self.lr_scale)
        if self.compat == "crmh":
            return _fitted_as_crmh(image)
        return letterbox(image)


def chosen_mode(branch: Branch | None, lr_mode: LrMode, lr_scale: LrScale, compat: Compat | None) -> Mode:
    """Gives the mode; the branch is "lr" where it is left open, and "hr" with a compat."""
    return Mode(branch or ("lr" if compat is None else "hr"), lr_mode, lr_scale, compat)


def _degraded(image: NDArray[np.uint8], scale: LrScale) -> Letterboxed:
    from mili_core.datasets.degrade import PairSettings, hr_lr_pair  # noqa: PLC0415 - data sets, few predictors need it

    pair = hr_lr_pair(image, PairSettings(scale))
    return Letterboxed(np.ascontiguousarray(pair.lr[: pair.fit.height, : pair.fit.width]), pair.fit.factors)


def _fitted_as_crmh(image: NDArray[np.uint8]) -> Letterboxed:
    """Gives what CRMH's code does: results go back by one scale, although each side is rounded by itself."""
    boxed = letterbox(image, always_linear=True)
    scale = letterbox_scale(image.shape[1], image.shape[0])
    return replace(boxed, factors=(scale, scale))


def _one_of(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ConfigError(f"{name} cannot be {value!r}; it is one of {', '.join(known)}")
