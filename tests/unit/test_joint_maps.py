"""Maps of joints: the head reads places off them, the losses pull them to the joints."""

import math

import pytest
import torch
from torch import Tensor

from mili_core.losses.joint_maps import (
    HIDDEN_SHARE,
    SPREAD_CELLS,
    joint_map_loss,
    joint_place_loss,
    joint_places,
)
from mili_core.nets.boxes import widened
from mili_core.nets.joint_features import JointFeatures

SIDE = 14
ROIS = torch.tensor([[100.0, 50.0, 140.0, 150.0]])


def points(**known: tuple[float, float, float]) -> Tensor:
    """17 keypoints and 24 joints of one person; `k5` is a keypoint, `j16` a joint."""
    found = torch.zeros(1, 41, 3)
    for name, value in known.items():
        found[0, int(name[1:]) + (17 if name[0] == "j" else 0)] = torch.tensor(value)
    return found


def test_a_joint_in_the_middle_is_at_one_half() -> None:
    places, weight = joint_places(points(j16=(120, 100, 1)), torch.tensor([True]), ROIS, torch.tensor([0.5]))
    assert places[0, 16].tolist() == [0.5, 0.5]
    assert weight[0, 16] == 0.5


def test_hidden_joints_of_rendered_people_count_less_and_far_ones_not_at_all() -> None:
    known = points(j16=(120, 100, 0), j4=(90, 100, 1), j5=(99, 100, 1))
    _, weight = joint_places(known, torch.tensor([True]), ROIS, torch.ones(1))
    assert weight[0, 16] == pytest.approx(HIDDEN_SHARE)
    assert weight[0, 4] == 0  # a quarter of a side outside
    assert weight[0, 5] == 1  # hardly outside


def test_photos_hold_limbs_to_their_keypoints_and_nothing_else() -> None:
    known = points(k5=(110, 60, 1), k0=(120, 55, 1), k11=(115, 90, 1))
    places, weight = joint_places(known, torch.tensor([False]), ROIS, torch.ones(1))
    assert weight[0].nonzero().flatten().tolist() == [16]  # the left shoulder; noses and hips have no joint
    torch.testing.assert_close(places[0, 16], torch.tensor([0.25, 0.1]))


def test_confidences_and_shares_are_weights() -> None:
    """A joint of a rendered person counts no less than a hidden one, anybody else's keypoint as much as it is sure."""
    known = points(j16=(120, 100, 0.6), j4=(120, 90, 0.1), j5=(120, 80, 2.0))
    _, weight = joint_places(known, torch.tensor([True]), ROIS, torch.tensor([0.5]))
    assert weight[0, [16, 4, 5]].tolist() == pytest.approx([0.6 * 0.5, HIDDEN_SHARE * 0.5, 0.5])
    photo = points(k5=(110, 60, 0.6), k6=(110, 60, 0.1), k7=(110, 60, 2.0))
    _, weight = joint_places(photo, torch.tensor([False]), ROIS, torch.tensor([0.5]))
    assert weight[0, [16, 17, 18]].tolist() == pytest.approx([0.6 * 0.5, 0.1 * 0.5, 0.5])


def slow_map_loss(logits: Tensor, places: Tensor, weight: Tensor) -> float:
    total = 0.0
    for n in range(logits.shape[0]):
        for j in range(logits.shape[1]):
            cells = [(column + 0.5, row + 0.5) for row in range(SIDE) for column in range(SIDE)]
            x, y = (float(value) * SIDE for value in places[n, j])
            near = [math.exp(-((cx - x) ** 2 + (cy - y) ** 2) / (2 * SPREAD_CELLS**2)) for cx, cy in cells]
            whole = sum(near)
            scores = [math.exp(float(value)) for value in logits[n, j]]
            for share, score in zip(near, scores, strict=True):
                if share / whole > 1e-9:
                    total += float(weight[n, j]) * share / whole * math.log(share / whole * sum(scores) / score)
    return total / float(weight.sum())


