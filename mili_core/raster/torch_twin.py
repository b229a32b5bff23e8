"""The same z-buffer in plain torch: the reference of the numba kernel, the fallback without it, and the GPU path."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mili_core.raster.contract import EMPTY_ID, NEAR_M, SUBPIXELS, Raster

CHUNK_SAMPLES = 1 << 21
"""Candidate samples tested at once: bounds the temporary memory to about 0.3 GB."""

_KEY_EMPTY = torch.iinfo(torch.int64).max


@dataclass(frozen=True, slots=True, eq=False)
class _Triangles:
    """The T triangles that can cover a pixel centre; float64, snapped.

    Attributes:
        ids: (T,) int64 index into the mesh's faces.
        corners: (T, 3, 2) px.
        depths: (T, 3) metres.
        signed_area: (T,) twice the area, px^2, positive when clockwise on the screen.
        first: (T, 2) int64 first column and row of the box of pixel centres.
        last: (T, 2) int64 last column and row, inclusive.
    """

    ids: Tensor
    corners: Tensor
    depths: Tensor
    signed_area: Tensor
    first: Tensor
    last: Tensor


def rasterise_tensors(vertices: Tensor, faces: Tensor, width: int, height: int) -> tuple[Tensor, Tensor, Tensor]:
    """Gives depth (H, W) float32, ids (H, W) int32 and barycentrics (H, W, 3) float32 on the vertices' device.

    Args:
        vertices: (V, 3) float32 x_px, y_px, depth_m.
        faces: (F, 3) int64, on the same device.
        width: px, at least 1.
        height: px, at least 1.
    """
    triangles = _setup(vertices, faces, width, height)
    keys = torch.full((height * width,), _KEY_EMPTY, dtype=torch.int64, device=vertices.device)
    extent = (triangles.last - triangles.first + 1).amax(dim=1)
    buckets = torch.ceil(torch.log2(extent.double())).long()
    for bucket in torch.unique(buckets).tolist():
        side = 1 << bucket
        members = torch.nonzero(buckets == bucket).flatten()
        if side * side <= CHUNK_SAMPLES:
            for chunk in torch.split(members, CHUNK_SAMPLES // (side * side)):
                _splat(triangles, chunk, side, (0, side), width, keys)
        else:
            rows = max(1, CHUNK_SAMPLES // side)
            for member in torch.split(members, 1):
                for row in range(0, side, rows):
                    _splat(triangles, member, side, (row, min(side, row + rows)), width, keys)
    return _resolve(vertices, faces, keys, width, height)


def rasterise_torch(vertices: NDArray[np.float32], faces: NDArray[np.int64], width: int, height: int) -> Raster:
    """Gives the raster of one mesh on the CPU; arguments as in `mili_core.raster.rasterise`, already checked."""
    depth, ids, barycentrics = rasterise_tensors(
        torch.tensor(vertices, dtype=torch.float32), torch.tensor(faces, dtype=torch.int64), width, height
    )
    return Raster(depth.numpy(), ids.numpy(), barycentrics.numpy())


def _snap(points: Tensor) -> Tensor:
    return torch.floor(points.double() * SUBPIXELS + 0.5) / SUBPIXELS


def _cross(a: Tensor, b: Tensor) -> Tensor:
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]


def _setup(vertices: Tensor, faces: Tensor, width: int, height: int) -> _Triangles:
    corners = _snap(vertices[:, :2])[faces]
    depths = vertices[:, 2].double()[faces]
    area = _cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    limit = torch.tensor([width - 1.0, height - 1.0], dtype=torch.float64, device=vertices.device)
    first = torch.ceil(corners.amin(dim=1) - 0.5).clamp_min(0.0)
    last = torch.minimum(torch.floor(corners.amax(dim=1) - 0.5), limit)
    drawn = (depths > NEAR_M).all(dim=1) & (area != 0) & torch.isfinite(area) & (first <= last).all(dim=1)
    ids = torch.nonzero(drawn).flatten()
    return _Triangles(ids, corners[ids], depths[ids], area[ids], first[ids].long(), last[ids].long())


def _edge_functions(corners: Tensor, signed_area: Tensor, centres: Tensor) -> tuple[Tensor, Tensor]:
    """Gives edge functions (..., 3) at pixel centres, positive inside, and whether the triangle owns each edge."""
    sign = torch.sign(signed_area)[..., None]
    starts = corners[..., [1, 2, 0], :]
    edges = (corners[..., [2, 0, 1], :] - starts) * sign[..., None]
    values = _cross(edges, centres[..., None, :] - starts)
    owned = (edges[..., 1] < 0) | ((edges[..., 1] == 0) & (edges[..., 0] > 0))
    return values, owned


def _splat(triangles: _Triangles, members: Tensor, side: int, rows: tuple[int, int], width: int, keys: Tensor) -> None:
    """Lowers `keys` (depth bits << 32 | triangle id) by the given triangles over the given rows of their boxes."""
    device = keys.device
    row, column = torch.meshgrid(torch.arange(*rows, device=device), torch.arange(side, device=device), indexing="ij")
    offsets = torch.stack([column.flatten(), row.flatten()], dim=1)
    pixels = triangles.first[members][:, None] + offsets[None]
    inside_box = (pixels <= triangles.last[members][:, None]).all(dim=2)
    triangle, sample = torch.nonzero(inside_box, as_tuple=True)
    pixel = pixels[triangle, sample]
    member = members[triangle]
    values, owned = _edge_functions(triangles.corners[member], triangles.signed_area[member], pixel.double() + 0.5)
    covered = ((values > 0) | ((values == 0) & owned)).all(dim=1)
    member, pixel, values = member[covered], pixel[covered], values[covered]
    depth = _depth(values, triangles.signed_area[member], triangles.depths[member])[0].float()
    key = (depth.view(torch.int32).long() << 32) | triangles.ids[member]
    keys.scatter_reduce_(0, pixel[:, 1] * width + pixel[:, 0], key, reduce="amin")


def _depth(values: Tensor, signed_area: Tensor, depths: Tensor) -> tuple[Tensor, Tensor]:
    """Gives depth (...) and perspective-correct barycentrics (..., 3), float64."""
    weights = values * (1.0 / signed_area.abs())[..., None] / depths
    depth = 1.0 / (weights[..., 0] + weights[..., 1] + weights[..., 2])
    return depth, weights * depth[..., None]


def _resolve(vertices: Tensor, faces: Tensor, keys: Tensor, width: int, height: int) -> tuple[Tensor, Tensor, Tensor]:
    device = keys.device
    depth = torch.full((height * width,), torch.inf, dtype=torch.float32, device=device)
    ids = torch.full((height * width,), EMPTY_ID, dtype=torch.int32, device=device)
    barycentrics = torch.zeros((height * width, 3), dtype=torch.float32, device=device)
    pixel = torch.nonzero(keys != _KEY_EMPTY).flatten()
    face = keys[pixel] & 0xFFFFFFFF
    corners = _snap(vertices[:, :2])[faces[face]]
    area = _cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    centres = torch.stack([pixel % width, pixel // width], dim=1).double() + 0.5
    values, _ = _edge_functions(corners, area, centres)
    exact, weights = _depth(values, area, vertices[:, 2].double()[faces[face]])
    depth[pixel], ids[pixel], barycentrics[pixel] = exact.float(), face.int(), weights.float()
    return depth.view(height, width), ids.view(height, width), barycentrics.view(height, width, 3)
