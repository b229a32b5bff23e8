import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.geometry import (
    BLOCK_HEIGHT,
    BLOCK_WIDTH,
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

coordinate = st.floats(-1e6, 1e6, allow_nan=False, width=64)
side = st.floats(0.5, 1e5, allow_nan=False, width=64)


@st.composite
def grids(draw: st.DrawFn) -> PixelGrid:
    x, y, width, height = draw(coordinate), draw(coordinate), draw(side), draw(side)
    return PixelGrid(Window(x, y, x + width, y + height), draw(st.integers(1, 4096)), draw(st.integers(1, 4096)))


def relative_error(found: np.ndarray, expected: np.ndarray, size: float) -> float:
    return float(np.max(np.abs(found - expected), initial=0.0)) / max(
        size, float(np.max(np.abs(expected), initial=1.0))
    )


@given(grids(), st.lists(st.tuples(coordinate, coordinate), max_size=20))
def test_round_trip_from_the_frame(grid: PixelGrid, points: list[tuple[float, float]]) -> None:
    frame = np.array(points, dtype=np.float64).reshape(-1, 2)
    assert relative_error(to_frame(grid, from_frame(grid, frame)), frame, 1e6) < 1e-9


@given(grids(), st.lists(st.tuples(*[st.floats(0, 1)] * 4), max_size=20))
def test_round_trip_from_the_raster(grid: PixelGrid, fractions: list[tuple[float, ...]]) -> None:
    raster = np.array(fractions, dtype=np.float64).reshape(-1, 4) * np.tile([grid.raster_width, grid.raster_height], 2)
    back = boxes_from_frame(grid, boxes_to_frame(grid, raster))
    # The frame's float64 grid is 1e-10 px at 1e6; a raster px may be as small as .5 / 4096 of a frame px.
    px = min(grid.window.width / grid.raster_width, grid.window.height / grid.raster_height)
    assert relative_error(back, raster, 1.0) < 1e-9 * max(1.0, 1.0 / px)


@given(grids(), coordinate, coordinate, st.lists(st.tuples(coordinate, coordinate), max_size=5))
def test_translating_a_block_translates_its_points(
    grid: PixelGrid, dx: float, dy: float, points: list[tuple[float, float]]
) -> None:
    raster = np.array(points, dtype=np.float64).reshape(-1, 2) % 1000
    window = grid.window
    moved = Window(window.x0 + dx, window.y0 + dy, window.x1 + dx, window.y1 + dy)
    assert translate(Block("b", 0, grid, window), dx, dy).grid.window == moved
    expected = to_frame(grid, raster) + np.array([dx, dy])
    found = to_frame(translate(Block("b", 0, grid, window), dx, dy).grid, raster)
    # One ulp of rounding in the moved window's width is magnified by points far outside the raster.
    reach = 1000.0 * max(1.0, window.width, window.height)
    assert relative_error(found, expected, reach) < 1e-9


@given(st.integers(1, 70_000), st.integers(1, 70_000))
def test_levels_halve_rounding_up_until_one_fits(width: int, height: int) -> None:
    sizes = level_sizes(width, height)
    for level, size in enumerate(sizes):
        assert size == (math.ceil(width / 2**level), math.ceil(height / 2**level))
        fits = size[0] <= BLOCK_WIDTH and size[1] <= BLOCK_HEIGHT
        assert fits == (level == len(sizes) - 1)


@given(st.integers(1, 70_000), st.integers(1, 70_000))
def test_a_level_covers_the_frame_and_less_than_one_pixel_more(width: int, height: int) -> None:
    for level, (level_width, level_height) in enumerate(level_sizes(width, height)):
        window = level_grid(level, 0, 0, level_width, level_height).window
        assert 0 <= window.x1 - width < 2**level
        assert 0 <= window.y1 - height < 2**level


@given(st.integers(0, 10), st.integers(0, 70_000), st.integers(0, 70_000), st.integers(1, 4096), st.integers(1, 4096))
def test_level_origin_undoes_level_grid(level: int, x: int, y: int, width: int, height: int) -> None:
    grid = level_grid(level, x, y, width, height)
    block = Block("b", level, grid, grid.window)
    assert level_origin(block) == (x, y)
    np.testing.assert_array_equal(to_frame(grid, [0.5, 0.5]), [(x + 0.5) * 2**level, (y + 0.5) * 2**level])
    expected = min(BLOCK_WIDTH / width, BLOCK_HEIGHT / height) / 2**level
    assert math.isclose(network_scale(block), expected, rel_tol=1e-12)


@given(grids())
def test_from_frame_of_the_window_is_the_raster(grid: PixelGrid) -> None:
    window = grid.window
    corners = from_frame(grid, [[window.x0, window.y0], [window.x1, window.y1]])
    expected = np.array([[0.0, 0.0], [grid.raster_width, grid.raster_height]])
    assert relative_error(corners, expected, 1.0) < 1e-9
