"""--roi and --exclude: how they are read, and whom they admit."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mili_core.errors import ConfigError
from pipeline.regions import OUTSIDE, Regions, keep_inside
from pipeline.types import MergeResult

SQUARE = "POLYGON((0 0, 100 0, 100 100, 0 100, 0 0))"
RING = [[0, 0], [100, 0], [100, 100], [0, 100], [0, 0]]
GEOMETRY = {"type": "Polygon", "coordinates": [RING]}
FEATURE = {"type": "Feature", "properties": {}, "geometry": GEOMETRY}


@pytest.mark.parametrize(
    "text",
    [
        SQUARE,
        f"  {SQUARE}\n",
        "MULTIPOLYGON(((0 0, 50 0, 50 100, 0 100, 0 0)), ((50 0, 100 0, 100 100, 50 100, 50 0)))",
        json.dumps(GEOMETRY),
        json.dumps(FEATURE, indent=1),
        json.dumps({"type": "FeatureCollection", "features": [FEATURE, FEATURE]}),
    ],
)
def test_wkt_and_geojson_inline_and_in_files(text: str, tmp_path: Path) -> None:
    (tmp_path / "region").write_text(text)
    for given_text in (text, str(tmp_path / "region")):
        roi = Regions.parse([given_text], []).roi
        assert roi is not None
        assert roi.area == 10_000.0


def test_several_are_united() -> None:
    other = "POLYGON((50 0, 150 0, 150 100, 50 100, 50 0))"
    regions = Regions.parse([SQUARE, other], [other])
    assert regions.roi is not None
    assert regions.exclude is not None
    assert (regions.roi.area, regions.exclude.area) == (15_000.0, 10_000.0)
    assert Regions.parse([], []) == Regions(None, None)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("nowhere.geojson", "no such file: nowhere.geojson"),
        ("../maps/nowhere.shp", "no such file"),
        ("POINT(1 2)", "give polygons"),
        ("POLYGON EMPTY", "POLYGON EMPTY holds an empty shape; give polygons"),
        ("MULTIPOLYGON(EMPTY, ((0 0, 9 0, 9 9, 0 0)))", "empty shape"),
        ("POLYGON((0 0, 100 100, 100 0, 0 100, 0 0))", "not a valid polygon"),
        ('{"type": "Polygon"', "neither a file"),
        ('{"type": "Circle"}', "neither a file"),
        ("POLYGON((0 0, 9 0, 9 6, 0 6))", "do not form a closed linestring"),
        ('{"type": "FeatureCollection", "features": []}', "give polygons"),
    ],
)
def test_anything_else_is_one_line(text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        Regions.parse([], [text])
    assert str(caught.value).startswith("--exclude: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "content", [b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x1b[2J", b"\x00\x01\x1b[2J", b"hello\nthere", b""]
)
def test_a_file_of_something_else_is_named_and_not_printed(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"photo\.jpg holds neither WKT nor GeoJSON; give polygons") as caught:
        Regions.parse([str(path)], [])
    assert str(caught.value).isprintable()
    assert "hello" not in str(caught.value)


def test_edges() -> None:
    points = np.array([[0, 0], [50, 50], [100, 50], [100.01, 50]], dtype=np.float64)
    assert Regions.parse([SQUARE], []).admits(points).tolist() == [True, True, True, False]
    assert Regions.parse([], [SQUARE]).admits(points).tolist() == [True, False, True, True]
    assert Regions.parse([], []).admits(points).all()
    assert Regions.parse([SQUARE], [SQUARE]).admits(points[:0]).shape == (0,)


@given(
    group=st.lists(st.integers(-1, 3), max_size=12),
    lefts=st.lists(st.sampled_from([0.0, 500.0]), min_size=4, max_size=4),
)
def test_the_merge_stays_a_partition(group: list[int], lefts: list[float]) -> None:
    people = sorted({each for each in group if each >= 0})
    numbers = np.array([people.index(each) if each >= 0 else -1 for each in group], dtype=np.int64)
    rejected = np.flatnonzero(numbers < 0).astype(np.int64)
    left = np.array(lefts[: len(people)], dtype=np.float64)
    merged = MergeResult(
        group=numbers,
        chosen=np.array([int(np.argmax(numbers == n)) for n in range(len(people))], dtype=np.int64),
        boxes_frame=np.stack([left, left * 0, left + 20, left * 0 + 40], axis=1),
        outlines=None,
        stitched=np.zeros(len(people), dtype=np.bool_),
        rejected=rejected,
        reasons=("thin",) * len(rejected),
    )
    kept = keep_inside(merged, Regions.parse([SQUARE], []))
    assert kept.boxes_frame.tolist() == merged.boxes_frame[left == 0.0].tolist()
    assert kept.chosen.tolist() == merged.chosen[left == 0.0].tolist()
    assert kept.group[kept.chosen].tolist() == list(range(len(kept.chosen)))
    assert sorted(kept.rejected.tolist()) == kept.rejected.tolist() == np.flatnonzero(kept.group < 0).tolist()
    assert kept.reasons.count("thin") == len(rejected)
    assert kept.reasons.count(OUTSIDE) == len(kept.rejected) - len(rejected)
    for view, person in enumerate(numbers.tolist()):
        if person >= 0 and left[person] == 0.0:
            assert kept.chosen[kept.group[view]] == merged.chosen[person]
