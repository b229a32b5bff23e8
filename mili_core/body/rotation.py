"""Rotations in torch: 6-D, matrix and axis-angle forms, batched over any leading axes."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def rot6d_to_matrix(rot6d: Tensor) -> Tensor:
    """Gives the rotation matrices of 6-D vectors by Gram-Schmidt.

    The six numbers are the first two columns of the matrix, interleaved: x0, y0, x1, y1, x2, y2 where x is
    column 0 and y column 1 (the layout of CRMH and SPIN, so that their weights keep their meaning).

    Args:
        rot6d: (..., 6), the two columns not parallel and not zero.

    Returns:
        (..., 3, 3) with determinant +1.
    """
    columns = rot6d.reshape(*rot6d.shape[:-1], 3, 2)
    first = F.normalize(columns[..., 0], dim=-1)
    second = columns[..., 1]
    second = F.normalize(second - (first * second).sum(dim=-1, keepdim=True) * first, dim=-1)
    return torch.stack((first, second, torch.linalg.cross(first, second)), dim=-1)


def matrix_to_rot6d(matrix: Tensor) -> Tensor:
    """Gives the (..., 6) vectors of (..., 3, 3) rotations: columns 0 and 1, interleaved."""
    return matrix[..., :2].flatten(-2)


def axis_angle_to_matrix(axis_angle: Tensor) -> Tensor:
    """Gives the rotation matrices of axis-angle vectors (Rodrigues' formula), differentiable at zero too.

    Args:
        axis_angle: (..., 3), direction = axis, length = angle in radians.

    Returns:
        (..., 3, 3).
    """
    angle = torch.linalg.vector_norm(axis_angle, dim=-1)[..., None, None]
    # sin(a)/a and (1 - cos(a))/a^2 in a form without 0/0.
    sine = torch.sinc(angle / math.pi)
    versine = 0.5 * torch.sinc(angle / (2.0 * math.pi)).square()
    cross = _cross_matrix(axis_angle)
    identity = torch.eye(3, dtype=axis_angle.dtype, device=axis_angle.device)
    return identity + sine * cross + versine * (cross @ cross)


def matrix_to_axis_angle(matrix: Tensor) -> Tensor:
    """Gives the axis-angle vectors of rotation matrices, stable at angle 0 and pi.

    Args:
        matrix: (..., 3, 3) rotations.

    Returns:
        (..., 3) with length in [0, pi].
    """
    quaternion = _matrix_to_quaternion(matrix)
    real, imaginary = quaternion[..., :1], quaternion[..., 1:]
    # q and -q are the same rotation; the one with real part >= 0 has the angle within [0, pi].
    imaginary = torch.where(real < 0, -imaginary, imaginary)
    length = torch.linalg.vector_norm(imaginary, dim=-1, keepdim=True)
    tiny = length < torch.finfo(matrix.dtype).eps
    half_angle = torch.atan2(length, real.abs())
    factor = 2.0 * half_angle / torch.where(tiny, torch.ones_like(length), length)
    return torch.where(tiny, 2.0 * imaginary, factor * imaginary)


def _cross_matrix(vector: Tensor) -> Tensor:
    """Gives the (..., 3, 3) matrices K with K @ u = vector x u."""
    x, y, z = vector.unbind(-1)
    zero = torch.zeros_like(x)
    return torch.stack((zero, -z, y, z, zero, -x, -y, x, zero), dim=-1).reshape(*vector.shape[:-1], 3, 3)


def _matrix_to_quaternion(matrix: Tensor) -> Tensor:
    """Gives unit quaternions (..., 4), real part first, from the largest of the four components of each."""
    m00, m11, m22 = matrix[..., 0, 0], matrix[..., 1, 1], matrix[..., 2, 2]
    m01, m10 = matrix[..., 0, 1], matrix[..., 1, 0]
    m02, m20 = matrix[..., 0, 2], matrix[..., 2, 0]
    m12, m21 = matrix[..., 1, 2], matrix[..., 2, 1]
    # Row k is 4 q_k q: every row is the quaternion up to its factor, the longest one with the least rounding.
    rows = torch.stack(
        (
            torch.stack((1 + m00 + m11 + m22, m21 - m12, m02 - m20, m10 - m01), dim=-1),
            torch.stack((m21 - m12, 1 + m00 - m11 - m22, m10 + m01, m02 + m20), dim=-1),
            torch.stack((m02 - m20, m10 + m01, 1 - m00 + m11 - m22, m12 + m21), dim=-1),
            torch.stack((m10 - m01, m02 + m20, m12 + m21, 1 - m00 - m11 + m22), dim=-1),
        ),
        dim=-2,
    )
    largest = rows.diagonal(dim1=-2, dim2=-1).argmax(dim=-1)
    row = rows.gather(-2, largest[..., None, None].expand(*largest.shape, 1, 4)).squeeze(-2)
    return F.normalize(row, dim=-1)
