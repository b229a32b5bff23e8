"""Losses of the SMPL head: L_mul's keypoint and parameter terms (CRMH, spec section 2.1), and a pose prior."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

Penalty = Literal["l1", "mse"]

ROOT_SHARE = 6.0
"""How much the root's rotation counts against another joint's: it turns the whole body, and is one of 24."""

WORST_KEYPOINT = 2.0
"""Box sides: an error counts as no more, or a body behind the camera would drown everybody else early on."""


def keypoint_loss(
    predicted: Float[Tensor, "n k 2"],
    truth: Float[Tensor, "n k 3"],
    boxes: Float[Tensor, "n 4"],
    penalty: Penalty = "l1",
) -> Float[Tensor, ""]:
    """Gives the mean penalty of 2D keypoints' errors in units of the box's sides, over keypoints with confidence.

    Args:
        predicted: px.
        truth: x, y (px), confidence.
        boxes: xyxy, px.
        penalty: of a coordinate.
    """
    sides = (boxes[:, 2:] - boxes[:, :2]).clamp(min=1.0)[:, None]
    weight = truth[..., 2:].clamp(0, 1)
    error = ((predicted - truth[..., :2]) / sides).abs().clamp(max=WORST_KEYPOINT)
    return (_penalised(error, penalty) * weight).sum() / (2.0 * weight.sum()).clamp(min=1.0)


def joint3d_loss(
    predicted: Float[Tensor, "n j 3"],
    truth: Float[Tensor, "n j 3"],
    share: Float[Tensor, " n"],
    penalty: Penalty = "l1",
) -> Float[Tensor, ""]:
    """Gives the mean penalty of root-relative joints' errors, metres a coordinate; 0 for nobody.

    Args:
        predicted, truth: metres.
        share: how much each person counts.
        penalty: of a coordinate.
    """
    return weighted_mean(_penalised((predicted - truth).abs(), penalty).mean(dim=(1, 2)), share)


def _penalised(error: Tensor, penalty: Penalty) -> Tensor:
    return error if penalty == "l1" else torch.square(error)


def parameter_loss(
    rotmats: Float[Tensor, "n 24 3 3"],
    betas: Float[Tensor, "n 10"],
    true_rotmats: Float[Tensor, "n 24 3 3"],
    true_betas: Float[Tensor, "n 10"],
    share: Float[Tensor, " n"],
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """Gives the mean squared errors of rotation matrices, the root's ROOT_SHARE times, and of betas; 0 for nobody."""
    joints = torch.square(rotmats - true_rotmats).mean(dim=(2, 3))
    pose = (joints.sum(dim=1) + (ROOT_SHARE - 1.0) * joints[:, 0]) / (joints.shape[1] + ROOT_SHARE - 1.0)
    shape = torch.square(betas - true_betas).mean(dim=1)
    return weighted_mean(pose, share), weighted_mean(shape, share)


def weighted_mean(values: Float[Tensor, " n"], share: Float[Tensor, " n"]) -> Float[Tensor, ""]:
    """Gives the mean of one value a person; 0 for nobody."""
    return (values * share).sum() / share.sum().clamp(min=1e-6)


@dataclass(frozen=True, slots=True, eq=False)
class PosePrior:
    """A mixture of K Gaussians over the 23 body joints' 6-D rotations.

    Attributes:
        means: (K, 138).
        whiteners: (K, 138, 138); |whitener (x - mean)|^2 is the squared Mahalanobis distance.
        offsets: (K,) logarithm of each component's density at its mean, relative to the densest one's.
    """

    means: Tensor
    whiteners: Tensor
    offsets: Tensor

    def loss(self, rot6d: Float[Tensor, "n 138"]) -> Float[Tensor, ""]:
        """Returns the mean negative log density, doubled, a dimension; 0 at the densest point and for nobody.

        Of one Gaussian this is the mean squared Mahalanobis distance a dimension.
        """
        away = rot6d[:, None] - self.means.to(rot6d)
        distance = torch.einsum("kij,nkj->nki", self.whiteners.to(rot6d), away).square().sum(dim=2)
        density = torch.logsumexp(self.offsets.to(rot6d) - 0.5 * distance, dim=1)
        return -2.0 * density.sum() / max(rot6d.numel(), 1)


def pose_prior(
    weights: Float[Tensor, k], means: Float[Tensor, "k 138"], factors: Float[Tensor, "k 138 138"]
) -> PosePrior:
    """Gives the prior of a mixture's weights, means and lower Cholesky factors of its covariances."""
    factors = factors.double()
    identity = torch.eye(factors.shape[1], dtype=torch.float64).expand_as(factors)
    whiteners = torch.linalg.solve_triangular(factors, identity, upper=False)
    offsets = weights.double().log() - factors.diagonal(dim1=1, dim2=2).log().sum(dim=1)
    return PosePrior(means.float(), whiteners.float(), (offsets - offsets.max()).float())


def fit_pose_prior(rot6d: Float[Tensor, "samples 138"], noise: float = 0.05) -> PosePrior:
    """Gives one Gaussian of sampled poses; `noise` (std, 6-D units) keeps directions that never vary from ruling."""
    mean = rot6d.mean(dim=0)
    centred = (rot6d - mean).double()
    covariance = centred.T @ centred / len(rot6d) + noise**2 * torch.eye(rot6d.shape[1], dtype=torch.float64)
    return pose_prior(torch.ones(1), mean[None], torch.linalg.cholesky(covariance)[None])
