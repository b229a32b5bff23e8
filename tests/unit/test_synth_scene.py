"""The renderer: one sample grid for masks, order by depth, windows that fit together, feet on the ground."""

from __future__ import annotations

import numpy as np
import pytest

from mili_core.body import load_body
from mili_core.errors import ConfigError
from mili_core.synth.effects import HALO_PX, Film, develop
from mili_core.synth.noise import SIDE, noise_field
from mili_core.synth.render import Scene, draw_samples, rasterise_person, render_window
from mili_core.synth.rig import Field, prepare_rig, vertex_normals
from mili_core.synth.square import draw_square
from mili_core.synth.truth import joints_visible, seen_bounds
from mili_core.synth.wardrobe import Region, draw_outfits, regions
from mili_core.synth.window import ImageWindow, front_faces, pixel_box, touching

WIDTH, HEIGHT, PEOPLE = 320, 200, 14
FRAME = ImageWindow(0, 0, WIDTH, HEIGHT)


@pytest.fixture(scope="module")
def scene() -> Scene:
    return draw_square(np.random.default_rng(2), load_body(), WIDTH, HEIGHT, PEOPLE)[0]


def test_visible_and_hidden_samples_make_up_the_silhouette(scene: Scene) -> None:
    samples = draw_samples(scene, FRAME, 2)
    hidden_somewhere = False
    for index in range(PEOPLE):
        raster, _ = rasterise_person(scene, index, FRAME.scaled(2), 2)
        alone = raster.ids >= 0
        visible = samples.person == index
        assert (visible <= alone).all()
        assert alone.sum() == samples.amodal[index]
        hidden = alone & ~visible
        # Whoever hides a sample is nearer there.
        assert (samples.depth[hidden] <= raster.depth[hidden]).all()
        hidden_somewhere |= bool(hidden.any())
        np.testing.assert_array_equal(samples.depth[visible], raster.depth[visible])
        if alone.any():
            rows, columns = np.nonzero(alone)
            expected = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
            np.testing.assert_array_equal(samples.amodal_bounds[index], expected)
    assert hidden_somewhere


def test_windows_fit_together(scene: Scene) -> None:
    whole = render_window(scene, FRAME, 2)
    for window in (ImageWindow(0, 0, 130, 70), ImageWindow(95, 33, 151, 122), ImageWindow(301, 190, 19, 10)):
        part = render_window(scene, window, 2)
        np.testing.assert_array_equal(
            part.samples.person, whole.samples.person[window.scaled(2).rows(FRAME), window.scaled(2).columns(FRAME)]
        )
        np.testing.assert_allclose(
            part.colour, whole.colour[window.rows(FRAME), window.columns(FRAME)], atol=2e-3, rtol=2e-3
        )


def test_feet_stand_on_the_ground(scene: Scene) -> None:
    down = scene.camera.world_to_camera[:, 1]
    lowest = (scene.crowd.vertices_m @ down).max(axis=1)
    np.testing.assert_allclose(lowest, scene.camera.height_m, atol=1e-3)


def test_translation_puts_the_model_s_vertices_into_the_camera(scene: Scene) -> None:
    vertices, joints = scene.rig.pose(scene.crowd.betas, scene.crowd.rotmats)
    np.testing.assert_allclose(vertices + scene.crowd.transl_m[:, None], scene.crowd.vertices_m, atol=1e-3)
    np.testing.assert_allclose(joints + scene.crowd.transl_m[:, None], scene.crowd.joints_m, atol=1e-3)


def test_people_face_the_camera_at_yaw_zero_and_their_left_is_at_its_right(scene: Scene) -> None:
    turn = scene.camera.body_to_camera
    assert (turn @ [0.0, 0.0, 1.0])[2] < -0.9
    assert (turn @ [1.0, 0.0, 0.0])[0] == pytest.approx(1.0)
    assert np.linalg.det(turn) == pytest.approx(1.0)


def test_nobody_stands_in_anybody(scene: Scene) -> None:
    ground = scene.crowd.joints_m[:, 0] @ scene.camera.world_to_camera
    gaps = np.hypot(*(ground[:, None, [0, 2]] - ground[None, :, [0, 2]]).transpose(2, 0, 1))
    assert gaps[~np.eye(PEOPLE, dtype=bool)].min() > 0.55


def test_visible_joints_are_on_samples_of_their_person(scene: Scene) -> None:
    samples = draw_samples(scene, FRAME, 2)
    seen = joints_visible(scene, samples, FRAME, 2)
    pixels = np.floor(scene.camera.project(scene.crowd.joints_m) * 2).astype(int)
    own = []
    for person, joint in zip(*np.nonzero(seen), strict=True):
        x, y = pixels[person, joint]
        own.append((samples.person[max(y - 1, 0) : y + 2, max(x - 1, 0) : x + 2] == person).any())
    assert len(own) > 100
    assert np.mean(own) >= 0.98


def test_a_person_behind_another_is_hidden() -> None:
    scene, _ = draw_square(np.random.default_rng(0), load_body(), 64, 64, 0)
    assert len(scene.crowd) == 0
    render = render_window(scene, ImageWindow(0, 0, 64, 64), 2)
    assert (render.samples.person == -1).all()
    assert np.isfinite(render.colour).all()


