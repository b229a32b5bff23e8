"""A triangle mesh with colours: every object of a scene is one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mili_core.synth.poses.skeleton import axis_rotation

Float32Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Mesh:
    """An object in its own axes, which are a person's: x to its left, y up, z to its front, metres, ground at y = 0.

    Flat faces have vertices of their own, smooth ones share theirs: normals are computed per vertex.

    Attributes:
        vertices_m: (V, 3) float32.
        faces: (F, 3) int64, counter-clockwise seen from outside.
        albedo: (V, 3) float32 linear, 0..1.
        gloss: (V,) float32, 0 matt .. 1 mirror-like.
    """

    vertices_m: Float32Array
    faces: NDArray[np.int64]
    albedo: Float32Array
    gloss: Float32Array

    def turned(self, heading_rad: float) -> Mesh:
        """Gives the mesh turned about the vertical, counter-clockwise seen from above."""
        return self.transformed(axis_rotation(np.asarray(heading_rad), 1), np.zeros(3))

    def transformed(self, rotation: NDArray[np.floating], offset_m: NDArray[np.floating]) -> Mesh:
        """Gives the mesh after p -> rotation p + offset; rotation (3, 3), offset (3,)."""
        return replace(self, vertices_m=(self.vertices_m @ np.asarray(rotation).T + offset_m).astype(np.float32))


def join(meshes: Sequence[Mesh]) -> Mesh:
    """Gives several meshes, at least one, as one."""
    starts = np.cumsum([0, *(len(mesh.vertices_m) for mesh in meshes[:-1])])
    return Mesh(
        vertices_m=np.concatenate([mesh.vertices_m for mesh in meshes]),
        faces=np.concatenate([mesh.faces + start for mesh, start in zip(meshes, starts, strict=True)]),
        albedo=np.concatenate([mesh.albedo for mesh in meshes]),
        gloss=np.concatenate([mesh.gloss for mesh in meshes]),
    )
