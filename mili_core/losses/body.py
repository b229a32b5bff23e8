"""Losses of the SMPL head: L_mul's keypoint and parameter terms (CRMH, spec section 2.1), and a pose prior."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

KEYPOINT_WEIGHT = 4.0
JOINT3D_WEIGHT = 4.0  # metres; CRMH has 1 with more 3D data
POSE_WEIGHT = 1.0
BETAS_WEIGHT = 0.01
PRIOR_WEIGHT = 0.01  # a standard deviation off in every direction costs this much
SHAPE_PRIOR_WEIGHT = 0.002


def keypoint_loss(
    predicted: Float[Tensor, "n k 2"], truth: Float[Tensor, "n k 3"], boxes: Float[Tensor, "n 4"]
) -> Float[Tensor, ""]:
    """Gives the mean L1 distance of 2D keypoints in units of the box's sides, over keypoints with confidence.

    Args:
        predicted: px.
        truth: x, y (px), confidence.
        boxes: xyxy, px.
    """
    sides = (boxes[:, 2:] - boxes[:, :2]).clamp(min=1.0)[:, None]
    weight = truth[..., 2:].clamp(0, 1)
    error = ((predicted - truth[..., :2]) / sides).abs() * weight
    # Far outliers (a body behind the camera early in training) must not drown everybody else.
    return error.clamp(max=2.0).sum() / (2.0 * weight.sum()).clamp(min=1.0)


def joint3d_loss(predicted: Float[Tensor, "n j 3"], truth: Float[Tensor, "n j 3"]) -> Float[Tensor, ""]:
    """Gives the mean L1 distance of root-relative joints, metres; 0 for nobody."""
    return (predicted - truth).abs().sum() / max(truth.numel(), 1)


def parameter_loss(
    rotmats: Float[Tensor, "n 24 3 3"],
    betas: Float[Tensor, "n 10"],
    true_rotmats: Float[Tensor, "n 24 3 3"],
    true_betas: Float[Tensor, "n 10"],
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """Gives the mean squared errors of rotation matrices and of betas; 0 for nobody."""
    count = max(len(betas), 1)
    pose = torch.square(rotmats - true_rotmats).sum() / (count * 24 * 9)
    return pose, torch.square(betas - true_betas).sum() / (count * 10)


@dataclass(frozen=True, slots=True, eq=False)
class PosePrior:
    """A Gaussian over the 23 body joints' 6-D rotations, fitted to generated poses.

    Attributes:
        mean: (138,).
        whitener: (138, 138); |whitener (x - mean)|^2 is the squared Mahalanobis distance.
    """

    mean: Tensor
    whitener: Tensor

    def loss(self, rot6d: Float[Tensor, "n 138"]) -> Float[Tensor, ""]:
        """Returns the mean squared Mahalanobis distance a dimension; 0 for nobody."""
        distance = (rot6d - self.mean.to(rot6d)) @ self.whitener.to(rot6d).T
        return torch.square(distance).sum() / max(rot6d.numel(), 1)


def fit_pose_prior(rot6d: Float[Tensor, "samples 138"], noise: float = 0.05) -> PosePrior:
    """Gives the prior of sampled poses; `noise` (std, 6-D units) keeps directions that never vary from ruling."""
    mean = rot6d.mean(dim=0)
    centred = (rot6d - mean).double()
    covariance = centred.T @ centred / len(rot6d) + noise**2 * torch.eye(rot6d.shape[1], dtype=torch.float64)
    whitener = torch.linalg.inv(torch.linalg.cholesky(covariance))
    return PosePrior(mean, whitener.float())
