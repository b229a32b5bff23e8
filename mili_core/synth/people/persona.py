"""Who people are: women and men of varied height and weight, and children, as shape parameters of any body."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from mili_core.body import BodyModel
from mili_core.body.model import BETAS
from mili_core.synth.people.rig import Rig
from mili_core.synth.poses.skeleton import Joint

Float32Array = NDArray[np.float32]
Float64Array = NDArray[np.float64]

WOMAN_M, MAN_M, HEIGHT_SD_M = 1.62, 1.75, 0.07
CHILD_M = (0.9, 1.5)

BMI_RANGE = (17.0, 38.0)
_BMI_MEDIAN, _BMI_SPREAD = 24.3, 0.17
"""Log-normal, so that the heavy are farther from the median than the light."""

_CHILD_BMI, _CHILD_BMI_SPREAD = 16.8, 0.09

_SHOULDERS_TO_HIPS = (1.50, 1.66)
"""Distance of the shoulder joints over that of the hip joints, women and men, of the open body; others shift it."""

_DENSITY = 1010.0
"""Kilograms per cubic metre of a body."""

_INDIVIDUAL = 0.7
"""Standard deviation of the betas before height, weight and build are set."""

BETA_LIMIT = 3.2
"""Adults stay within this many standard deviations, where the shape space is known to be human."""

CHILD_LIMIT = 8.5
"""Children lie far out along the first direction of the open body, whose shapes were learnt from them too."""

FOREIGN_CHILD_LIMIT = 4.0
"""Other bodies were learnt from adults: beyond this they fall apart, so that their children stay taller."""

_FIT_BODIES = 160
_ROUNDS = 5


@dataclass(frozen=True, slots=True, eq=False)
class Personas:
    """P people.

    Attributes:
        betas: (P, 10) float32.
        child: (P,) bool.
        female: (P,) bool, True for girls too.
        height_m: (P,) float32 standing height of the shape.
        bmi: (P,) float32 weight over squared height of the shape, kg / m2.
    """

    betas: Float32Array
    child: NDArray[np.bool_]
    female: NDArray[np.bool_]
    height_m: Float32Array
    bmi: Float32Array

    def __len__(self) -> int:
        return len(self.betas)

    def take(self, index: NDArray[np.int64]) -> Personas:
        """Returns the rows `index` (K,), in that order."""
        return Personas(*(getattr(self, field.name)[index] for field in fields(self)))


@dataclass(frozen=True, slots=True, eq=False)
class ShapeSpace:
    """What betas do to a body's height, build and weight.

    Attributes:
        height: (11,) standing height of (1, betas), metres.
        shoulders, hips: (11,) distances of the joints of (1, betas), metres.
        girth: (66,) cube root of the volume of the products of (1, betas), metres.
        child_limit: how far children's betas may go.
    """

    height: Float64Array
    shoulders: Float64Array
    hips: Float64Array
    girth: Float64Array
    child_limit: float

    def measure(self, betas: Float64Array) -> Float64Array:
        """Gives (P, 3) height in metres, log of BMI, log of shoulders over hips."""
        linear = np.column_stack([np.ones(len(betas)), betas])
        height = np.maximum(linear @ self.height, 0.3)
        volume = np.maximum(_products(betas) @ self.girth, 0.05) ** 3
        shoulders, hips = np.maximum(linear @ self.shoulders, 0.02), np.maximum(linear @ self.hips, 0.02)
        return np.stack([height, np.log(_DENSITY * volume / height**2), np.log(shoulders / hips)], axis=1)


def draw_personas(rng: np.random.Generator, rig: Rig, count: int, *, child_share: float = 0.08) -> Personas:
    """Gives `count` random people.

    Args:
        rng: source of all randomness.
        rig: body whose betas are wanted; what its shape space cannot reach stays at its limits.
        count: P.
        child_share: probability that a person is a child.
    """
    space = learn_shape_space(rig.body)
    child, female = rng.random(count) < child_share, rng.random(count) < 0.5
    height = np.where(female, WOMAN_M, MAN_M) + HEIGHT_SD_M * rng.standard_normal(count)
    height = np.where(child, rng.uniform(*CHILD_M, count), height)
    spread = rng.standard_normal(count)
    bmi = np.clip(_BMI_MEDIAN * np.exp(_BMI_SPREAD * spread), *BMI_RANGE)
    bmi = np.where(child, _CHILD_BMI * np.exp(_CHILD_BMI_SPREAD * spread), bmi)
    build = np.where(female, *np.log(_SHOULDERS_TO_HIPS)) + 0.035 * rng.standard_normal(count)
    mean_build = float(np.log(_SHOULDERS_TO_HIPS).mean())
    individual = _INDIVIDUAL * rng.standard_normal((count, BETAS))
    # Bodies differ in how wide their shoulder and hip joints are set: what counts is the deviation from the mean.
    build += space.measure(np.zeros((1, BETAS)))[0, 2] - mean_build
    build = np.where(child, space.measure(np.zeros((1, BETAS)))[0, 2], build)
    goals = np.stack([height, np.log(bmi), build], axis=1)
    limit = np.full((count, BETAS), BETA_LIMIT)
    limit[child] = space.child_limit
    betas = _reach(space, individual * np.where(child, 0.4, 1.0)[:, None], goals, limit)
    reached = space.measure(betas)
    return Personas(
        betas=betas.astype(np.float32),
        child=child,
        female=female,
        height_m=reached[:, 0].astype(np.float32),
        bmi=np.exp(reached[:, 1]).astype(np.float32),
    )


def _reach(space: ShapeSpace, betas: Float64Array, goals: Float64Array, limit: Float64Array) -> Float64Array:
    """Gives the betas nearest to (P, 10) that have the goals (P, 3) as far as the limits (P, 10) let them."""
    step = 1e-3
    for _ in range(_ROUNDS):
        at = space.measure(betas)
        slopes = np.stack(
            [(space.measure(betas + step * unit) - at) / step for unit in np.eye(BETAS)], axis=2
        )  # (P, 3, 10)
        # Damped, so that a body whose features hardly depend on betas does not blow up.
        gram = slopes @ slopes.transpose(0, 2, 1) + 1e-6 * np.eye(3)
        move = slopes.transpose(0, 2, 1) @ np.linalg.solve(gram, (goals - at)[..., None])
        betas = np.clip(betas + move[..., 0], -limit, limit)
    return betas


@lru_cache(maxsize=4)
def learn_shape_space(body: BodyModel) -> ShapeSpace:
    """Gives what betas do to a body, from measuring some of its shapes; kept for the bodies used last."""
    template, directions = body.v_template.astype(np.float64), body.shapedirs.astype(np.float64)
    everything = np.concatenate([template[..., None], directions], axis=2)
    crown, sole = int(np.argmax(template[:, 1])), int(np.argmin(template[:, 1]))
    joints = np.tensordot(body.j_regressor.astype(np.float64), everything, axes=1)
    generator = np.random.default_rng(0)
    betas = 1.6 * generator.standard_normal((_FIT_BODIES, BETAS))
    betas[: _FIT_BODIES // 3, 0] *= 2.5
    volumes = np.array([_volume(template + directions @ beta, body.faces) for beta in betas])
    girth, *_ = np.linalg.lstsq(_products(betas), np.cbrt(np.maximum(volumes, 1e-6)), rcond=None)
    return ShapeSpace(
        height=everything[crown, 1] - everything[sole, 1],
        shoulders=joints[Joint.LEFT_SHOULDER, 0] - joints[Joint.RIGHT_SHOULDER, 0],
        hips=joints[Joint.LEFT_HIP, 0] - joints[Joint.RIGHT_HIP, 0],
        girth=girth,
        child_limit=CHILD_LIMIT if body.name == "open" else FOREIGN_CHILD_LIMIT,
    )


def _volume(vertices: Float64Array, faces: NDArray[np.int64]) -> float:
    a, b, c = (vertices[faces[:, corner]] for corner in range(3))
    return float(np.einsum("fk,fk->", a, np.cross(b, c)) / 6.0)


def _products(betas: Float64Array) -> Float64Array:
    """Gives (P, 66): 1, the betas, and the products of any two."""
    linear = np.column_stack([np.ones(len(betas)), betas])
    first, second = np.triu_indices(linear.shape[1])
    products: Float64Array = linear[:, first] * linear[:, second]
    return products
