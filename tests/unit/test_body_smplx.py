"""Our skinning against the smplx package, the reference for users' SMPL files."""

from __future__ import annotations

import pytest
import torch
from tiny_body import random_betas_and_rotations, tiny_body

from mili_core.body import BodyModel, SkinnedBody, load_body
from mili_core.body.smplx_adapter import SmplxBody

pytest.importorskip("smplx", reason="smplx is not installed (extra `smpl`)")

TOLERANCE_M = 1e-5


def _bodies() -> list[BodyModel]:
    return [load_body(), tiny_body(posedirs=True), tiny_body(posedirs=False, vertex_ids=False)]


@pytest.mark.parametrize("index", range(3), ids=["open", "tiny", "tiny-no-posedirs"])
def test_vertices_and_joints_agree(index: int) -> None:
    body = _bodies()[index]
    betas, rotmats = random_betas_and_rotations(4)
    with torch.no_grad():
        vertices, joints = SkinnedBody(body)(betas, rotmats)
        expected_vertices, expected_joints = SmplxBody(body)(betas, rotmats)
    assert float((vertices - expected_vertices).norm(dim=-1).max()) < TOLERANCE_M
    assert float((joints - expected_joints).norm(dim=-1).max()) < TOLERANCE_M


def test_face_keypoints_are_smplxs_extra_joints() -> None:
    body = tiny_body()
    betas, rotmats = random_betas_and_rotations(2)
    reference = SmplxBody(body)
    output = reference._layer(betas=betas, body_pose=rotmats[:, 1:], global_orient=rotmats[:, :1])
    # smplx appends nose, right eye, left eye, right ear, left ear to the 24 joints
    expected = output.joints[:, [24, 26, 25, 28, 27]]
    torch.testing.assert_close(SkinnedBody(body).keypoints17(betas, rotmats)[:, :5], expected, atol=1e-5, rtol=0)


def test_construction_is_silent_and_nobody_is_fine(capfd: pytest.CaptureFixture[str]) -> None:
    vertices, joints = SmplxBody(tiny_body())(torch.zeros(0, 10), torch.zeros(0, 24, 3, 3))
    assert vertices.shape == (0, 60, 3)
    assert joints.shape == (0, 24, 3)
    captured = capfd.readouterr()
    assert not captured.out
    assert not captured.err
