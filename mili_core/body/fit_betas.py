"""Betas of another body: the shape whose resting skeleton has the same distances between joints."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mili_core.body.model import BodyModel

Float64Array = NDArray[np.float64]

ITERATIONS = 6  # Gauss-Newton; joints are linear in betas, so distances nearly are
RIDGE = 1e-6  # m^2: a beta that moves no joint stays 0


def fit_betas(source: BodyModel, target: BodyModel, betas: NDArray[np.float32]) -> NDArray[np.float32]:
    """Gives betas of `target` for people who are described by betas of `source`.

    Least squares over the distances between all pairs of rest joints: what two bodies have in common is where
    joints are, not what their betas mean. Rotations are kept as they are by the caller.

    Args:
        source: the body that `betas` belong to.
        target: another body with the same 24 joints.
        betas: (N, 10).

    Returns:
        (N, 10) float32.
    """
    wanted = _distances(_joints(source, betas.astype(np.float64)))[0]
    basis = _basis(target)
    fitted = np.zeros((len(betas), basis.shape[2]), dtype=np.float64)
    for _ in range(ITERATIONS):
        distances, directions = _distances(_joints(target, fitted))
        first, second = _pairs()
        slopes = np.einsum("npc,pcb->npb", directions, basis[first] - basis[second])
        normal = slopes.transpose(0, 2, 1) @ slopes + RIDGE * np.eye(basis.shape[2])
        residual = np.einsum("npb,np->nb", slopes, wanted - distances) - RIDGE * fitted
        fitted += np.linalg.solve(normal, residual[..., None])[..., 0]
    return fitted.astype(np.float32)


def _basis(body: BodyModel) -> Float64Array:
    """Returns how each joint moves with each beta, (24, 3, 10) metres."""
    basis: Float64Array = np.tensordot(body.j_regressor.astype(np.float64), body.shapedirs.astype(np.float64), axes=1)
    return basis


def _joints(body: BodyModel, betas: Float64Array) -> Float64Array:
    """Returns rest joints (N, 24, 3), metres."""
    rest = body.j_regressor.astype(np.float64) @ body.v_template.astype(np.float64)
    joints: Float64Array = rest + np.einsum("jcb,nb->njc", _basis(body), betas)
    return joints


def _pairs() -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    first, second = np.triu_indices(24, k=1)
    return first, second


def _distances(joints: Float64Array) -> tuple[Float64Array, Float64Array]:
    """Returns distances (N, P) of all pairs and unit vectors (N, P, 3) from the second to the first joint."""
    first, second = _pairs()
    offsets = joints[:, first] - joints[:, second]
    lengths = np.linalg.norm(offsets, axis=2)
    return lengths, offsets / np.maximum(lengths, 1e-9)[..., None]
