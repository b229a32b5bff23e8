"""The parts of the merge against slow plain twins, and their thresholds from both sides."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import shapely

from pipeline.merge.choice import band_fit
from pipeline.merge.config import MergeConfig
from pipeline.merge.linking import Groups, strength
from pipeline.merge.pairs import candidate_pairs, overlapping, pairs_of_shard, shards
from pipeline.merge.similarity import Pairs, _outline_iou, _outline_iou_bound, compare, look_closer, same_person
from pipeline.merge.stitch import united_boxes
from pipeline.merge.views import Views, prepare
from pipeline.types import Block, GeometryArray, Int64Array, PixelGrid, SceneDetections, Window

CONFIG = MergeConfig()
FRAME = Window(0.0, 0.0, 3000.0, 2000.0)
Box = tuple[float, float, float, float]


def scatter(seed: int, count: int, *, outlines: bool = False) -> Views:
    """Random views of random people in overlapping blocks of three scales."""
    rng = np.random.default_rng(seed)
    blocks = []
    for scale in (1.0, 0.5, 0.25):
        for x0 in np.arange(0.0, 3000.0, 624.0 / scale):
            for y0 in np.arange(0.0, 2000.0, 384.0 / scale):
                window = Window(x0, y0, x0 + 832.0 / scale, y0 + 512.0 / scale)
                blocks.append(Block(f"{scale}-{x0}-{y0}", 0, PixelGrid(window, 832, 512), window))
    people = rng.uniform([0, 0, 10, 20], [2900, 1900, 200, 500], (max(count // 6, 1), 4))
    boxes, index = [], []
    while len(boxes) < count:
        x, y, w, h = people[rng.integers(len(people))] + rng.normal(0.0, 4.0, 4)
        k = int(rng.integers(len(blocks)))
        window = blocks[k].grid.window
        box = (max(x, window.x0), max(y, window.y0), min(x + w, window.x1), min(y + h, window.y1))
        if box[2] - box[0] > 2.0 and box[3] - box[1] > 2.0 and box[0] < FRAME.x1 and box[1] < FRAME.y1:
            boxes.append(box)
            index.append(k)
    given = np.array(boxes, dtype=np.float64)
    drawn = None
    if outlines:
        drawn = np.array([_diamond(box) for box in given], dtype=np.object_)
    scores = rng.random(count).astype(np.float32)
    detections = SceneDetections(given, scores, np.array(index, dtype=np.int64), drawn)
    return prepare(detections, blocks, FRAME, CONFIG)[0]


def _diamond(box: np.ndarray) -> shapely.Polygon:
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    return shapely.Polygon([(box[0], y), (x, box[1]), (box[2], y), (x, box[3])])


def clip(box: Box, window: Box) -> Box:
    return max(box[0], window[0]), max(box[1], window[1]), min(box[2], window[2]), min(box[3], window[3])


def size(box: Box) -> float:
    return max(box[2] - box[0], 0.0) * max(box[3] - box[1], 0.0)


def plain_iou(a: Box, b: Box) -> float:
    shared = size(clip(a, b))
    whole = size(a) + size(b) - shared
    return shared / whole if whole > 0.0 else 0.0


def plain_similarity(views: Views, i: int, j: int) -> float:
    """The predicate's number by the definition, one pair at a time."""
    common = clip(tuple(views.windows[i]), tuple(views.windows[j]))
    seen = {k: clip(tuple(views.boxes[k]), common) for k in (i, j)}
    scale = min(views.scale[i], views.scale[j])
    longer = {k: max(box[2] - box[0], box[3] - box[1]) for k, box in seen.items()}
    reach = min(CONFIG.blur_px / scale, CONFIG.blur_share * max(min(longer.values()), 0.0))

    def towards(box: Box, other: Box) -> Box:
        a, b, c, d = (p + max(-reach, min(reach, q - p)) for p, q in zip(box, other, strict=True))
        return a, b, c, d

    best = (plain_iou(seen[i], seen[j]) + plain_iou(towards(seen[i], seen[j]), seen[j])) / 2
    full = max(max(b[2] - b[0], b[3] - b[1]) for b in (views.boxes[i], views.boxes[j]))
    slack = max(CONFIG.opposite_px / scale, CONFIG.opposite_share * full)
    for one, other in ((i, j), (j, i)):
        part, whole, cut = towards(seen[one], seen[other]), seen[other], views.cut[one]
        if not cut.any() or size(part) <= 0.0 or size(clip(part, whole)) / size(part) < CONFIG.contained:
            continue
        opposite = [side for side in range(4) if cut[(side + 2) % 4] and not cut[side]]
        if any(abs(part[side] - whole[side]) > slack for side in opposite):
            continue
        axis = 0 if cut[1] or cut[3] else 1
        wider = max(part[axis + 2] - part[axis], whole[axis + 2] - whole[axis])
        offset = abs(part[axis] + part[axis + 2] - whole[axis] - whole[axis + 2]) / 2 / wider
        best = max(best, CONFIG.fragment_similarity - CONFIG.fragment_offset_weight * offset)
    return best


