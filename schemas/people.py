"""The people table: one row a person of a frame, as an Arrow schema, and the check that a table keeps to it.

Units: frame px (continuous, origin at the top-left corner of the top-left pixel), metres, radians. Boxes are half-open
xyxy. Cameras look along +z with x right and y down. Each field's metadata carries its unit, its meaning and its range.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

SCHEMA_VERSION = 1
"""Steps when a column changes its type or meaning, or goes; readers of another version must refuse."""
SCHEMA_MINOR = 1
"""Steps when a nullable column is added; tables of an older minor version are read with that column null."""
METADATA_KEY = b"mili"
"""Key of the Parquet file metadata that holds a `FileMetadata` as JSON."""

JOINT_NAMES = (
    "pelvis",
    "left_hip",
    "right_hip",
    "spine1",
    "left_knee",
    "right_knee",
    "spine2",
    "left_ankle",
    "right_ankle",
    "spine3",
    "left_foot",
    "right_foot",
    "neck",
    "left_collar",
    "right_collar",
    "head",
    "left_shoulder",
    "right_shoulder",
    "left_elbow",
    "right_elbow",
    "left_wrist",
    "right_wrist",
    "left_hand",
    "right_hand",
)
"""SMPL's 24 kinematic joints in SMPL order: the order of joints2d, joints3d, global_orient + body_pose."""

CONVENTIONS = (
    "Pixels are continuous, origin at the top-left corner of the top-left pixel of the frame; boxes are half-open. "
    "Cameras: x right, y down, z forward, metres. Rotations are axis-angle in radians, SMPL order, root first. "
    "global_orient and joints3d are in the scene camera where transl is given, else in the camera of the chosen block. "
    "truncated: the box comes within one raster px of its block of the frame's edge."
)


class SchemaError(ValueError):
    """A table does not keep to its schema; the message names the column and what is wrong."""


def column(
    name: str,
    arrow_type: pa.DataType,
    unit: str,
    meaning: str,
    *,
    nullable: bool,
    minimum: float | None = None,
    maximum: float | None = None,
    since_minor: int = 0,
) -> pa.Field:
    """Gives an Arrow field that documents itself.

    Args:
        name: column name.
        arrow_type: its type.
        unit: of its numbers; "" for text, flags and counts.
        meaning: one sentence.
        nullable: whether rows may be null.
        minimum: least allowed number, or None.
        maximum: greatest allowed number, or None.
        since_minor: minor schema version that brought the column.
    """
    metadata = {"unit": unit, "meaning": meaning}
    if minimum is not None:
        metadata["minimum"] = repr(minimum)
    if maximum is not None:
        metadata["maximum"] = repr(maximum)
    if since_minor:
        metadata["since_minor"] = str(since_minor)
    return pa.field(name, arrow_type, nullable=nullable, metadata=metadata)


def _corners(number: pa.DataType) -> pa.DataType:
    return pa.struct([pa.field(corner, number, nullable=False) for corner in ("xmin", "ymin", "xmax", "ymax")])


BOX = _corners(pa.float32())
BLOCK_BOX = _corners(pa.int32())


def vector(length: int) -> pa.DataType:
    """Gives the type of a float32 vector of fixed length."""
    return pa.list_(pa.float32(), length)


