"""The truth table of a synthetic frame, gathered tile by tile from the sample grids that made its pixels."""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import shapely
import torch
from numpy.typing import NDArray

from mili_core.body import matrix_to_axis_angle
from mili_core.synth.effects import HALO_PX
from mili_core.synth.render import Samples, Scene, mask_bounds, rasterise_person
from mili_core.synth.truth import interior, joints_visible
from mili_core.synth.window import ImageWindow, pixel_box
from pipeline import columns
from pipeline.geoparquet import geoparquet_metadata
from pipeline.morton import morton_codes
from pipeline.outlines import mask_outlines
from pipeline.storage import atomic_file
from pipeline.types import BoolArray, Float64Array, GeometryArray, Int64Array
from schemas.people import METADATA_KEY, GroundFit
from schemas.truth import TRUTH_SCHEMA, TruthMetadata, check_truth

SUPERSAMPLE = 2
"""Samples along each side of a px, for colours and truth alike: outlines come out anti-aliased."""

MARGIN_PX = 4_096
"""Silhouettes are counted up to this far beyond the frame; nobody stands so close that more is needed."""


class TruthCollector:
    """Gathers who is seen where while the tiles of a frame are rendered.

    Args:
        scene: the scene that is rendered.
    """

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        people = len(scene.crowd)
        camera = scene.camera
        frame = ImageWindow(0, 0, camera.width, camera.height).scaled(SUPERSAMPLE)
        self._boxes = [pixel_box(corners, frame) for corners in scene.bounds_px.reshape(people, 2, 2) * SUPERSAMPLE]
        self._masks = [
            None if box is None else np.zeros((box.height, box.width), dtype=np.bool_) for box in self._boxes
        ]
        self.joints_seen = np.zeros((people, 24), dtype=np.bool_)

    def add(self, samples: Samples, window: ImageWindow) -> None:
        """Takes in a tile.

        Args:
            samples: its sample grid, HALO_PX pixels larger on each side.
            window: its pixels, without the halo.
        """
        edge = HALO_PX * SUPERSAMPLE
        person = interior(samples.person, edge)
        tile = window.scaled(SUPERSAMPLE)
        for index in np.unique(person[person >= 0]).tolist():
            box, mask = self._boxes[index], self._masks[index]
            assert box is not None
            assert mask is not None
            common = box.common(tile)
            assert common is not None
            mask[common.rows(box), common.columns(box)] = person[common.rows(tile), common.columns(tile)] == index
        self.joints_seen |= joints_visible(self.scene, samples, window.grown(HALO_PX), SUPERSAMPLE)

    def masks(self) -> list[tuple[NDArray[np.bool_], Float64Array] | None]:
        """Gives, for each person, the visible mask cut to its bounds and those bounds (4,) xyxy in frame px."""
        return [
            _cut(mask, box) if box is not None and mask is not None and mask.any() else None
            for box, mask in zip(self._boxes, self._masks, strict=True)
        ]


def _cut(mask: NDArray[np.bool_], box: ImageWindow) -> tuple[NDArray[np.bool_], Float64Array]:
    left, top, right, bottom = mask_bounds(mask)
    bounds = (np.array([left, top, right, bottom], dtype=np.float64) + np.tile(box.origin, 2)) / SUPERSAMPLE
    return mask[top:bottom, left:right], bounds


def write_truth(collector: TruthCollector, path: Path, *, scene_id: str, seed: int, generator_version: int) -> int:
    """Writes the truth of a frame whose tiles have all been collected, whole or not at all, and gives its rows.

    Args:
        collector: the frame.
        path: the Parquet file.
        scene_id: as in the table.
        seed: as in the metadata.
        generator_version: as in the metadata.
    """
    table = truth_table(collector, scene_id=scene_id, seed=seed, generator_version=generator_version)
    with atomic_file(path) as file:
        pq.write_table(table, file, compression="zstd", use_dictionary=["scene_id", "body_model", "focal_source"])
    return int(table.num_rows)


def truth_table(collector: TruthCollector, *, scene_id: str, seed: int, generator_version: int) -> pa.Table:
    """Gives the truth in `TRUTH_SCHEMA`, one row for everybody of whom a sample is seen; arguments as above."""
    scene = collector.scene
    found = [(index, *cut) for index, cut in enumerate(collector.masks()) if cut is not None]
    boxes = np.array([bounds for _, _, bounds in found], dtype=np.float64).reshape(-1, 4)
    feet = np.column_stack([0.5 * (boxes[:, 0] + boxes[:, 2]), boxes[:, 3]])
    order = np.lexsort((*boxes.T[::-1], morton_codes(feet))).astype(np.int64)
    rows = [found[row] for row in order]
    people = np.array([index for index, _, _ in rows], dtype=np.int64)
    boxes, feet = boxes[order], feet[order]
    geometries = _outlines(scene, [mask for _, mask, _ in rows], boxes)
    seen = np.array([mask.sum() for _, mask, _ in rows], dtype=np.int64)
    whole, whole_boxes = _silhouettes(scene, people)
    arrays = _keys(scene, scene_id, len(rows))
    arrays |= {
        "bbox": columns.boxes(columns.outward_float32(boxes)),
        "bbox_full": columns.boxes(columns.outward_float32(whole_boxes)),
        "geometry": columns.outlines(geometries),
        "mask_area_px": columns.numbers(shapely.area(geometries).astype(np.float32)),
        "visible_fraction": columns.numbers((seen / np.maximum(whole, 1)).astype(np.float32)),
        "height_px": columns.numbers((boxes[:, 3] - boxes[:, 1]).astype(np.float32)),
        "truncated": columns.numbers(_beyond_frame(scene, whole_boxes)),
        "silhouette_area_px": columns.numbers((whole / SUPERSAMPLE**2).astype(np.float32)),
        "foot_x": columns.numbers(feet[:, 0].astype(np.float32)),
        "foot_y": columns.numbers(feet[:, 1].astype(np.float32)),
    }
    arrays |= _body_columns(scene, people)
    arrays |= _place_columns(scene, people, collector.joints_seen[people])
    metadata = _metadata(scene, geometries, seed, generator_version)
    schema = TRUTH_SCHEMA.with_metadata(metadata)
    return check_truth(pa.table([arrays[name] for name in schema.names], schema=schema))


