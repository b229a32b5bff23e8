"""Ten shape directions: principal components about the adult mean."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mili_core.body.model import BETAS, Float32Array


@dataclass(frozen=True, slots=True, eq=False)
class ShapeSpace:
    """A linear space of shapes over V vertices.

    Attributes:
        mean: (V, 3), metres: the mean adult.
        directions: (V, 3, 10), metres per unit of beta; over the adults each beta has standard deviation 1.
        explained: share of the squared deviation from the mean adult, children included, that they span.
    """

    mean: Float32Array
    directions: Float32Array
    explained: float


def fit_shape_space(vertices: Float32Array, adults: int) -> ShapeSpace:
    """Gives the principal components of people's shapes.

    Args:
        vertices: (S, V, 3) in T-pose, metres, S > 10; children count in the components, not in the mean.
        adults: the first `adults` of the S are adults.
    """
    mean = vertices[:adults].mean(axis=0, dtype=np.float64)
    deviations = (vertices - mean).reshape(len(vertices), -1)
    # S is far below 3 V: the components come from the S x S matrix of inner products.
    values, vectors = np.linalg.eigh(deviations @ deviations.T)
    top = np.argsort(values)[::-1][:BETAS]
    axes = deviations.T @ vectors[:, top] / np.sqrt(values[top])
    axes *= _signs(axes, mean)
    spread = (deviations[:adults] @ axes).std(axis=0)
    directions = (axes * spread).reshape(*mean.shape, BETAS)
    explained = float(values[top].sum() / values.sum())
    return ShapeSpace(mean.astype(np.float32), directions.astype(np.float32), explained)


def shape_errors_m(space: ShapeSpace, vertices: Float32Array) -> Float32Array:
    """Gives the distance in metres of each vertex (S, V) to its nearest body in the space (least squares betas)."""
    axes = space.directions.reshape(-1, BETAS).astype(np.float64)
    deviations = (vertices - space.mean).reshape(len(vertices), -1).astype(np.float64)
    betas = np.linalg.lstsq(axes, deviations.T, rcond=None)[0]
    residuals = (deviations - betas.T @ axes.T).reshape(vertices.shape)
    distances: Float32Array = np.linalg.norm(residuals, axis=2).astype(np.float32)
    return distances


def _signs(axes: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Gives +-1 for each axis such that a positive beta enlarges the body; eigenvectors have no sign of their own."""
    outward = (mean - mean.mean(axis=0)).reshape(-1)
    return np.where(outward @ axes >= 0.0, 1.0, -1.0)
