"""One row for each person: the chosen views as columns of the schema."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from pipeline import columns
from pipeline.bodies import DerivedColumns
from pipeline.geoparquet import geoparquet_metadata
from pipeline.morton import morton_codes
from pipeline.place.columns import ground_fit, place_columns
from pipeline.place.types import Placement
from pipeline.table.body_columns import body_columns
from pipeline.table.identity import RunIdentity
from pipeline.table.silhouettes import cut_to_boxes, derived_columns, outline_columns
from pipeline.types import (
    Block,
    BoolArray,
    Float64Array,
    FrameRef,
    GeometryArray,
    Int64Array,
    MergeResult,
    SceneDetections,
)
from schemas.people import METADATA_KEY, PEOPLE_SCHEMA, FileMetadata, GroundFit, check, null_column


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
    geometries = cut_to_boxes(merge.outlines, order, boxes_frame)
    chosen_blocks = [blocks[index] for index in views.block_index[chosen]]
    arrays = _keys(frame, run, len(order))
    arrays |= _box_columns(frame, boxes_frame, chosen_blocks)
    arrays |= outline_columns(geometries, None if views.mask_scores is None else views.mask_scores[chosen])
    arrays |= derived_columns(derived or DerivedColumns.unknown(len(order)), order, geometries)
    arrays |= _view_columns(views, merge, blocks, order)
    bodies = None if views.bodies is None else views.bodies.take(chosen)
    arrays |= body_columns(bodies, placement, order, run)
    arrays |= place_columns(placement, order)
    joints = views.joints2d_frame
    arrays["joints2d"] = (
        null_column(PEOPLE_SCHEMA.field("joints2d").type, len(order))
        if joints is None
        else columns.vectors(joints[chosen])
    )
    arrays["time_s"] = null_column(PEOPLE_SCHEMA.field("time_s").type, len(order))
    schema = PEOPLE_SCHEMA.with_metadata(_metadata(frame, run, ground_fit(placement), geometries))
    return check(pa.table([arrays[name] for name in schema.names], schema=schema))


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
