"""What models and users hand in by mistake: refused by name, or handled as stated, and always counted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
from numpy.typing import NDArray

from mili_core.detections import Detections
from mili_core.errors import DetectionError
from pipeline.block_worker import BlockWorker, FrameWork
from pipeline.config import ModelSettings
from pipeline.ledger import detections_to_table, table_to_detections
from pipeline.merge import merge, views_of_blocks
from pipeline.merge.unreadable import ReadableRows, with_placeholders
from pipeline.types import Block, PixelGrid, SceneDetections, Window
from schemas.manifest import DetectionCounts
from tests import fakes

FRAME = Window(0.0, 0.0, 1456.0, 512.0)
FAR_OFF = [(500.0, 130.0), (580.0, 130.0), (float("inf"), 370.0)]
REASON = "values that are not finite, block "


def block(name: str, x: float) -> Block:
    window = Window(x, 0.0, x + 832.0, 512.0)
    return Block(name, 0, PixelGrid(window, 832, 512), window)


BLOCKS = (block("left", 0.0), block("right", 624.0))
PEOPLE = [(100, 100, 160, 260), (300, 120, 370, 300), (500, 130, 580, 370)]


def picture() -> NDArray[np.uint8]:
    image = fakes.ground(832, 512)
    for box in PEOPLE:
        fakes.plant(image, box, ellipse=False)
    return image


class Spoilt(fakes.FakePredictor):
    """Finds the planted people, with a value that is no number in one row of each image."""

    def __init__(self, field: str, value: float, row: int = 1) -> None:
        super().__init__()
        self.spoil = (field, value, row)

    def predict(self, images: Sequence[NDArray[np.uint8]]) -> list[Detections]:
        found, (field, value, row) = super().predict(images), self.spoil
        for each in found:
            if len(each):
                getattr(each, field)[row].reshape(-1)[-1:] = value
                if getattr(each, field).ndim == 1:
                    getattr(each, field)[row] = value
        return found


class Pixels:
    """Stands for a pyramid: people in the first block, nobody in the second."""

    def read_block(self, of: Block) -> NDArray[np.uint8]:
        return picture() if of.id == "left" else fakes.ground(832, 512)


def looked_at(model: fakes.FakePredictor, monkeypatch: pytest.MonkeyPatch) -> SceneDetections:
    """What a worker with this model says of both blocks."""

    def opened(path: Path) -> Pixels:
        return Pixels()

    def loaded(settings: ModelSettings, device: str) -> fakes.FakePredictor:
        return model

    monkeypatch.setattr("pipeline.block_worker.Pyramid.open", opened)
    monkeypatch.setattr("pipeline.block_worker.load_model", loaded)
    worker = BlockWorker(ModelSettings(), "cpu", model.identity)
    return SceneDetections.concat(worker(FrameWork(Path("p"), BLOCKS), (0, 1), alone=False))


class TestRowsThatAreNoNumbers:
    @pytest.mark.parametrize("field", ["boxes_xyxy", "scores", "joints2d", "betas", "rotmats", "transl_m", "masks"])
    @pytest.mark.parametrize("value", [np.nan, np.inf, 3e38])
    def test_only_that_row_is_rejected_and_counted(
        self, field: str, value: float, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        views = looked_at(Spoilt(field, value), monkeypatch)
        sound = looked_at(fakes.FakePredictor(), monkeypatch)
        assert len(views) == len(sound) == 3
        result = merge(views, BLOCKS, FRAME)
        assert result.rejected.tolist() == [1]
        assert result.reasons == (REASON + "left",)
        assert result.chosen.tolist() == [0, 2]
        assert (result.boxes_frame == sound.boxes_frame[[0, 2]]).all()
        counts = DetectionCounts.of_merge(len(views), len(result.chosen), result.reasons)
        assert (counts.total, counts.kept, counts.grouped, counts.rejected) == (3, 2, 0, {REASON + "left": 1})

    def test_the_other_rows_keep_all_they_have(self, monkeypatch: pytest.MonkeyPatch) -> None:
        views = looked_at(Spoilt("scores", np.nan), monkeypatch)
        sound = looked_at(fakes.FakePredictor(), monkeypatch)
        kept = np.array([0, 2])
        assert views.outlines is not None
        assert views.joints2d_frame is not None
        assert views.bodies is not None
        assert sound.joints2d_frame is not None
        assert sound.bodies is not None
        assert views.outlines[1] is None
        assert not shapely.is_missing(views.outlines[kept]).any()
        assert (views.joints2d_frame[kept] == sound.joints2d_frame[kept]).all()
        assert (views.bodies.rotmats[kept] == sound.bodies.rotmats[kept]).all()
        assert views.block_index.tolist() == [0, 0, 0]

    def test_a_block_of_nothing_but_such_rows_is_no_failure(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(__name__ + ".PEOPLE", PEOPLE[:1])
        views = looked_at(Spoilt("boxes_xyxy", np.nan, row=0), monkeypatch)
        assert merge(views, BLOCKS, FRAME).reasons == (REASON + "left",)

    def test_they_survive_the_ledger(self, monkeypatch: pytest.MonkeyPatch) -> None:
        views = table_to_detections(detections_to_table(looked_at(Spoilt("boxes_xyxy", np.nan), monkeypatch)))
        assert merge(views, BLOCKS, FRAME).reasons == (REASON + "left",)

    @pytest.mark.parametrize("value", [1e30, 1e200, 1e308])
    def test_a_box_of_no_picture_is_rejected_alone_and_such_an_outline_counts_as_none(self, value: float) -> None:
        boxes = np.array([PEOPLE[0], (-value, 0.0, value, 50.0), PEOPLE[1], PEOPLE[2]], dtype=np.float64)
        shapes = [shapely.box(*PEOPLE[0]), None, shapely.box(0.0, -value, 9.0, value), shapely.Polygon(FAR_OFF)]
        outlines = np.array(shapes, dtype=object)
        views = SceneDetections(boxes, np.full(4, 0.9, dtype=np.float32), np.zeros(4, dtype=np.int64), outlines)
        result = merge(views, BLOCKS, FRAME)
        assert result.chosen.tolist() == [0, 2, 3]
        assert result.reasons == (REASON + "left",)
        assert result.outlines is not None
        assert [each is not None for each in result.outlines] == [True, False, False]

    def test_sound_answers_pass_untouched(self) -> None:
        model = ReadableRows(fakes.FakePredictor())
        (found,) = model.predict([picture()])
        assert len(found) == 3
        assert [bad.tolist() for bad in model.unreadable] == [[False] * 3]
        assert model.identity == fakes.FakePredictor().identity
        views = SceneDetections.empty()
        assert with_placeholders(views, np.zeros(0, dtype=np.bool_), 0) is views


class TestForeignBlocks:
    @pytest.mark.parametrize("score", [1.01, -0.2, 87.0])
    def test_a_score_outside_its_range_is_named(self, score: float) -> None:
        boxes = np.array([[10, 20, 30, 80], [40, 20, 60, 80]], dtype=np.float64)
        with pytest.raises(DetectionError, match=rf"^block right, row 1: score {score!r} is outside 0\.\.1; .*$"):
            views_of_blocks(BLOCKS, [[], boxes], [[], np.array([0.5, score])])

    def test_the_ends_of_the_range_are_scores(self) -> None:
        boxes = np.array([[10, 20, 30, 80], [40, 20, 60, 80]], dtype=np.float64)
        given, refused = views_of_blocks(BLOCKS[:1], [boxes], [np.array([0.0, 1.0])])
        assert (given.scores.tolist(), refused) == ([0.0, 1.0], ())

    def test_an_empty_list_means_nobody(self) -> None:
        given, refused = views_of_blocks(BLOCKS, [[], [[10, 20, 30, 80]]], [[], [0.5]])
        assert refused == ()
        assert given.block_index.tolist() == [1]
        nobody, _ = views_of_blocks(BLOCKS, [[], []], [[], []])
        assert nobody.boxes_frame.shape == (0, 4)
        assert len(merge(nobody, BLOCKS, FRAME).chosen) == 0

    @pytest.mark.parametrize(
        ("boxes", "scores"),
        [([], [0.5]), ([[]], [0.5]), ([[1, 2, 3]], [0.5]), ([1, 2, 3, 4], [0.5]), ([[1], [2, 3]], [1])],
    )
    def test_other_shapes_are_refused(self, boxes: list[Any], scores: list[float]) -> None:
        with pytest.raises(DetectionError, match="block left: boxes"):
            views_of_blocks(BLOCKS[:1], [boxes], [scores])


BOX = (100.0, 100.0, 200.0, 200.0)
LOW, HIGH = shapely.box(100, 100, 200, 130), shapely.box(100, 160, 200, 200)
BOW_TIE = shapely.Polygon([(100, 100), (200, 200), (200, 100), (100, 200)])
LINE = shapely.LineString([(100, 100), (200, 200)])
Collection = shapely.GeometryCollection


def with_nan() -> shapely.Polygon:
    with np.errstate(invalid="ignore"):
        return shapely.Polygon([(100, 100), (np.nan, 100), (200, 200)])


class TestOddOutlines:
    def outline(self, given: shapely.Geometry) -> shapely.Geometry | None:
        drawn = np.empty(1, dtype=np.object_)
        drawn[0] = given
        views = SceneDetections(np.array([BOX]), np.ones(1, dtype=np.float32), np.zeros(1, dtype=np.int64), drawn)
        result = merge(views, BLOCKS, FRAME)
        assert len(result.chosen) == 1
        assert result.outlines is not None
        outline: shapely.Geometry | None = result.outlines[0]
        return outline

    @pytest.mark.parametrize(
        ("given", "area"),
        [
            (Collection([Collection([LOW, LINE]), HIGH]), 7000.0),
            (Collection([Collection([Collection([shapely.MultiPolygon([LOW, HIGH])])]), shapely.Point(1, 1)]), 7000.0),
            (Collection([LOW, LOW, shapely.box(100, 120, 200, 150)]), 5000.0),
            (Collection([Collection([BOW_TIE])]), 5000.0),
            (BOW_TIE, 5000.0),
            (shapely.MultiPolygon([LOW, LOW]), 3000.0),
            (shapely.MultiPolygon([LOW, shapely.Polygon()]), 3000.0),
            (Collection([with_nan(), LOW]), 3000.0),
        ],
    )
    def test_the_union_of_the_polygons_counts(self, given: shapely.Geometry, area: float) -> None:
        outline = self.outline(given)
        assert outline is not None
        assert outline.is_valid
        assert outline.geom_type in {"Polygon", "MultiPolygon"}
        assert outline.area == pytest.approx(area)

    @pytest.mark.parametrize(
        "given",
        [
            shapely.Polygon(),
            shapely.MultiPolygon(),
            Collection(),
            Collection([Collection([])]),
            Collection([Collection([LINE]), shapely.Point(5, 5)]),
            shapely.Polygon([(100, 100), (200, 200), (100, 100)]),
            with_nan(),
        ],
    )
    def test_without_area_there_is_none(self, given: shapely.Geometry) -> None:
        assert self.outline(given) is None

    def test_odd_outlines_are_compared_like_plain_ones(self) -> None:
        """Two views of one person; the outline of one is a nested collection of the same shape."""
        box = np.array([[650.0, 100.0, 720.0, 300.0], [651.0, 101.0, 721.0, 299.0]])
        shapes = [shapely.box(*row) for row in box]
        drawn = np.empty(2, dtype=np.object_)
        drawn[:] = [Collection([Collection([shapes[0], LINE])]), shapes[1]]
        views = SceneDetections(box, np.ones(2, dtype=np.float32), np.arange(2, dtype=np.int64), drawn)
        assert merge(views, BLOCKS, FRAME).group.tolist() == [0, 0]
