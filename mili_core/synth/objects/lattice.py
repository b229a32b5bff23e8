"""Which vertices make a face: patterns of rings, fans, boxes, balls, kept once made."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.floating]
Indices = NDArray[np.int64]


@lru_cache(maxsize=64)
def unit_ring(sides: int) -> Points:
    """Gives (sides, 2) points of the unit circle."""
    turn = np.arange(sides) * (2.0 * np.pi / sides)
    return np.stack([np.cos(turn), np.sin(turn)], axis=1)


@lru_cache(maxsize=256)
def quad_faces(count: int) -> Indices:
    """Gives (2 count, 3) faces of quads with four vertices each."""
    pattern = np.array([[0, 1, 2], [0, 2, 3]], dtype=np.int64)
    return (pattern[None] + 4 * np.arange(count)[:, None, None]).reshape(-1, 3)


@lru_cache(maxsize=256)
def lattice_faces(rows: int, columns: int) -> Indices:
    """Gives the faces between rings of vertices; each ring is closed."""
    here = np.arange(rows * columns, dtype=np.int64).reshape(rows, columns)
    beside = np.roll(here, -1, axis=1)
    first = np.stack([here[:-1], beside[:-1], beside[1:]], axis=-1)
    second = np.stack([here[:-1], beside[1:], here[1:]], axis=-1)
    return np.concatenate([first.reshape(-1, 3), second.reshape(-1, 3)])


@lru_cache(maxsize=64)
def fan_faces(sides: int) -> Indices:
    """Gives the faces over two rings, the first one seen from behind it, the second from ahead."""
    turn = np.arange(1, sides - 1, dtype=np.int64)
    ahead = np.stack([np.zeros_like(turn), turn, turn + 1], axis=1)
    return np.concatenate([ahead[:, ::-1], ahead + sides])


@lru_cache(maxsize=64)
def cap_faces(sides: int) -> Indices:
    """Gives the fans over two rings that are each followed by their middle."""
    turn = np.arange(sides, dtype=np.int64)
    following = (turn + 1) % sides
    ahead = np.stack([turn, following, np.full_like(turn, sides)], axis=1)
    return np.concatenate([ahead[:, ::-1], ahead + sides + 1])


@lru_cache(maxsize=1)
def sharp_box() -> tuple[Points, Indices]:
    """Gives (24, 1, 3) corners of the cube -1..1, each face with its own, and faces."""
    faces = []
    for axis in range(3):
        for sign in (-1.0, 1.0):
            corner = np.empty((4, 3), dtype=np.float64)
            corner[:, axis] = sign
            corner[:, (axis + 1) % 3] = [-1.0, 1.0, 1.0, -1.0]
            corner[:, (axis + 2) % 3] = [-1.0, -1.0, 1.0, 1.0]
            faces.append(corner if sign > 0 else corner[::-1])
    return np.concatenate(faces)[:, None], quad_faces(6)


@lru_cache(maxsize=1)
def bevelled_box() -> tuple[Points, Indices]:
    """Gives (24, 2, 3) the corners and how they move inward under a bevel, and faces with cut edges and corners."""
    corners, faces = sharp_box()
    signs = corners[:, 0]
    keeps = np.repeat(np.repeat(np.eye(3, dtype=bool), 2, axis=0), 4, axis=0)
    inward = np.where(keeps, 0.0, signs)
    middle = signs - 0.2 * inward
    edges, shown = [], {tuple(map(float, (*signs[i], int(np.argmax(keeps[i]))))): i for i in range(24)}
    for axis in range(3):
        after, last = (axis + 1) % 3, (axis + 2) % 3
        for a in (-1.0, 1.0):
            for b in (-1.0, 1.0):
                ends = []
                for along in (-1.0, 1.0):
                    corner = [0.0, 0.0, 0.0]
                    corner[axis], corner[after], corner[last] = along, a, b
                    ends.append((shown[*corner, float(after)], shown[*corner, float(last)]))
                (p, q), (r, s) = ends
                edges += [[p, q, s], [p, s, r]]
    edges += [[shown[*map(float, tip), float(axis)] for axis in range(3)] for tip in np.unique(signs, axis=0)]
    cut = np.array(edges, dtype=np.int64)
    first, second, third = (middle[cut[:, corner]] for corner in range(3))
    outward = np.cross(second - first, third - first)
    wrong = (outward * (first + second + third)).sum(axis=1) < 0.0
    cut[wrong] = cut[wrong][:, ::-1]
    return np.stack([signs, inward], axis=1), np.concatenate([faces, cut])


@lru_cache(maxsize=32)
def ball(rows: int, sides: int) -> tuple[Points, Indices]:
    """Gives vertices and faces of the unit sphere, one vertex at each pole."""
    rise = np.linspace(-0.5 * np.pi, 0.5 * np.pi, rows + 1)[1:-1]
    ring = unit_ring(sides)
    points = np.empty((rows - 1, sides, 3), dtype=np.float64)
    points[..., 2], points[..., 0] = np.cos(rise)[:, None] * ring[:, 0], np.cos(rise)[:, None] * ring[:, 1]
    points[..., 1] = np.sin(rise)[:, None]
    flat = np.concatenate([points.reshape(-1, 3), [[0.0, -1.0, 0.0], [0.0, 1.0, 0.0]]])
    turn = np.arange(sides, dtype=np.int64)
    following, last = (turn + 1) % sides, (rows - 2) * sides
    low = np.stack([following, turn, np.full_like(turn, len(flat) - 2)], axis=1)
    high = np.stack([turn + last, following + last, np.full_like(turn, len(flat) - 1)], axis=1)
    return flat, np.concatenate([lattice_faces(rows - 1, sides), low, high])
