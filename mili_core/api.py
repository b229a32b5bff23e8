"""The public door of the model library: images in, people out.

from mili_core.api import Predictor, draw_people
people = Predictor.load().predict([image])[0]  # image: (H, W, 3) uint8 RGB
overlay = draw_people(image, people)
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import replace
from numbers import Real
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from mili_core.body import (
    FOCAL_PX,
    NETWORK_HEIGHT,
    NETWORK_WIDTH,
    BodyModel,
    SkinnedBody,
    load_body,
    project,
    translation_from_weak,
)
from mili_core.compat.raw import RawFeatures, RawOutput, last_pixels, raw_output, single_precision
from mili_core.config import Branch
from mili_core.detections import Detections
from mili_core.errors import ConfigError, ImageError, WeightsError
from mili_core.letterbox import Letterboxed
from mili_core.modes import CRMH_SCORE_THRESHOLD, Compat, LrMode, LrScale, Mode, chosen_mode
from mili_core.nets.mask_head import inside, probability_at
from mili_core.nets.mili import Mili, People
from mili_core.overlay import draw_people
from mili_core.protocol import ModelIdentity, PersonPredictor
from mili_core.regressed import BodyMismatch, regressed_body
from mili_core.weights import Weights, load_into, read_weights

__all__ = ["Detections", "ModelIdentity", "PersonPredictor", "Predictor", "RawFeatures", "RawOutput", "draw_people"]

IMAGES_AT_ONCE = 2  # bounds the memory of activations; speed on a CPU hardly depends on it
DEFAULT_MODE = Mode()
LEAST_SCALE = 0.05  # of the weak camera: a body farther than 40 box heights is a broken regression


class Predictor:
    """MILI with its weights and its body."""

    def __init__(
        self,
        weights: Weights,
        body: BodyModel,
        device: torch.device,
        *,
        score_threshold: float | None = None,
        body_mismatch: BodyMismatch = "refuse",
        mode: Mode = DEFAULT_MODE,
    ) -> None:
        if weights.holds != "model":
            raise WeightsError(
                f"weights {weights.sha256[:12]} hold a {weights.holds} only: a start for mili train-mili"
            )
        mode.check(weights.config)
        _check_score(score_threshold)
        self._regressed = regressed_body(weights, body, body_mismatch, stand_in=mode.compat is not None)
        self._model = Mili(weights.config)
        load_into(self._model, weights)
        self._model.eval().to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._body = SkinnedBody(body).to(device)
        self._device, self._mode = device, mode
        self._recommended = weights.score_threshold if mode.compat is None else CRMH_SCORE_THRESHOLD
        self._threshold = self._recommended if score_threshold is None else score_threshold
        betas_source = "model" if self._regressed.source is None else "fit"
        name = weights.config.name + mode.suffix
        stand_in = self._regressed.stand_in
        whose = (weights.body_name, weights.body_sha256) if stand_in else (body.name, body.sha256)
        self._identity = ModelIdentity(name, weights.sha256, *whose, betas_source)
        if stand_in:
            warnings.warn(
                f"these weights regress the body {weights.body_name!r}, which is not given: joints are those of the "
                f"body {body.name!r} at its mean shape; mili convert-body makes body=FILE.npz of your own SMPL file",
                stacklevel=3,
            )

    @staticmethod
    def load(
        weights: Path | str | None = None,
        body: Path | str | None = None,
        device: str = "auto",
        *,
        score_threshold: float | None = None,
        body_mismatch: BodyMismatch = "refuse",
        branch: Branch | None = None,
        lr_mode: LrMode = "native",
        lr_scale: LrScale = "large",
        compat: Compat | None = None,
    ) -> Predictor:
        """Gives a predictor.

        Args:
            weights: safetensors file; None means the shipped `mili_lite`.
            body: npz file made by convert_body; None means the shipped open body.
            device: "auto" (a GPU if there is one), "cpu" or "cuda[:n]".
            score_threshold: least detection score in 0..1; None means the one that the weights recommend.
            body_mismatch: what to do with a body that the weights do not regress: "refuse", or "fit": keep the
                rotations and give the betas of that body whose resting joints are as far apart.
            branch: "lr" (the default) or "hr", which gives no masks.
            lr_mode: "native" pixels, or "degrade" to the paper's low resolution first (LR branch).
            lr_scale: which low resolution, "large" or "small"; see `mili_core.modes.Mode`.
            compat: "crmh" keeps to what CRMH's released code computes; for weights converted from it. Give the SMPL
                body that they regress: without it joints are those of the open body's mean shape, with a warning.

        Raises:
            MissingFileError, WeightsError, BodyError, ConfigError: one line each, with the remedy.
        """
        mode = chosen_mode(branch, lr_mode, lr_scale, compat)
        stored = read_weights(None if weights is None else Path(weights))
        return Predictor(
            stored,
            load_body(None if body is None else Path(body)),
            resolve_device(device),
            score_threshold=score_threshold,
            body_mismatch=body_mismatch,
            mode=mode,
        )

    @property
    def identity(self) -> ModelIdentity:
        """Which model this is."""
        return self._identity

    @property
    def recommended_score(self) -> float:
        """The least detection score that the weights recommend, whichever was asked for."""
        return self._recommended

    def predict(
        self,
        images: Sequence[NDArray[np.uint8]],
        *,
        branch: Branch | None = None,
        lr_mode: LrMode | None = None,
    ) -> list[Detections]:
        """Gives the people of each image, in px of that image; see `PersonPredictor.predict`.

        What is given beside an image changes its people by rounding at most: by nothing on the CPU where it was
        measured; tests allow .5 px, .02 in scores, masks, rotations, betas and cameras, and 2 cm + 2 % in metres.
        Who is that near the threshold, or to being suppressed, may be found in one call and not in another.

        Args:
            images: each (H, W, 3) uint8.
            branch, lr_mode: for this call; None means as loaded.

        Raises:
            ImageError: an image is no uint8 array (H, W, 3) or has no pixels.
            ConfigError: a branch or mode that is unknown or contradicts the other settings.
        """
        mode = replace(self._mode, branch=branch or self._mode.branch, lr_mode=lr_mode or self._mode.lr_mode)
        if isinstance(images, str | bytes) or not isinstance(images, Iterable):
            given = type(images).__name__
            raise ImageError(f"images is a {given}; give a list of arrays, uint8 (height, width, 3) RGB")
        boxed = [_fitted(number, image, mode) for number, image in enumerate(images)]
        found: list[Detections] = []
        for first in range(0, len(boxed), IMAGES_AT_ONCE):
            found += self._predict_some(boxed[first : first + IMAGES_AT_ONCE], mode)
        return found

    def prepare(self, image: NDArray[np.uint8]) -> Float[Tensor, "3 512 832"]:
        """Gives an image, (H, W, 3) uint8 RGB, as the model sees it: fitted, normalised, then padded with 0."""
        return self._canvas([self._mode.fit(image)])[0]

    def forward_raw(self, image: Float[Tensor, "3 512 832"], size: tuple[int, int] | None = None) -> RawOutput:
        """Gives the model's own numbers for one normalised network image, in single precision.

        Args:
            image: of `prepare`.
            size: (height, width) of the image without its padding, network px; None measures it, which works for
                weights whose mean colour no pixel has, such as CRMH's, and not for the shipped ones; see `raw_output`.

        Raises:
            ImageError: another shape or dtype, values that are not finite, or no size where it cannot be measured.
        """
        return raw_output(self._model, image.to(self._device), self._threshold, self._mode.branch, size)

    @torch.inference_mode()
    def _predict_some(self, images: Sequence[Letterboxed], mode: Mode) -> list[Detections]:
        canvas = self._canvas(images)
        sizes = [(image.pixels.shape[0], image.pixels.shape[1]) for image in images]
        precision = torch.autocast(self._device.type, torch.bfloat16) if mode.compat is None else single_precision()
        with precision:
            people = self._model(canvas, sizes, self._threshold, mode.branch)
        return [
            self._detections(people.of_image(number), image, size)
            for number, (image, size) in enumerate(zip(images, sizes, strict=True))
        ]

    def _canvas(self, images: Sequence[Letterboxed]) -> Float[Tensor, "n 3 512 832"]:
        config = self._model.config
        canvas = torch.zeros((len(images), 3, NETWORK_HEIGHT, NETWORK_WIDTH), device=self._device)
        mean, std = (canvas.new_tensor(values)[:, None, None] for values in (config.pixel_mean, config.pixel_std))
        for target, image in zip(canvas, images, strict=True):
            height, width = image.pixels.shape[:2]
            pixels = torch.tensor(image.pixels, device=self._device).permute(2, 0, 1).float()
            target[:, :height, :width] = (pixels - mean) / std
        return canvas.contiguous(memory_format=torch.channels_last)

    def _detections(self, people: People, image: Letterboxed, size: tuple[int, int]) -> Detections:
        """Returns one image's people in its own px."""
        state, config = people.bodies, self._model.config
        least = LEAST_SCALE if self._mode.compat is None else -math.inf
        cam = torch.cat((state.cam[:, :1].clamp(min=least), state.cam[:, 1:]), dim=1)
        head_boxes = last_pixels(people.boxes_xyxy) if config.inclusive_boxes else people.boxes_xyxy
        transl = translation_from_weak(cam, head_boxes)
        betas = self._regressed.betas(state.betas)
        joints = self._body.joints(self._regressed.joint_betas(betas), state.rotmats)
        pixels = project(joints + transl[:, None], FOCAL_PX, (NETWORK_WIDTH / 2, NETWORK_HEIGHT / 2))
        factors = torch.tensor(image.factors, device=self._device)
        boxes = people.boxes_xyxy / factors.repeat(2)
        masks = None if people.mask_logits is None else torch.sigmoid(people.mask_logits)
        # Without masks nothing is known of what hides a joint: 1 within the image.
        seen = inside(pixels, size)
        confidence = seen if masks is None else seen * probability_at(masks, people.boxes_xyxy, pixels)
        return Detections(
            boxes_xyxy=_numpy(boxes),
            scores=_numpy(people.scores),
            rotmats=_numpy(state.rotmats),
            betas=_numpy(betas),
            cam_crop=_numpy(cam),
            crop_boxes_xyxy=_numpy(head_boxes / factors.repeat(2)),
            transl_m=_numpy(transl),
            joints2d=_numpy(torch.cat((pixels / factors, confidence[..., None]), dim=2)),
            joints3d_m=_numpy(joints - joints[:, :1]),
            masks=None if masks is None else _numpy(masks),
            mask_boxes_xyxy=None if masks is None else _numpy(boxes),
        )


