"""Shoes have no toes: closes the gaps between the toes of posed bodies before anything is put on."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from mili_core.synth.people.rig import Rig
from mili_core.synth.poses.skeleton import Joint

Float32Array = NDArray[np.float32]
Int64Array = NDArray[np.int64]

ROUNDS = 14
"""Steps towards the mean of the neighbours: enough to close the gaps, few enough to keep the foot's length."""


@lru_cache(maxsize=4)
def shod_fields(rig: Rig) -> Float32Array:
    """Gives `Rig.fields` (V, Field.COUNT) of shoes: the edge of a sole does not follow the toes."""
    return without_toes(rig, rig.fields)


def without_toes(rig: Rig, vertices: Float32Array) -> Float32Array:
    """Gives vertices (V, 3) of a posed body, or other values of them, with the fore-feet as smooth as shoes."""
    covered = vertices.copy()
    for toes, around, mixing in _smoothing(rig):
        # Not as a matrix product of a library, whose last bits may depend on the number of its threads.
        covered[toes] = np.einsum("ta,ac->tc", mixing, vertices[around])
    return covered


@lru_cache(maxsize=4)
def _smoothing(rig: Rig) -> tuple[tuple[Int64Array, Int64Array, Float32Array], ...]:
    """Gives for each foot its (T,) fore-foot vertices, (A,) these and what they join, (T, A) float32 shares."""
    faces = rig.body.faces
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    edges = np.unique(np.concatenate([edges, edges[:, ::-1]]), axis=0)
    found = []
    for joint in (Joint.LEFT_FOOT, Joint.RIGHT_FOOT):
        weight = rig.body.weights[:, joint]
        toes = np.flatnonzero(weight > 0.05)
        at = np.full(len(weight), -1)
        inner = edges[np.isin(edges[:, 0], toes)]
        around = np.union1d(toes, inner)
        at[around] = np.arange(len(around))
        step = np.zeros((len(around), len(around)))
        step[at[inner[:, 0]], at[inner[:, 1]]] = 1.0
        # What is not of the fore-foot stays, and what is, moves the more the farther it is in front.
        share = np.clip(2.0 * weight[around], 0.0, 1.0).astype(np.float64) * np.isin(around, toes)
        total = np.maximum(step.sum(axis=1), 1.0)
        step = np.diag(1.0 - share) + share[:, None] * (0.5 * np.eye(len(around)) + 0.5 * step / total[:, None])
        step /= step.sum(axis=1, keepdims=True)
        mixing = np.linalg.matrix_power(step, ROUNDS)[at[toes]]
        found.append((toes, around, mixing.astype(np.float32)))
    return tuple(found)
