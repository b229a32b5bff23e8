"""The rig: poses with their transforms, the same on any number of threads, and where on the body a vertex lies."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mili_core.body import load_body
from mili_core.synth.people.rig import SKIN_BATCH, Field, Rig, prepare_rig, vertex_normals
from mili_core.synth.poses.generators import sample_poses
from mili_core.synth.poses.skeleton import Joint


@pytest.fixture(scope="module")
def rig() -> Rig:
    return prepare_rig(load_body())


def _people(count: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(5)
    return rng.normal(size=(count, 10)).astype(np.float32), sample_poses(rng, count)


def test_transforms_carry_the_rest_shape_to_the_posed_one(rig: Rig) -> None:
    betas, rotmats = _people(3)
    posed = rig.pose(betas, rotmats)
    rest = rig.body.v_template + np.einsum("vck,pk->pvc", rig.body.shapedirs, betas)
    maps = np.einsum("vj,pjik->pvik", rig.body.weights, posed.transforms)
    expected = np.einsum("pvij,pvj->pvi", maps[..., :3], rest) + maps[..., 3]
    np.testing.assert_allclose(posed.vertices, expected, atol=1e-4)
    rest_joints = np.einsum("jv,pvc->pjc", rig.body.j_regressor, rest)
    carried = np.einsum("pjik,pjk->pji", posed.transforms[..., :3], rest_joints) + posed.transforms[..., 3]
    np.testing.assert_allclose(posed.joints, carried, atol=1e-4)


def test_a_person_does_not_depend_on_who_else_is_posed(rig: Rig) -> None:
    betas, rotmats = _people(SKIN_BATCH + 3)
    everyone = rig.pose(betas, rotmats)
    first = rig.pose(betas[:SKIN_BATCH], rotmats[:SKIN_BATCH])
    np.testing.assert_array_equal(everyone.vertices[:SKIN_BATCH], first.vertices)


def test_the_number_of_threads_changes_no_byte_and_is_left_alone(rig: Rig) -> None:
    betas, rotmats = _people(4)
    before = torch.get_num_threads()
    results = []
    try:
        for threads in (1, 2, 4):
            torch.set_num_threads(threads)
            posed = rig.pose(betas, rotmats)
            results.append((posed.vertices, vertex_normals(posed.vertices, rig.body.faces)))
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    for vertices, normals in results[1:]:
        np.testing.assert_array_equal(vertices, results[0][0])
        np.testing.assert_array_equal(normals, results[0][1])


def test_nobody_can_be_posed(rig: Rig) -> None:
    posed = rig.pose(np.zeros((0, 10), dtype=np.float32), np.zeros((0, 24, 3, 3), dtype=np.float32))
    assert posed.vertices.shape == (0, rig.body.vertex_count, 3)
    assert posed.transforms.shape == (0, 24, 3, 4)


def test_head_scale_has_the_eyes_in_its_middle(rig: Rig) -> None:
    ids = rig.body.vertex_ids
    assert ids is not None
    nose, eyes = rig.fields[ids[0], Field.HEAD], rig.fields[ids[1:3], Field.HEAD]
    np.testing.assert_allclose(eyes, 0.5, atol=0.03)
    assert 0.25 < nose < 0.42
    assert rig.fields[:, Field.HEAD].max() == pytest.approx(1.0, abs=1e-5)


def test_drape_spans_hollows_and_leaves_limbs_and_head_alone(rig: Rig) -> None:
    drape, fields = rig.drape, rig.fields
    assert (drape.hang_m >= drape.fill_m).all()
    assert drape.fill_m.min() >= 0.0
    off_trunk = (fields[:, Field.ARM] > 0) | (fields[:, Field.Y] > rig.shoulder_y + 0.02)
    assert drape.hang_m[off_trunk].max() < 0.004
    # A shirt that falls from the chest stands off the waist, but not off the chest.
    waist = (np.abs(fields[:, Field.Y] - rig.joints[Joint.SPINE2, 1]) < 0.03) & (fields[:, Field.ARM] < 0)
    chest = (np.abs(fields[:, Field.Y] - rig.joints[Joint.SPINE3, 1]) < 0.02) & (fields[:, Field.ARM] < 0)
    assert drape.hang_m[waist].mean() > 0.012
    assert drape.hang_m[chest].mean() < 0.012


def test_distances_to_limb_axes_are_limb_radii(rig: Rig) -> None:
    shins = (rig.fields[:, Field.LEG] > 0.6) & (rig.fields[:, Field.LEG] < 0.9)
    forearms = (rig.fields[:, Field.ARM] > 0.7) & (rig.fields[:, Field.ARM] < 0.95)
    for limb in (shins, forearms):
        assert 0.02 < rig.drape.limb_m[limb].mean() < 0.07
        assert rig.drape.limb_m[limb].max() < 0.1
