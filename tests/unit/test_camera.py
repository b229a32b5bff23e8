"""The virtual camera: the weak camera's promise, and what letterboxing does to it."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mili_core.body.camera import (
    FOCAL_PX,
    NETWORK_HEIGHT,
    NETWORK_WIDTH,
    VirtualCamera,
    letterbox_scale,
    project,
    translation_from_weak,
    virtual_camera,
)
from mili_core.errors import ImageError

CENTRE = (NETWORK_WIDTH / 2, NETWORK_HEIGHT / 2)


def test_worked_example() -> None:
    """s = .9 and a box of 300 px stand 7.41 m away, where a metre is 135 px."""
    cam = torch.tensor([[0.9, 0.0, 0.0]], dtype=torch.float64)
    box = torch.tensor([[416.0 - 60, 256.0 - 150, 416.0 + 60, 256.0 + 150]], dtype=torch.float64)
    translation = translation_from_weak(cam, box)
    torch.testing.assert_close(translation[0, :2], torch.zeros(2, dtype=torch.float64))
    assert float(translation[0, 2]) == pytest.approx(7.41, abs=0.003)
    assert FOCAL_PX / float(translation[0, 2]) == pytest.approx(135.0, abs=1e-3)


def test_the_box_side_is_the_longer_one_without_plus_one() -> None:
    cam = torch.tensor([[1.0, 0.0, 0.0]] * 2, dtype=torch.float64)
    boxes = torch.tensor([[0.0, 0.0, 200.0, 50.0], [0.0, 0.0, 50.0, 200.0]], dtype=torch.float64)
    torch.testing.assert_close(translation_from_weak(cam, boxes)[:, 2], torch.full((2,), 10.0, dtype=torch.float64))


@settings(max_examples=100, deadline=None)
@given(
    weak=st.tuples(st.floats(0.1, 3), st.floats(-0.5, 0.5), st.floats(-0.5, 0.5)),
    corner=st.tuples(st.floats(-50, 800), st.floats(-50, 500)),
    size=st.tuples(st.floats(5, 600), st.floats(5, 600)),
)
def test_the_origin_projects_to_box_centre_plus_shift(
    weak: tuple[float, float, float], corner: tuple[float, float], size: tuple[float, float]
) -> None:
    box = torch.tensor([[*corner, corner[0] + size[0], corner[1] + size[1]]], dtype=torch.float64)
    origin = translation_from_weak(torch.tensor([weak], dtype=torch.float64), box)
    pixel = project(origin[:, None], FOCAL_PX, CENTRE)[0, 0]
    side = max(size)
    expected = [corner[0] + size[0] / 2 + weak[1] * side, corner[1] + size[1] / 2 + weak[2] * side]
    torch.testing.assert_close(pixel, torch.tensor(expected, dtype=torch.float64), atol=1e-6, rtol=0)


def test_nobody_has_no_translation() -> None:
    assert translation_from_weak(torch.zeros(0, 3), torch.zeros(0, 4)).shape == (0, 3)
    assert project(torch.zeros(0, 5, 3), 1.0, (0.0, 0.0)).shape == (0, 5, 2)


def test_project_takes_one_camera_or_one_a_person() -> None:
    points = torch.tensor([[[1.0, 2.0, 4.0], [0.0, 0.0, 2.0]], [[1.0, 2.0, 4.0], [-1.0, 1.0, 1.0]]])
    shared = project(points, 8.0, (100.0, 50.0))
    torch.testing.assert_close(shared[0], torch.tensor([[102.0, 54.0], [100.0, 50.0]]))
    own = project(points, torch.tensor([8.0, 16.0]), torch.tensor([[100.0, 50.0], [0.0, 10.0]]))
    torch.testing.assert_close(own[0], shared[0])
    torch.testing.assert_close(own[1], torch.tensor([[4.0, 18.0], [-16.0, 26.0]]))
    torch.testing.assert_close(project(points, 8.0, torch.tensor([100.0, 50.0])), shared)


@pytest.mark.parametrize(
    ("width", "height", "scale"),
    [(832, 512, 1.0), (1664, 512, 0.5), (832, 1024, 0.5), (416, 100, 2.0), (8320, 5120, 0.1), (1, 10**6, 512e-6)],
)
def test_letterbox_scale_fits_both_sides(width: int, height: int, scale: float) -> None:
    assert letterbox_scale(width, height) == pytest.approx(scale)


def test_virtual_camera_of_the_canvas_and_of_a_larger_image() -> None:
    assert virtual_camera(832, 512) == VirtualCamera(1000.0, 416.0, 256.0)
    # A portrait image fills the canvas on the left: its principal point lies right of its own centre.
    camera = virtual_camera(1000, 2048)
    assert camera == VirtualCamera(4000.0, 1664.0, 1024.0)


@settings(max_examples=50, deadline=None)
@given(width=st.integers(1, 30000), height=st.integers(1, 30000))
def test_projecting_in_image_px_is_projecting_in_network_px_scaled_back(width: int, height: int) -> None:
    points = torch.tensor([[[0.4, -1.0, 5.0], [-2.0, 0.3, 9.0]]], dtype=torch.float64)
    camera = virtual_camera(width, height)
    in_image = project(points, camera.focal_px, (camera.principal_x, camera.principal_y))
    in_network = project(points, FOCAL_PX, CENTRE)
    torch.testing.assert_close(in_image * letterbox_scale(width, height), in_network)


@pytest.mark.parametrize(("width", "height"), [(0, 10), (10, 0), (-1, 5)])
def test_an_image_without_pixels_is_refused(width: int, height: int) -> None:
    with pytest.raises(ImageError, match=f"{width} x {height}"):
        letterbox_scale(width, height)
