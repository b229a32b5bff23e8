import numpy as np
import pytest
import shapely

from pipeline.geometry import level_origin, level_sizes
from pipeline.plan import restrict, uniform_plan
from pipeline.types import Window

MOSAIC = (26753, 15052)


def test_a_gigapixel_frame_gets_the_known_number_of_blocks() -> None:
    blocks = uniform_plan(*MOSAIC)
    # 43 x 39, 22 x 20, 11 x 10, 6 x 5, 3 x 3, 2 x 1 and 1: steps of 624 and 384 px, last one flush.
    per_level = [1677, 440, 110, 30, 9, 2, 1]
    assert [sum(block.level == level for block in blocks) for level in range(7)] == per_level
    assert len(blocks) == 2269
    assert 2260 <= len(blocks) <= 2480


def test_ids_are_unique_stable_and_say_where() -> None:
    blocks = uniform_plan(*MOSAIC)
    ids = [block.id for block in blocks]
    assert len(set(ids)) == len(ids)
    assert ids == [block.id for block in uniform_plan(*MOSAIC)]
    by_id = {block.id: block for block in blocks}
    block = by_id["L2-r003-c010"]
    assert level_origin(block) == (6689 - 832, 3 * 384)
    assert block.grid.window == Window(4 * 5857.0, 4 * 1152.0, 4 * 6689.0, 4 * 1664.0)


@pytest.mark.parametrize("size", [(1, 1), (831, 511), (832, 512), (832, 3)])
def test_a_frame_within_one_block_is_one_block(size: tuple[int, int]) -> None:
    (block,) = uniform_plan(*size)
    assert block.id == "L0-r000-c000"
    assert block.grid.window == Window(0.0, 0.0, float(size[0]), float(size[1]))
    assert (block.grid.raster_width, block.grid.raster_height) == size
    assert block.owned == block.grid.window


def test_one_pixel_more_than_a_block_makes_two_blocks_and_a_level() -> None:
    blocks = uniform_plan(833, 512)
    assert [block.id for block in blocks] == ["L0-r000-c000", "L0-r000-c001", "L1-r000-c000"]
    assert blocks[1].grid.window == Window(1.0, 0.0, 833.0, 512.0)
    assert (blocks[0].owned.x1, blocks[1].owned.x0) == (416.5, 416.5)
    # 417 level px of 2 frame px reach one px past the frame; what the block owns does not.
    assert blocks[2].grid.window == Window(0.0, 0.0, 834.0, 512.0)
    assert blocks[2].owned == Window(0.0, 0.0, 833.0, 512.0)


def test_every_block_has_its_levels_scale_and_lies_on_its_pixels() -> None:
    sizes = level_sizes(*MOSAIC)
    for block in uniform_plan(*MOSAIC):
        x, y = level_origin(block)
        grid = block.grid
        assert grid.window.width == grid.raster_width * 2**block.level
        assert grid.window.height == grid.raster_height * 2**block.level
        assert 0 <= x <= sizes[block.level][0] - grid.raster_width
        assert 0 <= y <= sizes[block.level][1] - grid.raster_height


def test_bad_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="overlap is 1"):
        uniform_plan(100, 100, overlap=1.0)
    with pytest.raises(ValueError, match="overlap is -0"):
        uniform_plan(100, 100, overlap=-0.1)
    with pytest.raises(ValueError, match="at least one pixel"):
        uniform_plan(100, 100, block_width=0)


def test_restrict_keeps_order_and_what_shares_area() -> None:
    blocks = uniform_plan(2000, 1500)
    assert restrict(blocks, None, None) == blocks
    assert restrict((), shapely.box(0, 0, 1, 1), shapely.box(0, 0, 1, 1)) == ()
    roi = shapely.box(832, 0, 833, 1)
    kept = restrict(blocks, roi, None)
    # The first block ends exactly where the region begins: a shared edge is no area.
    assert [block.id for block in kept] == ["L0-r000-c001", "L1-r000-c000", "L1-r000-c001", "L2-r000-c000"]


def test_restrict_drops_only_what_is_wholly_excluded() -> None:
    blocks = uniform_plan(2000, 1500)
    exact = shapely.box(0, 0, 832, 512)
    smaller = shapely.box(0, 0, 831.5, 512)
    assert {block.id for block in blocks} - {b.id for b in restrict(blocks, None, exact)} == {"L0-r000-c000"}
    assert restrict(blocks, None, smaller) == blocks
    assert restrict(blocks, None, shapely.box(-9, -9, 3000, 3000)) == ()
    # A hole in the excluded area keeps what lies over it.
    ring = shapely.box(-9, -9, 3000, 3000) - shapely.box(100, 100, 101, 101)
    assert {"L0-r000-c000", "L1-r000-c000", "L2-r000-c000"} == {b.id for b in restrict(blocks, None, ring)}


def test_restrict_takes_several_polygons() -> None:
    blocks = uniform_plan(4000, 3000)
    areas = shapely.MultiPolygon([shapely.box(0, 0, 5, 5), shapely.box(3990, 2990, 4000, 3000)])
    level0 = [block.id for block in restrict(blocks, areas, None) if block.level == 0]
    assert level0 == ["L0-r000-c000", max(b.id for b in blocks if b.level == 0)]


def test_uniform_overlap_is_a_quarter_of_the_window() -> None:
    row = [level_origin(block)[0] for block in uniform_plan(*MOSAIC) if block.id.startswith("L0-r000")]
    steps = np.diff(row)
    assert set(steps[:-1]) == {624}
    assert 0 < steps[-1] <= 624
    assert row[-1] + 832 == MOSAIC[0]