PEOPLE_SCHEMA: pa.Schema = pa.schema(
    [
        column("scene_id", pa.string(), "", "scene of the frame; also a hive folder", nullable=False),
        column("frame_id", pa.int32(), "", "frame in the scene; also a hive folder", nullable=False, minimum=0),
        column("time_s", pa.float64(), "s", "time of the frame in its sequence, where known", nullable=True),
        column("run_id", pa.string(), "", "hash of config, weights and input", nullable=False),
        column(
            "person_id",
            pa.int64(),
            "",
            "0..n-1 in the frame, rank by Morton code of the foot point, ties by box; not a track",
            nullable=False,
            minimum=0,
        ),
        column("score", pa.float32(), "1", "confidence of the detection", nullable=False, minimum=0, maximum=1),
        column("bbox", BOX, "frame px", "visible box, rounded outward; covers geometry", nullable=False),
        column("bbox_full", BOX, "frame px", "bounds of the projected body, hidden parts included", nullable=True),
        column("geometry", pa.binary(), "frame px", "visible outline, WKB Polygon or MultiPolygon", nullable=True),
        column("mask_score", pa.float32(), "1", "mean mask probability inside it", nullable=True, minimum=0, maximum=1),
        column("mask_area_px", pa.float32(), "frame px^2", "area of geometry", nullable=True, minimum=0),
        column(
            "visible_fraction",
            pa.float32(),
            "1",
            "mask area / area of the projected body",
            nullable=True,
            minimum=0,
            maximum=1,
        ),
        column("height_px", pa.float32(), "frame px", "height of bbox before rounding", nullable=False, minimum=0),
        column("height_m", pa.float32(), "m", "standing height of the body", nullable=True, minimum=0),
        column("block_id", pa.string(), "", "block of the view that was chosen", nullable=False),
        column("block_level", pa.uint8(), "", "pyramid level of that block (0 = full size)", nullable=False),
        column("block_bbox", BLOCK_BOX, "frame px", "window of that block, rounded outward", nullable=False),
        column("merged_from", pa.list_(pa.string()), "", "all blocks that saw the person, sorted", nullable=True),
        column(
            "truncated",
            pa.bool_(),
            "",
            "the box touches the frame's edge (within one raster px of its block)",
            nullable=False,
        ),
        column("stitched", pa.bool_(), "", "box and outline are united from cut views", nullable=False),
        column("body_model", pa.string(), "", 'body that betas belong to: "open", "smpl"', nullable=False),
        column("global_orient", vector(3), "rad", "root rotation, axis-angle; camera: see conventions", nullable=True),
        column("body_pose", vector(69), "rad", "23 joint rotations, axis-angle, smplx order", nullable=True),
        column("betas", vector(10), "1", "shape coefficients of body_model", nullable=True),
        column("cam_crop", vector(3), "1", "weak camera (s, tx, ty) relative to crop_bbox", nullable=True),
        column("crop_bbox", BOX, "frame px", "the body head's own box, neither rounded nor united", nullable=True),
        column("transl_block", vector(3), "m", "translation in the block's virtual camera", nullable=True),
        column("focal_px", pa.float32(), "frame px", "focal length of the scene camera", nullable=True, minimum=0),
        column("principal_x", pa.float32(), "frame px", "principal point of the scene camera", nullable=True),
        column("principal_y", pa.float32(), "frame px", "principal point of the scene camera", nullable=True),
        column("focal_source", pa.string(), "", '"flag", "metadata", "estimate" or "default"', nullable=True),
        column("transl", vector(3), "m", "translation in the scene camera", nullable=True),
        column(
            "ground_x",
            pa.float32(),
            "file metadata",
            "on the ground, right of the point below the camera",
            nullable=True,
        ),
        column("ground_y", pa.float32(), "file metadata", "on the ground, ahead of the point below it", nullable=True),
        column("joints2d", vector(72), "frame px; 1", "24 joints (x, y, confidence 0..1), SMPL order", nullable=True),
        column("joints3d", vector(72), "m", "24 joints (x, y, z), root-relative, axes of global_orient", nullable=True),
        column("betas_source", pa.string(), "", '"model", or "fit" to another body', nullable=True),
        column("foot_x", pa.float32(), "frame px", "foot point: centre of the visible box's bottom", nullable=True),
        column("foot_y", pa.float32(), "frame px", "foot point: bottom of the visible box", nullable=True),
        column(
            "global_orient_block",
            vector(3),
            "rad",
            "root rotation, axis-angle, in the chosen block's virtual camera, as transl_block is",
            nullable=True,
            since_minor=1,
        ),
    ]
)
"""Every column in file order. Text columns are plain strings in Arrow, dictionary-encoded in the file."""

DICTIONARY_COLUMNS = (
    "scene_id",
    "run_id",
    "block_id",
    "merged_from.list.element",
    "body_model",
    "focal_source",
    "betas_source",
)
"""Parquet column paths that are dictionary-encoded: ids and other repeated text, nothing else."""


