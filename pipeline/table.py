"""The people table: chosen views as Arrow rows, and GeoParquet 1.1 files of one frame each.

table = people_table(frame, views, merge, blocks, derived, run)
path = write_people(table, frame, out)     # OUT/people/scene_id=…/frame_id=…/part-0.parquet
table = read_people(out)                   # all frames; ids keep their types ("01" stays a string)
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import shapely
import torch
from pydantic import JsonValue

from mili_core.body import matrix_to_axis_angle
from mili_core.errors import MissingFileError, StoreError
from pipeline import columns
from pipeline.bodies import DerivedColumns
from pipeline.geoparquet import geoparquet_metadata
from pipeline.morton import morton_codes
from pipeline.place.columns import ground_fit, place_columns
from pipeline.place.types import Placement
from pipeline.storage import atomic_file, store_access
from pipeline.types import (
    Block,
    Bodies,
    BoolArray,
    Float32Array,
    Float64Array,
    FrameRef,
    GeometryArray,
    Int64Array,
    MergeResult,
    SceneDetections,
)
from schemas.people import (
    DICTIONARY_COLUMNS,
    METADATA_KEY,
    PEOPLE_SCHEMA,
    FileMetadata,
    GroundFit,
    check,
    check_columns,
    null_column,
)

PART_NAME = "part-0.parquet"
ROW_GROUP_ROWS = 65_536

_POLYGON, _MULTIPOLYGON = 3, 6


@dataclass(frozen=True, slots=True)
class RunIdentity:
    """What made the rows; part of every file's metadata, so it holds nothing that changes from run to run.

    Attributes:
        run_id: hash of config, weights and input.
        model_name: model configuration.
        weights_sha256: hex digest, "" for a model without a file.
        body_name: "open" or "smpl".
        body_sha256: hex digest of the body arrays.
        package_version: of mili.
        config: settings that shape the result (no paths of outputs, no worker counts).
        betas_source: "model", or "fit" to another body.
    """

    run_id: str
    model_name: str
    weights_sha256: str
    body_name: str
    body_sha256: str
    package_version: str
    config: Mapping[str, JsonValue] = field(default_factory=dict)
    betas_source: str = "model"


def people_table(
    frame: FrameRef,
    views: SceneDetections,
    merge: MergeResult,
    blocks: Sequence[Block],
    derived: DerivedColumns | None,
    run: RunIdentity,
    *,
    placement: Placement | None = None,
) -> pa.Table:
    """Gives the checked table of a frame's people: one row for each chosen view, ordered by person_id.

    Rules: the foot point is the bottom centre of the final box (joints are too unsure where people are hidden from the
    waist down); person_id ranks the Morton codes of the foot points' pixels, ties by box, score and block; truncated
    means that the box comes within one raster px of the chosen block of the frame's edge; outlines are cut to the
    box, so that bbox covers them. Who is placed has root rotation and joints3d in the scene camera, others in their
    block's; what is not known of the placement is null.

    Args:
        frame: the frame.
        views: all views of the frame.
        merge: who is who among them.
        blocks: what `views.block_index` points into.
        derived: in the order of `merge.chosen`, or None where nothing is known.
        run: what made the rows.
        placement: where they are in the scene camera, in the order of `merge.chosen`; None leaves them in their blocks.

    Returns:
        A table in `PEOPLE_SCHEMA` with the file metadata "mili" and "geo".
    """
    order = _person_order(views, merge, blocks)
    chosen = merge.chosen[order]
    boxes_frame = merge.boxes_frame[order]
    geometries = _cut_to_boxes(merge.outlines, order, boxes_frame)
    chosen_blocks = [blocks[index] for index in views.block_index[chosen]]
    arrays = _keys(frame, run, len(order))
    arrays |= _box_columns(frame, boxes_frame, chosen_blocks)
    arrays |= _outline_columns(geometries, None if views.mask_scores is None else views.mask_scores[chosen])
    arrays |= _derived_columns(derived or DerivedColumns.unknown(len(order)), order, geometries)
    arrays |= _view_columns(views, merge, blocks, order)
    bodies = None if views.bodies is None else views.bodies.take(chosen)
    arrays |= _body_columns(bodies, placement, order, run)
    arrays |= place_columns(placement, order)
    joints = views.joints2d_frame
    arrays["joints2d"] = _null("joints2d", len(order)) if joints is None else columns.vectors(joints[chosen])
    arrays["time_s"] = _null("time_s", len(order))
    schema = PEOPLE_SCHEMA.with_metadata(_metadata(frame, run, ground_fit(placement), geometries))
    return check(pa.table([arrays[name] for name in schema.names], schema=schema))


def write_people(table: pa.Table, frame: FrameRef, out: Path) -> Path:
    """Writes a frame's table, whole or not at all, in place of every older file of that frame, and gives its path.

    Equal tables give equal bytes.

    Args:
        table: from `people_table`.
        frame: the frame that it belongs to.
        out: the run's output folder; the file is OUT/people/scene_id=…/frame_id=…/part-0.parquet.

    Raises:
        StoreError: the rows are of another frame, or the file cannot be written.
    """
    checked = check(table)
    keys = set(zip(checked["scene_id"].to_pylist(), checked["frame_id"].to_pylist(), strict=True))
    for scene_id, frame_id in sorted(keys - {(frame.scene_id, frame.frame_id)}):
        where = f"scene {frame.scene_id!r} frame {frame.frame_id}"
        raise StoreError(f"{where}: the table holds rows of scene {scene_id!r} frame {frame_id}; write them there")
    folder = out / "people" / f"scene_id={frame.scene_id}" / f"frame_id={frame.frame_id}"
    path = folder / PART_NAME
    with atomic_file(path) as file:
        pq.write_table(
            checked,
            file,
            compression="zstd",
            use_dictionary=list(DICTIONARY_COLUMNS),
            row_group_size=ROW_GROUP_ROWS,
        )
    with store_access(folder, "written"):
        for other in folder.glob("*.parquet"):
            if other != path:
                other.unlink()
    return path


def read_people(path: Path, filters: pc.Expression | None = None) -> pa.Table:
    """Gives the checked people of a run's output folder, of one of its subfolders or of one file, sorted by their keys.

    Args:
        path: OUT, OUT/people, a folder under it, or a file.
        filters: pushed down to the files, for example `pc.field("height_px") > 100`; person_id then has gaps.

    Returns:
        A table in `PEOPLE_SCHEMA`; with file metadata where it comes from one file only.

    Raises:
        MissingFileError: there is no people file.
        StoreError: a folder cannot be listed or a file cannot be read as Parquet.
    """
    with store_access(path, "read"):
        people = path / "people"
        root = people if people.is_dir() else path
        files = [root] if root.is_file() else sorted(root.rglob(PART_NAME))
    if not files:
        raise MissingFileError(f"{path}: no people files here; give the output folder of a run")
    tables = [_read_file(file, filters) for file in files]
    whole = tables[0] if len(tables) == 1 else pa.concat_tables([t.replace_schema_metadata(None) for t in tables])
    return whole.sort_by([(key, "ascending") for key in ("scene_id", "frame_id", "person_id")])


def _read_file(file: Path, filters: pc.Expression | None) -> pa.Table:
    try:
        table = pq.read_table(file, filters=filters, partitioning=None)
    except (pa.ArrowException, OSError) as error:
        raise StoreError(f"{file}: not a readable people file ({error}); run the frame again") from error
    return check(table) if filters is None else check_columns(table, PEOPLE_SCHEMA, str(file))


def _person_order(views: SceneDetections, merge: MergeResult, blocks: Sequence[Block]) -> Int64Array:
    """Gives the rows of `merge.chosen` in the order of person_id."""
    boxes_frame = merge.boxes_frame
    ids = np.array([blocks[index].id for index in views.block_index[merge.chosen]], dtype=np.str_)
    keys = (merge.chosen, ids, -views.scores[merge.chosen], *boxes_frame.T[::-1], morton_codes(_feet(boxes_frame)))
    return np.lexsort(keys).astype(np.int64)


def _feet(boxes_frame: Float64Array) -> Float64Array:
    """Gives the foot points (N, 2): the middle of each box's bottom side."""
    return np.column_stack([0.5 * (boxes_frame[:, 0] + boxes_frame[:, 2]), boxes_frame[:, 3]])


