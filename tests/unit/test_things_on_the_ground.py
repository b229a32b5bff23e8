"""What people have along: where it touches the ground, who stands in it; places that are seen askew."""

from __future__ import annotations

import numpy as np

from mili_core.synth.camera import SceneCamera
from mili_core.synth.objects.ground import TOUCH_M, clusters, extent, kept_clear, stands_in
from mili_core.synth.objects.mesh import Mesh, join
from mili_core.synth.objects.paints import Paint
from mili_core.synth.objects.solids import box
from mili_core.synth.window import ImageWindow
from mili_core.synth.worlds import draw_world
from mili_core.synth.worlds.place import Place
from mili_core.synth.worlds.turned import Turned, turn

SPOT = np.array([5.0, 12.0])
GREY = Paint(np.full(3, 0.3, dtype=np.float32))


def _bench() -> Mesh:
    """Gives a board on two feet, one metre in front of its person."""
    board = box([1.6, 0.1, 0.4], [0.0, 0.45, 1.0], GREY)
    return join([board, *(box([0.05, 0.4, 0.05], [x, 0.2, 1.0], GREY) for x in (-0.7, 0.7))])


def test_things_touch_the_ground_at_their_feet() -> None:
    found = clusters(_bench(), SPOT, TOUCH_M)
    for x in (4.3, 5.7):
        assert np.hypot(*(found - [x, 11.0]).T).min() < 0.05
    assert np.hypot(*(found - [5.0, 11.0]).T).min() > 0.5
    assert len(clusters(box([0.1, 0.1, 0.1], [0.0, 1.5, 0.0], GREY), SPOT, TOUCH_M)) == 0


def test_things_are_dropped_where_somebody_stands_in_them_but_seats_stay() -> None:
    bench = _bench()
    inside, beside = np.array([[5.4, 11.0]]), np.array([[5.4, 10.2]])
    assert stands_in(bench, SPOT, inside)
    assert not stands_in(bench, SPOT, beside)
    assert not stands_in(box([0.1, 0.1, 0.1], [0.4, 1.5, 1.0], GREY), SPOT, inside)
    spots = np.concatenate([SPOT[None], inside])
    assert kept_clear([[bench], []], ["push", "stand"], spots) == [(), ()]
    assert kept_clear([[bench], []], ["sit", "stand"], spots) == [(bench,), ()]
    assert len(extent(bench, SPOT)) >= 3


def test_a_turned_place_is_the_place_seen_by_a_turned_camera() -> None:
    place = draw_world(np.random.default_rng(4), "square", reach_m=40.0)
    assert isinstance(place, Place)
    camera = SceneCamera(64, 40, 60.0, 0.2, 3.0, 0.02)
    window = ImageWindow(0, 0, 64, 40)
    straight, askew = Turned(place, 0.0), Turned(place, 0.4)
    np.testing.assert_array_equal(straight.backdrop(camera, window).colour, place.backdrop(camera, window).colour)
    assert np.abs(askew.backdrop(camera, window).colour - place.backdrop(camera, window).colour).mean() > 0.01
    # A point of the place, the same pixel: turned into the scene's axes, or seen by the turned camera.
    own, cosine, sine = np.array([1.0, 3.0, 9.0]), np.cos(0.4), np.sin(0.4)
    scene = np.array([cosine * own[0] - sine * own[2], own[1], sine * own[0] + cosine * own[2]])
    turned = SceneCamera(64, 40, 60.0, 0.2, 3.0, 0.02, heading_rad=0.4)
    np.testing.assert_allclose(camera.to_camera(scene), turned.to_camera(own), atol=1e-9)
    np.testing.assert_allclose(camera.to_camera(askew.light.sun), turned.to_camera(place.light.sun), atol=1e-6)


def test_people_stand_before_the_walls_of_a_turned_place() -> None:
    for seed in range(6):
        rng = np.random.default_rng(seed)
        place = draw_world(rng, "street", reach_m=40.0)
        assert isinstance(place, Place)
        askew = turn(rng, place)
        spots = rng.uniform([-30.0, 0.0], [30.0, 60.0], (500, 2))
        allowed = askew.walkable(spots)
        assert 0 < allowed.sum() < 500
        cosine, sine = np.cos(askew.heading_rad), np.sin(askew.heading_rad)
        x = cosine * spots[allowed, 0] + sine * spots[allowed, 1]
        assert (x >= place.bounds[0]).all()
        assert (x <= place.bounds[1]).all()
