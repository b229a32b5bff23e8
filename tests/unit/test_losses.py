"""Losses: closed-form cases, gradients, nobody."""

import numpy as np
import torch

from mili_core.losses.body import fit_pose_prior, joint3d_loss, keypoint_loss, parameter_loss
from mili_core.losses.detection import box_loss, mask_loss, rpn_loss


def test_mask_loss_is_the_mean_squared_error() -> None:
    logits = torch.zeros(2, 28, 28, requires_grad=True)  # probability .5
    targets = torch.zeros(2, 28, 28)
    targets[0] = 1.0
    targets[1, :14] = 0.5
    loss = mask_loss(logits, targets)
    assert abs(float(loss.detach()) - (0.25 + 0.125) / 2) < 1e-6
    loss.backward()
    assert logits.grad is not None
    assert logits.grad[0].max() < 0 < logits.grad[1, 14:].min()


def test_mask_loss_of_nobody_is_zero_and_differentiable() -> None:
    logits = torch.zeros(0, 28, 28, requires_grad=True)
    mask_loss(logits, torch.zeros(0, 28, 28)).backward()


def test_rpn_loss_closed_form() -> None:
    objectness, box = rpn_loss(
        torch.zeros(4), torch.tensor([[1.0, 0, 0, 0]]), torch.tensor([1.0, 0, 0, 0]), torch.zeros(1, 4)
    )
    assert abs(float(objectness) - np.log(2)) < 1e-6
    assert abs(float(box) - (1.0 - 0.5 / 9) / 4) < 1e-6


def test_box_loss_closed_form() -> None:
    classification, box = box_loss(
        torch.zeros(2, 2), torch.tensor([[0.5, 0, 0, 0]]), torch.tensor([1, 0]), torch.zeros(1, 4)
    )
    assert abs(float(classification) - np.log(2)) < 1e-6
    assert abs(float(box) - 0.125 / 2) < 1e-6


def test_keypoints_without_confidence_cost_nothing() -> None:
    truth = torch.tensor([[[10.0, 10, 1], [500, 500, 0]]])
    predicted = torch.tensor([[[15.0, 10], [0, 0]]], requires_grad=True)
    loss = keypoint_loss(predicted, truth, torch.tensor([[0.0, 0, 50, 100]]))
    assert abs(float(loss.detach()) - 0.1 / 2) < 1e-6
    loss.backward()
    assert predicted.grad is not None
    assert predicted.grad[0, 1].abs().sum() == 0


def test_parameter_losses_closed_form_and_nobody() -> None:
    rotmats = torch.eye(3).repeat(2, 24, 1, 1)
    pose, betas = parameter_loss(rotmats, torch.ones(2, 10), rotmats + 0.1, torch.zeros(2, 10))
    assert abs(float(pose) - 0.01) < 1e-6
    assert abs(float(betas) - 1.0) < 1e-6
    empty = parameter_loss(rotmats[:0], torch.ones(0, 10), rotmats[:0], torch.ones(0, 10))
    assert [float(value) for value in empty] == [0.0, 0.0]
    assert float(joint3d_loss(torch.zeros(0, 24, 3), torch.zeros(0, 24, 3))) == 0.0


def test_pose_prior_is_one_on_its_own_samples_and_larger_elsewhere() -> None:
    torch.manual_seed(0)
    mixing = torch.randn(138, 138) / 138**0.5
    samples = torch.randn(4000, 138) @ mixing + 3.0
    prior = fit_pose_prior(samples, noise=1e-3)
    assert abs(float(prior.loss(samples)) - 1.0) < 0.02
    assert float(prior.loss(samples + 1.0)) > 2.0
    assert float(prior.loss(samples[:0])) == 0.0
