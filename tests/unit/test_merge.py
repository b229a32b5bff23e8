"""What the merge promises, on scenes of a few views."""

from __future__ import annotations

import pickle
import re
import runpy
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import shapely

from mili_core.errors import ConfigError, DetectionError
from pipeline.merge import MergeConfig, merge, views_of_blocks
from pipeline.types import Block, MergeResult, PixelGrid, SceneDetections, Window

DEFAULTS = MergeConfig()
FRAME = Window(0.0, 0.0, 4000.0, 2000.0)
Row = tuple[int, tuple[float, float, float, float], float]  # block, box, score


def block(name: str, x0: float, y0: float, scale: float = 1.0) -> Block:
    """A block of 832x512 network px whose window starts at (x0, y0); one frame px is `scale` network px."""
    window = Window(x0, y0, x0 + 832.0 / scale, y0 + 512.0 / scale)
    return Block(name, 0, PixelGrid(window, 832, 512), window)


def views(rows: Sequence[Row], outlines: Sequence[shapely.Geometry | None] | None = None) -> SceneDetections:
    drawn = None
    if outlines is not None:
        drawn = np.empty(len(rows), dtype=np.object_)
        drawn[:] = outlines
    return SceneDetections(
        np.array([row[1] for row in rows], dtype=np.float64).reshape(-1, 4),
        np.array([row[2] for row in rows], dtype=np.float32),
        np.array([row[0] for row in rows], dtype=np.int64),
        drawn,
    )


def run(rows: Sequence[Row], blocks: Sequence[Block], config: MergeConfig = DEFAULTS) -> MergeResult:
    return merge(views(rows), blocks, FRAME, config)


LEFT, RIGHT = block("left", 0.0, 0.0), block("right", 624.0, 0.0)
LOWER = block("lower", 0.0, 384.0)
COARSE = block("coarse", 0.0, 0.0, scale=0.5)


class TestNothing:
    def test_no_views(self) -> None:
        result = merge(SceneDetections.empty(), [LEFT], FRAME)
        assert result.group.shape == (0,)
        assert result.boxes_frame.shape == (0, 4)
        assert result.outlines is None

    def test_no_views_and_no_blocks(self) -> None:
        assert len(merge(SceneDetections.empty(), [], FRAME).chosen) == 0

    def test_no_views_with_an_empty_outline_column(self) -> None:
        result = merge(views([], outlines=[]), [LEFT], FRAME)
        assert result.outlines is not None
        assert result.outlines.shape == (0,)

    def test_only_refused_views(self) -> None:
        result = run([(0, (10, 10, 10, 40), 0.9)], [LEFT])
        assert result.group.tolist() == [-1]
        assert result.rejected.tolist() == [0]


class TestGrouping:
    def test_two_views_of_one_person_are_one(self) -> None:
        result = run([(0, (650, 100, 700, 240), 0.5), (1, (651, 99, 701, 241), 0.9)], [LEFT, RIGHT])
        assert result.group.tolist() == [0, 0]
        assert not result.stitched[0]

    def test_two_views_of_one_block_are_two_people_however_equal(self) -> None:
        box = (650.0, 100.0, 700.0, 240.0)
        result = run([(0, box, 0.5), (0, box, 0.9)], [LEFT, RIGHT])
        assert sorted(result.group.tolist()) == [0, 1]

    def test_neighbours_seen_side_by_side_stay_two(self) -> None:
        one, two = (650.0, 100.0, 710.0, 260.0), (664.0, 102.0, 722.0, 258.0)  # box IoU .6
        result = run([(0, one, 0.9), (0, two, 0.9), (1, one, 0.1), (1, two, 0.1)], [LEFT, RIGHT])
        assert result.group[0] == result.group[2]
        assert result.group[1] == result.group[3]
        assert len(result.chosen) == 2

    def test_people_far_apart_stay_two(self) -> None:
        result = run([(0, (100, 100, 150, 240), 0.9), (1, (1000, 100, 1050, 240), 0.9)], [LEFT, RIGHT])
        assert len(result.chosen) == 2

    def test_people_are_ordered_by_place(self) -> None:
        result = run([(1, (1000, 100, 1050, 240), 0.9), (0, (100, 100, 150, 240), 0.9)], [LEFT, RIGHT])
        assert result.group.tolist() == [1, 0]
        assert result.chosen.tolist() == [1, 0]

    def test_views_across_scales_are_one(self) -> None:
        result = run([(0, (100, 100, 150, 240), 0.9), (1, (102, 98, 150, 242), 0.9)], [LEFT, COARSE])
        assert len(result.chosen) == 1

    def test_only_the_common_view_counts(self) -> None:
        """The right block shows a quarter of the person; outside the common view nothing is compared."""
        whole, part = (560.0, 60.0, 690.0, 420.0), (624.0, 60.0, 690.0, 420.0)
        result = run([(0, whole, 0.2), (1, part, 0.9)], [LEFT, RIGHT])
        assert result.group.tolist() == [0, 0]
        assert result.chosen.tolist() == [0]
        assert result.boxes_frame.tolist() == [list(whole)]


