"""What placing a frame's people gives: a camera, a ground plane, and people in both."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from mili_core.errors import DetectionError
from pipeline.types import Float32Array, Float64Array

STEEPEST = 1e-6
"""Length of what is left of a camera's axis along the plane, from which on it looks straight down."""

FocalSource = Literal["flag", "metadata", "estimate", "default"]
ScaleSource = Literal["bodies", "standing height"]


@dataclass(frozen=True, slots=True)
class SceneCamera:
    """The pinhole that all people of a frame are placed in: x right, y down, z forward, metres.

    Attributes:
        focal_px: frame px.
        principal_x, principal_y: frame px; the frame's centre.
        focal_source: where focal_px comes from.
        focal_spread: standard error of an estimated focal length as a share of it, else None.
        reason: why the focal length was not estimated where it is the default, else "".
    """

    focal_px: float
    principal_x: float
    principal_y: float
    focal_source: FocalSource
    focal_spread: float | None = None
    reason: str = ""

    def __post_init__(self) -> None:
        if not 0.0 < self.focal_px < math.inf:
            raise DetectionError(f"SceneCamera: focal length is {self.focal_px} px; it must be positive and finite")

    def rays(self, points_frame: Float64Array) -> Float64Array:
        """Gives the directions (..., 3), of depth 1, through points (..., 2) in frame px."""
        flat: Float64Array = (points_frame - (self.principal_x, self.principal_y)) / self.focal_px
        return np.concatenate([flat, np.ones_like(flat[..., :1])], axis=-1)

    def project(self, points_m: Float64Array) -> Float64Array:
        """Gives the frame px (..., 2) of points (..., 3) in camera axes."""
        flat: Float64Array = points_m[..., :2] / points_m[..., 2:] * self.focal_px
        flat += (self.principal_x, self.principal_y)
        return flat


@dataclass(frozen=True, slots=True)
class Ground:
    """The plane that people stand on.

    Attributes:
        down: unit vector in camera axes, square to the plane, from the camera to the ground.
        camera_height_m: distance of the camera from the plane.
        inlier_share: of the people who stand and are seen from head to foot, those who agree with the plane.
        standing: how many those people are.
        tilt_error_rad: standard error of `down`.
        scale_source: "bodies" where the betas' heights agree with what is seen and carry the scale; "standing height"
            where they say nothing, and everybody counts as an adult of ordinary height.
    """

    down: tuple[float, float, float]
    camera_height_m: float
    inlier_share: float
    standing: int
    tilt_error_rad: float
    scale_source: ScaleSource

    @property
    def axes(self) -> Float64Array:
        """Rows (3, 3): right, down and ahead along the plane, unit vectors in camera axes.

        Where the camera looks straight down, ahead is where the frame's top lies.
        """
        down = np.array(self.down, dtype=np.float64)
        ahead = np.array([0.0, 0.0, 1.0]) - down[2] * down
        if not np.linalg.norm(ahead) > STEEPEST:
            ahead = np.array([0.0, -1.0, 0.0]) + down[1] * down
        ahead /= np.linalg.norm(ahead)
        return np.stack([np.cross(down, ahead), down, ahead])

    @property
    def pitch_rad(self) -> float:
        """How far the camera looks down."""
        return math.asin(min(1.0, max(-1.0, self.down[2])))

    @property
    def roll_rad(self) -> float:
        """Of the camera about its axis; positive turns the picture clockwise."""
        return math.atan2(-self.down[0], self.down[1])

    def horizon_row_px(self, camera: SceneCamera) -> float:
        """Gives the row where the horizon crosses the frame's middle column, frame px."""
        return camera.principal_y - camera.focal_px * self.down[2] / self.down[1]


@dataclass(frozen=True, slots=True, eq=False)
class Placement:
    """G people in the scene camera; NaN where a person is not placed.

    Attributes:
        camera: of the frame.
        ground: of the frame, or None where no plane is trusted.
        ground_reason: why there is none, else "".
        root_rotmats: (G, 3, 3) float32 root rotation in the scene camera.
        transl_m: (G, 3) float32: skinned vertices + transl_m lie in the scene camera.
        ground_xy_m: (G, 2) float32 right of and ahead of the point below the camera; NaN without a ground.
        error_px: (G,) float32 root mean square distance of the projected joints from joints2d, frame px.
    """

    camera: SceneCamera
    ground: Ground | None
    ground_reason: str
    root_rotmats: Float32Array
    transl_m: Float32Array
    ground_xy_m: Float32Array
    error_px: Float32Array

    def __post_init__(self) -> None:
        count = len(self.error_px)
        shapes = {"root_rotmats": (count, 3, 3), "transl_m": (count, 3), "ground_xy_m": (count, 2)}
        for name, shape in shapes.items():
            array = getattr(self, name)
            if array.shape != shape or array.dtype != np.float32:
                raise DetectionError(f"Placement.{name} is {array.dtype}{array.shape}, expected float32{shape}")

    def __len__(self) -> int:
        return len(self.error_px)