class TestPairs:
    @pytest.mark.parametrize("seed", range(3))
    def test_equals_all_against_all(self, seed: int) -> None:
        views = scatter(seed, 120)
        expected = [
            (i, j)
            for i in range(len(views))
            for j in range(i + 1, len(views))
            if views.block[i] != views.block[j] and size(clip(tuple(views.boxes[i]), tuple(views.boxes[j]))) > 0.0
        ]
        i, j = candidate_pairs(views.boxes, views.block)
        assert list(zip(i.tolist(), j.tolist(), strict=True)) == expected

    @pytest.mark.parametrize("size", [1, 7, 60, 1000])
    def test_shards_find_every_pair_once(self, size: int) -> None:
        views = scatter(3, 200)
        whole = set(zip(*(side.tolist() for side in candidate_pairs(views.boxes, views.block)), strict=True))
        found: list[tuple[int, int]] = []
        owned: list[int] = []
        for shard in shards(views.boxes, size):
            owned += shard.own.tolist()
            i, j = pairs_of_shard(views.boxes, views.block, shard)
            found += list(zip(i.tolist(), j.tolist(), strict=True))
        assert sorted(owned) == list(range(200))
        assert len(found) == len(set(found))
        assert set(found) == whole

    def test_a_crowd_is_looked_up_in_small_answers(self, monkeypatch: pytest.MonkeyPatch) -> None:
        views = scatter(4, 300)
        at_once = overlapping(views.boxes, views.boxes)
        asked: list[int] = []
        query = shapely.STRtree.query

        def counted(tree: shapely.STRtree, boxes: GeometryArray) -> Int64Array:
            asked.append(len(boxes))
            found: Int64Array = query(tree, boxes)
            return found

        monkeypatch.setattr("pipeline.merge.pairs.ANSWER", 1)
        monkeypatch.setattr(shapely.STRtree, "query", counted)
        in_parts = overlapping(views.boxes, views.boxes)
        assert set(asked[:-1]) == {16}
        assert sum(asked) == 300
        assert [part.tolist() for part in in_parts] == [part.tolist() for part in at_once]

    def test_touching_boxes_are_no_pair(self) -> None:
        boxes = np.array([[0, 0, 10, 10], [10, 0, 20, 10], [0, 10, 10, 20]], dtype=np.float64)
        assert len(candidate_pairs(boxes, np.arange(3))[0]) == 0

    def test_no_boxes(self) -> None:
        none = np.zeros((0, 4), dtype=np.float64)
        assert [len(part) for part in overlapping(none, none)] == [0, 0]


