"""Iterative SMPL regression from RoI features (Kanazawa et al., HMR; CRMH's variant, spec section 1.4)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from mili_core.body.rotation import matrix_to_rot6d, rot6d_to_matrix
from mili_core.config import ModelConfig
from mili_core.nets.joint_features import JointFeatures, JointMaps

SIDE = 14
JOINTS = 24
POSE = JOINTS * 6
BETAS = 10
INITIAL_CAM = (0.9, 0.0, 0.0)  # a standing body about fills its box


@dataclass(frozen=True, slots=True, eq=False)
class BodyState:
    """Regressed bodies of N people.

    Attributes:
        rotmats: (N, 24, 3, 3), root first, in the axes of the network's virtual camera.
        betas: (N, 10).
        cam: (N, 3) weak camera (s, tx, ty) relative to the RoI's box.
    """

    rotmats: Tensor
    betas: Tensor
    cam: Tensor


class SmplHead(nn.Module):
    """Convolutions to one vector a person, then `body_iterations` shared refinements of (pose, betas, cam)."""

    initial_state: Tensor

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        width = config.body_channels
        looks = config.body_features == "joints"
        self.convs = None if looks else _halving_convs(config)
        self.joints = JointFeatures(config.fpn_channels, width, config.body_convs, JOINTS, SIDE) if looks else None
        state = POSE + BETAS + 3
        described = width if self.joints is None else self.joints.width
        self.fc1 = nn.Linear(described + state, config.body_fc)
        self.fc2 = nn.Linear(config.body_fc, config.body_fc)
        self.dec = nn.Linear(config.body_fc, state)
        nn.init.xavier_uniform_(self.dec.weight, gain=0.01)
        nn.init.zeros_(self.dec.bias)
        self.drop = nn.Dropout(config.body_dropout)
        self.iterations = config.body_iterations
        self.register_buffer("initial_state", torch.zeros(state))
        self.set_initial_pose(torch.eye(3).expand(JOINTS, 3, 3) * torch.tensor([1.0, -1.0, -1.0]))

    def set_initial_pose(self, rotmats: Float[Tensor, "24 3 3"]) -> None:
        """Sets the pose that refinement starts from (camera axes); betas start at 0, the camera at INITIAL_CAM."""
        pose = matrix_to_rot6d(rotmats.contiguous()).reshape(-1)
        self.initial_state.copy_(torch.cat((pose, torch.zeros(BETAS), torch.tensor(INITIAL_CAM))))

    def forward(self, rois: Float[Tensor, "n c 14 14"], boxes: Float[Tensor, "n 4"]) -> BodyState:
        """Returns the bodies of N RoIs (N = 0 included), float32; boxes in network px."""
        return self.refine(self.describe(rois, boxes)[0])

    def describe(
        self, rois: Float[Tensor, "n c 14 14"], boxes: Float[Tensor, "n 4"]
    ) -> tuple[Float[Tensor, "n d"], JointMaps | None]:
        """Returns what refinement reads of each RoI, and where its joints are if the head looks for them."""
        if self.joints is not None:
            found: tuple[Tensor, JointMaps] = self.joints(rois, boxes)
            return found
        assert self.convs is not None
        return self.convs(rois).mean(dim=(2, 3)), None

    def refine(self, described: Float[Tensor, "n d"]) -> BodyState:
        """Returns the bodies that descriptions tell of, float32."""
        state = self.initial_state.expand(len(described), -1)
        for _ in range(self.iterations):
            hidden = self.drop(F.relu(self.fc1(torch.cat((described, state), dim=1))))
            hidden = self.drop(F.relu(self.fc2(hidden)))
            state = state + self.dec(hidden).float()
        pose, betas, cam = torch.split(state.float(), [POSE, BETAS, 3], dim=1)
        return BodyState(rot6d_to_matrix(pose.reshape(-1, JOINTS, 6)), betas, cam)


def _halving_convs(config: ModelConfig) -> nn.Sequential:
    """Returns the convolutions of a RoI whose mean is read; the last one halves it."""
    width, inputs = config.body_channels, config.fpn_channels
    layers: list[nn.Module] = []
    for number in range(config.body_convs):
        stride = 2 if number == config.body_convs - 1 else 1
        layers += [nn.Conv2d(inputs, width, 3, stride, padding=1), nn.BatchNorm2d(width), nn.ReLU(inplace=True)]
        inputs = width
    return nn.Sequential(*layers)