def _keys(frame: FrameRef, run: RunIdentity, count: int) -> dict[str, pa.Array]:
    return {
        "scene_id": pa.repeat(pa.scalar(frame.scene_id), count),
        "frame_id": pa.repeat(pa.scalar(frame.frame_id, pa.int32()), count),
        "run_id": pa.repeat(pa.scalar(run.run_id), count),
        "person_id": pa.array(np.arange(count, dtype=np.int64)),
        "body_model": pa.repeat(pa.scalar(run.body_name), count),
    }


def _box_columns(frame: FrameRef, boxes_frame: Float64Array, blocks: Sequence[Block]) -> dict[str, pa.Array]:
    feet = _feet(boxes_frame)
    return {
        "bbox": columns.boxes(columns.outward_float32(boxes_frame)),
        "height_px": columns.numbers((boxes_frame[:, 3] - boxes_frame[:, 1]).astype(np.float32)),
        "truncated": columns.numbers(_truncated(frame, boxes_frame, blocks)),
        "foot_x": columns.numbers(feet[:, 0].astype(np.float32)),
        "foot_y": columns.numbers(feet[:, 1].astype(np.float32)),
        "block_id": pa.array([block.id for block in blocks], type=pa.string()),
        "block_level": pa.array([block.level for block in blocks], type=pa.uint8()),
        "block_bbox": columns.windows([block.grid.window for block in blocks]),
    }


