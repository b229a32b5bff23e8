from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import shapely
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mili_core.body import axis_angle_to_matrix
from mili_core.errors import MissingFileError, StoreError
from pipeline import columns
from pipeline.bodies import DerivedColumns
from pipeline.morton import morton_codes
from pipeline.storage import local_path
from pipeline.table import people_table, read_people, write_people
from pipeline.types import FrameRef, MergeResult, SceneDetections, Window
from schemas.people import PEOPLE_SCHEMA, check, file_metadata
from tests.people_scenes import BLOCKS, FRAME, HEIGHT, RUN, WIDTH, everyone_alone, random_derived, random_views

COUNT = 30


def scene(count: int = COUNT, seed: int = 0) -> tuple[SceneDetections, MergeResult, DerivedColumns]:
    rng = np.random.default_rng(seed)
    views = random_views(rng, count)
    return views, everyone_alone(views), random_derived(rng, count)


def full_table(count: int = COUNT, seed: int = 0, frame: FrameRef = FRAME) -> pa.Table:
    views, merge, derived = scene(count, seed)
    return people_table(frame, views, merge, BLOCKS, derived, RUN)


def order_of(rows: pa.Table, views: SceneDetections) -> np.ndarray:
    """Gives the view that each row came from, found by its score (all differ)."""
    assert len(set(views.scores.tolist())) == len(views)
    return np.array([views.scores.tolist().index(score) for score in rows["score"].to_pylist()])


def plain_morton(x: float, y: float) -> int:
    pixel = [min(max(int(np.floor(v)), 0), 2**32 - 1) for v in (x, y)]
    return sum(((pixel[0] >> bit) & 1) << (2 * bit) | ((pixel[1] >> bit) & 1) << (2 * bit + 1) for bit in range(32))


coordinate = st.floats(-10, 2.0**33) | st.integers(0, 70_000).map(float)


@given(st.lists(st.tuples(coordinate, coordinate), max_size=8))
def test_morton_codes_equal_bit_by_bit_interleaving(points: list[tuple[float, float]]) -> None:
    codes = morton_codes(np.array(points, dtype=np.float64).reshape(-1, 2))
    assert codes.dtype == np.uint64
    assert codes.tolist() == [plain_morton(x, y) for x, y in points]


@given(st.lists(st.floats(-1e6, 1e6), min_size=4, max_size=4))
def test_boxes_round_outward_to_the_nearest_float32(box: list[float]) -> None:
    exact = np.array([box], dtype=np.float64)
    rounded = columns.outward_float32(exact)
    assert rounded.dtype == np.float32
    wide = rounded.astype(np.float64)
    assert (wide[:, :2] <= exact[:, :2]).all()
    assert (wide[:, 2:] >= exact[:, 2:]).all()
    tighter = np.concatenate(
        [np.nextafter(rounded[:, :2], np.float32(np.inf)), np.nextafter(rounded[:, 2:], np.float32(-np.inf))], axis=1
    ).astype(np.float64)
    assert (tighter[:, :2] > exact[:, :2]).all()
    assert (tighter[:, 2:] < exact[:, 2:]).all()


def test_windows_round_outward() -> None:
    assert columns.outward(Window(0.5, -0.5, 2.0, 3.25)) == (0, -1, 2, 4)


