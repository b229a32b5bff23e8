"""Pose measures in closed form: shifts, turns, scales, mirrors, thresholds, bands and drawn images."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mili_core.errors import DetectionError
from mili_core.evaluation.detection import FoundBoxes, TrueBoxes
from mili_core.evaluation.heights import precision_by_height
from mili_core.evaluation.pose import (
    mean_interval,
    mpjpe,
    pa_mpjpe,
    pck,
    pose_errors,
    pose_figures,
    pose_figures_by_height,
    procrustes,
)


def people(count: int = 5, joints: int = 24, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.4, (count, joints, 3)).astype(np.float32)


def turned(points: np.ndarray, angle_rad: float) -> np.ndarray:
    cos, sin = math.cos(angle_rad), math.sin(angle_rad)
    return points @ np.array([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]]).T


def test_the_truth_has_no_error() -> None:
    errors = pose_errors(people(), people())
    np.testing.assert_allclose(errors.mpjpe_mm, 0, atol=1e-3)
    np.testing.assert_allclose(errors.pa_mpjpe_mm, 0, atol=1e-3)
    np.testing.assert_array_equal(errors.pck, 1)


def test_where_the_pelvis_is_counts_nowhere() -> None:
    moved = people() + np.array([3.0, -1.0, 10.0])
    np.testing.assert_allclose(mpjpe(moved, people()), 0, atol=1e-3)
    np.testing.assert_allclose(pa_mpjpe(moved, people()), 0, atol=1e-3)


def test_one_joint_off() -> None:
    found = people(1)
    found[0, 7, 1] += 0.24
    assert mpjpe(found, people(1))[0] == pytest.approx(240 / 24, rel=1e-4)
    assert pck(found, people(1))[0] == pytest.approx(23 / 24)


def test_a_pelvis_off_is_off_in_every_other_joint() -> None:
    found = people(1)
    found[0, 0, 0] += 0.1
    assert mpjpe(found, people(1))[0] == pytest.approx(100 * 23 / 24, rel=1e-4)
    assert pck(found, people(1), 99.0)[0] == pytest.approx(1 / 24)


def test_the_limit_itself_is_right() -> None:
    truth = np.zeros((1, 4, 3))
    found = truth.copy()
    found[0, 1:, 0] = [0.125, 0.25, 0.5]  # exact in binary
    np.testing.assert_array_equal(pck(found, truth, 125.0), [0.5])
    np.testing.assert_array_equal(pck(found, truth, 124.999), [0.25])


@pytest.mark.parametrize(("angle_rad", "scale"), [(0.0, 2.0), (1.0, 1.0), (3.0, 0.3), (-2.0, 7.0)])
def test_procrustes_undoes_a_similarity(angle_rad: float, scale: float) -> None:
    truth = people()
    found = scale * turned(truth, angle_rad) + np.array([1.0, 2.0, 3.0])
    np.testing.assert_allclose(procrustes(found, truth), truth, atol=1e-6)
    assert (mpjpe(found, truth) > 50).all()


def test_scale_alone_in_closed_form() -> None:
    truth = people()
    expected = 1000 * np.linalg.norm(truth - truth[:, :1], axis=2).mean(axis=1)
    np.testing.assert_allclose(mpjpe(2 * truth, truth), expected, rtol=1e-5)


def test_procrustes_does_not_mirror() -> None:
    truth = people()
    mirrored = truth * np.array([-1.0, 1.0, 1.0])
    assert (pa_mpjpe(mirrored, truth) > 50).all()


def test_procrustes_is_the_least_squares_optimum() -> None:
    truth, found = people(seed=1), people(seed=2)
    best = np.square(procrustes(found, truth) - truth).sum(axis=(1, 2))
    rng = np.random.default_rng(3)
    aligned = procrustes(found, truth)
    for _ in range(50):
        near = turned(aligned - aligned.mean(axis=1, keepdims=True), float(rng.normal(0, 0.05)))
        near = near * rng.normal(1, 0.05) + aligned.mean(axis=1, keepdims=True) + rng.normal(0, 0.02, (1, 1, 3))
        assert (np.square(near - truth).sum(axis=(1, 2)) >= best - 1e-9).all()


def test_joints_in_one_point_come_to_the_mean() -> None:
    truth = people()
    aligned = procrustes(np.zeros_like(truth), truth)
    np.testing.assert_allclose(aligned, np.broadcast_to(truth.mean(axis=1, keepdims=True), truth.shape), atol=1e-6)


def test_nobody() -> None:
    errors = pose_errors(np.zeros((0, 24, 3)), np.zeros((0, 24, 3)))
    assert len(errors) == 0
    figures = pose_figures(errors, np.zeros(0, dtype=np.int64))
    assert figures.people == 0
    assert math.isnan(figures.mpjpe_mm)
    assert math.isnan(figures.interval_mm[0])


@pytest.mark.parametrize(
    ("found", "truth"), [((2, 24, 3), (3, 24, 3)), ((2, 24, 2), (2, 24, 2)), ((24, 3), (24, 3)), ((2, 0, 3), (2, 0, 3))]
)
def test_other_shapes_are_refused(found: tuple[int, ...], truth: tuple[int, ...]) -> None:
    with pytest.raises(DetectionError, match="expected"):
        pose_errors(np.zeros(found), np.zeros(truth))


def test_bands_are_half_open_and_hold_their_people() -> None:
    truth = np.zeros((4, 2, 3))
    found = truth.copy()
    found[:, 1, 0] = [0.02, 0.04, 0.06, 0.08]  # MPJPE 10, 20, 30, 40 mm
    heights = np.array([29.9, 30.0, 60.0, 239.9])
    rows = pose_figures_by_height(pose_errors(found, truth), np.arange(4), heights)
    assert [(row.low_px, row.high_px, row.figures.people) for row in rows] == [(30, 60, 1), (60, 120, 1), (120, 240, 1)]
    np.testing.assert_allclose([row.figures.mpjpe_mm for row in rows], [20, 30, 40])


def test_people_of_one_image_are_drawn_together() -> None:
    values = np.array([0.0, 100.0] * 50)
    together = mean_interval(values, np.repeat(np.arange(50), 2))
    assert together == (50.0, 50.0)  # every image has the same mean
    low, high = mean_interval(values, np.arange(100))
    assert low == pytest.approx(40, abs=2)  # 50 -+ 1.96 * 50 / sqrt(100)
    assert high == pytest.approx(60, abs=2)
    assert mean_interval(values, np.arange(100)) == (low, high)
    assert mean_interval(np.array([7.0]), np.array([3])) == (7.0, 7.0)


def box(top: float, height: float, left: float = 0.0) -> list[float]:
    return [left, top, left + height / 2, top + height]


def boxes(*rows: list[float]) -> np.ndarray:
    return np.array(rows, dtype=np.float64).reshape(-1, 4)


def test_precision_counts_people_of_the_band_only() -> None:
    truth = TrueBoxes(boxes(box(0, 50), box(100, 100)), boxes())
    found = FoundBoxes(boxes(box(0, 50), box(300, 90)), np.array([0.9, 0.95]))
    small, large, none = precision_by_height([found], [truth], ((30, 60), (60, 120), (120, 240)))
    assert (small.people, small.average_precision) == (1, pytest.approx(1.0))  # the ghost is not of its height
    assert (large.people, large.average_precision) == (1, pytest.approx(0.0))
    assert none.people == 0
    assert math.isnan(none.average_precision)


def test_a_detection_of_another_height_may_find_the_person() -> None:
    truth = TrueBoxes(boxes(box(0, 64)), boxes())
    found = FoundBoxes(boxes([0.0, 0.0, 32.0, 56.0]), np.array([0.9]))
    assert precision_by_height([found], [truth], ((60, 120),))[0].average_precision == pytest.approx(1.0)


def test_a_person_of_another_height_excuses_one_detection_and_a_crowd_any_number() -> None:
    twice = FoundBoxes(boxes(box(0, 64), box(1, 62), box(200, 100)), np.array([0.9, 0.8, 0.7]))
    people_only = TrueBoxes(boxes([0.0, 0.0, 32.0, 58.0], box(200, 100)), boxes())
    assert precision_by_height([twice], [people_only], ((60, 120),))[0].average_precision == pytest.approx(0.5)
    crowd = TrueBoxes(boxes(box(200, 100)), boxes([0.0, 0.0, 40.0, 70.0]))
    assert precision_by_height([twice], [crowd], ((60, 120),))[0].average_precision == pytest.approx(1.0)
