"""What follows from the chosen bodies: full bounds and silhouette area in the frame, standing height.

Each body is skinned and projected in the virtual camera of the block that it was chosen from; vertices are never kept.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from mili_core.body import BodyModel, SkinnedBody, virtual_camera
from mili_core.errors import DetectionError
from mili_core.raster import rasterise
from mili_core.raster.contract import NEAR_M, Backend
from pipeline.geometry import to_frame
from pipeline.types import Block, Bodies, Float32Array, Float64Array, Int64Array, MergeResult, SceneDetections

SILHOUETTE_SIDE = 128
"""Px of the longer side of the canvas that silhouettes are measured on: a person's area is then right to about 1 %,
far finer than the masks that it is compared with, and rasterising stays cheaper than skinning."""

BATCH_SIZE = 32
"""Bodies skinned at once: 32 x 6890 vertices with their transforms take some 20 MB."""


@dataclass(frozen=True, slots=True, eq=False)
class DerivedColumns:
    """Derived values of G chosen people; NaN means unknown and becomes null in the table.

    Attributes:
        bbox_full_frame: (G, 4) float64 bounds of the projected body, frame px, hidden and outside parts included.
        silhouette_area_px: (G,) float64 area of the projected body, frame px squared, likewise.
        height_m: (G,) float32 standing height, metres.
    """

    bbox_full_frame: Float64Array
    silhouette_area_px: Float64Array
    height_m: Float32Array

    def __post_init__(self) -> None:
        count = len(self.height_m)
        shapes = {"bbox_full_frame": (count, 4), "silhouette_area_px": (count,)}
        for name, shape in shapes.items():
            if getattr(self, name).shape != shape:
                raise DetectionError(f"DerivedColumns.{name} is {getattr(self, name).shape}, expected {shape}")

    def __len__(self) -> int:
        return len(self.height_m)

    @staticmethod
    def unknown(count: int) -> DerivedColumns:
        """Gives columns of `count` people of whom nothing is known."""
        return DerivedColumns(
            np.full((count, 4), np.nan, dtype=np.float64),
            np.full(count, np.nan, dtype=np.float64),
            np.full(count, np.nan, dtype=np.float32),
        )


def derive(
    views: SceneDetections,
    merge: MergeResult,
    blocks: Sequence[Block],
    body: BodyModel | None,
    *,
    backend: Backend = "auto",
) -> DerivedColumns:
    """Gives the derived columns of the chosen people, in the order of `merge.chosen`.

    Args:
        views: all views.
        merge: its G chosen views.
        blocks: what `views.block_index` points into.
        body: the body that the betas belong to; None gives all unknown, as do views without bodies.
        backend: of the rasteriser.
    """
    if views.bodies is None or body is None:
        return DerivedColumns.unknown(len(merge.chosen))
    bodies = views.bodies.take(merge.chosen)
    block_index = views.block_index[merge.chosen]
    skinned = SkinnedBody(body)
    derived = DerivedColumns.unknown(len(bodies))
    for start in range(0, len(bodies), BATCH_SIZE):
        rows = np.arange(start, min(start + BATCH_SIZE, len(bodies)), dtype=np.int64)
        vertices = _vertices_in_camera(skinned, bodies.take(rows))
        for row, vertices_m in zip(rows, vertices, strict=True):
            if not vertices_m[:, 2].min() > NEAR_M:
                continue  # a part beside or behind the camera has no projection
            points = _project(vertices_m, blocks[block_index[row]])
            derived.bbox_full_frame[row] = *points.min(axis=0), *points.max(axis=0)
            derived.silhouette_area_px[row] = silhouette_area(points, vertices_m[:, 2], body.faces, backend=backend)
    derived.height_m[:] = standing_heights(body, bodies.betas)
    return derived


def standing_heights(body: BodyModel, betas: Float32Array) -> Float32Array:
    """Gives the heights (N,) in metres, crown to sole, of bodies of shape `betas` (N, 10) that stand upright."""
    rest_y = body.v_template[:, 1] + betas @ body.shapedirs[:, 1].T
    return np.asarray(rest_y.max(axis=1) - rest_y.min(axis=1), dtype=np.float32)


def rest_pelvises(body: BodyModel, betas: Float32Array) -> Float64Array:
    """Gives the pelvises (N, 3) in metres of bodies of shape `betas` (N, 10), the point that root rotations turn about.

    A body whose pelvis is to be at a point has the translation: point - rest pelvis.
    """
    regressor = body.j_regressor[0].astype(np.float64)
    pelvises: Float64Array = regressor @ body.v_template + betas @ np.tensordot(regressor, body.shapedirs, axes=1).T
    return pelvises


def silhouette_area(
    points: Float64Array, depth_m: Float32Array, faces: Int64Array, *, backend: Backend = "auto"
) -> float:
    """Gives the area that a projected mesh covers, in the square of the points' unit (NaN where it has no extent).

    Args:
        points: (V, 2) projected vertices.
        depth_m: (V,) their depths, beyond the near plane.
        faces: (F, 3).
        backend: of the rasteriser.
    """
    low = points.min(axis=0)
    extent = points.max(axis=0) - low
    longest = float(extent.max())
    if not 0.0 < longest < math.inf:
        return math.nan
    scale = SILHOUETTE_SIDE / longest
    width, height = (max(1, math.ceil(side * scale)) for side in extent.tolist())
    canvas = np.column_stack([(points - low) * scale, depth_m]).astype(np.float32)
    covered = np.count_nonzero(rasterise(canvas, faces, width, height, backend=backend).ids >= 0)
    return covered / scale**2


def _vertices_in_camera(skinned: SkinnedBody, bodies: Bodies) -> Float32Array:
    """Gives the vertices (N, V, 3), metres, in each body's own virtual camera."""
    with torch.inference_mode():
        vertices, _ = skinned(torch.tensor(bodies.betas), torch.tensor(bodies.rotmats))
        placed = vertices + torch.tensor(bodies.transl_block_m)[:, None]
    return np.asarray(placed.numpy(), dtype=np.float32)


def _project(vertices_m: Float32Array, block: Block) -> Float64Array:
    """Gives the frame px (V, 2) of vertices (V, 3) in the block's virtual camera."""
    camera = virtual_camera(block.grid.raster_width, block.grid.raster_height)
    points = vertices_m.astype(np.float64)
    raster = points[:, :2] / points[:, 2:] * camera.focal_px + (camera.principal_x, camera.principal_y)
    return to_frame(block.grid, raster)
