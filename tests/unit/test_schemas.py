from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from pydantic import ValidationError

from schemas import generate, people
from schemas.blocks import BLOCKS_SCHEMA, check_blocks
from schemas.manifest import BlockCounts, Coverage, DetectionCounts, Failure, Frame, Model, RunManifest
from schemas.people import PEOPLE_SCHEMA, FileMetadata, SchemaError, check, column, file_metadata

SPEC = """
scene_id:string frame_id:int32 time_s:double? run_id:string person_id:int64 score:float bbox:box bbox_full:box?
geometry:binary? mask_score:float? mask_area_px:float? visible_fraction:float? height_px:float height_m:float?
block_id:string block_level:uint8 block_bbox:ibox merged_from:list<item:string>? truncated:bool stitched:bool
body_model:string global_orient:v3? body_pose:v69? betas:v10? cam_crop:v3? crop_bbox:box? transl_block:v3?
focal_px:float? principal_x:float? principal_y:float? focal_source:string? transl:v3? ground_x:float? ground_y:float?
joints2d:v72? joints3d:v72? betas_source:string? foot_x:float? foot_y:float? global_orient_block:v3?
"""
"""The columns as spec'd, written down a second time on purpose: a change of the contract must be made twice."""

BOX_VALUE = {"xmin": 1.0, "ymin": 2.0, "xmax": 3.0, "ymax": 4.0}


def row(person_id: int = 0, **changes: object) -> dict[str, object]:
    values: dict[str, object] = {
        "scene_id": "01", "frame_id": 0, "run_id": "r", "person_id": person_id, "score": 0.5, "bbox": BOX_VALUE,
        "height_px": 2.0, "block_id": "b", "block_level": 0,
        "block_bbox": {"xmin": 0, "ymin": 0, "xmax": 8, "ymax": 8},
        "truncated": False, "stitched": False, "body_model": "open",
    }  # fmt: skip
    return dict.fromkeys(PEOPLE_SCHEMA.names) | values | changes


def table(*rows: dict[str, object]) -> pa.Table:
    # from_pylist does not fill nulls into non-null columns, so build without that promise and put it back.
    relaxed = pa.schema([field.with_nullable(True) for field in PEOPLE_SCHEMA])
    return pa.Table.from_pylist(list(rows), schema=relaxed)


def short(field: pa.Field) -> str:
    names = {people.BOX: "box", people.BLOCK_BOX: "ibox"}
    kind = names.get(field.type) or str(field.type)
    if pa.types.is_fixed_size_list(field.type):
        assert field.type.value_type == pa.float32()
        kind = f"v{field.type.list_size}"
    return f"{field.name}:{kind.replace(' ', '')}{'?' if field.nullable else ''}"


def test_columns_are_those_of_the_contract_in_order() -> None:
    assert [short(field) for field in PEOPLE_SCHEMA] == SPEC.split()


@pytest.mark.parametrize("schema", [PEOPLE_SCHEMA, BLOCKS_SCHEMA])
def test_every_column_documents_itself(schema: pa.Schema) -> None:
    for field in schema:
        assert field.metadata[b"meaning"]
        numeric = pa.types.is_floating(field.type) or pa.types.is_fixed_size_list(field.type)
        assert field.metadata[b"unit"] or not numeric, field.name


def test_check_gives_the_exact_schema_and_keeps_file_metadata() -> None:
    checked = check(table(row(1), row(0)).replace_schema_metadata({"other": "kept"}))
    assert checked.schema.equals(PEOPLE_SCHEMA.with_metadata({"other": "kept"}), check_metadata=True)
    assert checked["person_id"].to_pylist() == [1, 0]


def test_check_accepts_an_empty_table() -> None:
    assert check(PEOPLE_SCHEMA.empty_table()).num_rows == 0


def replaced(name: str, values: pa.Array) -> Callable[[pa.Table], pa.Table]:
    return lambda t: t.set_column(t.column_names.index(name), name, values)


