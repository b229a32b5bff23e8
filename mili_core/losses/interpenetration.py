"""Interpenetration of people in one image (L_mul, CRMH's tune stage): nobody's surface lies inside somebody else.

Each body becomes a coarse volume of signed distances in a cube around it. The vertices of the others are looked up in
it, which is where gradients come from; the volume itself has none. Lengths are in units of half the cube's side.

Two things differ from CRMH. Its "isolated person" test silences the loss for anyone who fails to overlap any one of
the others; here each pair whose bounding boxes overlap counts. And distances are negative outside and are cut at 0
after interpolation, so that the zero level is the surface and not the cells around it.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int64
from torch import Tensor

CELLS = 32  # cells a side (CRMH)
MARGIN = 1.2  # the cube's side / the longest side of the body's bounding box (CRMH)
ROBUST = 0.2  # depth, in half sides, at which the robust penalty reaches one half (CRMH)
CHUNK = 1024  # points measured at once: 20,000 samples each make 80 MB
SUBCELLS = 4096.0  # vertices are snapped to this grid: edge functions are exact, closed meshes have no cracks


def interpenetration_loss(
    vertices_m: Float[Tensor, "n v 3"],
    faces: Int64[Tensor, "f 3"],
    image_index: Int64[Tensor, " n"],
    cells: int = CELLS,
) -> Float[Tensor, ""]:
    """Gives the robust depth at which vertices lie inside others, mean over images; 0 where nobody touches anybody.

    An image with k people costs the sum over ordered pairs and vertices of d^2 / (d^2 + ROBUST^2), divided by k^2,
    with d the depth in half sides of the cube.

    Args:
        vertices_m: with translation, camera axes. Bodies that are not finite take no part.
        faces: of a closed surface.
        image_index: image of each person.
        cells: cells a side of a volume.
    """
    vertices = vertices_m.float()
    bodies, others = _touching(vertices.detach(), image_index)
    if len(bodies) == 0:
        return vertices[:0].sum()
    owners, row = torch.unique(bodies, return_inverse=True)
    centre, half = _cubes(vertices.detach()[owners])
    volumes = signed_volumes((vertices.detach()[owners] - centre[:, None]) / half[:, None, None], faces, cells)
    points = (vertices[others] - centre[row, None]) / half[row, None, None]
    found = F.grid_sample(
        volumes[row, None], points[:, None, None], mode="bilinear", padding_mode="border", align_corners=False
    )
    squared = torch.square(found.flatten(1).clamp(min=0.0))
    pairs = (squared / (squared + ROBUST**2)).sum(dim=1)
    images, place = torch.unique(image_index, return_inverse=True)
    people = torch.bincount(place, minlength=len(images))
    return (pairs / torch.square(people[place[bodies]])).sum() / len(images)


@torch.no_grad()
def signed_volumes(points: Float[Tensor, "n v 3"], faces: Int64[Tensor, "f 3"], cells: int) -> Float[Tensor, "n d d d"]:
    """Gives signed distances at the cells' centres of the cube -1..1, indexed z, y, x; positive inside.

    Distances are to the nearest vertex or triangle's centre: too long by less than a third of the mesh's edges, the
    same on both sides of the surface. Cells that do not border on the inside all have two cells' length, negative.

    Args:
        points: vertices in half sides of the cube.
        faces: of a closed surface.
        cells: cells a side.
    """
    inside = _inside(points, faces, cells)
    near = F.max_pool3d(inside[:, None].float(), 3, stride=1, padding=1)[:, 0] > 0
    samples = torch.cat((points, points[:, faces].mean(dim=2)), dim=1)
    line = (torch.arange(cells, device=points.device, dtype=points.dtype) + 0.5) * (2.0 / cells) - 1
    z, y, x = torch.meshgrid(line, line, line, indexing="ij")
    centres = torch.stack((x, y, z), dim=-1)
    distance = points.new_full(near.shape, 4.0 / cells)
    for field, wanted, surface in zip(distance, near, samples, strict=True):
        field[wanted] = _nearest(centres[wanted], surface)
    return torch.where(inside, distance, -distance)


def _nearest(points: Float[Tensor, "p 3"], samples: Float[Tensor, "s 3"]) -> Float[Tensor, " p"]:
    """Returns each point's distance to the nearest sample."""
    with torch.autocast(points.device.type, enabled=False):
        parts = [torch.cdist(some, samples).amin(dim=1) for some in torch.split(points, CHUNK)]
    return torch.cat(parts)


