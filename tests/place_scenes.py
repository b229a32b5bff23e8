"""Crowds before known cameras, as a perfect body head would tell of them block by block."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from mili_core.body import BodyModel, load_body, virtual_camera
from mili_core.synth.camera import SceneCamera
from mili_core.synth.people.persona import draw_personas
from mili_core.synth.people.rig import prepare_rig
from mili_core.synth.people.upright import Upright, stand_up
from mili_core.synth.poses import draw_poses
from mili_core.synth.poses.skeleton import Angle, Joint, angles_to_rotmats
from pipeline.geometry import from_frame, to_frame
from pipeline.place.pose import turn_to
from pipeline.plan import uniform_plan
from pipeline.types import Block, Bodies, FrameRef, MergeResult, SceneDetections
from tests.people_scenes import everyone_alone

Float64Array = NDArray[np.float64]

POOL = 240
STANDING_KINDS = ("stand", "walk")


@dataclass(frozen=True, slots=True, eq=False)
class Pool:
    """People to draw from: half of them stand or walk, half do anything."""

    upright: Upright
    rotmats: NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """A scene with its truth.

    Attributes:
        joints_m: (P, 24, 3) in the scene camera; root_rotmats (P, 3, 3) and transl_m (P, 3) likewise.
        ground_m: (P, 2) right and ahead of the pelvis.
        standing: (P,) who stands or walks.
        joints2d: (P, 24, 2) without noise.
    """

    frame: FrameRef
    camera: SceneCamera
    views: SceneDetections
    merge: MergeResult
    blocks: tuple[Block, ...]
    joints_m: Float64Array
    root_rotmats: Float64Array
    transl_m: Float64Array
    ground_m: Float64Array
    standing: NDArray[np.bool_]
    joints2d: Float64Array


@cache
def body() -> BodyModel:
    return load_body()


@cache
def pool() -> Pool:
    rng = np.random.default_rng(5)
    rig = prepare_rig(body())
    personas = draw_personas(rng, rig, POOL)
    standing, any_kind = draw_poses(rng, POOL // 2, STANDING_KINDS), draw_poses(rng, POOL - POOL // 2)
    angles = np.concatenate([standing.angles, any_kind.angles])
    angles[:, Joint.PELVIS, Angle.YAW] = rng.uniform(-np.pi, np.pi, POOL)
    rotmats = angles_to_rotmats(angles)
    return Pool(stand_up(rig, personas.betas, rotmats, np.concatenate([standing.lift_m, any_kind.lift_m])), rotmats)


def draw_spots(rng: np.random.Generator, camera: SceneCamera, count: int, least_px: float) -> Float64Array:
    """Gives (count, 2) ground points of people who are whole in the frame and at least so tall."""
    found: list[Float64Array] = []
    for _ in range(400):
        feet = rng.uniform([0.0, 0.0], [camera.width, camera.height], (400, 2))
        rays = camera.rays_world(feet[:, 0], feet[:, 1])
        rays = rays[rays[:, 1] > 1e-3]
        spots = rays[:, [0, 2]] * (camera.height_m / rays[:, 1])[:, None]
        low = camera.to_camera(np.column_stack([spots[:, 0], np.full(len(spots), camera.height_m), spots[:, 1]]))
        up = camera.to_camera(np.column_stack([spots[:, 0], np.full(len(spots), camera.height_m - 1.9), spots[:, 1]]))
        fine = (low[:, 2] > 1.0) & (up[:, 2] > 1.0)
        tops, bottoms = (
            camera.project(np.where(fine[:, None], up, 1.0)),
            camera.project(np.where(fine[:, None], low, 1.0)),
        )
        size = np.linalg.norm(tops - bottoms, axis=1)
        fine &= ((tops > 20) & (tops < [camera.width - 20, camera.height - 20])).all(axis=1) & (size >= least_px)
        fine &= size < 0.5 * camera.height
        found.extend(spots[fine])
        if len(found) >= count:
            return np.array(found[:count])
    raise ValueError(f"{len(found)} of {count} people fit before {camera}")


def known_scene(
    camera: SceneCamera,
    people: int,
    seed: int,
    *,
    noise_px: float = 1.0,
    noise_share: float = 0.0,
    standing_share: float = 0.8,
    least_px: float = 60.0,
    spots: Float64Array | None = None,
    poor_betas: bool = False,
    virtual: bool = False,
) -> Known:
    """Gives a crowd before a camera.

    Args:
        camera: of the scene.
        people: how many.
        seed: of the crowd.
        noise_px: of the 2D joints.
        noise_share: of the 2D joints, as a share of the person's height.
        standing_share: of people who stand or walk; the others do anything.
        least_px: height of the smallest.
        spots: (people, 2) ground points, instead of random ones.
        poor_betas: bodies have the mean shape.
        virtual: 2D joints are the bodies', projected by the block's virtual camera, as a network's are.
    """
    rng = np.random.default_rng(seed)
    source = pool()
    spots = draw_spots(rng, camera, people, least_px) if spots is None else spots
    standing = rng.random(people) < standing_share
    who = np.where(standing, rng.integers(0, POOL // 2, people), rng.integers(POOL // 2, POOL, people))
    origin = np.column_stack([spots[:, 0], np.full(people, camera.height_m), spots[:, 1]])
    joints = (source.upright.joints_m[who] * [1.0, -1.0, -1.0] + origin[:, None]) @ camera.world_to_camera.T
    root = camera.body_to_camera @ source.rotmats[who, 0].astype(np.float64)
    joints2d = camera.project(joints)
    size = np.ptp(joints2d[..., 1], axis=1)
    sigma = noise_px + noise_share * size
    noisy = joints2d + rng.normal(size=joints2d.shape) * sigma[:, None, None]
    frame = FrameRef("made", 0, "made.jpg", camera.width, camera.height)
    blocks = uniform_plan(camera.width, camera.height, overlap=0.25)
    index = _blocks_of(rng, blocks, joints2d)
    views = _views(source, who, camera, joints, root, noisy, blocks, index, poor_betas=poor_betas)
    if virtual:
        views = _seen_by_blocks(views, blocks, source.upright.rest_pelvis_m[who])
    return Known(
        frame=frame,
        camera=camera,
        views=views,
        merge=everyone_alone(views),
        blocks=blocks,
        joints_m=joints,
        root_rotmats=root,
        transl_m=joints[:, 0] - source.upright.rest_pelvis_m[who],
        ground_m=(joints[:, 0] @ camera.world_to_camera)[:, [0, 2]],
        standing=standing,
        joints2d=joints2d,
    )


def _blocks_of(rng: np.random.Generator, blocks: tuple[Block, ...], joints2d: Float64Array) -> NDArray[np.int64]:
    """Gives a block for each person: one of those that hold them whole and neither too small nor too large."""
    windows = np.array([(b.grid.window.x0, b.grid.window.y0, b.grid.window.x1, b.grid.window.y1) for b in blocks])
    low, high = joints2d.min(axis=1), joints2d.max(axis=1)
    holds = (low[:, None] >= windows[None, :, :2]).all(-1) & (high[:, None] <= windows[None, :, 2:]).all(-1)
    scale = np.array([b.grid.raster_width / b.grid.window.width for b in blocks])
    tall = (high - low).max(axis=1)[:, None] * scale
    good = holds & (tall > 40) & (tall < 460)
    holds[:, -1] = True  # the last block sees the whole frame
    return np.array([rng.choice(np.flatnonzero(g if g.any() else h)) for g, h in zip(good, holds, strict=True)])


def _views(
    source: Pool,
    who: NDArray[np.int64],
    camera: SceneCamera,
    joints: Float64Array,
    root: Float64Array,
    joints2d: Float64Array,
    blocks: tuple[Block, ...],
    index: NDArray[np.int64],
    *,
    poor_betas: bool,
) -> SceneDetections:
    """Gives what a perfect head says: each person as seen along their ray, but along the ray of the block."""
    people = len(who)
    rotmats, transl = source.rotmats[who].copy(), np.zeros((people, 3))
    relative = joints - joints[:, :1]
    for row in range(people):
        grid = blocks[index[row]].grid
        virtual = virtual_camera(grid.raster_width, grid.raster_height)
        point = from_frame(grid, camera.project(joints[row, :1]))[0]
        flat = (point - (virtual.principal_x, virtual.principal_y)) / virtual.focal_px
        turn = (turn_to(np.array([[*flat, 1.0]])) @ turn_to(joints[row, :1]).transpose(0, 2, 1))[0]
        rotmats[row, 0], relative[row] = turn @ root[row], relative[row] @ turn.T
        raster_px = grid.window.width / grid.raster_width
        depth = virtual.focal_px * raster_px * joints[row, 0, 2] / camera.focal_px
        transl[row] = np.array([*flat, 1.0]) * depth - source.upright.rest_pelvis_m[who[row]]
    boxes = np.concatenate([joints2d.min(axis=1), joints2d.max(axis=1)], axis=1)
    betas = source.upright.betas[who]
    if poor_betas:
        betas, relative = np.zeros_like(betas), relative * (1.7 / source.upright.standing_m[who])[:, None, None]
    bodies = Bodies(
        rotmats.astype(np.float32),
        betas,
        np.ones((people, 3), dtype=np.float32),
        boxes,
        transl.astype(np.float32),
        relative.astype(np.float32),
    )
    return SceneDetections(
        boxes,
        np.full(people, 0.9, dtype=np.float32),
        index.astype(np.int64),
        joints2d_frame=np.concatenate([joints2d, np.ones((people, 24, 1))], axis=2).astype(np.float32),
        depth_m=transl[:, 2].astype(np.float32),
        bodies=bodies,
    )


def _seen_by_blocks(
    views: SceneDetections, blocks: tuple[Block, ...], rest_pelvis_m: NDArray[np.float32]
) -> SceneDetections:
    """Gives the views with the joints that the blocks' virtual cameras project."""
    assert views.bodies is not None
    joints2d = np.ones((len(views), 24, 3), dtype=np.float32)
    joints = views.bodies.joints3d_m + (views.bodies.transl_block_m + rest_pelvis_m)[:, None]
    for row, index in enumerate(views.block_index.tolist()):
        grid = blocks[index].grid
        virtual = virtual_camera(grid.raster_width, grid.raster_height)
        flat = joints[row, :, :2] / joints[row, :, 2:] * virtual.focal_px + (virtual.principal_x, virtual.principal_y)
        joints2d[row, :, :2] = to_frame(grid, flat)
    return replace(views, joints2d_frame=joints2d)