def test_too_many_people_are_refused() -> None:
    with pytest.raises(ConfigError, match="do not fit"):
        draw_square(np.random.default_rng(0), load_body(), 64, 64, 4000)


def test_seen_bounds_are_those_of_the_masks() -> None:
    person = np.full((9, 12), -1, dtype=np.int32)
    person[2:5, 3:9] = 1
    person[8, 11] = 0
    bounds, seen = seen_bounds(person, 3)
    np.testing.assert_array_equal(bounds, [[11, 8, 12, 9], [3, 2, 9, 5], [0, 0, 0, 0]])
    np.testing.assert_array_equal(seen, [1, 18, 0])


def test_clothes_cover_what_they_should() -> None:
    rig = prepare_rig(load_body())
    outfits = draw_outfits(np.random.default_rng(0), 40)
    body = rig.body
    trunk = body.weights[:, [3, 6, 9]].sum(axis=1) > 0.7
    hands = body.weights[:, [22, 23]].sum(axis=1) > 0.9
    thighs = (rig.fields[:, Field.LEG] > 0.12) & (rig.fields[:, Field.LEG] < 0.28)
    crown = rig.fields[:, Field.HEAD] > 0.95
    for person in range(40):
        look = outfits.take(np.full(body.vertex_count, person))
        found = regions(rig, rig.fields, look)
        worn = np.isin(found[trunk], [Region.TOP, Region.INNER, Region.BOTTOM, Region.HAIR])
        assert worn.mean() > 0.97
        assert (found[hands] == Region.SKIN).all()
        assert np.isin(found[thighs], [Region.TOP, Region.INNER, Region.BOTTOM]).all()
        assert (found[crown] == (Region.HAIR if outfits.hairline[person] < 1 else Region.SKIN)).all()


def test_normals_point_outward_and_front_faces_are_those_towards_the_camera() -> None:
    body = load_body()
    normals = vertex_normals(body.v_template[None], body.faces)[0]
    np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1.0, atol=1e-4)
    grown = body.v_template + 0.01 * normals
    assert _volume(grown, body.faces) > _volume(body.v_template, body.faces) > 0.03
    camera = body.v_template * np.array([1.0, -1.0, -1.0], dtype=np.float32) + np.array([0, 0, 5], dtype=np.float32)
    screen = np.column_stack([camera[:, :2] / camera[:, 2:] * 500, camera[:, 2]]).astype(np.float32)
    corners = camera[body.faces]
    outward = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    towards = np.einsum("fc,fc->f", outward, corners.mean(axis=1)) < 0
    front = np.isin(np.arange(len(body.faces)), front_faces(screen, body.faces))
    assert (front == towards).mean() > 0.995


def _volume(vertices: np.ndarray, faces: np.ndarray) -> float:
    a, b, c = vertices[faces].transpose(1, 0, 2)
    return float(np.einsum("fc,fc->", a, np.cross(b, c)) / 6.0)


def test_developing_keeps_flat_light_flat_and_trims_the_halo() -> None:
    film = Film(np.ones(3, dtype=np.float32), blur=0.2, noise=0.0)
    grey = np.full((20 + 2 * HALO_PX, 30 + 2 * HALO_PX, 3), 0.2140411, dtype=np.float32)
    photo = develop(grey, film, np.random.default_rng(0))
    assert photo.shape == (20, 30, 3)
    assert photo.dtype == np.uint8
    # sRGB 0.5 is linear 0.2140411.
    assert np.abs(photo.astype(int) - 128).max() <= 1


def test_noise_is_periodic_and_fades_with_the_footprint() -> None:
    field = noise_field(0, 1.15)
    u, v = np.random.default_rng(0).uniform(0, 1, (2, 5000))
    fine = field.at(u, v, np.full(5000, 1.0 / SIDE))
    np.testing.assert_array_equal(fine, field.at(u + 3.0, v - 2.0, np.full(5000, 1.0 / SIDE)))
    assert 0.8 < fine.std() < 1.2
    assert field.at(u, v, np.full(5000, 0.25)).std() < fine.std()
    assert np.abs(field.at(u, v, np.full(5000, 10.0))).max() < 1e-3


def test_windows_clip_and_overlap() -> None:
    window = ImageWindow(10, 20, 30, 40)
    assert pixel_box(np.array([[0.0, 0.0], [12.3, 21.0]]), window) == ImageWindow(10, 20, 3, 1)
    assert pixel_box(np.array([[0.0, 0.0], [10.0, 21.0]]), window) is None
    assert pixel_box(np.zeros((0, 2)), window) is None
    assert window.common(ImageWindow(35, 0, 99, 21)) == ImageWindow(35, 20, 5, 1)
    assert window.common(ImageWindow(40, 0, 99, 99)) is None
    boxes = np.array(
        [[0.0, 0.0, 10.0, 99.0], [0.0, 0.0, 10.1, 99.0], [39.9, 59.9, 80.0, 80.0], [40.0, 0.0, 50.0, 99.0]]
    )
    assert touching(boxes, window) == [1, 2]
