"""Joints as fixed mixtures of nearby vertices."""

from __future__ import annotations

import numpy as np

from mili_core.body.model import JOINTS, Float32Array, Int64Array

# Vertices that may take part: the 20 nearest in each of the eight octants around the joint, 160 in all. The 160
# nearest of all lie on one side of a joint deep in the torso, and no mixture of them reaches it.
NEAREST_PER_OCTANT = 20
_SUM_WEIGHT = 100.0  # weight in metres of "the row sums to 1" against the fit; large makes it exact to rounding


def fit_joint_regressor(vertices: Float32Array, joints: Float32Array) -> Float32Array:
    """Gives J with J @ vertices ~ joints for every person, by non-negative least squares.

    Args:
        vertices: (S, V, 3) in T-pose, metres.
        joints: (S, 24, 3).

    Returns:
        (24, V), at most 160 entries a row, none negative, rows sum to 1.
    """
    from scipy.optimize import nnls  # noqa: PLC0415  the extra body-build is needed here only

    regressor = np.zeros((JOINTS, vertices.shape[1]), dtype=np.float64)
    mean_vertices, mean_joints = vertices.mean(axis=0), joints.mean(axis=0)
    for joint in range(JOINTS):
        nearest = _nearest_all_around(mean_vertices - mean_joints[joint])
        system = vertices[:, nearest].transpose(0, 2, 1).reshape(-1, len(nearest)).astype(np.float64)
        target = joints[:, joint].reshape(-1).astype(np.float64)
        system = np.concatenate((system, np.full((1, len(nearest)), _SUM_WEIGHT)))
        solution = nnls(system, np.append(target, _SUM_WEIGHT))[0]
        regressor[joint, nearest] = solution / solution.sum()
    return regressor.astype(np.float32)


def _nearest_all_around(offsets: Float32Array) -> Int64Array:
    """Gives the ids of the vertices nearest to the origin in each octant, offsets (V, 3)."""
    octants = (offsets > 0) @ np.array((1, 2, 4))
    order = np.argsort(np.linalg.norm(offsets, axis=1), kind="stable")
    return np.concatenate([order[octants[order] == octant][:NEAREST_PER_OCTANT] for octant in range(8)])