def block_joints(known: Known) -> Float64Array:
    """Gives the joints (P, 24, 3) as each block's own virtual camera has them, set side by side as if they were one."""
    bodies = known.views.bodies
    assert bodies is not None
    rest = known.joints_m[:, 0] - known.transl_m
    return np.asarray(bodies.joints3d_m + (bodies.transl_block_m + rest)[:, None], dtype=np.float64)


def unlike_views(known: Known, pelvis_m: Float64Array) -> Float64Array:
    """Gives (P,) by how much people look different in their block's virtual camera and in the scene's.

    It is the sum of two shares of a person's size: of the difference between size / distance, which tells how much
    larger than the far side of a body the near side looks, and of the difference between the stretches, by which a
    camera draws longer, away from its axis, what is off it.

    Args:
        known: people.
        pelvis_m: (P, 3) in the scene camera.
    """
    bodies = known.views.bodies
    assert bodies is not None
    there = bodies.transl_block_m + (known.joints_m[:, 0] - known.transl_m)
    size_m = np.ptp(bodies.joints3d_m, axis=1).max(axis=1)
    perspective = size_m * np.abs(1.0 / np.linalg.norm(there, axis=1) - 1.0 / np.linalg.norm(pelvis_m, axis=1))
    return np.asarray(perspective + np.linalg.norm(_stretch(there) - _stretch(pelvis_m), axis=(1, 2)))


def _stretch(points_m: Float64Array) -> Float64Array:
    """Gives (P, 2, 2) how a camera draws what is small and square to its ray, but for the size."""
    flat = points_m[:, :2] / points_m[:, 2:]
    off = np.maximum((flat**2).sum(axis=1), 1e-12)
    longer = np.sqrt(1.0 + off)  # away from the axis, than across
    drawn = np.eye(2) + flat[:, :, None] * flat[:, None, :] * ((longer - 1.0) / off)[:, None, None]
    return np.asarray(drawn / np.sqrt(longer)[:, None, None])
