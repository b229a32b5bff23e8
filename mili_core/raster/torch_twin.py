"""The same z-buffer in plain torch: the reference of the numba kernel, the fallback without it, and the GPU path.

Many meshes, each on a raster of its own, are drawn at once: their rasters lie one after another in a single buffer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from mili_core.raster.contract import EMPTY_ID, NEAR_M, SUBPIXELS, Raster, RasterJob

CHUNK_SAMPLES = 1 << 21
"""Candidate samples tested at once: bounds the temporary memory to about 0.3 GB."""

BATCH_PIXELS = 1 << 24
"""Pixels of all rasters drawn together: bounds their memory to about 0.5 GB."""

_KEY_EMPTY = torch.iinfo(torch.int64).max


@dataclass(frozen=True, slots=True, eq=False)
class _Meshes:
    """J meshes and where their rasters lie in the common buffer.

    Attributes:
        vertices: (V, 3) float32 of all meshes, one after another.
        faces: (F, 3) int64 into `vertices`.
        job: (F,) int64 mesh that each face is of.
        sizes: (J, 2) int64 width and height of each raster.
        first_face: (J,) int64.
        first_pixel: (J,) int64.
        pixels: of the whole buffer.
    """

    vertices: Tensor
    faces: Tensor
    job: Tensor
    sizes: Tensor
    first_face: Tensor
    first_pixel: Tensor
    pixels: int


@dataclass(frozen=True, slots=True, eq=False)
class _Triangles:
    """The T triangles that can cover a pixel centre; float64, snapped.

    Attributes:
        ids: (T,) int64 index into the meshes' faces.
        corners: (T, 3, 2) px.
        depths: (T, 3) metres.
        signed_area: (T,) twice the area, px^2, positive when clockwise on the screen.
        first: (T, 2) int64 first column and row of the box of pixel centres.
        last: (T, 2) int64 last column and row, inclusive.
        origin: (T,) int64 place of the raster's first pixel in the buffer.
        stride: (T,) int64 width of the raster.
    """

    ids: Tensor
    corners: Tensor
    depths: Tensor
    signed_area: Tensor
    first: Tensor
    last: Tensor
    origin: Tensor
    stride: Tensor


def rasterise_tensors(vertices: Tensor, faces: Tensor, width: int, height: int) -> tuple[Tensor, Tensor, Tensor]:
    """Gives depth (H, W) float32, ids (H, W) int32 and barycentrics (H, W, 3) float32 on the vertices' device.

    Args:
        vertices: (V, 3) float32 x_px, y_px, depth_m.
        faces: (F, 3) int64, on the same device.
        width: px, at least 1.
        height: px, at least 1.
    """
    depth, ids, barycentrics = _draw(_together([(vertices, faces)], [(width, height)]))
    return depth.view(height, width), ids.view(height, width), barycentrics.view(height, width, 3)


def rasterise_torch(jobs: Sequence[RasterJob], device: str = "cpu") -> list[Raster]:
    """Gives the raster of each mesh, drawn on `device` and brought back; a job's raster does not depend on the others.

    Args:
        jobs: meshes with the sizes of their rasters.
        device: a device that torch has.
    """
    return [raster for batch in _batches(jobs) for raster in _rasters(batch, torch.device(device))]


def _batches(jobs: Sequence[RasterJob]) -> Iterator[list[RasterJob]]:
    """Gives runs of jobs of at most BATCH_PIXELS, or of a single job."""
    batch: list[RasterJob] = []
    pixels = 0
    for job in jobs:
        if batch and pixels + job.width * job.height > BATCH_PIXELS:
            yield batch
            batch, pixels = [], 0
        batch.append(job)
        pixels += job.width * job.height
    if batch:
        yield batch


def _rasters(jobs: Sequence[RasterJob], device: torch.device) -> Iterator[Raster]:
    meshes = [
        (
            torch.tensor(job.vertices, dtype=torch.float32).to(device),
            torch.tensor(job.faces, dtype=torch.int64).to(device),
        )
        for job in jobs
    ]
    flat = [part.cpu().numpy() for part in _draw(_together(meshes, [(job.width, job.height) for job in jobs]))]
    start = 0
    for job in jobs:
        shape, end = (job.height, job.width), start + job.width * job.height
        depth, ids, barycentrics = (part[start:end].reshape(*shape, *part.shape[1:]) for part in flat)
        yield Raster(depth, ids, barycentrics)
        start = end


def _together(meshes: Sequence[tuple[Tensor, Tensor]], sizes: Sequence[tuple[int, int]]) -> _Meshes:
    """Gives meshes of one device side by side."""
    device = meshes[0][0].device
    first_vertex, first_face, first_pixel = [0], [0], [0]
    for (vertices, faces), (width, height) in zip(meshes, sizes, strict=True):
        first_vertex.append(first_vertex[-1] + len(vertices))
        first_face.append(first_face[-1] + len(faces))
        first_pixel.append(first_pixel[-1] + width * height)
    counts = torch.tensor([len(faces) for _, faces in meshes], device=device)
    return _Meshes(
        vertices=torch.cat([vertices for vertices, _ in meshes]),
        faces=torch.cat([faces + first for (_, faces), first in zip(meshes, first_vertex[:-1], strict=True)]),
        job=torch.repeat_interleave(torch.arange(len(meshes), device=device), counts),
        sizes=torch.tensor(sizes, dtype=torch.int64, device=device),
        first_face=torch.tensor(first_face[:-1], dtype=torch.int64, device=device),
        first_pixel=torch.tensor(first_pixel[:-1], dtype=torch.int64, device=device),
        pixels=first_pixel[-1],
    )


def _draw(meshes: _Meshes) -> tuple[Tensor, Tensor, Tensor]:
    """Gives depth (pixels,), ids (pixels,) within each mesh and barycentrics (pixels, 3) of the common buffer."""
    triangles = _setup(meshes)
    keys = torch.full((meshes.pixels,), _KEY_EMPTY, dtype=torch.int64, device=meshes.vertices.device)
    extent = (triangles.last - triangles.first + 1).amax(dim=1)
    buckets = torch.ceil(torch.log2(extent.double())).long()
    for bucket in torch.unique(buckets).tolist():
        side = 1 << bucket
        members = torch.nonzero(buckets == bucket).flatten()
        if side * side <= CHUNK_SAMPLES:
            for chunk in torch.split(members, CHUNK_SAMPLES // (side * side)):
                _splat(triangles, chunk, side, (0, side), keys)
        else:
            rows = max(1, CHUNK_SAMPLES // side)
            for member in torch.split(members, 1):
                for row in range(0, side, rows):
                    _splat(triangles, member, side, (row, min(side, row + rows)), keys)
    return _resolve(meshes, keys)


def _snap(points: Tensor) -> Tensor:
    return torch.floor(points.double() * SUBPIXELS + 0.5) / SUBPIXELS


def _cross(a: Tensor, b: Tensor) -> Tensor:
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]


def _setup(meshes: _Meshes) -> _Triangles:
    corners = _snap(meshes.vertices[:, :2])[meshes.faces]
    depths = meshes.vertices[:, 2].double()[meshes.faces]
    area = _cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    limit = meshes.sizes[meshes.job].double() - 1.0
    first = torch.ceil(corners.amin(dim=1) - 0.5).clamp_min(0.0)
    last = torch.minimum(torch.floor(corners.amax(dim=1) - 0.5), limit)
    drawn = (depths > NEAR_M).all(dim=1) & (area != 0) & torch.isfinite(area) & (first <= last).all(dim=1)
    ids = torch.nonzero(drawn).flatten()
    job = meshes.job[ids]
    return _Triangles(
        ids, corners[ids], depths[ids], area[ids], first[ids].long(), last[ids].long(),
        meshes.first_pixel[job], meshes.sizes[job, 0],
    )  # fmt: skip


def _edge_functions(corners: Tensor, signed_area: Tensor, centres: Tensor) -> tuple[Tensor, Tensor]:
    """Gives edge functions (..., 3) at pixel centres, positive inside, and whether the triangle owns each edge."""
    sign = torch.sign(signed_area)[..., None]
    starts = corners[..., [1, 2, 0], :]
    edges = (corners[..., [2, 0, 1], :] - starts) * sign[..., None]
    values = _cross(edges, centres[..., None, :] - starts)
    owned = (edges[..., 1] < 0) | ((edges[..., 1] == 0) & (edges[..., 0] > 0))
    return values, owned


def _splat(triangles: _Triangles, members: Tensor, side: int, rows: tuple[int, int], keys: Tensor) -> None:
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
    place = triangles.origin[member] + pixel[:, 1] * triangles.stride[member] + pixel[:, 0]
    keys.scatter_reduce_(0, place, key, reduce="amin")


def _depth(values: Tensor, signed_area: Tensor, depths: Tensor) -> tuple[Tensor, Tensor]:
    """Gives depth (...) and perspective-correct barycentrics (..., 3), float64."""
    weights = values * (1.0 / signed_area.abs())[..., None] / depths
    depth = 1.0 / (weights[..., 0] + weights[..., 1] + weights[..., 2])
    return depth, weights * depth[..., None]


def _resolve(meshes: _Meshes, keys: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    device = keys.device
    depth = torch.full((meshes.pixels,), torch.inf, dtype=torch.float32, device=device)
    ids = torch.full((meshes.pixels,), EMPTY_ID, dtype=torch.int32, device=device)
    barycentrics = torch.zeros((meshes.pixels, 3), dtype=torch.float32, device=device)
    pixel = torch.nonzero(keys != _KEY_EMPTY).flatten()
    face = keys[pixel] & 0xFFFFFFFF
    job = meshes.job[face]
    own, width = pixel - meshes.first_pixel[job], meshes.sizes[job, 0]
    corners = _snap(meshes.vertices[:, :2])[meshes.faces[face]]
    area = _cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    centres = torch.stack([own % width, own // width], dim=1).double() + 0.5
    values, _ = _edge_functions(corners, area, centres)
    exact, weights = _depth(values, area, meshes.vertices[:, 2].double()[meshes.faces[face]])
    depth[pixel], ids[pixel], barycentrics[pixel] = (
        exact.float(),
        (face - meshes.first_face[job]).int(),
        weights.float(),
    )
    return depth, ids, barycentrics
