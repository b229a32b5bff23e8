"""Training: an interrupted run continues exactly, a broken one stops, bodies and boxes both learn."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from mili_core.body import PARENTS, BodyModel, SkinnedBody
from mili_core.config import MILI_LITE
from mili_core.datasets.sample import BodyTruth, Sample
from mili_core.errors import ConfigError
from mili_core.losses.body import fit_pose_prior
from mili_core.nets.mili import Mili
from mili_core.training.assign import Sampling
from mili_core.training.batch import collate, normalise
from mili_core.training.loop import DivergedError, Losses, TrainSettings, train
from mili_core.training.step import BodySupervision, body_losses_only, training_losses

TINY = replace(
    MILI_LITE, name="tiny", fpn_channels=8, box_fc=16, mask_channels=8, body_channels=8, body_fc=16, proposals=20
)
SETTINGS = TrainSettings(steps=4, batch=2, warmup=1, workers=0, checkpoint_every=2, log_every=1)


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
        faces=np.array([[0, 1, 2]], dtype=np.int64),
        vertex_ids=np.arange(21, dtype=np.int64),
    )


def supervision() -> BodySupervision:
    return BodySupervision(SkinnedBody(toy_body()), fit_pose_prior(torch.randn(300, 138)))


def losses(bodies: BodySupervision | None) -> Losses:
    return partial(training_losses, bodies=bodies, sampling=Sampling())


class ToyStream:
    """Photos with one rectangle a person, and every third sample a render; optionally a poisoned one."""

    def __init__(self, poison: int | None = None) -> None:
        self.poison = poison

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
        )
        return Sample(
            image_id=f"toy-{index}",
            image=image,
            boxes_xyxy=boxes,
            polygons=(None, None) if rendered else outline,
            keypoints=keypoints.astype(np.float32),
            ignore_boxes_xyxy=np.zeros((0, 4), dtype=np.float32),
            boxes_complete=not rendered,
            bodies=truth if rendered else None,
        )


def fresh() -> Mili:
    torch.manual_seed(7)
    return Mili(TINY)


def quiet(line: str) -> None:
    """Takes progress lines and says nothing."""


def test_an_interrupted_training_continues_exactly(tmp_path: Path) -> None:
    bodies = supervision()
    whole = train(fresh(), losses(bodies), ToyStream(), SETTINGS, tmp_path / "whole", log=quiet)

    def stop_at_three(line: str) -> None:
        if line.startswith("step 3"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(fresh(), losses(bodies), ToyStream(), SETTINGS, tmp_path / "parts", log=stop_at_three)
    resumed = train(fresh(), losses(bodies), ToyStream(), SETTINGS, tmp_path / "parts", log=quiet)
    for name, value in whole.items():
        torch.testing.assert_close(resumed[name], value, rtol=0, atol=0, msg=name)


def test_a_checkpoint_of_other_settings_is_refused(tmp_path: Path) -> None:
    train(fresh(), losses(None), ToyStream(), SETTINGS, tmp_path, log=quiet)
    with pytest.raises(ConfigError, match="has other lr"):
        train(fresh(), losses(None), ToyStream(), replace(SETTINGS, lr=1e-5), tmp_path, log=quiet)


def test_a_loss_that_is_not_finite_stops_and_names_the_batch(tmp_path: Path) -> None:
    with pytest.raises(DivergedError, match="toy-4, toy-5"):
        train(fresh(), losses(supervision()), ToyStream(poison=4), SETTINGS, tmp_path, log=quiet)
    assert torch.load(tmp_path / "checkpoint.pt", weights_only=True)["step"] == 2


def test_every_part_of_the_network_learns() -> None:
    model = fresh().train()
    batch = collate([ToyStream()[index] for index in range(6)])
    training_losses(model, batch, supervision(), Sampling()).total().backward()
    for name, parameter in model.named_parameters():
        if "restoration" in name and "out" not in name:
            continue  # behind the zero convolution, which moves first
        if name.startswith("attention.hr."):
            continue  # of the other branch
        assert parameter.grad is not None, name
    for part in (
        "attention.lr.conv.weight",
        "restoration.out.weight",
        "smpl_head.dec.weight",
        "mask_head.layers.0.weight",
    ):
        assert model.get_parameter(part).grad.abs().sum() > 0, part  # type: ignore[union-attr]


def test_renders_do_not_teach_detection() -> None:
    model = fresh().train()
    batch = collate([ToyStream()[2], ToyStream()[5]])
    terms = training_losses(model, batch, supervision(), Sampling()).values()
    assert [terms[name] for name in ("objectness", "proposal_box", "person", "box", "mask")] == [0.0] * 5
    assert terms["pose"] > 0


def test_the_body_stage_moves_the_smpl_head_alone() -> None:
    model = fresh().train()
    batch = collate([ToyStream()[index] for index in range(3)])
    terms = body_losses_only(model, batch, supervision(), Sampling())
    terms.total().backward()
    moved = {name.partition(".")[0] for name, parameter in model.named_parameters() if parameter.grad is not None}
    assert moved == {"smpl_head"}
    assert terms.values()["keypoints"] > 0


def test_padding_is_zero_after_normalisation() -> None:
    small = replace(ToyStream()[0], image=np.full((32, 40, 3), 255, dtype=np.uint8))
    images = normalise(collate([ToyStream()[1], small]), (127.0,) * 3, (128.0,) * 3)
    assert images[1, :, 32:].abs().max() == 0
    assert images[1, :, :, 40:].abs().max() == 0
    assert torch.allclose(images[1, :, :32, :40], torch.tensor(1.0))


def test_a_few_steps_reduce_the_loss(tmp_path: Path) -> None:
    lines: list[str] = []
    settings = replace(SETTINGS, steps=30, lr=3e-3, backbone_lr=1e-3, warmup=3, checkpoint_every=30)
    train(fresh(), losses(None), ToyStream(), settings, tmp_path, log=lines.append)
    first, last = (float(line.split("objectness ")[1].split()[0]) for line in (lines[0], lines[-1]))
    assert last < 0.7 * first