def _touching(vertices: Tensor, image_index: Tensor) -> tuple[Tensor, Tensor]:
    """Returns ordered pairs (P,), (P,) of people of one image whose bounding boxes overlap."""
    low, high = vertices.amin(dim=1), vertices.amax(dim=1)
    known = torch.isfinite(low).all(dim=1) & torch.isfinite(high).all(dim=1)
    overlap = (low[:, None] < high[None]).all(dim=2)
    overlap = overlap & overlap.T & (image_index[:, None] == image_index[None]) & known[:, None] & known[None]
    overlap.fill_diagonal_(fill_value=False)
    bodies, others = overlap.nonzero(as_tuple=True)
    return bodies, others


def _cubes(vertices: Tensor) -> tuple[Tensor, Tensor]:
    """Returns centre (N, 3) and half side (N,) of each body's cube, metres."""
    low, high = vertices.amin(dim=1), vertices.amax(dim=1)
    return (low + high) / 2, (MARGIN * (high - low).amax(dim=1) / 2).clamp(min=1e-6)


def _inside(points: Float[Tensor, "n v 3"], faces: Int64[Tensor, "f 3"], cells: int) -> Bool[Tensor, "n d d d"]:
    """Returns which cells' centres the closed surface winds around, by a ray along z through each column."""
    at = torch.floor(((points.double() + 1) * (cells / 2) - 0.5) * SUBCELLS + 0.5) / SUBCELLS
    corners = at[:, faces].flatten(0, 1)  # (N x F, 3 corners, 3)
    first = corners[..., :2].amin(dim=1).ceil().clamp(min=0).long()
    last = corners[..., :2].amax(dim=1).floor().clamp(max=cells - 1).long()
    width, height = (last - first + 1).clamp(min=0).unbind(dim=1)
    # One row for each column of cells in each triangle's bounding box.
    counts = width * height
    triangle = torch.repeat_interleave(counts)
    number = torch.arange(len(triangle), device=points.device) - (counts.cumsum(0) - counts)[triangle]
    column = first[triangle] + torch.stack((number % width[triangle], number // width[triangle]), dim=1)

    crossed = corners[triangle]
    starts, ends = crossed[:, [1, 2, 0], :2], crossed[:, [2, 0, 1], :2]
    edges, offset = ends - starts, column[:, None].double() - starts
    values = edges[..., 0] * offset[..., 1] - edges[..., 1] * offset[..., 0]
    area = values.sum(dim=1)
    turn = torch.sign(area)[:, None]
    edges, values = edges * turn[..., None], values * turn
    # A ray through an edge hits exactly one of its two triangles (the rasteriser's top-left rule).
    owned = (edges[..., 1] < 0) | ((edges[..., 1] == 0) & (edges[..., 0] > 0))
    hit = ((values > 0) | ((values == 0) & owned)).all(dim=1) & (area != 0)

    crossed, values, area, triangle, column = crossed[hit], values[hit], area[hit], triangle[hit], column[hit]
    height_z = (values * crossed[..., 2]).sum(dim=1) / area.abs()
    above = height_z.ceil().clamp(0, cells).long()
    winding = torch.zeros((len(points), cells + 1, cells, cells), dtype=torch.int64, device=points.device)
    place = (triangle // len(faces), above, column[:, 1], column[:, 0])
    winding.index_put_(place, torch.sign(area).long(), accumulate=True)
    return winding.cumsum(dim=1)[:, :cells] != 0
