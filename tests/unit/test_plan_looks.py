"""How the looks at frames are planned: shared between frames of a scene, kept inside the regions, never too dear."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import shapely

from pipeline.config import PlanSettings
from pipeline.inference import Pool
from pipeline.ledger import Ledger
from pipeline.looks import Looks
from pipeline.plan import coarse_plan, uniform_plan
from pipeline.planning import closer_look, first_look, plan_frames, third_look
from pipeline.regions import Regions
from pipeline.types import Block, Float64Array, FrameRef, PixelGrid, SceneDetections, Window

WIDTH, HEIGHT = 12_000, 8000
EVERYWHERE = Regions(None, None)


def no_pool() -> Pool:
    raise AssertionError("nothing is inferred here")


def frame(number: int, scene: str = "s") -> FrameRef:
    return FrameRef(scene, number, "photo.png", WIDTH, HEIGHT)


def looked(boxes: Float64Array, blocks: tuple[Block, ...] = coarse_plan(WIDTH, HEIGHT)) -> Looks:
    """Gives a first look that saw each person once, in the first block that holds the person whole."""
    windows = np.array([(w.x0, w.y0, w.x1, w.y1) for w in (block.grid.window for block in blocks)])
    whole = (boxes[:, None, :2] >= windows[:, :2]).all(axis=2) & (boxes[:, None, 2:] <= windows[:, 2:]).all(axis=2)
    found = SceneDetections(boxes, np.full(len(boxes), 0.9, dtype=np.float32), whole.argmax(axis=1).astype(np.int64))
    return Looks(Path("p"), lambda before, more: Ledger(Path("l"), "k"), 8, no_pool, blocks=blocks, views=found)


def people(count: int = 150, seed: int = 0) -> Float64Array:
    rng = np.random.default_rng(seed)
    feet = rng.uniform((200, 3000), (11_800, 7900), (count, 2))
    tall = (0.1 * feet[:, 1] - 200.0) * rng.uniform(0.95, 1.05, count)
    return np.stack([feet[:, 0] - 0.18 * tall, feet[:, 1] - tall, feet[:, 0] + 0.18 * tall, feet[:, 1]], axis=1)


NOBODY = np.zeros((0, 4), dtype=np.float64)


@pytest.mark.parametrize(("share", "follows"), [(True, True), (False, False)])
def test_frames_of_a_scene_share_the_fit_unless_told_otherwise(share: bool, follows: bool) -> None:
    frames, looks = [frame(0), frame(1), frame(2, "other")], [looked(people()), looked(NOBODY), looked(NOBODY)]
    one, two, other = plan_frames(frames, looks, PlanSettings(share_fit=share), EVERYWHERE)
    assert one is not None
    assert two is not None
    assert other is not None
    assert (one.follows_ground, two.follows_ground, other.follows_ground) == (True, follows, False)
    even = {block.id for block in uniform_plan(WIDTH, HEIGHT)} - {block.id for block in coarse_plan(WIDTH, HEIGHT)}
    assert {block.id for block in other.blocks} == even
    assert len(one.blocks) < len(even) / 3
    if follows:
        assert two.row_blocks == one.row_blocks
        assert two.residual == ()


def test_regions_restrict_every_look() -> None:
    roi = shapely.box(0, 0, 5000, 8000)
    regions = Regions(roi, shapely.box(0, 7000, 3000, 8000))
    settings = PlanSettings()
    first = (*first_look(frame(0), settings, regions),)
    looks = looked(people(300), first)
    closer = closer_look(frame(0), looks, settings, regions)
    (plan,) = plan_frames([frame(0)], [looked(people(300), (*first, *closer))], settings, regions)
    assert plan is not None
    assert plan.follows_ground
    for block in (*first, *closer, *plan.blocks):
        window = block.grid.window
        seen = shapely.box(window.x0, window.y0, window.x1, window.y1)
        assert seen.intersection(roi).area > 0
        assert not regions.exclude.covers(seen)  # type: ignore[union-attr]  # given above
    (free,) = plan_frames([frame(0)], [looked(people(300))], settings, EVERYWHERE)
    assert free is not None
    assert len(plan.blocks) < len(free.blocks)


def test_the_uniform_plan_has_one_look() -> None:
    settings = PlanSettings(kind="uniform")
    assert first_look(frame(0), settings, EVERYWHERE) == uniform_plan(WIDTH, HEIGHT)
    assert closer_look(frame(0), looked(NOBODY), settings, EVERYWHERE) == ()
    assert plan_frames([frame(0)], [looked(NOBODY)], settings, EVERYWHERE) == [None]


def test_a_small_frame_has_one_look_and_says_so() -> None:
    small = FrameRef("s", 0, "photo.png", 1600, 1000)
    blocks = first_look(small, PlanSettings(), EVERYWHERE)
    assert blocks == uniform_plan(1600, 1000)
    (plan,) = plan_frames([small], [looked(NOBODY, blocks)], PlanSettings(), EVERYWHERE)
    assert plan is not None
    assert (plan.blocks, plan.reason) == ((), "the frame is small")


def test_the_first_look_goes_from_coarse_to_fine_and_comes_to_all_coarse_levels() -> None:
    first = first_look(frame(0), PlanSettings(), EVERYWHERE)
    closer = closer_look(frame(0), looked(NOBODY, first), PlanSettings(), EVERYWHERE)
    assert {block.level for block in closer} == {2}
    assert sorted(block.id for block in (*first, *closer)) == sorted(block.id for block in coarse_plan(WIDTH, HEIGHT))


def test_who_turns_up_off_the_line_gets_a_late_block() -> None:
    settings, child = PlanSettings(), np.array([[6000.0, 7440.0, 6025.0, 7500.0]])
    (plan,) = plan_frames([frame(0)], [looked(people())], settings, EVERYWHERE)
    assert plan is not None
    blocks = (*coarse_plan(WIDTH, HEIGHT), *plan.blocks)
    assert third_look(frame(0), plan, looked(people(), blocks), settings, EVERYWHERE).residual == ()
    late = third_look(frame(0), plan, looked(np.concatenate([people(), child]), blocks), settings, EVERYWHERE)
    assert late.rows == ()
    assert len(late.residual) == 1


def test_at_the_last_look_who_is_seen_nearly_well_or_hardly_believed_gets_no_block() -> None:
    settings, child = PlanSettings(), np.array([[6000.0, 7440.0, 6025.0, 7500.0]])
    (plan,) = plan_frames([frame(0)], [looked(people())], settings, EVERYWHERE)
    assert plan is not None
    blocks = (*coarse_plan(WIDTH, HEIGHT), *plan.blocks)
    all_of_them = np.concatenate([people(), child])

    def late(seen: Looks) -> int:
        return len(third_look(frame(0), plan, seen, settings, EVERYWHERE).residual)

    doubtful = looked(all_of_them, blocks)
    doubtful.views.scores[-1] = 0.7 * float(np.median(doubtful.views.scores))
    near = np.array([[6000.0, 7440.0, 6025.0, 7440.0 + 0.92 * 64.0]])
    near_block = Block("near", 0, PixelGrid(Window(5800.0, 7200.0, 6632.0, 7712.0), 832, 512), Window(0, 0, 1, 1))
    assert late(looked(all_of_them, blocks)) == late(looked(np.concatenate([people(), near]), blocks)) == 1
    assert late(doubtful) == 0
    assert late(looked(np.concatenate([people(), near]), (*blocks, near_block))) == 0


def test_rows_that_see_too_few_of_those_found_are_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    crowd = looked(people())
    (plan,) = plan_frames([frame(0)], [crowd], PlanSettings(), EVERYWHERE)
    assert plan is not None
    assert plan.follows_ground
    monkeypatch.setattr("pipeline.planning.LEAST_COVERAGE", 1.5)  # of what even blocks see: never reached
    (given_up,) = plan_frames([frame(0)], [crowd], PlanSettings(), EVERYWHERE)
    assert given_up is not None
    assert "would see only" in given_up.reason
    assert given_up.rest
    assert not given_up.row_blocks


def rolled(degrees: float, count: int = 400) -> Float64Array:
    """People on a ground that a rolled camera sees."""
    rng, slope = np.random.default_rng(0), np.tan(np.radians(degrees))
    feet = rng.uniform((200, 300), (WIDTH - 200, HEIGHT - 100), (20 * count, 2))
    tall = 0.1 * (feet[:, 1] + slope * (feet[:, 0] - WIDTH / 2) - 0.25 * HEIGHT)
    feet, tall = feet[tall > 60.0][:count], tall[tall > 60.0][:count]
    boxes = np.stack([feet[:, 0] - 0.18 * tall, feet[:, 1] - tall, feet[:, 0] + 0.18 * tall, feet[:, 1]], axis=1)
    return boxes[(boxes[:, :2] > 3).all(axis=1)]


@pytest.mark.parametrize(("degrees", "follows"), [(10.0, True), (30.0, False)])
def test_a_camera_that_is_rolled_too_far_for_rows_gets_even_blocks(degrees: float, follows: bool) -> None:
    (plan,) = plan_frames([frame(0)], [looked(rolled(degrees))], PlanSettings(), EVERYWHERE)
    assert plan is not None
    assert plan.follows_ground is follows
    assert bool(plan.row_blocks) is follows
    assert follows or plan.rest
    assert follows or "rolled" in plan.reason or "sideways" in plan.reason
