"""Losses: closed-form cases, gradients, nobody."""

import numpy as np
import pytest
import torch

from mili_core.losses.body import ROOT_SHARE, fit_pose_prior, joint3d_loss, keypoint_loss, parameter_loss
from mili_core.losses.detection import box_loss, rpn_loss


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
    rotmats, share = torch.eye(3).repeat(2, 24, 1, 1), torch.ones(2)
    pose, betas = parameter_loss(rotmats, torch.ones(2, 10), rotmats + 0.1, torch.zeros(2, 10), share)
    assert abs(float(pose) - 0.01) < 1e-6
    assert abs(float(betas) - 1.0) < 1e-6
    empty = parameter_loss(rotmats[:0], torch.ones(0, 10), rotmats[:0], torch.ones(0, 10), share[:0])
    assert [float(value) for value in empty] == [0.0, 0.0]
    assert float(joint3d_loss(torch.zeros(0, 24, 3), torch.zeros(0, 24, 3), share[:0])) == 0.0


def test_the_root_counts_more_than_another_joint() -> None:
    truth = torch.zeros(1, 24, 3, 3)
    of_joint = []
    for joint in (0, 7):
        found = truth.clone()
        found[0, joint] = 1.0
        of_joint.append(float(parameter_loss(found, torch.zeros(1, 10), truth, torch.zeros(1, 10), torch.ones(1))[0]))
    assert of_joint[0] / of_joint[1] == pytest.approx(ROOT_SHARE)


def test_people_count_by_their_share() -> None:
    truth = torch.zeros(2, 24, 3)
    found = truth.clone()
    found[0] = 1.0
    assert float(joint3d_loss(found, truth, torch.tensor([3.0, 1.0]))) == pytest.approx(0.75)
    assert float(joint3d_loss(found, truth, torch.tensor([0.0, 1.0]))) == 0.0


def test_an_outlier_costs_no_more_than_two_box_sides() -> None:
    truth = torch.tensor([[[0.0, 0, 1]]])
    loss = keypoint_loss(torch.full((1, 1, 2), 1e6), truth, torch.tensor([[0.0, 0, 10, 10]]))
    assert float(loss) == 2.0


def test_pose_prior_is_one_on_its_own_samples_and_larger_elsewhere() -> None:
    torch.manual_seed(0)
    mixing = torch.randn(138, 138) / 138**0.5
    samples = torch.randn(4000, 138) @ mixing + 3.0
    prior = fit_pose_prior(samples, noise=1e-3)
    assert abs(float(prior.loss(samples)) - 1.0) < 0.02
    assert float(prior.loss(samples + 1.0)) > 2.0
    assert float(prior.loss(samples[:0])) == 0.0
