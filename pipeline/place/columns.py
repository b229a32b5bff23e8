"""Where people are, as columns of the people table and words of its metadata."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from pipeline import columns
from pipeline.place.types import Placement
from pipeline.types import Int64Array
from schemas.people import PEOPLE_SCHEMA, GroundFit, null_column

_CAMERA = ("focal_px", "principal_x", "principal_y", "focal_source")
_PLACE = ("transl", "ground_x", "ground_y")


def place_columns(placement: Placement | None, order: Int64Array) -> dict[str, pa.Array]:
    """Gives the columns of the scene camera and of everybody's place in it, people in the given order (N,)."""
    count = len(order)
    if placement is None:
        return {name: null_column(PEOPLE_SCHEMA.field(name).type, count) for name in (*_CAMERA, *_PLACE)}
    if len(placement) != count:
        raise ValueError(f"the placement is of {len(placement)} people, the merge has {count}")
    camera = placement.camera
    numbers = {name: pa.repeat(pa.scalar(getattr(camera, name), pa.float32()), count) for name in _CAMERA[:3]}
    transl, ground = placement.transl_m[order], placement.ground_xy_m[order]
    known = np.asarray(np.isfinite(ground).all(axis=1), dtype=np.bool_)
    return numbers | {
        "focal_source": pa.repeat(pa.scalar(camera.focal_source, pa.string()), count),
        "transl": columns.vectors(transl, np.asarray(np.isfinite(transl).all(axis=1), dtype=np.bool_)),
        "ground_x": columns.numbers(ground[:, 0], known),
        "ground_y": columns.numbers(ground[:, 1], known),
    }


def ground_fit(placement: Placement | None) -> GroundFit | None:
    """Gives what a people file says about the ground, None where it is not known."""
    if placement is None or placement.ground is None:
        return None
    ground = placement.ground
    right, up, ahead = (-side for side in ground.down)
    return GroundFit(
        unit="m",
        horizon_row_px=ground.horizon_row_px(placement.camera),
        inlier_share=ground.inlier_share,
        normal=(right, up, ahead),
        camera_height=ground.camera_height_m,
        scale_source=ground.scale_source,
    )
