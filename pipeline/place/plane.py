"""The ground under a frame's people, and where each of them is on it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from mili_core.body import BodyModel
from pipeline.place.standing import BOTTOM, Lines
from pipeline.place.tilt import Tilt, fit_tilt
from pipeline.place.types import Ground, ScaleSource, SceneCamera
from pipeline.types import BoolArray, Float32Array, Float64Array

STANDING_M = 1.7
"""Height of an ordinary adult: the scale where the bodies' own heights say nothing."""
LEAST_STANDING = 5
LEAST_INLIERS = 0.5
MOST_TILT_ERROR_RAD = math.radians(6.0)
MOST_HEIGHT_ERROR = 0.35
"""Of the camera's height, as a share. A plane is not trusted beyond any of these."""
LEAST_HEIGHT_SPREAD_M = 0.02
"""Standard deviation of the bodies' heights below which they are all one body and say nothing; of adults it is .09."""
BETTER = 0.02
"""Bodies' own heights are given up only for a fit whose cost is less by more than rounding."""

_TOES = (10, 11)


@dataclass(frozen=True, slots=True, eq=False)
class Scaled:
    """Lines with the metres that they are measured in.

    Attributes:
        lines: with their lengths.
        source: of the scale.
        factor: (G,) what each person's metres are multiplied with on the ground.
    """

    lines: Lines
    source: ScaleSource
    factor: Float64Array


def choose_scale(lines: Lines, standing_m: Float32Array, camera: SceneCamera) -> Scaled:
    """Gives the lines in the metres of the bodies, or of an ordinary adult where that explains the frame better.

    Args:
        lines: N of G people.
        standing_m: (G,) standing heights of the bodies.
        camera: with any focal length.
    """
    known = np.isfinite(standing_m) & (standing_m > 0.0)
    factor = np.where(known, STANDING_M / np.where(known, standing_m, STANDING_M), 1.0).astype(np.float64)
    own = Scaled(lines, "bodies", np.ones_like(factor))
    if len(lines) < LEAST_STANDING:
        return own
    ordinary = Scaled(replace(lines, length_m=lines.length_m * factor[lines.rows]), "standing height", factor)
    if np.std(standing_m[lines.rows]) < LEAST_HEIGHT_SPREAD_M:
        return ordinary
    focal = np.array([camera.focal_px])
    costs = [fit_tilt(each.lines, camera, focal, free_focal=False).cost for each in (own, ordinary)]
    return ordinary if costs[1] < costs[0] - BETTER else own


def fit_ground(
    scaled: Scaled, camera: SceneCamera, joints_m: Float64Array, placed: BoolArray, body: BodyModel
) -> tuple[Ground | None, Tilt | None, str]:
    """Gives the ground, the fit behind it, and, where there is none, why.

    Args:
        scaled: who stands.
        camera: of the frame.
        joints_m: (G, 24, 3) in the scene camera.
        placed: (G,) whose body stands where its joints are seen; the others tell nothing of the height.
        body: whose joints they are.
    """
    lines = scaled.lines
    if len(lines) < LEAST_STANDING:
        return None, None, f"{len(lines)} people stand and are seen whole; {LEAST_STANDING} are needed"
    tilt = fit_tilt(lines, camera, np.array([camera.focal_px]), free_focal=False)
    rows = lines.rows[tilt.inlier]
    rows = rows[placed[rows]]
    if doubt := _doubt(tilt, len(rows)):
        return None, None, doubt
    # The lines say how the plane lies, whole bodies how far away it is: they are not shortened where they are tilted.
    ankles_m = joints_m[rows][:, BOTTOM].mean(axis=1) @ tilt.down * scaled.factor[rows]
    tilt = replace(tilt, height_m=float(np.median(ankles_m)))
    height = tilt.height_m + float(np.median(_below_ankles(joints_m[rows], tilt.down, body) * scaled.factor[rows]))
    if not height > 0.0:
        return None, None, "the camera would lie under it"
    down = tilt.down.tolist()
    share = float(tilt.inlier.mean())
    ground = Ground((down[0], down[1], down[2]), height, share, len(lines), _tilt_error_rad(tilt), scaled.source)
    return ground, tilt, ""


def _doubt(tilt: Tilt, placed: int) -> str:
    """Gives why a plane is not trusted, "" where it is; `placed` counts who agrees with it and can be placed."""
    share, tilt_error = float(tilt.inlier.mean()), _tilt_error_rad(tilt)
    if share < LEAST_INLIERS:
        return f"only {share:.0%} of those who stand agree on one plane"
    if not tilt_error <= MOST_TILT_ERROR_RAD:
        return f"its tilt is known to {min(math.degrees(tilt_error), 99.0):.0f} degrees only"
    if not tilt.error[3] <= MOST_HEIGHT_ERROR:
        return f"the camera's height is known to {min(float(tilt.error[3]), 9.99):.0%} only"
    if placed < LEAST_STANDING:
        return f"of those who agree on one plane only {placed} can be placed; {LEAST_STANDING} are needed"
    return ""


def _tilt_error_rad(tilt: Tilt) -> float:
    return float(np.hypot(*tilt.error[1:3]))


def on_ground(
    ground: Ground, tilt: Tilt, scaled: Scaled, camera: SceneCamera, pelvis_m: Float64Array, placed: BoolArray
) -> Float32Array:
    """Gives (G, 2) metres right of and ahead of the point below the camera, NaN for those who are not placed.

    Where bodies carry the scale, pelvises are dropped square to the plane. Else who agrees with the plane stands where
    the ray through the ankles meets it, and others where a body of ordinary height would be.

    Args:
        ground: the plane.
        tilt: the fit behind it.
        scaled: who stands.
        camera: of the frame.
        pelvis_m: (G, 3) in the scene camera.
        placed: (G,).
    """
    points = pelvis_m * scaled.factor[:, None]
    if ground.scale_source == "standing height":
        rows = scaled.lines.rows[tilt.inlier]
        rays = camera.rays(scaled.lines.bottom_px[tilt.inlier])
        points[rows] = rays * (tilt.height_m / (rays @ tilt.down))[:, None]
    xy = points @ ground.axes[[0, 2]].T
    xy[~placed] = np.nan
    return xy.astype(np.float32)


def _below_ankles(joints_m: Float64Array, down: Float64Array, body: BodyModel) -> Float64Array:
    """Gives (K,) how far below the middle of the ankles bodies touch the ground, metres."""
    rest = body.j_regressor[[*BOTTOM, *_TOES]] @ body.v_template[:, 1] - body.v_template[:, 1].min()
    lowest = (joints_m[:, [*BOTTOM, *_TOES]] @ down + rest).max(axis=1)
    below: Float64Array = lowest - (joints_m[:, BOTTOM] @ down).mean(axis=1)
    return below
