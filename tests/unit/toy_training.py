"""A tiny model, a toy body and an endless stream of made-up samples, for the tests of training."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from mili_core.body import PARENTS, BodyModel, SkinnedBody
from mili_core.config import MILI_LITE
from mili_core.datasets.sample import BodyTruth, Sample
from mili_core.losses.body import fit_pose_prior
from mili_core.losses.settings import LossSettings
from mili_core.nets.mili import Mili
from mili_core.training.batch import collate
from mili_core.training.bodies import BodySupervision
from mili_core.training.loop import TrainSettings
from mili_core.training.step import Objective, Plan, Teacher

TINY = replace(
    MILI_LITE, name="tiny", fpn_channels=8, box_fc=16, mask_channels=8, body_channels=8, body_fc=16, proposals=20
)
SETTINGS = TrainSettings(steps=4, batch=2, warmup=1, workers=0, checkpoint_every=2, log_every=1)
HR, LR = Plan("hr"), Plan("lr", losses=LossSettings(queue_length=5))


def toy_body() -> BodyModel:
    rng = np.random.default_rng(0)
    regressor = rng.uniform(size=(24, 60)).astype(np.float32)
    return BodyModel(
        name="open",
        v_template=rng.normal(size=(60, 3)).astype(np.float32) * 0.4,
        shapedirs=rng.normal(size=(60, 3, 10)).astype(np.float32) * 0.01,
        posedirs=None,
        j_regressor=regressor / regressor.sum(axis=1, keepdims=True),
        weights=np.eye(24, dtype=np.float32)[rng.integers(0, 24, 60)],
        parents=np.array(PARENTS, dtype=np.int64),
        faces=np.array([[0, 1, 2], [0, 2, 3], [0, 3, 1], [1, 3, 2]], dtype=np.int64),
        vertex_ids=np.arange(21, dtype=np.int64),
    )


def supervision() -> BodySupervision:
    torch.manual_seed(3)
    body = toy_body()
    return BodySupervision(SkinnedBody(body), fit_pose_prior(torch.randn(300, 138)), torch.from_numpy(body.faces))


def fresh(seed: int = 7) -> Mili:
    torch.manual_seed(seed)
    return Mili(TINY)


@torch.no_grad()
def lively(seed: int = 7) -> Mili:
    """Gives a model whose normalisation knows its inputs: features depend on the image, as in a trained one."""
    model = fresh(seed).train()
    norms = [module for module in model.backbone.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    for module in norms:
        module.momentum = 1.0
    samples = [ToyStream()[index] for index in range(4)]
    model.features((collate(samples).images - 127.0) / 128.0, "hr")
    for module in norms:
        module.momentum = 0.1
    return model.eval()


def guided(plan: Plan = LR) -> Objective:
    return Objective(plan, supervision(), Teacher.of(lively(), "of a teacher"))


class ToyStream:
    """Photos with one rectangle a person, and every third sample a render.

    Args:
        poison: index of a sample whose keypoints are not numbers.
        twins: samples have a low-resolution twin.
    """

    def __init__(self, poison: int | None = None, *, twins: bool = False) -> None:
        self.poison, self.twins = poison, twins

    def __getitem__(self, index: int) -> Sample:
        rng = np.random.default_rng(index)
        boxes = np.array([[10, 10, 40, 60], [50, 5, 80, 62]], dtype=np.float32)
        image = rng.integers(0, 50, (64, 96, 3), dtype=np.uint8)
        for x0, y0, x1, y1 in boxes.astype(int):
            image[y0:y1, x0:x1] = 200
        rendered = index % 3 == 2
        keypoints = np.concatenate((rng.uniform(10, 60, (2, 17, 2)), np.ones((2, 17, 1))), axis=2)
        if index == self.poison:
            keypoints[..., :2] = np.nan
        outline = tuple(
            (np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], dtype=np.float32),) for x0, y0, x1, y1 in boxes
        )
        truth = BodyTruth(
            np.tile(np.eye(3, dtype=np.float32), (2, 24, 1, 1)),
            np.zeros((2, 10), np.float32),
            np.zeros((2, 24, 3), np.float32),
            np.ones((2, 24, 3), np.float32),
            np.array([1.0, 0.3], np.float32),
        )
        return Sample(
            image_id=f"toy-{index}",
            image=image // 2 if self.twins else image,
            boxes_xyxy=boxes,
            polygons=(None, None) if rendered else outline,
            keypoints=np.zeros((2, 17, 3), np.float32) if rendered else keypoints.astype(np.float32),
            ignore_boxes_xyxy=np.zeros((0, 4), dtype=np.float32),
            boxes_complete=not rendered,
            bodies=truth if rendered else None,
            image_hr=image if self.twins else None,
        )


def quiet(line: str) -> None:
    """Takes progress lines and says nothing."""