def _truncated(frame: FrameRef, boxes_frame: Float64Array, blocks: Sequence[Block]) -> BoolArray:
    """Gives (N,) whether each box comes within one raster px of its block of the frame's edge."""
    raster_px = [block.grid.window.width / block.grid.raster_width for block in blocks]
    tolerance = np.array(raster_px, dtype=np.float64)
    gaps = np.concatenate([boxes_frame[:, :2], (frame.width, frame.height) - boxes_frame[:, 2:]], axis=1)
    return np.asarray(gaps.min(axis=1, initial=np.inf) <= tolerance, dtype=np.bool_)


def _cut_to_boxes(outlines: GeometryArray | None, order: Int64Array, boxes_frame: Float64Array) -> GeometryArray:
    """Gives the outlines (N,) in the given order as polygons inside their boxes, None where nothing is left."""
    if outlines is None:
        return np.full(len(order), None, dtype=np.object_)
    geometries: GeometryArray = outlines[order].copy()
    bounds = shapely.bounds(geometries)
    outside = (bounds[:, :2] < boxes_frame[:, :2]).any(axis=1) | (bounds[:, 2:] > boxes_frame[:, 2:]).any(axis=1)
    polygonal = np.isin(shapely.get_type_id(geometries), (_POLYGON, _MULTIPOLYGON)) & ~shapely.is_empty(geometries)
    for row in np.flatnonzero((outside | ~polygonal) & ~shapely.is_missing(geometries)):
        valid = shapely.make_valid(geometries[row])
        geometries[row] = _polygons_of(shapely.intersection(valid, shapely.box(*boxes_frame[row])))
    return geometries


def _polygons_of(geometry: shapely.Geometry) -> shapely.Geometry | None:
    """Gives the polygons inside a geometry of any kind, None where there is none."""
    parts = shapely.get_parts(shapely.get_parts(geometry))
    polygons = parts[(shapely.get_type_id(parts) == _POLYGON) & ~shapely.is_empty(parts)]
    if len(polygons) < 2:
        return polygons[0] if len(polygons) else None
    return shapely.MultiPolygon(polygons.tolist())


def _outline_columns(geometries: GeometryArray, mask_scores: Float32Array | None) -> dict[str, pa.Array]:
    known = ~shapely.is_missing(geometries)
    return {
        "geometry": columns.outlines(geometries),
        "mask_area_px": columns.numbers(shapely.area(geometries).astype(np.float32), known),
        "mask_score": _null("mask_score", len(known)) if mask_scores is None else columns.numbers(mask_scores, known),
    }


def _derived_columns(derived: DerivedColumns, order: Int64Array, geometries: GeometryArray) -> dict[str, pa.Array]:
    if len(derived) != len(order):
        raise ValueError(f"derived columns are of {len(derived)} people, the merge has {len(order)}")
    full, silhouette = derived.bbox_full_frame[order], derived.silhouette_area_px[order]
    fraction = _visible_fraction(geometries, silhouette)
    projected = np.asarray(np.isfinite(full).all(axis=1), dtype=np.bool_)
    height_m = derived.height_m[order]
    return {
        "bbox_full": columns.boxes(columns.outward_float32(full), projected),
        "visible_fraction": columns.numbers(fraction, np.isfinite(fraction)),
        "height_m": columns.numbers(height_m, np.isfinite(height_m)),
    }