class GroundFit(BaseModel):
    """How ground_x and ground_y were made."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    unit: str = Field(description='"m", or "camera_height" where the scale is not metric')
    horizon_row_px: float = Field(description="row of the horizon at the frame's middle column, frame px")
    inlier_share: float = Field(ge=0, le=1, description="share of people who stand that agree with the plane")
    normal: tuple[float, float, float] | None = Field(
        default=None, description="unit vector square to the plane, from the ground up, in the scene camera"
    )
    camera_height: float | None = Field(default=None, description="of the camera over the plane, in `unit`")
    scale_source: str | None = Field(
        default=None,
        description='"bodies", or "standing height" where their betas say nothing and an adult counts as 1.7 m',
    )


class FileMetadata(BaseModel):
    """What a people file says about itself, as JSON under the Parquet metadata key "mili". It holds no times."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: int = SCHEMA_VERSION
    schema_minor: int = SCHEMA_MINOR
    package_version: str
    run_id: str
    config: dict[str, JsonValue] = Field(description="settings that shape the result")
    model_name: str
    weights_sha256: str = Field(description='hex digest, "" for a model without a file')
    body_name: str
    body_sha256: str
    frame_width: int = Field(gt=0, description="px")
    frame_height: int = Field(gt=0, description="px")
    source_uri: str
    joint_names: tuple[str, ...] = JOINT_NAMES
    conventions: str = CONVENTIONS
    ground: GroundFit | None = None


def file_metadata(schema: pa.Schema) -> FileMetadata | None:
    """Gives what the file says about itself, or None where the metadata has no such key.

    Raises:
        SchemaError: the metadata is there and cannot be read.
    """
    raw = (schema.metadata or {}).get(METADATA_KEY)
    if raw is None:
        return None
    _minor_version(schema, "people table")
    try:
        return FileMetadata.model_validate_json(raw)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise SchemaError(f"people table: file metadata key 'mili', {where or 'JSON'}: {first['msg']}") from error


def check(table: pa.Table) -> pa.Table:
    """Gives `table` in exactly `PEOPLE_SCHEMA` when it keeps to it.

    Tables of an older minor version get the columns they lack, null; those of a newer one lose the columns that this
    version does not know. Person ids must be 0..n-1, each once, in every (scene_id, frame_id).

    Args:
        table: people of one frame or of many, rows in any order; its file metadata is kept.

    Raises:
        SchemaError: a column is missing, unknown, of another type, null where it may not be, not finite or out of
            range; person ids have gaps or repeat; the schema version is another one.
    """
    checked = check_columns(table, PEOPLE_SCHEMA, "people table")
    check_person_ids(checked, "people table")
    return checked


def check_columns(table: pa.Table, schema: pa.Schema, name: str) -> pa.Table:
    """Gives `table` in exactly `schema` (its own file metadata kept) when every column keeps to it.

    Args:
        table: the table to check.
        schema: fields made by `column`.
        name: what to call the table in messages.

    Raises:
        SchemaError: see `check`.
    """
    minor = _minor_version(table.schema, name)
    names = table.column_names
    if len(set(names)) != len(names):
        twice = next(n for n in names if names.count(n) > 1)
        raise SchemaError(f"{name}: column {twice!r} is there twice")
    unknown = [n for n in names if n not in schema.names]
    if unknown and minor <= SCHEMA_MINOR:
        raise SchemaError(f"{name}: column {unknown[0]!r} is not in schema version {SCHEMA_VERSION}.{SCHEMA_MINOR}")
    columns = [_checked_column(table, field, minor, name) for field in schema]
    return pa.table(columns, schema=schema.with_metadata(table.schema.metadata))


