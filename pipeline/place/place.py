"""Everybody of a frame in one camera."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mili_core.body import BodyModel
from pipeline.bodies import rest_pelvises, standing_heights
from pipeline.place.focal import scene_camera, told_camera
from pipeline.place.plane import choose_scale, fit_ground, on_ground
from pipeline.place.pose import block_rays, place_joints, turn_to
from pipeline.place.standing import standing_lines
from pipeline.place.types import Placement, SceneCamera
from pipeline.types import (
    Block,
    Bodies,
    BoolArray,
    Float32Array,
    Float64Array,
    FrameRef,
    Int64Array,
    MergeResult,
    SceneDetections,
)


def place(
    frame: FrameRef,
    views: SceneDetections,
    merge: MergeResult,
    blocks: Sequence[Block],
    body: BodyModel | None,
    *,
    focal_px: float | None = None,
) -> Placement:
    """Gives where the chosen people are in the one camera of their frame, in the order of `merge.chosen`.

    Depths of different blocks cannot be compared, joints in frame px and bodies in metres can: each body is put where
    the scene camera sees its joints where they are, turned by what its ray differs from the ray of the block.

    Args:
        frame: the frame; its focal length from metadata counts where focal_px is None.
        views: all views.
        merge: its G chosen views.
        blocks: what `views.block_index` points into.
        body: the body that the betas belong to; None places nobody, as do views without bodies or joints.
        focal_px: of the frame, where the user knows it.

    Raises:
        ConfigError: focal_px is not positive.
    """
    told = told_camera(frame, focal_px)
    if body is None:
        return unplaced(told, len(merge.chosen), "the body of the model's betas is not at hand")
    if views.bodies is None or views.joints2d_frame is None:
        return unplaced(told, len(merge.chosen), "the model gives no bodies")
    bodies = views.bodies.take(merge.chosen)
    usable = _usable(bodies, views.joints2d_frame[merge.chosen])
    joints2d = _numbers(views.joints2d_frame[merge.chosen], usable)
    joints3d = _numbers(bodies.joints3d_m, usable)
    lines = standing_lines(joints2d, joints3d, usable)
    scaled = choose_scale(lines, standing_heights(body, bodies.betas), told)
    camera = scene_camera(frame, told, scaled.lines)
    turn = _turns(joints2d[:, 0, :2], camera, blocks, views.block_index[merge.chosen])
    turn, pelvis_m, error_px, fit = place_joints(joints3d, joints2d, turn, camera)
    placed = usable & fit
    joints_m = joints3d @ turn.transpose(0, 2, 1) + pelvis_m[:, None]
    ground, tilt, reason = fit_ground(scaled, camera, joints_m, placed, body)
    ground_xy_m = np.full((len(placed), 2), np.nan, dtype=np.float32)
    if ground is not None and tilt is not None:
        ground_xy_m = on_ground(ground, tilt, scaled, camera, pelvis_m, placed)
    return Placement(
        camera=camera,
        ground=ground,
        ground_reason=reason,
        root_rotmats=_known(turn @ bodies.rotmats[:, 0], placed),
        transl_m=_known(pelvis_m - rest_pelvises(body, bodies.betas), placed),
        ground_xy_m=ground_xy_m,
        error_px=_known(error_px, placed),
    )


def unplaced(camera: SceneCamera, count: int, reason: str) -> Placement:
    """Gives a placement of `count` people of whom nobody is placed."""
    return Placement(
        camera=camera,
        ground=None,
        ground_reason=reason,
        root_rotmats=np.full((count, 3, 3), np.nan, dtype=np.float32),
        transl_m=np.full((count, 3), np.nan, dtype=np.float32),
        ground_xy_m=np.full((count, 2), np.nan, dtype=np.float32),
        error_px=np.full(count, np.nan, dtype=np.float32),
    )


def _usable(bodies: Bodies, joints2d: Float32Array) -> BoolArray:
    """Gives (G,) whether everything about a person is a number."""
    usable = np.ones(len(joints2d), dtype=np.bool_)
    for values in (joints2d, bodies.joints3d_m, bodies.betas, bodies.rotmats):
        usable &= np.isfinite(values).all(axis=tuple(range(1, values.ndim)))
    return usable


def _turns(roots_px: Float64Array, camera: SceneCamera, blocks: Sequence[Block], index: Int64Array) -> Float64Array:
    """Gives the rotations (G, 3, 3) that keep what is seen when a root's ray in its block becomes that in the scene."""
    seen = turn_to(block_rays(roots_px, blocks, index.tolist()))
    return np.asarray(turn_to(camera.rays(roots_px)) @ seen.transpose(0, 2, 1))


def _numbers(values: Float32Array, usable: BoolArray) -> Float64Array:
    """Gives values (G, 24, 3) with zeros for those who are not usable."""
    return np.where(usable[:, None, None], values, 0.0).astype(np.float64)


def _known(values: Float64Array, known: BoolArray) -> Float32Array:
    """Gives float32 values with NaN for the rows that are not known."""
    return np.where(known.reshape(-1, *[1] * (values.ndim - 1)), values, np.nan).astype(np.float32)
