"""Z-buffer rasteriser: one contract, a numba kernel and a torch twin."""

from __future__ import annotations

import importlib.util

import numpy as np
from numpy.typing import NDArray

from mili_core.errors import DependencyError
from mili_core.raster.contract import Backend, Raster, check_mesh

__all__ = ["Backend", "Raster", "rasterise"]


def rasterise(
    vertices: NDArray[np.float32],
    faces: NDArray[np.int64],
    width: int,
    height: int,
    *,
    backend: Backend = "auto",
) -> Raster:
    """Gives depth, triangle id and barycentrics at each pixel centre; the rules are in `mili_core.raster.contract`.

    Args:
        vertices: (V, 3) float32 x_px, y_px, depth_m; V = 0 is fine when F = 0.
        faces: (F, 3) int64; F = 0 gives an empty raster.
        width: px, at least 1.
        height: px, at least 1.
        backend: "auto" takes numba where it is installed, else torch; both give the same pixels.

    Raises:
        ValueError: a shape, size or vertex index is out of range.
        DependencyError: backend "numba" without numba.
    """
    check_mesh(vertices, faces, width, height)
    if backend == "auto":
        backend = "numba" if _has_numba() else "torch"
    if backend == "torch":
        from mili_core.raster.torch_twin import rasterise_torch  # noqa: PLC0415 - torch only where it is used

        return rasterise_torch(vertices, faces, width, height)
    if not _has_numba():
        raise DependencyError("raster backend 'numba' needs numba, which is not installed: pip install 'mili[synth]'")
    from mili_core.raster.numba_kernel import rasterise_numba  # noqa: PLC0415 - an extra

    return rasterise_numba(vertices, faces, width, height)


def _has_numba() -> bool:
    return importlib.util.find_spec("numba") is not None
