"""How the camera is held over the ground: the fit of focal length, pitch, roll and height to people's lines.

A line starts on the plane of ankles and goes up, square to it, by its length in metres. Where its upper end ends in
the frame is compared with where it is seen: by the angle between the two (people lean towards the vertical vanishing
point) and by the ratio of the lengths (people shrink towards the horizon). All of it is fitted at once, from many
starts, with a loss that lets those who stand elsewhere or not upright go.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.place.standing import Lines
from pipeline.place.types import SceneCamera
from pipeline.types import BoolArray, Float64Array

FIRST_SPREAD = np.array([0.05, 0.06], dtype=np.float64)
"""How far the line of somebody who stands or walks is off the vertical (rad; 3 degrees in the synthetic poses), and its
length in the frame off its body's (share). After a first fit the people themselves say."""
LEAST_SPREAD = np.array([0.012, 0.015], dtype=np.float64)
"""Nobody's posture and no joint are surer than this."""
MOST_SPREAD = 2.0 * FIRST_SPREAD
ROLL_PRIOR_RAD = 0.25
"""Cameras are held level within some 15 degrees; it matters only where hardly anybody tells."""
PITCH_PRIOR_RAD = 1.0
INLIER_LENGTH = 0.25
"""A line agrees with the plane whose length is within so large a share of what the plane says ..."""
INLIER_LEAN_RAD = 0.2
"""... and whose direction is within this angle."""

PITCH_STARTS = (-0.05, 0.15, 0.4, 0.75, 1.1)
STEPS = 40
_DELTA = 1e-4
_LEAST_SLOPE = 1e-3  # n . ray of whoever stands on or beyond the horizon
_MOST_PEOPLE = 400  # tell as much as thousands
_FEW = 3  # have no spread
_ROUNDS = 2


LEAST_STATE = np.array([1.0, -0.9, -0.9, -3.0])
MOST_STATE = np.array([16.0, 1.5, 0.9, 9.0])
"""Limits of log focal, pitch, roll (rad) and log height: up by 50 degrees to straight down, 50 degrees of roll."""


@dataclass(frozen=True, slots=True, eq=False)
class Tilt:
    """A fitted camera over the plane of ankles.

    Attributes:
        focal_px: frame px.
        pitch_rad, roll_rad: as in `Ground`.
        height_m: of the camera over the plane of ankles.
        cost: robust mean of the squared residuals, each in units of its spread; the less the better.
        error: (4,) standard errors of log focal, pitch, roll, log height; that of the focal length is 0 where fixed,
            that of a value at its limit is infinite.
        inlier: (N,) who agrees with the plane.
    """

    focal_px: float
    pitch_rad: float
    roll_rad: float
    height_m: float
    cost: float
    error: Float64Array
    inlier: BoolArray

    @property
    def down(self) -> Float64Array:
        """(3,) unit vector, camera axes."""
        return np.asarray(_down(np.array([[0.0, self.pitch_rad, self.roll_rad, 0.0]]))[0])


def fit_tilt(lines: Lines, camera: SceneCamera, focals_px: Float64Array, *, free_focal: bool) -> Tilt:
    """Gives the camera that explains the lines best.

    Args:
        lines: at least one.
        camera: its principal point counts; its focal length does not.
        focals_px: (F,) where to start, or, unless `free_focal`, the one that is known.
        free_focal: fit the focal length too.
    """
    ends = np.stack([lines.bottom_px, lines.top_px]) - (camera.principal_x, camera.principal_y)
    few = np.unique(np.linspace(0, len(lines) - 1, min(len(lines), _MOST_PEOPLE)).round().astype(np.int64))
    starts = _starts(ends[:, few], lines.length_m[few], focals_px)
    rough, cost = _minimise(starts, ends[:, few], lines.length_m[few], FIRST_SPREAD, free_focal=free_focal)
    states, spread = rough[[int(np.argmin(cost))]], FIRST_SPREAD
    for _ in range(_ROUNDS):
        spread = _spread(states, ends, lines.length_m)
        states, cost = _minimise(states, ends, lines.length_m, spread, free_focal=free_focal)
    inlier = _inlier(states, ends, lines.length_m)
    focal, pitch, roll, height = states[0].tolist()
    error = _errors(states, ends[:, inlier], lines.length_m[inlier], spread, free_focal=free_focal)
    error[(states[0] <= LEAST_STATE) | (states[0] >= MOST_STATE)] = np.inf  # stopped by a limit, not by the people
    # Costs are compared between fits, so the spreads that each of them was found with belong to them.
    comparable = float(cost[0] + 2.0 * np.log(spread).sum())
    return Tilt(float(np.exp(focal)), pitch, roll, float(np.exp(height)), comparable, error, inlier)


