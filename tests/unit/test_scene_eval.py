"""The scene side of jobs/evaluate_mili.py: files in, figures out."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jobs.evaluate_mili import main
from mili_core.errors import ConfigError, MissingFileError, StoreError
from pipeline.scene_truth import read_found, read_truth
from schemas.people import BOX, PEOPLE_SCHEMA, null_column

PEOPLE = np.array([[0.0, 0, 50, 100], [200, 0, 250, 100], [400, 0, 420, 40], [600, 0, 650, 100]])
VISIBLE = [1.0, 0.9, 1.0, 0.2]


def box_column(boxes: np.ndarray) -> pa.Array:
    corners = ("xmin", "ymin", "xmax", "ymax")
    return pa.array([dict(zip(corners, map(float, box), strict=True)) for box in boxes], BOX)


def write_people(path: Path, boxes: np.ndarray, scores: list[float], frames: list[int]) -> None:
    """Writes a table that keeps to the schema; columns of no interest hold anything valid."""
    filled = {
        "bbox": box_column(boxes),
        "score": pa.array(scores, pa.float32()),
        "frame_id": pa.array(frames, pa.int32()),
        "person_id": pa.array(range(len(boxes)), pa.int64()),
        "height_px": pa.array(boxes[:, 3] - boxes[:, 1], pa.float32()),
        "block_bbox": pa.array([dict.fromkeys(("xmin", "ymin", "xmax", "ymax"), 0)] * len(boxes)),
    }
    plain: dict[pa.DataType, object] = {pa.string(): "s", pa.bool_(): False, pa.uint8(): 0}
    columns = []
    for field in PEOPLE_SCHEMA:
        if field.name in filled:
            columns.append(filled[field.name].cast(field.type))
        elif field.nullable:
            columns.append(null_column(field.type, len(boxes)))
        else:
            columns.append(pa.array([plain[field.type]] * len(boxes), field.type))
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_arrays(columns, schema=PEOPLE_SCHEMA), path)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    boxes = np.array([PEOPLE[0], PEOPLE[0] + 1, PEOPLE[2], PEOPLE[3], [900, 0, 950, 90]])
    path = tmp_path / "out" / "people" / "scene_id=s" / "frame_id=0" / "part-0.parquet"
    write_people(path, boxes, [0.5, 0.9, 0.8, 0.7, 0.6], [0] * 5)
    return tmp_path / "out"


@pytest.fixture
def truth_json(tmp_path: Path) -> Path:
    persons = [
        {"box_xyxy": [int(v) for v in box], "visible_fraction": visible, "coco_image": 10 + i}
        for i, (box, visible) in enumerate(zip(PEOPLE, VISIBLE, strict=True))
    ]
    path = tmp_path / "truth.json"
    path.write_text(json.dumps({"persons": persons}))
    images = [{"id": 10, "split": "val"}, {"id": 11, "split": "train"}, {"id": 12, "split": "val"}]
    (tmp_path / "annotations.json").write_text(json.dumps({"images": images}))
    return path


def figures(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict[str, object]:
    assert main(["scene", "--json", *map(str, arguments)]) == 0
    return json.loads(capsys.readouterr().out)


def test_json_truth(run: Path, truth_json: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plain = figures(capsys, "--people", run, "--truth", truth_json)
    assert plain["people"] == 4
    assert plain["duplicates"] == 1
    assert plain["counts"] == {"truths": 2, "hit": 1, "found": 5, "right": 3, "recall": 0.5, "precision": 0.6}
    short = figures(capsys, "--people", run / "people", "--truth", truth_json, "--min-height", 10, "--min-visible", 0)
    assert short["counts"]["truths"] == 4


def test_recall_over_validation_people_only(run: Path, truth_json: Path, capsys: pytest.CaptureFixture[str]) -> None:
    annotations = truth_json.parent / "annotations.json"
    plain = figures(capsys, "--people", run, "--truth", truth_json, "--photos-annotations", annotations)
    assert plain["counts"]["truths"] == plain["counts"]["hit"] == 1
    assert plain["counts"]["right"] == 3  # precision still looks at everyone


def test_table_truth_gives_the_same(
    run: Path, truth_json: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    columns = {
        "scene_id": ["s"] * 4,
        "frame_id": pa.array([0] * 4, pa.int32()),
        "bbox": box_column(PEOPLE),
        "visible_fraction": pa.array(VISIBLE, pa.float32()),
        "height_px": pa.array(PEOPLE[:, 3] - PEOPLE[:, 1], pa.float32()),
    }
    table = tmp_path / "people.parquet"
    pq.write_table(pa.table(columns), table)
    one, two = (figures(capsys, "--people", run, "--truth", truth) for truth in (truth_json, table))
    assert one == two
    with pytest.raises(ConfigError, match="JSON truth only"):
        read_truth(table, truth_json.parent / "annotations.json")
    columns["frame_id"] = pa.array([0, 0, 1, 1], pa.int32())
    pq.write_table(pa.table(columns), table)
    with pytest.raises(ConfigError, match="2 frames"):
        read_truth(table)


def test_the_folder_of_a_scene_and_the_truth_of_another(
    run: Path, truth_json: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    named = figures(capsys, "--people", run, "--truth", truth_json)
    assert figures(capsys, "--people", run, "--truth", truth_json.parent) == named
    columns = {
        "scene_id": ["elsewhere"] * 4,
        "frame_id": pa.array([7] * 4, pa.int32()),
        "bbox": box_column(PEOPLE),
        "visible_fraction": pa.array(VISIBLE, pa.float32()),
    }
    (tmp_path / "other" / "truth").mkdir(parents=True)
    pq.write_table(pa.table(columns), tmp_path / "other" / "truth" / "people.parquet")
    assert main(["scene", "--people", str(run), "--truth", str(tmp_path / "other")]) == 0
    told = capsys.readouterr()
    assert told.out
    assert told.err.startswith("warning: the run is of scene 's', frame 0, the truth of scene 'elsewhere', frame 7")


def test_text_report(run: Path, truth_json: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scene", "--people", str(run), "--truth", str(truth_json)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "people 4, of these asked for 2; found boxes 5, duplicates among them 1"
    assert lines[-1].split() == ["all", "2", "1", "0.500", "5", "3", "0.600"]


def test_empty_tables(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_people(tmp_path / "part-0.parquet", np.zeros((0, 4)), [], [])
    (tmp_path / "truth.json").write_text('{"persons": []}')
    plain = figures(capsys, "--people", tmp_path / "part-0.parquet", "--truth", tmp_path / "truth.json")
    assert plain["counts"]["recall"] is None
    assert read_found(tmp_path).boxes_frame.shape == (0, 4)


def test_unusable_files_are_one_line(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scene", "--people", str(run), "--truth", str(tmp_path / "no.json")]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
    with pytest.raises(MissingFileError):
        read_found(tmp_path / "nothing")
    for name, content in (("a.json", "{"), ("b.json", '{"persons": [{"box_xyxy": [0, 0, 1, 1]}]}'), ("c.parquet", "x")):
        (tmp_path / name).write_text(content)
        with pytest.raises(StoreError, match=name):
            read_truth(tmp_path / name)
    write_people(run / "people" / "scene_id=s" / "frame_id=1" / "part-0.parquet", PEOPLE, [0.5] * 4, [1] * 4)
    with pytest.raises(ConfigError, match="2 frames"):
        read_found(run)
