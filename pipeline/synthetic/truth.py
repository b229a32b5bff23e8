"""The truth table of a synthetic frame, from the sample grids that made its pixels."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version

import numpy as np
import pyarrow as pa
import shapely
import torch
from numpy.typing import NDArray

from mili_core.body import BodyModel, matrix_to_axis_angle
from mili_core.synth.camera import SceneCamera
from mili_core.synth.rendering.grid import mask_bounds
from mili_core.synth.window import ImageWindow
from pipeline import columns
from pipeline.geoparquet import geoparquet_metadata
from pipeline.morton import morton_codes
from pipeline.outlines import mask_outlines
from pipeline.synthetic.collect import TruthCollector
from pipeline.synthetic.masks import SUPERSAMPLE, Mask, PersonMasks, run_lengths
from pipeline.synthetic.request import GENERATOR_VERSION, SceneRequest
from pipeline.synthetic.worker import SceneFacts, Whole
from pipeline.types import BoolArray, Float64Array, GeometryArray, Int64Array
from schemas.people import METADATA_KEY, GroundFit
from schemas.truth import TRUTH_SCHEMA, TruthMetadata, check_truth

UInt32Array = NDArray[np.uint32]


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """What a row says about one person's masks.

    Attributes:
        person: index in the crowd.
        box: (4,) xyxy bounds of what is seen, frame px.
        outline, amodal_outline: of the masks, frame px.
        samples: that are seen.
        whole: silhouette.
        window: bounds of the amodal mask, samples.
        visible_rle, amodal_rle: run lengths in that window.
    """

    person: int
    box: Float64Array
    outline: shapely.Geometry
    amodal_outline: shapely.Geometry
    samples: int
    whole: Whole
    window: ImageWindow
    visible_rle: UInt32Array
    amodal_rle: UInt32Array


def truth_table(
    collector: TruthCollector, facts: SceneFacts, request: SceneRequest, body: BodyModel
) -> tuple[pa.Table, dict[int, int]]:
    """Gives the truth in `TRUTH_SCHEMA`, one row for everybody of whom a sample is seen, by person_id.

    Args:
        collector: every group of the frame.
        facts: of the scene.
        request: what was asked for.
        body: body model.

    Returns:
        The table; and index in the crowd -> person_id.
    """
    rows = _in_order([_seen(person, masks, facts) for person, masks in collector.masks() if masks.visible.any()])
    people = np.array([row.person for row in rows], dtype=np.int64)
    arrays = (
        _keys(request, body, len(rows))
        | _mask_columns(rows, facts.camera)
        | _body_columns(facts, people)
        | _place_columns(facts, people, collector.joints_seen[people])
    )
    metadata = _metadata(request, facts, body, np.array([row.outline for row in rows], dtype=np.object_))
    schema = TRUTH_SCHEMA.with_metadata(metadata)
    table = check_truth(pa.table([arrays[name] for name in schema.names], schema=schema))
    return table, {person: row for row, person in enumerate(people.tolist())}


def _seen(person: int, masks: PersonMasks, facts: SceneFacts) -> _Seen:
    window, camera = masks.window, facts.camera
    corner = np.tile(window.origin, 2)
    seen_bounds = mask_bounds(masks.visible)
    left, top, right, bottom = seen_bounds.tolist()
    here = Whole(
        int(masks.amodal.sum()),
        (window.left, window.top, window.left + window.width, window.top + window.height),
    )
    box = (seen_bounds + corner) / SUPERSAMPLE
    return _Seen(
        person=person,
        box=box,
        outline=outline(masks.visible[top:bottom, left:right], box, camera),
        amodal_outline=outline(masks.amodal, np.array(here.bounds, dtype=np.float64) / SUPERSAMPLE, camera),
        samples=int(masks.visible.sum()),
        whole=facts.beyond.get(person, here),
        window=window,
        visible_rle=run_lengths(masks.visible),
        amodal_rle=run_lengths(masks.amodal),
    )


def outline(mask: Mask, box: Float64Array, camera: SceneCamera) -> shapely.Geometry:
    """Gives the outline of a mask, not empty, that fills its box (4,), frame px."""
    smooth: shapely.Geometry | None = mask_outlines(
        mask[None].astype(np.float32), box[None].astype(np.float32), camera.width, camera.height
    )[0]
    if smooth is not None:
        return smooth
    # A few lone samples: contours round them away, squares do not.
    rows, cells = np.nonzero(mask)
    x, y = box[0] + cells / SUPERSAMPLE, box[1] + rows / SUPERSAMPLE
    return shapely.union_all(shapely.box(x, y, x + 1 / SUPERSAMPLE, y + 1 / SUPERSAMPLE))


def _in_order(rows: list[_Seen]) -> list[_Seen]:
    """Gives rows by person_id: by Morton code of the foot point, ties by box."""
    boxes = np.array([row.box for row in rows], dtype=np.float64).reshape(-1, 4)
    order = np.lexsort((*boxes.T[::-1], morton_codes(_feet(boxes))))
    return [rows[row] for row in order.tolist()]


def _feet(boxes: Float64Array) -> Float64Array:
    """Gives (N, 2) the centres of the boxes' bottoms."""
    return np.column_stack([0.5 * (boxes[:, 0] + boxes[:, 2]), boxes[:, 3]])


