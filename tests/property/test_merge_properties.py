"""Properties of the merge on adversarial views: any boxes, any blocks, no matter how absurd."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.geometry import translate
from pipeline.merge import MergeConfig, merge
from pipeline.plan import uniform_plan
from pipeline.types import Block, MergeResult, SceneDetections, Window

FRAME = Window(0.0, 0.0, 2000.0, 1200.0)
BLOCKS = uniform_plan(2000, 1200)
RUNS = settings(max_examples=120, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])


@st.composite
def scenes(draw: st.DrawFn, *, outlines: bool | None = None, blocks: tuple[Block, ...] = BLOCKS) -> SceneDetections:
    """Views of a few people: what blocks saw of them, moved a little, with scores from a few values, plus strays."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    people = draw(st.integers(1, 6))
    wobble = draw(st.sampled_from([0.0, 2.0, 12.0]))
    corner = np.round(rng.uniform([0, 0], [1500, 800], (people, 2)))
    if draw(st.booleans()):
        corner = corner[:1] + np.round(rng.uniform(-40, 40, (people, 2)))  # a crowd
    size = np.round(np.exp(rng.uniform(np.log([15, 30]), np.log([300, 700]), (people, 2))))
    truth = np.concatenate([corner, corner + size], axis=1)
    boxes, index = [], []
    for k, block in enumerate(blocks):
        window = block.grid.window
        edges = np.array([window.x0, window.y0, window.x1, window.y1])
        for box in truth:
            seen = np.round((box + rng.normal(0.0, wobble, 4)) * 4) / 4
            seen = np.concatenate([np.maximum(seen[:2], edges[:2]), np.minimum(seen[2:], edges[2:])])
            if (seen[2:] - seen[:2] > 4.0).all() and rng.random() < 0.8:
                boxes.append(seen)
                index.append(k)
    for _ in range(draw(st.integers(0, 4))):  # strays: some inverted, some outside their block
        boxes.append(np.round(np.concatenate([rng.uniform(-50, 1500, 2), rng.uniform(0, 1600, 2)])))
        index.append(int(rng.integers(len(blocks))))
    keep = np.sort(rng.permutation(len(boxes))[: draw(st.integers(0, 60))])
    given_boxes = np.array(boxes, dtype=np.float64).reshape(-1, 4)[keep]
    scores = rng.choice(np.array([0.3, 0.5, 0.9], dtype=np.float32), len(keep))
    drawn = None
    if draw(st.booleans()) if outlines is None else outlines:
        drawn = np.array([_outline(box) for box in given_boxes], dtype=np.object_)
    return SceneDetections(given_boxes, scores, np.array(index, dtype=np.int64)[keep], drawn)


def _outline(box: np.ndarray) -> shapely.Geometry | None:
    if box[2] <= box[0] or box[3] <= box[1]:
        return None
    x, quarter = (box[0] + box[2]) / 2, (box[3] - box[1]) / 4
    return shapely.Polygon([(x, box[1]), (box[2], box[1] + quarter), (x, box[3]), (box[0], box[3] - quarter)])


def as_sets(result: MergeResult, names: np.ndarray) -> set[frozenset[int]]:
    """The people as sets of names of views."""
    people = range(len(result.chosen))
    return {frozenset(names[result.group == person].tolist()) for person in people}


def distinct(views: SceneDetections) -> SceneDetections:
    """Views no two of which are equal in block, box and score: order could not tell equal ones apart."""
    key = np.column_stack([views.boxes_frame, views.scores, views.block_index])
    return views.take(np.sort(np.unique(key, axis=0, return_index=True)[1]).astype(np.int64))


@RUNS
@given(scenes())
def test_a_partition(views: SceneDetections) -> None:
    result = merge(views, BLOCKS, FRAME)
    people = len(result.chosen)
    assert result.rejected.tolist() == np.flatnonzero(result.group == -1).tolist()
    assert len(result.reasons) == len(result.rejected)
    assert all(result.reasons)
    assert set(result.group.tolist()) - {-1} == set(range(people))
    assert result.group[result.chosen].tolist() == list(range(people))
    assert (result.outlines is None) == (views.outlines is None)


@RUNS
@given(scenes())
def test_no_two_views_of_a_block_are_one_person(views: SceneDetections) -> None:
    result = merge(views, BLOCKS, FRAME)
    for person in range(len(result.chosen)):
        blocks = views.block_index[result.group == person]
        assert len(set(blocks.tolist())) == len(blocks)


@RUNS
@given(scenes())
def test_boxes_are_chosen_ones_or_united_ones(views: SceneDetections) -> None:
    result = merge(views, BLOCKS, FRAME)
    for person, box in enumerate(result.boxes_frame):
        members = views.boxes_frame[result.group == person]
        if result.stitched[person]:
            assert len(members) > 1
            assert (box[:2] >= members[:, :2].min(axis=0)).all()
            assert (box[2:] <= members[:, 2:].max(axis=0)).all()
            assert all(edge in members[:, side] for side, edge in enumerate(box.tolist()))
        else:
            assert box.tolist() == views.boxes_frame[result.chosen[person]].tolist()


@RUNS
@given(scenes())
def test_idempotent(views: SceneDetections) -> None:
    """Merging the chosen views alone keeps each of them as a person, with its box."""
    chosen = views.take(merge(views, BLOCKS, FRAME).chosen)
    again = merge(chosen, BLOCKS, FRAME)
    assert again.reasons == ()
    assert sorted(again.chosen.tolist()) == list(range(len(chosen)))
    assert not again.stitched.any()
    assert (again.boxes_frame == chosen.boxes_frame[again.chosen]).all()