def test_rows_hold_their_view() -> None:
    views, merge, derived = scene()
    rows = people_table(FRAME, views, merge, BLOCKS, derived, RUN)
    assert rows.schema.remove_metadata().equals(PEOPLE_SCHEMA.remove_metadata())
    assert check(rows).equals(rows)
    assert views.bodies is not None
    assert views.joints2d_frame is not None
    for view, row in zip(order_of(rows, views), rows.to_pylist(), strict=True):
        block = BLOCKS[views.block_index[view]]
        assert (row["scene_id"], row["frame_id"], row["run_id"], row["body_model"]) == ("01", 7, "0123abcd", "open")
        assert (row["block_id"], row["block_level"], row["merged_from"]) == (block.id, block.level, [block.id])
        x0, y0, x1, y1 = views.boxes_frame[view]
        assert (row["foot_x"], row["foot_y"]) == (np.float32((x0 + x1) / 2), np.float32(y1))
        assert row["height_px"] == np.float32(y1 - y0)
        assert row["bbox"]["xmin"] <= x0 < x1 <= row["bbox"]["xmax"]
        assert row["betas"] == views.bodies.betas[view].tolist()
        assert row["cam_crop"] == views.bodies.cam_crop[view].tolist()
        assert row["transl_block"] == views.bodies.transl_block_m[view].tolist()
        assert row["joints2d"] == views.joints2d_frame[view].reshape(-1).tolist()
        assert row["joints3d"] == views.bodies.joints3d_m[view].reshape(-1).tolist()
        assert list(row["crop_bbox"].values()) == views.bodies.crop_boxes_frame[view].astype(np.float32).tolist()
        assert row["betas_source"] == "model"
        pose = torch.tensor(row["global_orient"] + row["body_pose"], dtype=torch.float64).reshape(24, 3)
        np.testing.assert_allclose(axis_angle_to_matrix(pose).numpy(), views.bodies.rotmats[view], atol=2e-6)
        assert all(row[name] is None for name in ("time_s", "focal_px", "focal_source", "transl", "ground_x"))


def test_outline_columns() -> None:
    views, merge, derived = scene()
    rows = people_table(FRAME, views, merge, BLOCKS, derived, RUN)
    assert views.outlines is not None
    assert views.mask_scores is not None
    for view, row in zip(order_of(rows, views), rows.to_pylist(), strict=True):
        outline = views.outlines[view]
        if outline is None:
            assert row["geometry"] is row["mask_area_px"] is row["mask_score"] is row["visible_fraction"] is None
            continue
        geometry = shapely.from_wkb(row["geometry"])
        assert geometry.symmetric_difference(outline).area < 1e-6
        assert shapely.box(*row["bbox"].values()).covers(geometry)
        assert row["mask_area_px"] == pytest.approx(outline.area, rel=1e-6)
        assert row["mask_score"] == views.mask_scores[view]
        silhouette = derived.silhouette_area_px[view]
        if view == 0:
            assert row["visible_fraction"] is row["bbox_full"] is None
        else:
            assert row["visible_fraction"] == pytest.approx(min(1.0, outline.area / silhouette), rel=1e-6)
            np.testing.assert_allclose(list(row["bbox_full"].values()), derived.bbox_full_frame[view], rtol=1e-6)
        assert row["height_m"] == derived.height_m[view]


def test_outlines_are_cut_to_the_box() -> None:
    views = random_views(np.random.default_rng(0), 3)
    boxes = np.array([[10.0, 10.0, 20.0, 20.0]] * 3)
    star = shapely.from_wkt("POLYGON((5 5, 25 25, 25 5, 5 25, 5 5))")  # crosses itself
    outlines = np.array([shapely.box(0, 0, 15, 100), shapely.box(0, 0, 5, 5), star], dtype=object)
    views = replace(views, boxes_frame=boxes, outlines=outlines)
    rows = people_table(FRAME, views, everyone_alone(views), BLOCKS, None, RUN)
    order = order_of(rows, views).tolist()
    cut = [rows["geometry"][order.index(view)].as_py() for view in range(3)]
    assert shapely.from_wkb(cut[0]).equals(shapely.box(10, 10, 15, 20))
    assert cut[1] is None
    assert rows["mask_score"][order.index(1)].as_py() is None
    clean = shapely.from_wkb(cut[2])
    assert clean.is_valid
    assert clean.area == pytest.approx(50)


