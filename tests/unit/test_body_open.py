"""The shipped open body: SMPL's layout, a closed surface, a person of sensible build in a T-pose."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mili_core.body import PARENTS, VERTEX_NAMES, BodyModel, SkinnedBody, axis_angle_to_matrix, load_body
from mili_core.body.landmarks import find_landmarks
from mili_core.body.load import OPEN_BODY


@pytest.fixture(scope="module")
def body() -> BodyModel:
    return load_body()


@pytest.fixture(scope="module")
def landmarks(body: BodyModel) -> dict[str, np.ndarray]:
    assert body.vertex_ids is not None
    return dict(zip(VERTEX_NAMES, body.v_template[body.vertex_ids], strict=True))


def test_it_has_smpls_layout(body: BodyModel) -> None:
    assert body.name == "open"
    assert body.v_template.shape == (6890, 3)
    assert body.faces.shape == (13776, 3)
    assert body.posedirs is None
    assert tuple(body.parents) == PARENTS
    assert OPEN_BODY.stat().st_size < 600_000


def test_it_is_the_body_that_the_shipped_weights_regress(body: BodyModel) -> None:
    """A rebuilt body has other betas: weights must be trained anew, then this digest changes with them."""
    assert body.sha256 == "8a127bf5246a7ad1ede1347144e4c11316b55946cefdd2656ad5ef5403275636"


def test_its_surface_is_one_closed_sphere_wound_outwards(body: BodyModel) -> None:
    directed = np.concatenate([body.faces[:, [0, 1]], body.faces[:, [1, 2]], body.faces[:, [2, 0]]])
    keys = directed[:, 0] * 6890 + directed[:, 1]
    assert len(np.unique(keys)) == len(keys)
    np.testing.assert_array_equal(np.sort(keys), np.sort(directed[:, 1] * 6890 + directed[:, 0]))
    assert len(np.unique(body.faces)) - len(keys) // 2 + len(body.faces) == 2  # Euler: genus 0 if connected
    label = np.arange(6890)
    for _ in range(200):
        lowest = label.copy()
        np.minimum.at(lowest, directed[:, 0], label[directed[:, 1]])
        if (lowest == label).all():
            break
        label = lowest
    assert (label == 0).all()
    corners = body.v_template[body.faces].astype(np.float64)
    volume = np.einsum("fc,fc->", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])) / 6.0
    assert 0.05 < volume < 0.09  # cubic metres, about the litres that a person weighs in kilograms


def test_weights_are_sparse_and_sum_to_one_exactly(body: BodyModel) -> None:
    assert (body.weights >= 0).all()
    assert ((body.weights > 0).sum(axis=1) <= 4).all()
    np.testing.assert_array_equal(body.weights.sum(axis=1), 1.0)
    assert (body.weights.max(axis=0) > 0.4).all()  # every joint moves something


def test_joints_lie_as_in_a_t_pose(body: BodyModel) -> None:
    joints = body.j_regressor @ body.v_template
    np.testing.assert_allclose(body.j_regressor.sum(axis=1), 1.0, atol=1e-6)
    np.testing.assert_allclose(joints[0], (0.0, -0.22, 0.03), atol=0.005)
    left, right = [1, 4, 7, 10, 13, 16, 18, 20, 22], [2, 5, 8, 11, 14, 17, 19, 21, 23]
    assert (joints[left, 0] > 0).all()
    np.testing.assert_allclose(joints[left] * (-1, 1, 1), joints[right], atol=0.01)  # mirrored
    arm = joints[[16, 18, 20, 22]]
    assert np.ptp(arm[:, 1]) < 0.02
    assert np.ptp(arm[:, 2]) < 0.02
    assert (np.diff(arm[:, 0]) > 0.05).all()
    assert (np.diff(joints[[15, 12, 9, 6, 0, 4, 7], 1]) < 0).all()  # from head to ankle, downwards


def test_landmarks_are_where_their_names_say(body: BodyModel, landmarks: dict[str, np.ndarray]) -> None:
    joints = body.j_regressor @ body.v_template
    head = body.v_template[body.weights[:, 15] > 0.5]
    assert landmarks["nose"][2] == head[:, 2].max()
    for side, sign in (("left", 1.0), ("right", -1.0)):
        eye, ear = landmarks[f"{side}_eye"], landmarks[f"{side}_ear"]
        assert 0.025 < sign * eye[0] < 0.04
        assert 0.06 < sign * ear[0] < 0.1
        assert landmarks["nose"][1] < eye[1] < landmarks["nose"][1] + 0.06
        assert ear[2] < eye[2] < landmarks["nose"][2]
        big, small, heel = (landmarks[f"{side}_{part}"] for part in ("big_toe", "small_toe", "heel"))
        assert sign * big[0] < sign * small[0]
        assert heel[2] < 0 < small[2] < big[2]
        tips = np.stack([landmarks[f"{side}_{finger}"] for finger in ("thumb", "index", "middle", "ring", "pinky")])
        assert (np.diff(tips[:, 2]) < -0.01).all()
        wrist = joints[20 if side == "left" else 21]
        assert np.linalg.norm(tips - wrist, axis=1).argmax() == 2  # the middle finger is the longest
        assert (sign * tips[:, 0] > sign * wrist[0] + 0.08).all()


def test_landmarks_are_those_that_the_finder_finds(body: BodyModel) -> None:
    found = find_landmarks(body.v_template, body.j_regressor @ body.v_template, body.weights, body.faces)
    np.testing.assert_array_equal(found, body.vertex_ids)


def test_betas_of_unit_size_give_people_of_sensible_height(body: BodyModel) -> None:
    betas = torch.randn(200, 10, generator=torch.Generator().manual_seed(0))
    vertices, _ = SkinnedBody(body)(betas, torch.eye(3).expand(200, 24, 3, 3))
    heights = (vertices[..., 1].amax(dim=1) - vertices[..., 1].amin(dim=1)).numpy()
    assert 1.62 < heights.mean() < 1.76
    assert 0.08 < heights.std() < 0.13
    assert heights.min() > 1.3
    assert heights.max() < 2.1


def test_a_positive_first_beta_is_a_taller_person(body: BodyModel) -> None:
    height = np.ptp(body.v_template[:, 1])
    assert np.ptp((body.v_template + body.shapedirs[..., 0])[:, 1]) > height + 0.08


def test_bending_the_left_elbow_forward_moves_the_left_hand_only(body: BodyModel) -> None:
    pose = torch.zeros(1, 24, 3)
    pose[0, 18, 1] = -torch.pi / 2
    skinned = SkinnedBody(body)
    vertices, joints = skinned(torch.zeros(1, 10), axis_angle_to_matrix(pose))
    rest = skinned.joints(torch.zeros(1, 10), torch.eye(3).expand(1, 24, 3, 3))
    forearm = float((rest[0, 20] - rest[0, 18]).norm())
    torch.testing.assert_close(joints[0, 20], rest[0, 18] + torch.tensor([0.0, 0.0, forearm]), atol=0.01, rtol=0)
    still = torch.tensor(body.weights[:, [18, 20, 22]].sum(axis=1) == 0)
    moved = (vertices[0] - torch.tensor(body.v_template)).norm(dim=-1)
    assert float(moved[still].max()) < 1e-5
    assert float(moved[torch.tensor(body.weights[:, 22] > 0.9)].min()) > 0.2