def _offsets(states: Float64Array, ends: Float64Array, length_m: Float64Array) -> Float64Array:
    """Gives (N, 2) how far people are off the one state: lean in rad, log of the ratio of lengths."""
    return np.asarray(_residuals(states, ends, length_m, np.ones(2))[0])


def _inlier(states: Float64Array, ends: Float64Array, length_m: Float64Array) -> BoolArray:
    """Gives (N,) who agrees with the plane of the one state."""
    off = np.abs(_offsets(states, ends, length_m))
    result: BoolArray = (off[:, 0] <= INLIER_LEAN_RAD) & (off[:, 1] <= np.log1p(INLIER_LENGTH))
    return result


def _spread(states: Float64Array, ends: Float64Array, length_m: Float64Array) -> Float64Array:
    """Gives (2,) by how much those who agree with the one state's plane are off it."""
    inlier = _inlier(states, ends, length_m)
    if inlier.sum() < _FEW:
        return FIRST_SPREAD
    off = _offsets(states, ends, length_m)[inlier]
    return np.clip(1.4826 * np.median(np.abs(off), axis=0), LEAST_SPREAD, MOST_SPREAD)


def _down(states: Float64Array) -> Float64Array:
    """Gives unit vectors (S, 3) of states (S, 4): log focal, pitch, roll, log height."""
    pitch, roll = states[:, 1], states[:, 2]
    return np.stack([-np.sin(roll) * np.cos(pitch), np.cos(roll) * np.cos(pitch), np.sin(pitch)], axis=1)


def _residuals(states: Float64Array, ends: Float64Array, length_m: Float64Array, spread: Float64Array) -> Float64Array:
    """Gives (S, N, 2) lean and length residuals, each in units of its spread.

    Args:
        states: (S, 4).
        ends: (2, N, 2) bottom and top, px from the principal point.
        length_m: (N,).
        spread: (2,) of lean and length.
    """
    focal, down, height = np.exp(states[:, :1]), _down(states), np.exp(states[:, 3:])
    bottom, top = ends
    # Bottoms at depth height / (down . ray); tops length_m above them.
    slope = (bottom @ down[:, :2, None])[..., 0] / focal + down[:, 2:]
    rise = length_m * np.maximum(slope, _LEAST_SLOPE) / height
    x, y = bottom[:, 0] / focal - rise * down[:, :1], bottom[:, 1] / focal - rise * down[:, 1:2]
    depth = np.maximum(1.0 - rise * down[:, 2:], 1e-2)
    expected = np.stack([x / depth, y / depth], axis=-1) * focal[..., None] - bottom
    seen = top - bottom
    cross = expected[..., 0] * seen[:, 1] - expected[..., 1] * seen[:, 0]
    dot = (expected * seen).sum(axis=-1)
    lean = np.arctan2(cross, dot)
    ratio = 0.5 * np.log((seen**2).sum(axis=-1) / np.maximum((expected**2).sum(axis=-1), 1e-12))
    # Who would stand beyond the horizon is far off, the farther the more, so that the fit finds its way.
    ratio = ratio + np.maximum(0.0, _LEAST_SLOPE - slope) * 4.0
    return np.stack([lean, ratio], axis=-1) / spread


def _starts(ends: Float64Array, length_m: Float64Array, focals_px: Float64Array) -> Float64Array:
    """Gives starts (S, 4) at every focal length and pitch, with the height that fits their lengths best."""
    focal, pitch = (grid.ravel() for grid in np.meshgrid(np.log(focals_px), PITCH_STARTS, indexing="ij"))
    roll = float(np.median(np.arctan2(*(ends[1] - ends[0]).T * [[1.0], [-1.0]])))
    states = np.stack([focal, pitch, np.full_like(focal, np.clip(roll, -0.7, 0.7)), np.full_like(focal, 1.5)], axis=1)
    for _ in range(3):
        states[:, 3] -= np.median(_residuals(states, ends, length_m, np.ones(2))[..., 1], axis=1)
        states[:, 3] = np.clip(states[:, 3], -2.0, 8.0)
    return states


def _weights(residuals: Float64Array) -> Float64Array:
    """Gives the weights (S, N, 1) of people by both of their residuals (S, N, 2): Cauchy's, with scale 2."""
    return np.asarray(1.0 / (1.0 + 0.25 * (residuals**2).sum(axis=-1, keepdims=True)))