def _visible_fraction(geometries: GeometryArray, silhouette_area_px: Float64Array) -> Float32Array:
    """Gives the outlines' share (N,) of the silhouettes, clipped to 0..1, NaN where either is unknown or empty."""
    known = ~shapely.is_missing(geometries) & (silhouette_area_px > 0)
    share = np.full(len(geometries), np.nan, dtype=np.float64)
    np.divide(shapely.area(geometries), silhouette_area_px, out=share, where=known)
    return np.clip(share, 0.0, 1.0).astype(np.float32)


def _view_columns(
    views: SceneDetections, merge: MergeResult, blocks: Sequence[Block], order: Int64Array
) -> dict[str, pa.Array]:
    members: list[set[str]] = [set() for _ in order]
    for person, block in zip(merge.group.tolist(), views.block_index.tolist(), strict=True):
        if person >= 0:
            members[person].add(blocks[block].id)
    return {
        "score": columns.numbers(views.scores[merge.chosen[order]]),
        "merged_from": pa.array([sorted(members[person]) for person in order], type=pa.list_(pa.string())),
        "stitched": columns.numbers(merge.stitched[order]),
    }


def _body_columns(
    bodies: Bodies | None, placement: Placement | None, order: Int64Array, run: RunIdentity
) -> dict[str, pa.Array]:
    """Gives the columns of the body head; `bodies` are those of the rows, or None."""
    count = len(order)
    if bodies is None:
        names = ("global_orient", "body_pose", "betas", "cam_crop", "crop_bbox", "transl_block", "joints3d")
        return {name: _null(name, count) for name in (*names, "betas_source", "global_orient_block")}
    axis_angle = _axis_angle(bodies.rotmats)
    roots, joints3d = bodies.rotmats[:, 0], bodies.joints3d_m
    if placement is not None:
        placed = np.isfinite(placement.transl_m[order]).all(axis=1).reshape(-1, 1, 1)
        roots = np.where(placed, placement.root_rotmats[order], roots)
        turn = roots @ bodies.rotmats[:, 0].transpose(0, 2, 1)
        joints3d = np.where(placed, joints3d @ turn.transpose(0, 2, 1), joints3d)
    return {
        "global_orient": columns.vectors(_axis_angle(roots)),
        "global_orient_block": columns.vectors(axis_angle[:, 0]),
        "body_pose": columns.vectors(axis_angle[:, 1:]),
        "betas": columns.vectors(bodies.betas),
        "cam_crop": columns.vectors(bodies.cam_crop),
        "crop_bbox": columns.boxes(bodies.crop_boxes_frame.astype(np.float32)),
        "transl_block": columns.vectors(bodies.transl_block_m),
        "joints3d": columns.vectors(joints3d),
        "betas_source": pa.repeat(pa.scalar(run.betas_source), count),
    }


def _axis_angle(rotmats: Float32Array) -> Float32Array:
    """Gives the axis-angle vectors (..., 3) of rotations (..., 3, 3)."""
    # float64: near angle pi float32 loses half of its digits.
    return matrix_to_axis_angle(torch.tensor(rotmats, dtype=torch.float64)).numpy().astype(np.float32)


def _null(name: str, count: int) -> pa.Array:
    return null_column(PEOPLE_SCHEMA.field(name).type, count)


def _metadata(
    frame: FrameRef, run: RunIdentity, ground: GroundFit | None, geometries: GeometryArray
) -> dict[bytes, bytes]:
    mili = FileMetadata(
        package_version=run.package_version,
        run_id=run.run_id,
        config=dict(run.config),
        model_name=run.model_name,
        weights_sha256=run.weights_sha256,
        body_name=run.body_name,
        body_sha256=run.body_sha256,
        frame_width=frame.width,
        frame_height=frame.height,
        source_uri=frame.uri,
        ground=ground,
    )
    mili_json = json.dumps(mili.model_dump(mode="json"), sort_keys=True)
    return {METADATA_KEY: mili_json.encode(), b"geo": geoparquet_metadata(geometries)}