def test_map_loss_is_the_divergence_from_a_gaussian() -> None:
    torch.manual_seed(0)
    logits, places, weight = torch.randn(2, 3, SIDE * SIDE), torch.rand(2, 3, 2), torch.rand(2, 3)
    assert float(joint_map_loss(logits, places, weight)) == pytest.approx(
        slow_map_loss(logits, places, weight), rel=1e-4
    )


def test_place_loss_is_the_weighted_distance_a_coordinate() -> None:
    torch.manual_seed(1)
    found, places, weight = torch.randn(2, 3, 2), torch.rand(2, 3, 2), torch.rand(2, 3)
    total = 0.0
    for n in range(2):
        for j in range(3):
            away = [abs(float(found[n, j, axis]) - float(places[n, j, axis])) for axis in (0, 1)]
            total += float(weight[n, j]) * sum(away) / 2
    assert float(joint_place_loss(found, places, weight)) == pytest.approx(total / float(weight.sum()), rel=1e-5)


def test_losses_vanish_where_maps_are_right_and_for_nobody() -> None:
    middles = torch.arange(SIDE) + 0.5
    x, y = 3.2, 9.7
    right = -((middles[None, :] - x) ** 2 + (middles[:, None] - y) ** 2) / (2 * SPREAD_CELLS**2)
    places = torch.tensor([[[x / SIDE, y / SIDE]]])
    one = torch.ones(1, 1)
    assert float(joint_map_loss(right.reshape(1, 1, -1), places, one)) == pytest.approx(0, abs=1e-4)
    assert float(joint_place_loss(places, places, one)) == 0
    assert float(joint_map_loss(torch.zeros(0, 24, SIDE**2), torch.zeros(0, 24, 2), torch.zeros(0, 24))) == 0
    assert float(joint_place_loss(places + 1, places, 0 * one)) == 0


def test_map_loss_moves_the_mean_place_to_the_joint() -> None:
    logits = torch.zeros(1, 1, SIDE**2, requires_grad=True)
    places, one = torch.tensor([[[0.8, 0.2]]]), torch.ones(1, 1)
    optimiser = torch.optim.Adam([logits], lr=0.3)
    for _ in range(150):
        optimiser.zero_grad()
        joint_map_loss(logits, places, one).backward()
        optimiser.step()
    middles = (torch.arange(SIDE) + 0.5) / SIDE
    share = logits.softmax(2).reshape(SIDE, SIDE)
    assert float((share.sum(0) * middles).sum()) == pytest.approx(0.8, abs=0.02)
    assert float((share.sum(1) * middles).sum()) == pytest.approx(0.2, abs=0.02)


class Seen(torch.nn.Module):
    """An hourglass that gives what it is given."""

    def forward(self, rois: Tensor) -> tuple[Tensor, Tensor]:
        return rois, rois.new_zeros(len(rois), 12, 4, 4)


def test_the_head_reads_x_along_columns_and_features_where_the_joint_is() -> None:
    torch.manual_seed(0)
    head = JointFeatures(4, 4, 1, 2, SIDE).eval()
    head.hourglass = Seen()
    features = torch.zeros(1, 4, SIDE, SIDE)
    features[0, 1, 2, 11] = 50.0  # row 2, column 11
    torch.nn.init.zeros_(head.maps.weight)
    head.maps.weight.data[0, 1] = 10.0
    box = torch.tensor([[0.0, 0.0, 20.0, 80.0]])
    described, maps = head(features, box)
    torch.testing.assert_close(maps.places[0, 0], torch.tensor([11.5, 2.5]) / SIDE)
    torch.testing.assert_close(maps.places[0, 1], torch.tensor([0.5, 0.5]))
    assert described.shape == (1, head.width)
    local = described[0, 4 : 4 + 2 * 16].reshape(2, 16)
    torch.testing.assert_close(local[0], head.local(features)[0, :, 2, 11])
    assert not torch.equal(head(features, 2 * box)[0], described)  # the size of the box is told, too


def test_widened_boxes_keep_their_centres() -> None:
    assert widened(ROIS, 1.5).tolist() == [[90.0, 25.0, 150.0, 175.0]]
    assert torch.equal(widened(ROIS, 1.0), ROIS)
