"""Boxes by the thousand at one spot: few are compared, the others are rejected by name, and the cost stays linear."""

from __future__ import annotations

import time
from collections import Counter

import numpy as np
import pytest

from mili_core.errors import DetectionError
from pipeline.merge import merge
from pipeline.merge.alike import MOST_IN_ALL, MOST_IN_BLOCK, crowded_out
from pipeline.types import Block, PixelGrid, SceneDetections, Window

FRAME = Window(0.0, 0.0, 2000.0, 1200.0)
BOX = (700.0, 400.0, 760.0, 460.0)


def block(name: str, x: float, y: float) -> Block:
    window = Window(x, y, x + 832.0, y + 512.0)
    return Block(name, 0, PixelGrid(window, 832, 512), window)


BLOCKS = [block("a", 0.0, 0.0), block("b", 300.0, 100.0), block("c", 624.0, 200.0)]


def many(count: int, blocks: int, jitter_px: float = 0.0) -> SceneDetections:
    rng = np.random.default_rng(0)
    boxes = np.tile(np.array(BOX), (count, 1)) + rng.normal(0.0, jitter_px, (count, 4))
    scores = (rng.permutation(count) / count).astype(np.float32)
    return SceneDetections(boxes, scores, np.arange(count, dtype=np.int64) % blocks)


@pytest.mark.parametrize(("blocks", "jitter_px"), [(1, 0.0), (3, 0.0), (3, 2.0), (3, 6.0)])
def test_twenty_thousand_boxes_alike_take_seconds(blocks: int, jitter_px: float) -> None:
    views = many(20_000, blocks, jitter_px)
    start = time.process_time()
    result = merge(views, BLOCKS, FRAME)
    assert time.process_time() - start < 10.0
    counted = Counter(result.reasons)
    alike = [f"one of many boxes alike, block {name}" for name in "abc"[:blocks]]
    assert sum(counted[reason] for reason in alike) > 18_000
    assert all(counted[reason] for reason in alike)
    assert len(result.rejected) + (result.group >= 0).sum() == len(views)
    assert len(result.chosen) >= 1


def test_the_best_scores_stay() -> None:
    views = many(500, 1)
    result = merge(views, BLOCKS[:1], FRAME)
    best = np.argsort(-views.scores)[:MOST_IN_BLOCK]
    assert sorted(result.chosen.tolist()) == sorted(best.tolist())


@pytest.mark.parametrize(("count", "kept"), [(MOST_IN_BLOCK, MOST_IN_BLOCK), (MOST_IN_BLOCK + 1, MOST_IN_BLOCK)])
def test_a_block_may_report_so_many_at_a_spot(count: int, kept: int) -> None:
    assert len(merge(many(count, 1), BLOCKS[:1], FRAME).chosen) == kept


def test_blocks_share_what_all_may_report() -> None:
    """The best of each block stay before the second best of any."""
    count = MOST_IN_ALL + 200
    boxes = np.tile(np.array(BOX), (2 * count, 1))
    number = np.repeat(np.arange(count), 2)
    scores = np.where(np.arange(2 * count) % 2 == 0, 0.4, 0.9)
    out = crowded_out(boxes, number, scores)
    assert (~out).sum() == MOST_IN_ALL
    assert len(np.unique(number[~out])) == MOST_IN_ALL
    assert (scores[~out] == 0.9).all()


def test_equals_counting_spot_by_spot() -> None:
    rng = np.random.default_rng(3)
    corner = rng.integers(0, 3, (4000, 2)) * 40.0
    boxes = np.concatenate([corner, corner + rng.choice([20.0, 25.0, 60.0], (4000, 2))], axis=1)
    number, scores = rng.integers(0, 3, 4000), rng.choice([0.2, 0.7], 4000)
    out = crowded_out(boxes, number, scores)
    kept: Counter[tuple[float, ...]] = Counter()
    for k in np.lexsort((np.arange(4000), -scores)):
        w, h = boxes[k, 2:] - boxes[k, :2]
        size = np.floor(np.log2([w, h]))
        middle = np.floor((boxes[k, :2] + boxes[k, 2:]) / 2 / (0.5 * np.exp2(size)))
        key = (number[k], *size, *middle)
        kept[key] += 1
        assert out[k] == (kept[key] > MOST_IN_BLOCK)
    assert out.any()


def test_what_is_kept_is_kept_again_in_any_order() -> None:
    views = many(3000, 3, 3.0)
    first = merge(views, BLOCKS, FRAME)
    order = np.random.default_rng(1).permutation(len(views))
    second = merge(views.take(order), BLOCKS, FRAME)
    assert (second.group == first.group[order]).all()
    again = merge(views.take(first.chosen), BLOCKS, FRAME)
    assert again.reasons == ()
    assert len(again.chosen) == len(first.chosen)


def test_nobody_and_one() -> None:
    assert crowded_out(np.zeros((0, 4)), np.zeros(0, dtype=np.int64), np.zeros(0)).shape == (0,)
    assert crowded_out(np.array([BOX]), np.zeros(1, dtype=np.int64), np.ones(1)).tolist() == [False]


def test_a_spot_where_cells_meet_keeps_those_of_each() -> None:
    corner = np.array([512.0, 256.0, 576.0, 320.0])  # a middle and sizes on the borders of cells
    rng = np.random.default_rng(1)
    boxes = corner + rng.uniform(-0.5, 0.5, (2000, 4))
    scores = rng.uniform(size=2000).astype(np.float32)
    result = merge(SceneDetections(boxes, scores, np.zeros(2000, dtype=np.int64)), BLOCKS[:1], FRAME)
    assert MOST_IN_BLOCK <= (result.group >= 0).sum() <= 16 * MOST_IN_BLOCK


@pytest.mark.parametrize(("score", "taken"), [(1.5, False), (-3.0, False), (1.0000001, True), (0.0, True)])
def test_a_score_that_is_no_probability_costs_its_row(score: float, taken: bool) -> None:
    scores = np.array([0.9, score], dtype=np.float32)
    boxes = np.array([BOX, [100.0, 100.0, 160.0, 260.0]])
    result = merge(SceneDetections(boxes, scores, np.zeros(2, dtype=np.int64)), BLOCKS[:1], FRAME)
    assert result.reasons == (() if taken else ("score outside 0..1, block a",))


@pytest.mark.parametrize("odd", ["POLYGON", float("nan"), 3])
def test_an_outline_that_is_no_geometry_is_named(odd: object) -> None:
    outlines = np.array([None], dtype=np.object_)
    outlines[0] = odd
    views = SceneDetections(
        np.array([BOX]), np.array([0.9], dtype=np.float32), np.zeros(1, dtype=np.int64), outlines=outlines
    )
    with pytest.raises(DetectionError, match="outline of view 0 is a"):
        merge(views, BLOCKS[:1], FRAME)