def _outlines(scene: Scene, masks: list[NDArray[np.bool_]], boxes: Float64Array) -> GeometryArray:
    """Gives (N,) outlines of visible masks on their boxes, frame px."""
    outlines = np.full(len(masks), None, dtype=np.object_)
    for row, (mask, box) in enumerate(zip(masks, boxes, strict=True)):
        outlines[row] = mask_outlines(
            mask[None].astype(np.float32), box[None].astype(np.float32), scene.camera.width, scene.camera.height
        )[0]
    return outlines


def _silhouettes(scene: Scene, people: Int64Array) -> tuple[Int64Array, Float64Array]:
    """Gives the samples of each whole silhouette (N,) and its bounds (N, 4) in frame px, parts beyond it included."""
    frame = ImageWindow(0, 0, scene.camera.width, scene.camera.height)
    surroundings = frame.grown(MARGIN_PX).scaled(SUPERSAMPLE)
    counts, bounds = np.zeros(len(people), dtype=np.int64), np.zeros((len(people), 4), dtype=np.float64)
    for row, index in enumerate(people.tolist()):
        box = pixel_box(scene.bounds_px[index].reshape(2, 2) * SUPERSAMPLE, surroundings)
        assert box is not None
        raster, _ = rasterise_person(scene, index, box, SUPERSAMPLE)
        covered = raster.ids >= 0
        counts[row] = covered.sum()
        bounds[row] = (mask_bounds(covered) + np.tile(box.origin, 2)) / SUPERSAMPLE
    return counts, bounds


def _beyond_frame(scene: Scene, boxes: Float64Array) -> BoolArray:
    size = np.array([scene.camera.width, scene.camera.height])
    return np.asarray((boxes[:, :2] < 0.0).any(axis=1) | (boxes[:, 2:] > size).any(axis=1))


def _keys(scene: Scene, scene_id: str, count: int) -> dict[str, pa.Array]:
    return {
        "scene_id": pa.repeat(pa.scalar(scene_id), count),
        "frame_id": pa.repeat(pa.scalar(0, pa.int32()), count),
        "time_s": pa.nulls(count, pa.float64()),
        "person_id": pa.array(np.arange(count, dtype=np.int64)),
        "body_model": pa.repeat(pa.scalar(scene.rig.body.name), count),
        "betas_source": pa.repeat(pa.scalar("truth"), count),
        "focal_source": pa.repeat(pa.scalar("truth"), count),
    }


def _body_columns(scene: Scene, people: Int64Array) -> dict[str, pa.Array]:
    crowd = scene.crowd
    rotations = matrix_to_axis_angle(torch.tensor(crowd.rotmats[people])).numpy().astype(np.float32)
    return {
        "global_orient": columns.vectors(rotations[:, 0]),
        "body_pose": columns.vectors(rotations[:, 1:]),
        "betas": columns.vectors(crowd.betas[people]),
        "height_m": columns.numbers(crowd.standing_m[people]),
    }


def _place_columns(scene: Scene, people: Int64Array, joints_seen: BoolArray) -> dict[str, pa.Array]:
    crowd, camera = scene.crowd, scene.camera
    joints = crowd.joints_m[people]
    pixels = camera.project(joints)
    inside = ((pixels >= 0) & (pixels < [camera.width, camera.height])).all(axis=-1)
    joints2d = np.concatenate([pixels, (joints_seen & inside)[..., None]], axis=-1).astype(np.float32)
    ground = joints[:, 0].astype(np.float64) @ camera.world_to_camera
    count = len(people)
    return {
        "focal_px": pa.repeat(pa.scalar(camera.focal_px, pa.float32()), count),
        "principal_x": pa.repeat(pa.scalar(camera.principal_xy[0], pa.float32()), count),
        "principal_y": pa.repeat(pa.scalar(camera.principal_xy[1], pa.float32()), count),
        "transl": columns.vectors(crowd.transl_m[people]),
        "ground_x": columns.numbers(ground[:, 0].astype(np.float32)),
        "ground_y": columns.numbers(ground[:, 2].astype(np.float32)),
        "joints2d": columns.vectors(joints2d),
        "joints3d": columns.vectors((joints - joints[:, :1]).astype(np.float32)),
        "depth_m": columns.numbers(joints[:, 0, 2]),
    }


def _metadata(scene: Scene, geometries: GeometryArray, seed: int, generator_version: int) -> dict[bytes, bytes]:
    camera = scene.camera
    mili = TruthMetadata(
        package_version=version("mili"),
        generator_version=generator_version,
        seed=seed,
        body_name=scene.rig.body.name,
        body_sha256=scene.rig.body.sha256,
        frame_width=camera.width,
        frame_height=camera.height,
        supersample=SUPERSAMPLE,
        ground=GroundFit(unit="m", horizon_row_px=camera.horizon_y, inlier_share=1.0),
    )
    return {
        METADATA_KEY: json.dumps(mili.model_dump(mode="json"), sort_keys=True).encode(),
        b"geo": geoparquet_metadata(geometries),
    }
