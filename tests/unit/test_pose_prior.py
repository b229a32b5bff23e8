"""The stored prior of poses: what it says, that it is the generators', that training reads it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from mili_core.body import matrix_to_rot6d
from mili_core.errors import StoreError
from mili_core.synth.poses import prior as prior_module
from mili_core.synth.poses.generators import GENERATORS, draw_poses
from mili_core.synth.poses.prior import (
    GROUPS,
    STORED,
    fit_prior,
    load_prior,
    log_density,
    save_prior,
)
from mili_core.training.initial import UPRIGHT_FACING, known_poses

REFIT = 8000


def test_every_kind_belongs_to_one_group() -> None:
    named = [kind for kinds in GROUPS.values() for kind in kinds]
    assert sorted(named) == sorted(GENERATORS)


def test_the_stored_prior_is_small_and_sound() -> None:
    assert STORED.stat().st_size < 300_000
    stored = load_prior()
    groups = len(GROUPS) + 1
    assert stored.means.shape == (groups, 138)
    assert stored.factors.shape == (groups, 138, 138)
    assert stored.mean_rot6d.shape == (23, 6)
    assert stored.weights.sum() == pytest.approx(1.0)
    assert (np.diagonal(stored.factors, axis1=1, axis2=2) > 0.05).all()
    assert stored.names == (*GROUPS, "any")
    with np.load(STORED) as file:
        assert {"version", "count", "seed", "kinds"} <= set(file.files)


def test_fewer_poses_of_another_seed_give_nearly_the_stored_prior() -> None:
    stored, again = load_prior(), fit_prior(REFIT, seed=9)
    assert np.abs(stored.means - again.means).max() < 0.06
    assert np.abs(stored.mean_rot6d - again.mean_rot6d).max() < 0.04
    np.testing.assert_allclose(stored.weights, again.weights)
    poses = draw_poses(np.random.default_rng(11), 600).rotmats()
    difference = 2.0 / 138.0 * (log_density(stored, poses) - log_density(again, poses))
    assert np.abs(difference).mean() < 0.05
    # The covariances, too: their traces and volumes.
    spread = [np.log(np.diagonal(one.factors, axis1=1, axis2=2)).mean(axis=1) for one in (stored, again)]
    np.testing.assert_allclose(*spread, atol=0.05)


def test_the_fit_is_the_same_for_the_same_seed() -> None:
    first, again = fit_prior(1600, 4), fit_prior(1600, 4)
    np.testing.assert_array_equal(first.factors, again.factors)


def test_saving_keeps_the_prior(tmp_path: Path) -> None:
    fitted = fit_prior(2400, 2)
    save_prior(fitted, tmp_path / "prior.npz")
    loaded = load_prior(tmp_path / "prior.npz")
    poses = draw_poses(np.random.default_rng(0), 50).rotmats()
    np.testing.assert_allclose(log_density(loaded, poses), log_density(fitted, poses), atol=0.5)
    assert [path.name for path in tmp_path.iterdir()] == ["prior.npz"]
    prior_module.main(["--count", "1600", "--seed", "5", "--output", str(tmp_path / "deep" / "other.npz")])
    assert load_prior(tmp_path / "deep" / "other.npz").seed == 5


def rot6d(rotmats: np.ndarray) -> torch.Tensor:
    return matrix_to_rot6d(torch.from_numpy(rotmats[:, 1:])).flatten(1)


def test_training_reads_the_stored_prior_and_its_loss_is_the_plain_density() -> None:
    stored = load_prior()
    mean, prior = known_poses()
    assert mean.shape == (24, 3, 3)
    torch.testing.assert_close(mean[0], UPRIGHT_FACING)
    torch.testing.assert_close(mean @ mean.mT, torch.eye(3).expand(24, 3, 3), atol=1e-5, rtol=0.0)
    poses = draw_poses(np.random.default_rng(1), 40).rotmats()
    densest = np.max(np.log(stored.weights) - np.log(np.diagonal(stored.factors, axis1=1, axis2=2)).sum(axis=1))
    expected = -2.0 / 138.0 * (log_density(stored, poses) - densest).mean()
    assert float(prior.loss(rot6d(poses))) == pytest.approx(expected, abs=1e-3)
    assert float(prior.loss(rot6d(poses[:0]))) == 0.0


def test_the_loss_tells_people_from_puppets_and_is_smooth() -> None:
    _, prior = known_poses()
    people = {
        kind: float(prior.loss(rot6d(draw_poses(np.random.default_rng(2), 60, [kind]).rotmats())))
        for kind in GENERATORS
    }
    assert max(people.values()) < 1.6
    puppets = np.linalg.qr(np.random.default_rng(3).normal(size=(60, 24, 3, 3)))[0].astype(np.float32)
    puppets[np.linalg.det(puppets) < 0] *= -1.0
    assert float(prior.loss(rot6d(puppets))) > 3.0 * max(people.values())
    wrong = draw_poses(np.random.default_rng(2), 60, ["stand"])
    wrong.angles[:, 4:6, 0] = -0.9  # knees that bend forward
    assert float(prior.loss(rot6d(wrong.rotmats()))) > 1.2 * people["stand"]
    pose = rot6d(puppets).requires_grad_()
    prior.loss(pose).backward()
    assert pose.grad is not None
    assert torch.isfinite(pose.grad).all()
    with torch.no_grad():
        assert prior.loss(pose - 5.0 * pose.grad) < prior.loss(pose)


def test_unusable_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be read"):
        load_prior(tmp_path / "none.npz")
    (tmp_path / "cut.npz").write_bytes(STORED.read_bytes()[:5000])
    with pytest.raises(StoreError, match="make it again"):
        load_prior(tmp_path / "cut.npz")
    np.savez(tmp_path / "old.npz", version=np.int64(0))
    with pytest.raises(StoreError, match="version 0"):
        load_prior(tmp_path / "old.npz")
