"""Objects: sound meshes of the right size, and seats, bicycles and umbrellas that fit their people."""

from __future__ import annotations

import numpy as np
import pytest

from mili_core.body import load_body
from mili_core.synth.objects import KINDS, companion
from mili_core.synth.objects.fit import FEET, HANDS, frame_of
from mili_core.synth.objects.held import load_in_hands, phone_in_hand, stick, suitcase_beside, umbrella_over
from mili_core.synth.objects.lattice import ball, bevelled_box, sharp_box
from mili_core.synth.objects.mesh import Mesh
from mili_core.synth.objects.paints import RED
from mili_core.synth.objects.rests import bench_under, bicycle_under, chair_under, post_behind, rail_before, seat_under
from mili_core.synth.objects.solids import box, disc, ellipsoid, lathe, loft, prism, quads, rod, torus, tube
from mili_core.synth.people.rig import Rig, prepare_rig
from mili_core.synth.people.upright import Upright, stand_up
from mili_core.synth.poses.generators import draw_poses
from mili_core.synth.poses.skeleton import Joint

BUDGETS = {"pole": 200, "street_lamp": 400, "bench": 400, "car": 2500, "van": 2500, "tree": 3000, "bicycle": 2500}
HEIGHTS_M = {
    "pole": (3.0, 9.0), "bollard": (0.6, 1.3), "barrier": (0.9, 1.3), "car": (1.3, 1.9), "van": (1.8, 2.4),
    "bicycle": (0.6, 1.4), "bench": (0.35, 1.0), "chair": (0.7, 1.0), "tree": (2.5, 12.0), "litter_bin": (0.7, 1.3),
    "traffic_cone": (0.4, 0.9), "suitcase": (0.5, 1.3), "pram": (0.9, 1.2), "hurdle": (0.7, 1.1), "goal": (1.9, 2.2),
}  # fmt: skip


def _made(name: str, seed: int = 0) -> Mesh:
    return KINDS[name].make(np.random.default_rng(seed))


def _volume(mesh: Mesh) -> float:
    a, b, c = (mesh.vertices_m[mesh.faces[:, k]].astype(np.float64) for k in range(3))
    return float((np.cross(a, b) * c).sum() / 6.0)


def _open_edges(mesh: Mesh) -> int:
    """Gives how many directed edges, between places, lack the one that runs the other way."""
    _, place = np.unique(np.round(mesh.vertices_m, 4), axis=0, return_inverse=True)
    edges = place.ravel()[mesh.faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)]
    edges = edges[edges[:, 0] != edges[:, 1]]
    balance: dict[tuple[int, int], int] = {}
    for start, end in edges.tolist():
        key, sign = ((start, end), 1) if start < end else ((end, start), -1)
        balance[key] = balance.get(key, 0) + sign
    return sum(value != 0 for value in balance.values())


SQUARE = np.array([[0.0, 0.0], [2.0, 0.0], [2.0, 1.0], [0.0, 1.0]])


@pytest.mark.parametrize(
    ("solid", "volume"),
    [
        (box([1.0, 2.0, 3.0], [5.0, 0.0, 0.0], RED), 6.0),
        (box([1.0, 2.0, 3.0], [0.0, 4.0, 0.0], RED, bevel=0.05), 5.96),
        (rod([0.0, 0.0, 0.0], [0.0, 0.0, 2.0], 0.5, RED, sides=64), 0.5 * np.pi),
        (rod([0.0, 0.0, 0.0], [1.0, 2.0, 2.0], 0.5, RED, end_radius=0.25, sides=64), np.pi * 0.4375),
        (ellipsoid([1.0, 1.0, 1.0], [1.0, 2.0, 0.5], RED, rows=32, sides=48), 4.0 / 3.0 * np.pi),
        (torus([0.0, 1.0, 2.0], [1.0, 1.0, 0.0], 1.0, 0.2, RED, around=64, sides=32), 2.0 * np.pi**2 * 0.04),
        (lathe([[1.0, 0.0], [1.0, 3.0]], RED, sides=64), 3.0 * np.pi),
        (prism(SQUARE, -1.0, 2.0, 0, RED), 6.0),
        (prism(SQUARE[::-1], -1.0, 2.0, 1, RED), 6.0),
        (tube([[0.0, 0.0, 0.0], [0.0, 2.0, 0.0], [0.0, 4.0, 0.0]], 0.5, RED, sides=64), np.pi),
        (disc([0.0, 1.0, 0.0], [0.0, 1.0, 1.0], 1.0, RED), 0.0),
        (quads(np.insert(SQUARE, 1, 0.0, axis=1)[None], RED, both_sides=True), 0.0),
    ],
)
def test_solids_are_closed_and_look_outward(solid: Mesh, volume: float) -> None:
    assert _open_edges(solid) == 0
    assert _volume(solid) == pytest.approx(volume, rel=0.02, abs=1e-6)


