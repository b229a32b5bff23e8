"""Skinning against a slow twin that follows the definition, and against its invariances."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tiny_body import random_betas_and_rotations, tiny_body

from mili_core.body import BodyModel, SkinnedBody
from mili_core.errors import BodyError


def _slow_skinning(body: BodyModel, betas: np.ndarray, rotmats: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """One person, one vertex, one 4x4 matrix at a time, in float64."""
    rest = body.v_template + body.shapedirs.astype(np.float64) @ betas
    rest_joints = body.j_regressor.astype(np.float64) @ rest
    if body.posedirs is not None:
        rest = rest + body.posedirs.astype(np.float64) @ (rotmats[1:] - np.eye(3)).reshape(-1)
    world: list[np.ndarray] = []
    for joint, parent in enumerate(body.parents):
        local = np.eye(4)
        local[:3, :3] = rotmats[joint]
        local[:3, 3] = rest_joints[joint] - (rest_joints[parent] if joint else 0.0)
        world.append(world[parent] @ local if joint else local)
    vertices = np.empty_like(rest)
    for vertex in range(len(rest)):
        blended = np.zeros((4, 4))
        for joint in range(24):
            to_origin = np.eye(4)
            to_origin[:3, 3] = -rest_joints[joint]
            blended += body.weights[vertex, joint] * (world[joint] @ to_origin)
        vertices[vertex] = (blended @ np.append(rest[vertex], 1.0))[:3]
    return vertices, np.stack([matrix[:3, 3] for matrix in world])


@pytest.mark.parametrize("posedirs", [True, False])
def test_skinning_equals_the_slow_twin(posedirs: bool) -> None:
    body = tiny_body(posedirs=posedirs)
    betas, rotmats = random_betas_and_rotations(4)
    vertices, joints = SkinnedBody(body)(betas, rotmats)
    for person in range(4):
        expected = _slow_skinning(body, betas[person].double().numpy(), rotmats[person].double().numpy())
        np.testing.assert_allclose(vertices[person].numpy(), expected[0], atol=5e-6)
        np.testing.assert_allclose(joints[person].numpy(), expected[1], atol=5e-6)


def test_joints_alone_equal_the_joints_of_skinning() -> None:
    skinned = SkinnedBody(tiny_body())
    betas, rotmats = random_betas_and_rotations(5)
    torch.testing.assert_close(skinned.joints(betas, rotmats), skinned(betas, rotmats)[1])


def test_no_rotation_gives_the_shaped_template() -> None:
    body = tiny_body()
    betas, _ = random_betas_and_rotations(3)
    vertices, joints = SkinnedBody(body)(betas, torch.eye(3).expand(3, 24, 3, 3))
    expected = body.v_template + np.einsum("vck,nk->nvc", body.shapedirs, betas.numpy())
    np.testing.assert_allclose(vertices.numpy(), expected, atol=2e-6)
    np.testing.assert_allclose(joints.numpy(), np.einsum("jv,nvc->njc", body.j_regressor, expected), atol=2e-6)


def test_the_root_rotation_turns_everything_about_the_pelvis() -> None:
    skinned = SkinnedBody(tiny_body())
    betas, rotmats = random_betas_and_rotations(3)
    straight = rotmats.clone()
    straight[:, 0] = torch.eye(3)
    turned, joints = skinned(betas, rotmats)
    vertices, pelvis = skinned(betas, straight)[0], joints[:, :1]
    expected = (vertices - pelvis) @ rotmats[:, 0].mT + pelvis
    torch.testing.assert_close(turned, expected, atol=1e-5, rtol=0)


def test_bones_keep_their_lengths() -> None:
    body = tiny_body()
    skinned = SkinnedBody(body)
    betas, rotmats = random_betas_and_rotations(6)
    posed, rest = skinned.joints(betas, rotmats), skinned.joints(betas, torch.eye(3).expand(6, 24, 3, 3))
    lengths = [(j[:, 1:] - j[:, body.parents[1:]]).norm(dim=-1) for j in (posed, rest)]
    torch.testing.assert_close(lengths[0], lengths[1], atol=1e-5, rtol=0)


def test_keypoints_are_the_named_vertices_and_joints_in_coco_order() -> None:
    body = tiny_body()
    skinned = SkinnedBody(body)
    betas, rotmats = random_betas_and_rotations(3)
    vertices, joints = skinned(betas, rotmats)
    assert body.vertex_ids is not None
    nose, right_eye, left_eye, right_ear, left_ear = body.vertex_ids[:5]
    face = vertices[:, [nose, left_eye, right_eye, left_ear, right_ear]]
    # shoulders, elbows, wrists, hips, knees, ankles; left is SMPL's odd hips and even arms
    limbs = joints[:, [16, 17, 18, 19, 20, 21, 1, 2, 4, 5, 7, 8]]
    torch.testing.assert_close(skinned.keypoints17(betas, rotmats), torch.cat((face, limbs), dim=1))


def test_keypoints_of_a_body_without_landmarks_are_refused() -> None:
    skinned = SkinnedBody(tiny_body(vertex_ids=False))
    with pytest.raises(BodyError, match="'tiny' has no vertex_ids"):
        skinned.keypoints17(*random_betas_and_rotations(1))


def test_nobody_gives_empty_arrays() -> None:
    skinned = SkinnedBody(tiny_body())
    betas, rotmats = torch.zeros(0, 10), torch.zeros(0, 24, 3, 3)
    vertices, joints = skinned(betas, rotmats)
    assert vertices.shape == (0, 60, 3)
    assert joints.shape == skinned.joints(betas, rotmats).shape == (0, 24, 3)
    assert skinned.keypoints17(betas, rotmats).shape == (0, 17, 3)


def test_a_batch_equals_its_people_one_by_one() -> None:
    skinned = SkinnedBody(tiny_body())
    betas, rotmats = random_betas_and_rotations(4)
    together = skinned(betas, rotmats)[0]
    alone = torch.cat([skinned(betas[i : i + 1], rotmats[i : i + 1])[0] for i in range(4)])
    torch.testing.assert_close(together, alone, atol=2e-6, rtol=0)


def test_nothing_of_the_body_enters_a_state_dict_and_nothing_is_trained() -> None:
    skinned = SkinnedBody(tiny_body())
    assert not skinned.state_dict()
    assert not list(skinned.parameters())
    assert skinned.to(torch.float64).v_template.dtype == torch.float64


def test_gradients_reach_betas_and_rotations() -> None:
    body = tiny_body()
    skinned = SkinnedBody(body).double()
    betas, rotmats = (tensor.double().requires_grad_() for tensor in random_betas_and_rotations(1))
    for output in (lambda b, r: skinned(b, r)[0][:, :3], skinned.joints, skinned.keypoints17):
        assert torch.autograd.gradcheck(output, (betas, rotmats), fast_mode=True)
