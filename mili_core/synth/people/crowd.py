"""People on a ground plane: who they are, how they stand, where."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from mili_core.synth.camera import STANDING_M, SceneCamera
from mili_core.synth.people.persona import Personas
from mili_core.synth.people.upright import Upright
from mili_core.synth.poses.skeleton import Float64Array

Float32Array = NDArray[np.float32]
Real = TypeVar("Real", np.float32, np.float64)

_CANDIDATES = 4000
_ROUNDS = 12

COMPANY = 0.45
"""Share of people who stand or walk beside somebody: crowds come in twos and threes."""

COMPANY_M = (0.5, 1.1)
"""How far they are from each other."""


@dataclass(frozen=True, slots=True, eq=False)
class Crowd:
    """P people in camera axes (x right, y down, z forward, metres).

    Attributes:
        rotmats: (P, 24, 3, 3) float32, root leads from the body's rest axes to camera axes.
        betas: (P, 10) float32.
        transl_m: (P, 3) float32: skinned vertices + transl_m = vertices in camera axes.
        joints_m: (P, 24, 3) float32.
        standing_m: (P,) float32 height of each body in its rest pose.
        kinds: P names of poses.
        child: (P,) bool.
    """

    rotmats: Float32Array
    betas: Float32Array
    transl_m: Float32Array
    joints_m: Float32Array
    standing_m: Float32Array
    kinds: tuple[str, ...]
    child: NDArray[np.bool_]

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


@dataclass(frozen=True, slots=True, eq=False)
class Spots:
    """Ground points of people.

    Attributes:
        ground_m: (P, 2) x, z, world axes.
        beside: (P,) int64 the person whose company each one keeps, an earlier one, or themselves.
    """

    ground_m: Float64Array
    beside: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.ground_m)


def draw_spots(
    rng: np.random.Generator,
    camera: SceneCamera,
    people: int,
    placement: Placement,
    walkable: Callable[[Float64Array], NDArray[np.bool_]],
) -> Spots:
    """Gives up to `people` ground points, apart from each other, sizes log-uniform; fewer when they do not fit.

    Args:
        rng: source of all randomness.
        camera: camera.
        people: how many are wanted.
        placement: where they may stand.
        walkable: tells of ground points (K, 2) whether one may stand there.
    """
    chosen, beside = np.zeros((people, 2)), np.zeros(people, dtype=np.int64)
    count = 0
    for _ in range(_ROUNDS):
        for spot in _candidates(rng, camera, placement, walkable):
            if count == people:
                break
            company = count > 0 and rng.random() < COMPANY
            here = _near(rng, chosen[count - 1]) if company else spot
            if company and not _allowed(camera, placement, here[None], walkable)[0]:
                company, here = False, spot
            if count == 0 or np.hypot(*(chosen[:count] - here).T).min() >= placement.gap_m:
                chosen[count], beside[count] = here, beside[count - 1] if company else count
                count += 1
    return Spots(chosen[:count], beside[:count])


def _near(rng: np.random.Generator, spot: Float64Array) -> Float64Array:
    turn, far = rng.uniform(0.0, 2.0 * np.pi), rng.uniform(*COMPANY_M)
    beside: Float64Array = spot + far * np.array([np.cos(turn), np.sin(turn)])
    return beside


def headings(rng: np.random.Generator, spots: Spots, kinds: Sequence[str]) -> Float64Array:
    """Gives (P,) radians about the vertical, 0 towards the camera: company walks the same way or faces each other."""
    yaw = rng.uniform(-np.pi, np.pi, len(spots))
    for person, leader in enumerate(spots.beside.tolist()):
        if leader == person:
            continue
        if kinds[person] == kinds[leader] and kinds[person] in MOVING:
            yaw[person] = yaw[leader] + rng.normal(0.0, 0.15)
        elif kinds[person] not in MOVING:
            across = spots.ground_m[leader] - spots.ground_m[person]
            yaw[person] = np.arctan2(across[0], -across[1]) + rng.normal(0.0, 0.5)
    return yaw


MOVING = frozenset({"walk", "run", "cycle", "push", "push_pram", "carry"})
"""Poses of people on their way."""


def _candidates(
    rng: np.random.Generator,
    camera: SceneCamera,
    placement: Placement,
    walkable: Callable[[Float64Array], NDArray[np.bool_]],
) -> Float64Array:
    """Gives (K, 2) ground points whose person would have an allowed size and lie enough inside the image."""
    heights = np.exp(rng.uniform(np.log(placement.min_height_px), np.log(placement.max_height_px), _CANDIDATES))
    depth = camera.focal_px * STANDING_M * np.cos(camera.pitch_rad) / heights
    # The depth along the optical axis of a ground point at distance z ahead is y sin(pitch) + z cos(pitch).
    ahead = (depth - camera.height_m * np.sin(camera.pitch_rad)) / np.cos(camera.pitch_rad)
    half_width = depth * camera.width / (2.0 * camera.focal_px) + 0.3
    spots = np.stack([rng.uniform(-1.0, 1.0, _CANDIDATES) * half_width, ahead], axis=1)
    chosen: Float64Array = spots[_allowed(camera, placement, spots, walkable)]
    return chosen


def _allowed(
    camera: SceneCamera,
    placement: Placement,
    spots: Float64Array,
    walkable: Callable[[Float64Array], NDArray[np.bool_]],
) -> NDArray[np.bool_]:
    """Gives (K,) whether a standing adult at ground points (K, 2) has an allowed size and place."""
    boxes = approximate_boxes(camera, spots)
    height = boxes[:, 3] - boxes[:, 1]
    # A tilted or rolled camera sees a person a little shorter or taller than the wish says.
    sized = (height >= 0.9 * placement.min_height_px) & (height <= 1.2 * placement.max_height_px)
    inside = _inside_share(boxes, camera.width, camera.height) >= placement.inside
    allowed: NDArray[np.bool_] = (spots[:, 1] > NEAREST_M) & sized & inside & walkable(spots)
    return allowed


NEAREST_M = 0.5
"""Nobody stands nearer ahead of the camera than this."""


def approximate_boxes(camera: SceneCamera, spots: Float64Array) -> Float64Array:
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


def place(
    camera: SceneCamera,
    upright: Upright,
    rotmats: Float32Array,
    personas: Personas,
    kinds: Sequence[str],
    ground_m: Float64Array,
) -> Crowd:
    """Gives the crowd of upright bodies set on ground points.

    Args:
        camera: camera.
        upright: the posed bodies.
        rotmats: (P, 24, 3, 3) in the bodies' own y-up axes.
        personas: their shapes.
        kinds: P names of poses.
        ground_m: (P, 2) ground points x, z below the pelvis, world axes.
    """
    turn = camera.body_to_camera
    rotated = rotmats.copy()
    rotated[:, 0] = turn @ rotmats[:, 0]
    joints = np.zeros_like(upright.joints_m)
    pelvis = np.zeros((len(ground_m), 3))
    for person, spot in enumerate(ground_m):
        joints[person] = on_stage(camera, upright.joints_m[person], spot)
        pelvis[person] = on_stage(camera, upright.joints_m[person, :1].astype(np.float64), spot)[0]
    return Crowd(
        rotmats=rotated.astype(np.float32),
        betas=personas.betas,
        # The pelvis is the fixed point of the root rotation.
        transl_m=(pelvis - upright.rest_pelvis_m).astype(np.float32),
        joints_m=joints,
        standing_m=upright.standing_m,
        kinds=tuple(kinds),
        child=personas.child,
    )


def on_stage(camera: SceneCamera, points_m: NDArray[Real], spot: Float64Array) -> NDArray[Real]:
    """Gives points (N, 3) from a person's upright axes (ground y = 0, pelvis above the origin) to camera axes."""
    origin = np.array([spot[0], camera.height_m, spot[1]])
    staged = (points_m.astype(np.float64) * [1.0, -1.0, -1.0] + origin) @ camera.world_to_camera.T
    result: NDArray[Real] = staged.astype(points_m.dtype)
    return result
