"""How near predicted bodies are to true ones: MPJPE, PA-MPJPE and PCK of their joints, in all and by height.

Joints are (N, J, 3) in metres, camera axes, the pelvis first. MPJPE and PCK compare them with both pelvises at the
origin; PA-MPJPE after the best similarity transform of each person. All joints count, the pelvis among them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from mili_core.errors import DetectionError
from mili_core.evaluation.bands import Bands

FloatArray = NDArray[np.floating]
Float64Array = NDArray[np.float64]

PCK_MM = 150.0
"""A joint so near is right: the limit of 3DPCK (Mehta et al., 2017), which MuPoTS-3D is measured with."""
POSE_BANDS_PX: Bands = ((30, 60), (60, 120), (120, 240))
"""Heights of people that poses are judged at, network px."""


@dataclass(frozen=True, slots=True, eq=False)
class PoseErrors:
    """What each of P people is off by.

    Attributes:
        mpjpe_mm: (P,) mean distance of the joints.
        pa_mpjpe_mm: (P,) the same after the best similarity transform.
        pck: (P,) share of the joints within PCK_MM.
    """

    mpjpe_mm: Float64Array
    pa_mpjpe_mm: Float64Array
    pck: Float64Array

    def __len__(self) -> int:
        return len(self.mpjpe_mm)

    def of(self, chosen: NDArray[np.bool_]) -> PoseErrors:
        """Gives the people whom a mask (P,) names."""
        return PoseErrors(*(getattr(self, field.name)[chosen] for field in fields(self)))


@dataclass(frozen=True, slots=True)
class PoseFigures:
    """Means over a set of people; NaN without people.

    Attributes:
        people: how many.
        mpjpe_mm: over them.
        interval_mm: 95 % bootstrap interval of mpjpe_mm over images.
        pa_mpjpe_mm: over them.
        pck: share of all of their joints within PCK_MM.
    """

    people: int
    mpjpe_mm: float
    interval_mm: tuple[float, float]
    pa_mpjpe_mm: float
    pck: float


@dataclass(frozen=True, slots=True)
class BandFigures:
    """Figures of the people whose height is in [low_px, high_px)."""

    low_px: float
    high_px: float
    figures: PoseFigures


def pose_errors(found_m: FloatArray, truth_m: FloatArray) -> PoseErrors:
    """Gives what each of N people is off by.

    Args:
        found_m: (N, J, 3).
        truth_m: (N, J, 3).

    Raises:
        DetectionError: other shapes, or two that differ.
    """
    found, truth = _checked(found_m, truth_m)
    distances = _distances_mm(found - found[:, :1], truth - truth[:, :1])
    aligned = _distances_mm(procrustes(found, truth), truth)
    return PoseErrors(distances.mean(axis=1), aligned.mean(axis=1), (distances <= PCK_MM).mean(axis=1))


def mpjpe(found_m: FloatArray, truth_m: FloatArray) -> Float64Array:
    """Gives the mean distance (N,) of the joints, mm, pelvises at the origin; arguments as of `pose_errors`."""
    return pose_errors(found_m, truth_m).mpjpe_mm


def pa_mpjpe(found_m: FloatArray, truth_m: FloatArray) -> Float64Array:
    """Gives the mean distance (N,) of the joints, mm, after `procrustes`; arguments as of `pose_errors`."""
    return pose_errors(found_m, truth_m).pa_mpjpe_mm


def pck(found_m: FloatArray, truth_m: FloatArray, within_mm: float = PCK_MM) -> Float64Array:
    """Gives the share (N,) of joints at most so far off, pelvises at the origin; others as of `pose_errors`."""
    found, truth = _checked(found_m, truth_m)
    return np.asarray((_distances_mm(found - found[:, :1], truth - truth[:, :1]) <= within_mm).mean(axis=1))


def procrustes(found_m: FloatArray, truth_m: FloatArray) -> Float64Array:
    """Gives each person (N, J, 3) turned, scaled and moved, never mirrored, to lie nearest to the truth.

    The least squares solution of Umeyama (1991). Joints that all lie in one point come to the truth's mean.

    Args:
        found_m: (N, J, 3).
        truth_m: (N, J, 3).

    Raises:
        DetectionError: other shapes, or two that differ.
    """
    found, truth = _checked(found_m, truth_m)
    centre = truth.mean(axis=1, keepdims=True)
    a, b = found - found.mean(axis=1, keepdims=True), truth - centre
    u, strength, v = np.linalg.svd(np.swapaxes(a, 1, 2) @ b)
    signs = np.ones_like(strength)
    signs[:, 2] = np.where(np.linalg.det(u @ v) < 0.0, -1.0, 1.0)
    rotation = (u * signs[:, None, :]) @ v
    spread = np.square(a).sum(axis=(1, 2))
    scale = np.divide((signs * strength).sum(axis=1), spread, out=np.zeros_like(spread), where=spread > 0.0)
    return np.asarray(scale[:, None, None] * (a @ rotation) + centre)


def pose_figures(
    errors: PoseErrors, image_index: NDArray[np.integer], *, rounds: int = 1000, seed: int = 0
) -> PoseFigures:
    """Gives the means over P people.

    Args:
        errors: of the people.
        image_index: (P,) the image that each is from; people of one image are drawn together.
        rounds: draws of the bootstrap.
        seed: of the draws.
    """
    if not len(errors):
        nan = float("nan")
        return PoseFigures(0, nan, (nan, nan), nan, nan)
    return PoseFigures(
        people=len(errors),
        mpjpe_mm=float(errors.mpjpe_mm.mean()),
        interval_mm=mean_interval(errors.mpjpe_mm, image_index, rounds=rounds, seed=seed),
        pa_mpjpe_mm=float(errors.pa_mpjpe_mm.mean()),
        pck=float(errors.pck.mean()),
    )


def pose_figures_by_height(
    errors: PoseErrors,
    image_index: NDArray[np.integer],
    heights_px: FloatArray,
    bands: Sequence[tuple[float, float]] = POSE_BANDS_PX,
    *,
    seed: int = 0,
) -> tuple[BandFigures, ...]:
    """Gives the means in each half-open band of heights (P,); other arguments as of `pose_figures`."""
    rows = []
    for low, high in bands:
        inside = np.asarray((heights_px >= low) & (heights_px < high), dtype=bool)
        rows.append(BandFigures(low, high, pose_figures(errors.of(inside), image_index[inside], seed=seed)))
    return tuple(rows)


def mean_interval(
    values: FloatArray, image_index: NDArray[np.integer], *, rounds: int = 1000, share: float = 0.95, seed: int = 0
) -> tuple[float, float]:
    """Gives the interval in which the mean of values lies when their images are drawn again with replacement.

    Args:
        values: (P,).
        image_index: (P,) the image that each is from.
        rounds: how many times the images are drawn.
        share: of the results that lie inside.
        seed: of the draws.

    Returns:
        Low and high end; NaN without values.
    """
    if not len(values):
        return float("nan"), float("nan")
    _, image = np.unique(image_index, return_inverse=True)
    sums, counts = np.bincount(image, weights=values), np.bincount(image)
    draws = np.random.default_rng(seed).integers(len(sums), size=(rounds, len(sums)))
    means = sums[draws].sum(axis=1) / counts[draws].sum(axis=1)
    low, high = np.quantile(means, [(1 - share) / 2, (1 + share) / 2])
    return float(low), float(high)


def _checked(found_m: FloatArray, truth_m: FloatArray) -> tuple[Float64Array, Float64Array]:
    if found_m.ndim != 3 or found_m.shape[1] < 1 or found_m.shape[2] != 3 or found_m.shape != truth_m.shape:
        raise DetectionError(
            f"joints found are {found_m.shape} and true ones {truth_m.shape}, expected (people, joints, 3) for both"
        )
    return found_m.astype(np.float64), truth_m.astype(np.float64)


def _distances_mm(found_m: Float64Array, truth_m: Float64Array) -> Float64Array:
    return np.asarray(np.linalg.norm(found_m - truth_m, axis=2) * 1000.0)
