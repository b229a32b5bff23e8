"""Solids that objects are put together from: boxes, rods, tubes, wheels, balls, prisms, sheets.

Everything is closed, or, where thin, drawn on both sides: the renderer leaves out faces that look away. Points are
metres in a mesh's axes: x left, y up, z front.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mili_core.synth.objects.lattice import (
    ball,
    bevelled_box,
    cap_faces,
    fan_faces,
    lattice_faces,
    quad_faces,
    sharp_box,
    unit_ring,
)
from mili_core.synth.objects.mesh import Mesh
from mili_core.synth.objects.paints import Paint

Points = NDArray[np.floating]
Indices = NDArray[np.int64]


def mesh_of(vertices_m: Points, faces: Indices, paint: Paint) -> Mesh:
    """Gives a mesh of one paint; vertices (V, 3), faces (F, 3)."""
    count = len(vertices_m)
    albedo = np.empty((count, 3), dtype=np.float32)
    albedo[:] = paint.colour
    gloss = np.full(count, paint.gloss, dtype=np.float32)
    return Mesh(vertices_m.astype(np.float32), faces, albedo, gloss)


def quads(corners: Points, paint: Paint, *, both_sides: bool = False) -> Mesh:
    """Gives K flat four-cornered faces (K, 4, 3), counter-clockwise seen from outside, if asked from behind as well."""
    if both_sides:
        # Both sides are cut along the same diagonal, so that bent ones lie on each other.
        corners = np.concatenate([corners, corners[:, [0, 3, 2, 1]]])
    return mesh_of(corners.reshape(-1, 3), quad_faces(len(corners)), paint)


def loft(sections: Points, paint: Paint, *, flat: bool = False, capped: bool = True) -> Mesh:
    """Gives the skin over a row of rings of points.

    Args:
        sections: (R, C, 3), each ring counter-clockwise seen from ahead of the row.
        paint: its paint.
        flat: each face has its own normal, else the skin is smooth along and around.
        capped: both ends are closed by fans about the mean of their ring, which must see the whole ring.
    """
    rows, columns = sections.shape[:2]
    if flat:
        here, there = sections[:-1], sections[1:]
        corners = np.stack([here, np.roll(here, -1, axis=1), np.roll(there, -1, axis=1), there], axis=2)
        vertices, faces = corners.reshape(-1, 3), quad_faces((rows - 1) * columns)
    else:
        vertices, faces = sections.reshape(-1, 3), lattice_faces(rows, columns)
    if not capped:
        return mesh_of(vertices, faces, paint)
    ends = sections[[0, -1]]
    fans = np.concatenate([ends, ends.mean(axis=1, keepdims=True)], axis=1).reshape(-1, 3)
    caps = cap_faces(columns) + len(vertices)
    return mesh_of(np.concatenate([vertices, fans]), np.concatenate([faces, caps]), paint)


def box(
    size: ArrayLike, centre: ArrayLike, paint: Paint, *, bevel: float = 0.0, rotation: Points | None = None
) -> Mesh:
    """Gives a box.

    Args:
        size: (3,) along x, y, z.
        centre: (3,).
        paint: its paint.
        bevel: how much of the edges is cut off, metres; such a box looks rounded.
        rotation: (3, 3) about its centre.
    """
    half = 0.5 * np.asarray(size, dtype=np.float64)
    corners, faces = sharp_box() if bevel <= 0.0 else bevelled_box()
    vertices = corners[:, 0] * half if bevel <= 0.0 else corners[:, 0] * half - corners[:, 1] * bevel
    turned = vertices if rotation is None else vertices @ np.asarray(rotation).T
    return mesh_of(turned + np.asarray(centre, dtype=np.float64), faces, paint)


def rods(
    starts: ArrayLike,
    ends: ArrayLike,
    radius: ArrayLike,
    paint: Paint,
    *,
    end_radius: ArrayLike | None = None,
    sides: int = 6,
    capped: bool = True,
) -> Mesh:
    """Gives K straight round rods.

    Args:
        starts: (K, 3).
        ends: (K, 3), apart from the starts.
        radius: of all or (K,).
        paint: their paint.
        end_radius: of all or (K,) at the ends when they taper.
        sides: around.
        capped: the ends are closed.
    """
    start, end = np.asarray(starts, dtype=np.float64), np.asarray(ends, dtype=np.float64)
    count = len(start)
    across, over = _frames(end - start)
    ring = unit_ring(sides)
    spread = ring[:, 0, None] * across[:, None] + ring[:, 1, None] * over[:, None]
    low = np.broadcast_to(np.asarray(radius, dtype=np.float64), (count,))[:, None, None]
    high = low if end_radius is None else np.broadcast_to(np.asarray(end_radius), (count,))[:, None, None]
    points = np.stack([start[:, None] + low * spread, end[:, None] + high * spread], axis=1)
    lattice = lattice_faces(2, sides)
    if capped:
        points = np.concatenate([points, points], axis=1)
        lattice = np.concatenate([lattice, fan_faces(sides) + 2 * sides])
    size = points.shape[1] * sides
    faces = (lattice[None] + (np.arange(count) * size)[:, None, None]).reshape(-1, 3)
    return mesh_of(points.reshape(-1, 3), faces, paint)


def rod(
    start: ArrayLike, end: ArrayLike, radius: float, paint: Paint, *, end_radius: float | None = None, sides: int = 8
) -> Mesh:
    """Gives one rod: a cylinder, or a cone's trunk when it tapers."""
    return rods(np.asarray(start)[None], np.asarray(end)[None], radius, paint, end_radius=end_radius, sides=sides)


