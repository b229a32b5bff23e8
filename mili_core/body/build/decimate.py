"""Fewer vertices on the same surface, and what it takes to carry per-vertex values over."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mili_core.body.build.bones import keep_largest
from mili_core.body.model import Float32Array, Int64Array
from mili_core.errors import BodyError, DependencyError

_NEAREST = 8  # vertices whose triangles are candidates for the closest one


@dataclass(frozen=True, slots=True, eq=False)
class Reduction:
    """A coarse mesh whose vertices lie on the triangles of a fine one.

    Attributes:
        faces: (F, 3) of the coarse mesh.
        corners: (V, 3) vertices of the fine mesh around each coarse vertex.
        barycentrics: (V, 3), rows sum to 1, none negative.
    """

    faces: Int64Array
    corners: Int64Array
    barycentrics: Float32Array

    def carry(self, values: Float32Array) -> Float32Array:
        """Gives per-vertex values (fine, ...) on the coarse vertices, (V, ...)."""
        carried: Float32Array = np.einsum("vc,vc...->v...", self.barycentrics, values[self.corners])
        return carried

    def carry_weights(self, weights: Float32Array) -> Float32Array:
        """Gives skinning weights (fine, 24) on the coarse vertices, four a row at most."""
        return keep_largest(self.carry(weights), 4)


def reduce_mesh(vertices: Float32Array, faces: Int64Array, face_count: int) -> Reduction:
    """Gives a closed mesh with exactly `face_count` triangles by quadric decimation.

    Args:
        vertices: (V, 3), metres.
        faces: (F, 3), a closed surface of genus 0.
        face_count: even, below F.

    Raises:
        DependencyError: fast-simplification, trimesh or scipy is missing.
        BodyError: the decimated mesh has other counts or is not closed.
    """
    try:
        import fast_simplification  # noqa: PLC0415  the extra is needed here only
    except ImportError as error:
        raise DependencyError(f"{error.name} is not installed", "body-build") from error
    points, triangles = fast_simplification.simplify(vertices, faces.astype(np.int32), target_count=face_count)
    triangles = triangles.astype(np.int64)
    check_closed(triangles, len(points), face_count)
    corners, barycentrics = closest_on_surface(points.astype(np.float64), vertices, faces)
    return Reduction(triangles, corners, barycentrics)


def check_closed(faces: Int64Array, vertex_count: int, face_count: int) -> None:
    """Raises BodyError unless the mesh is one closed, consistently wound sphere with `face_count` triangles."""
    if len(faces) != face_count or vertex_count != face_count // 2 + 2:
        raise BodyError(f"decimation gave {vertex_count} vertices, {len(faces)} faces; expected {face_count} faces")
    edges = np.stack((faces, np.roll(faces, -1, axis=1)), axis=-1).reshape(-1, 2)
    directed = {(int(a), int(b)) for a, b in edges}
    if len(directed) != len(edges) or any((b, a) not in directed for a, b in directed):
        raise BodyError("decimation left edges that two opposite triangles do not share; the mesh is not closed")
    if len(np.unique(faces)) != vertex_count:
        raise BodyError("decimation left vertices without a triangle")


def closest_on_surface(
    points: NDArray[np.float64], vertices: Float32Array, faces: Int64Array
) -> tuple[Int64Array, Float32Array]:
    """Gives the closest place on a surface for each point, searched around its nearest vertices.

    Args:
        points: (P, 3).
        vertices: (V, 3).
        faces: (F, 3).

    Returns:
        corners (P, 3), the triangle's vertices, and barycentrics (P, 3).
    """
    from scipy.spatial import cKDTree  # noqa: PLC0415
    from trimesh.triangles import closest_point, points_to_barycentric  # noqa: PLC0415

    around = _faces_of_vertices(faces, len(vertices))
    nearest = cKDTree(vertices).query(points, k=min(_NEAREST, len(vertices)))[1]
    corners = np.empty((len(points), 3), dtype=np.int64)
    feet = np.empty_like(points)
    for index, point in enumerate(points):
        candidates = np.unique(np.concatenate([around[vertex] for vertex in nearest[index]]))
        triangles = vertices[faces[candidates]].astype(np.float64)
        on_triangles = closest_point(triangles, np.broadcast_to(point, (len(candidates), 3)))
        best = np.linalg.norm(on_triangles - point, axis=1).argmin()
        corners[index], feet[index] = faces[candidates[best]], on_triangles[best]
    barycentrics = points_to_barycentric(vertices[corners].astype(np.float64), feet).clip(0.0, 1.0)
    return corners, (barycentrics / barycentrics.sum(axis=1, keepdims=True)).astype(np.float32)


def _faces_of_vertices(faces: Int64Array, vertex_count: int) -> list[Int64Array]:
    order = np.argsort(faces.ravel(), kind="stable")
    ends = np.cumsum(np.bincount(faces.ravel(), minlength=vertex_count))
    return np.split(order // 3, ends[:-1])