def _cost(states: Float64Array, residuals: Float64Array) -> Float64Array:
    """Gives (S,) robust costs."""
    data = 4.0 * np.log1p(0.25 * (residuals**2).sum(axis=-1)).sum(axis=1)
    cost: Float64Array = (data + (_prior(states) ** 2).sum(axis=1)) / residuals.shape[1]
    return cost


def _prior(states: Float64Array) -> Float64Array:
    """Gives (S, 2) residuals of pitch and roll."""
    return np.stack([states[:, 1] / PITCH_PRIOR_RAD, states[:, 2] / ROLL_PRIOR_RAD], axis=1)


def _jacobian(states: Float64Array, ends: Float64Array, length_m: Float64Array, spread: Float64Array) -> Float64Array:
    """Gives (S, N, 2, 4) derivatives of the residuals."""
    sides = [
        _residuals(states + step, ends, length_m, spread) - _residuals(states - step, ends, length_m, spread)
        for step in np.eye(4) * _DELTA
    ]
    return np.stack(sides, axis=-1) / (2.0 * _DELTA)


def _normal(
    states: Float64Array, residuals: Float64Array, jacobian: Float64Array, weights: Float64Array, *, free_focal: bool
) -> tuple[Float64Array, Float64Array]:
    """Gives the normal equations: (S, 4, 4) and (S, 4)."""
    if not free_focal:
        jacobian = jacobian * [0.0, 1.0, 1.0, 1.0]
    count = len(states)
    flat, weighted = jacobian.reshape(count, -1, 4), (weights[..., None] * jacobian).reshape(count, -1, 4)
    square = weighted.transpose(0, 2, 1) @ flat
    gradient = (weighted.transpose(0, 2, 1) @ residuals.reshape(count, -1, 1))[..., 0]
    spread = np.array([PITCH_PRIOR_RAD, ROLL_PRIOR_RAD])
    square[:, [1, 2], [1, 2]] += 1.0 / spread**2
    gradient[:, 1:3] += _prior(states) / spread
    if not free_focal:
        square[:, 0, 0] = 1.0
    return square, gradient


def _minimise(
    states: Float64Array, ends: Float64Array, length_m: Float64Array, spread: Float64Array, *, free_focal: bool
) -> tuple[Float64Array, Float64Array]:
    """Gives the states (S, 4) at the minima near the given ones, and their costs (S,), by Levenberg and Marquardt."""
    states, damping = states.copy(), np.full(len(states), 1e-2)
    residuals = _residuals(states, ends, length_m, spread)
    cost = _cost(states, residuals)
    for _ in range(STEPS):
        jacobian = _jacobian(states, ends, length_m, spread)
        square, gradient = _normal(states, residuals, jacobian, _weights(residuals), free_focal=free_focal)
        diagonal = np.einsum("sii->si", square)
        damped = square + (damping[:, None] * (diagonal + 1e-6))[:, :, None] * np.eye(4)
        step = np.clip(np.linalg.solve(damped, gradient[..., None])[..., 0], -0.5, 0.5)
        tried = _inside(states - step)
        tried_residuals = _residuals(tried, ends, length_m, spread)
        tried_cost = _cost(tried, tried_residuals)
        better = tried_cost < cost
        gain = np.where(better, cost - tried_cost, 0.0)
        states[better], residuals[better], cost[better] = tried[better], tried_residuals[better], tried_cost[better]
        damping = np.clip(np.where(better, damping * 0.3, damping * 5.0), 1e-9, 1e9)
        if (gain[better] < 1e-9).all() and (better | (damping > 1e6)).all():
            break
    return states, cost


def _inside(states: Float64Array) -> Float64Array:
    """Gives states within the limits."""
    return np.clip(states, LEAST_STATE, MOST_STATE)


def _errors(
    states: Float64Array, ends: Float64Array, length_m: Float64Array, spread: Float64Array, *, free_focal: bool
) -> Float64Array:
    """Gives the standard errors (4,) of the one state from those who agree with it."""
    if len(length_m) < _FEW:
        return np.full(4, np.inf)
    residuals = _residuals(states, ends, length_m, spread)
    jacobian = _jacobian(states, ends, length_m, spread)
    square, _ = _normal(states, residuals, jacobian, np.ones((1, 1, 1)), free_focal=free_focal)
    covariance = np.linalg.inv(square[0] + 1e-9 * np.eye(4))
    error: Float64Array = np.sqrt(np.maximum(np.einsum("ii->i", covariance), 0.0))
    if not free_focal:
        error[0] = 0.0
    return error
