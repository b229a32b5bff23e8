"""What a person's things take up of the ground: where they touch it, and who stands in them."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from mili_core.synth.objects.footprint import PERSON_M
from mili_core.synth.objects.mesh import Mesh

Float64Array = NDArray[np.float64]

TOUCH_M = 0.15
"""Vertices lower than this belong to what touches the ground: wheels, legs, feet."""

CELL_M = 0.3
"""Low vertices closer than this are one wheel or leg."""

CLEAR_M = 0.2
"""How near to a thing nobody else's pelvis is: half a body."""

UNDER_M = 1.2
"""Things that are higher everywhere, umbrellas and phones, are in nobody's way."""


def clusters(mesh: Mesh, spot: NDArray[np.floating], below_m: float) -> Float64Array:
    """Gives (K, 2) ground points x, z, world metres, under the parts of a thing that are lower than a height.

    Args:
        mesh: in the upright axes of the person whose it is.
        spot: (2,) where that person stands.
        below_m: above the ground.
    """
    plan = _plan(mesh, spot, below_m)
    if not len(plan):
        return plan
    _, cell = np.unique(np.floor(plan / CELL_M).astype(np.int64), axis=0, return_inverse=True)
    cell = cell.ravel()
    count = np.bincount(cell)
    return np.stack([np.bincount(cell, plan[:, axis]) / count for axis in (0, 1)], axis=1)


def extent(mesh: Mesh, spot: NDArray[np.floating]) -> Float64Array:
    """Gives (K, 2) ground points that stand for all that a thing takes up; none for what is only held."""
    plan = _plan(mesh, spot, UNDER_M)
    if not len(plan) or mesh.vertices_m[:, 1].min() > TOUCH_M:
        return np.zeros((0, 2))
    return np.concatenate([clusters(mesh, spot, PERSON_M), plan.mean(axis=0, keepdims=True)])


def stands_in(mesh: Mesh, spot: NDArray[np.floating], others_m: Float64Array) -> bool:
    """Gives whether anybody of others (K, 2), ground points, is inside the outline of a thing or touches it."""
    plan = _plan(mesh, spot, UNDER_M)
    if len(plan) < 3 or mesh.vertices_m[:, 1].min() > TOUCH_M:
        return False
    middle = plan.mean(axis=0)
    reach = float(np.hypot(*(plan - middle).T).max()) + CLEAR_M
    near = others_m[np.hypot(*(others_m - middle).T) < reach]
    hull = cv2.convexHull((plan - middle).astype(np.float32))
    return any(cv2.pointPolygonTest(hull, point, measureDist=True) > -CLEAR_M for point in (near - middle).tolist())


def kept_clear(things: Sequence[Sequence[Mesh]], kinds: Sequence[str], spots_m: Float64Array) -> list[tuple[Mesh, ...]]:
    """Gives what everybody has along, less what somebody else stands in.

    Seats and bicycles stay, since nobody can sit on air.

    Args:
        things: P people's things, in their upright axes.
        kinds: P names of poses.
        spots_m: (P, 2) where they stand.
    """
    kept = []
    for person, (own, kind) in enumerate(zip(things, kinds, strict=True)):
        if own and not kind.startswith("sit") and kind != "cycle":
            others = np.delete(spots_m, person, axis=0)
            kept.append(tuple(mesh for mesh in own if not stands_in(mesh, spots_m[person], others)))
        else:
            kept.append(tuple(own))
    return kept


def _plan(mesh: Mesh, spot: NDArray[np.floating], below_m: float) -> Float64Array:
    """Gives (K, 2) ground points x, z under the vertices that are lower than a height."""
    low = mesh.vertices_m[mesh.vertices_m[:, 1] < below_m].astype(np.float64)
    plan: Float64Array = np.asarray(spot, dtype=np.float64) + low[:, [0, 2]] * [1.0, -1.0]
    return plan