BAD_TABLES: dict[str, tuple[pa.Table, str]] = {
    "missing": (table(row()).drop_columns(["stitched"]), "'stitched' is missing"),
    "unknown": (table(row()).append_column("extra", pa.array([1])), "'extra' is not in schema version 1.1"),
    "twice": (table(row()).append_column("score", pa.array([1.0])), "'score' is there twice"),
    "type": (replaced("frame_id", pa.array([0], pa.int64()))(table(row())), "'frame_id' is int64, expected int32"),
    "list length": (
        replaced("betas", pa.array([[0.0] * 9], people.vector(9)))(table(row())),
        "'betas' is fixed_size_list",
    ),
    "null": (table(row(run_id=None)), "'run_id' has 1 nulls"),
    "null bbox": (table(row(bbox=None)), "'bbox' has 1 nulls"),
    "null in vector": (table(row(cam_crop=[0.0, None, 0.0])), "'cam_crop' has nulls inside its vectors"),
    "nan": (table(row(height_px=float("nan"))), "'height_px' holds values that are not finite"),
    "nan in vector": (table(row(transl=[0.0, float("nan"), 0.0])), "'transl' holds values that are not finite"),
    "inf in box": (table(row(bbox=BOX_VALUE | {"xmax": float("inf")})), "'bbox.xmax' holds values"),
    "score above": (table(row(score=1.0001)), "'score' holds 1.0001"),
    "score below": (table(row(score=-1e-6)), "'score' holds -1e-06"),
    "fraction above": (table(row(visible_fraction=1.5)), "'visible_fraction' holds 1.5, allowed are 0..1"),
    "negative frame": (table(row(frame_id=-1)), "'frame_id' holds -1"),
    "inverted bbox": (table(row(bbox=BOX_VALUE | {"ymax": 1.0})), "'bbox' has a box with ymin > ymax"),
    "inverted optional": (table(row(crop_bbox=BOX_VALUE | {"xmin": 9.0})), "'crop_bbox' has a box with xmin > xmax"),
    "gap": (table(row(0), row(2)), "'person_id' of scene '01' frame 0 must hold 0..1"),
    "repeated": (table(row(0), row(0)), "'person_id' of scene '01' frame 0"),
    "start": (table(row(1)), "'person_id' of scene '01' frame 0"),
}


@pytest.mark.parametrize("case", BAD_TABLES)
def test_check_names_the_column_and_what_is_wrong(case: str) -> None:
    bad, message = BAD_TABLES[case]
    with pytest.raises(SchemaError) as error:
        check(bad)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("score", [0.0, 1.0])
def test_ranges_include_their_ends(score: float) -> None:
    assert check(table(row(score=score, visible_fraction=score, mask_score=score))).num_rows == 1


def test_person_ids_are_counted_by_frame() -> None:
    assert check(table(row(0), row(0, frame_id=1), row(0, scene_id="1"), row(1))).num_rows == 4


def stated(minor: int, major: int = 1) -> dict[bytes, bytes]:
    return {people.METADATA_KEY: json.dumps({"schema_version": major, "schema_minor": minor}).encode()}


def test_older_minor_versions_get_the_columns_they_lack(monkeypatch: pytest.MonkeyPatch) -> None:
    added = column("gait", pa.float32(), "1", "new", nullable=True, since_minor=2)
    monkeypatch.setattr(people, "PEOPLE_SCHEMA", PEOPLE_SCHEMA.insert(3, added))
    monkeypatch.setattr(people, "SCHEMA_MINOR", 2)
    checked = check(table(row()).replace_schema_metadata(stated(0)))
    assert checked.column_names[3] == "gait"
    assert checked["gait"].null_count == 1
    with pytest.raises(SchemaError, match="'gait' is missing"):
        check(table(row()).replace_schema_metadata(stated(2)))


def test_newer_minor_versions_lose_what_is_not_known() -> None:
    newer = table(row()).append_column("gait", pa.array([1.0])).replace_schema_metadata(stated(5))
    assert check(newer).column_names == PEOPLE_SCHEMA.names


def test_another_major_version_is_refused() -> None:
    with pytest.raises(SchemaError, match="schema version 2 cannot be read, this package reads 1"):
        check(table(row()).replace_schema_metadata(stated(0, major=2)))
    with pytest.raises(SchemaError, match="holds no schema_version"):
        check(table(row()).replace_schema_metadata({people.METADATA_KEY: b"[]"}))


def metadata() -> FileMetadata:
    return FileMetadata(
        package_version="0.1.0", run_id="r", config={"a": [1, None]}, model_name="m", weights_sha256="",
        body_name="open", body_sha256="b", frame_width=10, frame_height=20, source_uri="x.jpg",
    )  # fmt: skip


def test_file_metadata_comes_back() -> None:
    schema = PEOPLE_SCHEMA.with_metadata({people.METADATA_KEY: metadata().model_dump_json().encode()})
    assert file_metadata(schema) == metadata()
    assert file_metadata(PEOPLE_SCHEMA) is None
    with pytest.raises(SchemaError, match="package_version: Field required"):
        file_metadata(PEOPLE_SCHEMA.with_metadata(stated(0)))


