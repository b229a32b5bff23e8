"""Feet on the ground: nobody floats, nobody sinks, planted feet do not slide."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mili_core.body import SkinnedBody, load_body
from mili_core.errors import ConfigError
from mili_core.synth.poses.contacts import Gait, foot_skate_m, gait_sequence, penetration_m, stance_travel_m
from mili_core.synth.poses.gait import RUN_FROM_M_S, running, walking
from mili_core.synth.poses.generators import GENERATORS, draw_poses
from mili_core.synth.poses.seated import SEAT_M
from mili_core.synth.poses.skeleton import angles_to_rotmats

BODY = load_body()
SKINNED = SkinnedBody(BODY)
REST = BODY.v_template
_LOW = np.flatnonzero(REST[:, 1] < REST[:, 1].min() + 0.02)
_PER_FOOT = min((REST[_LOW, 0] > 0).sum(), (REST[_LOW, 0] < 0).sum())
SOLES = np.stack([_LOW[REST[_LOW, 0] > 0][:_PER_FOOT], _LOW[REST[_LOW, 0] < 0][:_PER_FOOT]])
SPEEDS = (0.5, 0.9, 1.4, 1.9, 2.2, 3.0, 4.0, 5.0)


def skin(angles: np.ndarray, betas: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Vertices and joints of the open body."""
    betas = np.zeros((len(angles), 10), dtype=np.float32) if betas is None else betas
    with torch.no_grad():
        vertices, joints = SKINNED(torch.tensor(betas), torch.tensor(angles_to_rotmats(angles)))
    return vertices.numpy(), joints.numpy()


def in_world(gait: Gait) -> np.ndarray:
    """Vertices (T, V, 3) of the open body, ground at y = 0."""
    vertices, joints = skin(gait.angles)
    return vertices - joints[:, :1] + gait.root_m[:, None]


def one_cycle(speed: float) -> Gait:
    period = (running if speed >= RUN_FROM_M_S else walking)(np.array([speed])).period_s[0]
    return gait_sequence(speed, np.arange(0.0, 1.2, 1.0 / 60.0 / period))


@pytest.mark.parametrize("speed", SPEEDS)
def test_planted_feet_neither_slide_nor_sink(speed: float) -> None:
    vertices = in_world(one_cycle(speed))
    skate = foot_skate_m(vertices[:, SOLES])
    assert (skate > 0).any(axis=0).all()  # both feet are planted at times
    assert skate.max() < 0.03
    assert penetration_m(vertices).max() < 0.03


@pytest.mark.parametrize("speed", [0.5, 1.4, 1.9])
def test_walkers_always_touch_the_ground(speed: float) -> None:
    lowest = in_world(one_cycle(speed))[..., 1].min(axis=1)
    assert lowest.max() < 0.01


def test_runners_fly() -> None:
    lowest = in_world(one_cycle(3.5))[..., 1].min(axis=1)
    assert lowest.max() > 0.02


@pytest.mark.parametrize(("speed", "stride"), [(0.9, 1.1), (1.4, 1.4), (1.8, 1.65), (3.0, 2.15), (5.0, 3.4)])
def test_strides_are_those_of_people(speed: float, stride: float) -> None:
    gait = one_cycle(speed)
    assert gait.stride_m == pytest.approx(stride, rel=0.25)
    assert gait.stride_m / gait.period_s == pytest.approx(speed)
    way = np.diff(gait.root_m[:, 2]) / np.diff(gait.time_s)
    np.testing.assert_allclose(way, speed, rtol=1e-6)


def test_the_standing_foot_alone_tells_the_way() -> None:
    gait = one_cycle(1.4)
    vertices = in_world(gait)
    moving = vertices[:, SOLES] - gait.root_m[:, None, None] * [1.0, 0.0, 1.0]
    travelled = stance_travel_m(moving)[-1]
    walked = (gait.root_m[-1] - gait.root_m[0])[[0, 2]]
    assert np.hypot(*(travelled - walked)) < 0.1 * np.hypot(*walked)


