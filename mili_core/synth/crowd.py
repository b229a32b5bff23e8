"""People on a ground plane: who they are, how they stand, where."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mili_core.synth.camera import STANDING_M, SceneCamera
from mili_core.synth.poses import sample_angles
from mili_core.synth.rig import Rig
from mili_core.synth.skeleton import Float64Array, angles_to_rotmats

Float32Array = NDArray[np.float32]

BETA_LIMIT = 2.5
"""Bodies stay within this many standard deviations of the mean, where the shape space is known to be human."""

_CANDIDATES = 4000
_ROUNDS = 12


@dataclass(frozen=True, slots=True, eq=False)
class Crowd:
    """P people in camera axes (x right, y down, z forward, metres).

    Attributes:
        rotmats: (P, 24, 3, 3) float32, root leads from the body's rest axes to camera axes.
        betas: (P, 10) float32.
        transl_m: (P, 3) float32: skinned vertices + transl_m = vertices in camera axes.
        vertices_m: (P, V, 3) float32.
        joints_m: (P, 24, 3) float32.
        standing_m: (P,) float32 height of each body in its rest pose.
    """

    rotmats: Float32Array
    betas: Float32Array
    transl_m: Float32Array
    vertices_m: Float32Array
    joints_m: Float32Array
    standing_m: Float32Array

    def __len__(self) -> int:
        return len(self.betas)


@dataclass(frozen=True, slots=True)
class Placement:
    """Where people may stand.

    Attributes:
        min_height_px, max_height_px: of a standing adult in the image.
        inside: least share of the approximate box that lies inside the image.
        gap_m: least distance between two people on the ground.
    """

    min_height_px: float
    max_height_px: float
    inside: float
    gap_m: float


def draw_crowd(
    rng: np.random.Generator,
    rig: Rig,
    camera: SceneCamera,
    people: int,
    placement: Placement,
    kinds: Sequence[str] | None = None,
) -> Crowd:
    """Gives up to `people` random bodies in random poses at random places; fewer when they do not fit.

    Args:
        rng: source of all randomness.
        rig: body.
        camera: camera.
        people: how many are wanted.
        placement: where they may stand.
        kinds: names of pose generators to draw from, all when None.
    """
    spots = draw_spots(rng, camera, people, placement)
    angles = sample_angles(rng, len(spots), kinds)
    betas = np.clip(rng.normal(size=(len(spots), 10)), -BETA_LIMIT, BETA_LIMIT).astype(np.float32)
    return place(rig, camera, angles_to_rotmats(angles), betas, spots)


def draw_spots(rng: np.random.Generator, camera: SceneCamera, people: int, placement: Placement) -> Float64Array:
    """Gives up to (people, 2) ground points x, z in metres (world axes), apart from each other, sizes log-uniform."""
    chosen = np.zeros((0, 2), dtype=np.float64)
    for _ in range(_ROUNDS):
        for spot in _candidates(rng, camera, placement):
            if len(chosen) == people:
                return chosen
            if len(chosen) == 0 or np.hypot(*(chosen - spot).T).min() >= placement.gap_m:
                chosen = np.vstack([chosen, spot])
    return chosen


def _candidates(rng: np.random.Generator, camera: SceneCamera, placement: Placement) -> Float64Array:
    """Gives (K, 2) ground points whose person would have an allowed size and lie enough inside the image."""
    heights = np.exp(rng.uniform(np.log(placement.min_height_px), np.log(placement.max_height_px), _CANDIDATES))
    depth = camera.focal_px * STANDING_M * np.cos(camera.pitch_rad) / heights
    # The depth along the optical axis of a ground point at distance z ahead is y sin(pitch) + z cos(pitch).
    ahead = (depth - camera.height_m * np.sin(camera.pitch_rad)) / np.cos(camera.pitch_rad)
    half_width = depth * camera.width / (2.0 * camera.focal_px) + 0.3
    spots = np.stack([rng.uniform(-1.0, 1.0, _CANDIDATES) * half_width, ahead], axis=1)
    boxes = _approximate_boxes(camera, spots)
    kept = (ahead > 0.5) & (_inside_share(boxes, camera.width, camera.height) >= placement.inside)
    chosen: Float64Array = spots[kept]
    return chosen


def _approximate_boxes(camera: SceneCamera, spots: Float64Array) -> Float64Array:
    """Gives (K, 4) xyxy px of upright boxes 1.7 m high and 0.5 m wide."""
    feet = np.stack([spots[:, 0], np.full(len(spots), camera.height_m), spots[:, 1]], axis=1)
    foot, top = camera.to_camera(feet), camera.to_camera(feet - [0.0, STANDING_M, 0.0])
    depth = np.maximum(np.minimum(foot[:, 2], top[:, 2]), 0.1)
    foot[:, 2], top[:, 2] = np.maximum(foot[:, 2], 0.1), np.maximum(top[:, 2], 0.1)
    foot_px, top_px = camera.project(foot), camera.project(top)
    half = 0.25 * camera.focal_px / depth
    centre = 0.5 * (foot_px[:, 0] + top_px[:, 0])
    boxes: Float64Array = np.stack([centre - half, top_px[:, 1], centre + half, foot_px[:, 1]], axis=1)
    return boxes


def _inside_share(boxes: Float64Array, width: int, height: int) -> Float64Array:
    clipped = np.clip(boxes, 0.0, [width, height, width, height])
    sides, whole = clipped[:, 2:] - clipped[:, :2], boxes[:, 2:] - boxes[:, :2]
    share: Float64Array = (sides.prod(axis=1) / np.maximum(whole.prod(axis=1), 1e-9)) * (sides > 0).all(axis=1)
    return share


def place(rig: Rig, camera: SceneCamera, rotmats: Float32Array, betas: Float32Array, spots: Float64Array) -> Crowd:
    """Gives the crowd of given bodies, each set with its lowest vertex on the ground.

    Args:
        rig: body.
        camera: camera.
        rotmats: (P, 24, 3, 3) in the bodies' own y-up axes.
        betas: (P, 10).
        spots: (P, 2) ground points x, z of the pelvis, world metres.
    """
    upright, joints = rig.pose(betas, rotmats)
    turn = camera.body_to_camera
    pelvis = joints[:, 0].astype(np.float64)
    lowest = upright[..., 1].min(axis=1).astype(np.float64)
    # World position of the pelvis; y grows downwards from the camera.
    world = np.stack([spots[:, 0], camera.height_m - (pelvis[:, 1] - lowest), spots[:, 1]], axis=1)
    centre = camera.to_camera(world)
    vertices = (upright - pelvis[:, None]) @ turn.T + centre[:, None]
    skeleton = (joints - pelvis[:, None]) @ turn.T + centre[:, None]
    rotated = rotmats.copy()
    rotated[:, 0] = turn @ rotmats[:, 0]
    rest_y = rig.body.v_template[:, 1:2] + rig.body.shapedirs[:, 1] @ betas.T
    return Crowd(
        rotmats=rotated,
        betas=betas,
        # The pelvis is the fixed point of the root rotation.
        transl_m=(centre - pelvis).astype(np.float32),
        vertices_m=vertices.astype(np.float32),
        joints_m=skeleton.astype(np.float32),
        standing_m=np.ptp(rest_y, axis=0).astype(np.float32),
    )