def resolve_device(device: str) -> torch.device:
    """Gives the torch device of a name; "auto" is a GPU if there is one.

    Raises:
        ConfigError: an unknown name, or CUDA that is not there.
    """
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    kind = device.partition(":")[0]
    if kind not in {"cpu", "cuda"}:
        raise ConfigError(f"device {device!r} is unknown; give auto, cpu or cuda[:n]")
    if kind == "cuda" and not torch.cuda.is_available():
        raise ConfigError(f"device {device!r}: torch sees no CUDA device; give --device cpu")
    try:
        return torch.device(device)
    except RuntimeError as error:
        raise ConfigError(f"device {device!r} is unknown; give auto, cpu or cuda[:n]") from error


def _check_score(threshold: float | None) -> None:
    """Raises ConfigError unless the threshold is None or a number in 0..1."""
    number = isinstance(threshold, Real) and not isinstance(threshold, bool)
    if threshold is not None and not (number and 0.0 <= threshold <= 1.0):
        raise ConfigError(f"score_threshold cannot be {threshold!r}; it is a number in 0..1, or None")


def _fitted(number: int, image: NDArray[np.uint8], mode: Mode) -> Letterboxed:
    try:
        return mode.fit(image)
    except ImageError as error:
        raise ImageError(f"image {number} of those given: {error}") from error


def _numpy(tensor: Tensor) -> NDArray[np.float32]:
    return np.ascontiguousarray(tensor.float().cpu().numpy(), dtype=np.float32)
