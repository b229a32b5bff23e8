"""Pose generators: rotations, limits, signs of the joints, variety."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mili_core.body import SkinnedBody, load_body
from mili_core.synth.arms import ARM_STYLES
from mili_core.synth.poses import GENERATORS, sample_angles, sample_poses, vary
from mili_core.synth.skeleton import (
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
    assert (sitting[:, [Joint.LEFT_HIP, Joint.RIGHT_HIP], Angle.PITCH] < np.deg2rad(-40.0)).all()


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
