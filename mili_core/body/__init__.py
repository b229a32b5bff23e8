"""Bodies in SMPL's layout: the shipped open body, users' SMPL files, skinning, rotations, the virtual camera."""

from __future__ import annotations

from mili_core.body.camera import (
    FOCAL_PX,
    NETWORK_HEIGHT,
    NETWORK_WIDTH,
    VirtualCamera,
    letterbox_scale,
    project,
    translation_from_weak,
    virtual_camera,
)
from mili_core.body.lbs import SkinnedBody
from mili_core.body.load import load_body
from mili_core.body.model import PARENTS, VERTEX_NAMES, BodyModel
from mili_core.body.rotation import axis_angle_to_matrix, matrix_to_axis_angle, matrix_to_rot6d, rot6d_to_matrix

__all__ = [
    "FOCAL_PX",
    "NETWORK_HEIGHT",
    "NETWORK_WIDTH",
    "PARENTS",
    "VERTEX_NAMES",
    "BodyModel",
    "SkinnedBody",
    "VirtualCamera",
    "axis_angle_to_matrix",
    "letterbox_scale",
    "load_body",
    "matrix_to_axis_angle",
    "matrix_to_rot6d",
    "project",
    "rot6d_to_matrix",
    "translation_from_weak",
    "virtual_camera",
]
