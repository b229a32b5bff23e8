"""The public door on a small random model: batches, empty results, pixels of the image given, clear refusals."""

from dataclasses import fields, replace
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch

from mili_core.api import Predictor, resolve_device
from mili_core.body import letterbox_scale, load_body
from mili_core.config import MILI_LITE
from mili_core.errors import BodyError, ConfigError, ImageError
from mili_core.letterbox import letterbox
from mili_core.modes import LrMode, Mode
from mili_core.nets.mili import Mili
from mili_core.synth import render_sample
from mili_core.weights import load_into, read_weights, save_weights

TINY = replace(MILI_LITE, name="tiny", fpn_channels=8, box_fc=16, mask_channels=8, body_channels=8, body_fc=16)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    body = load_body()
    save_weights(path, Mili(TINY), TINY, body_name=body.name, body_sha256=body.sha256, score_threshold=0.4, notes={})
    return path


def photo(width: int, height: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 255, (height // 16 + 1, width // 16 + 1, 3), dtype=np.uint8)
    return np.ascontiguousarray(np.kron(coarse, np.ones((16, 16, 1), np.uint8))[:height, :width])


def test_one_image_equals_the_same_image_in_a_batch(weights: Path) -> None:
    predictor = Predictor.load(weights, device="cpu", score_threshold=0.0)
    images = [photo(832, 512, seed) for seed in range(6)]
    together = predictor.predict(images)
    for image, batched in zip(images, together, strict=True):
        alone = predictor.predict([image])[0]
        assert len(alone) == len(batched) > 0
        np.testing.assert_allclose(alone.boxes_xyxy, batched.boxes_xyxy, atol=0.5)


PIXELS = ("boxes_xyxy", "crop_boxes_xyxy", "mask_boxes_xyxy", "joints2d")
METRES = ("transl_m", "joints3d_m")


def test_people_alone_are_the_same_people_in_a_batch() -> None:
    """All fields, on the shipped weights, at the tolerance that `Predictor.predict` states."""
    predictor, body = Predictor.load(device="cpu"), load_body()
    sizes = ((416, 256), (300, 256), (416, 200))
    images = [render_sample(np.random.default_rng(seed), body, *size, 4).image for seed, size in enumerate(sizes)]
    together = predictor.predict(images)
    assert sum(len(found) for found in together) >= 3
    for image, batched in zip(images, together, strict=True):
        (alone,) = predictor.predict([image])
        for field in fields(alone):
            one, other = getattr(alone, field.name), getattr(batched, field.name)
            close = 0.5 if field.name in PIXELS else 0.02
            relative = 0.02 if field.name in METRES else 0.0
            np.testing.assert_allclose(one, other, atol=close, rtol=relative, err_msg=field.name)


def test_nobody_has_the_right_shapes(weights: Path) -> None:
    nobody = Predictor.load(weights, device="cpu", score_threshold=1.0).predict([photo(300, 200)])[0]
    assert len(nobody) == 0
    assert nobody.rotmats.shape == (0, 24, 3, 3)
    assert nobody.masks is not None
    assert nobody.masks.shape == (0, 28, 28)


def test_no_images_give_no_results(weights: Path) -> None:
    assert Predictor.load(weights, device="cpu").predict([]) == []


def test_results_are_in_the_pixels_of_the_image_given(weights: Path) -> None:
    predictor = Predictor.load(weights, device="cpu", score_threshold=0.0)
    small = photo(416, 256)
    doubled = np.ascontiguousarray(np.kron(small, np.ones((2, 2, 1), np.uint8)))
    found = predictor.predict([small])[0]
    assert found.boxes_xyxy.max() <= 416
    big = predictor.predict([doubled])[0]
    assert big.boxes_xyxy[:, 2].max() > 416


@pytest.mark.parametrize("lr_mode", ["native", "degrade"])
def test_no_one_leaves_an_image_whose_sides_are_rounded(weights: Path, lr_mode: LrMode) -> None:
    """Of 4000 x 13 px the network sees 832 x 3, which are 14.4 px high by the scale of the width."""
    predictor = Predictor.load(weights, device="cpu", score_threshold=0.0, lr_mode=lr_mode)
    (found,) = predictor.predict([photo(4000, 13)])
    np.testing.assert_allclose(found.boxes_xyxy[:, 3].max(), 13.0, atol=0.05)
    np.testing.assert_allclose(found.crop_boxes_xyxy, found.boxes_xyxy, atol=1e-3)


def test_crmh_goes_back_by_one_scale() -> None:
    assert Mode("hr", compat="crmh").fit(photo(4000, 13)).factors == (0.208, 0.208)
    assert Mode().fit(photo(4000, 13)).factors == (0.208, 3 / 13)


def test_root_joint_projects_where_the_camera_says(weights: Path) -> None:
    """The body's origin lies at box centre + (tx, ty) x longer side; the pelvis is a known offset from it."""
    found = Predictor.load(weights, device="cpu", score_threshold=0.0).predict([photo(832, 512)])[0]
    z = found.transl_m[:, 2]
    side = (found.crop_boxes_xyxy[:, 2:] - found.crop_boxes_xyxy[:, :2]).max(axis=1)
    np.testing.assert_allclose(z, 2000.0 / (found.cam_crop[:, 0] * side), rtol=1e-3)


def test_bad_images_are_named(weights: Path) -> None:
    predictor = Predictor.load(weights, device="cpu")
    good = photo(90, 60)
    for bad, words in (
        (np.zeros((0, 5, 3), np.uint8), "image of 5 x 0 px has no pixels"),
        (np.zeros((5, 5), np.uint8), r"image is uint8\(5, 5\); give uint8"),
        (np.zeros((5, 5, 3), np.float32), "image is float32"),
        (None, "image is a NoneType; give a numpy array, uint8"),
        ([[[0, 0, 0]]], "image is a list; give"),
        ("photo.jpg", "image is a str; give"),
    ):
        with pytest.raises(ImageError, match=f"image 1 of those given: {words}"):
            predictor.predict([good, bad])  # type: ignore[list-item]
    for bad in ("photo.jpg", None, 3):
        with pytest.raises(ImageError, match=f"images is a {type(bad).__name__}; give a list of arrays"):
            predictor.predict(bad)  # type: ignore[arg-type]
    with pytest.raises(ImageError, match="image is a list"):
        predictor.predict([[[[0, 0, 0]]]], lr_mode="degrade")  # type: ignore[list-item]


@pytest.mark.parametrize("threshold", [float("nan"), float("inf"), 2, -1, 1.001, "0.5", True, [0.5]])
def test_scores_out_of_range_are_refused(weights: Path, threshold: object) -> None:
    with pytest.raises(ConfigError, match=r"score_threshold cannot be .*; it is a number in 0\.\.1, or None"):
        Predictor.load(weights, device="cpu", score_threshold=threshold)  # type: ignore[arg-type]


def test_scores_may_be_numbers_of_any_kind(weights: Path) -> None:
    for threshold in (0, 1, 0.5, np.float32(0.5)):
        Predictor.load(weights, device="cpu", score_threshold=threshold)  # type: ignore[arg-type]


def test_an_unknown_body_mismatch_is_refused(weights: Path) -> None:
    for wrong in ("banana", None, True):
        with pytest.raises(ConfigError, match=f"body_mismatch cannot be {wrong!r}; it is one of refuse, fit"):
            Predictor.load(weights, device="cpu", body_mismatch=wrong)  # type: ignore[arg-type]


def test_another_body_is_refused(weights: Path, tmp_path: Path) -> None:
    stored = read_weights(weights)
    body = load_body()
    with pytest.raises(BodyError, match="is not the one that the weights regress"):
        Predictor(replace(stored, body_sha256="0" * 64), body, torch.device("cpu"))


def test_another_body_is_fitted_when_asked_for(weights: Path) -> None:
    open_body = load_body()
    taller = replace(open_body, name="smpl", v_template=open_body.v_template * np.float32(1.05))
    stored, cpu = read_weights(weights), torch.device("cpu")
    with pytest.raises(BodyError, match="body-mismatch fit"):
        Predictor(stored, taller, cpu)
    fitted = Predictor(stored, taller, cpu, score_threshold=0.0, body_mismatch="fit")
    assert (fitted.identity.body_name, fitted.identity.betas_source) == ("smpl", "fit")
    plain = Predictor(stored, open_body, cpu, score_threshold=0.0).predict([photo(832, 512)])[0]
    carried = fitted.predict([photo(832, 512)])[0]
    np.testing.assert_array_equal(plain.rotmats, carried.rotmats)
    reach = [np.linalg.norm(found.joints3d_m[:, 15] - found.joints3d_m[:, 0], axis=1) for found in (plain, carried)]
    assert np.abs(reach[0] - reach[1]).max() < 0.02


def test_branches_and_modes(weights: Path, tmp_path: Path) -> None:
    model = Mili(TINY)
    load_into(model, read_weights(weights))
    with torch.no_grad():
        model.attention["hr"].conv.weight.fill_(0.05)
    body = load_body()
    path = tmp_path / "two.safetensors"
    save_weights(path, model, TINY, body_name=body.name, body_sha256=body.sha256, score_threshold=0.0, notes={})
    low, high = Predictor.load(path, device="cpu"), Predictor.load(path, device="cpu", branch="hr")
    assert (low.identity.name, high.identity.name) == ("tiny", "tiny[hr]")
    image = photo(600, 400)
    (of_low,), (of_high,) = low.predict([image]), high.predict([image])
    assert of_low.masks is not None
    assert of_high.masks is None
    assert of_high.mask_boxes_xyxy is None
    assert set(np.unique(of_high.joints2d[..., 2])) <= {0.0, 1.0}
    assert not np.array_equal(of_low.boxes_xyxy, of_high.boxes_xyxy)
    np.testing.assert_array_equal(low.predict([image], branch="hr")[0].boxes_xyxy, of_high.boxes_xyxy)
    np.testing.assert_array_equal(high.predict([image], branch="lr")[0].boxes_xyxy, of_low.boxes_xyxy)


@pytest.mark.parametrize("scale", ["large", "small"])
def test_degraded_pixels_are_those_of_the_paper(weights: Path, scale: Literal["large", "small"]) -> None:
    predictor = Predictor.load(weights, device="cpu", score_threshold=0.0, lr_mode="degrade", lr_scale=scale)
    assert predictor.identity.name == f"tiny[degrade-{scale}]"
    rng = np.random.default_rng(1)
    image = rng.integers(0, 255, (512, 700, 3), dtype=np.uint8)
    sharp = Predictor.load(weights, device="cpu", score_threshold=0.0)
    ours, native = predictor.prepare(image), sharp.prepare(image)
    assert ours.shape == native.shape
    assert ours[..., :700].std() < 0.5 * native[..., :700].std()  # detail is gone
    assert abs(float(ours[..., :700].mean() - native[..., :700].mean())) < 0.01
    assert ours[..., 700:].abs().max() == 0.0
    (found,) = predictor.predict([image])
    (again,) = sharp.predict([image], lr_mode="degrade") if scale == "large" else (found,)
    np.testing.assert_array_equal(found.boxes_xyxy, again.boxes_xyxy)
    assert found.boxes_xyxy.max() <= 700.5


def test_modes_that_contradict_each_other_are_refused(weights: Path) -> None:
    for wrong, words in (
        ({"branch": "mr"}, "branch cannot be 'mr'; it is one of hr, lr"),
        ({"lr_mode": "soft"}, "lr_mode cannot be 'soft'"),
        ({"lr_scale": "medium"}, "lr_scale cannot be 'medium'"),
        ({"compat": "romp"}, "compat cannot be 'romp'"),
        ({"branch": "hr", "lr_mode": "degrade"}, "lr_mode 'degrade' is of branch 'lr'"),
        ({"branch": "lr", "compat": "crmh"}, "compat 'crmh' has branch 'hr' only"),
        (
            {"compat": "crmh"},
            "needs weights made by mili convert-weights crmh, with --weights FILE; those of tiny differ",
        ),
    ):
        with pytest.raises(ConfigError, match=words):
            Predictor.load(weights, device="cpu", **wrong)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="lr_mode 'degrade'"):
        Predictor.load(weights, device="cpu", branch="hr").predict([photo(90, 60)], lr_mode="degrade")


def test_the_networks_own_numbers_are_those_of_the_result(weights: Path) -> None:
    predictor = Predictor.load(weights, device="cpu", score_threshold=0.0, branch="hr")
    image = photo(600, 512)
    tensor = predictor.prepare(image)
    raw = predictor.forward_raw(tensor, (512, 600))
    count = len(raw.scores)
    assert count > 0
    assert [tuple(part.shape) for part in (raw.rotmats, raw.betas, raw.cam, raw.transl_m)] == [
        (count, 24, 3, 3),
        (count, 10),
        (count, 3),
        (count, 3),
    ]
    assert [tuple(level.shape[2:]) for level in raw.features.fpn] == [
        (128, 208),
        (64, 104),
        (32, 52),
        (16, 26),
        (8, 13),
    ]
    assert [level.shape[1] for level in raw.features.rpn_deltas] == [12] * 5
    assert float(raw.boxes_xyxy_plus1[:, 2].max()) <= 599.0
    depth = 2000.0 / (raw.cam[:, 0] * (raw.boxes_xyxy_plus1[:, 2:] - raw.boxes_xyxy_plus1[:, :2] + 1).amax(dim=1))
    torch.testing.assert_close(raw.transl_m[:, 2], depth, rtol=1e-4, atol=0.0)
    nobody = Predictor.load(weights, device="cpu", score_threshold=1.0).forward_raw(tensor, (512, 600))
    assert nobody.rotmats.shape == (0, 24, 3, 3)
    assert nobody.transl_m.shape == (0, 3)


def test_network_images_are_checked(weights: Path) -> None:
    predictor = Predictor.load(weights, device="cpu", score_threshold=0.0)
    good = torch.zeros(3, 512, 832)
    predictor.forward_raw(good, (512, 832))  # nothing but grey is an ordinary image
    with pytest.raises(ImageError, match=r"pixels of the mean colour \(127.0, 127.0, 127.0\) look like its padding"):
        predictor.forward_raw(good)
    for bad in (good[None], good[:, :100], good.double()):
        with pytest.raises(ImageError, match="give a normalised float32 tensor"):
            predictor.forward_raw(bad)
    with pytest.raises(ImageError, match="not finite"):
        predictor.forward_raw(torch.full_like(good, torch.nan))
    with pytest.raises(ImageError, match="not within the canvas"):
        predictor.forward_raw(good, (512, 833))


def test_devices() -> None:
    assert resolve_device("cpu").type == "cpu"
    with pytest.raises(ConfigError, match="unknown"):
        resolve_device("tpu")
    if not torch.cuda.is_available():
        assert resolve_device("auto").type == "cpu"
        with pytest.raises(ConfigError, match="no CUDA"):
            resolve_device("cuda:0")


@pytest.mark.parametrize(("width", "height"), [(832, 512), (100, 700), (3000, 10), (1, 1), (448, 336)])
def test_letterbox_fits_and_keeps_the_aspect(width: int, height: int) -> None:
    boxed = letterbox(np.zeros((height, width, 3), np.uint8))
    rows, columns = boxed.pixels.shape[:2]
    assert rows <= 512
    assert columns <= 832
    assert rows == 512 or columns == 832
    assert abs(columns - max(width * letterbox_scale(width, height), 1)) <= 1
    assert boxed.factors == (columns / width, rows / height)