def check_person_ids(table: pa.Table, name: str) -> None:
    """Checks that person_id is 0..n-1, each once, in every (scene_id, frame_id).

    Raises:
        SchemaError: names the frame.
    """
    keys = ["scene_id", "frame_id"]
    found = table.group_by(keys).aggregate(
        [("person_id", "min_max"), ("person_id", "count_distinct"), ([], "count_all")]
    )
    for frame in found.to_pylist():
        count, ids = frame["count_all"], frame["person_id_min_max"]
        if frame["person_id_count_distinct"] != count or ids != {"min": 0, "max": count - 1}:
            raise SchemaError(
                f"{name}: column 'person_id' of scene {frame['scene_id']!r} frame {frame['frame_id']} must hold "
                f"0..{count - 1}, each once"
            )


def null_column(arrow_type: pa.DataType, count: int) -> pa.Array:
    """Gives `count` nulls; unlike pa.nulls it keeps the children of structs free of nulls, as `BOX` promises."""
    return pa.array([None] * count, type=arrow_type)


def _minor_version(schema: pa.Schema, name: str) -> int:
    """Gives the minor version that the file metadata states (ours where it states none)."""
    raw = (schema.metadata or {}).get(METADATA_KEY)
    if raw is None:
        return SCHEMA_MINOR
    try:
        stated = json.loads(raw)
        major, minor = int(stated["schema_version"]), int(stated.get("schema_minor", 0))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SchemaError(f"{name}: file metadata key 'mili' holds no schema_version") from error
    if major != SCHEMA_VERSION:
        raise SchemaError(f"{name}: schema version {major} cannot be read, this package reads {SCHEMA_VERSION}")
    return minor


def _checked_column(table: pa.Table, field: pa.Field, minor: int, name: str) -> pa.ChunkedArray:
    if field.name not in table.column_names:
        if int(_note(field, b"since_minor") or 0) > minor:
            return pa.chunked_array([null_column(field.type, table.num_rows)])
        raise SchemaError(f"{name}: column {field.name!r} is missing")
    values = table.column(field.name)
    if values.type != field.type:
        raise SchemaError(f"{name}: column {field.name!r} is {values.type}, expected {field.type}")
    if not field.nullable and values.null_count:
        raise SchemaError(f"{name}: column {field.name!r} has {values.null_count} nulls, none are allowed")
    for part, numbers in _numbers(field.name, values):
        _check_numbers(numbers, field, f"{name}: column {part!r}")
    if field.type in (BOX, BLOCK_BOX):
        _check_boxes(values, f"{name}: column {field.name!r}")
    return values


def _numbers(path: str, values: pa.ChunkedArray) -> Iterator[tuple[str, pa.ChunkedArray]]:
    """Yields the number columns inside `values` with their paths."""
    if pa.types.is_struct(values.type):
        for child in values.type:
            yield from _numbers(f"{path}.{child.name}", pc.struct_field(pc.drop_null(values), child.name))
    elif pa.types.is_fixed_size_list(values.type):
        yield from _numbers(path, pc.list_flatten(values))
    elif pa.types.is_floating(values.type) or pa.types.is_integer(values.type):
        yield path, values


def _check_numbers(values: pa.ChunkedArray, field: pa.Field, where: str) -> None:
    if pa.types.is_floating(values.type) and pc.any(pc.invert(pc.is_finite(values))).as_py():
        raise SchemaError(f"{where} holds values that are not finite")
    if pa.types.is_fixed_size_list(field.type) and values.null_count:
        raise SchemaError(f"{where} has nulls inside its vectors")
    extent = pc.min_max(values).as_py()
    for value in (extent["min"], extent["max"]):
        low, high = _note(field, b"minimum"), _note(field, b"maximum")
        if value is not None and ((low and value < float(low)) or (high and value > float(high))):
            raise SchemaError(f"{where} holds {value:g}, allowed are {low or '-inf'}..{high or 'inf'}")


def _check_boxes(boxes: pa.ChunkedArray, where: str) -> None:
    present = pc.drop_null(boxes)
    for low, high in (("xmin", "xmax"), ("ymin", "ymax")):
        if pc.any(pc.greater(pc.struct_field(present, low), pc.struct_field(present, high))).as_py():
            raise SchemaError(f"{where} has a box with {low} > {high}")


def _note(field: pa.Field, key: bytes) -> str | None:
    metadata: dict[bytes, Any] = field.metadata or {}
    return metadata[key].decode() if key in metadata else None