def test_person_id_ranks_morton_codes_of_feet() -> None:
    rows = full_table(200)
    feet = zip(rows["foot_x"].to_pylist(), rows["foot_y"].to_pylist(), strict=True)
    codes = [plain_morton(x, y) for x, y in feet]
    assert codes == sorted(codes)
    assert rows["person_id"].to_pylist() == list(range(200))


def test_ties_go_by_box_then_score_then_block() -> None:
    views = random_views(np.random.default_rng(1), 5)
    # Equal foot pixel for all; rows 1..4 have the same box; of those 3 has the best score, 2 and 4 differ by block.
    boxes = np.array([[10.0, 0.0, 20.0, 30.0]] + [[8.0, 0.0, 22.0, 30.0]] * 4)
    scores = np.array([0.9, 0.1, 0.5, 0.6, 0.5], dtype=np.float32)
    block_index = np.array([0, 0, 2, 0, 1])
    views = replace(views, boxes_frame=boxes, scores=scores, block_index=block_index, outlines=None)
    rows = people_table(FRAME, views, everyone_alone(views), BLOCKS, None, RUN)
    shown = list(zip(rows["score"].to_pylist(), rows["block_id"].to_pylist(), strict=True))
    expected = [(0.6, "L0-a"), (0.5, "L1-b"), (0.5, "L2-c"), (0.1, "L0-a"), (0.9, "L0-a")]
    assert [(round(score, 6), block) for score, block in shown] == expected


@settings(max_examples=20, deadline=None)
@given(st.permutations(range(12)))
def test_table_does_not_depend_on_the_order_of_views(order: list[int]) -> None:
    views, merge, derived = scene(12)
    index = np.array(order, dtype=np.int64)
    shuffled = views.take(index)
    moved = DerivedColumns(
        derived.bbox_full_frame[index], derived.silhouette_area_px[index], derived.height_m[index]
    )  # fmt: skip
    first = people_table(FRAME, views, merge, BLOCKS, derived, RUN)
    second = people_table(FRAME, shuffled, everyone_alone(shuffled), BLOCKS, moved, RUN)
    assert first.equals(second, check_metadata=True)


def test_members_of_a_group_are_kept_as_provenance() -> None:
    views = random_views(np.random.default_rng(2), 5)
    views = replace(views, block_index=np.array([2, 0, 1, 0, 2]))
    merge = MergeResult(
        group=np.array([0, 0, 1, -1, 0]),
        chosen=np.array([1, 2]),
        boxes_frame=views.boxes_frame[[1, 2]],
        outlines=None,
        stitched=np.array([True, False]),
        rejected=np.array([3]),
        reasons=("fragment",),
    )
    rows = {row["block_id"]: row for row in people_table(FRAME, views, merge, BLOCKS, None, RUN).to_pylist()}
    assert rows["L0-a"]["merged_from"] == ["L0-a", "L2-c"]
    assert rows["L1-b"]["merged_from"] == ["L1-b"]
    assert [rows[block]["stitched"] for block in ("L0-a", "L1-b")] == [True, False]
    assert rows["L0-a"]["block_bbox"] == {"xmin": 0, "ymin": 0, "xmax": 832, "ymax": 512}


@pytest.mark.parametrize(("block", "raster_px"), [(0, 1.0), (1, 2.0), (2, 4.0)])
def test_truncated_means_within_one_raster_px_of_the_edge(block: int, raster_px: float) -> None:
    inside = np.array([500.0, 500.0, 600.0, 700.0])
    gaps = [raster_px, np.nextafter(raster_px, 9.0)]
    boxes = [inside]
    for gap in gaps:
        for side, place in enumerate((gap, gap, WIDTH - gap, HEIGHT - gap)):
            box = inside.copy()
            box[side] = place
            boxes.append(box)
    count = len(boxes)
    views = SceneDetections(
        np.stack(boxes), np.linspace(0.1, 0.9, count, dtype=np.float32), np.full(count, block, dtype=np.int64)
    )
    rows = people_table(FRAME, views, everyone_alone(views), BLOCKS, None, RUN)
    truncated = np.zeros(count, dtype=bool)
    truncated[order_of(rows, views)] = rows["truncated"].to_numpy()
    expected = [False] + [True] * 4 + [False] * 2
    assert truncated[:7].tolist() == expected
    # WIDTH - (px + 1 ulp) may round back onto WIDTH - px in float64: those two boxes touch by definition.
    assert truncated[7:].tolist() == [WIDTH - boxes[7][2] <= raster_px, HEIGHT - boxes[8][3] <= raster_px]