def test_an_uncapped_loft_is_open_and_patterns_name_every_vertex() -> None:
    ring = np.stack([SQUARE[:, 0], np.zeros(4), -SQUARE[:, 1]], axis=1)
    assert _open_edges(loft(np.stack([ring, ring + np.array([0.0, 1.0, 0.0])]), RED, capped=False)) == 8
    for points, faces in (sharp_box(), bevelled_box(), ball(4, 6)):
        np.testing.assert_array_equal(np.unique(faces), np.arange(len(points)))


@pytest.mark.parametrize("name", sorted(KINDS))
def test_every_kind_is_sound(name: str) -> None:
    for seed in range(6):
        mesh = _made(name, seed)
        count = len(mesh.vertices_m)
        assert mesh.vertices_m.dtype == mesh.albedo.dtype == mesh.gloss.dtype == np.float32
        assert mesh.faces.dtype == np.int64
        assert mesh.albedo.shape == (count, 3)
        assert mesh.gloss.shape == (count,)
        assert np.isfinite(mesh.vertices_m).all()
        assert mesh.albedo.min() >= 0.0
        assert mesh.albedo.max() <= 1.0
        assert mesh.faces.min() >= 0
        assert mesh.faces.max() < count
        assert len(mesh.faces) <= BUDGETS.get(name, 3000)
        low, high = mesh.vertices_m[:, 1].min(), mesh.vertices_m[:, 1].max()
        # It stands on the ground: neither floats nor sinks.
        assert -0.05 <= low <= 0.03
        least, most = HEIGHTS_M.get(name, (0.3, 12.0))
        assert least <= high <= most
        near_ground = mesh.vertices_m[mesh.vertices_m[:, 1] < 1.0]
        assert np.hypot(near_ground[:, 0], near_ground[:, 2]).max() <= KINDS[name].radius_m + 0.35


@pytest.mark.parametrize("name", sorted(KINDS))
def test_a_seed_is_an_object(name: str) -> None:
    first, second, other = _made(name, 3), _made(name, 3), _made(name, 4)
    for field in ("vertices_m", "faces", "albedo", "gloss"):
        np.testing.assert_array_equal(getattr(first, field), getattr(second, field))
    assert first.vertices_m.shape != other.vertices_m.shape or (first.vertices_m != other.vertices_m).any()


@pytest.fixture(scope="module")
def rig() -> Rig:
    return prepare_rig(load_body())


def _people(rig: Rig, kind: str, count: int, seed: int = 1) -> Upright:
    rng = np.random.default_rng(seed)
    poses = draw_poses(rng, count, [kind])
    betas = np.clip(rng.normal(size=(count, 10)), -2.0, 2.0).astype(np.float32)
    return stand_up(rig, betas, poses.rotmats(), poses.lift_m)


def test_the_frame_looks_where_the_hips_look(rig: Rig) -> None:
    for joints in _people(rig, "walk", 8).joints_m:
        frame = frame_of(joints)
        assert np.linalg.det(frame.rotation) == pytest.approx(1.0)
        # Toes point ahead of heels.
        ankles = frame.joints[[Joint.LEFT_ANKLE, Joint.RIGHT_ANKLE]]
        assert (frame.joints[FEET, 2] - ankles[:, 2]).sum() > 0.0
        assert frame.joints[Joint.LEFT_HIP, 0] > frame.joints[Joint.RIGHT_HIP, 0]


