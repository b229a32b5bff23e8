"""Rendered training samples: what is said about the people is what was drawn."""

from __future__ import annotations

import pickle

import cv2
import numpy as np
import pytest
import torch

from mili_core.body import BodyModel, SkinnedBody, load_body
from mili_core.datasets.sample import Sample
from mili_core.errors import ConfigError
from mili_core.raster import using
from mili_core.synth import render_sample
from mili_core.synth.camera import CameraRanges, SceneCamera, camera_over_ground, draw_camera
from mili_core.synth.samples import MIN_HEIGHT_PX, RenderSource

WIDTH, HEIGHT = 208, 128


@pytest.fixture(scope="module")
def body() -> BodyModel:
    return load_body()


@pytest.fixture(scope="module")
def samples(body: BodyModel) -> list[Sample]:
    rng = np.random.default_rng(11)
    return [render_sample(rng, body, WIDTH, HEIGHT, 5) for _ in range(8)]


def test_a_sample_keeps_the_record_s_shapes(samples: list[Sample]) -> None:
    for sample in samples:
        count = len(sample.boxes_xyxy)
        assert sample.image.shape == (HEIGHT, WIDTH, 3)
        assert sample.image.dtype == np.uint8
        assert sample.image.flags.c_contiguous
        assert sample.boxes_xyxy.shape == (count, 4)
        assert len(sample.polygons) == count
        assert sample.keypoints.shape == (count, 17, 3)
        assert not sample.keypoints.any()
        assert sample.ignore_boxes_xyxy.shape[1:] == (4,)
        assert sample.boxes_complete
        assert sample.bodies is not None
        shapes = {"rotmats": (24, 3, 3), "betas": (10,), "joints3d_m": (24, 3), "joints2d": (24, 3)}
        for name, shape in shapes.items():
            array = getattr(sample.bodies, name)
            assert array.shape == (count, *shape)
            assert array.dtype == np.float32
            assert np.isfinite(array).all()
    assert len({sample.image_id for sample in samples}) == len(samples)
    assert sum(len(sample.boxes_xyxy) for sample in samples) >= 2 * len(samples)


def test_boxes_lie_in_the_image_and_are_not_tiny(samples: list[Sample]) -> None:
    boxes = np.concatenate([sample.boxes_xyxy for sample in samples])
    assert (boxes[:, :2] >= 0).all()
    assert (boxes[:, 2:] <= [WIDTH, HEIGHT]).all()
    assert (boxes[:, 3] - boxes[:, 1] >= MIN_HEIGHT_PX).all()
    assert (boxes[:, 2] > boxes[:, 0]).all()


def test_visible_joints_lie_in_their_boxes(samples: list[Sample]) -> None:
    inside, total = 0, 0
    for sample in samples:
        assert sample.bodies is not None
        for box, joints in zip(sample.boxes_xyxy, sample.bodies.joints2d, strict=True):
            assert set(np.unique(joints[:, 2])) <= {0.0, 1.0}
            seen = joints[joints[:, 2] > 0, :2]
            inside += int(((seen >= box[:2] - 0.5) & (seen <= box[2:] + 0.5)).all(axis=1).sum())
            total += len(seen)
    assert total > 100
    assert inside / total >= 0.98


def test_outlines_enclose_what_is_seen_and_what_is_hidden(samples: list[Sample]) -> None:
    hidden, gaps = 0.0, []
    for sample in samples:
        bodies = sample.bodies
        assert bodies is not None
        assert bodies.visible_fraction is not None
        assert bodies.amodal_polygons is not None
        assert (bodies.visible_fraction > 0).all()
        assert (bodies.visible_fraction <= 1).all()
        for box, polygons, whole in zip(sample.boxes_xyxy, sample.polygons, bodies.amodal_polygons, strict=True):
            assert polygons
            points = np.concatenate(polygons)
            # Scattered single samples have no outline, but count for the box.
            assert (points >= box[:2] - 0.1).all()
            assert (points <= box[2:] + 0.1).all()
            gaps.append(np.abs(np.r_[points.min(axis=0), points.max(axis=0)] - box).max())
            assert _area(whole) >= _area(polygons) - 1.0
            hidden += max(0.0, _area(whole) - _area(polygons))
    assert hidden > 0
    assert np.median(gaps) <= 0.5


def _area(polygons: tuple[np.ndarray, ...]) -> float:
    return sum(float(cv2.contourArea(polygon)) for polygon in polygons)


def test_truth_is_the_body_model_s_own(samples: list[Sample], body: BodyModel) -> None:
    skinned = SkinnedBody(body)
    for sample in samples:
        assert sample.bodies is not None
        with torch.no_grad():
            joints = skinned.joints(torch.tensor(sample.bodies.betas), torch.tensor(sample.bodies.rotmats)).numpy()
        np.testing.assert_allclose(joints - joints[:, :1], sample.bodies.joints3d_m, atol=1e-4)


