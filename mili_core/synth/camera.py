"""The camera of a synthetic scene: a pinhole above one flat ground plane."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mili_core.synth.poses.skeleton import axis_rotation

Float64Array = NDArray[np.float64]

STANDING_M = 1.7
"""Height of an ordinary adult: turns a wish in px into a camera height."""


@dataclass(frozen=True, slots=True)
class SceneCamera:
    """A pinhole with its principal point in the image centre, looking ahead and down by `pitch_rad`, then rolled.

    World axes are those of the camera before pitching and rolling: x right, y down, z ahead along the ground, origin in
    the camera's centre; the ground is the plane y = height_m. A camera with a heading sees them turned.

    Attributes:
        width, height: px.
        focal_px: px.
        pitch_rad: positive looks down.
        height_m: of the camera over the ground.
        roll_rad: about the optical axis; positive turns the picture clockwise.
        heading_rad: turn of the world axes about the vertical, counter-clockwise seen from above: at a quarter turn x
            leads ahead. 0 for the axes of a scene; a place has its own.
    """

    width: int
    height: int
    focal_px: float
    pitch_rad: float
    height_m: float
    roll_rad: float = 0.0
    heading_rad: float = 0.0

    @property
    def principal_xy(self) -> Float64Array:
        """(2,) px."""
        return np.array([self.width / 2.0, self.height / 2.0], dtype=np.float64)

    @property
    def world_to_camera(self) -> Float64Array:
        """(3, 3) rotation."""
        turned = axis_rotation(np.asarray(self.roll_rad), 2) @ axis_rotation(np.asarray(self.pitch_rad), 0)
        if self.heading_rad == 0.0:
            return turned
        return turned @ axis_rotation(np.asarray(-self.heading_rad), 1)

    @property
    def body_to_camera(self) -> Float64Array:
        """(3, 3) rotation from a body's axes (y up, facing +z = towards the camera) to camera axes."""
        return self.world_to_camera @ np.diag([1.0, -1.0, -1.0])

    @property
    def horizon_y(self) -> float:
        """Image row, px, where the ground's vanishing line crosses the middle column; may lie outside the image."""
        return self.height / 2.0 - self.focal_px * float(np.tan(self.pitch_rad) / np.cos(self.roll_rad))

    def project(self, points_camera: NDArray[np.floating]) -> Float64Array:
        """Gives (..., 2) px of points (..., 3) in camera axes, metres, in front of the camera."""
        points = points_camera.astype(np.float64)
        pixels: Float64Array = points[..., :2] / points[..., 2:] * self.focal_px + self.principal_xy
        return pixels

    def to_camera(self, points_world: NDArray[np.floating]) -> Float64Array:
        """Gives camera-axes points (..., 3) of world points (..., 3)."""
        turned: Float64Array = points_world.astype(np.float64) @ self.world_to_camera.T
        return turned

    def rays_world(self, xs_px: Float64Array, ys_px: Float64Array) -> Float64Array:
        """Gives world directions (..., 3), unit depth along the optical axis, through image points."""
        directions = np.stack(
            [
                (xs_px - self.principal_xy[0]) / self.focal_px,
                (ys_px - self.principal_xy[1]) / self.focal_px,
                np.ones_like(xs_px),
            ],
            axis=-1,
        )
        return directions @ self.world_to_camera


def camera_over_ground(
    width: int, height: int, *, focal_px: float, horizon: float, bottom_height: float, roll_rad: float = 0.0
) -> SceneCamera:
    """Gives the camera that sees the horizon at a row and people of a given height at its bottom edge.

    Args:
        width: px.
        height: px.
        focal_px: px.
        horizon: row of the horizon as a share of the image height, below 1.
        bottom_height: height, as a share of the image height, of a standing adult at the bottom edge.
        roll_rad: as in SceneCamera; horizon and heights hold in the middle column.
    """
    pitch = float(np.arctan2(0.5 * height - horizon * height, focal_px))
    # On the ground, px height / (foot row - horizon row) = person height / camera height.
    camera_height = STANDING_M * (1.0 - horizon) / bottom_height
    return SceneCamera(width, height, focal_px, pitch, camera_height, roll_rad)


@dataclass(frozen=True, slots=True)
class CameraRanges:
    """From what cameras are drawn; each pair is the least and the greatest value.

    Attributes:
        horizon: row of the horizon as a share of the image height; below 0 it lies above the image.
        bottom_height: height of a standing adult at the bottom edge as a share of the image height, log-uniform.
        focal: focal length as a share of the longer side.
        roll_deg: standard deviation of the roll, degrees.
    """

    horizon: tuple[float, float]
    bottom_height: tuple[float, float]
    focal: tuple[float, float]
    roll_deg: float


def draw_camera(rng: np.random.Generator, width: int, height: int, ranges: CameraRanges) -> SceneCamera:
    """Gives a random camera."""
    horizon = rng.uniform(*ranges.horizon)
    bottom_height = float(np.exp(rng.uniform(*np.log(ranges.bottom_height))))
    focal_px = max(width, height) * rng.uniform(*ranges.focal)
    roll = np.deg2rad(rng.normal(0.0, ranges.roll_deg))
    return camera_over_ground(
        width, height, focal_px=focal_px, horizon=horizon, bottom_height=bottom_height, roll_rad=float(roll)
    )
