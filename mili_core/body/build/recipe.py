"""The open body, step by step."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mili_core.body.build.decimate import reduce_mesh
from mili_core.body.build.regressor import fit_joint_regressor
from mili_core.body.build.shape import fit_shape_space, shape_errors_m
from mili_core.body.build.source import SourcePeople
from mili_core.body.build.tpose import to_t_pose
from mili_core.body.landmarks import find_landmarks
from mili_core.body.model import PARENTS, BodyModel, Float32Array

FACES = 13776  # SMPL's count; a closed genus-0 mesh then has SMPL's 6890 vertices
_WEIGHT_STEPS = 2048  # half precision holds every k/2048 up to 1 exactly, so rows keep their sum of 1
_REGRESSOR_PEOPLE = 300  # evenly spread; more change the regressor by less than its own error


@dataclass(frozen=True, slots=True)
class BuildReport:
    """How well the open body stands for the people that it was made from.

    Attributes:
        explained: share of the squared shape deviation that ten betas span, of anny's sliders, not of humanity.
        adult_error_mm: mean and 95th percentile of the vertex error of adults.
        child_error_mm: the same of children.
        joint_error_mm: mean distance of regressed joints from the rig's.
    """

    explained: float
    adult_error_mm: tuple[float, float]
    child_error_mm: tuple[float, float]
    joint_error_mm: float


def build_open_body(people: SourcePeople) -> tuple[BodyModel, BuildReport]:
    """Gives the open body and how well it fits.

    Args:
        people: at least 11 people, some of them adults and some children.
    """
    sculpted = zip(people.vertices, people.joints, people.palms_across, strict=True)
    posed = [to_t_pose(*person, people.weights) for person in sculpted]
    vertices, joints = (np.stack(part) for part in zip(*posed, strict=True))
    space = fit_shape_space(vertices, people.adults)
    reduction = reduce_mesh(space.mean, people.faces, FACES)
    every = slice(None, None, max(1, len(vertices) // _REGRESSOR_PEOPLE))
    reduced = np.stack([reduction.carry(person) for person in vertices[every]])
    regressor = fit_joint_regressor(reduced, joints[every])
    template, weights = reduction.carry(space.mean), round_weights(reduction.carry_weights(people.weights))
    body = BodyModel(
        name="open",
        v_template=template,
        shapedirs=reduction.carry(space.directions).astype(np.float16).astype(np.float32),
        posedirs=None,
        j_regressor=regressor,
        weights=weights,
        parents=np.array(PARENTS, dtype=np.int64),
        faces=reduction.faces,
        vertex_ids=find_landmarks(template, regressor @ template, weights, reduction.faces),
    )
    errors = 1000.0 * shape_errors_m(space, vertices)
    regressed = np.einsum("jv,svc->sjc", regressor, reduced)
    report = BuildReport(
        explained=space.explained,
        adult_error_mm=_mean_and_p95(errors[: people.adults]),
        child_error_mm=_mean_and_p95(errors[people.adults :]),
        joint_error_mm=1000.0 * float(np.linalg.norm(regressed - joints[every], axis=2).mean()),
    )
    return body, report


def round_weights(weights: Float32Array) -> Float32Array:
    """Gives weights (V, 24) in steps of 1/2048 whose rows still sum to 1: largest remainders are rounded up."""
    steps = weights.astype(np.float64) / weights.sum(axis=1, keepdims=True, dtype=np.float64) * _WEIGHT_STEPS
    whole = np.floor(steps)
    missing = (_WEIGHT_STEPS - whole.sum(axis=1)).astype(np.int64)
    rank = np.argsort(np.argsort(whole - steps, axis=1, kind="stable"), axis=1, kind="stable")
    rounded: Float32Array = ((whole + (rank < missing[:, None])) / _WEIGHT_STEPS).astype(np.float32)
    return rounded


def _mean_and_p95(values: Float32Array) -> tuple[float, float]:
    return float(values.mean()), float(np.percentile(values, 95))
