"""Linear blend skinning, batched: betas and rotations in, vertices, joints and COCO keypoints out."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from mili_core.body.model import BodyModel
from mili_core.errors import BodyError

# COCO's 17 = 5 face vertices (order of BodyModel.vertex_ids: nose, right eye, left eye, right ear, left ear)
# and 12 of the 24 joints; COCO names left before right.
COCO_FACE_FROM_VERTEX_IDS = (0, 2, 1, 4, 3)
COCO_BODY_FROM_JOINTS = (16, 17, 18, 19, 20, 21, 1, 2, 4, 5, 7, 8)


class SkinnedBody(nn.Module):
    """A BodyModel as a differentiable function of betas and rotations; it has no parameters and no state.

    Results are in metres, in the axes that the root rotation carries the body into; the pelvis joint stays at its
    rest position whatever the rotations are, as in SMPL.

    Args:
        body: the body to skin.
    """

    v_template: Tensor
    shapedirs: Tensor
    posedirs: Tensor | None
    weights: Tensor
    joint_template: Tensor
    joint_shapedirs: Tensor
    face_ids: Tensor | None

    def __init__(self, body: BodyModel) -> None:
        super().__init__()
        regressor = body.j_regressor.astype(np.float64)
        joint_shapedirs = np.tensordot(regressor, body.shapedirs.astype(np.float64), axes=1)
        face_ids = None if body.vertex_ids is None else body.vertex_ids[list(COCO_FACE_FROM_VERTEX_IDS)]
        self.body_name = body.name
        self._parents = tuple(int(parent) for parent in body.parents)
        self._buffer("v_template", body.v_template)
        self._buffer("shapedirs", body.shapedirs)
        self._buffer("posedirs", body.posedirs)
        self._buffer("weights", body.weights)
        self._buffer("joint_template", (regressor @ body.v_template).astype(np.float32))
        self._buffer("joint_shapedirs", joint_shapedirs.astype(np.float32))
        self._buffer("face_ids", face_ids)

    def forward(self, betas: Tensor, rotmats: Tensor) -> tuple[Tensor, Tensor]:
        """Gives vertices and joints.

        Args:
            betas: (N, 10).
            rotmats: (N, 24, 3, 3), root first, each relative to its parent.

        Returns:
            vertices (N, V, 3) and joints (N, 24, 3), metres.
        """
        vertices, joints, _ = self.skin(betas, rotmats)
        return vertices, joints

    def skin(self, betas: Tensor, rotmats: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Gives vertices, joints and each joint's map from the rest pose to the posed one; arguments as in forward.

        Returns:
            vertices (N, V, 3), joints (N, 24, 3) and transforms (N, 24, 3, 4), metres. What is worn over the body
            follows it by the same transforms.
        """
        rest_joints = self._rest_joints(betas)
        rotations, joints = self._pose_joints(rest_joints, rotmats)
        transforms = _skinning_transforms(rotations, joints, rest_joints)
        return (
            self._skin(betas, rotmats, transforms, None),
            joints,
            transforms.reshape(len(transforms), rest_joints.shape[1], 3, 4),
        )

    def joints(self, betas: Tensor, rotmats: Tensor) -> Tensor:
        """Gives the joints alone, (N, 24, 3) metres, without skinning; arguments as in forward."""
        return self._pose_joints(self._rest_joints(betas), rotmats)[1]

    def keypoints17(self, betas: Tensor, rotmats: Tensor) -> Tensor:
        """Gives COCO's 17 keypoints in COCO order, (N, 17, 3) metres; only the five face vertices are skinned.

        Args:
            betas: (N, 10).
            rotmats: (N, 24, 3, 3).

        Raises:
            BodyError: the body does not say where nose, eyes and ears are.
        """
        if self.face_ids is None:
            raise BodyError(f"body '{self.body_name}' has no vertex_ids, so no face keypoints; convert it again")
        rest_joints = self._rest_joints(betas)
        rotations, joints = self._pose_joints(rest_joints, rotmats)
        transforms = _skinning_transforms(rotations, joints, rest_joints)
        face = self._skin(betas, rotmats, transforms, self.face_ids)
        return torch.cat((face, joints[:, list(COCO_BODY_FROM_JOINTS)]), dim=1)

    def _buffer(self, name: str, array: np.ndarray | None) -> None:
        """Registers a buffer that moves with the module but stays out of state_dict (a body may be licensed)."""
        self.register_buffer(name, None if array is None else torch.tensor(array), persistent=False)

    def _rest_joints(self, betas: Tensor) -> Tensor:
        return self.joint_template + _blend(self.joint_shapedirs, betas)

    def _pose_joints(self, rest_joints: Tensor, rotmats: Tensor) -> tuple[Tensor, Tensor]:
        """Gives each joint's rotation against the world (N, 24, 3, 3) and its position (N, 24, 3)."""
        rotations, positions = [rotmats[:, 0]], [rest_joints[:, 0]]
        for joint, parent in enumerate(self._parents[1:], start=1):
            bone = rest_joints[:, joint] - rest_joints[:, parent]
            positions.append(positions[parent] + (rotations[parent] @ bone[..., None])[..., 0])
            rotations.append(rotations[parent] @ rotmats[:, joint])
        return torch.stack(rotations, dim=1), torch.stack(positions, dim=1)

    def _skin(self, betas: Tensor, rotmats: Tensor, transforms: Tensor, ids: Tensor | None) -> Tensor:
        """Gives the posed vertices `ids` (all when None), (N, len(ids), 3)."""
        template, shapedirs, weights = self.v_template, self.shapedirs, self.weights
        posedirs = self.posedirs
        if ids is not None:
            template, shapedirs, weights = template[ids], shapedirs[ids], weights[ids]
            posedirs = None if posedirs is None else posedirs[ids]
        rest = template + _blend(shapedirs, betas)
        if posedirs is not None:
            identity = torch.eye(3, dtype=rotmats.dtype, device=rotmats.device)
            rest = rest + _blend(posedirs, (rotmats[:, 1:] - identity).flatten(1))
        per_vertex = (weights @ transforms).reshape(len(transforms), len(template), 3, 4)
        posed: Tensor = (per_vertex[..., :3] @ rest[..., None])[..., 0] + per_vertex[..., 3]
        return posed


def _blend(directions: Tensor, coefficients: Tensor) -> Tensor:
    """Gives the offsets (N, P, 3) = directions (P, 3, K) weighted by coefficients (N, K), as one matrix product."""
    return (coefficients @ directions.flatten(0, 1).T).reshape(len(coefficients), len(directions), 3)


def _skinning_transforms(rotations: Tensor, joints: Tensor, rest_joints: Tensor) -> Tensor:
    """Gives each joint's 3x4 map from the rest pose to the posed one, (N, 24, 12)."""
    offsets = joints - (rotations @ rest_joints[..., None])[..., 0]
    return torch.cat((rotations, offsets[..., None]), dim=-1).flatten(2)
