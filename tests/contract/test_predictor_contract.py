"""Every model that the pipeline can run satisfies the same protocol."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from mili_core.api import Predictor
from mili_core.body import load_body
from mili_core.config import CRMH_R50, MILI_LITE, Branch, ModelConfig
from mili_core.detections import Detections
from mili_core.modes import Compat, LrMode
from mili_core.nets.mili import Mili
from mili_core.protocol import ModelIdentity, PersonPredictor
from mili_core.weights import save_weights
from tests import fakes

TINY = replace(MILI_LITE, name="tiny", fpn_channels=8, box_fc=16, mask_channels=8, body_channels=8, body_fc=16)


TINY_CRMH = replace(CRMH_R50, name="tiny", fpn_channels=8, box_fc=16, body_channels=8, body_fc=16)
TINY_CRMH = replace(TINY_CRMH, pre_nms=100, proposals=100, max_people=20)


def random_mili(
    score_threshold: float = 0.1,
    config: ModelConfig = TINY,
    branch: Branch | None = None,
    lr_mode: LrMode = "native",
    compat: Compat | None = None,
) -> PersonPredictor:
    """A small model with random weights that calls almost everything a person, or nothing where the threshold is 1."""
    torch.manual_seed(0)
    body = load_body()
    with TemporaryDirectory() as folder:
        path = Path(folder) / "random.safetensors"
        save_weights(
            path,
            Mili(config),
            config,
            body_name=body.name,
            body_sha256=body.sha256,
            score_threshold=score_threshold,
            notes={},
        )
        threshold = score_threshold if compat else None
        return Predictor.load(
            path, device="cpu", score_threshold=threshold, branch=branch, lr_mode=lr_mode, compat=compat
        )


def random_crmh(score_threshold: float = 0.1) -> PersonPredictor:
    """The same in CRMH's conventions and mode."""
    return random_mili(score_threshold, TINY_CRMH, compat="crmh")


# Each entry loads a model; a new model is one more line here.
LOADERS: dict[str, Callable[[], PersonPredictor]] = {
    "fake": lambda: fakes.factory("cpu"),
    "random": random_mili,
    "random, high resolution": lambda: random_mili(branch="hr"),
    "random, degraded": lambda: random_mili(lr_mode="degrade"),
    "random, without parts": lambda: random_mili(config=replace(TINY, mask_network=False, restoration=False)),
    "random, CRMH": random_crmh,
    "shipped": lambda: Predictor.load(device="cpu"),
}
ROTATION_TOLERANCE = 1e-4
PROJECTION_TOLERANCE_PX = 0.5


# Shapes without people, as mili_core.detections states them.
NOBODY = {
    "boxes_xyxy": (0, 4),
    "scores": (0,),
    "rotmats": (0, 24, 3, 3),
    "betas": (0, 10),
    "cam_crop": (0, 3),
    "crop_boxes_xyxy": (0, 4),
    "transl_m": (0, 3),
    "joints2d": (0, 24, 3),
    "joints3d_m": (0, 24, 3),
}
MASKS = {"masks": (0, 28, 28), "mask_boxes_xyxy": (0, 4)}


@pytest.fixture(params=sorted(LOADERS), scope="module")
def predictor(request: pytest.FixtureRequest) -> PersonPredictor:
    return LOADERS[request.param]()


