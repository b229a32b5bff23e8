"""How much light of the sun and the sky reaches each vertex past the rest of the same body.

A body is rasterised as seen from each light direction; a vertex is lit when nothing lies nearer to the light. Values
per vertex are enough: the vertices of a body lie one to two centimetres apart, and shadows get soft edges for free.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mili_core.raster import rasterise

Float32Array = NDArray[np.float32]
Float64Array = NDArray[np.float64]

TEXEL_M = 0.02
"""Resolution of the view from the light: the distance of vertices."""

BIAS_M = 0.03
"""What lies nearer to the light by less than this is the same piece of surface."""

_SKY_ELEVATION_RAD = 0.6
_SKY_AZIMUTHS = 4


def sun_visibility(
    vertices: Float32Array, normals: Float32Array, faces: NDArray[np.int64], towards_sun: Float64Array
) -> Float32Array:
    """Gives (P, V) float32, 1 where the sun reaches a vertex, 0 where the body itself is in the way.

    Args:
        vertices: (P, V, 3) metres.
        normals: (P, V, 3) unit.
        faces: (F, 3).
        towards_sun: (3,) unit, in the axes of the vertices.
    """
    lit = np.zeros(vertices.shape[:2], dtype=np.float32)
    for person, (points, outward) in enumerate(zip(vertices, normals, strict=True)):
        lit[person] = _lit(points, outward, faces, towards_sun)
    return lit


def sky_visibility(
    vertices: Float32Array, normals: Float32Array, faces: NDArray[np.int64], up: Float64Array
) -> Float32Array:
    """Gives (P, V) float32 share 0..1 of the sky's light that reaches each vertex; arguments as above, `up` unit."""
    across = np.cross(up, [0.0, 0.0, 1.0] if abs(up[2]) < 0.9 else [1.0, 0.0, 0.0])
    across /= np.linalg.norm(across)
    ahead = np.cross(up, across)
    directions = [up]
    for step in range(_SKY_AZIMUTHS):
        turn = 2.0 * np.pi * (step + 0.25) / _SKY_AZIMUTHS
        level = np.cos(turn) * across + np.sin(turn) * ahead
        directions.append(np.cos(_SKY_ELEVATION_RAD) * level + np.sin(_SKY_ELEVATION_RAD) * up)
    share = np.ones(vertices.shape[:2], dtype=np.float32)
    for person, (points, outward) in enumerate(zip(vertices, normals, strict=True)):
        reached, possible = np.zeros(len(points)), np.full(len(points), 1e-3)
        for direction in directions:
            facing = np.clip(outward @ direction, 0.0, None)
            reached += facing * _lit(points, outward, faces, direction)
            possible += facing
        share[person] = np.where(possible > 0.05, reached / possible, 1.0)
    return share


def _lit(
    points: Float32Array, normals: Float32Array, faces: NDArray[np.int64], direction: Float64Array
) -> NDArray[np.bool_]:
    """Gives (V,) whether light from `direction` reaches the points."""
    first = np.cross(direction, [0.0, 0.0, 1.0] if abs(direction[2]) < 0.9 else [1.0, 0.0, 0.0])
    first /= np.linalg.norm(first)
    axes = np.stack([first, np.cross(direction, first), -direction]).astype(np.float32)
    seen = points @ axes.T
    seen -= seen.min(axis=0) - np.float32(1.0)
    seen[:, :2] /= np.float32(TEXEL_M)
    width, height = (int(extent) + 2 for extent in seen[:, :2].max(axis=0))
    depth = rasterise(seen, faces, width, height).depth
    # Looked up a little off the surface, so that a surface does not shade itself.
    probe = seen + (normals @ axes.T) * np.array([1.0, 1.0, 0.0], dtype=np.float32)
    column = np.clip(probe[:, 0].astype(np.int64), 0, width - 1)
    row = np.clip(probe[:, 1].astype(np.int64), 0, height - 1)
    lit: NDArray[np.bool_] = seen[:, 2] <= depth[row, column] + BIAS_M
    return lit
