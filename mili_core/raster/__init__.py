"""Z-buffer rasteriser: one contract, a numba kernel and a torch twin that also runs on a GPU."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mili_core.raster.choice import AUTO, Choice, resolve, using
from mili_core.raster.contract import Backend, Raster, RasterJob

__all__ = ["Backend", "Choice", "Raster", "RasterJob", "rasterise", "rasterise_many", "resolve", "using"]


def rasterise(
    vertices: NDArray[np.float32],
    faces: NDArray[np.int64],
    width: int,
    height: int,
    *,
    backend: Backend = "auto",
    device: str = AUTO,
) -> Raster:
    """Gives depth, triangle id and barycentrics at each pixel centre; the rules are in `mili_core.raster.contract`.

    Args:
        vertices: (V, 3) float32 x_px, y_px, depth_m; V = 0 is fine when F = 0.
        faces: (F, 3) int64; F = 0 gives an empty raster.
        width: px, at least 1.
        height: px, at least 1.
        backend: "auto" takes what `using` says around the call, else numba where it is installed, else torch; both
            give the same pixels.
        device: "auto" takes what `using` says, else the cpu; "cuda[:n]" is torch's.

    Raises:
        ValueError: a shape, size or vertex index is out of range.
        DependencyError: backend "numba" without numba.
        ConfigError: a device that the backend does not know or that is not there.
    """
    return rasterise_many([RasterJob(vertices, faces, width, height)], backend=backend, device=device)[0]


def rasterise_many(jobs: Sequence[RasterJob], *, backend: Backend = "auto", device: str = AUTO) -> list[Raster]:
    """Gives the raster of each mesh alone, equal to `rasterise` one by one.

    On a GPU all are drawn together, which pays: a person alone is too little work for it.

    Args:
        jobs: meshes with the sizes of their rasters; none gives an empty list.
        backend: as of `rasterise`.
        device: as of `rasterise`.

    Raises:
        DependencyError, ConfigError: as of `rasterise`.
    """
    choice = resolve(backend, device)
    if choice.backend == "torch":
        from mili_core.raster.torch_twin import rasterise_torch  # noqa: PLC0415 - torch only where it is used

        return rasterise_torch(jobs, choice.device)
    from mili_core.raster.numba_kernel import rasterise_numba  # noqa: PLC0415 - an extra

    return [rasterise_numba(job.vertices, job.faces, job.width, job.height) for job in jobs]
