"""Rows along the ground, blocks around those who are off it, and what becomes of a plan without a ground."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from pipeline.geometry import level_origin, level_sizes, network_scale
from pipeline.ground import GroundFit, HeightLine
from pipeline.plan import coarse_plan, uniform_plan
from pipeline.plan.cutting import cut_block
from pipeline.plan.ground_plan import (
    SceneGround,
    below_horizon,
    fit_scene,
    ground_rows,
    held_share,
    refit_scene,
    residuals,
    whole_people,
)
from pipeline.plan.held import clip_to_frame, held, scales
from pipeline.plan.residual import needy, residual_plan
from pipeline.plan.rows import MOST_ENLARGED, Reach, row_plan
from pipeline.types import Block, Float64Array

FRAME = (12_000, 8000)


def people(rng: np.random.Generator, count: int, per_x: float = 0.0, per_y: float = 0.1) -> Float64Array:
    """Gives boxes (N, 4) of people on a line inside the frame, at most a twentieth off it."""
    feet = rng.uniform((200, 2500), (11_800, 7900), (count, 2))
    tall = (feet[:, 0] * per_x + feet[:, 1] * per_y - 150.0) * rng.uniform(0.96, 1.06, count)
    feet, tall = feet[tall > 30.0], tall[tall > 30.0]
    half = 0.18 * tall
    return np.stack([feet[:, 0] - half, feet[:, 1] - tall, feet[:, 0] + half, feet[:, 1]], axis=1)


def rows_of(boxes: Float64Array, smallest_px: float = 64.0, there: tuple[Block, ...] = ()) -> list[Block]:
    ground = fit_scene(boxes, FRAME)
    assert ground.fit.lines
    return [block for row in ground_rows(ground, FRAME, smallest_px, "G", there) for block in row.blocks]


def assert_on_pixels(blocks: list[Block] | tuple[Block, ...], frame: tuple[int, int]) -> None:
    """Every block can be read from its level, and is no coarser there than the network sees it."""
    sizes = level_sizes(*frame)
    for block, scale in zip(blocks, scales(blocks), strict=True):
        x, y = level_origin(block)
        width, height = block.grid.raster_width, block.grid.raster_height
        assert 0 <= x <= sizes[block.level][0] - width
        assert 0 <= y <= sizes[block.level][1] - height
        assert block.level == 0 or scale * 2**block.level <= 1.0 + 1e-6
        assert network_scale(block) == pytest.approx(scale)
    assert len({block.id for block in blocks}) == len(blocks)


@pytest.mark.parametrize("per_x", [0.0, -0.015, 0.02])
@pytest.mark.parametrize("smallest_px", [64.0, 128.0])
def test_rows_hold_everyone_who_obeys_the_line(per_x: float, smallest_px: float) -> None:
    rng = np.random.default_rng(0)
    blocks = rows_of(people(rng, 400, per_x), smallest_px)
    others = people(rng, 4000, per_x)
    others = others[(others[:, 3] - others[:, 1]) * MOST_ENLARGED >= 1.2 * smallest_px]
    assert len(others) > 2000
    assert held(others, blocks, smallest_px).mean() > 0.995
    assert_on_pixels(blocks, FRAME)


def test_rows_grow_toward_the_camera_and_leave_out_what_is_seen_anyway() -> None:
    boxes = people(np.random.default_rng(1), 400)
    ground = fit_scene(boxes, FRAME)
    rows = ground_rows(ground, FRAME, 64.0, "G", ())
    assert len(rows) > 2
    assert all(one.near_y == two.far_y for one, two in pairwise(rows))
    assert all(one.scale > two.scale for one, two in pairwise(rows))
    assert [len(row.blocks) for row in rows] == sorted((len(row.blocks) for row in rows), reverse=True)
    first = coarse_plan(*FRAME)
    fewer = rows_of(boxes, there=first)
    assert len(fewer) < sum(len(row.blocks) for row in rows)
    assert held_share(boxes, [*first, *fewer], FRAME, 64.0) > 0.98
    assert len(first) + len(fewer) < 0.35 * len(uniform_plan(*FRAME))


def test_residual_blocks_see_everyone_who_is_left_and_share() -> None:
    rng = np.random.default_rng(2)
    first = coarse_plan(*FRAME)
    corners = rng.uniform((100, 100), (11_000, 7000), (30, 2))
    children = np.concatenate([corners, corners + np.array([30, 80])], axis=1)
    together = np.stack([np.arange(3000, 3400, 40), np.full(10, 5000), np.arange(3025, 3425, 40), np.full(10, 5090)], 1)
    boxes = np.concatenate([children, together.astype(np.float64)])
    blocks = residuals(boxes, first, FRAME, 64.0, "P")
    assert held(boxes, [*first, *blocks], 64.0).all()
    assert len(blocks) <= 31  # the ten share one
    assert residuals(boxes[::-1], first, FRAME, 64.0, "P") == blocks
    assert_on_pixels(blocks, FRAME)
    assert residuals(boxes, [*first, *blocks], FRAME, 64.0, "Q") == ()


def test_nobody_is_enlarged_beyond_use() -> None:
    boxes = np.array([[500.0, 500.0, 510.0, 530.0], [900.0, 900.0, 920.0, 941.0]])
    assert needy(boxes, (), 64.0).tolist() == [False, True]
    assert len(residual_plan(boxes, (), FRAME, 64.0, "P")) == 1
    assert residual_plan(np.zeros((0, 4)), (), FRAME, 64.0, "P") == ()


def test_people_at_the_frames_corners_get_their_block() -> None:
    boxes = np.array([[0.0, 0.0, 30.0, 80.0], [11_970.0, 7920.0, 12_000.0, 8000.0]])
    blocks = residual_plan(boxes, (), FRAME, 64.0, "P")
    assert held(boxes, blocks, 64.0).all()
    assert_on_pixels(blocks, FRAME)


def test_two_grounds_are_both_followed() -> None:
    rng = np.random.default_rng(3)
    floor = people(rng, 200)
    feet = rng.uniform((6000, 6000), (10_000, 6300), (100, 2))
    terrace = np.concatenate([feet - (20, 100), feet + np.array([20, 0])], axis=1)
    ground = fit_scene(np.concatenate([floor, terrace]), FRAME)
    assert len(ground.fit.lines) == 2
    reach = ground.reaches[1]
    assert 5000 < reach.x0 < 6000
    assert 10_000 < reach.x1 < 11_000
    assert reach.near_y < 6800
    first = coarse_plan(*FRAME)
    rows = ground_rows(ground, FRAME, 64.0, "G", first)
    others = rng.uniform((6000, 6000), (10_000, 6300), (500, 2))
    others = np.concatenate([others - (20, 100), others + np.array([20, 0])], axis=1)
    blocks = [*first, *(block for row in rows for block in row.blocks)]
    assert held_share(others, blocks, FRAME, 64.0) > 0.99
    assert len({block.id for block in blocks}) == len(blocks)


def test_a_line_is_fitted_again_only_where_that_helps() -> None:
    rng = np.random.default_rng(4)
    boxes = people(rng, 200)
    ground = fit_scene(boxes, FRAME)
    assert refit_scene(ground, boxes, FRAME) is None
    line = ground.fit.lines[0]
    wrong = HeightLine(0.0, line.per_y * 1.6, line.offset, line.log_sigma, 200, 1.0)
    again = refit_scene(SceneGround(GroundFit((wrong,), 200, 1.0), ground.reaches), boxes, FRAME)
    assert again is not None
    assert again.fit.lines[0].per_y == pytest.approx(line.per_y)
    noise = boxes.copy()
    noise[:, 1] = noise[:, 3] - np.exp(rng.uniform(np.log(30), np.log(900), 200))  # whom no line holds
    assert refit_scene(ground, noise, FRAME) is None


def test_a_line_that_leaves_no_room_gives_no_rows() -> None:
    reach = Reach(100.0, 8000.0, 6000.0, 0.0, 12_000.0)
    below_horizon = HeightLine(0.0, 0.1, -900.0, 0.1, 20, 1.0)
    assert row_plan(below_horizon, reach, FRAME, 64.0, "G") == ()
    tiny = HeightLine(0.0, 0.0, 20.0, 0.1, 20, 1.0)  # everyone would have to be enlarged too much
    assert row_plan(tiny, reach, FRAME, 64.0, "G") == ()
    steep = HeightLine(5.0, 9.0, 10.0, 0.1, 20, 1.0)
    assert_on_pixels([block for row in row_plan(steep, reach, FRAME, 64.0, "G") for block in row.blocks], FRAME)


@pytest.mark.parametrize("frame", [(1, 1), (300, 200), (831, 3), (833, 512), (1700, 1100)])
def test_small_frames(frame: tuple[int, int]) -> None:
    assert set(coarse_plan(*frame)) <= set(uniform_plan(*frame))
    for scale in (0.01, 0.3, 1.0, 1.6):
        block = cut_block("b", frame[0] / 2, frame[1] / 2, scale, frame)
        assert_on_pixels([block], frame)
    line = HeightLine(0.0, 0.1, 50.0, 0.1, 20, 1.0)
    reach = Reach(0.0, 2.0 * frame[1], frame[0] / 2, 0.0, float(frame[0]))
    assert_on_pixels([block for row in row_plan(line, reach, frame, 64.0, "G") for block in row.blocks], frame)


def test_held_from_both_sides_of_its_limits() -> None:
    (block,) = uniform_plan(832, 512)
    boxes = np.array([[0, 0, 9, 64], [0, 0, 9, 63.9], [0, 0, 9, 460], [0, 0, 9, 460.1], [0, 100, 9, 512.1]])
    assert held(boxes, [block], 64.0).tolist() == [True, False, True, False, False]
    assert held(boxes, [], 64.0).tolist() == [False] * 5
    assert held(boxes[:1], [block], 64.0, margin_px=1.0).tolist() == [False]
    assert held(boxes[:0], [block], 64.0).shape == (0,)
    many = np.tile(boxes, (2000, 1))
    np.testing.assert_array_equal(held(many, [block], 64.0), np.tile(held(boxes, [block], 64.0), 2000))
    np.testing.assert_array_equal(clip_to_frame(np.array([[-5.0, 3.0, 900.0, 600.0]]), 832, 512), [[0, 3, 832, 512]])


def test_blocks_above_the_horizon_are_left_out_unless_someone_was_seen_there() -> None:
    boxes = people(np.random.default_rng(5), 200)  # horizon at row 1500
    blocks = [block for block in coarse_plan(*FRAME) if block.level == 2]
    ground = fit_scene(boxes, FRAME)
    kept = below_horizon(blocks, ground, boxes)
    sky = [block for block in blocks if block not in kept]
    assert sky == []  # blocks are 2048 px tall: each reaches the ground
    high = HeightLine(0.0, 0.1, -300.0, 0.1, 20, 1.0)
    low = SceneGround(GroundFit((high,), 20, 1.0), ())
    kept = below_horizon(blocks, low, boxes[:0])
    assert {block.id for block in blocks} - {block.id for block in kept} == {
        block.id for block in blocks if block.grid.window.y1 + 512 <= 3000
    }
    assert len(kept) < len(blocks)
    climber = np.array([[100.0, 100.0, 150.0, 300.0]])
    assert {block.id for block in below_horizon(blocks, low, climber)} - {block.id for block in kept} == {
        "L2-r000-c000"
    }
    assert below_horizon(blocks, SceneGround(GroundFit((), 0, 0.0), ()), boxes[:0]) == tuple(blocks)


def test_people_cut_by_the_frame_say_nothing_of_heights() -> None:
    boxes = np.array([[0, 5, 50, 100], [5, 5, 50, 100], [5, 5, 50, 8000], [11_990, 5, 11_999, 90]], dtype=np.float64)
    assert whole_people(boxes, *FRAME).tolist() == [False, True, False, False]


def test_a_window_at_the_end_of_the_frame_holds_its_last_pixels() -> None:
    """Level 2 of 5,171 px has 1,293 px; a window that begins between two of them shall not end before the frame."""
    scale = 832.0 / 5020.0
    block = cut_block("b", 5171.0 - 832.0 / scale / 2.0, 0.0, scale, (5171, 4000))
    assert block.level == 2
    assert block.grid.window.x1 >= 5171.0
    low = cut_block("b", 2000.0, 4001.0 - 512.0 / scale, scale, (5171, 4001))
    assert low.grid.window.y1 >= 4001.0


def test_no_side_of_the_frame_is_left_out_when_thousands_wait() -> None:
    rng = np.random.default_rng(0)
    feet = np.sort(rng.uniform((100, 100), (11_900, 7900), (2500, 2)), axis=0)
    feet[:, 1] = rng.permutation(feet[:, 1])
    boxes = np.stack([feet[:, 0] - 10.0, feet[:, 1] - 50.0, feet[:, 0] + 10.0, feet[:, 1]], axis=1)
    assert held(boxes, residual_plan(boxes, (), FRAME, 64.0, "P"), 64.0).all()


def test_an_inverted_box_does_not_spoil_the_ground() -> None:
    boxes = people(np.random.default_rng(3), 200)
    odd = np.concatenate([boxes, boxes[:1, [2, 3, 0, 1]]])
    assert fit_scene(odd, FRAME) == fit_scene(boxes, FRAME)


def test_a_tight_far_group_makes_no_ground_for_the_frame() -> None:
    boxes = people(np.random.default_rng(12), 4000)
    far = boxes[(boxes[:, 3] > 2800.0) & (boxes[:, 3] < 2880.0)]
    assert len(far) >= 20
    ground = fit_scene(far, FRAME)
    assert ground == SceneGround(ground.fit, ())
    assert "close together" in ground.fit.reason