@RUNS
@given(scenes(), st.randoms(use_true_random=False))
def test_the_order_of_views_does_not_matter(views: SceneDetections, random: object) -> None:
    views = distinct(views)
    order = np.arange(len(views))
    random.shuffle(order)  # type: ignore[attr-defined]
    first = merge(views, BLOCKS, FRAME)
    second = merge(views.take(order.astype(np.int64)), BLOCKS, FRAME)
    assert (second.group == first.group[order]).all()
    assert (order[second.chosen] == first.chosen).all()
    assert (second.boxes_frame == first.boxes_frame).all()


@RUNS
@given(scenes(), st.randoms(use_true_random=False))
def test_the_order_of_blocks_does_not_matter(views: SceneDetections, random: object) -> None:
    views = distinct(views)
    order = list(range(len(BLOCKS)))
    random.shuffle(order)  # type: ignore[attr-defined]
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    first = merge(views, BLOCKS, FRAME)
    second = merge(replace(views, block_index=place[views.block_index]), [BLOCKS[k] for k in order], FRAME)
    assert (second.group == first.group).all()
    assert (second.chosen == first.chosen).all()


@RUNS
@given(scenes(), st.integers(-5000, 100_000), st.integers(-5000, 100_000))
def test_a_moved_frame_moves_the_result(views: SceneDetections, dx: int, dy: int) -> None:
    shift = np.array([dx, dy, dx, dy], dtype=np.float64)
    blocks: list[Block] = [translate(block, dx, dy) for block in BLOCKS]
    frame = Window(FRAME.x0 + dx, FRAME.y0 + dy, FRAME.x1 + dx, FRAME.y1 + dy)
    outlines = views.outlines
    if outlines is not None:
        outlines = shapely.transform(outlines, lambda points: points + shift[:2])
    first = merge(views, BLOCKS, FRAME)
    second = merge(replace(views, boxes_frame=views.boxes_frame + shift, outlines=outlines), blocks, frame)
    assert (second.group == first.group).all()
    assert (second.chosen == first.chosen).all()
    assert (second.boxes_frame == first.boxes_frame + shift).all()
    assert second.reasons == first.reasons


@RUNS
@given(scenes(), st.integers(1, 20))
def test_sharded_equals_unsharded(views: SceneDetections, size: int) -> None:
    whole, parts = merge(views, BLOCKS, FRAME), merge(views, BLOCKS, FRAME, MergeConfig(shard_views=size))
    assert (parts.group == whole.group).all()
    assert (parts.chosen == whole.chosen).all()
    assert (parts.boxes_frame == whole.boxes_frame).all()
    assert parts.reasons == whole.reasons


@RUNS
@given(scenes(), st.sampled_from([0.5, 2.0, 4.0]))
def test_a_scaled_frame_scales_the_result(views: SceneDetections, scale: float) -> None:
    """The same photo at another number of px, seen by the same blocks: what counts is network px."""

    def grown(window: Window) -> Window:
        return Window(window.x0 * scale, window.y0 * scale, window.x1 * scale, window.y1 * scale)

    blocks = [replace(b, grid=replace(b.grid, window=grown(b.grid.window)), owned=grown(b.owned)) for b in BLOCKS]
    outlines = None
    if views.outlines is not None:
        outlines = shapely.transform(views.outlines, lambda points: points * scale)
    first = merge(views, BLOCKS, FRAME)
    second = merge(replace(views, boxes_frame=views.boxes_frame * scale, outlines=outlines), blocks, grown(FRAME))
    assert (second.group == first.group).all()
    assert (second.chosen == first.chosen).all()
    assert (second.boxes_frame == first.boxes_frame * scale).all()


@RUNS
@given(scenes())
def test_nothing_is_lost(views: SceneDetections) -> None:
    """Detections in = kept + grouped + rejected; what is kept is kept once."""
    result = merge(views, BLOCKS, FRAME)
    kept, rejected = set(result.chosen.tolist()), set(result.rejected.tolist())
    grouped = set(np.flatnonzero(result.group >= 0).tolist()) - kept
    assert len(kept) == len(result.chosen)
    assert not kept & rejected
    assert sorted(kept | grouped | rejected) == list(range(len(views)))


@RUNS
@given(scenes())
def test_one_block_that_shows_the_frame_keeps_all_it_reports(views: SceneDetections) -> None:
    """Tiled equals single pass on a frame that fits one block: the merge then has nothing to do."""
    single = uniform_plan(800, 500)
    assert len(single) == 1
    scaled = replace(
        views, boxes_frame=views.boxes_frame * 0.4, block_index=np.zeros(len(views), np.int64), outlines=None
    )
    result = merge(scaled, single, Window(0.0, 0.0, 800.0, 500.0))
    usable = [k for k, box in enumerate(scaled.boxes_frame) if _usable(box)]
    assert sorted(result.chosen.tolist()) == usable


def _usable(box: np.ndarray) -> bool:
    inside = np.array([max(box[0], 0.0), max(box[1], 0.0), min(box[2], 800.0), min(box[3], 500.0)])
    return bool((box[2:] > box[:2]).all() and (inside[2:] > inside[:2]).all())


@RUNS
@given(scenes(outlines=True))
def test_outlines_are_valid_and_follow_the_boxes(views: SceneDetections) -> None:
    result = merge(views, BLOCKS, FRAME)
    assert result.outlines is not None
    for box, outline in zip(result.boxes_frame, result.outlines, strict=True):
        assert outline.is_valid
        assert np.allclose(outline.bounds, box, atol=1e-6)
