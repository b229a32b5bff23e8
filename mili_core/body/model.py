"""A body in SMPL's layout: template, shape directions, joint regressor, skinning weights, tree, faces."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mili_core.errors import BodyError

JOINTS = 24
BETAS = 10
POSE_FEATURES = 9 * (JOINTS - 1)
VERTEX_LANDMARKS = 21
WEIGHT_SUM_TOLERANCE = 1e-3

# SMPL's kinematic tree; joint k hangs on PARENTS[k].
PARENTS = (-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 20, 21)

# Order of BodyModel.vertex_ids, the order in which smplx appends vertices to the 24 joints.
VERTEX_NAMES = (
    "nose", "right_eye", "left_eye", "right_ear", "left_ear",
    "left_big_toe", "left_small_toe", "left_heel", "right_big_toe", "right_small_toe", "right_heel",
    "left_thumb", "left_index", "left_middle", "left_ring", "left_pinky",
    "right_thumb", "right_index", "right_middle", "right_ring", "right_pinky",
)  # fmt: skip

Float32Array = NDArray[np.float32]
Int64Array = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class BodyModel:
    """A body with V vertices and F faces, in metres, T-pose, y up, facing +z, its left at +x.

    Attributes:
        name: "open" (the shipped body) or "smpl" (a user's converted file).
        v_template: (V, 3) float32.
        shapedirs: (V, 3, 10) float32, metres per unit of each beta.
        posedirs: (V, 3, 207) float32, metres per unit of (R - I) of joints 1..23, or None for zeros.
        j_regressor: (24, V) float32.
        weights: (V, 24) float32, rows sum to 1.
        parents: (24,) int64, root -1, parents before children.
        faces: (F, 3) int64, counter-clockwise seen from outside.
        vertex_ids: (21,) int64 in the order of VERTEX_NAMES, or None where they are unknown.
        sha256: hex digest of the arrays that give results their meaning (all but vertex_ids); computed here.
    """

    name: str
    v_template: Float32Array
    shapedirs: Float32Array
    posedirs: Float32Array | None
    j_regressor: Float32Array
    weights: Float32Array
    parents: Int64Array
    faces: Int64Array
    vertex_ids: Int64Array | None = None
    sha256: str = field(init=False)

    def __post_init__(self) -> None:
        _check_arrays(self)
        _check_indices(self)
        object.__setattr__(self, "sha256", _digest(self))

    @property
    def vertex_count(self) -> int:
        """V."""
        return len(self.v_template)


def _check_arrays(body: BodyModel) -> None:
    count = len(body.v_template)
    expected: dict[str, tuple[type[np.generic], tuple[int, ...]]] = {
        "v_template": (np.float32, (count, 3)),
        "shapedirs": (np.float32, (count, 3, BETAS)),
        "posedirs": (np.float32, (count, 3, POSE_FEATURES)),
        "j_regressor": (np.float32, (JOINTS, count)),
        "weights": (np.float32, (count, JOINTS)),
        "parents": (np.int64, (JOINTS,)),
        "faces": (np.int64, (len(body.faces), 3)),
        "vertex_ids": (np.int64, (VERTEX_LANDMARKS,)),
    }
    for name, (dtype, shape) in expected.items():
        array = getattr(body, name)
        if array is None:
            continue
        if array.dtype != dtype or array.shape != shape:
            wanted = f"{np.dtype(dtype)}{shape}"
            raise BodyError(f"body '{body.name}': {name} is {array.dtype}{array.shape}, expected {wanted}")
        if not np.isfinite(array).all():
            raise BodyError(f"body '{body.name}': {name} holds values that are not finite; the file is damaged")


def _check_indices(body: BodyModel) -> None:
    count = body.vertex_count
    if count == 0 or len(body.faces) == 0:
        raise BodyError(f"body '{body.name}' has {count} vertices and {len(body.faces)} faces; it needs some of both")
    if body.parents[0] != -1 or not (body.parents[1:] < np.arange(1, JOINTS)).all() or (body.parents[1:] < 0).any():
        raise BodyError(f"body '{body.name}': parents {body.parents.tolist()} are no tree with the root first")
    for name in ("faces", "vertex_ids"):
        ids = getattr(body, name)
        if ids is not None and (ids.min() < 0 or ids.max() >= count):
            raise BodyError(f"body '{body.name}': {name} has vertex {ids.max()} or below 0; there are {count} vertices")
    error = float(np.abs(body.weights.sum(axis=1, dtype=np.float64) - 1.0).max())
    if error > WEIGHT_SUM_TOLERANCE or body.weights.min() < -WEIGHT_SUM_TOLERANCE:
        raise BodyError(f"body '{body.name}': skinning weights are negative or miss a sum of 1 by {error:.3g}")


def _digest(body: BodyModel) -> str:
    """Gives the sha256 over the arrays in canonical order, dtype and layout, whatever file they came from."""
    digest = hashlib.sha256()
    for name in ("v_template", "shapedirs", "posedirs", "j_regressor", "weights", "parents", "faces"):
        array = getattr(body, name)
        if array is None:
            continue
        digest.update(f"{name}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<")).tobytes())
    return digest.hexdigest()
