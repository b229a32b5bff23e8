"""The steps of the open body's recipe that need none of its packages, and the command's manners without them."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_body import tiny_body

from jobs.build_open_body import main
from mili_core.body import PARENTS, BodyModel, SkinnedBody, load_body
from mili_core.body.build.bones import bones_of_joints, joint_heads, keep_largest, merge_weights
from mili_core.body.build.decimate import Reduction, check_closed
from mili_core.body.build.recipe import round_weights
from mili_core.body.build.shape import fit_shape_space, shape_errors_m
from mili_core.body.build.source import to_y_up
from mili_core.body.build.tpose import PELVIS_M, to_t_pose
from mili_core.errors import BodyError


def _sculpted() -> tuple[np.ndarray, np.ndarray]:
    """The open body's joints with arms half down, elbows bent, legs astride; and its palms' directions."""
    body = load_body()
    joints = (body.j_regressor @ body.v_template).astype(np.float64)
    down = np.radians(-45.0)
    for side, sign in ((0, 1.0), (1, -1.0)):
        chain = [16 + side, 18 + side, 20 + side, 22 + side]
        lengths = np.linalg.norm(np.diff(joints[chain], axis=0), axis=1)
        directions = [(sign * np.cos(down), np.sin(down), 0.0), (sign * 0.5, -0.5, 0.7), (sign * 0.4, -0.6, 0.7)]
        for index, (length, direction) in enumerate(zip(lengths, directions, strict=True)):
            step = length * np.array(direction) / np.linalg.norm(direction)
            joints[chain[index + 1]] = joints[chain[index]] + step
        joints[[4 + side, 7 + side, 10 + side], 0] += sign * np.array((0.03, 0.06, 0.06))
    return joints.astype(np.float32), np.array([(-0.2, 0.3, 1.0), (0.2, 0.3, 1.0)], dtype=np.float32)


def test_the_t_pose_skins_back_to_the_sculpted_pose() -> None:
    """The exactness that makes pose corrections needless: our own skinning undoes to_t_pose."""
    shipped = load_body()
    joints, palms = _sculpted()
    rng = np.random.default_rng(0)
    vertices = joints[shipped.weights.argmax(axis=1)] + 0.05 * rng.normal(size=(6890, 3)).astype(np.float32)
    posed, posed_joints = to_t_pose(vertices, joints, palms, shipped.weights)

    arm = posed_joints[[16, 18, 20, 22]]
    np.testing.assert_allclose(arm[:, 1:], np.broadcast_to(arm[0, 1:], (4, 2)), atol=1e-6)
    np.testing.assert_allclose(posed_joints[0], PELVIS_M, atol=1e-7)
    assert abs(posed_joints[7, 0] - posed_joints[1, 0]) < 0.03  # legs closed
    parents = np.array(PARENTS[1:])
    lengths = [np.linalg.norm(j[1:] - j[parents], axis=1) for j in (posed_joints, joints)]
    np.testing.assert_allclose(lengths[0], lengths[1], atol=1e-6)

    body = BodyModel(
        name="test",
        v_template=posed,
        shapedirs=np.zeros((6890, 3, 10), dtype=np.float32),
        posedirs=None,
        j_regressor=np.zeros((24, 6890), dtype=np.float32),
        weights=shipped.weights,
        parents=shipped.parents,
        faces=shipped.faces,
    )
    skinned = SkinnedBody(body)
    skinned.joint_template = torch.tensor(posed_joints)
    rotations = _relative_rotations(posed_joints, joints, palms)
    back, back_joints = skinned(torch.zeros(1, 10), torch.tensor(rotations, dtype=torch.float32)[None])
    shift = np.array(PELVIS_M) - joints[0]
    np.testing.assert_allclose(back_joints[0].numpy(), joints + shift, atol=2e-6)
    np.testing.assert_allclose(back[0].numpy(), vertices + shift, atol=2e-5)


def _relative_rotations(posed: np.ndarray, sculpted: np.ndarray, palms: np.ndarray) -> np.ndarray:
    """The rotations T-pose -> sculpted, measured from how to_t_pose moves a small cross at each joint."""
    identity = np.eye(24, dtype=np.float32)
    world = np.empty((24, 3, 3))
    for axis in range(3):
        tips = sculpted + np.eye(3, dtype=np.float32)[axis]
        moved, _ = to_t_pose(tips, sculpted, palms, identity)
        world[:, :, axis] = moved - posed  # rotation sculpted -> T of each joint
    inverse = world.transpose(0, 2, 1)
    return np.stack(
        [inverse[joint] if parent < 0 else inverse[parent].T @ inverse[joint] for joint, parent in enumerate(PARENTS)]
    )


def test_the_palms_end_face_down_and_the_thumbs_forward() -> None:
    joints, palms = _sculpted()
    tips = np.repeat(joints, 1, axis=0)
    tips[20], tips[21] = joints[20] + palms[0], joints[21] + palms[1]
    moved, posed = to_t_pose(tips, joints, palms, np.eye(24, dtype=np.float32))
    for wrist in (20, 21):
        across = moved[wrist] - posed[wrist]
        assert across[2] > 0.5
        assert abs(across[1]) < 1e-5


def test_every_bone_serves_one_joint() -> None:
    names = [name for joint in bones_of_joints() for name in joint]
    assert len(names) == len(set(names)) == 104
    assert joint_heads(names).shape == (24,)
    assert names[joint_heads(names)[18]] == "lowerarm01.L"
    assert names[joint_heads(names)[21]] == "wrist.R"


def test_weights_of_bones_add_up_to_weights_of_joints() -> None:
    labels = ["root", "upperleg01.L", "upperleg02.L", "lowerleg01.R"]
    weights = np.array([[0.2, 0.3, 0.5], [1.0, 0.0, 0.0]], dtype=np.float32)
    merged = merge_weights(labels, weights, np.array([[0, 1, 2], [3, 0, 0]]))
    expected = np.zeros((2, 24), dtype=np.float32)
    expected[0, 0], expected[0, 1], expected[1, 5] = 0.2, 0.8, 1.0
    np.testing.assert_allclose(merged, expected, atol=1e-7)


def test_a_bone_of_another_rig_is_named() -> None:
    with pytest.raises(BodyError, match="tail01"):
        merge_weights(["root", "tail01"], np.ones((1, 1), dtype=np.float32), np.zeros((1, 1), dtype=np.int64))


def test_the_four_largest_weights_are_kept() -> None:
    weights = np.zeros((1, 24), dtype=np.float32)
    weights[0, [3, 5, 7, 9, 11]] = [0.1, 0.3, 0.2, 0.25, 0.15]
    kept = keep_largest(weights, 4)
    np.testing.assert_allclose(kept[0, [3, 5, 7, 9, 11]], np.array([0, 0.3, 0.2, 0.25, 0.15]) / 0.9, rtol=1e-6)


def test_rounded_weights_sum_to_one_exactly_and_fit_half_precision() -> None:
    weights = keep_largest(tiny_body().weights, 4)
    rounded = round_weights(weights)
    np.testing.assert_array_equal(rounded.astype(np.float16).astype(np.float64).sum(axis=1), 1.0)
    np.testing.assert_allclose(rounded, weights, atol=1 / 2048)
    assert (rounded[weights == 0] == 0).all()


def test_the_shape_space_finds_the_directions_that_made_the_people() -> None:
    rng = np.random.default_rng(0)
    directions = rng.normal(size=(50, 3, 10)) * np.linspace(0.1, 0.01, 10)
    betas = rng.normal(size=(400, 10))
    mean = rng.normal(size=(50, 3))
    people = (mean + np.einsum("vck,sk->svc", directions, betas)).astype(np.float32)
    space = fit_shape_space(people, adults=300)
    assert space.explained > 0.99999
    assert float(shape_errors_m(space, people).max()) < 1e-5
    np.testing.assert_allclose(space.mean, people[:300].mean(axis=0), atol=1e-6)
    axes = space.directions.reshape(-1, 10)
    fitted = np.linalg.lstsq(axes, (people[:300] - space.mean).reshape(300, -1).T, rcond=None)[0]
    np.testing.assert_allclose(fitted.std(axis=1), 1.0, atol=1e-3)
    # Positive enlarges: along each direction the body grows away from its centre.
    outward = (space.mean - space.mean.mean(axis=0)).reshape(-1)
    assert (outward @ axes > 0).all()


def test_what_lies_outside_the_shape_space_is_its_error() -> None:
    rng = np.random.default_rng(0)
    people = rng.normal(size=(40, 30, 3)).astype(np.float32)
    space = fit_shape_space(people, adults=40)
    errors = shape_errors_m(space, people).astype(np.float64)
    total = np.square((people - space.mean).astype(np.float64)).sum()
    assert np.square(errors).sum() / total == pytest.approx(1.0 - space.explained, rel=1e-4)


def test_values_are_carried_by_barycentrics() -> None:
    reduction = Reduction(
        faces=np.zeros((1, 3), dtype=np.int64),
        corners=np.array([[0, 1, 2], [2, 1, 0]]),
        barycentrics=np.array([[0.5, 0.25, 0.25], [1.0, 0.0, 0.0]], dtype=np.float32),
    )
    values = np.array([[0.0, 4.0], [4.0, 0.0], [8.0, 8.0]], dtype=np.float32)
    np.testing.assert_allclose(reduction.carry(values), [[3.0, 4.0], [8.0, 8.0]])


def test_only_a_closed_mesh_of_the_right_size_passes() -> None:
    tetrahedron = np.array([[0, 2, 1], [0, 1, 3], [1, 2, 3], [2, 0, 3]])
    check_closed(tetrahedron, 4, 4)
    with pytest.raises(BodyError, match="expected 6 faces"):
        check_closed(tetrahedron, 4, 6)
    flipped = tetrahedron.copy()
    flipped[0] = flipped[0, ::-1]
    with pytest.raises(BodyError, match="not closed"):
        check_closed(flipped, 4, 4)


def test_axes_turn_from_z_up_to_y_up() -> None:
    up_and_front = np.array([[0.0, 0.0, 1.0], [0.0, -1.0, 0.0], [1.0, 0.0, 0.0]])
    np.testing.assert_array_equal(to_y_up(up_and_front), [[0, 1, 0], [0, 0, 1], [1, 0, 0]])


def test_without_anny_the_command_says_what_to_install(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "anny", None)
    assert main([str(tmp_path / "body.npz")]) == 2
    error = capsys.readouterr().err
    assert ".[body-build]" in error
    assert error.count("\n") == 1
    assert not (tmp_path / "body.npz").exists()


def test_too_few_people_are_a_usage_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "body.npz"), "--adults", "5"]) == 2
    error = capsys.readouterr().err
    assert "at least 11 adults" in error
    assert error.count("\n") == 1
