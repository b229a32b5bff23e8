"""Objects stand in the view, on ground that bears them, apart from feet and each other, some before people."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from mili_core.synth.camera import STANDING_M, SceneCamera
from mili_core.synth.objects import KINDS
from mili_core.synth.objects.footprint import footprint_of
from mili_core.synth.objects.paints import RED
from mili_core.synth.objects.placement import FEET_M, LARGEST, PlacedObject, box_share, draw_objects
from mili_core.synth.objects.solids import box

CAMERA = SceneCamera(832, 512, 1000.0, 0.12, 2.4, 0.03)
EVERYTHING = dict.fromkeys(KINDS, 1.0)


def _anywhere(spots: NDArray[np.float64]) -> NDArray[np.bool_]:
    return np.ones(len(spots), dtype=np.bool_)


def _crowd(seed: int, count: int = 8) -> NDArray[np.float64]:
    rng = np.random.default_rng(seed)
    ahead = rng.uniform(8.0, 40.0, count)
    return np.stack([ahead * rng.uniform(-0.35, 0.35, count), ahead], axis=1)


def _draw(seed: int, count: int = 8, kinds: dict[str, float] | None = None) -> tuple[PlacedObject, ...]:
    return draw_objects(
        np.random.default_rng(seed), CAMERA, count, EVERYTHING if kinds is None else kinds, _anywhere, _crowd(seed),
        near_px=400.0, far_px=25.0,
    )  # fmt: skip


def test_a_footprint_turns_with_its_object() -> None:
    mesh = box([4.0, 1.0, 1.0], [0.0, 0.5, 0.0], RED)
    spot = np.array([10.0, 20.0])
    for heading, inside, outside in ((0.0, [11.8, 20.0], [10.0, 21.0]), (0.5 * np.pi, [10.0, 21.8], [11.0, 20.0])):
        place = footprint_of(mesh, spot, heading)
        np.testing.assert_allclose(place.distance_m(np.array([inside, outside])), [0.0, 0.5], atol=1e-6)
    # The same turn as the mesh's: its corners lie on the footprint.
    place = footprint_of(mesh, spot, 0.7)
    turned = mesh.turned(0.7).vertices_m
    corners = spot + turned[:, [0, 2]] * [1.0, -1.0]
    assert place.distance_m(corners).max() < 1e-5
    assert place.distance_m(spot + (corners - spot) * 1.1).min() > 0.01
    assert place.radius_m == pytest.approx(1.0)
    assert place.meets(footprint_of(mesh, spot + np.array([1.0, 0.5]), 0.0), 0.1)
    assert not place.meets(footprint_of(mesh, spot + np.array([5.0, 0.0]), 0.0), 0.1)


def test_objects_suit_the_scene() -> None:
    placed = 0
    for seed in range(12):
        people = _crowd(seed)
        for thing in _draw(seed):
            placed += 1
            assert thing.spot.shape == (2,)
            assert thing.radius_m > 0.0
            place = footprint_of(thing.mesh, thing.spot, thing.heading_rad)
            assert place.distance_m(people).min() >= FEET_M
            assert 0.0 < box_share(CAMERA, thing.mesh, thing.spot, thing.heading_rad) <= LARGEST
            foot = CAMERA.to_camera(np.array([thing.spot[0], CAMERA.height_m, thing.spot[1]]))
            assert foot[2] > 0.0
            assert -0.05 * 832 < CAMERA.project(foot)[0] < 1.05 * 832
    assert placed > 60


def test_sizes_spread_evenly_over_their_logarithm() -> None:
    heights = []
    for seed in range(60):
        things = draw_objects(
            np.random.default_rng(seed), CAMERA, 4, {"bollard": 1.0}, _anywhere, np.zeros((0, 2)),
            near_px=200.0, far_px=25.0,
        )  # fmt: skip
        for thing in things:
            foot = np.array([thing.spot[0], CAMERA.height_m, thing.spot[1]])
            ends = CAMERA.project(CAMERA.to_camera(np.stack([foot, foot - [0.0, STANDING_M, 0.0]])))
            heights.append(np.linalg.norm(ends[1] - ends[0]))
    logs = np.log(heights)
    assert np.exp(logs.min()) > 20.0
    assert np.exp(logs.max()) < 260.0
    assert np.median(logs) == pytest.approx(0.5 * (np.log(200.0) + np.log(25.0)), abs=0.35)


def test_some_stand_before_people() -> None:
    def hidden(share: float) -> int:
        count = 0
        for seed in range(25):
            people = _crowd(seed)
            things = draw_objects(
                np.random.default_rng(seed), CAMERA, 4, {"pole": 1.0, "tree": 1.0}, _anywhere, people,
                near_px=400.0, far_px=25.0, before_people=share,
            )  # fmt: skip
            for thing in things:
                sideways = thing.spot[0] / thing.spot[1] - people[:, 0] / people[:, 1]
                nearer = thing.spot[1] < people[:, 1]
                count += bool((nearer & (np.abs(sideways) * thing.spot[1] < 0.5)).any())
        return count

    assert hidden(1.0) > 1.5 * hidden(0.0)


def test_rows_are_rows() -> None:
    placed = [draw_objects(
        np.random.default_rng(seed), CAMERA, 12, {"barrier": 1.0}, _anywhere, np.zeros((0, 2)),
        near_px=200.0, far_px=40.0,
    ) for seed in range(8)]  # fmt: skip
    neighbours = 0
    for things in placed:
        spots = np.array([thing.spot for thing in things]).reshape(-1, 2)
        gaps = np.linalg.norm(spots[:, None] - spots, axis=-1) + 99.0 * np.eye(len(spots))
        neighbours += int((np.abs(gaps.min(axis=1) - KINDS["barrier"].row_m) < 0.4).sum())
    assert neighbours > 0.4 * sum(map(len, placed))


def test_nothing_stands_where_it_must_not() -> None:
    def left_only(spots: NDArray[np.float64]) -> NDArray[np.bool_]:
        left: NDArray[np.bool_] = spots[:, 0] < 0.0
        return left

    things = draw_objects(
        np.random.default_rng(0), CAMERA, 10, EVERYTHING, left_only, _crowd(0), near_px=400.0, far_px=25.0
    )
    assert things
    assert all(thing.spot[0] < 0.0 for thing in things)
    for arguments in ((0, EVERYTHING, _anywhere), (5, {}, _anywhere), (5, EVERYTHING, lambda spots: spots[:, 0] > 1e9)):
        none = draw_objects(np.random.default_rng(0), CAMERA, *arguments, _crowd(0), near_px=400.0, far_px=25.0)
        assert none == ()


def test_a_seed_is_a_scene() -> None:
    first, second = _draw(3), _draw(3)
    assert [thing.kind for thing in first] == [thing.kind for thing in second]
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one.spot, other.spot)
        np.testing.assert_array_equal(one.mesh.vertices_m, other.mesh.vertices_m)
        assert one.heading_rad == other.heading_rad
