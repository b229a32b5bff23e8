"""Rotations against closed forms, scipy-free twins and round trips."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from mili_core.body.rotation import axis_angle_to_matrix, matrix_to_axis_angle, matrix_to_rot6d, rot6d_to_matrix


def _random_matrices(count: int, seed: int = 0) -> Tensor:
    """Rotations that share no code with the module: QR of Gaussian matrices, made proper."""
    rng = np.random.default_rng(seed)
    orthogonal, triangular = np.linalg.qr(rng.normal(size=(count, 3, 3)))
    orthogonal *= np.sign(np.diagonal(triangular, axis1=1, axis2=2))[:, None, :]
    orthogonal[:, :, 0] *= np.linalg.det(orthogonal)[:, None]
    return torch.tensor(orthogonal)


def test_rot6d_reads_interleaved_columns() -> None:
    matrix = _random_matrices(1)[0]
    interleaved = torch.stack([matrix[0, 0], matrix[0, 1], matrix[1, 0], matrix[1, 1], matrix[2, 0], matrix[2, 1]])
    torch.testing.assert_close(rot6d_to_matrix(interleaved), matrix)
    torch.testing.assert_close(matrix_to_rot6d(matrix), interleaved)


def test_rot6d_keeps_the_first_column_and_the_plane() -> None:
    matrix = rot6d_to_matrix(torch.tensor([2.0, 1.0, 0.0, 3.0, 0.0, 0.0]))
    torch.testing.assert_close(matrix, torch.eye(3))


def test_rot6d_gives_proper_rotations_whatever_it_is_given() -> None:
    matrices = rot6d_to_matrix(torch.randn(200, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64))
    identity = torch.eye(3, dtype=torch.float64).expand_as(matrices)
    torch.testing.assert_close(matrices @ matrices.mT, identity, atol=1e-9, rtol=0)
    torch.testing.assert_close(torch.linalg.det(matrices), torch.ones(200, dtype=torch.float64))


def test_rot6d_round_trip() -> None:
    matrices = _random_matrices(100)
    torch.testing.assert_close(rot6d_to_matrix(matrix_to_rot6d(matrices)), matrices)


@pytest.mark.parametrize(
    ("axis", "expected"),
    [
        ((math.pi / 2, 0.0, 0.0), [[1, 0, 0], [0, 0, -1], [0, 1, 0]]),
        ((0.0, math.pi / 2, 0.0), [[0, 0, 1], [0, 1, 0], [-1, 0, 0]]),
        ((0.0, 0.0, math.pi), [[-1, 0, 0], [0, -1, 0], [0, 0, 1]]),
        ((0.0, 0.0, 0.0), [[1, 0, 0], [0, 1, 0], [0, 0, 1]]),
    ],
)
def test_axis_angle_of_quarter_and_half_turns(axis: tuple[float, float, float], expected: list[list[float]]) -> None:
    matrix = axis_angle_to_matrix(torch.tensor(axis, dtype=torch.float64))
    torch.testing.assert_close(matrix, torch.tensor(expected, dtype=torch.float64), atol=1e-12, rtol=0)


def test_axis_angle_agrees_with_the_matrix_exponential() -> None:
    vectors = 2.0 * torch.randn(100, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    x, y, z = vectors.unbind(-1)
    zero = torch.zeros_like(x)
    generators = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], dim=-1).reshape(-1, 3, 3)
    torch.testing.assert_close(axis_angle_to_matrix(vectors), torch.linalg.matrix_exp(generators))


@settings(max_examples=200, deadline=None)
@given(
    direction=st.tuples(*[st.floats(-1, 1)] * 3).filter(lambda v: sum(c * c for c in v) > 0.01),
    angle=st.one_of(st.floats(0, math.pi), st.sampled_from([0.0, 1e-9, 1e-4, math.pi - 1e-4, math.pi - 1e-9, math.pi])),
)
def test_axis_angle_round_trip_at_every_angle(direction: tuple[float, float, float], angle: float) -> None:
    axis = torch.tensor(direction, dtype=torch.float64)
    vector = axis / axis.norm() * angle
    back = matrix_to_axis_angle(axis_angle_to_matrix(vector))
    # At half a turn both directions of the axis are right.
    error = min(float((back - vector).norm()), float((back + vector).norm()) if angle > math.pi - 1e-6 else math.inf)
    assert error < 1e-7
    assert float(back.norm()) <= math.pi + 1e-12


def test_float32_axis_angle_is_good_to_a_ten_thousandth_near_half_a_turn() -> None:
    vector = torch.tensor([[math.pi - 1e-3, 0.0, 0.0], [0.0, 3.0, 0.0], [1e-5, 0.0, 0.0]])
    torch.testing.assert_close(matrix_to_axis_angle(axis_angle_to_matrix(vector)), vector, atol=1e-4, rtol=0)


def test_gradients_are_finite_at_the_identity() -> None:
    vector = torch.zeros(2, 3, requires_grad=True)
    axis_angle_to_matrix(vector).sum().backward()
    assert vector.grad is not None
    assert torch.isfinite(vector.grad).all()
    matrix = torch.eye(3).repeat(2, 1, 1).requires_grad_()
    matrix_to_axis_angle(matrix).sum().backward()
    assert matrix.grad is not None
    assert torch.isfinite(matrix.grad).all()


def test_axis_angle_gradient_is_right() -> None:
    vectors = torch.tensor([[0.3, -0.2, 0.9], [1e-3, 0.0, 0.0]], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(axis_angle_to_matrix, (vectors,))
    assert torch.autograd.gradcheck(lambda v: matrix_to_axis_angle(axis_angle_to_matrix(v)), (vectors,))


@pytest.mark.parametrize("leading", [(0,), (3, 0), (2, 4)])
def test_any_leading_shape_goes(leading: tuple[int, ...]) -> None:
    assert rot6d_to_matrix(torch.ones(*leading, 6)).shape == (*leading, 3, 3)
    assert matrix_to_rot6d(torch.ones(*leading, 3, 3)).shape == (*leading, 6)
    assert axis_angle_to_matrix(torch.ones(*leading, 3)).shape == (*leading, 3, 3)
    assert matrix_to_axis_angle(torch.eye(3).expand(*leading, 3, 3)).shape == (*leading, 3)
