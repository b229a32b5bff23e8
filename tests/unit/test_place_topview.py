from __future__ import annotations

import itertools
from dataclasses import replace
from functools import cache

import numpy as np
import pyarrow as pa
import pytest

from mili_core.synth.camera import SceneCamera
from pipeline.export import topview
from pipeline.export.pictures import Image, person_colour
from pipeline.export.topview import SIDE_PX, View, choose_view, draw_top_view, round_length, seen_ground
from pipeline.place import place
from pipeline.place.types import Ground
from pipeline.table import people_table
from schemas.people import GroundFit
from tests.people_scenes import RUN
from tests.place_scenes import body, known_scene

CAMERA = SceneCamera(6000, 4000, 5000.0, np.deg2rad(20), 8.0)
GROUND = GroundFit(
    unit="m", horizon_row_px=CAMERA.horizon_y, inlier_share=0.9, normal=tuple(-CAMERA.world_to_camera[:, 1]),
    camera_height=CAMERA.height_m, scale_source="bodies",
)  # fmt: skip
LENS = (CAMERA.focal_px, 3000.0, 2000.0)


@cache
def table(people: int = 24) -> pa.Table:
    known = known_scene(CAMERA, people, 2)
    placement = place(known.frame, known.views, known.merge, known.blocks, body(), focal_px=5000.0)
    return people_table(known.frame, known.views, known.merge, known.blocks, None, RUN, placement=placement)


def test_everybody_is_a_dot_of_their_colour_at_their_place() -> None:
    picture = draw_top_view(table())
    assert picture is not None
    ground = np.column_stack([table()["ground_x"].to_numpy(), table()["ground_y"].to_numpy()]).astype(np.float64)
    view = choose_view(ground)
    width, height = view.size_px
    assert picture.shape[1] == width
    assert max(width, height) <= SIDE_PX + 1
    gaps = np.linalg.norm(ground[:, None] - ground[None], axis=-1) + 99.0 * np.eye(len(ground))
    alone = gaps.min(axis=1) > 1.0
    assert alone.sum() > 10
    for person in np.flatnonzero(alone).tolist():
        x, y = view.to_picture(ground[person])
        assert picture[int(y), int(x)].tolist() == list(person_colour(person))


def test_a_second_drawing_is_the_same() -> None:
    first, second = draw_top_view(table()), draw_top_view(table())
    assert first is not None
    assert second is not None
    assert first.tobytes() == second.tobytes()


def test_without_a_ground_there_is_no_picture() -> None:
    known = known_scene(CAMERA, 3, 2)
    placement = place(known.frame, known.views, known.merge, known.blocks, body())
    for placed in (placement, None):
        rows = people_table(known.frame, known.views, known.merge, known.blocks, None, RUN, placement=placed)
        assert draw_top_view(rows) is None
    assert draw_top_view(table().slice(0, 0)) is None
    assert draw_top_view(table().replace_schema_metadata(None)) is None


def test_the_legend_says_where_the_focal_length_comes_from(monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[str] = []

    def noted(picture: Image, line: str) -> Image:
        lines.append(line)
        return picture

    monkeypatch.setattr(topview, "with_legend", noted)
    draw_top_view(table())
    assert any("5000 px, given" in line for line in lines)
    assert any("heights of the bodies" in line for line in lines)
    known = known_scene(CAMERA, 30, 2, poor_betas=True)
    placement = place(known.frame, known.views, known.merge, known.blocks, body())
    lines.clear()
    draw_top_view(people_table(known.frame, known.views, known.merge, known.blocks, None, RUN, placement=placement))
    assert any("NOT KNOWN" in line for line in lines)
    assert any("adults of 1.7 m" in line for line in lines)


def test_who_is_far_off_stands_at_the_edge() -> None:
    people = np.random.default_rng(0).uniform([-10, 5], [10, 30], (200, 2))
    people[7] = (4000.0, 90_000.0)
    view = choose_view(people)
    assert view.far_m < 40.0
    assert view.near_m <= 0.0
    width, height = view.size_px
    canvas = np.zeros((height, width, 3), dtype=np.uint8)
    assert 1 <= topview._draw_people(canvas, view, people, list(range(200))) <= 12
    # Everybody of a small crowd is inside, and so is the camera.
    few = choose_view(people[8:20])
    places = few.to_picture(np.concatenate([people[8:20], [[0.0, 0.0]]]))
    assert ((places >= 0) & (places <= few.size_px)).all()


def test_a_wide_shallow_group_makes_no_strip() -> None:
    width, height = choose_view(np.array([[-500.0, 10.0], [500.0, 10.0], [0.0, 12.0]])).size_px
    assert width == SIDE_PX
    assert height >= 0.4 * width - 1


def test_of_a_camera_that_looks_straight_down_no_ground_is_drawn_as_ahead() -> None:
    below = GROUND.model_copy(update={"normal": (0.0, 0.0, -1.0)})
    assert seen_ground(below, LENS, (6000, 4000), View(-30.0, 30.0, -5.0, 60.0, 10.0)).shape == (0, 2)
    plane = Ground((0.0, 0.0, 1.0), 5.0, 1.0, 9, 0.01, "bodies")
    np.testing.assert_allclose(plane.axes, [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]], atol=1e-12)


def test_one_person_beside_the_camera() -> None:
    view = choose_view(np.array([[0.1, 0.2]]))
    assert view.right_m - view.left_m >= 8.0


@pytest.mark.parametrize("roll_deg", [0.0, 8.0])
@pytest.mark.parametrize("pitch_deg", [0.0, 20.0, 60.0])
def test_the_ground_that_is_seen_is_what_the_frame_shows(pitch_deg: float, roll_deg: float) -> None:
    camera = replace(CAMERA, pitch_rad=np.deg2rad(pitch_deg), roll_rad=np.deg2rad(roll_deg))
    ground = GROUND.model_copy(update={"normal": tuple(-camera.world_to_camera[:, 1])})
    view = View(-30.0, 30.0, -5.0, 60.0, 10.0)
    corners = seen_ground(ground, LENS, (6000, 4000), view)
    middle = corners.mean(axis=0)
    for x, y in itertools.product(np.arange(-29.0, 30.0, 4.0), np.arange(-4.5, 60.0, 4.0)):
        point = camera.to_camera(np.array([x, camera.height_m, y]))
        shown = point[2] > 0.5
        if shown:
            shown = bool(((camera.project(point) >= 0) & (camera.project(point) <= [6000, 4000])).all())
        assert inside(np.array([x, y]), corners, middle) == shown


def inside(point: np.ndarray, corners: np.ndarray, middle: np.ndarray) -> bool:
    """Says whether a point lies in a convex polygon."""
    if len(corners) < 3:
        return False
    edges = np.roll(corners, -1, axis=0) - corners
    across = edges[:, 0] * (point - corners)[:, 1] - edges[:, 1] * (point - corners)[:, 0]
    sense = edges[:, 0] * (middle - corners)[:, 1] - edges[:, 1] * (middle - corners)[:, 0]
    return bool((across * np.sign(sense) >= 0).all())


def test_round_lengths() -> None:
    assert [round_length(metres) for metres in (1.0, 1.9, 2.0, 4.99, 5.0, 17.0, 0.3, 999.0)] == [
        1.0, 1.0, 2.0, 2.0, 5.0, 10.0, 0.2, 500.0,
    ]  # fmt: skip