def tube(path: ArrayLike, radius: ArrayLike, paint: Paint, *, sides: int = 6) -> Mesh:
    """Gives a round tube along a polyline (N, 3), N > 1; radius of all or (N,)."""
    points = np.asarray(path, dtype=np.float64)
    steps = np.diff(points, axis=0)
    steps /= np.linalg.norm(steps, axis=1, keepdims=True)
    tangents = np.concatenate([steps[:1], steps[:-1] + steps[1:], steps[-1:]])
    tangents /= np.linalg.norm(tangents, axis=1, keepdims=True)
    across = np.empty_like(points)
    last = _frames(tangents[:1])[0][0]
    for index, tangent in enumerate(tangents):
        # The frame is carried along without twisting.
        last = last - tangent * (last @ tangent)
        last /= np.linalg.norm(last)
        across[index] = last
    over = np.cross(tangents, across)
    ring = unit_ring(sides)
    spread = ring[:, 0, None] * across[:, None] + ring[:, 1, None] * over[:, None]
    radii = np.broadcast_to(np.asarray(radius, dtype=np.float64), (len(points),))
    return loft(points[:, None] + radii[:, None, None] * spread, paint)


def torus(
    centre: ArrayLike,
    axis: ArrayLike,
    radius: float,
    thickness: float,
    paint: Paint,
    *,
    around: int = 24,
    sides: int = 5,
) -> Mesh:
    """Gives a ring about an axis (3,) through its centre; `thickness` is the radius of its tube."""
    direction = np.asarray(axis, dtype=np.float64)
    direction = direction / np.linalg.norm(direction)
    across, over = (frame[0] for frame in _frames(direction[None]))
    big, small = unit_ring(around), unit_ring(sides)
    outward = big[:, 0, None] * across + big[:, 1, None] * over
    # Rings follow one another counter-clockwise about the axis; each starts outward and turns away from the axis' tip.
    ring = small[:, 0, None] * outward[:, None] - small[:, 1, None] * direction
    points = np.asarray(centre) + radius * outward[:, None] + thickness * ring
    faces = lattice_faces(around + 1, sides) % (around * sides)
    return mesh_of(points.reshape(-1, 3), faces, paint)


def disc(centre: ArrayLike, normal: ArrayLike, radius: float, paint: Paint, *, sides: int = 16) -> Mesh:
    """Gives a flat disc seen from both sides."""
    across, over = (frame[0] for frame in _frames(np.asarray(normal, dtype=np.float64)[None]))
    ring = unit_ring(sides)
    points = np.asarray(centre) + radius * (ring[:, 0, None] * across + ring[:, 1, None] * over)
    return mesh_of(np.concatenate([points, points]), fan_faces(sides), paint)


def ellipsoid(centre: ArrayLike, radii: ArrayLike, paint: Paint, *, rows: int = 6, sides: int = 8) -> Mesh:
    """Gives a smooth ellipsoid of radii (3,) along x, y, z."""
    return mesh_of(np.asarray(centre) + np.asarray(radii) * ball(rows, sides)[0], ball(rows, sides)[1], paint)


def lathe(profile: ArrayLike, paint: Paint, *, sides: int = 12, flat: bool = False, capped: bool = True) -> Mesh:
    """Gives a body of revolution about the vertical; profile (N, 2) radius, height, upwards on its outside."""
    curve = np.asarray(profile, dtype=np.float64)
    ring = unit_ring(sides)
    sections = np.empty((len(curve), sides, 3), dtype=np.float64)
    # Counter-clockwise seen from above means from z to x.
    sections[..., 2] = curve[:, :1] * ring[:, 0]
    sections[..., 0] = curve[:, :1] * ring[:, 1]
    sections[..., 1] = curve[:, 1:]
    return loft(sections, paint, flat=flat, capped=capped)


def prism(outline: ArrayLike, low: float, high: float, axis: int, paint: Paint, *, bevel: float = 0.0) -> Mesh:
    """Gives an extruded polygon.

    Args:
        outline: (N, 2) in the two axes after `axis`, cyclically: (y, z), (z, x) or (x, y), either way round; its mean
            must see the whole of it.
        low, high: along `axis`.
        axis: 0, 1 or 2.
        paint: its paint.
        bevel: how much of the edges of both ends is cut off, metres.
    """
    points = np.asarray(outline, dtype=np.float64)
    following = np.roll(points, -1, axis=0)
    if (points[:, 0] * following[:, 1] - points[:, 1] * following[:, 0]).sum() < 0.0:
        points = points[::-1]
    stations = [low, high] if bevel <= 0.0 else [low, low + bevel, high - bevel, high]
    sections = np.empty((len(stations), len(points), 3), dtype=np.float64)
    sections[..., axis] = np.asarray(stations)[:, None]
    sections[..., (axis + 1) % 3] = points[:, 0]
    sections[..., (axis + 2) % 3] = points[:, 1]
    if bevel > 0.0:
        middle = sections[0].mean(axis=0)
        inward = middle - sections[0]
        inward[:, axis] = 0.0
        cut = bevel * np.sign(inward) * (np.abs(inward) > bevel)
        sections[[0, -1]] += cut
    return loft(sections, paint, flat=True)


def at(x: float, y: float, z: float) -> Points:
    """Gives a point or an offset (3,)."""
    return np.array([x, y, z], dtype=np.float64)


def _frames(directions: Points) -> tuple[Points, Points]:
    """Gives for directions (K, 3) two unit vectors (K, 3) each that make a right-handed frame with them."""
    along = directions / np.linalg.norm(directions, axis=1, keepdims=True)
    upright = np.abs(along[:, 1]) > 0.9
    reference = np.where(upright[:, None], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0])
    across = np.cross(reference, along)
    across /= np.linalg.norm(across, axis=1, keepdims=True)
    return across, np.cross(along, across)