class TestSimilarity:
    @pytest.mark.parametrize("seed", range(6))
    def test_equals_the_plain_twin(self, seed: int) -> None:
        views = scatter(seed, 80)
        pairs = compare(views, *candidate_pairs(views.boxes, views.block), CONFIG)
        assert len(pairs.i) > 30
        expected = [plain_similarity(views, i, j) for i, j in zip(pairs.i.tolist(), pairs.j.tolist(), strict=True)]
        np.testing.assert_allclose(pairs.similarity, expected, atol=2e-9)
        kept = set(zip(pairs.i.tolist(), pairs.j.tolist(), strict=True))
        for i, j in zip(*(side.tolist() for side in candidate_pairs(views.boxes, views.block)), strict=True):
            assert ((i, j) in kept) == (plain_similarity(views, i, j) >= CONFIG.rival_similarity - 1e-9)

    def test_some_pairs_are_decided_as_fragments(self) -> None:
        views = scatter(0, 300)
        pairs = compare(views, *candidate_pairs(views.boxes, views.block), CONFIG)
        plain = compare(views, pairs.i, pairs.j, replace(CONFIG, fragment_similarity=0.0))
        before = {(i, j): s for i, j, s in zip(plain.i.tolist(), plain.j.tolist(), plain.similarity, strict=True)}
        rows = zip(pairs.i.tolist(), pairs.j.tolist(), pairs.similarity, strict=True)
        assert sum(s > before.get((i, j), 0.0) for i, j, s in rows) > 20

    def test_thresholds_admit_their_own_value(self) -> None:
        evidence, similarity = CONFIG.min_evidence_px, CONFIG.link_similarity
        table = [
            (similarity, evidence, True),
            (similarity - 1e-9, evidence, False),
            (similarity, evidence - 1e-9, False),
        ]
        similar = np.array([row[0] for row in table])
        first, second = np.zeros(3, dtype=np.int64), np.ones(3, dtype=np.int64)
        pairs = Pairs(
            first, second, similar, similar, np.array([row[1] for row in table]), np.full(3, 0.5), np.zeros(3, np.bool_)
        )
        assert same_person(pairs, CONFIG).tolist() == [row[2] for row in table]

    @pytest.mark.parametrize("seed", range(3))
    def test_the_outline_bound_is_never_exceeded(self, seed: int) -> None:
        views = scatter(seed, 200, outlines=True)
        i, j = candidate_pairs(views.boxes, views.block)
        exact, bound = _outline_iou(views, i, j), _outline_iou_bound(views, i, j)
        assert (exact <= bound + 1e-9).all()
        assert (bound < 1.0).sum() > 50

    def test_the_bound_loses_no_link(self) -> None:
        """With every pair decided exactly, the same pairs are links."""
        views = scatter(1, 300, outlines=True)
        i, j = candidate_pairs(views.boxes, views.block)
        pairs = compare(views, i, j, CONFIG)
        i, j = pairs.i, pairs.j
        mixed = (1 - CONFIG.outline_weight) * pairs.similarity + CONFIG.outline_weight * _outline_iou(views, i, j)
        exact = np.where(pairs.unsure, mixed.round(9), pairs.similarity)
        closer = look_closer(views, pairs, np.ones(len(i), np.bool_), CONFIG)
        assert (same_person(closer, CONFIG) == same_person(replace(pairs, similarity=exact), CONFIG)).all()
        assert pairs.unsure.sum() > 20
        assert not closer.unsure.any()


def link(block: Int64Array, pairs: Pairs, config: MergeConfig) -> Int64Array:
    groups = Groups(block)
    groups.link(pairs, config)
    return groups.labels()


class TestLinking:
    @pytest.mark.parametrize("seed", range(4))
    def test_equals_merging_sets(self, seed: int) -> None:
        views = scatter(seed, 200)
        pairs = compare(views, *candidate_pairs(views.boxes, views.block), CONFIG)
        groups = {k: {k} for k in range(len(views))}
        force = strength(pairs, CONFIG)
        links = sorted(
            np.flatnonzero(same_person(pairs, CONFIG)).tolist(), key=lambda p: (-force[p], pairs.i[p], pairs.j[p])
        )
        for p in links:
            a, b = groups[int(pairs.i[p])], groups[int(pairs.j[p])]
            if a is not b and not {views.block[k] for k in a} & {views.block[k] for k in b}:
                for k in b:
                    groups[k] = a
                a |= b
        labels = link(views.block, pairs, CONFIG)
        for k, members in groups.items():
            assert set(np.flatnonzero(labels == labels[k]).tolist()) == members

    def test_groups_are_numbered_by_their_first_view(self) -> None:
        pairs = _pairs([(1, 3, 0.9)])
        assert link(np.array([5, 6, 7, 8]), pairs, CONFIG).tolist() == [0, 1, 2, 1]

    def test_the_most_similar_pair_wins(self) -> None:
        pairs = _pairs([(0, 1, 0.8), (1, 2, 0.9)])  # views 0 and 2 share a block
        assert link(np.array([0, 1, 0]), pairs, CONFIG).tolist() == [0, 1, 1]

    def test_a_tie_goes_to_the_earlier_pair(self) -> None:
        pairs = _pairs([(0, 1, 0.8), (1, 2, 0.8)])
        assert link(np.array([0, 1, 0]), pairs, CONFIG).tolist() == [0, 0, 1]