def test_measures_see_what_is_wrong() -> None:
    soles = np.zeros((3, 2, 4, 3))
    soles[..., 0] = np.linspace(0.0, 0.2, 4)
    assert foot_skate_m(soles).max() == 0.0
    soles[1:, 0, :, 2] = 0.05
    np.testing.assert_allclose(foot_skate_m(soles), [[0.05, 0.0], [0.0, 0.0]])
    soles[:, 0, :, 1] = 0.1  # in the air
    assert foot_skate_m(soles).max() == 0.0
    np.testing.assert_allclose(penetration_m(np.array([[[0.0, -0.02, 0.0]], [[0.0, 0.1, 0.0]]])), [0.02, 0.0])
    assert foot_skate_m(soles[:1]).shape == (0, 2)
    assert penetration_m(np.zeros((0, 5, 3))).shape == (0,)


def test_speeds_of_nobody_are_refused() -> None:
    for speed in (0.0, -1.0, 12.0, float("nan")):
        with pytest.raises(ConfigError, match="speed"):
            gait_sequence(speed, np.linspace(0.0, 1.0, 5))
    assert gait_sequence(1.0, np.zeros(0)).angles.shape == (0, 24, 4)


def soles_above_ground(kind: str, count: int = 60, *, varied: bool = False) -> np.ndarray:
    """(N, 2) height of each foot's lowest point above the body's lowest vertex."""
    rng = np.random.default_rng(5)
    poses = draw_poses(rng, count, [kind])
    betas = np.clip(rng.normal(size=(count, 10)), -2.5, 2.5).astype(np.float32) if varied else None
    vertices, _ = skin(poses.angles, betas)
    return vertices[:, SOLES, 1].min(axis=2) - vertices[..., 1].min(axis=1)[:, None]


@pytest.mark.parametrize("varied", [False, True])
@pytest.mark.parametrize("kind", ["stand", "photograph", "lean_bar", "bend"])
def test_both_soles_of_standing_people_are_on_the_ground(kind: str, varied: bool) -> None:
    assert soles_above_ground(kind, varied=varied).max() < 0.03


def test_standing_soles_are_flat() -> None:
    poses = draw_poses(np.random.default_rng(6), 40, ["stand"])
    vertices, _ = skin(poses.angles)
    heights = vertices[:, SOLES, 1] - vertices[..., 1].min(axis=1)[:, None, None]
    assert heights.max() < 0.03  # 2 cm of it are the rest pose's own


@pytest.mark.parametrize("kind", ["walk", "push", "carry", "kick", "crouch", "lunge"])
def test_one_foot_is_down(kind: str) -> None:
    assert soles_above_ground(kind).min(axis=1).max() < 0.03


def test_sitters_have_feet_on_the_ground_and_seats_of_a_chairs_height() -> None:
    poses = draw_poses(np.random.default_rng(5), 60, ["sit"])
    vertices, _ = skin(poses.angles)
    ground = vertices[..., 1].min(axis=1)
    feet = vertices[:, SOLES, 1].min(axis=2) - ground[:, None]
    assert np.quantile(feet.max(axis=1), 0.9) < 0.03
    assert feet.min(axis=1).max() < 0.03
    buttocks = (BODY.weights[:, :3].sum(axis=1) > 0.9) & (REST[:, 2] < 0.0)
    seats = vertices[:, buttocks, 1].min(axis=1) - ground
    assert seats.min() > SEAT_M[0] - 0.06
    assert seats.max() < SEAT_M[1] + 0.03


def test_cyclists_are_lifted_to_their_pedals() -> None:
    poses = draw_poses(np.random.default_rng(5), 60, ["cycle"])
    assert (poses.lift_m > 0.1).all()
    assert (poses.lift_m < 0.3).all()
    vertices, joints = skin(poses.angles)
    saddle = joints[:, 0, 1] - vertices[..., 1].min(axis=1) + poses.lift_m
    # Whatever the pedals' phase, the saddle stays where it is: pelvis some 0.9 to 1.1 m above the ground.
    assert saddle.min() > 0.85
    assert saddle.max() < 1.15


def test_only_jumpers_and_cyclists_leave_the_ground() -> None:
    poses = draw_poses(np.random.default_rng(7), 1500)
    lifted = {kind for kind, lift in zip(poses.kinds, poses.lift_m, strict=True) if lift > 0.0}
    assert lifted == {"cycle", "jump"}
    assert set(poses.support) == {"feet", "seat", "saddle"}
    assert all(GENERATORS[kind].support == support for kind, support in zip(poses.kinds, poses.support, strict=True))
