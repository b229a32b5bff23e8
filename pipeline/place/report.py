"""What the manifest says about a frame's camera."""

from __future__ import annotations

import math

import numpy as np

from pipeline.place.types import Ground, Placement
from schemas.manifest import Camera, GroundPlane


def camera_entry(placement: Placement) -> Camera:
    """Gives the part of the manifest about the camera and the ground."""
    camera, error_px = placement.camera, placement.error_px[np.isfinite(placement.error_px)]
    return Camera(
        focal_px=camera.focal_px,
        focal_source=camera.focal_source,
        focal_spread=camera.focal_spread,
        focal_reason=camera.reason,
        principal_x=camera.principal_x,
        principal_y=camera.principal_y,
        placed=len(error_px),
        reprojection_px=float(np.median(error_px)) if len(error_px) else None,
        ground=None if placement.ground is None else _plane(placement.ground),
        ground_reason=placement.ground_reason,
    )


def _plane(ground: Ground) -> GroundPlane:
    right, up, ahead = (-side for side in ground.down)
    return GroundPlane(
        normal=(right, up, ahead),
        camera_height_m=ground.camera_height_m,
        pitch_deg=math.degrees(ground.pitch_rad),
        roll_deg=math.degrees(ground.roll_rad),
        tilt_error_deg=math.degrees(ground.tilt_error_rad),
        standing=ground.standing,
        inlier_share=ground.inlier_share,
        scale_source=ground.scale_source,
    )