def test_views_with_the_required_fields_only() -> None:
    views = random_views(np.random.default_rng(3), 4)
    bare = SceneDetections(views.boxes_frame, views.scores, views.block_index)
    rows = people_table(FRAME, bare, everyone_alone(bare), BLOCKS, None, RUN)
    for field in PEOPLE_SCHEMA:
        filled = {"merged_from", "foot_x", "foot_y"}
        expected = 4 if field.nullable and field.name not in filled else 0
        assert rows[field.name].null_count == expected, field.name


def test_nobody(tmp_path: Path) -> None:
    for views in (SceneDetections.empty(), random_views(np.random.default_rng(0), 0)):
        rows = people_table(FRAME, views, everyone_alone(views), BLOCKS, DerivedColumns.unknown(0), RUN)
        assert rows.num_rows == 0
        write_people(rows, FRAME, tmp_path)
        assert read_people(tmp_path).equals(rows)
        geo = json.loads(rows.schema.metadata[b"geo"])["columns"]["geometry"]
        assert geo["geometry_types"] == []
        assert "bbox" not in geo


def test_derived_columns_of_other_people_are_refused() -> None:
    views, merge, _ = scene(3)
    with pytest.raises(ValueError, match="of 2 people, the merge has 3"):
        people_table(FRAME, views, merge, BLOCKS, DerivedColumns.unknown(2), RUN)


def test_geoparquet_metadata() -> None:
    rows = full_table()
    geo = json.loads(rows.schema.metadata[b"geo"])
    assert geo["version"] == "1.1.0"
    assert geo["primary_column"] == "geometry"
    column = geo["columns"]["geometry"]
    assert "crs" in column
    assert column["crs"] is None
    assert (column["encoding"], column["edges"]) == ("WKB", "planar")
    assert column["geometry_types"] == ["MultiPolygon", "Polygon"]
    assert column["covering"]["bbox"]["ymax"] == ["bbox", "ymax"]
    shapes = shapely.from_wkb(rows["geometry"].drop_null().to_pylist())
    assert column["bbox"] == shapely.total_bounds(shapes).tolist()


def test_file_metadata_names_what_made_the_rows() -> None:
    stated = file_metadata(full_table().schema)
    assert stated is not None
    assert (stated.run_id, stated.body_sha256, stated.frame_width) == (RUN.run_id, RUN.body_sha256, WIDTH)
    assert stated.config == {"plan": {"overlap": 0.25}}
    assert stated.source_uri == FRAME.uri


def test_write_then_read_gives_the_table(tmp_path: Path) -> None:
    rows = full_table()
    path = write_people(rows, FRAME, tmp_path)
    assert path == tmp_path / "people" / "scene_id=01" / "frame_id=7" / "part-0.parquet"
    for place in (path, path.parent, tmp_path / "people", tmp_path):
        assert read_people(place).equals(rows, check_metadata=True)


def test_equal_tables_give_equal_bytes(tmp_path: Path) -> None:
    first = write_people(full_table(), FRAME, tmp_path / "a").read_bytes()
    assert write_people(full_table(), FRAME, tmp_path / "b").read_bytes() == first
    assert write_people(full_table(seed=1), FRAME, tmp_path / "b").read_bytes() != first


