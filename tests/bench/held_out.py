"""Rendered people of held-out seeds as a model sees them: what the benches of poses have in common. Synthetic."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from mili_core.body import BodyModel, SkinnedBody, rot6d_to_matrix
from mili_core.config import Branch
from mili_core.datasets.degrade import PairSettings, ScaleName, hr_lr_pair
from mili_core.datasets.sample import Sample
from mili_core.datasets.shards import ShardSource
from mili_core.errors import BodyError, ConfigError
from mili_core.evaluation.detection import FoundBoxes, TrueBoxes
from mili_core.evaluation.pose import PoseErrors, pose_errors
from mili_core.nets.mili import Mili
from mili_core.nets.rpn import propose
from mili_core.nets.smpl_head import BETAS, POSE
from mili_core.regressed import suits
from mili_core.synth.samples import RenderSource
from mili_core.training.batch import normalised
from mili_core.weights import load_into, read_weights

AT_ONCE = 8
STRIDE_PX = 32  # of the coarsest level that others are added to: canvases are whole multiples of it
RENDERED = 32  # images, where no number is asked for


@dataclass(frozen=True, slots=True)
class Sight:
    """How a model looks at images: through which branch, and whether at what the paper's low resolution leaves."""

    branch: Branch = "lr"
    lr_mode: Literal["native", "degrade"] = "native"
    lr_scale: ScaleName = "large"

    def image(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Gives an image as the model gets it, same size: what is true of one holds for the other."""
        if self.lr_mode == "native":
            return image
        height, width = image.shape[:2]
        return hr_lr_pair(image, PairSettings(self.lr_scale, width, height)).lr


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """A model, the body that it regresses, and the threshold that its weights recommend."""

    mili: Mili
    body: SkinnedBody
    threshold: float


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """The P people of some images and what a model made of them.

    Attributes:
        errors: of their bodies, in their true boxes.
        heights_px: (P,) of their visible boxes.
        visible: (P,) shares.
        image_index: (P,).
        boxes: one an image: who is there, the people first of all.
        found: one an image: what was found.
    """

    errors: PoseErrors
    heights_px: NDArray[np.float64]
    visible: NDArray[np.float64]
    image_index: NDArray[np.int64]
    boxes: tuple[TrueBoxes, ...]
    found: tuple[FoundBoxes, ...]

    @staticmethod
    def joined(parts: Sequence[Seen]) -> Seen:
        """Gives the images of all parts, which are numbered on."""
        before = np.cumsum([0, *(len(part.boxes) for part in parts)])
        return Seen(
            joined_errors([part.errors for part in parts]),
            np.concatenate([part.heights_px for part in parts]),
            np.concatenate([part.visible for part in parts]),
            np.concatenate([part.image_index + first for part, first in zip(parts, before, strict=False)]),
            tuple(one for part in parts for one in part.boxes),
            tuple(one for part in parts for one in part.found),
        )


def joined_errors(parts: Sequence[PoseErrors]) -> PoseErrors:
    """Gives the errors of all people."""
    return PoseErrors(
        np.concatenate([part.mpjpe_mm for part in parts]),
        np.concatenate([part.pa_mpjpe_mm for part in parts]),
        np.concatenate([part.pck for part in parts]),
    )


def add_sample_flags(parser: argparse.ArgumentParser, size: tuple[int, int]) -> None:
    parser.add_argument("--shards", type=Path, help="folder of samples rendered ahead, of a seed not trained on")
    parser.add_argument("--images", type=int, help=f"how many (default: {RENDERED}, or all of --shards)")
    parser.add_argument("--seed", type=int, default=12345, help="of what is rendered here")
    parser.add_argument("--size", type=int, nargs=2, default=size, metavar=("WIDTH", "HEIGHT"), help="of that, px")


def samples_of(options: argparse.Namespace, body: BodyModel) -> tuple[Iterator[Sample], str]:
    """Gives the samples that the flags ask for, and where they are from in words."""
    if options.images is not None and options.images < 1:
        raise ConfigError(f"--images is {options.images}; give at least 1")
    if options.shards is not None:
        stored = ShardSource(options.shards, body_sha256=body.sha256)
        count = min(options.images or len(stored), len(stored))
        origin = f"shards of seed {stored.origin.seed}, {stored.origin.width}x{stored.origin.height} px"
        return (stored[index] for index in range(count)), f"{count} images, {origin}"
    width, height = options.size
    source, rng = RenderSource(body, width, height), np.random.default_rng(options.seed)
    count = options.images or RENDERED
    return (source.draw(rng) for _ in range(count)), f"{count} images, seed {options.seed}, {width}x{height} px"


def batches(samples: Iterator[Sample]) -> Iterator[list[Sample]]:
    while batch := list(islice(samples, AT_ONCE)):
        yield batch


def open_model(path: Path | None, body: BodyModel) -> Model:
    weights = read_weights(path)
    if not suits(weights, body):
        raise BodyError(f"weights {path} regress the body {weights.body_name!r}, the samples show {body.name!r}")
    mili = Mili(weights.config).eval()
    load_into(mili, weights)
    return Model(mili.to(memory_format=torch.channels_last), SkinnedBody(body), weights.score_threshold)


@torch.inference_mode()
def see(model: Model, samples: Sequence[Sample], sight: Sight, threshold: float) -> Seen:
    """Gives what the model makes of samples of one size; `threshold` is the least score of what it finds."""
    mili, sizes = model.mili, [sample.size for sample in samples]
    canvas = _canvas([sight.image(sample.image) for sample in samples])
    levels = mili.features(normalised(canvas, sizes, mili.config.pixel_mean, mili.config.pixel_std), sight.branch)
    boxes = [torch.from_numpy(sample.boxes_xyxy) for sample in samples]
    index = torch.cat([torch.full((len(one),), number) for number, one in enumerate(boxes)])
    state = mili.bodies(levels, torch.cat(boxes), index)
    joints = model.body.joints(state.betas, state.rotmats).numpy()
    proposals = propose(mili.proposals(levels), sizes, mili.config)
    people = mili.people(levels, proposals, sizes, threshold, sight.branch)
    each = [people.of_image(number) for number in range(len(samples))]
    people_boxes = np.concatenate([sample.boxes_xyxy for sample in samples]).astype(np.float64)
    return Seen(
        pose_errors(joints, np.concatenate([_bodies(sample)[0] for sample in samples])),
        people_boxes[:, 3] - people_boxes[:, 1],
        np.concatenate([_bodies(sample)[1] for sample in samples]),
        index.numpy(),
        tuple(TrueBoxes(sample.boxes_xyxy, sample.ignore_boxes_xyxy) for sample in samples),
        tuple(FoundBoxes(one.boxes_xyxy.numpy(), one.scores.numpy()) for one in each),
    )


@torch.inference_mode()
def see_nothing(model: Model, samples: Sequence[Sample]) -> PoseErrors:
    """Gives the errors of everybody standing as the SMPL head starts, the mean pose and mean betas: a floor."""
    pose = model.mili.smpl_head.initial_state[:POSE].reshape(1, -1, 6)
    joints = model.body.joints(torch.zeros(1, BETAS), rot6d_to_matrix(pose)).numpy()
    truth = np.concatenate([_bodies(sample)[0] for sample in samples])
    return pose_errors(np.broadcast_to(joints, truth.shape), truth)


def shrunk(sample: Sample, share: float) -> Sample:
    """Gives a smaller sample; of its truth, only boxes and bodies stay right."""
    if share == 1.0:
        return sample
    height, width = sample.image.shape[:2]
    size = (max(1, round(width * share)), max(1, round(height * share)))
    factors = np.array([size[0] / width, size[1] / height] * 2, dtype=np.float32)
    return Sample(
        image_id=sample.image_id,
        image=np.asarray(cv2.resize(sample.image, size, interpolation=cv2.INTER_AREA), dtype=np.uint8),
        boxes_xyxy=sample.boxes_xyxy * factors,
        polygons=(None,) * len(sample.boxes_xyxy),
        keypoints=sample.keypoints,
        ignore_boxes_xyxy=sample.ignore_boxes_xyxy * factors,
        boxes_complete=sample.boxes_complete,
        bodies=sample.bodies,
    )


def _bodies(sample: Sample) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Gives true joints (P, 24, 3), metres, and visible shares (P,)."""
    bodies = sample.bodies
    assert bodies is not None, f"sample {sample.image_id} has no bodies"
    assert bodies.visible_fraction is not None, f"sample {sample.image_id} does not say how much is seen"
    return bodies.joints3d_m, bodies.visible_fraction.astype(np.float64)


def _canvas(images: Sequence[NDArray[np.uint8]]) -> torch.Tensor:
    height, width = images[0].shape[:2]
    canvas = torch.zeros(len(images), 3, -(-height // STRIDE_PX) * STRIDE_PX, -(-width // STRIDE_PX) * STRIDE_PX)
    for target, image in zip(canvas, images, strict=True):
        target[:, :height, :width] = torch.from_numpy(image).permute(2, 0, 1)
    return canvas
