"""What a rasteriser gives and the rules that every backend keeps.

Rules, equal in all backends:

* Pixel i covers [i, i + 1); it is sampled once, at its centre i + 0.5.
* Vertices are snapped to 1/256 px before coverage is decided, so that edge functions are exact in float64 and a
  mesh has neither cracks nor double hits along shared edges.
* A centre exactly on an edge belongs to the triangle for which that edge is a top or a left edge.
* Depth is perspective correct (1/z is linear in the image); the nearest triangle wins, equal float32 depths go to
  the lower triangle id. Both sides of a triangle are drawn.
* A triangle with a vertex at or behind the near plane, with a non-finite vertex, or without area, is skipped.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Backend = Literal["auto", "numba", "torch"]

SUBPIXELS = 256.0
"""Snapping grid per px; 8 bits are what graphics hardware uses, and keep products of coordinates below 2**53."""

NEAR_M = 0.01
"""Nearest depth that is drawn, metres: closer than any camera is to a person, far from a division by zero."""

EMPTY_ID = -1


@dataclass(frozen=True, slots=True, eq=False)
class Raster:
    """One sample for each pixel.

    Attributes:
        depth: (H, W) float32 metres along the optical axis, inf where nothing is drawn.
        ids: (H, W) int32 triangle index, -1 where nothing is drawn.
        barycentrics: (H, W, 3) float32 perspective-correct weights of the triangle's vertices, 0 where empty.
    """

    depth: NDArray[np.float32]
    ids: NDArray[np.int32]
    barycentrics: NDArray[np.float32]

    def __post_init__(self) -> None:
        shape = self.depth.shape
        if self.ids.shape != shape or self.barycentrics.shape != (*shape, 3):
            raise ValueError(f"Raster: depth {shape}, ids {self.ids.shape}, barycentrics {self.barycentrics.shape}")


@dataclass(frozen=True, slots=True, eq=False)
class RasterJob:
    """A mesh and the raster that it is drawn on alone; arguments as of `mili_core.raster.rasterise`.

    Attributes:
        vertices: (V, 3) float32 x_px, y_px, depth_m.
        faces: (F, 3) int64.
        width, height: px, at least 1.
    """

    vertices: NDArray[np.float32]
    faces: NDArray[np.int64]
    width: int
    height: int

    def __post_init__(self) -> None:
        check_mesh(self.vertices, self.faces, self.width, self.height)


def check_mesh(vertices: NDArray[np.float32], faces: NDArray[np.int64], width: int, height: int) -> None:
    """Raises ValueError unless the arguments of `rasterise` have their shapes, ranges and sizes."""
    if vertices.ndim != 2 or vertices.shape[1] != 3:
        raise ValueError(f"vertices have shape {vertices.shape}, expected (V, 3): x_px, y_px, depth_m")
    if faces.ndim != 2 or faces.shape[1] != 3:
        raise ValueError(f"faces have shape {faces.shape}, expected (F, 3)")
    if width < 1 or height < 1:
        raise ValueError(f"the raster is {width}x{height}, expected at least 1x1")
    if len(faces) and (faces.min() < 0 or faces.max() >= len(vertices)):
        raise ValueError(f"faces name vertices {faces.min()}..{faces.max()}, there are {len(vertices)}")
