"""How much light of the sun and the sky reaches each vertex past the rest of the same mesh.

A mesh is rasterised as seen from each light direction; a vertex is lit when nothing lies nearer to the light. Values
per vertex are enough: the vertices of a body lie one to two centimetres apart, and shadows get soft edges for free.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mili_core.raster import RasterJob, rasterise_many
from mili_core.synth.window import front_faces

Float32Array = NDArray[np.float32]
Float64Array = NDArray[np.float64]

TEXEL_M = 0.02
"""Resolution of the view from the light: the distance of vertices."""

BIAS_M = 0.03
"""What lies nearer to the light by less than this is the same piece of surface."""

MOST_TEXELS = 400
"""A view's longer side: things larger than 8 m (trees, vans) are seen more coarsely."""

_SKY_ELEVATION_RAD = 0.6
_SKY_AZIMUTHS = 3


def sun_visibility(
    vertices: Float32Array, normals: Float32Array, faces: NDArray[np.int64], towards_sun: Float64Array
) -> Float32Array:
    """Gives (V,) float32, 1 where the sun reaches a vertex, 0 where the mesh itself is in the way.

    Args:
        vertices: (V, 3) metres.
        normals: (V, 3) unit.
        faces: (F, 3).
        towards_sun: (3,) unit, in the axes of the vertices.
    """
    lit: Float32Array = _lit(vertices, normals, faces, [towards_sun])[0].astype(np.float32)
    return lit


def sky_visibility(
    vertices: Float32Array, normals: Float32Array, faces: NDArray[np.int64], up: Float64Array
) -> Float32Array:
    """Gives (V,) float32 share 0..1 of the sky's light that reaches each vertex; arguments as above, `up` unit."""
    across, ahead = _across(up)
    directions = [up]
    for step in range(_SKY_AZIMUTHS):
        turn = 2.0 * np.pi * (step + 0.25) / _SKY_AZIMUTHS
        level = np.cos(turn) * across + np.sin(turn) * ahead
        directions.append(np.cos(_SKY_ELEVATION_RAD) * level + np.sin(_SKY_ELEVATION_RAD) * up)
    facing = np.clip(normals @ np.stack(directions, axis=1), 0.0, None)
    reached = (facing * _lit(vertices, normals, faces, directions).T).sum(axis=1)
    possible = facing.sum(axis=1) + 1e-3
    share: Float32Array = np.where(possible > 0.05, reached / possible, 1.0).astype(np.float32)
    return share


def _lit(
    points: Float32Array, normals: Float32Array, faces: NDArray[np.int64], directions: Sequence[Float64Array]
) -> NDArray[np.bool_]:
    """Gives (D, V) whether light from each of D directions reaches the points."""
    views = [_view(points, direction) for direction in directions]
    jobs = []
    for _, seen in views:
        width, height = int(seen[:, 0].max()) + 2, int(seen[:, 1].max()) + 2
        # The nearest faces of a closed mesh look at the light.
        jobs.append(RasterJob(seen, faces[front_faces(seen, faces)], width, height))
    lit = np.zeros((len(directions), len(points)), dtype=np.bool_)
    for index, ((axes, seen), raster) in enumerate(zip(views, rasterise_many(jobs), strict=True)):
        # Looked up a little off the surface, so that a surface does not shade itself.
        probe = seen[:, :2] + normals @ axes[:2].T
        column = np.clip(probe[:, 0].astype(np.int64), 0, raster.depth.shape[1] - 1)
        row = np.clip(probe[:, 1].astype(np.int64), 0, raster.depth.shape[0] - 1)
        lit[index] = seen[:, 2] <= raster.depth[row, column] + BIAS_M
    return lit


def _view(points: Float32Array, direction: Float64Array) -> tuple[Float32Array, Float32Array]:
    """Gives the axes (3, 3) of the view from a light, and the points (V, 3) in it: texels, texels, metres."""
    first, second = _across(direction)
    axes = np.stack([first, second, -direction]).astype(np.float32)
    seen = axes @ points.T
    seen -= seen.min(axis=1, keepdims=True) - np.float32(1.0)
    seen[:2] /= np.float32(max(TEXEL_M, seen[:2].max() / MOST_TEXELS))
    return axes, np.ascontiguousarray(seen.T)


def _across(direction: Float64Array) -> tuple[Float64Array, Float64Array]:
    """Gives two unit vectors (3,) that make a right-handed frame with minus a unit direction (3,)."""
    x, y, z = (float(part) for part in direction)
    first = np.array([y, -x, 0.0]) if abs(z) < 0.9 else np.array([0.0, z, -y])
    first /= np.linalg.norm(first)
    a, b, c = (float(part) for part in first)
    return first, np.array([b * z - c * y, c * x - a * z, a * y - b * x])
