import numpy as np
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.geometry import level_sizes
from pipeline.plan import restrict, uniform_plan
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
