import numpy as np
import pytest

from mili_core.body import NETWORK_HEIGHT, NETWORK_WIDTH
from pipeline import geometry
from pipeline.geometry import (
    boxes_from_frame,
    boxes_to_frame,
    from_frame,
    level_grid,
    level_origin,
    level_sizes,
    network_scale,
    to_frame,
    translate,
)
from pipeline.types import Block, PixelGrid, Window

GRID = PixelGrid(Window(100.0, 200.0, 300.0, 280.0), 400, 80)


def block_of(grid: PixelGrid, level: int = 0) -> Block:
    return Block("b", level, grid, grid.window)


def test_corners_and_centre_of_a_grid_by_hand() -> None:
    raster = np.array([[0.0, 0.0], [400.0, 80.0], [200.0, 40.0]])
    frame = np.array([[100.0, 200.0], [300.0, 280.0], [200.0, 240.0]])
    np.testing.assert_allclose(to_frame(GRID, raster), frame)
    np.testing.assert_allclose(from_frame(GRID, frame), raster)


def test_boxes_by_hand() -> None:
    boxes = np.array([[0.0, 8.0, 2.0, 16.0]], dtype=np.float32)
    expected = np.array([[100.0, 208.0, 101.0, 216.0]])
    np.testing.assert_allclose(boxes_to_frame(GRID, boxes), expected)
    np.testing.assert_allclose(boxes_from_frame(GRID, expected), boxes)


@pytest.mark.parametrize("shape", [(2,), (0, 2), (5, 2), (3, 24, 2), (0, 24, 2)])
def test_points_keep_their_shape_and_become_float64(shape: tuple[int, ...]) -> None:
    points = np.ones(shape, dtype=np.float32)
    for out in (to_frame(GRID, points), from_frame(GRID, points)):
        assert out.shape == shape
        assert out.dtype == np.float64


def test_no_boxes_stay_no_boxes() -> None:
    none = np.zeros((0, 4), dtype=np.float32)
    for out in (boxes_to_frame(GRID, none), boxes_from_frame(GRID, none)):
        assert out.shape == (0, 4)
        assert out.dtype == np.float64


@pytest.mark.parametrize("shape", [(4,), (2, 3), (2, 2, 4)])
def test_other_box_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"expected \(N, 4\)"):
        boxes_to_frame(GRID, np.zeros(shape))
    with pytest.raises(ValueError, match=r"expected \(\.\.\., 2\)"):
        to_frame(GRID, np.zeros((3, 4)))


def test_the_canvas_is_the_networks() -> None:
    assert (geometry.BLOCK_WIDTH, geometry.BLOCK_HEIGHT) == (NETWORK_WIDTH, NETWORK_HEIGHT)


@pytest.mark.parametrize(
    ("level", "width", "height", "expected"),
    [
        (0, 832, 512, 1.0),
        (3, 832, 512, 1.0 / 8.0),
        (0, 416, 256, 2.0),
        (1, 416, 100, 1.0),
        (2, 100, 1024, 1.0 / 8.0),
    ],
)
def test_network_scale_is_letterbox_times_level_scale(level: int, width: int, height: int, expected: float) -> None:
    assert network_scale(block_of(level_grid(level, 3, 5, width, height), level)) == pytest.approx(expected)


def test_translate_moves_window_and_owned_only() -> None:
    block = Block("b", 0, GRID, Window(100.0, 200.0, 150.0, 220.0))
    moved = translate(block, 10.0, -5.0)
    assert moved.grid.window == Window(110.0, 195.0, 310.0, 275.0)
    assert moved.owned == Window(110.0, 195.0, 160.0, 215.0)
    assert (moved.id, moved.level, moved.grid.raster_width, moved.grid.raster_height) == ("b", 0, 400, 80)


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((1, 1), [(1, 1)]),
        ((832, 512), [(832, 512)]),
        ((833, 512), [(833, 512), (417, 256)]),
        ((832, 513), [(832, 513), (416, 257)]),
        ((1665, 3), [(1665, 3), (833, 2), (417, 1)]),
        (
            (26753, 15052),
            [(26753, 15052), (13377, 7526), (6689, 3763), (3345, 1882), (1673, 941), (837, 471), (419, 236)],
        ),
    ],
)
def test_level_sizes_by_hand(size: tuple[int, int], expected: list[tuple[int, int]]) -> None:
    assert list(level_sizes(*size)) == expected


@pytest.mark.parametrize("size", [(0, 5), (5, 0), (-1, 5)])
def test_no_pixels_no_levels(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="at least one pixel"):
        level_sizes(*size)


def test_level_origin_needs_whole_pixels_of_the_level() -> None:
    assert level_origin(block_of(level_grid(3, 7, 9, 20, 10), 3)) == (7, 9)
    off_by_one_frame_px = PixelGrid(Window(57.0, 72.0, 217.0, 152.0), 20, 10)
    with pytest.raises(ValueError, match="not on the pixels of level 3"):
        level_origin(block_of(off_by_one_frame_px, 3))
    stretched = PixelGrid(Window(56.0, 72.0, 217.0, 152.0), 20, 10)
    with pytest.raises(ValueError, match="not on the pixels of level 3"):
        level_origin(block_of(stretched, 3))