def test_root_relative_joints_explain_their_projections(samples: list[Sample]) -> None:
    # Unknown per person: the translation. Unknown per image: the focal length. With the truth's joints there must be
    # one focal length under which a translation reproduces all 24 projections.
    for sample in samples:
        assert sample.bodies is not None
        low, high = 0.85 * WIDTH, 1.95 * WIDTH
        for _ in range(4):
            tried = np.linspace(low, high, 23)
            errors = [_reprojection_px(sample, focal).max(initial=0.0) for focal in tried]
            middle, step = tried[int(np.argmin(errors))], tried[1] - tried[0]
            low, high = middle - step, middle + step
        assert min(errors) < 0.05


def _reprojection_px(sample: Sample, focal: float) -> np.ndarray:
    assert sample.bodies is not None
    errors = []
    for joints, pixels in zip(sample.bodies.joints3d_m, sample.bodies.joints2d[..., :2], strict=True):
        rays = (pixels - np.array([WIDTH / 2, HEIGHT / 2])) / focal
        # x + tx = u (z + tz): linear in the translation.
        rows = np.zeros((24, 2, 3))
        rows[:, 0, 0] = rows[:, 1, 1] = 1.0
        rows[:, :, 2] = -rays
        target = rays * joints[:, 2:] - joints[:, :2]
        shift, *_ = np.linalg.lstsq(rows.reshape(-1, 3), target.reshape(-1), rcond=None)
        moved = joints + shift
        errors.append(np.abs(moved[:, :2] / moved[:, 2:] * focal - rays * focal).max())
    return np.array(errors)


def test_people_stand_upright_and_boxes_cover_what_differs_from_the_backdrop(samples: list[Sample]) -> None:
    heads_over_feet = []
    for sample in samples:
        assert sample.bodies is not None
        joints = sample.bodies.joints3d_m
        heads_over_feet.append(joints[:, 15, 1] < joints[:, [7, 8], 1].max(axis=1))
    assert np.concatenate(heads_over_feet).mean() > 0.97


def test_equal_seeds_give_equal_samples(body: BodyModel) -> None:
    first, again, other = (render_sample(np.random.default_rng(s), body, 96, 64, 3) for s in (5, 5, 6))
    assert first.image_id == again.image_id != other.image_id
    np.testing.assert_array_equal(first.image, again.image)
    np.testing.assert_array_equal(first.boxes_xyxy, again.boxes_xyxy)
    assert (first.image != other.image).mean() > 0.2


def test_nobody_is_an_ordinary_number(body: BodyModel) -> None:
    sample = render_sample(np.random.default_rng(0), body, 96, 64, 0)
    assert sample.boxes_xyxy.shape == (0, 4)
    assert sample.bodies is not None
    assert sample.bodies.joints2d.shape == (0, 24, 3)
    assert sample.image.std() > 0


def test_a_tiny_canvas_is_refused(body: BodyModel) -> None:
    with pytest.raises(ConfigError, match="16x64"):
        render_sample(np.random.default_rng(0), body, 16, 64, 1)


def test_the_source_travels_to_workers(body: BodyModel) -> None:
    source = RenderSource(body, 96, 64, people=(1, 2))
    copy = pickle.loads(pickle.dumps(source))
    here, there = source.draw(np.random.default_rng(3)), copy.draw(np.random.default_rng(3))
    np.testing.assert_array_equal(here.image, there.image)


def test_the_camera_sees_its_horizon_and_people_of_the_wanted_size() -> None:
    camera = camera_over_ground(4000, 2500, focal_px=4600.0, horizon=0.1, bottom_height=0.3)
    far = camera.to_camera(np.array([0.0, camera.height_m, 1e6]))
    assert camera.project(far)[1] == pytest.approx(camera.horizon_y, abs=0.1)
    assert camera.horizon_y == pytest.approx(250.0)
    foot = camera.rays_world(np.array(2000.0), np.array(2500.0))
    foot *= camera.height_m / foot[1]
    top = foot - np.array([0.0, 1.7, 0.0])
    pixels = camera.project(camera.to_camera(np.stack([foot, top])))
    np.testing.assert_allclose(pixels[0], [2000.0, 2500.0], atol=1e-6)
    # The rule that sets the camera's height holds for small pitch; this one looks down by 12 degrees.
    assert pixels[0, 1] - pixels[1, 1] == pytest.approx(0.3 * 2500, rel=0.12)


@pytest.mark.parametrize("seed", range(5))
def test_rays_and_projection_are_inverse(seed: int) -> None:
    rng = np.random.default_rng(seed)
    camera: SceneCamera = draw_camera(rng, 300, 200, CameraRanges((-0.4, 0.4), (0.3, 1.2), (0.9, 1.9), 3.0))
    xs, ys = rng.uniform(0, 300, 20), rng.uniform(0, 200, 20)
    points = camera.rays_world(xs, ys) * rng.uniform(1.0, 50.0, (20, 1))
    np.testing.assert_allclose(camera.project(camera.to_camera(points)), np.stack([xs, ys], axis=1), atol=1e-9)


def test_without_numba_the_same_sample_comes_out(body: BodyModel) -> None:
    fast = render_sample(np.random.default_rng(8), body, 96, 64, 2)
    with using("torch"):
        slow = render_sample(np.random.default_rng(8), body, 96, 64, 2)
    np.testing.assert_array_equal(fast.boxes_xyxy, slow.boxes_xyxy)
    assert (fast.image == slow.image).mean() > 0.99
