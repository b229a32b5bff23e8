"""Simple closed surfaces that garments and bags are made of."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mili_core.synth.wardrobe.look import Float32Array, Int64Array

Points = NDArray[np.floating]


def sheet_faces(rows: int, columns: int, *, closed: bool) -> Int64Array:
    """Gives the triangles of a grid of rows x columns vertices, rows going down, columns counter-clockwise from above.

    Args:
        rows: number of rows.
        columns: number of columns.
        closed: whether the last column joins the first.
    """
    wide = columns if closed else columns - 1
    row, column = np.meshgrid(np.arange(rows - 1), np.arange(wide), indexing="ij")
    a = (row * columns + column).ravel()
    b = (row * columns + (column + 1) % columns).ravel()
    c, d = a + columns, b + columns
    faces: Int64Array = np.concatenate([np.stack([a, c, b], axis=1), np.stack([b, c, d], axis=1)]).astype(np.int64)
    return faces


def lined(outer: Float32Array, inner: Float32Array, faces: Int64Array) -> tuple[Float32Array, Int64Array]:
    """Gives a sheet (v, 3) with its lining (v, 3), which is seen from the other side."""
    both: Float32Array = np.concatenate([outer, inner]).astype(np.float32)
    return both, np.concatenate([faces, faces[:, ::-1] + len(outer)])


def tube(path: Points, radii: Points, flat: float = 1.0, sides: int = 10) -> tuple[Float32Array, Int64Array]:
    """Gives a closed tube along a path.

    Args:
        path: (n, 3) middle line.
        radii: (n,) metres; the ends are closed by a point.
        flat: the tube's height over its width.
        sides: vertices around.
    """
    path = np.asarray(path, dtype=np.float64)
    along = np.gradient(path, axis=0)
    along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-9)
    hint = np.array([0.0, 1.0, 0.0]) if np.abs(along[:, 1]).mean() < 0.7 else np.array([0.0, 0.0, 1.0])
    side = np.cross(along, hint)
    side /= np.maximum(np.linalg.norm(side, axis=1, keepdims=True), 1e-9)
    up = np.cross(side, along)
    turn = 2.0 * np.pi * np.arange(sides) / sides
    ring = np.cos(turn)[None, :, None] * side[:, None] + flat * np.sin(turn)[None, :, None] * up[:, None]
    body = path[:, None] + np.asarray(radii)[:, None, None] * ring
    rows = np.concatenate([np.repeat(path[:1, None], sides, axis=1), body, np.repeat(path[-1:, None], sides, axis=1)])
    faces = sheet_faces(len(rows), sides, closed=True)
    return rows.reshape(-1, 3).astype(np.float32), outward(rows.reshape(-1, 3), faces)


def rounded_box(half: Points, power: float = 4.0, rows: int = 9, columns: int = 16) -> tuple[Float32Array, Int64Array]:
    """Gives a box (power 4) or an ellipsoid (power 2) around the origin.

    Args:
        half: (3,) half sizes, metres.
        power: exponent of the superellipsoid.
        rows: vertices from top to bottom.
        columns: vertices around.
    """
    bend = 2.0 / power
    fall = np.linspace(0.5 * np.pi, -0.5 * np.pi, rows)[:, None]
    turn = (2.0 * np.pi * np.arange(columns) / columns)[None]

    def soft(value: Points) -> Points:
        return np.sign(value) * np.abs(value) ** bend

    points = np.stack(
        [
            soft(np.cos(fall)) * soft(np.sin(turn)),
            soft(np.sin(fall)) * np.ones_like(turn),
            soft(np.cos(fall)) * soft(np.cos(turn)),
        ],
        axis=-1,
    ).reshape(-1, 3) * np.asarray(half)
    faces = sheet_faces(rows, columns, closed=True)
    return points.astype(np.float32), outward(points, faces)


def joined(
    parts: list[tuple[Float32Array, Int64Array]],
) -> tuple[Float32Array, Int64Array]:
    """Gives several meshes as one."""
    starts = np.cumsum([0, *(len(vertices) for vertices, _ in parts[:-1])])
    faces = [part + start for (_, part), start in zip(parts, starts, strict=True)]
    return np.concatenate([vertices for vertices, _ in parts]), np.concatenate(faces)


def outward(points: Points, faces: Int64Array) -> Int64Array:
    """Gives the faces of a closed surface turned so that they are counter-clockwise seen from outside."""
    a, b, c = (points[faces[:, corner]] for corner in range(3))
    volume = float(np.einsum("fk,fk->", a - points.mean(axis=0), np.cross(b - a, c - a)))
    return faces if volume >= 0 else np.ascontiguousarray(faces[:, ::-1])