def test_joint_names_follow_the_kinematic_tree() -> None:
    assert len(people.JOINT_NAMES) == len(set(people.JOINT_NAMES)) == 24
    swapped = [n.replace("left", "?").replace("right", "left").replace("?", "right") for n in people.JOINT_NAMES]
    assert set(swapped) == set(people.JOINT_NAMES)


def block_rows(**changes: object) -> pa.Table:
    values = {
        "scene_id": "s", "frame_id": 0, "run_id": "r", "block_id": "b", "level": 0,
        "window": {"xmin": 0, "ymin": 0, "xmax": 8, "ymax": 8}, "status": "done", "seconds": 0.1, "detections": 0,
        "error": None, "attempt": 1,
    }  # fmt: skip
    return pa.Table.from_pylist([values | changes], schema=BLOCKS_SCHEMA)


def test_blocks_check() -> None:
    assert check_blocks(block_rows()).num_rows == 1
    assert check_blocks(block_rows(status="failed", error="boom")).num_rows == 1
    assert check_blocks(BLOCKS_SCHEMA.empty_table()).num_rows == 0
    for changes in ({"status": "maybe"}, {"status": "failed"}, {"error": "boom"}, {"attempt": 0}, {"detections": -1}):
        with pytest.raises(SchemaError, match="blocks table: column"):
            check_blocks(block_rows(**changes))


def frame(**changes: object) -> Frame:
    values = {
        "scene_id": "s", "frame_id": 0, "uri": "x.jpg", "width": 10, "height": 20, "plan": "uniform",
        "blocks": BlockCounts(planned=3, done=2, failed=1, reused=1),
        "detections": DetectionCounts.of_merge(9, 4, ("cut", "inside", "cut")),
        "people": 4, "people_file": "people/x", "stage_seconds": {"merge": 0.1},
        "failures": (Failure(block_id="b", error="boom", attempts=2),),
        "coverage": Coverage(planned_share=1, done_share=0.5),
    }  # fmt: skip
    return Frame.model_validate(values | changes)


def manifest(*frames: Frame, status: str) -> RunManifest:
    return RunManifest.model_validate(
        {
            "run_id": "r", "status": status, "versions": {"mili": "0.1.0"}, "device": "cpu", "config": {},
            "model": Model(name="m", weights_sha256="", body_name="open", body_sha256=""), "frames": frames,
        }
    )  # fmt: skip


def test_manifest_round_trip() -> None:
    whole = manifest(frame(), status="partial")
    assert RunManifest.model_validate_json(whole.to_json()) == whole
    assert whole.frames[0].detections.rejected == {"cut": 2, "inside": 1}
    assert whole.frames[0].detections.grouped == 2


@pytest.mark.parametrize(
    "changes",
    [
        {"people": 5},
        {"failures": ()},
        {"blocks": {"planned": 3, "done": 2, "failed": 0}},
        {"blocks": {"planned": 3, "done": 2, "failed": 1, "reused": 3}},
        {"detections": {"total": 9, "kept": 4, "grouped": 2}},
        {"detections": {"total": 4, "kept": 4, "grouped": 1, "rejected": {"x": -1}}},
    ],
)
def test_manifest_counts_must_add_up(changes: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        frame(**changes)


def test_manifest_status_must_fit() -> None:
    with pytest.raises(ValidationError, match="status"):
        manifest(frame(), status="complete")
    with pytest.raises(ValidationError, match="status"):
        manifest(status="partial")


def test_json_schemas_are_up_to_date(tmp_path: Path) -> None:
    generate.write(tmp_path)
    for path in tmp_path.iterdir():
        committed = generate.FOLDER / path.name
        assert committed.read_text(encoding="utf-8") == path.read_text(encoding="utf-8"), "run: make schemas"
    assert {p.name for p in generate.FOLDER.glob("*.schema.json")} >= {p.name for p in tmp_path.iterdir()}


def test_json_schema_of_a_row_says_what_arrow_says() -> None:
    schema = json.loads(generate.documents()["people.schema.json"])
    assert schema["required"] == list(schema["properties"]) == PEOPLE_SCHEMA.names
    assert schema["properties"]["joints2d"]["minItems"] == 72
    assert schema["properties"]["time_s"]["type"] == ["number", "null"]
    assert schema["properties"]["score"] | {"minimum": 0, "maximum": 1} == schema["properties"]["score"]


def test_error_pickles() -> None:
    import pickle

    assert str(pickle.loads(pickle.dumps(SchemaError("x")))) == "x"


def test_null_rows_inside_vectors_keep_their_neighbours() -> None:
    checked = check(table(row(0, betas=None), row(1, betas=[1.0] * 10)))
    assert pc.list_flatten(checked["betas"]).to_pylist() == [1.0] * 10
