import numpy as np
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.geometry import level_sizes
from pipeline.ground import HeightLine
from pipeline.plan import coarse_plan, restrict, uniform_plan
from pipeline.plan.held import held
from pipeline.plan.residual import residual_plan
from pipeline.plan.rows import GUARD_PX, MOST_ENLARGED, Reach, row_plan
from pipeline.types import Block, Window


@st.composite
def plans(draw: st.DrawFn) -> tuple[int, int, tuple[Block, ...]]:
    width, height = draw(st.integers(1, 6000)), draw(st.integers(1, 6000))
    blocks = uniform_plan(
        width,
        height,
        block_width=draw(st.integers(200, 1000)),
        block_height=draw(st.integers(200, 1000)),
        overlap=draw(st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.7])),
    )
    return width, height, blocks


def area(window: Window) -> float:
    return window.width * window.height


def within(inner: Window, outer: Window) -> bool:
    return outer.x0 <= inner.x0 and outer.y0 <= inner.y0 and inner.x1 <= outer.x1 and inner.y1 <= outer.y1


@given(plans(), st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_owned_windows_tile_each_level_exactly_once(plan: tuple[int, int, tuple[Block, ...]], seed: int) -> None:
    width, height, blocks = plan
    assert {block.level for block in blocks} == set(range(len(level_sizes(width, height))))
    rng = np.random.default_rng(seed)
    points = rng.uniform(0, [width, height], size=(50, 2))
    points = np.concatenate([points, np.floor(points), [[0.0, 0.0]]])  # seams and corners lie at whole px
    for level in {block.level for block in blocks}:
        owned = [block.owned for block in blocks if block.level == level]
        assert sum(map(area, owned)) == width * height
        bounds = np.array([(w.x0, w.y0, w.x1, w.y1) for w in owned])
        inside = (points[:, None] >= bounds[None, :, :2]) & (points[:, None] < bounds[None, :, 2:])
        np.testing.assert_array_equal(inside.all(axis=2).sum(axis=1), 1)


@given(plans())
@settings(max_examples=60, deadline=None)
def test_a_block_owns_only_what_it_sees_of_the_frame(plan: tuple[int, int, tuple[Block, ...]]) -> None:
    width, height, blocks = plan
    frame = Window(0.0, 0.0, float(width), float(height))
    for block in blocks:
        assert within(block.owned, block.grid.window)
        assert within(block.owned, frame)
        reach = 2**block.level
        assert within(block.grid.window, Window(0.0, 0.0, width + reach - 0.5, height + reach - 0.5))


@given(plans(), st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None)
def test_restrict_agrees_with_its_definition(plan: tuple[int, int, tuple[Block, ...]], seed: int) -> None:
    width, height, blocks = plan
    rng = np.random.default_rng(seed)
    corners = rng.uniform(0, [width, height], size=(4, 2)).round()
    roi = shapely.MultiPoint(corners).convex_hull.buffer(1.0)
    exclude = shapely.box(*corners.min(axis=0), *(corners.max(axis=0) + 1))
    kept = {block.id for block in restrict(blocks, roi, exclude)}
    for block in blocks:
        window = shapely.box(block.grid.window.x0, block.grid.window.y0, block.grid.window.x1, block.grid.window.y1)
        looked_at = window.intersection(roi).area > 0
        hidden = window.difference(exclude).area == 0
        assert (block.id in kept) == (looked_at and not hidden)


@st.composite
def grounds(draw: st.DrawFn) -> tuple[tuple[int, int], HeightLine, Reach, float]:
    """A frame, a line whose people are 50 px and more at its top edge or below, and the least network height."""
    width, height = draw(st.integers(2000, 12000)), draw(st.integers(1500, 9000))
    per_y, tilt = draw(st.floats(0.0, 0.5)), draw(st.floats(-0.3, 0.3))
    far_y, far_height = draw(st.floats(0.0, 0.6)) * height, draw(st.floats(55.0, 400.0))
    line = HeightLine(per_y * tilt, per_y, far_height - per_y * (far_y + tilt * width / 2), 0.1, 50, 1.0)
    return (width, height), line, Reach(far_y, 2.0 * height, width / 2, 0.0, float(width)), draw(st.floats(40.0, 128.0))


@given(grounds(), st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_who_obeys_the_line_is_whole_and_tall_enough_in_a_row(
    given_ground: tuple[tuple[int, int], HeightLine, Reach, float], seed: int
) -> None:
    frame, line, reach, smallest_px = given_ground
    blocks = [block for row in row_plan(line, reach, frame, smallest_px, "G") for block in row.blocks]
    rng = np.random.default_rng(seed)
    x, level_y = rng.uniform(0, frame[0], 400), rng.uniform(reach.far_y, 1.2 * frame[1], 400)
    feet = np.stack([x, level_y - line.tilt * (x - reach.at_x)], axis=1)
    tall = line.heights(feet)
    boxes = np.stack([x - 0.25 * tall, feet[:, 1] - tall, x + 0.25 * tall, feet[:, 1]], axis=1)
    inside = (boxes[:, :2] >= 0).all(axis=1) & (boxes[:, 2:] <= frame).all(axis=1)
    # Whom the frame itself would show too large, or level 0 too small, no block can show well.
    fits = (tall * MOST_ENLARGED >= smallest_px + GUARD_PX) & (tall * min(832 / frame[0], 512 / frame[1]) <= 400)
    assert held(boxes[inside & fits], blocks, smallest_px).all()


@given(grounds(), st.integers(0, 60), st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None)
def test_residual_blocks_see_whoever_can_be_seen(
    given_ground: tuple[tuple[int, int], HeightLine, Reach, float], people: int, seed: int
) -> None:
    frame, _, _, smallest_px = given_ground
    rng = np.random.default_rng(seed)
    tall = np.exp(rng.uniform(np.log(45.0), np.log(1200.0), people))
    corners = rng.uniform(0, 1, (people, 2)) * (np.array(frame) - np.stack([0.4 * tall, tall], axis=1)).clip(0)
    boxes = np.concatenate([corners, corners + np.stack([0.4 * tall, tall], axis=1)], axis=1)
    boxes = boxes[(tall * MOST_ENLARGED >= smallest_px) & (boxes[:, 3] <= frame[1])]
    there = coarse_plan(*frame)
    blocks = residual_plan(boxes, there, frame, smallest_px, "P")
    assert held(boxes, [*there, *blocks], smallest_px).all()
    assert len(blocks) <= (~held(boxes, there, smallest_px)).sum()