def test_seats_are_just_below_sitters(rig: Rig) -> None:
    sitters = _people(rig, "sit", 12)
    for joints, vertices in zip(sitters.joints_m, sitters.vertices_m, strict=True):
        found = seat_under(joints, vertices)
        assert found is not None
        frame, seat = found
        assert 0.2 < seat.top_m < 0.65
        assert seat.top_m < frame.joints[Joint.PELVIS, 1]
        points = frame.enter(vertices)
        buttocks = (np.abs(points[:, 0]) < 0.15) & (np.abs(points[:, 2]) < 0.1) & (points[:, 1] > seat.top_m - 0.1)
        assert points[buttocks, 1].min() == pytest.approx(seat.top_m, abs=0.02)
        # The backrest does not go through the back.
        back = (np.abs(points[:, 0]) < 0.1) & (points[:, 1] > seat.top_m + 0.05) & (points[:, 1] < seat.top_m + 0.3)
        plane = seat.back_m - np.tan(seat.lean_rad) * (points[back, 1] - seat.top_m)
        assert (points[back, 2] - plane).min() > -0.01
        for make in (bench_under, chair_under):
            mesh = make(joints, vertices, np.random.default_rng(0))
            assert mesh is not None
            assert abs(mesh.vertices_m[:, 1].min()) < 0.01
    on_ground = sitters.vertices_m[0] - np.float32([0.0, 0.5, 0.0])
    assert seat_under(sitters.joints_m[0] - np.float32([0.0, 0.5, 0.0]), on_ground) is None


def test_bicycles_fit_their_riders(rig: Rig) -> None:
    riders = _people(rig, "cycle", 12)
    for joints in riders.joints_m:
        mesh = bicycle_under(joints, np.random.default_rng(1))
        frame = frame_of(joints)
        points = frame.enter(mesh.vertices_m)
        assert abs(points[:, 1].min()) < 0.01
        # Longer than wide, along the way the rider looks.
        assert np.ptp(points[:, 2]) > 1.2
        assert np.abs(points[:, 0]).max() < 0.5
        for target in (*frame.joints[HANDS], *frame.joints[FEET]):
            assert np.linalg.norm(points - target, axis=1).min() < 0.16
        saddle = points[(np.abs(points[:, 0]) < 0.1) & (np.abs(points[:, 2]) < 0.12)]
        assert 0.02 < frame.joints[Joint.PELVIS, 1] - saddle[:, 1].max() < 0.2


def test_what_is_held_is_in_a_hand(rig: Rig) -> None:
    people = _people(rig, "walk", 6)
    rng = np.random.default_rng(2)
    for joints in people.joints_m:
        hands = joints[HANDS]
        for mesh in (
            umbrella_over(joints, 0, rng), suitcase_beside(joints, rng), phone_in_hand(joints, rng), stick(joints, rng),
            load_in_hands(joints, rng),
        ):  # fmt: skip
            gap = np.linalg.norm(mesh.vertices_m[:, None] - hands, axis=-1).min()
            assert gap < 0.16
        canopy = umbrella_over(joints, 1, rng).vertices_m
        assert canopy[:, 1].max() > joints[Joint.HEAD, 1] + 0.3
        assert suitcase_beside(joints, rng).vertices_m[:, 1].min() == pytest.approx(0.0, abs=1e-3)


def test_people_lean_on_something(rig: Rig) -> None:
    rng = np.random.default_rng(3)
    for joints in _people(rig, "lean_bar", 4).joints_m:
        top = rail_before(joints, rng).vertices_m[:, 1].max()
        assert joints[HANDS, 1].min() - 0.1 < top < joints[HANDS, 1].max() + 0.02
    leaning = _people(rig, "lean_wall", 4)
    for joints, vertices in zip(leaning.joints_m, leaning.vertices_m, strict=True):
        frame = frame_of(joints)
        front = frame.enter(post_behind(joints, vertices, rng).vertices_m)[:, 2].max()
        assert -0.45 < front < -0.05


def test_companions_come_with_the_pose(rig: Rig) -> None:
    rng = np.random.default_rng(5)
    for kind in ("sit", "cycle", "push", "photograph", "carry", "lean_bar", "lean_wall"):
        people = _people(rig, kind, 3)
        for joints, vertices in zip(people.joints_m, people.vertices_m, strict=True):
            assert len(companion(rng, kind, joints, vertices, indoor=False, rainy=False)) == 1
    people = _people(rig, "stand", 40)
    opened = {}
    for indoor, rainy in ((True, True), (False, True), (False, False)):
        opened[indoor, rainy] = 0
        for joints, vertices in zip(people.joints_m, people.vertices_m, strict=True):
            things = companion(rng, "stand", joints, vertices, indoor=indoor, rainy=rainy)
            opened[indoor, rainy] += sum(bool(thing.vertices_m[:, 1].max() > joints[15, 1] + 0.3) for thing in things)
    assert opened[True, True] == 0
    assert opened[False, True] > max(2, opened[False, False])
    assert companion(rng, "run", people.joints_m[0], people.vertices_m[0], indoor=False, rainy=True) == ()
