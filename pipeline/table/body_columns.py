"""Columns of the body head: of one view each, turned into the scene camera where the person is placed."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import torch

from mili_core.body import matrix_to_axis_angle
from pipeline import columns
from pipeline.place.types import Placement
from pipeline.table.identity import RunIdentity
from pipeline.types import Bodies, Float32Array, Int64Array
from schemas.people import PEOPLE_SCHEMA, null_column


def body_columns(
    bodies: Bodies | None, placement: Placement | None, order: Int64Array, run: RunIdentity
) -> dict[str, pa.Array]:
    """Gives the columns of the body head; `bodies` are those of the rows, or None."""
    count = len(order)
    if bodies is None:
        names = ("global_orient", "body_pose", "betas", "cam_crop", "crop_bbox", "transl_block", "joints3d")
        return {
            name: null_column(PEOPLE_SCHEMA.field(name).type, count)
            for name in (*names, "betas_source", "global_orient_block")
        }
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
