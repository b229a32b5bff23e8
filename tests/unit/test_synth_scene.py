"""The renderer: one sample grid for masks, order by depth, windows that fit together, feet on the ground."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mili_core.body import load_body
from mili_core.errors import ConfigError
from mili_core.synth.people.rig import vertex_normals
from mili_core.synth.people.upright import stand_up
from mili_core.synth.rendering.effects import HALO_PX, Film, develop
from mili_core.synth.rendering.grid import draw_samples, mask_bounds, whole_silhouette
from mili_core.synth.rendering.render import render_window
from mili_core.synth.rendering.scene import Scene
from mili_core.synth.rendering.surface import NOBODY
from mili_core.synth.rendering.truth import joints_visible, seen_bounds
from mili_core.synth.scenes import PRESETS, draw_scene
from mili_core.synth.window import ImageWindow, front_faces, pixel_box, touching

WIDTH, HEIGHT, PEOPLE = 320, 200, 14
FRAME = ImageWindow(0, 0, WIDTH, HEIGHT)


@pytest.fixture(scope="module")
def scene() -> Scene:
    return draw_scene(np.random.default_rng(2), load_body(), PRESETS["square"], WIDTH, HEIGHT, PEOPLE)[0]


def test_visible_and_hidden_samples_make_up_the_silhouette(scene: Scene) -> None:
    samples = draw_samples(scene, FRAME, 2)
    hidden_somewhere = False
    for index, silhouette in samples.silhouettes.items():
        alone = np.zeros_like(samples.person, dtype=bool)
        alone[silhouette.box.rows(FRAME.scaled(2)), silhouette.box.columns(FRAME.scaled(2))] = silhouette.mask
        visible = samples.person == index
        assert (visible <= alone).all()
        # Whoever hides a sample is another surface.
        assert (samples.surface[alone] >= 0).all()
        hidden_somewhere |= bool((alone & ~visible).any())
    assert hidden_somewhere
    assert set(np.unique(samples.person).tolist()) - {NOBODY} <= set(samples.silhouettes)


def test_the_nearest_surface_is_seen(scene: Scene) -> None:
    samples = draw_samples(scene, FRAME, 2)
    drawn = np.unique(samples.surface[samples.surface >= 0]).tolist()
    without = draw_samples(_only(scene, drawn[1:]), FRAME, 2)
    gone = samples.surface == drawn[0]
    assert (without.depth[gone] >= samples.depth[gone]).all()
    np.testing.assert_array_equal(without.depth[~gone], samples.depth[~gone])


def _only(scene: Scene, surfaces: list[int]) -> Scene:
    return replace(
        scene,
        surfaces=tuple(scene.surfaces[index] for index in surfaces),
        bounds_px=scene.bounds_px[surfaces],
        owners=scene.owners[surfaces],
    )


def test_windows_fit_together(scene: Scene) -> None:
    whole = render_window(scene, FRAME, 2)
    for window in (ImageWindow(0, 0, 130, 70), ImageWindow(95, 33, 151, 122), ImageWindow(301, 190, 19, 10)):
        part = render_window(scene, window, 2)
        rows, columns = window.scaled(2).rows(FRAME), window.scaled(2).columns(FRAME)
        np.testing.assert_array_equal(part.samples.person, whole.samples.person[rows, columns])
        np.testing.assert_array_equal(part.samples.surface, whole.samples.surface[rows, columns])
        np.testing.assert_allclose(
            part.colour, whole.colour[window.rows(FRAME), window.columns(FRAME)], atol=2e-3, rtol=2e-3
        )


def test_whole_silhouettes_are_those_of_the_frame_and_what_lies_beyond(scene: Scene) -> None:
    samples = draw_samples(scene, FRAME, 2)
    for person, silhouette in samples.silhouettes.items():
        whole = whole_silhouette(scene, person, 2, margin_px=400)
        assert whole is not None
        left, top, right, bottom = mask_bounds(whole.mask) + np.tile(whole.box.origin.astype(int), 2)
        inside = left >= 0 and top >= 0 and right <= 2 * WIDTH and bottom <= 2 * HEIGHT
        assert whole.mask.sum() >= silhouette.mask.sum()
        assert not inside or whole.mask.sum() == silhouette.mask.sum()


def test_people_stand_on_the_ground(scene: Scene) -> None:
    down = scene.camera.world_to_camera[:, 1]
    ankles = scene.crowd.joints_m[:, [7, 8]] @ down
    above = scene.camera.height_m - ankles.max(axis=1)
    on_foot = ~np.isin(scene.crowd.kinds, ["cycle", "sit"])
    assert (above > 0.0).all()
    assert (above[on_foot] < 0.2).all()


def test_translation_puts_the_model_s_joints_into_the_camera(scene: Scene) -> None:
    posed = scene.rig.pose(scene.crowd.betas, scene.crowd.rotmats)
    np.testing.assert_allclose(posed.joints + scene.crowd.transl_m[:, None], scene.crowd.joints_m, atol=1e-3)


def test_standing_up_puts_the_lowest_vertex_on_the_ground(scene: Scene) -> None:
    rotmats, betas = scene.crowd.rotmats[:3].copy(), scene.crowd.betas[:3]
    rotmats[:, 0] = np.eye(3)
    upright = stand_up(scene.rig, betas, rotmats, np.array([0.0, 0.1, 0.0]))
    np.testing.assert_allclose(upright.vertices_m[..., 1].min(axis=1), [0.0, 0.1, 0.0], atol=1e-5)
    np.testing.assert_allclose(upright.joints_m[:, 0, [0, 2]], 0.0, atol=1e-6)
    posed = np.einsum("pjrc,pjc->pjr", upright.transforms[..., :3], _rest_joints(scene, betas))
    np.testing.assert_allclose(posed + upright.transforms[..., 3], upright.joints_m, atol=1e-4)


def _rest_joints(scene: Scene, betas: np.ndarray) -> np.ndarray:
    return scene.rig.pose(betas, np.tile(np.eye(3, dtype=np.float32), (len(betas), 24, 1, 1))).joints


def test_people_face_the_camera_at_yaw_zero_and_their_left_is_at_its_right(scene: Scene) -> None:
    turn = scene.camera.body_to_camera
    assert (turn @ [0.0, 0.0, 1.0])[2] < -0.9
    assert (turn @ [1.0, 0.0, 0.0])[0] > 0.99
    assert np.linalg.det(turn) == pytest.approx(1.0)


def test_nobody_stands_in_anybody(scene: Scene) -> None:
    ground = scene.crowd.joints_m[:, 0] @ scene.camera.world_to_camera
    gaps = np.hypot(*(ground[:, None, [0, 2]] - ground[None, :, [0, 2]]).transpose(2, 0, 1))
    assert gaps[~np.eye(PEOPLE, dtype=bool)].min() > 0.44


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


def test_a_scene_without_people_is_rendered() -> None:
    scene, _ = draw_scene(np.random.default_rng(0), load_body(), PRESETS["square"], 64, 64, 0)
    assert len(scene.crowd) == 0
    render = render_window(scene, ImageWindow(0, 0, 64, 64), 2)
    assert (render.samples.person == -1).all()
    assert np.isfinite(render.colour).all()


def test_too_many_people_are_refused() -> None:
    with pytest.raises(ConfigError, match="do not fit"):
        draw_scene(np.random.default_rng(0), load_body(), PRESETS["square"], 64, 64, 4000)


def test_seen_bounds_are_those_of_the_masks() -> None:
    person = np.full((9, 12), -1, dtype=np.int32)
    person[2:5, 3:9] = 1
    person[8, 11] = 0
    bounds, seen = seen_bounds(person, 3)
    np.testing.assert_array_equal(bounds, [[11, 8, 12, 9], [3, 2, 9, 5], [0, 0, 0, 0]])
    np.testing.assert_array_equal(seen, [1, 18, 0])


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
    film = Film(np.ones(3, dtype=np.float32), gamma=1.0, blur=0.2, noise=0.0, jpeg_quality=None)
    grey = np.full((20 + 2 * HALO_PX, 30 + 2 * HALO_PX, 3), 0.2140411, dtype=np.float32)
    photo = develop(grey, film, np.random.default_rng(0))
    assert photo.shape == (20, 30, 3)
    assert photo.dtype == np.uint8
    # sRGB 0.5 is linear 0.2140411.
    assert np.abs(photo.astype(int) - 128).max() <= 1


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
