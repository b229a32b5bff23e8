"""Bodies from their blocks' virtual cameras into the scene camera."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mili_core.body import virtual_camera
from pipeline.geometry import from_frame
from pipeline.place.types import SceneCamera
from pipeline.types import Block, BoolArray, Float64Array

ROTATION_PRIOR_RAD = 0.03
"""How far the root may turn (2 degrees) to bring the joints where they are seen: what the turn of the ray leaves of the
two cameras' different perspective, not what the body head got wrong."""
PIXEL_SPREAD = (1.0, 0.01)
"""Px, and share of the person's size, by which joints are off."""
LEAST_WEIGHT = 0.1
"""Of joints of no confidence: the body head has placed them with all others."""
STEPS = 6
NEAREST_M = 0.1


def block_rays(points_frame: Float64Array, blocks: Sequence[Block], block_index: Sequence[int]) -> Float64Array:
    """Gives the directions (G, 3) of frame points (G, 2) in their blocks' virtual cameras."""
    rays = np.ones((len(points_frame), 3), dtype=np.float64)
    for row, index in enumerate(block_index):
        grid = blocks[index].grid
        camera = virtual_camera(grid.raster_width, grid.raster_height)
        point = from_frame(grid, points_frame[row])
        rays[row, :2] = (point - (camera.principal_x, camera.principal_y)) / camera.focal_px
    return rays


def turn_to(rays: Float64Array) -> Float64Array:
    """Gives the smallest rotations (G, 3, 3) that carry the optical axis to directions (G, 3) in front."""
    unit = rays / np.linalg.norm(rays, axis=1, keepdims=True)
    x, y, z = unit.T
    zero = np.zeros_like(x)
    cross = np.stack([zero, zero, x, zero, zero, y, -x, -y, zero], axis=1).reshape(-1, 3, 3)
    turned: Float64Array = np.eye(3) + cross + cross @ cross / (1.0 + z)[:, None, None]
    return turned


def place_joints(
    joints3d_m: Float64Array, joints2d_frame: Float64Array, turn: Float64Array, camera: SceneCamera
) -> tuple[Float64Array, Float64Array, Float64Array, BoolArray]:
    """Gives where bodies are whose joints are seen where they are.

    Joints that a block's virtual camera has projected are met but for what its view differs from the scene's: by how
    much larger the near side of a body looks than the far side (size / distance of the one and of the other camera),
    and by how much longer it is drawn away from the axis. A body that only moves and turns cannot follow that, and
    poses are left as they are. The root mean square is below a quarter of the two differences' sum, times the person's
    size in px; over a crowd it is within 5 % of what free turns, without the prior, would leave.

    Args:
        joints3d_m: (G, 24, 3) from the pelvis, axes of the block's virtual camera.
        joints2d_frame: (G, 24, 3) x, y (frame px), confidence.
        turn: (G, 3, 3) first guess of the rotation from those axes to the scene camera's.
        camera: of the scene.

    Returns:
        rotations (G, 3, 3) from the one axes to the other, pelvises (G, 3) in metres, root mean square distances (G,)
        in px of projected from seen joints, and (G,) whether the person could be placed.
    """
    joints = joints3d_m @ turn.transpose(0, 2, 1)
    rays = camera.rays(joints2d_frame[..., :2])[..., :2]
    size_px = np.ptp(joints2d_frame[..., :2], axis=1).max(axis=1, initial=0.0)
    spread = np.maximum(PIXEL_SPREAD[0], PIXEL_SPREAD[1] * size_px) / camera.focal_px
    weights = LEAST_WEIGHT + (1.0 - LEAST_WEIGHT) * np.clip(joints2d_frame[..., 2], 0.0, 1.0)
    pelvis, fit = _first_places(joints, rays, weights)
    turned = np.tile(np.eye(3), (len(joints), 1, 1))
    for _ in range(STEPS):
        step = _step(joints, turned, pelvis, rays, weights / spread[:, None] ** 2)
        moved = pelvis + step[:, 3:]
        fit &= (moved[:, 2] > NEAREST_M) & np.isfinite(step).all(axis=1)
        pelvis = np.where(fit[:, None], moved, pelvis)
        turned = np.where(fit[:, None, None], _small_turns(step[:, :3]) @ turned, turned)
    placed = joints @ turned.transpose(0, 2, 1) + pelvis[:, None]
    fit &= placed[..., 2].min(axis=1, initial=np.inf) > NEAREST_M
    with np.errstate(divide="ignore", invalid="ignore"):
        off_px = np.linalg.norm(camera.project(placed) - joints2d_frame[..., :2], axis=-1)
    return turned @ turn, pelvis, np.sqrt((off_px**2).mean(axis=1)), fit & np.isfinite(off_px).all(axis=1)


