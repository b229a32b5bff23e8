"""The virtual camera of an image, and how the head's weak camera becomes metres.

Network px are the px of the 832 x 512 canvas that an image is scaled into (kept ratio, top-left, zero padding).
Every image has its own virtual camera: depths from two images are not comparable.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from mili_core.errors import ImageError

NETWORK_WIDTH = 832
NETWORK_HEIGHT = 512
FOCAL_PX = 1000.0  # network px, the convention of the CRMH head that the weak camera belongs to
_EPSILON = 1e-6  # the same head's guard against s * b = 0; part of its convention, so kept


@dataclass(frozen=True, slots=True)
class VirtualCamera:
    """The pinhole camera that an image's people are placed in; all px of that image."""

    focal_px: float
    principal_x: float
    principal_y: float


def letterbox_scale(width: int, height: int) -> float:
    """Gives network px per image px for an image of `width` x `height` px.

    Raises:
        ImageError: a side is not positive.
    """
    if width <= 0 or height <= 0:
        raise ImageError(f"image of {width} x {height} px has no pixels; give a positive width and height")
    return min(NETWORK_WIDTH / width, NETWORK_HEIGHT / height)


def virtual_camera(width: int, height: int) -> VirtualCamera:
    """Gives the camera of an image, in its own px: the canvas's focal length and centre, scaled back.

    The principal point is the centre of the padded canvas, so it lies off the image's own centre (or even off
    the image) unless the image has the canvas's aspect ratio.
    """
    scale = letterbox_scale(width, height)
    return VirtualCamera(FOCAL_PX / scale, 0.5 * NETWORK_WIDTH / scale, 0.5 * NETWORK_HEIGHT / scale)


def translation_from_weak(cam: Tensor, boxes_xyxy: Tensor) -> Tensor:
    """Gives the translation in metres that the weak camera of each box stands for.

    With b the longer side and c the centre of the box: z = 2 f / (s b), and the body's origin projects to
    c + (tx, ty) b.

    Args:
        cam: (N, 3) s, tx, ty; tx and ty are in units of b.
        boxes_xyxy: (N, 4) network px.

    Returns:
        (N, 3) metres, x right, y down, z forward.
    """
    low, high = boxes_xyxy[:, :2], boxes_xyxy[:, 2:]
    side = (high - low).abs().amax(dim=1, keepdim=True)
    depth = 2.0 * FOCAL_PX / (_EPSILON + cam[:, :1] * side)
    principal = boxes_xyxy.new_tensor((0.5 * NETWORK_WIDTH, 0.5 * NETWORK_HEIGHT))
    origin_px = 0.5 * (low + high) + cam[:, 1:] * side
    return torch.cat((depth * (origin_px - principal) / FOCAL_PX, depth), dim=1)


def project(points_m: Tensor, focal_px: float | Tensor, principal_xy: tuple[float, float] | Tensor) -> Tensor:
    """Gives the pixels of points in a camera: focal * (x, y) / z + principal point.

    Args:
        points_m: (N, P, 3) metres, camera axes; z = 0 gives values that are not finite.
        focal_px: one number or one a person, (N,).
        principal_xy: one point, as a pair or (2,), or one a person, (N, 2).

    Returns:
        (N, P, 2) px, in the px that focal_px and principal_xy are given in.
    """
    focal = torch.as_tensor(focal_px, dtype=points_m.dtype, device=points_m.device)
    principal = torch.as_tensor(principal_xy, dtype=points_m.dtype, device=points_m.device)
    if focal.ndim == 1:
        focal = focal[:, None, None]
    if principal.ndim == 2:
        principal = principal[:, None, :]
    return points_m[..., :2] / points_m[..., 2:] * focal + principal
