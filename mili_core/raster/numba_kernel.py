"""Z-buffer on one CPU thread, compiled by numba (extra `synth`)."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from mili_core.raster.contract import EMPTY_ID, NEAR_M, SUBPIXELS, Raster


@njit(cache=True, nogil=True, error_model="numpy")
def _fill(  # noqa: C901 - one hot loop, split functions cost a third of the speed
    vertices: NDArray[np.float32],
    faces: NDArray[np.int64],
    depth: NDArray[np.float32],
    ids: NDArray[np.int32],
    barycentrics: NDArray[np.float32],
) -> None:
    height, width = depth.shape
    for face in range(faces.shape[0]):
        i0, i1, i2 = faces[face, 0], faces[face, 1], faces[face, 2]
        z0, z1, z2 = float(vertices[i0, 2]), float(vertices[i1, 2]), float(vertices[i2, 2])
        # Written so that NaN fails, too.
        if not (z0 > NEAR_M and z1 > NEAR_M and z2 > NEAR_M):
            continue
        x0 = np.floor(float(vertices[i0, 0]) * SUBPIXELS + 0.5) / SUBPIXELS
        y0 = np.floor(float(vertices[i0, 1]) * SUBPIXELS + 0.5) / SUBPIXELS
        x1 = np.floor(float(vertices[i1, 0]) * SUBPIXELS + 0.5) / SUBPIXELS
        y1 = np.floor(float(vertices[i1, 1]) * SUBPIXELS + 0.5) / SUBPIXELS
        x2 = np.floor(float(vertices[i2, 0]) * SUBPIXELS + 0.5) / SUBPIXELS
        y2 = np.floor(float(vertices[i2, 1]) * SUBPIXELS + 0.5) / SUBPIXELS
        area = (x1 - x0) * (y2 - y0) - (y1 - y0) * (x2 - x0)
        if not (area != 0.0 and abs(area) < np.inf):
            continue
        left = max(0.0, np.ceil(min(x0, x1, x2) - 0.5))
        top = max(0.0, np.ceil(min(y0, y1, y2) - 0.5))
        right = min(width - 1.0, np.floor(max(x0, x1, x2) - 0.5))
        bottom = min(height - 1.0, np.floor(max(y0, y1, y2) - 0.5))
        if left > right or top > bottom:
            continue
        # Edge k lies opposite vertex k; with `sign` every edge function is positive inside.
        sign = 1.0 if area > 0.0 else -1.0
        dx0, dy0 = (x2 - x1) * sign, (y2 - y1) * sign
        dx1, dy1 = (x0 - x2) * sign, (y0 - y2) * sign
        dx2, dy2 = (x1 - x0) * sign, (y1 - y0) * sign
        owns0 = dy0 < 0.0 or (dy0 == 0.0 and dx0 > 0.0)
        owns1 = dy1 < 0.0 or (dy1 == 0.0 and dx1 > 0.0)
        owns2 = dy2 < 0.0 or (dy2 == 0.0 and dx2 > 0.0)
        inverse_area = 1.0 / abs(area)
        for row in range(int(top), int(bottom) + 1):
            py = row + 0.5
            for column in range(int(left), int(right) + 1):
                px = column + 0.5
                e0 = dx0 * (py - y1) - dy0 * (px - x1)
                if e0 < 0.0 or (e0 == 0.0 and not owns0):
                    continue
                e1 = dx1 * (py - y2) - dy1 * (px - x2)
                if e1 < 0.0 or (e1 == 0.0 and not owns1):
                    continue
                e2 = dx2 * (py - y0) - dy2 * (px - x0)
                if e2 < 0.0 or (e2 == 0.0 and not owns2):
                    continue
                w0, w1, w2 = e0 * inverse_area / z0, e1 * inverse_area / z1, e2 * inverse_area / z2
                z = 1.0 / (w0 + w1 + w2)
                z32 = np.float32(z)
                if z32 < depth[row, column]:
                    depth[row, column] = z32
                    ids[row, column] = face
                    barycentrics[row, column, 0] = w0 * z
                    barycentrics[row, column, 1] = w1 * z
                    barycentrics[row, column, 2] = w2 * z


def rasterise_numba(vertices: NDArray[np.float32], faces: NDArray[np.int64], width: int, height: int) -> Raster:
    """Gives the raster of one mesh; arguments as in `mili_core.raster.rasterise`, already checked."""
    depth = np.full((height, width), np.inf, dtype=np.float32)
    ids = np.full((height, width), EMPTY_ID, dtype=np.int32)
    barycentrics = np.zeros((height, width, 3), dtype=np.float32)
    _fill(np.ascontiguousarray(vertices), np.ascontiguousarray(faces), depth, ids, barycentrics)
    return Raster(depth, ids, barycentrics)
