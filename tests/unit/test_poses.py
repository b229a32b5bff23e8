"""Pose generators: rotations, limits, signs of the joints, variety."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mili_core.body import SkinnedBody, load_body
from mili_core.errors import ConfigError
from mili_core.synth.poses.arms import ARM_STYLES
from mili_core.synth.poses.figure import forward
from mili_core.synth.poses.generators import (
    CHILD_KINDS,
    GENERATORS,
    draw_child_poses,
    draw_poses,
    sample_angles,
    sample_poses,
    vary,
)
from mili_core.synth.poses.hands import hold
from mili_core.synth.poses.legs import Feet, pelvis_rotation, plant, standing_height
from mili_core.synth.poses.skeleton import (
    JOINT_COUNT,
    MIRROR,
    RIGHT_SIDE,
    Angle,
    Joint,
    angle_limits_rad,
    angles_to_rotmats,
    axis_rotation,
    swap_sides,
)


def joints_of(angles: np.ndarray) -> np.ndarray:
    """Joint positions (N, 24, 3) of the open body, y up, facing +z."""
    skinned = SkinnedBody(load_body())
    with torch.no_grad():
        found: np.ndarray = skinned.joints(
            torch.zeros(len(angles), 10), torch.tensor(angles_to_rotmats(angles))
        ).numpy()
    return found


def test_no_angles_are_the_t_pose() -> None:
    rotmats = angles_to_rotmats(np.zeros((2, JOINT_COUNT, 4)))
    assert rotmats.dtype == np.float32
    np.testing.assert_array_equal(rotmats, np.broadcast_to(np.eye(3), (2, JOINT_COUNT, 3, 3)))


@pytest.mark.parametrize("count", [0, 1, 500])
def test_poses_are_rotations_with_an_upright_root(count: int) -> None:
    rotmats = sample_poses(np.random.default_rng(0), count)
    assert rotmats.shape == (count, JOINT_COUNT, 3, 3)
    assert rotmats.dtype == np.float32
    identity = np.broadcast_to(np.eye(3), rotmats.shape)
    np.testing.assert_allclose(rotmats @ rotmats.swapaxes(-1, -2), identity, atol=1e-5)
    np.testing.assert_allclose(np.linalg.det(rotmats), 1.0, atol=1e-5)
    np.testing.assert_allclose(rotmats[:, 0, 1], np.broadcast_to([0.0, 1.0, 0.0], (count, 3)), atol=1e-6)


def test_the_root_faces_everywhere() -> None:
    facing = sample_poses(np.random.default_rng(1), 4000)[:, 0, :, 2]
    turn = np.arctan2(facing[:, 0], facing[:, 2])
    counts, _ = np.histogram(turn, bins=8, range=(-np.pi, np.pi))
    assert counts.min() > 400


def test_equal_seeds_give_equal_poses_and_other_seeds_others() -> None:
    first, again, other = (sample_poses(np.random.default_rng(seed), 20) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0.1


def test_angles_stay_within_the_limits() -> None:
    angles = sample_angles(np.random.default_rng(2), 3000)
    limits = angle_limits_rad()
    assert (angles >= limits[..., 0] - 1e-9).all()
    assert (angles <= limits[..., 1] + 1e-9).all()


@pytest.mark.parametrize("name", GENERATORS)
def test_generators_stay_human_before_noise_and_clip(name: str) -> None:
    rng = np.random.default_rng(5)
    angles = GENERATORS[name][1](rng, 400)
    limits = angle_limits_rad()
    slack = np.deg2rad(20.0)
    assert (angles > limits[..., 0] - slack).all()
    assert (angles < limits[..., 1] + slack).all()
    assert GENERATORS[name][1](rng, 0).shape == (0, JOINT_COUNT, 4)


def test_knees_bend_back_and_elbows_forward() -> None:
    angles = np.zeros((2, JOINT_COUNT, 4))
    angles[1, [Joint.LEFT_KNEE, Joint.RIGHT_KNEE], Angle.PITCH] = 1.0
    angles[:, [Joint.LEFT_SHOULDER, Joint.RIGHT_SHOULDER], Angle.ROLL] = -1.4
    angles[1, [Joint.LEFT_ELBOW, Joint.RIGHT_ELBOW], Angle.YAW] = -1.0
    straight, bent = joints_of(angles)
    for ankle in (Joint.LEFT_ANKLE, Joint.RIGHT_ANKLE):
        assert bent[ankle, 2] < straight[ankle, 2] - 0.2
        assert bent[ankle, 1] > straight[ankle, 1] + 0.1
    for wrist in (Joint.LEFT_WRIST, Joint.RIGHT_WRIST):
        assert bent[wrist, 2] > straight[wrist, 2] + 0.15


def test_sampled_knees_and_elbows_never_bend_the_wrong_way() -> None:
    angles = sample_angles(np.random.default_rng(8), 1500)
    angles[:, Joint.PELVIS] = 0.0
    joints = joints_of(angles)
    thigh = joints[:, [Joint.LEFT_KNEE, Joint.RIGHT_KNEE]] - joints[:, [Joint.LEFT_HIP, Joint.RIGHT_HIP]]
    shank = joints[:, [Joint.LEFT_ANKLE, Joint.RIGHT_ANKLE]] - joints[:, [Joint.LEFT_KNEE, Joint.RIGHT_KNEE]]
    rotations = angles_to_rotmats(angles)
    hips = rotations[:, [Joint.LEFT_HIP, Joint.RIGHT_HIP]]
    forward = hips[..., 2]
    lead = np.einsum("nlc,nlc->nl", shank / np.linalg.norm(shank, axis=-1, keepdims=True), forward)
    rest = np.einsum("nlc,nlc->nl", thigh / np.linalg.norm(thigh, axis=-1, keepdims=True), forward)
    # A shank never points further to the thigh's front than the rest pose's few degrees.
    assert (lead - rest).max() < 0.12


def test_standing_people_hold_their_arms_down_and_their_heads_up() -> None:
    angles = vary(np.random.default_rng(3), GENERATORS["stand"][1](np.random.default_rng(3), 600))
    joints = joints_of(angles)
    assert (joints[:, Joint.HEAD, 1] > joints[:, Joint.PELVIS, 1] + 0.3).all()
    feet = joints[:, [Joint.LEFT_ANKLE, Joint.RIGHT_ANKLE], 1].max(axis=1)
    assert (feet < joints[:, Joint.PELVIS, 1] - 0.6).all()
    low = (
        joints[:, [Joint.LEFT_WRIST, Joint.RIGHT_WRIST], 1]
        < joints[:, Joint.LEFT_SHOULDER : Joint.RIGHT_SHOULDER + 1, 1]
    )
    assert low.mean() > 0.8


def test_walking_legs_go_against_each_other() -> None:
    joints = joints_of(GENERATORS["walk"][1](np.random.default_rng(6), 800))
    left, right = (joints[:, ankle, 2] - joints[:, Joint.PELVIS, 2] for ankle in (Joint.LEFT_ANKLE, Joint.RIGHT_ANKLE))
    assert np.corrcoef(left, right)[0, 1] < -0.5
    stride = np.abs(left - right).max()
    assert 0.5 < stride < 1.2


def test_the_mirror_image_swaps_the_sides() -> None:
    angles = sample_angles(np.random.default_rng(9), 50)
    np.testing.assert_array_equal(swap_sides(swap_sides(angles)), angles)
    flip = np.diag([-1.0, 1.0, 1.0])
    mirrored = flip @ angles_to_rotmats(angles)[:, MIRROR] @ flip
    np.testing.assert_allclose(angles_to_rotmats(swap_sides(angles)), mirrored, atol=1e-5)


def test_poses_vary() -> None:
    rotmats = sample_poses(np.random.default_rng(10), 2000)
    spread = rotmats.std(axis=0).max(axis=(1, 2))
    moving = [joint for joint in range(JOINT_COUNT) if joint not in {Joint.LEFT_FOOT, Joint.RIGHT_FOOT}]
    assert (spread[moving] > 0.02).all()
    assert spread[[Joint.LEFT_HIP, Joint.LEFT_KNEE, Joint.LEFT_SHOULDER, Joint.LEFT_ELBOW]].min() > 0.25


def test_kinds_restrict_the_draw() -> None:
    sitting = sample_angles(np.random.default_rng(0), 100, ["sit"])
    assert (sitting[:, [Joint.LEFT_HIP, Joint.RIGHT_HIP], Angle.PITCH] < np.deg2rad(-30.0)).all()
    poses = draw_poses(np.random.default_rng(0), 60, ["cycle", "sit"])
    assert set(poses.kinds) == {"cycle", "sit"}
    assert len(poses) == len(poses.support) == len(poses.lift_m) == 60
    assert set(draw_child_poses(np.random.default_rng(0), 200).kinds) == set(CHILD_KINDS)
    with pytest.raises(ConfigError, match=r"flying.*choose from stand"):
        draw_poses(np.random.default_rng(0), 3, ["flying"])
    with pytest.raises(ConfigError, match="choose from"):
        draw_poses(np.random.default_rng(0), 3, [])


def test_nobody_is_drawn_when_nobody_is_asked_for() -> None:
    poses = draw_poses(np.random.default_rng(0), 0)
    assert len(poses) == 0
    assert poses.rotmats().shape == (0, JOINT_COUNT, 3, 3)
    assert poses.lift_m.shape == (0,)
    assert len(draw_child_poses(np.random.default_rng(0), 0)) == 0


def test_legs_reach_what_they_are_planted_on() -> None:
    rng = np.random.default_rng(4)
    angles = np.zeros((80, JOINT_COUNT, 4))
    angles[:, Joint.PELVIS, :3] = rng.normal(0.0, 0.08, (80, 3))
    spots = np.array([0.1, 0.0, 0.0]) * [[1.0], [-1.0]] + rng.normal(0.0, 0.04, (80, 2, 3)) * [1.0, 0.0, 1.0]
    heading = rng.uniform(0.0, 0.3, (80, 2))
    feet = Feet(spots, heading, rng.uniform(-0.2, 0.5, (80, 2)), heading)
    pelvis = np.zeros((80, 3))
    pelvis[:, 1] = standing_height(pelvis_rotation(angles), pelvis, feet, np.full((80, 2), 0.05)) - 0.02
    plant(angles, pelvis, feet)
    joints, _ = forward(angles_to_rotmats(angles), pelvis)
    mirror = np.diag([-1.0, 1.0, 1.0])
    np.testing.assert_allclose(joints[:, Joint.LEFT_ANKLE], feet.ankle_m(0), atol=1e-5)
    np.testing.assert_allclose(joints[:, Joint.RIGHT_ANKLE], feet.ankle_m(1) @ mirror, atol=1e-5)
    # Ten centimetres lower, knees bend and the feet stay.
    lower = pelvis - [0.0, 0.1, 0.0]
    bent = angles.copy()
    plant(bent, lower, feet)
    assert (bent[:, [Joint.LEFT_KNEE, Joint.RIGHT_KNEE], Angle.PITCH] > angles[:, [4, 5], Angle.PITCH]).all()


def test_hands_reach_what_they_hold() -> None:
    rng = np.random.default_rng(4)
    angles = np.zeros((50, JOINT_COUNT, 4))
    angles[:, [Joint.SPINE1, Joint.SPINE3], Angle.PITCH] = rng.uniform(0.0, 0.2, (50, 1))
    pelvis = np.tile([0.0, 0.9, 0.0], (50, 1))
    hands = rng.uniform([0.18, 0.95, 0.28], [0.3, 1.2, 0.42], (50, 2, 3)) * [[[1.0, 1.0, 1.0], [-1.0, 1.0, 1.0]]]
    hold(angles, pelvis, hands)
    joints, _ = forward(angles_to_rotmats(angles), pelvis)
    for side, (wrist, hand) in enumerate(((20, 22), (21, 23))):
        palm = joints[:, wrist] + 0.75 * (joints[:, hand] - joints[:, wrist])
        np.testing.assert_allclose(palm, hands[:, side], atol=2e-3)


def test_prams_and_boxes_are_held_with_both_hands() -> None:
    joints = joints_of(GENERATORS["push"].generate(np.random.default_rng(2), 100))
    wrists = joints[:, [Joint.LEFT_WRIST, Joint.RIGHT_WRIST]] - joints[:, [Joint.PELVIS]]
    assert (wrists[..., 2] > 0.15).all()
    assert np.abs(wrists[:, 0, 1] - wrists[:, 1, 1]).max() < 0.08


def test_children_are_livelier() -> None:
    def reach(angles: np.ndarray) -> float:
        joints = joints_of(angles)
        return float((joints[:, Joint.LEFT_WRIST] - joints[:, Joint.RIGHT_WRIST]).std())

    adults = draw_poses(np.random.default_rng(1), 500).angles
    children = draw_child_poses(np.random.default_rng(1), 500).angles
    adults[:, 0] = children[:, 0] = 0.0
    assert reach(children) > 1.15 * reach(adults)


@pytest.mark.parametrize("name", ARM_STYLES)
def test_arm_styles_move_arms_and_head_only(name: str) -> None:
    before = GENERATORS["walk"][1](np.random.default_rng(1), 30)
    after = ARM_STYLES[name][1](np.random.default_rng(1), before.copy())
    arms = [Joint.NECK, Joint.HEAD, *range(Joint.LEFT_SHOULDER, JOINT_COUNT)]
    others = [joint for joint in range(JOINT_COUNT) if joint not in arms]
    np.testing.assert_array_equal(after[:, others], before[:, others])
    assert ARM_STYLES[name][1](np.random.default_rng(1), before[:0]).shape == (0, JOINT_COUNT, 4)


def test_axis_rotation_is_right_handed() -> None:
    quarter = np.array(np.pi / 2)
    np.testing.assert_allclose(axis_rotation(quarter, 0) @ [0, 1, 0], [0, 0, 1], atol=1e-12)
    np.testing.assert_allclose(axis_rotation(quarter, 1) @ [0, 0, 1], [1, 0, 0], atol=1e-12)
    np.testing.assert_allclose(axis_rotation(quarter, 2) @ [1, 0, 0], [0, 1, 0], atol=1e-12)
    assert set(RIGHT_SIDE) == {joint for joint in range(JOINT_COUNT) if joint > MIRROR[joint]}