def _pairs(rows: list[tuple[int, int, float]]) -> Pairs:
    i: Int64Array = np.array([row[0] for row in rows], dtype=np.int64)
    j: Int64Array = np.array([row[1] for row in rows], dtype=np.int64)
    similar = np.array([row[2] for row in rows])
    return Pairs(
        i, j, similar, similar, np.full(len(rows), 100.0), np.full(len(rows), 0.5), np.zeros(len(rows), np.bool_)
    )


class TestViews:
    @pytest.mark.parametrize(("gap", "cut"), [(8.0, True), (8.0 + 1 / 1024, False)])
    def test_cut_within_the_margin_of_an_inner_edge(self, gap: float, cut: bool) -> None:
        """A box 100 px wide: the margin is 8 % of it."""
        window = Window(0.0, 0.0, 832.0, 512.0)
        block = Block("b", 0, PixelGrid(window, 832, 512), window)
        box = np.array([[832 - gap - 100, 100, 832 - gap, 300]], dtype=np.float64)
        detections = SceneDetections(box, np.ones(1, dtype=np.float32), np.zeros(1, dtype=np.int64))
        views, _ = prepare(detections, [block], FRAME, CONFIG)
        assert views.cut[0].tolist() == [False, False, cut, False]
        assert not prepare(detections, [block], Window(0, 0, 832, 512), CONFIG)[0].cut.any()

    def test_a_moved_frame_changes_no_bit(self) -> None:
        rng = np.random.default_rng(0)
        corner = rng.uniform(0, 300, (200, 2))
        boxes = np.concatenate([corner, corner + rng.uniform(5, 200, (200, 2))], axis=1)
        found = []
        for dx, dy in ((0.0, 0.0), (12345.7, 98765.1)):
            window = Window(dx, dy, 832.0 + dx, 512.0 + dy)
            block = Block("b", 0, PixelGrid(window, 832, 512), window)
            moved = boxes + np.array([dx, dy, dx, dy])
            detections = SceneDetections(moved, np.ones(200, np.float32), np.zeros(200, np.int64))
            found.append(prepare(detections, [block], Window(dx, dy, 3000 + dx, 2000 + dy), CONFIG)[0])
        assert (found[0].boxes == found[1].boxes).all()
        assert (found[0].source == found[1].source).all()

    def test_a_window_past_the_frame_does_not_cut_at_the_frame(self) -> None:
        """Coarse levels may reach past the frame by less than one of their pixels."""
        window = Window(0.0, 0.0, 3008.0, 2008.0)
        block = Block("b", 4, PixelGrid(window, 188, 126), window)
        box = np.array([[2900, 1500, 3000, 2000]], dtype=np.float64)
        detections = SceneDetections(box, np.ones(1, dtype=np.float32), np.zeros(1, dtype=np.int64))
        assert not prepare(detections, [block], FRAME, CONFIG)[0].cut.any()


def test_band_fit_is_one_in_the_band_and_falls_outside() -> None:
    heights = np.array([0.0, 32.0, 64.0, 200.0, 400.0, 800.0])
    assert band_fit(heights, CONFIG).tolist() == [0.0, 0.5, 1.0, 1.0, 1.0, 0.5]


def test_united_boxes_equal_the_plain_ones() -> None:
    rng = np.random.default_rng(0)
    boxes, group = rng.random((50, 4)), rng.integers(-1, 6, 50)
    united = united_boxes(boxes, group, 6)
    for g in range(6):
        members = boxes[group == g]
        assert united[g].tolist() == [*members[:, :2].min(axis=0), *members[:, 2:].max(axis=0)]
