"""Ordinal depth loss (L_mul, CRMH's tune stage): who is seen at a pixel must be in front there.

Where the instance mask says person g and the rendered bodies put somebody else f before g, the cost is
log(1 + exp(D_g - D_f)) with the depths D of the two surfaces at that pixel. A depth is the barycentric mean of the
depths of the winning triangle's corners; triangle and weights are constants, gradients go to the corners' depths.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64, UInt8
from torch import Tensor

from mili_core.raster import rasterise
from mili_core.raster.torch_twin import rasterise_tensors

STRIDE = 2  # canvas px a pixel of the rasters: people of 30 px still overlap in tens of pixels
LINEAR_ABOVE = 10.0  # metres: log(1 + exp(x)) is x from here on (CRMH)


def depth_order_loss(
    vertices_px: Float[Tensor, "n v 3"],
    faces: Int64[Tensor, "f 3"],
    masks: UInt8[Tensor, "n h w"],
    image_index: Int64[Tensor, " n"],
    stride: int = STRIDE,
) -> Float[Tensor, ""]:
    """Gives the ordinal depth loss, mean over people and pixels of the canvas; 0 for nobody or the right order.

    Args:
        vertices_px: x_px, y_px (canvas), depth_m of each body.
        faces: triangles of the body.
        masks: visible outline of each person, 1 inside, zeros where unknown. Pixels in two masks of an image do not
            count.
        image_index: image of each person.
        stride: canvas px a pixel of the rasters.
    """
    vertices = vertices_px.float()
    seen = masks[:, stride // 2 :: stride, stride // 2 :: stride] > 0
    if len(vertices) < 2 or seen.numel() == 0:  # one person has no order
        return vertices[:0].sum()
    depth, ids, weights = _rasters(vertices.detach(), faces, seen.shape[2], seen.shape[1], stride)
    people, fronts, rows, columns = _violations(depth, seen, image_index)
    if len(people) == 0:
        return vertices[:0].sum()

    def surface(who: Tensor) -> Tensor:
        corners = faces[ids[who, rows, columns].long()]
        return (vertices[who[:, None], corners, 2] * weights[who, rows, columns]).sum(dim=1)

    wrong = F.softplus(surface(people) - surface(fronts), threshold=LINEAR_ABOVE)
    return wrong.sum() / seen.numel()


def _rasters(vertices: Tensor, faces: Tensor, width: int, height: int, stride: int) -> tuple[Tensor, Tensor, Tensor]:
    """Returns depth (N, h, w), triangle (N, h, w) and barycentrics (N, h, w, 3) of each body drawn alone."""
    scaled = vertices / vertices.new_tensor((stride, stride, 1.0))
    drawn = [_raster(one, faces, width, height) for one in scaled]
    depth, ids, weights = (torch.stack(parts) for parts in zip(*drawn, strict=True))
    return depth, ids, weights


def _raster(vertices: Tensor, faces: Tensor, width: int, height: int) -> tuple[Tensor, Tensor, Tensor]:
    if vertices.is_cuda:
        return rasterise_tensors(vertices, faces, width, height)
    raster = rasterise(
        np.ascontiguousarray(vertices.numpy(), dtype=np.float32), faces.numpy().astype(np.int64), width, height
    )
    return torch.from_numpy(raster.depth), torch.from_numpy(raster.ids), torch.from_numpy(raster.barycentrics)


def _violations(depth: Tensor, seen: Tensor, image_index: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Returns who is seen, who is rendered before them, row and column of each pixel in the wrong order.

    Args:
        depth: (N, h, w) metres, inf where a body is not drawn.
        seen: (N, h, w) bool, visible masks.
        image_index: (N,).
    """
    people = len(depth)
    images, place = torch.unique(image_index, return_inverse=True)
    shape = (len(images), *depth.shape[1:])
    image = place[:, None, None].expand_as(depth)
    nearest = depth.new_full(shape, torch.inf).scatter_reduce_(0, image, depth, reduce="amin")
    claims = torch.zeros(shape, dtype=torch.int64, device=depth.device).index_add_(0, place, seen.long())
    # Of equally near bodies the first is in front, as in the rasteriser.
    number = torch.arange(people, device=depth.device)[:, None, None]
    candidates = torch.where(depth == nearest[place], number, people)
    front = torch.full(shape, people, dtype=torch.int64, device=depth.device)
    front.scatter_reduce_(0, image, candidates, reduce="amin")
    wrong = seen & (claims[place] == 1) & torch.isfinite(depth) & (depth > nearest[place])
    who, rows, columns = wrong.nonzero(as_tuple=True)
    return who, front[place[who], rows, columns], rows, columns