def test_writing_again_leaves_one_file(tmp_path: Path) -> None:
    path = write_people(full_table(), FRAME, tmp_path)
    (path.parent / "part-1.parquet").write_bytes(path.read_bytes())
    (path.parent / ".part-unfinished.parquet").write_bytes(b"x")
    other = replace(FRAME, frame_id=8)
    neighbour = write_people(full_table(4, frame=other), other, tmp_path)
    write_people(full_table(5), FRAME, tmp_path)
    assert [p.name for p in path.parent.iterdir()] == ["part-0.parquet"]
    assert neighbour.exists()
    assert len(read_people(path)) == 5


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_people(full_table(), FRAME, tmp_path)
    before = path.read_bytes()

    def broken(_table: pa.Table, file: object, **_options: object) -> None:
        file.write(b"half")  # type: ignore[attr-defined]
        raise OSError("disk full")

    monkeypatch.setattr(pq, "write_table", broken)
    with pytest.raises(StoreError, match=r"part-0\.parquet: cannot be written \(disk full\); free disk space"):
        write_people(full_table(3), FRAME, tmp_path)
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == ["part-0.parquet"]


def test_a_table_of_another_frame_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="scene '01' frame 7"):
        write_people(full_table(3), replace(FRAME, frame_id=8), tmp_path)


def test_several_frames_are_read_in_order(tmp_path: Path) -> None:
    for scene_id, frame_id in (("10", 2), ("01", 11), ("01", 2)):
        frame = replace(FRAME, scene_id=scene_id, frame_id=frame_id)
        write_people(full_table(6, frame=frame), frame, tmp_path)
    rows = read_people(tmp_path)
    keys = list(dict.fromkeys(zip(rows["scene_id"].to_pylist(), rows["frame_id"].to_pylist(), strict=True)))
    assert keys == [("01", 2), ("01", 11), ("10", 2)]
    assert rows.schema.equals(PEOPLE_SCHEMA)
    tall = read_people(tmp_path, pc.field("height_px") > 100)
    assert tall.num_rows == 3 * sum(height > 100 for height in rows["height_px"].to_pylist()[:6]) > 0


def test_unreadable_places(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="no people files"):
        read_people(tmp_path)
    path = write_people(full_table(), FRAME, tmp_path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(StoreError, match=r"part-0\.parquet: not a readable people file") as error:
        read_people(tmp_path)
    assert "\n" not in str(error.value)


def test_a_folder_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "people").touch()
    with pytest.raises(StoreError, match=r"part-0\.parquet: cannot be written"):
        write_people(full_table(3), FRAME, tmp_path)


def test_an_unreadable_folder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_: Path) -> bool:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "is_dir", refused)
    with pytest.raises(StoreError, match=r"cannot be read \(Permission denied\)") as error:
        read_people(tmp_path)
    assert str(tmp_path) in str(error.value)


def test_file_layout(tmp_path: Path) -> None:
    file = pq.ParquetFile(write_people(full_table(), FRAME, tmp_path))
    group = file.metadata.row_group(0)
    for index in range(group.num_columns):
        column = group.column(index)
        has_dictionary = any("DICTIONARY" in encoding for encoding in column.encodings)
        text = column.physical_type == "BYTE_ARRAY" and column.path_in_schema != "geometry"
        assert has_dictionary == text or column.num_values == 0, column.path_in_schema
        assert column.compression == "ZSTD"


def test_local_paths() -> None:
    assert local_path("out/x") == Path("out/x")
    assert local_path(".") == Path()
    for nothing in ("", " "):
        with pytest.raises(StoreError, match="an empty path"):
            local_path(nothing)
    assert local_path(Path("/a b")) == Path("/a b")
    assert local_path("file:///tmp/a%20b") == Path("/tmp/a b")
    for uri in ("s3://bucket/out", "gs://x", "file://host/x", "https://x/y"):
        with pytest.raises(StoreError, match="only local paths"):
            local_path(uri)
