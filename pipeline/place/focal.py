"""The focal length of a frame: told, read from the file, found from how people lean, or taken for ordinary."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from mili_core.errors import ConfigError
from pipeline.place.standing import Lines
from pipeline.place.tilt import Tilt, fit_tilt
from pipeline.place.types import SceneCamera
from pipeline.types import FrameRef

DEFAULT_FOCAL_SHARE = 1.0
"""Of the frame's longer side, a view of 53 degrees: midway between telephones (.72) and 50 mm lenses (1.39)."""
FIELD_OF_VIEW_DEG = (20.0, 135.0)
"""Between these an estimate is looked for."""
FOCAL_STARTS = 8

LEAST_STANDING = 40
"""Fewer people who stand leave the estimate to chance: each leans by some 3 degrees of his own."""
LEAST_INLIERS = 0.6
"""Share of those who stand; below it the ground is not one plane."""
PITCH_DEG = (8.5, 43.0)
"""Looking straight ahead nobody leans; looking down steeply people are seen as heads and shoulders. An estimate is to
be right from 10 to 40 degrees; the margins are the estimate's own error."""
MOST_SPREAD = 0.2
"""Standard error of the estimate as a share of it."""


def told_camera(frame: FrameRef, flag_px: float | None = None) -> SceneCamera:
    """Gives the camera of a frame before anybody is looked at; its principal point is the frame's centre.

    Args:
        frame: the frame.
        flag_px: focal length that the user knows, frame px; it goes before the file's.

    Raises:
        ConfigError: flag_px is not positive and finite.
    """
    check_focal_px(flag_px)
    default = DEFAULT_FOCAL_SHARE * max(frame.width, frame.height)
    camera = SceneCamera(default, frame.width / 2.0, frame.height / 2.0, "default", reason="nobody is placed")
    if flag_px is not None:
        return replace(camera, focal_px=float(flag_px), focal_source="flag", reason="")
    if frame.focal_px is not None and 0.0 < frame.focal_px < math.inf:
        return replace(camera, focal_px=float(frame.focal_px), focal_source="metadata", reason="")
    return camera


def scene_camera(frame: FrameRef, told: SceneCamera, lines: Lines) -> SceneCamera:
    """Gives the camera of a frame, its focal length estimated where nobody told it and the estimate can be trusted.

    Args:
        frame: the frame.
        told: from `told_camera`.
        lines: of the people who stand.
    """
    if told.focal_source != "default":
        return told
    if len(lines) < LEAST_STANDING:
        return replace(told, reason=f"{len(lines)} people stand and are seen whole; {LEAST_STANDING} are needed")
    tilt = estimate(frame, lines, told)
    reason = distrust(tilt, max(frame.width, frame.height))
    if reason:
        return replace(told, reason=reason)
    spread = float(tilt.error[0])
    return replace(told, focal_px=tilt.focal_px, focal_source="estimate", focal_spread=spread, reason="")


def check_focal_px(focal_px: float | None) -> None:
    """Raises ConfigError for a focal length that cannot be one."""
    if focal_px is not None and not 0.0 < focal_px < math.inf:
        raise ConfigError(f"camera.focal_px is {focal_px}; give the focal length in px of the frame, above 0")


def estimate(frame: FrameRef, lines: Lines, camera: SceneCamera) -> Tilt:
    """Gives the fit of focal length and tilt."""
    half_angles = np.deg2rad(np.geomspace(*FIELD_OF_VIEW_DEG, FOCAL_STARTS)) / 2.0
    starts = 0.5 * max(frame.width, frame.height) / np.tan(half_angles)
    return fit_tilt(lines, camera, starts, free_focal=True)


def distrust(tilt: Tilt, longer_side_px: float) -> str:
    """Gives why an estimated focal length is not used, "" where it is."""
    share = float(tilt.inlier.mean())
    if share < LEAST_INLIERS:
        return f"only {share:.0%} of those who stand agree on one plane"
    view_deg = math.degrees(2.0 * math.atan(0.5 * longer_side_px / tilt.focal_px))
    if not FIELD_OF_VIEW_DEG[0] <= view_deg <= FIELD_OF_VIEW_DEG[1]:
        return f"a field of view of {view_deg:.0f} degrees was estimated"
    pitch_deg = math.degrees(tilt.pitch_rad)
    if not PITCH_DEG[0] <= pitch_deg <= PITCH_DEG[1]:
        return f"the camera seems to look down by {pitch_deg:.0f} degrees, where leaning says little"
    if not tilt.error[0] <= MOST_SPREAD:
        return f"the estimate is off by {min(float(tilt.error[0]), 9.99):.0%} or so"
    return ""
