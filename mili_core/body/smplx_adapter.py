"""The smplx package as a reference for our own skinning; the only file that imports it (non-commercial licence)."""

from __future__ import annotations

import contextlib
import io
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mili_core.body.model import JOINTS, POSE_FEATURES, BodyModel
from mili_core.errors import DependencyError

# smplx's names for the vertices of BodyModel.vertex_ids, in that order.
_SMPLX_VERTEX_NAMES = (
    "nose", "reye", "leye", "rear", "lear",
    "LBigToe", "LSmallToe", "LHeel", "RBigToe", "RSmallToe", "RHeel",
    "lthumb", "lindex", "lmiddle", "lring", "lpinky", "rthumb", "rindex", "rmiddle", "rring", "rpinky",
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class _Fields:
    """The attributes that smplx reads from a model file."""

    v_template: np.ndarray
    shapedirs: np.ndarray
    posedirs: np.ndarray
    J_regressor: np.ndarray
    weights: np.ndarray
    kintree_table: np.ndarray
    f: np.ndarray


class SmplxBody:
    """A BodyModel run by smplx.SMPLLayer; the same interface as SkinnedBody's forward.

    Args:
        body: the body to run.

    Raises:
        DependencyError: smplx is not installed.
    """

    def __init__(self, body: BodyModel) -> None:
        try:
            import smplx  # noqa: PLC0415  optional
        except ImportError as error:
            raise DependencyError("smplx (non-commercial) is not installed", "smpl") from error
        self._vertex_count = body.vertex_count
        ids = np.zeros(len(_SMPLX_VERTEX_NAMES), dtype=np.int64) if body.vertex_ids is None else body.vertex_ids
        vertex_ids = {name: int(vertex) for name, vertex in zip(_SMPLX_VERTEX_NAMES, ids, strict=True)}
        # It prints a warning about ten coefficients at each construction; ten is what the project uses.
        with contextlib.redirect_stdout(io.StringIO()):
            self._layer: Any = smplx.SMPLLayer(
                model_path="", data_struct=_fields(body), vertex_ids=vertex_ids, num_betas=body.shapedirs.shape[2]
            )

    def __call__(self, betas: Tensor, rotmats: Tensor) -> tuple[Tensor, Tensor]:
        """Gives vertices (N, V, 3) and joints (N, 24, 3) in metres.

        Args:
            betas: (N, 10).
            rotmats: (N, 24, 3, 3), root first.
        """
        count = len(betas)
        if count == 0:  # smplx cannot reshape an empty batch
            return betas.new_zeros((0, self._vertex_count, 3)), betas.new_zeros((0, JOINTS, 3))
        output = self._layer(betas=betas, body_pose=rotmats[:, 1:], global_orient=rotmats[:, :1])
        return torch.as_tensor(output.vertices), torch.as_tensor(output.joints)[:, :JOINTS]


def _fields(body: BodyModel) -> _Fields:
    posedirs = body.posedirs
    if posedirs is None:
        posedirs = np.zeros((body.vertex_count, 3, POSE_FEATURES), dtype=np.float32)
    return _Fields(
        v_template=body.v_template,
        shapedirs=body.shapedirs,
        posedirs=posedirs,
        J_regressor=body.j_regressor,
        weights=body.weights,
        kintree_table=np.stack((body.parents, np.arange(JOINTS, dtype=np.int64))),
        f=body.faces,
    )
