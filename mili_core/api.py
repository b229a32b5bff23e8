"""The public door of the model library: images in, people out.

from mili_core.api import Predictor
people = Predictor.load().predict([image])[0]  # image: (H, W, 3) uint8 RGB
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
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
from mili_core.body.fit_betas import fit_betas
from mili_core.detections import Detections
from mili_core.errors import BodyError, ConfigError
from mili_core.letterbox import Letterboxed, letterbox
from mili_core.nets.mili import Mili, People
from mili_core.protocol import ModelIdentity, PersonPredictor
from mili_core.weights import Weights, load_into, read_weights

__all__ = ["Detections", "ModelIdentity", "PersonPredictor", "Predictor"]

BodyMismatch = Literal["refuse", "fit"]
IMAGES_AT_ONCE = 2  # bounds the memory of activations; speed on a CPU hardly depends on it
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
    ) -> None:
        self._regressed = regressed_body(weights, body, body_mismatch)
        self._model = Mili(weights.config)
        load_into(self._model, weights)
        self._model.eval().to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._body, self._arrays = SkinnedBody(body).to(device), body
        self._device = device
        self._threshold = weights.score_threshold if score_threshold is None else score_threshold
        betas_source = "model" if self._regressed is None else "fit"
        self._identity = ModelIdentity(weights.config.name, weights.sha256, body.name, body.sha256, betas_source)

    @staticmethod
    def load(
        weights: Path | str | None = None,
        body: Path | str | None = None,
        device: str = "auto",
        *,
        score_threshold: float | None = None,
        body_mismatch: BodyMismatch = "refuse",
    ) -> Predictor:
        """Gives a predictor.

        Args:
            weights: safetensors file; None means the shipped `mili_lite`.
            body: npz file made by convert_body; None means the shipped open body.
            device: "auto" (a GPU if there is one), "cpu" or "cuda[:n]".
            score_threshold: least detection score in 0..1; None means the one that the weights recommend.
            body_mismatch: what to do with a body that the weights do not regress: "refuse", or "fit": keep the
                rotations and give the betas of that body whose resting joints are as far apart.

        Raises:
            MissingFileError, WeightsError, BodyError, ConfigError: one line each, with the remedy.
        """
        stored = read_weights(None if weights is None else Path(weights))
        return Predictor(
            stored,
            load_body(None if body is None else Path(body)),
            resolve_device(device),
            score_threshold=score_threshold,
            body_mismatch=body_mismatch,
        )

    @property
    def identity(self) -> ModelIdentity:
        """Which model this is."""
        return self._identity

    def predict(self, images: Sequence[NDArray[np.uint8]]) -> list[Detections]:
        """Gives the people of each image, in px of that image; see `PersonPredictor.predict`.

        Raises:
            ImageError: an image is not uint8 (H, W, 3) or has no pixels.
        """
        boxed = [letterbox(image) for image in images]
        found: list[Detections] = []
        for first in range(0, len(boxed), IMAGES_AT_ONCE):
            found += self._predict_some(boxed[first : first + IMAGES_AT_ONCE])
        return found

    @torch.inference_mode()
    def _predict_some(self, images: Sequence[Letterboxed]) -> list[Detections]:
        canvas = self._canvas(images)
        sizes = [(image.pixels.shape[0], image.pixels.shape[1]) for image in images]
        with torch.autocast(self._device.type, torch.bfloat16):
            people = self._model(canvas, sizes, self._threshold)
        return [
            self._detections(_of_image(people, number), image, size)
            for number, (image, size) in enumerate(zip(images, sizes, strict=True))
        ]

    def _betas(self, betas: Float[Tensor, "n 10"]) -> Float[Tensor, "n 10"]:
        """Returns betas of the body in use."""
        if self._regressed is None:
            return betas
        return torch.from_numpy(fit_betas(self._regressed, self._arrays, _numpy(betas))).to(betas)

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
        state = people.bodies
        cam = torch.cat((state.cam[:, :1].clamp(min=LEAST_SCALE), state.cam[:, 1:]), dim=1)
        transl = translation_from_weak(cam, people.boxes_xyxy)
        betas = self._betas(state.betas)
        joints = self._body.joints(betas, state.rotmats)
        pixels = project(joints + transl[:, None], FOCAL_PX, (NETWORK_WIDTH / 2, NETWORK_HEIGHT / 2))
        masks = torch.sigmoid(people.mask_logits)
        confidence = _probability_at(masks, people.boxes_xyxy, pixels, size)
        boxes = people.boxes_xyxy / image.scale
        return Detections(
            boxes_xyxy=_numpy(boxes),
            scores=_numpy(people.scores),
            rotmats=_numpy(state.rotmats),
            betas=_numpy(betas),
            cam_crop=_numpy(cam),
            crop_boxes_xyxy=_numpy(boxes),
            transl_m=_numpy(transl),
            joints2d=_numpy(torch.cat((pixels / image.scale, confidence[..., None]), dim=2)),
            joints3d_m=_numpy(joints - joints[:, :1]),
            masks=_numpy(masks),
            mask_boxes_xyxy=_numpy(boxes),
        )


def regressed_body(weights: Weights, body: BodyModel, mismatch: BodyMismatch) -> BodyModel | None:
    """Gives the body that the weights regress where it is not `body` itself and betas shall be fitted, else None.

    Raises:
        BodyError: the bodies differ and mismatch is "refuse", or the regressed body is not at hand.
    """
    if body.sha256 == weights.body_sha256:
        return None
    named = f"{weights.body_name!r} ({weights.body_sha256[:12]})"
    if mismatch == "refuse":
        raise BodyError(
            f"body {body.name!r} ({body.sha256[:12]}) is not the one that the weights regress, {named}; leave --body "
            "out, use weights made for it, or give --body-mismatch fit"
        )
    shipped = load_body()
    if shipped.sha256 != weights.body_sha256:
        raise BodyError(f"betas can be fitted from the shipped body only, and the weights regress {named}")
    return shipped


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


def _of_image(people: People, number: int) -> People:
    rows = (people.image_index == number).nonzero()[:, 0]
    bodies = type(people.bodies)(people.bodies.rotmats[rows], people.bodies.betas[rows], people.bodies.cam[rows])
    return People(
        people.boxes_xyxy[rows], people.scores[rows], people.image_index[rows], people.mask_logits[rows], bodies
    )


def _probability_at(
    masks: Float[Tensor, "n 28 28"],
    boxes: Float[Tensor, "n 4"],
    points: Float[Tensor, "n k 2"],
    size: tuple[int, int],
) -> Float[Tensor, "n k"]:
    """Returns the mask probability at points (bilinear), 0 outside the box or outside the image."""
    if len(boxes) == 0:
        return points[..., 0]
    relative = (points - boxes[:, None, :2]) / (boxes[:, None, 2:] - boxes[:, None, :2]).clamp(min=1e-3)
    inside = ((relative >= 0) & (relative < 1)).all(dim=2)
    inside &= (points >= 0).all(dim=2) & (points[..., 0] < size[1]) & (points[..., 1] < size[0])
    grid = (relative * 2 - 1).clamp(-2, 2)[:, None]
    sampled = F.grid_sample(masks[:, None], grid, align_corners=False, padding_mode="border")[:, 0, 0]
    return sampled * inside


def _numpy(tensor: Tensor) -> NDArray[np.float32]:
    return np.ascontiguousarray(tensor.float().cpu().numpy(), dtype=np.float32)