def _mask_columns(rows: list[_Seen], camera: SceneCamera) -> dict[str, pa.Array]:
    boxes = np.array([row.box for row in rows], dtype=np.float64).reshape(-1, 4)
    whole_boxes = np.array([row.whole.bounds for row in rows], dtype=np.float64).reshape(-1, 4) / SUPERSAMPLE
    whole = np.array([row.whole.samples for row in rows], dtype=np.float64)
    seen = np.array([row.samples for row in rows], dtype=np.float64)
    feet = _feet(boxes)
    outlines = _geometries(row.outline for row in rows)
    windows = [_corners(row.window) for row in rows]
    return {
        "bbox": columns.boxes(columns.outward_float32(boxes)),
        "bbox_full": columns.boxes(columns.outward_float32(whole_boxes)),
        "geometry": columns.outlines(outlines),
        "mask_area_px": columns.numbers(shapely.area(outlines).astype(np.float32)),
        "visible_fraction": columns.numbers((seen / whole).astype(np.float32)),
        "height_px": columns.numbers((boxes[:, 3] - boxes[:, 1]).astype(np.float32)),
        "truncated": columns.numbers(_beyond_frame(camera, whole_boxes)),
        "foot_x": columns.numbers(feet[:, 0].astype(np.float32)),
        "foot_y": columns.numbers(feet[:, 1].astype(np.float32)),
        "silhouette_area_px": columns.numbers((whole / SUPERSAMPLE**2).astype(np.float32)),
        "amodal_geometry": columns.outlines(_geometries(row.amodal_outline for row in rows)),
        "mask_window": pa.array(windows, type=TRUTH_SCHEMA.field("mask_window").type),
        "visible_rle": pa.array([row.visible_rle for row in rows], type=pa.list_(pa.uint32())),
        "amodal_rle": pa.array([row.amodal_rle for row in rows], type=pa.list_(pa.uint32())),
    }


def _geometries(outlines: Iterator[shapely.Geometry]) -> GeometryArray:
    return np.array(list(outlines), dtype=np.object_)


def _corners(window: ImageWindow) -> list[int]:
    return [window.left, window.top, window.left + window.width, window.top + window.height]


def _beyond_frame(camera: SceneCamera, boxes: Float64Array) -> BoolArray:
    size = np.array([camera.width, camera.height])
    return np.asarray((boxes[:, :2] < 0.0).any(axis=1) | (boxes[:, 2:] > size).any(axis=1))


def _keys(request: SceneRequest, body: BodyModel, count: int) -> dict[str, pa.Array]:
    return {
        "scene_id": pa.repeat(pa.scalar(request.scene_id), count),
        "frame_id": pa.repeat(pa.scalar(0, pa.int32()), count),
        "time_s": pa.nulls(count, pa.float64()),
        "person_id": pa.array(np.arange(count, dtype=np.int64)),
        "body_model": pa.repeat(pa.scalar(body.name), count),
        "betas_source": pa.repeat(pa.scalar("truth"), count),
        "focal_source": pa.repeat(pa.scalar("truth"), count),
    }


def _body_columns(facts: SceneFacts, people: Int64Array) -> dict[str, pa.Array]:
    rotations = matrix_to_axis_angle(torch.tensor(facts.rotmats[people])).numpy().astype(np.float32)
    return {
        "global_orient": columns.vectors(rotations[:, 0]),
        "body_pose": columns.vectors(rotations[:, 1:]),
        "betas": columns.vectors(facts.betas[people]),
        "height_m": columns.numbers(facts.standing_m[people]),
        "pose_kind": pa.array([facts.kinds[person] for person in people.tolist()], type=pa.string()),
        "child": columns.numbers(facts.child[people]),
    }


def _place_columns(facts: SceneFacts, people: Int64Array, joints_seen: BoolArray) -> dict[str, pa.Array]:
    camera = facts.camera
    joints = facts.joints_m[people]
    pixels = camera.project(joints)
    inside = ((pixels >= 0) & (pixels < [camera.width, camera.height])).all(axis=-1)
    joints2d = np.concatenate([pixels, (joints_seen & inside)[..., None]], axis=-1).astype(np.float32)
    ground = joints[:, 0].astype(np.float64) @ camera.world_to_camera
    count = len(people)
    return {
        "focal_px": pa.repeat(pa.scalar(camera.focal_px, pa.float32()), count),
        "principal_x": pa.repeat(pa.scalar(camera.principal_xy[0], pa.float32()), count),
        "principal_y": pa.repeat(pa.scalar(camera.principal_xy[1], pa.float32()), count),
        "transl": columns.vectors(facts.transl_m[people]),
        "ground_x": columns.numbers(ground[:, 0].astype(np.float32)),
        "ground_y": columns.numbers(ground[:, 2].astype(np.float32)),
        "joints2d": columns.vectors(joints2d),
        "joints3d": columns.vectors((joints - joints[:, :1]).astype(np.float32)),
        "depth_m": columns.numbers(joints[:, 0, 2]),
    }


def _metadata(
    request: SceneRequest, facts: SceneFacts, body: BodyModel, geometries: GeometryArray
) -> dict[bytes, bytes]:
    mili = TruthMetadata(
        package_version=version("mili"),
        generator_version=GENERATOR_VERSION,
        seed=request.seed,
        preset=request.preset,
        body_name=body.name,
        body_sha256=body.sha256,
        frame_width=request.width,
        frame_height=request.height,
        supersample=SUPERSAMPLE,
        ground=GroundFit(unit="m", horizon_row_px=facts.camera.horizon_y, inlier_share=1.0),
    )
    return {
        METADATA_KEY: json.dumps(mili.model_dump(mode="json"), sort_keys=True).encode(),
        b"geo": geoparquet_metadata(geometries),
    }