def _first_places(joints: Float64Array, rays: Float64Array, weights: Float64Array) -> tuple[Float64Array, BoolArray]:
    """Gives pelvises (G, 3) by linear least squares, and whether they lie in front of the camera.

    With ray (u, v) of a joint and its offset (x, y, z) from the pelvis (X, Y, Z): X - u Z = u z - x, likewise for y.
    """
    count, each = weights.shape
    left = np.zeros((count, each, 2, 3), dtype=np.float64)
    left[:, :, 0, 0] = left[:, :, 1, 1] = 1.0
    left[..., 2] = -rays
    right = rays * joints[..., 2:] - joints[..., :2]
    root = np.sqrt(weights)[:, :, None]
    rows, values = (left * root[..., None]).reshape(count, 2 * each, 3), (right * root).reshape(count, 2 * each, 1)
    square = rows.transpose(0, 2, 1) @ rows + 1e-12 * np.eye(3)
    pelvis = np.linalg.solve(square, rows.transpose(0, 2, 1) @ values)[..., 0]
    fit = np.isfinite(pelvis).all(axis=1) & (pelvis[:, 2] > NEAREST_M)
    return np.where(fit[:, None], pelvis, [0.0, 0.0, 1.0]), fit


def _step(
    joints: Float64Array, turned: Float64Array, pelvis: Float64Array, rays: Float64Array, weights: Float64Array
) -> Float64Array:
    """Gives the Gauss-Newton steps (G, 6): turns about the pelvis, then moves."""
    arms = joints @ turned.transpose(0, 2, 1)
    placed = arms + pelvis[:, None]
    x, y, z = np.moveaxis(placed, -1, 0)
    z = np.maximum(z, NEAREST_M)
    ax, ay, az = np.moveaxis(arms, -1, 0)
    zero = np.zeros_like(z)
    by_place = np.stack([1.0 / z, zero, -x / z**2, zero, 1.0 / z, -y / z**2], axis=-1).reshape(*z.shape, 2, 3)
    by_turn = np.stack([zero, az, -ay, -az, zero, ax, ay, -ax, zero], axis=-1).reshape(*z.shape, 3, 3)
    jacobian = np.concatenate([by_place @ by_turn, by_place], axis=-1)
    off = rays - np.stack([x / z, y / z], axis=-1)
    weighted = jacobian * weights[:, :, None, None]
    square = np.einsum("gjki,gjkl->gil", weighted, jacobian)
    gradient = np.einsum("gjki,gjk->gi", weighted, off)
    precision = 1.0 / ROTATION_PRIOR_RAD**2
    square[:, [0, 1, 2], [0, 1, 2]] += precision
    gradient[:, :3] -= precision * _turn_vectors(turned)
    square[:, [3, 4, 5], [3, 4, 5]] += 1e-9
    step: Float64Array = np.linalg.solve(square, gradient[..., None])[..., 0]
    return step


def _turn_vectors(turned: Float64Array) -> Float64Array:
    """Gives the axis-angle vectors (G, 3) of small rotations (G, 3, 3)."""
    across = [turned[:, 2, 1] - turned[:, 1, 2], turned[:, 0, 2] - turned[:, 2, 0], turned[:, 1, 0] - turned[:, 0, 1]]
    return 0.5 * np.stack(across, axis=1)


def _small_turns(vectors: Float64Array) -> Float64Array:
    """Gives rotations (G, 3, 3) of axis-angle vectors (G, 3)."""
    angle = np.linalg.norm(vectors, axis=1)[:, None, None]
    x, y, z = vectors.T
    zero = np.zeros_like(x)
    cross = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=1).reshape(-1, 3, 3)
    sine, versine = np.sinc(angle / np.pi), 0.5 * np.sinc(angle / (2.0 * np.pi)) ** 2
    turns: Float64Array = np.eye(3) + sine * cross + versine * (cross @ cross)
    return turns
