"""Properties of the merge where views carry joints and depth, which decide pairs that boxes leave open."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from test_merge_properties import FRAME, RUNS, as_sets, distinct, scenes

from pipeline.geometry import translate
from pipeline.merge import MergeConfig, merge
from pipeline.plan import uniform_plan
from pipeline.types import Block, Int64Array, SceneDetections, Window

# Neighbours share 3 px: too thin a strip to compare boxes in, so joints and depth decide.
BLOCKS = uniform_plan(2000, 1200, overlap=0.004)


@st.composite
def posed(draw: st.DrawFn, *, outlines: bool | None = None) -> SceneDetections:
    """Views with 24 joints spread over their boxes and depths that fit their heights, each more or less wrong.

    Some confidences are 0, and some depths are no depths (0 or below): there nothing is known.
    """
    views = draw(scenes(outlines=outlines, blocks=BLOCKS))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    wrong = draw(st.sampled_from([0.0, 0.05, 0.5]))
    count = len(views)
    share = rng.uniform(0.1, 0.9, (24, 2))[None] + rng.normal(0.0, wrong, (count, 24, 2))
    low, extent = views.boxes_frame[:, None, :2], (views.boxes_frame[:, 2:] - views.boxes_frame[:, :2])[:, None]
    joints = np.empty((count, 24, 3), dtype=np.float32)
    joints[..., :2] = np.round((low + share * extent) * 4.0) / 4.0
    joints[..., 2] = rng.choice(np.array([0.0, 0.5, 1.0]), (count, 24))
    joints[rng.random(count) < 0.1, :, 2] = 0.0
    scale = np.array([block.grid.raster_width / block.grid.window.width for block in BLOCKS])[views.block_index]
    height = np.maximum(np.abs(extent[:, 0, 1]), 1.0)
    depth = 1700.0 / (height * scale) * np.exp(rng.normal(0.0, wrong, count))
    depth[rng.random(count) < 0.05] = 0.0
    depth[rng.random(count) < 0.05] *= -1.0
    kind = draw(st.sampled_from(["both", "joints", "depth"]))
    return replace(
        views,
        joints2d_frame=None if kind == "depth" else joints,
        depth_m=None if kind == "joints" else depth.astype(np.float32),
    )


def shuffled(count: int, random: object) -> Int64Array:
    order = list(range(count))
    random.shuffle(order)  # type: ignore[attr-defined]
    return np.array(order, dtype=np.int64)


@RUNS
@given(posed(), st.randoms(use_true_random=False))
def test_the_order_of_views_does_not_matter(views: SceneDetections, random: object) -> None:
    views = distinct(views)
    order = shuffled(len(views), random)
    first, second = merge(views, BLOCKS, FRAME), merge(views.take(order), BLOCKS, FRAME)
    assert (second.group == first.group[order]).all()
    assert (order[second.chosen] == first.chosen).all()
    assert (second.boxes_frame == first.boxes_frame).all()
    assert as_sets(second, order) == as_sets(first, np.arange(len(views)))


@RUNS
@given(posed(), st.randoms(use_true_random=False))
def test_the_order_of_blocks_does_not_matter(views: SceneDetections, random: object) -> None:
    views = distinct(views)
    order = shuffled(len(BLOCKS), random)
    place = np.argsort(order)
    first = merge(views, BLOCKS, FRAME)
    second = merge(replace(views, block_index=place[views.block_index]), [BLOCKS[k] for k in order], FRAME)
    assert (second.group == first.group).all()
    assert (second.chosen == first.chosen).all()


@RUNS
@given(posed(outlines=False), st.integers(-5000, 100_000), st.integers(-5000, 100_000))
def test_a_moved_frame_moves_the_result(views: SceneDetections, dx: int, dy: int) -> None:
    """Joints lie on quarters of a pixel, which single precision still tells apart where the frame is moved to."""
    shift = np.array([dx, dy, dx, dy], dtype=np.float64)
    blocks: list[Block] = [translate(block, dx, dy) for block in BLOCKS]
    frame = Window(FRAME.x0 + dx, FRAME.y0 + dy, FRAME.x1 + dx, FRAME.y1 + dy)
    moved = replace(views, boxes_frame=views.boxes_frame + shift)
    if views.joints2d_frame is not None:
        joints = views.joints2d_frame.astype(np.float64)
        joints[..., :2] += shift[:2]
        moved = replace(moved, joints2d_frame=joints.astype(np.float32))
    first, second = merge(views, BLOCKS, FRAME), merge(moved, blocks, frame)
    assert (second.group == first.group).all()
    assert (second.chosen == first.chosen).all()
    assert (second.boxes_frame == first.boxes_frame + shift).all()
    assert second.reasons == first.reasons


@RUNS
@given(posed(), st.integers(1, 20))
def test_sharded_equals_unsharded(views: SceneDetections, size: int) -> None:
    whole, parts = merge(views, BLOCKS, FRAME), merge(views, BLOCKS, FRAME, MergeConfig(shard_views=size))
    assert (parts.group == whole.group).all()
    assert (parts.chosen == whole.chosen).all()
    assert (parts.boxes_frame == whole.boxes_frame).all()
    assert parts.reasons == whole.reasons


@RUNS
@given(posed())
def test_idempotent(views: SceneDetections) -> None:
    """Merging the chosen views alone keeps each of them as a person, with its box."""
    chosen = views.take(merge(views, BLOCKS, FRAME).chosen)
    again = merge(chosen, BLOCKS, FRAME)
    assert again.reasons == ()
    assert sorted(again.chosen.tolist()) == list(range(len(chosen)))
    assert (again.boxes_frame == chosen.boxes_frame[again.chosen]).all()


@RUNS
@given(posed())
def test_nothing_is_lost_and_no_two_views_of_a_block_are_one(views: SceneDetections) -> None:
    result = merge(views, BLOCKS, FRAME)
    assert result.rejected.tolist() == np.flatnonzero(result.group == -1).tolist()
    assert result.group[result.chosen].tolist() == list(range(len(result.chosen)))
    for person in range(len(result.chosen)):
        blocks = views.block_index[result.group == person].tolist()
        assert len(set(blocks)) == len(blocks)


@RUNS
@given(posed(), st.sampled_from([0.25, 4.0]))
def test_the_unit_of_depth_does_not_matter(views: SceneDetections, unit: float) -> None:
    """Only ratios of depths are compared; powers of two change no bit of them."""
    if views.depth_m is None:
        return
    first = merge(views, BLOCKS, FRAME)
    second = merge(replace(views, depth_m=views.depth_m * np.float32(unit)), BLOCKS, FRAME)
    assert (second.group == first.group).all()
    assert (second.chosen == first.chosen).all()


def test_joints_and_depth_do_decide_something() -> None:
    """Guards the strategy: without thin common views or contested pairs these properties would say nothing new."""
    changed = 0

    @RUNS
    @given(posed())
    def count(views: SceneDetections) -> None:
        nonlocal changed
        plain = merge(replace(views, joints2d_frame=None, depth_m=None), BLOCKS, FRAME)
        posed_result = merge(views, BLOCKS, FRAME)
        changed += plain.group.tolist() != posed_result.group.tolist()

    count()
    assert changed >= 1