class TestChoice:
    def test_a_whole_view_beats_a_cut_one_of_higher_score(self) -> None:
        result = run([(0, (100, 300, 180, 512), 0.99), (1, (100, 300, 180, 600), 0.2)], [LEFT, COARSE])
        assert result.chosen.tolist() == [1]
        assert not result.stitched[0]

    def test_a_cut_view_that_was_drawn_too_small_is_no_whole_one(self) -> None:
        """It ends 20 px before its block's edge, but the other block shows that the person goes on."""
        config = MergeConfig(cut_margin_share=0.01)
        result = run([(0, (100, 100, 260, 492), 0.99), (1, (100, 100, 260, 650), 0.2)], [LEFT, COARSE], config)
        assert result.group.tolist() == [0, 0]
        assert result.chosen.tolist() == [1]

    def test_the_scale_at_which_a_person_fits_best_wins(self) -> None:
        result = run([(0, (100, 100, 140, 190), 0.5), (1, (100, 100, 140, 190), 0.5)], [LEFT, COARSE])
        assert result.chosen.tolist() == [0]

    @pytest.mark.parametrize(("tall", "chosen"), [(160, 0), (398, 0), (400, 1)])
    def test_the_closer_view_wins_up_to_a_height(self, tall: int, chosen: int) -> None:
        """Both are in the band; the coarse one, of half the height, has the better score."""
        box = (100, 60, 100 + tall // 2, 60 + tall)
        config = MergeConfig(score_weight=0.02)
        assert run([(0, box, 0.5), (1, box, 0.6)], [LEFT, COARSE], config).chosen.tolist() == [chosen]

    def test_the_score_decides_between_equal_views(self) -> None:
        rows = [(0, (700, 100, 750, 240), 0.5), (1, (700, 100, 750, 240), 0.6)]
        middle = block("middle", 312.0, 0.0)
        assert run(rows, [LEFT, middle]).chosen.tolist() == [1]
        assert run(rows[::-1], [LEFT, middle]).chosen.tolist() == [0]

    def test_the_box_is_that_of_the_chosen_view_bit_for_bit(self) -> None:
        box = (100.1234567, 100.7654321, 150.1111111, 240.9999999)
        result = run([(0, box, 0.9)], [LEFT])
        assert result.boxes_frame.tolist() == [list(box)]


class TestStitching:
    TALL: tuple[Row, ...] = ((0, (100, 150, 260, 512), 0.9), (1, (100, 384, 260, 700), 0.8))

    def test_two_cut_views_unite(self) -> None:
        result = run(self.TALL, [LEFT, LOWER])
        assert result.group.tolist() == [0, 0]
        assert result.stitched.tolist() == [True]
        assert result.boxes_frame.tolist() == [[100, 150, 260, 700]]

    def test_outlines_unite(self) -> None:
        outlines = [shapely.box(*row[1]) for row in self.TALL]
        result = merge(views(self.TALL, outlines), [LEFT, LOWER], FRAME)
        assert result.outlines is not None
        assert result.outlines[0].area == pytest.approx(160 * 550)

    def test_one_cut_view_alone_is_not_stitched(self) -> None:
        result = run(self.TALL[:1], [LEFT, LOWER])
        assert result.stitched.tolist() == [False]
        assert result.boxes_frame.tolist() == [[100, 150, 260, 512]]

    def test_the_frame_edge_cuts_nobody(self) -> None:
        result = run([(0, (0, 0, 100, 300), 0.9), (1, (0, 0, 100, 300), 0.2)], [LEFT, COARSE])
        assert result.stitched.tolist() == [False]


class TestSmallWholeViews:
    def test_parts_seen_well_tell_the_box_better_than_a_tiny_whole_view(self) -> None:
        tiny = block("tiny", 0.0, 0.0, scale=1 / 32)
        rows: list[Row] = [*TestStitching.TALL, (2, (84.0, 140.0, 280.0, 720.0), 0.9)]
        result = run(rows, [LEFT, LOWER, tiny])
        assert result.group.tolist() == [0, 0, 0]
        assert result.stitched.tolist() == [True]
        assert result.boxes_frame.tolist() == [[100, 150, 260, 700]]


class TestTieBreakers:
    """Two cut views of blocks that hardly overlap: nothing in common but what the model guesses of the body."""

    UPPER, LOWEST = block("upper", 0.0, 0.0), block("lowest", 0.0, 509.0)
    ROWS: tuple[Row, ...] = ((0, (300, 300, 420, 512), 0.9), (1, (300, 509, 420, 760), 0.9))

    def seen(self, shift: float, metre: float) -> SceneDetections:
        given = views(self.ROWS)
        joints = np.ones((2, 24, 3), dtype=np.float32)
        joints[:, :, 0] = np.linspace(320.0, 400.0, 24)
        joints[:, :, 1] = np.linspace(310.0, 750.0, 24)
        joints[1, :, 0] += shift
        depth = np.array([4.0, 4.0 * metre], dtype=np.float32)
        return replace(given, joints2d_frame=joints, depth_m=depth)

    @pytest.mark.parametrize(
        ("shift", "metre", "people"), [(0.0, 1.0, 1), (5.0, 1.1, 1), (150.0, 1.0, 2), (0.0, 2.0, 2)]
    )
    def test_joints_and_depth_decide(self, shift: float, metre: float, people: int) -> None:
        blocks = [self.UPPER, self.LOWEST]
        assert len(merge(views(self.ROWS), blocks, FRAME).chosen) == 1
        assert len(merge(self.seen(shift, metre), blocks, FRAME).chosen) == people


class TestForeign:
    def test_boxes_land_in_the_frame(self) -> None:
        given, refused = views_of_blocks(
            [LEFT, COARSE], [np.zeros((0, 4)), np.array([[10, 20, 30, 80.0]])], [np.zeros(0), np.array([0.5])]
        )
        assert refused == ()
        assert given.boxes_frame.tolist() == [[20, 40, 60, 160]]
        assert given.block_index.tolist() == [1]

    def test_rows_that_are_no_numbers_are_named(self) -> None:
        boxes = np.array([[10, 20, 30, 80], [np.nan, 0, 1, 1], [0, 0, 9, 9]], dtype=np.float64)
        given, refused = views_of_blocks([LEFT], [boxes], [np.array([0.5, 0.5, np.inf])])
        assert len(given) == 1
        assert [line.split(", ")[1:] for line in refused] == [["block left", "row 1"], ["block left", "row 2"]]

    def test_shapes_are_checked(self) -> None:
        with pytest.raises(DetectionError, match="block left"):
            views_of_blocks([LEFT], [np.zeros((2, 3))], [np.zeros(2)])
        with pytest.raises(DetectionError, match="2 blocks"):
            views_of_blocks([LEFT, RIGHT], [np.zeros((2, 4))], [np.zeros(2)])


class TestLeftOvers:
    WHOLE: Row = (1, (300, 120, 700, 920), 0.9)  # 200 x 400 network px in COARSE

    def test_a_head_alone_is_no_person(self) -> None:
        """The fine block cuts the person at the shoulders and reports a head that nothing else matches."""
        head = (0, (420.0, 470.0, 520.0, 512.0), 0.9)
        result = run([head, self.WHOLE], [LEFT, COARSE])
        assert result.chosen.tolist() == [1]
        assert "part of a person" in result.reasons[0]

    def test_what_lies_wholly_in_a_person_is_judged_by_blocks_that_show_it_small(self) -> None:
        far = block("far", 0.0, 0.0, scale=1 / 16)
        piece = (420.0, 352.0, 520.0, 512.0)  # cut by LEFT's lower edge, 10 network px in far
        rows: list[Row] = [(0, piece, 0.9), (1, self.WHOLE[1], 0.9)]
        assert run(rows, [LEFT, far]).chosen.tolist() == [1]
        assert len(run(rows, [LEFT, far], MergeConfig(explain_within_px=24.0)).chosen) == 2
        beside = (660.0, 352.0, 710.0, 512.0)  # a fifth of it lies outside the person
        assert len(run([(0, beside, 0.9), rows[1]], [LEFT, far]).chosen) == 2

    def test_a_small_person_whom_both_blocks_report_stays(self) -> None:
        child = (400.0, 320.0, 500.0, 485.0)
        result = run([(0, child, 0.9), (1, child, 0.9), self.WHOLE], [LEFT, COARSE])
        assert len(result.chosen) == 2

    def test_a_small_person_whom_the_coarse_block_could_not_see_stays(self) -> None:
        config = MergeConfig(explain_whole_px=64.0)
        child = (400.0, 300.0, 440.0, 400.0)  # 50 network px in COARSE
        assert len(run([(0, child, 0.9), self.WHOLE], [LEFT, COARSE], config).chosen) == 2

    def test_somebody_too_thin_for_the_coarse_block_stays(self) -> None:
        strip = (400.0, 200.0, 407.0, 500.0)  # 3.5 network px wide in COARSE, 150 tall
        others = [block(f"other {k}", 0.0, 10.0 * k, scale=0.5) for k in (1, 2)]
        rows: list[Row] = [(0, strip, 0.9), self.WHOLE, (2, self.WHOLE[1], 0.8), (3, self.WHOLE[1], 0.8)]
        assert len(run(rows, [LEFT, COARSE, *others]).chosen) == 2
        assert len(run(rows, [LEFT, COARSE, *others], MergeConfig(sliver_px=0.0)).chosen) == 1

    def test_a_part_far_from_the_edge_is_dropped_when_more_blocks_miss_it_than_report_it(self) -> None:
        other = block("other", 0.0, 10.0, scale=0.5)
        leg = (420.0, 300.0, 520.0, 440.0)
        rows = [(0, leg, 0.9), self.WHOLE, (2, self.WHOLE[1], 0.8)]
        assert len(run(rows[:2], [LEFT, COARSE, other]).chosen) == 2  # one report against one absence
        assert len(run(rows, [LEFT, COARSE, other]).chosen) == 1  # one against two

    def test_a_small_person_before_a_large_one_stays_unless_most_blocks_miss_them(self) -> None:
        others = [block(f"other {k}", 0.0, 10.0 * k, scale=0.5) for k in (1, 2, 3)]
        child = (420.0, 300.0, 520.0, 440.0)
        rows: list[Row] = [(k, self.WHOLE[1], 0.9) for k in range(1, 5)]
        blocks = [LEFT, COARSE, *others]
        assert len(run([*rows, (1, child, 0.9), (2, child, 0.9)], blocks).chosen) == 2  # two reports, two absences
        assert len(run([*rows, (1, child, 0.9)], blocks).chosen) == 1  # one against three

    def test_who_looked_closer_knows_better(self) -> None:
        """Blocks at half the scale count half, as all of the larger person fits into the closest one."""
        coarse = [block(f"coarse {k}", 0.0, 10.0 * k, scale=0.5) for k in range(4)]
        child: Row = (0, (420.0, 240.0, 500.0, 380.0), 0.9)
        large = (380.0, 100.0, 620.0, 480.0)
        assert len(run([child, *((k, large, 0.9) for k in (1, 2, 3))], [LEFT, *coarse]).chosen) == 2
        assert len(run([child, *((k, large, 0.9) for k in (1, 2, 3, 4))], [LEFT, *coarse]).chosen) == 1

    def test_nobody_explains_nobody_away(self) -> None:
        """The part at the edge lies in the box of the first block, which the others prove to be nobody."""
        edge = block("edge", 560.0, 0.0)
        around: Row = (0, (300.0, 100.0, 700.0, 400.0), 0.99)
        part: Row = (3, (560.0, 150.0, 640.0, 350.0), 0.9)
        shifted = [block(f"shifted {k}", 5.0 * k, 5.0 * k) for k in (1, 2)]
        people = [(300.0, 100.0, 400.0, 400.0), (420.0, 100.0, 520.0, 400.0)]
        rows: list[Row] = [(k, box, 0.6) for k in (1, 2) for box in people]
        blocks = [LEFT, *shifted, edge]
        assert run([around, part], blocks).rejected.tolist() == [1]
        assert run([around, part, *rows], blocks).rejected.tolist() == [0]

    def test_a_box_around_two_people_whom_other_blocks_report_alone_is_nobody(self) -> None:
        one, two = (300.0, 100.0, 400.0, 400.0), (420.0, 100.0, 520.0, 400.0)
        around: Row = (0, (300.0, 100.0, 520.0, 400.0), 0.99)
        shifted = [block(f"shifted {k}", 5.0 * k, 5.0 * k) for k in (1, 2)]
        rows: list[Row] = [(k, box, 0.6) for k in (1, 2) for box in (one, two)]
        result = run([around, *rows], [LEFT, *shifted])
        assert len(result.chosen) == 2
        assert result.rejected.tolist() == [0]
        assert result.reasons == ("other people by most blocks that looked",)
        assert len(run([around, *rows[:2]], [LEFT, *shifted]).chosen) == 3  # one block alone doubts it

    def test_a_thin_strip_at_an_edge_is_nobody(self) -> None:
        result = run([(0, (828.5, 100, 832, 180), 0.9)], [LEFT, RIGHT])
        assert result.reasons == ("thin strip at the edge of its block",)


class TestRefusals:
    @pytest.mark.parametrize(
        ("box", "reason"),
        [
            ((50.0, 10.0, 40.0, 90.0), "empty or inverted box, block left"),
            ((50.0, 10.0, 50.0, 90.0), "empty or inverted box, block left"),
            ((-90.0, 10.0, -10.0, 90.0), "box outside the frame, block left"),
            ((1000.0, 10.0, 1040.0, 90.0), "box outside its block, block left"),
        ],
    )
    def test_reason_names_the_block(self, box: tuple[float, float, float, float], reason: str) -> None:
        result = run([(1, (700, 100, 750, 240), 0.9), (0, box, 0.9)], [LEFT, RIGHT])
        assert result.rejected.tolist() == [1]
        assert result.reasons == (reason,)
        assert result.group.tolist() == [0, -1]

    def test_a_box_that_reaches_past_its_block_is_used_and_kept_as_given(self) -> None:
        result = run([(0, (700, 100, 900, 400), 0.9)], [LEFT])
        assert result.boxes_frame.tolist() == [[700, 100, 900, 400]]

    def test_unknown_block(self) -> None:
        with pytest.raises(DetectionError, match="view 1 names block 2 of 2"):
            run([(0, (700, 100, 750, 240), 0.9), (2, (700, 100, 750, 240), 0.9)], [LEFT, RIGHT])

    def test_a_self_touching_outline_is_repaired(self) -> None:
        bow_tie = shapely.Polygon([(100, 100), (200, 200), (200, 100), (100, 200)])
        result = merge(views([(0, (100, 100, 200, 200), 0.9)], [bow_tie]), [LEFT], FRAME)
        assert result.outlines is not None
        assert result.outlines[0].is_valid
        assert result.outlines[0].area == pytest.approx(5000)

    @pytest.mark.parametrize("outline", [None, shapely.Polygon(), shapely.LineString([(100, 100), (200, 200)])])
    def test_an_outline_without_area_is_none(self, outline: shapely.Geometry | None) -> None:
        result = merge(views([(0, (100, 100, 200, 200), 0.9)], [outline]), [LEFT], FRAME)
        assert result.outlines is not None
        assert result.outlines[0] is None
        assert len(result.chosen) == 1

    def test_input_is_not_changed(self) -> None:
        given = views(TestStitching.TALL, [shapely.box(*row[1]) for row in TestStitching.TALL])
        boxes, outlines = given.boxes_frame.copy(), list(given.outlines if given.outlines is not None else [])
        result = merge(given, [LEFT, LOWER], FRAME)
        result.boxes_frame[:] = 0.0
        assert (given.boxes_frame == boxes).all()
        assert given.outlines is not None
        assert all(a is b for a, b in zip(given.outlines, outlines, strict=True))


class TestOutlines:
    def test_silhouettes_tell_apart_whom_boxes_confuse(self) -> None:
        """Boxes of IoU .54 in two blocks: one person by the boxes, two by silhouettes that hardly touch."""
        one, two = (650.0, 100.0, 710.0, 260.0), (668.0, 102.0, 726.0, 258.0)
        upper = shapely.Polygon([(650, 260), (650, 100), (710, 100)])
        lower = shapely.Polygon([(668, 258), (726, 258), (726, 102)])
        rows = [(0, one, 0.9), (1, two, 0.9)]
        assert len(run(rows, [LEFT, RIGHT]).chosen) == 1
        assert len(merge(views(rows, [upper, lower]), [LEFT, RIGHT], FRAME).chosen) == 2
        assert len(merge(views(rows, [upper, None]), [LEFT, RIGHT], FRAME).chosen) == 1


class TestConfig:
    @pytest.mark.parametrize(
        "config",
        [
            {"cut_margin_px": -1.0},
            {"contained": 1.5},
            {"link_similarity": 0.0},
            {"opposite_px": -0.1},
            {"shard_views": 0},
            {"shard_views": 2.5},
            {"detail_px": 0.0},
            {"clearance_share": 0.0},
            {"evidence_scale_px": 0.0},
            {"cut_margin_px": float("inf")},
        ],
    )
    def test_nonsense_is_refused(self, config: dict[str, float]) -> None:
        with pytest.raises(ConfigError, match=next(iter(config))):
            MergeConfig(**config)

    def test_an_empty_band_is_refused(self) -> None:
        with pytest.raises(ConfigError, match=r"the band 500.0..400.0 px"):
            MergeConfig(band_low_px=500.0)

    def test_not_a_number_is_refused(self) -> None:
        with pytest.raises(ConfigError, match="blur_px is nan"):
            MergeConfig(blur_px=float("nan"))

    def test_every_constant_has_its_reason(self) -> None:
        documented = MergeConfig.__doc__ or ""
        assert [name for name in MergeConfig.__slots__ if f"        {name}: " not in documented] == []

    def test_it_travels_between_processes(self) -> None:
        assert pickle.loads(pickle.dumps(MergeConfig(blur_px=2.0))) == MergeConfig(blur_px=2.0)


def test_the_example_in_the_docs_runs() -> None:
    path = Path(__file__).parents[2] / "docs" / "merge_example.py"
    result = runpy.run_path(str(path))["example"]()
    assert result.group.tolist() == [0, 1, 0, 1, 2]
    assert result.chosen.tolist() == [0, 3, 4]


def test_every_snippet_of_the_docs_runs_as_it_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In an empty folder, each with no names but its own."""
    text = (Path(__file__).parents[2] / "docs" / "merge-your-own.md").read_text()
    snippets = re.findall(r"^```python\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    assert len(snippets) == text.count("```") // 2 >= 2
    monkeypatch.chdir(tmp_path)
    for number, snippet in enumerate(snippets):
        path = tmp_path / f"snippet_{number}.py"
        path.write_text(snippet)
        runpy.run_path(str(path), run_name="__main__")
        assert capsys.readouterr().out
