"""Everything that is drawn is a surface: a posed mesh in camera axes, with the light that reaches it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mili_core.raster.contract import NEAR_M
from mili_core.synth.camera import SceneCamera
from mili_core.synth.people.rig import vertex_normals
from mili_core.synth.rendering.occlusion import sky_visibility, sun_visibility
from mili_core.synth.worlds.light import Light

Float32Array = NDArray[np.float32]

DETAILED_PX = 96.0
"""What is lower gets the whole sky everywhere: its creases are about a pixel, and the sky costs most."""

NOBODY = -1
"""Owner of what is not a person: objects, and bags that people carry."""


@dataclass(frozen=True, slots=True, eq=False)
class Cloth:
    """How a body or a garment looks: through its wearer's outfit.

    Attributes:
        fields: (V, Field.COUNT) float32 place on the body in the rest pose.
        region: Region of the whole mesh, or -1 where the outfit decides point by point.
    """

    fields: Float32Array
    region: int = -1


@dataclass(frozen=True, slots=True, eq=False)
class Paint:
    """How an object looks: (V, 3) float32 linear albedo and (V,) float32 gloss."""

    albedo: Float32Array
    gloss: Float32Array


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """A posed mesh before light.

    Attributes:
        vertices_m: (V, 3) float32.
        faces: (F, 3) int64, counter-clockwise seen from outside.
        look: cloth or paint.
        owner: whose mask it belongs to, or NOBODY.
        normals: (V, 3) float32 unit normals where they are known, else None.
    """

    vertices_m: Float32Array
    faces: NDArray[np.int64]
    look: Cloth | Paint
    owner: int
    normals: Float32Array | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Surface:
    """A piece in its light.

    Attributes:
        piece: the mesh, camera axes.
        normals: (V, 3) float32 unit, camera axes.
        sun: (V,) float32, 1 where the sun reaches the vertex.
        sky: (V,) float32 share of the sky that reaches the vertex.
        bounds_px: (4,) float64 xyxy of its projection.
    """

    piece: Piece
    normals: Float32Array
    sun: Float32Array
    sky: Float32Array
    bounds_px: NDArray[np.float64]


def light_pieces(pieces: Sequence[Piece], camera: SceneCamera, light: Light) -> tuple[Surface, ...]:
    """Gives the surfaces of pieces that shade each other (a person and what they wear, or one object)."""
    if not pieces:
        return ()
    starts = np.cumsum([0, *(len(piece.vertices_m) for piece in pieces)])
    bounds = [projected_bounds(camera, piece.vertices_m) for piece in pieces]
    vertices = np.concatenate([piece.vertices_m for piece in pieces])
    faces = np.concatenate([piece.faces + start for piece, start in zip(pieces, starts[:-1], strict=True)])
    normals = np.concatenate([_normals(piece) for piece in pieces])
    turn = camera.world_to_camera
    sun = sun_visibility(vertices, normals, faces, turn @ light.sun)
    if max(top_to_bottom(box) for box in bounds) >= DETAILED_PX:
        sky = sky_visibility(vertices, normals, faces, -turn[:, 1])
    else:
        sky = np.ones(len(vertices), dtype=np.float32)
    return tuple(
        Surface(piece, normals[low:high], sun[low:high], sky[low:high], box)
        for piece, low, high, box in zip(pieces, starts[:-1], starts[1:], bounds, strict=True)
    )


def _normals(piece: Piece) -> Float32Array:
    return vertex_normals(piece.vertices_m[None], piece.faces)[0] if piece.normals is None else piece.normals


def top_to_bottom(bounds_px: NDArray[np.float64]) -> float:
    """Gives the height of a box (4,) xyxy, below 0 when it is empty."""
    return float(bounds_px[3] - bounds_px[1])


def projected_bounds(camera: SceneCamera, points_m: Float32Array) -> NDArray[np.float64]:
    """Gives (4,) xyxy px of the projection of points (V, 3), camera axes; empty (inf, -inf) when all are behind."""
    if points_m[:, 2].max(initial=-np.inf) <= NEAR_M:
        return np.array([np.inf, np.inf, -np.inf, -np.inf])
    pixels = camera.project(np.maximum(points_m, [-np.inf, -np.inf, NEAR_M]))
    x, y = pixels[:, 0], pixels[:, 1]
    return np.array([x.min(), y.min(), x.max(), y.max()])