def photo(width: int, height: int) -> NDArray[np.uint8]:
    """Two planted people and some texture, so that any model has something to look at."""
    image = fakes.ground(width, height)
    image += np.random.default_rng(5).integers(0, 20, size=image.shape, dtype=np.uint8)
    fakes.plant(image, (width // 8, height // 8, width // 8 + width // 6, height // 8 + height // 2))
    fakes.plant(image, (width // 2, height // 3, width // 2 + width // 8, height // 3 + height // 3), ellipse=False)
    return image


def test_satisfies_the_protocol(predictor: PersonPredictor) -> None:
    assert isinstance(predictor, PersonPredictor)
    assert isinstance(predictor.identity, ModelIdentity)
    assert predictor.identity.name
    assert predictor.identity.body_name in {"open", "smpl"}


def test_no_images_give_no_results(predictor: PersonPredictor) -> None:
    assert predictor.predict([]) == []


@pytest.mark.parametrize(("width", "height"), [(832, 512), (416, 256), (300, 500), (832, 40), (7, 5)])
def test_one_valid_result_for_each_image(predictor: PersonPredictor, width: int, height: int) -> None:
    results = predictor.predict([photo(width, height), fakes.ground(width, height)])
    assert [type(result) for result in results] == [Detections, Detections]  # shapes and dtypes: Detections checks
    for result in results:
        assert ((result.scores >= 0.0) & (result.scores <= 1.0)).all()
        assert (result.boxes_xyxy[:, :2] < result.boxes_xyxy[:, 2:]).all()
        assert (result.boxes_xyxy >= -0.5).all()
        assert (result.boxes_xyxy <= np.array([width, height, width, height]) + 0.5).all()


def test_images_of_different_sizes_in_one_call(predictor: PersonPredictor) -> None:
    sizes = [(832, 512), (208, 128), (500, 300)]
    together = predictor.predict([photo(*size) for size in sizes])
    alone = [predictor.predict([photo(*size)])[0] for size in sizes]
    assert len(together) == len(sizes)
    for both, one in zip(together, alone, strict=True):
        assert len(both) == len(one)
        np.testing.assert_allclose(both.boxes_xyxy, one.boxes_xyxy, atol=0.5)


STRICT: dict[str, Callable[[], PersonPredictor]] = {
    "fake": LOADERS["fake"],
    "shipped": LOADERS["shipped"],
    "random": lambda: random_mili(1.0),
    "random, high resolution": lambda: random_mili(1.0, branch="hr"),
    "random, CRMH": lambda: random_crmh(1.0),
}


@pytest.mark.parametrize("name", sorted(STRICT))
def test_nobody_is_an_ordinary_result(name: str) -> None:
    predictor = STRICT[name]()
    masks = MASKS if name in {"fake", "shipped", "random"} else {}
    black = np.zeros((64, 96, 3), dtype=np.uint8)
    alone, beside = predictor.predict([black])[0], predictor.predict([photo(208, 128), black])[1]
    for result in (alone, beside):
        given = {field.name: getattr(result, field.name) for field in fields(result)}
        arrays = {name: array for name, array in given.items() if array is not None}
        assert {key: array.shape for key, array in arrays.items()} == NOBODY | masks
        assert {array.dtype for array in arrays.values()} == {np.dtype(np.float32)}


def test_rotations_are_rotations(predictor: PersonPredictor) -> None:
    (result,) = predictor.predict([photo(832, 512)])
    products = result.rotmats @ result.rotmats.transpose(0, 1, 3, 2)
    np.testing.assert_allclose(products, np.broadcast_to(np.eye(3), products.shape), atol=ROTATION_TOLERANCE)
    np.testing.assert_allclose(np.linalg.det(result.rotmats), 1.0, atol=ROTATION_TOLERANCE)


def test_joints_are_root_relative_and_confidence_is_zero_outside(predictor: PersonPredictor) -> None:
    (result,) = predictor.predict([photo(832, 512)])
    np.testing.assert_allclose(result.joints3d_m[:, 0], 0.0, atol=1e-5)
    x, y, confidence = result.joints2d[..., 0], result.joints2d[..., 1], result.joints2d[..., 2]
    outside = (x < 0) | (y < 0) | (x >= 832) | (y >= 512)
    assert ((confidence >= 0.0) & (confidence <= 1.0)).all()
    assert (confidence[outside] == 0.0).all()


def test_the_fake_agrees_with_the_library_camera() -> None:
    torch = pytest.importorskip("torch")
    body = pytest.importorskip("mili_core.body")
    width, height = 640, 500
    (found,) = fakes.factory("cpu").predict([photo(width, height)])
    assert len(found) == 2
    camera = body.virtual_camera(width, height)
    placed = torch.tensor(found.joints3d_m + found.transl_m[:, None])
    points = body.project(placed, camera.focal_px, (camera.principal_x, camera.principal_y)).numpy()
    np.testing.assert_allclose(points, found.joints2d[..., :2], atol=PROJECTION_TOLERANCE_PX)
    scale = body.letterbox_scale(width, height)
    weak = body.translation_from_weak(torch.tensor(found.cam_crop), torch.tensor(found.crop_boxes_xyxy * scale))
    np.testing.assert_allclose(weak.numpy(), found.transl_m, rtol=1e-4)


def test_the_fake_finds_what_was_planted() -> None:
    image = fakes.ground(400, 300)
    fakes.plant(image, (20, 30, 60, 130))
    fakes.plant(image, (200, 100, 230, 190), ellipse=False)
    (found,) = fakes.factory("cpu").predict([image])
    order = np.argsort(found.boxes_xyxy[:, 0])
    np.testing.assert_array_equal(found.boxes_xyxy[order], [[20, 30, 60, 130], [200, 100, 230, 190]])
    assert found.masks is not None
    ellipse, rectangle = found.masks[order].mean(axis=(1, 2))
    assert abs(ellipse - np.pi / 4) < 0.01
    assert rectangle == 1.0


def test_the_fake_fails_where_it_is_told_to() -> None:
    image = fakes.ground(32, 32)
    image[3, 4] = fakes.RAISES
    with pytest.raises(RuntimeError, match="told to raise"):
        fakes.factory("cpu").predict([image])
