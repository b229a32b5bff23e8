"""Polygons cut at the borders of an image (Sutherland-Hodgman against the four sides)."""

from __future__ import annotations

import numpy as np

from mili_core.datasets.sample import Float32Array, Polygons


def clip_polygons(rings: Polygons, width: float, height: float) -> Polygons:
    """Gives the parts of polygons inside [0, width] x [0, height]; rings with nothing inside are left out.

    A concave ring that leaves the image and returns keeps zero-width bridges along the border: its area is right.
    """
    clipped = (_clip_ring(ring, width, height) for ring in rings)
    return tuple(ring for ring in clipped if len(ring) >= 3)


def _clip_ring(ring: Float32Array, width: float, height: float) -> Float32Array:
    limits = np.array([width, height], dtype=np.float32)
    if ((ring >= 0) & (ring <= limits)).all():
        return ring
    for axis, limit in ((0, width), (1, height)):
        ring = _keep_below(-ring, axis, 0.0) * -1
        ring = _keep_below(ring, axis, limit)
    return np.clip(ring, np.float32(0), limits)


def _keep_below(ring: Float32Array, axis: int, limit: float) -> Float32Array:
    """Gives the part of a ring (K, 2) with coordinate `axis` <= limit."""
    if not len(ring):
        return ring
    following = np.roll(ring, -1, axis=0)
    here, there = ring[:, axis] - limit, following[:, axis] - limit
    crosses = (here <= 0) != (there <= 0)
    share = here / np.where(crosses, here - there, np.float32(1))
    crossings = ring + share[:, None] * (following - ring)
    points = np.stack([ring, crossings], axis=1).reshape(-1, 2)
    wanted = np.stack([here <= 0, crosses], axis=1).reshape(-1)
    kept: Float32Array = points[wanted].astype(np.float32)
    return kept
