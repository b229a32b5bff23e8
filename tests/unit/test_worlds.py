"""Worlds: the same however they are cut, quiet in the distance, ground where people stand, photos as backdrops."""

from __future__ import annotations

import pickle
from pathlib import Path

import cv2
import numpy as np
import pytest

from mili_core.errors import ConfigError
from mili_core.synth.camera import SceneCamera
from mili_core.synth.objects import KINDS
from mili_core.synth.window import ImageWindow
from mili_core.synth.worlds import PHOTOS, WORLDS, draw_world
from mili_core.synth.worlds.materials import material
from mili_core.synth.worlds.noise import noise_field
from mili_core.synth.worlds.surface import stripe, stripes
from mili_core.synth.worlds.texture import make_texture

WIDTH, HEIGHT, REACH_M = 240, 160, 30.0


def _camera(roll: float = 0.03, pitch: float = 0.2, height_m: float = 4.0) -> SceneCamera:
    return SceneCamera(WIDTH, HEIGHT, 260.0, pitch, height_m, roll)


def _whole() -> ImageWindow:
    return ImageWindow(0, 0, WIDTH, HEIGHT)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one photo smaller than the frame, and a file that only looks like one."""
    path = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    coarse = rng.integers(30, 220, (12, 18, 3), dtype=np.uint8)
    cv2.imwrite(str(path / "a.png"), cv2.resize(coarse, (180, 120), interpolation=cv2.INTER_CUBIC))
    (path / "broken.jpg").write_bytes(b"not a photo")
    return path


@pytest.mark.parametrize("name", [*WORLDS, PHOTOS])
def test_cut_into_windows_gives_the_same_bytes(name: str, folder: Path) -> None:
    world = draw_world(np.random.default_rng(5), name, reach_m=REACH_M, photos=folder)
    camera = _camera()
    whole = world.backdrop(camera, _whole())
    assert whole.colour.shape == (HEIGHT, WIDTH, 3)
    assert whole.colour.dtype == whole.sunlit.dtype == np.float32
    assert np.isfinite(whole.colour).all()
    assert (whole.colour >= 0).all()
    for left, top, width, height in ((0, 0, 7, HEIGHT), (101, 33, 64, 41), (0, 159, WIDTH, 1), (239, 0, 1, 1)):
        part = world.backdrop(camera, ImageWindow(left, top, width, height))
        rows, columns = slice(top, top + height), slice(left, left + width)
        np.testing.assert_array_equal(part.colour, whole.colour[rows, columns])
        np.testing.assert_array_equal(part.sunlit, whole.sunlit[rows, columns])


@pytest.mark.parametrize("name", [*WORLDS, PHOTOS])
def test_a_window_may_reach_beyond_the_image(name: str, folder: Path) -> None:
    world = draw_world(np.random.default_rng(2), name, reach_m=REACH_M, photos=folder)
    camera = _camera()
    grown = world.backdrop(camera, _whole().grown(2))
    np.testing.assert_array_equal(grown.colour[2:-2, 2:-2], world.backdrop(camera, _whole()).colour)


@pytest.mark.parametrize("name", list(WORLDS))
def test_seed_decides_everything_and_worlds_pickle(name: str) -> None:
    camera = _camera()
    one = draw_world(np.random.default_rng(3), name, reach_m=REACH_M)
    same = draw_world(np.random.default_rng(3), name, reach_m=REACH_M)
    other = draw_world(np.random.default_rng(4), name, reach_m=REACH_M)
    seen = one.backdrop(camera, _whole()).colour
    np.testing.assert_array_equal(same.backdrop(camera, _whole()).colour, seen)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(one)).backdrop(camera, _whole()).colour, seen)
    assert np.abs(other.backdrop(camera, _whole()).colour - seen).mean() > 0.01
    assert one.name == name


@pytest.mark.parametrize("name", list(WORLDS))
@pytest.mark.parametrize("seed", range(2))
def test_ground_is_seen_wherever_people_may_stand(name: str, seed: int) -> None:
    """Walls lie behind the reach, so nobody stands in one or behind one."""
    world = draw_world(np.random.default_rng(seed), name, reach_m=REACH_M)
    camera = _camera(roll=0.0, pitch=0.15, height_m=3.0)
    sunlit = world.backdrop(camera, _whole()).sunlit
    rng = np.random.default_rng(seed)
    spots = np.column_stack([rng.uniform(-12.0, 12.0, 500), rng.uniform(6.0, REACH_M, 500)])
    assert world.walkable(np.array([[0.0, REACH_M]])).all()
    allowed = spots[world.walkable(spots)]
    assert len(allowed) > 50
    points = np.column_stack([allowed[:, 0], np.full(len(allowed), camera.height_m), allowed[:, 1]])
    pixels = camera.project(camera.to_camera(points))
    inside = ((pixels >= 0) & (pixels < [WIDTH, HEIGHT])).all(axis=1)
    column, row = pixels[inside].astype(np.int64).T
    assert inside.sum() > 50
    assert (sunlit[row, column] > 0).all()
    assert not world.walkable(np.array([[0.0, 1e4]])).any()


@pytest.mark.parametrize("name", [*WORLDS, PHOTOS])
def test_no_ground_above_the_horizon_and_shares_are_shares(name: str, folder: Path) -> None:
    world = draw_world(np.random.default_rng(1), name, reach_m=REACH_M, photos=folder)
    camera = _camera(roll=0.0)
    sunlit = world.backdrop(camera, _whole()).sunlit
    horizon = int(camera.horizon_y)
    assert horizon > 5
    assert (sunlit[:horizon] == 0).all()
    assert (sunlit[-1] > 0).all()
    assert sunlit.max() <= 1.0
    if world.indoor:
        assert sunlit.max() < 0.01


@pytest.mark.parametrize("name", [*WORLDS, PHOTOS])
def test_light_and_furniture_make_sense(name: str, folder: Path) -> None:
    for seed in range(3):
        world = draw_world(np.random.default_rng(seed), name, reach_m=REACH_M, photos=folder)
        light = world.light
        assert np.linalg.norm(light.sun) == pytest.approx(1.0)
        assert light.sun[1] < -0.1
        for part in (light.sun_light, light.sky_light, light.bounce_light, light.haze):
            assert part.shape == (3,)
            assert part.dtype == np.float32
            assert (part >= 0).all()
        assert light.haze_m > 0
        assert set(world.furniture) <= set(KINDS)


def test_pictures_are_varied_in_exposure_and_have_detail_on_many_scales() -> None:
    means = []
    for seed in range(8):
        name = list(WORLDS)[seed % len(WORLDS)]
        colour = draw_world(np.random.default_rng(seed), name, reach_m=REACH_M).backdrop(_camera(), _whole()).colour
        means.append(colour.mean())
        grey = np.sqrt(colour.mean(axis=2))
        ground = grey[HEIGHT // 2 :]
        for step in (1, 4, 16):
            assert np.abs(ground[:, step:] - ground[:, :-step]).mean() > 0.002
    assert max(means) > 1.5 * min(means)


def test_a_texture_is_sharp_near_and_its_mean_far() -> None:
    rng = np.random.default_rng(0)
    values = rng.uniform(0.0, 1.0, (16, 32, 4)).astype(np.float32)
    texture = make_texture(values, 1.0)
    column, row = np.meshgrid(np.arange(32), np.arange(16))
    u = ((column.ravel() + 0.5) / 32 + 3).astype(np.float32)
    v = ((row.ravel() + 0.5) / 16 - 2).astype(np.float32)
    none, all_of_it = np.zeros_like(u), np.full_like(u, 5.0)
    np.testing.assert_allclose(texture.at(u, v, none, none).T.reshape(16, 32, 4), values, atol=0.01)
    far = texture.at(u, v, all_of_it, all_of_it)
    np.testing.assert_allclose(far, np.broadcast_to(values.mean(axis=(0, 1))[:, None], far.shape), atol=0.01)
    # Averaged along one axis alone, the other stays as it is.
    along = texture.at(u, v, all_of_it, none).T.reshape(16, 32, 4)
    np.testing.assert_allclose(along, np.broadcast_to(values.mean(axis=1, keepdims=True), along.shape), atol=0.01)


def test_a_texture_wraps_without_a_seam() -> None:
    texture = material("grass", 0)
    u = np.array([-1e-5, 1e-5, 0.99999, 1.00001], dtype=np.float32)
    v, fine = np.full(4, 0.3, dtype=np.float32), np.full(4, 1e-4, dtype=np.float32)
    values = texture.at(u, v, fine, fine)
    np.testing.assert_allclose(values, np.broadcast_to(values[:, :1], values.shape), atol=0.03)


def test_stripes_are_the_average_of_sharp_ones() -> None:
    rng = np.random.default_rng(0)
    position = rng.uniform(-5.0, 5.0, 200).astype(np.float32)
    extent = np.exp(rng.uniform(-4.0, 1.5, 200)).astype(np.float32)
    fine = (np.arange(4000) + 0.5) / 4000 - 0.5
    places = position[:, None] + extent[:, None] * fine
    sharp = (np.mod(places / 0.7, 1.0) < 0.3).mean(axis=1)
    np.testing.assert_allclose(stripes(position, extent, 0.7, 0.3), sharp, atol=2e-3)
    once = ((places > -0.4) & (places < 0.9)).mean(axis=1)
    np.testing.assert_allclose(stripe(position, extent, -0.4, 0.9), once, atol=2e-3)


def test_noise_picks_its_level_point_by_point() -> None:
    field = noise_field(0, 1.15)
    rng = np.random.default_rng(0)
    u, v, footprint = rng.random(300), rng.random(300), np.exp(rng.uniform(-8.0, 0.0, 300))
    together = field.at(u, v, footprint)
    alone = [field.at(u[i : i + 1], v[i : i + 1], footprint[i : i + 1])[0] for i in range(300)]
    np.testing.assert_array_equal(together, alone)


def test_far_ground_does_not_flicker() -> None:
    """Half a pixel aside, the far ground looks almost the same."""
    world = draw_world(np.random.default_rng(0), "square", reach_m=400.0)
    one = SceneCamera(WIDTH, HEIGHT, 260.0, 0.0, 2.0)
    other = SceneCamera(WIDTH + 1, HEIGHT, 260.0, 0.0, 2.0)
    rows = slice(HEIGHT // 2 + 2, HEIGHT // 2 + 5)
    a = world.backdrop(one, _whole()).colour[rows, 1:-1]
    b = world.backdrop(other, _whole()).colour[rows, 1:-1]
    assert np.abs(a - b).mean() < 0.04 * a.mean()


def test_a_photo_fills_the_frame_whatever_their_sizes(tmp_path: Path) -> None:
    """A ramp from left to right stays one, larger and smaller than it was."""
    ramp = np.repeat(np.linspace(20, 230, 600)[None], 400, axis=0).astype(np.uint8)
    cv2.imwrite(str(tmp_path / "ramp.png"), np.repeat(ramp[..., None], 3, axis=2))
    for width, height in ((60, 40), (240, 160), (1800, 300)):
        camera = SceneCamera(width, height, 260.0, 0.2, 4.0)
        world = draw_world(np.random.default_rng(1), PHOTOS, reach_m=9.0, photos=tmp_path)
        colour = world.backdrop(camera, ImageWindow(0, 0, width, height)).colour
        slope = np.diff(colour[..., 1].mean(axis=0))
        assert (slope >= 0).all() or (slope <= 0).all()
        assert np.abs(np.diff(colour, axis=0)).max() < 0.02
        assert colour.max() > 3 * colour.min()


def test_people_get_the_light_of_a_bright_and_of_a_dark_photo(tmp_path: Path) -> None:
    levels = []
    for grey in (40, 200):
        path = tmp_path / str(grey)
        path.mkdir()
        cv2.imwrite(str(path / "a.jpg"), np.full((200, 300, 3), grey, dtype=np.uint8))
        world = draw_world(np.random.default_rng(0), PHOTOS, reach_m=9.0, photos=path)
        levels.append(float(world.light.sky_light.mean() + world.light.sun_light.mean()))
    assert levels[1] > 2 * levels[0]


def test_bad_names_and_folders_are_told_in_one_line(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    empty, broken = tmp_path / "empty", tmp_path / "broken"
    empty.mkdir()
    broken.mkdir()
    (broken / "a.jpg").write_bytes(b"no")
    (broken / "b.png").write_bytes(b"")
    for photos, reason in ((empty, "holds no photo"), (broken, "can be read"), (tmp_path / "none", "not a folder")):
        with pytest.raises(ConfigError, match=reason) as caught:
            draw_world(rng, PHOTOS, reach_m=9.0, photos=photos)
        assert str(photos) in str(caught.value)
        assert "\n" not in str(caught.value)
    with pytest.raises(ConfigError, match="needs a folder"):
        draw_world(rng, PHOTOS, reach_m=9.0)
    with pytest.raises(ConfigError, match=r"unknown world 'moon'.*street"):
        draw_world(rng, "moon", reach_m=9.0)
