"""The programs that people read the table with: what they see, and the options that they need."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pytest
import shapely

from pipeline.table import people_table, write_people
from pipeline.types import SceneDetections
from tests.people_scenes import BLOCKS, FRAME, RUN, everyone_alone, random_derived, random_views

FRAMES = {("01", 7): 40, ("01", 12): 0, ("10", 2): 25}
"""People by scene and frame: a scene id that looks like a number, one frame without anybody."""


@dataclass(frozen=True, slots=True)
class Written:
    """A written table: its folder, a pattern of all its files, and the rows themselves."""

    folder: Path
    pattern: str
    rows: pa.Table
    first_file: Path


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    out = tmp_path_factory.mktemp("out")
    tables, paths = [], []
    for seed, ((scene_id, frame_id), count) in enumerate(FRAMES.items()):
        rng = np.random.default_rng(seed)
        views = random_views(rng, count) if count else SceneDetections.empty()
        frame = replace(FRAME, scene_id=scene_id, frame_id=frame_id)
        derived = random_derived(rng, count)
        tables.append(people_table(frame, views, everyone_alone(views), BLOCKS, derived, RUN))
        paths.append(write_people(tables[-1], frame, out))
    rows = pa.concat_tables([table.replace_schema_metadata(None) for table in tables])
    return Written(out / "people", str(out / "people" / "**" / "*.parquet"), rows, paths[0])


def expected_counts() -> list[tuple[str, int, int]]:
    return sorted((*key, count) for key, count in FRAMES.items() if count)


def overlapping(rows: pa.Table, x0: float, y0: float, x1: float, y1: float) -> list[bool]:
    """Gives which boxes overlap a window, in plain Python."""
    boxes = rows["bbox"].to_pylist()
    return [b["xmin"] <= x1 and b["xmax"] >= x0 and b["ymin"] <= y1 and b["ymax"] >= y0 for b in boxes]


def test_duckdb(written: Written) -> None:
    duckdb = pytest.importorskip("duckdb")
    everyone = f"read_parquet('{written.pattern}', hive_types = {{scene_id: VARCHAR, frame_id: INTEGER}})"
    with duckdb.connect() as base:
        counts = f"SELECT scene_id, frame_id, count(*) FROM {everyone} GROUP BY ALL ORDER BY ALL"
        assert base.sql(counts).fetchall() == expected_counts()
        # Without any option the ids of the scenes stay text, too.
        assert base.sql(f"SELECT count(*) FROM '{written.pattern}' WHERE scene_id = '01'").fetchall() == [(40,)]
        window = "bbox.xmin <= 1500 AND bbox.xmax >= 500 AND bbox.ymin <= 1200 AND bbox.ymax >= 200"
        inside = base.sql(f"SELECT count(*) FROM {everyone} WHERE {window}").fetchall()
        assert inside == [(sum(overlapping(written.rows, 500, 200, 1500, 1200)),)]
        types = {name: str(kind) for name, kind, *_ in base.sql(f"DESCRIBE SELECT * FROM {everyone}").fetchall()}
        assert types["geometry"].startswith("GEOMETRY")
        assert types["joints2d"] == "FLOAT[]"
        assert (types["scene_id"], types["frame_id"]) == ("VARCHAR", "INTEGER")
        nulls = f"SELECT count(*) FROM {everyone} WHERE geometry IS NULL OR bbox_full IS NULL OR transl IS NOT NULL"
        plain = [r["geometry"] is None or r["bbox_full"] is None for r in written.rows.to_pylist()]
        assert base.sql(nulls).fetchall() == [(sum(plain),)]
        vectors = base.sql(f"SELECT len(body_pose), betas[3] FROM {everyone} WHERE person_id = 3 AND scene_id = '10'")
        row = next(r for r in written.rows.to_pylist() if r["person_id"] == 3 and r["scene_id"] == "10")
        assert vectors.fetchall() == [(69, row["betas"][2])]


def test_polars(written: Written) -> None:
    polars = pytest.importorskip("polars")
    everyone = polars.scan_parquet(written.pattern)
    counts = everyone.group_by("scene_id", "frame_id").len().sort("scene_id", "frame_id").collect()
    assert counts.rows() == expected_counts()
    assert counts.schema["scene_id"] == polars.String
    tall = everyone.filter(polars.col("height_px") > 200).select(polars.len()).collect().item()
    assert tall == sum(height > 200 for height in written.rows["height_px"].to_pylist())
    corner = everyone.filter(polars.col("bbox").struct.field("xmin") < 1000).select("geometry", "betas").collect()
    assert len(corner) == sum(box["xmin"] < 1000 for box in written.rows["bbox"].to_pylist())
    assert corner.schema["betas"] == polars.Array(polars.Float32, 10)
    shapes = shapely.from_wkb(corner["geometry"].drop_nulls().to_list())
    assert set(shapely.get_type_id(shapes)) <= {3, 6}


def test_pandas(written: Written) -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.read_parquet(written.folder, partitioning=None)
    counts = frame.groupby(["scene_id", "frame_id"]).size().reset_index().itertuples(index=False, name=None)
    assert sorted(counts) == expected_counts()
    assert frame["geometry"].isna().sum() == written.rows["geometry"].null_count
    grid = frame.groupby([(frame["foot_x"] // 500).astype(int), (frame["foot_y"] // 500).astype(int)]).size()
    assert grid.sum() == len(written.rows)


def test_geopandas(written: Written) -> None:
    geopandas = pytest.importorskip("geopandas")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        frame = geopandas.read_parquet(written.first_file)
        assert frame.crs is None
        assert frame.geometry.notna().sum() == 40 - written.rows["geometry"].slice(0, 40).null_count
        areas = written.rows["mask_area_px"].slice(0, 40).to_pylist()
        for found, stored in zip(frame.geometry.area, areas, strict=True):
            assert stored is None or found == pytest.approx(stored, rel=1e-6)
        near = geopandas.read_parquet(written.first_file, bbox=(500, 200, 1500, 1200))
        plain = overlapping(written.rows.slice(0, 40), 500, 200, 1500, 1200)
        assert sorted(near["person_id"]) == np.flatnonzero(plain).tolist()
        whole = geopandas.read_parquet(written.folder, partitioning=None)
        assert sorted(whole["scene_id"].unique()) == ["01", "10"]


def test_arrow_datasets(written: Written) -> None:
    keys = pa.schema([("scene_id", pa.string()), ("frame_id", pa.int32())])
    everyone = ds.dataset(written.folder, partitioning=ds.partitioning(keys, flavor="hive"))
    table = everyone.to_table(filter=(ds.field("scene_id") == "01") & (ds.field("frame_id") == 7))
    assert table.num_rows == 40
    assert everyone.schema.field("betas").type == pa.list_(pa.float32(), 10)
