"""Losses of the SMPL head against slow plain twins: whose sides count, which norm, and how much each one counts."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from mili_core.losses.body import ROOT_SHARE, WORST_KEYPOINT, joint3d_loss, keypoint_loss, parameter_loss

BOXES = torch.tensor([[10.0, 20.0, 60.0, 220.0], [0.0, 0.0, 300.0, 40.0], [5.0, 5.0, 5.5, 90.0]])  # tall, flat, thin
SHARE = [1.0, 0.15, 0.6]


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def slow_keypoints(predicted: np.ndarray, truth: np.ndarray, boxes: np.ndarray) -> float:
    cost, weight = 0.0, 0.0
    for points, known, (x0, y0, x1, y1) in zip(predicted, truth, boxes, strict=True):
        wide, high = max(x1 - x0, 1.0), max(y1 - y0, 1.0)
        for (x, y), (true_x, true_y, confidence) in zip(points, known, strict=True):
            sure = min(max(confidence, 0.0), 1.0)
            cost += sure * min(abs(x - true_x) / wide, WORST_KEYPOINT)
            cost += sure * min(abs(y - true_y) / high, WORST_KEYPOINT)
            weight += sure
    return float(cost / max(2.0 * weight, 1.0))


def slow_mean(costs: list[float], share: list[float]) -> float:
    return sum(cost * part for cost, part in zip(costs, share, strict=True)) / sum(share)


def keypoints(confidence: list[float]) -> tuple[Tensor, Tensor]:
    """Returns predicted (3, 4, 2) and true points (3, 4, 3), px; every person has the same confidences."""
    truth = 30.0 + 20.0 * random(3, 4, 2, seed=1)
    sure = torch.tensor(confidence).expand(3, 4)[..., None]
    return truth + 15.0 * random(3, 4, 2, seed=2), torch.cat((truth, sure), dim=2)


@pytest.mark.parametrize(
    "confidence",
    [[1.0, 1.0, 1.0, 1.0], [0.9, 0.3, 0.05, 0.0], [2.0, 1.0, 0.5, -1.0], [0.02, 0.0, 0.0, 0.01]],
    ids=["sure", "doubtful", "beyond 0..1", "hardly any"],
)
def test_keypoints_agree_with_the_slow_twin(confidence: list[float]) -> None:
    predicted, truth = keypoints(confidence)
    expected = slow_keypoints(predicted.double().numpy(), truth.double().numpy(), BOXES.double().numpy())
    assert keypoint_loss(predicted, truth, BOXES).item() == pytest.approx(expected, rel=1e-5)


def test_keypoints_are_measured_by_width_along_x_and_by_height_along_y() -> None:
    truth, box = torch.tensor([[[0.0, 0.0, 1.0]]]), torch.tensor([[0.0, 0.0, 50.0, 200.0]])
    assert keypoint_loss(torch.tensor([[[10.0, 0.0]]]), truth, box).item() == pytest.approx(10 / 50 / 2)
    assert keypoint_loss(torch.tensor([[[0.0, 10.0]]]), truth, box).item() == pytest.approx(10 / 200 / 2)


def test_a_doubtful_keypoint_counts_less_than_a_sure_one() -> None:
    predicted = torch.tensor([[[10.0, 10.0], [0.0, 0.0]]])
    truth = torch.tensor([[[0.0, 0.0, 0.25], [0.0, 0.0, 1.0]]])
    loss = keypoint_loss(predicted, truth, torch.tensor([[0.0, 0.0, 20.0, 20.0]]))
    assert loss.item() == pytest.approx(0.5 * 0.25 / 1.25)


def test_joints_agree_with_the_slow_twin() -> None:
    """Errors of centimetres to metres: a squared one is smaller or larger, never equal."""
    truth = random(3, 24, 3, seed=3)
    found = truth + random(3, 24, 3, seed=4) * torch.tensor([0.02, 0.3, 2.0])[:, None, None]
    costs = [
        sum(abs(a - b) for a, b in zip(one.flatten().tolist(), true.flatten().tolist(), strict=True)) / 72
        for one, true in zip(found, truth, strict=True)
    ]
    assert joint3d_loss(found, truth, torch.tensor(SHARE)).item() == pytest.approx(slow_mean(costs, SHARE), rel=1e-5)


def test_parameters_agree_with_the_slow_twin() -> None:
    rotmats, true_rotmats = random(3, 24, 3, 3, seed=5), random(3, 24, 3, 3, seed=6)
    betas, true_betas = 0.3 * random(3, 10, seed=7), 2.0 * random(3, 10, seed=8)
    poses, shapes = [], []
    for person in range(3):
        pose, whole = 0.0, 0.0
        for joint in range(24):
            weight = ROOT_SHARE if joint == 0 else 1.0
            pairs = zip(rotmats[person, joint].flatten(), true_rotmats[person, joint].flatten(), strict=True)
            pose += weight * sum((float(a) - float(b)) ** 2 for a, b in pairs) / 9
            whole += weight
        poses.append(pose / whole)
        pairs = zip(betas[person], true_betas[person], strict=True)
        shapes.append(sum((float(a) - float(b)) ** 2 for a, b in pairs) / 10)
    pose_loss, betas_loss = parameter_loss(rotmats, betas, true_rotmats, true_betas, torch.tensor(SHARE))
    assert pose_loss.item() == pytest.approx(slow_mean(poses, SHARE), rel=1e-5)
    assert betas_loss.item() == pytest.approx(slow_mean(shapes, SHARE), rel=1e-5)
