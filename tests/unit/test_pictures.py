from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pytest
import shapely

from mili_core import overlay
from mili_core.body import PARENTS
from mili_core.errors import ImageError
from pipeline.export.pictures import draw_people, person_colour, write_picture
from pipeline.table import people_table
from pipeline.types import SceneDetections
from tests.people_scenes import BLOCKS, FRAME, HEIGHT, RUN, WIDTH, everyone_alone, random_views

SCALE = 0.25
GREY = 128


def thumbnail() -> np.ndarray:
    return np.full((int(HEIGHT * SCALE), int(WIDTH * SCALE), 3), GREY, dtype=np.uint8)


def one_person(*, outline: bool = False, joints: bool = False) -> pa.Table:
    """Gives a person whose box is (400, 400)..(800, 1200) in the frame, (100, 100)..(200, 300) in the picture."""
    joints2d = np.zeros((1, 24, 3), dtype=np.float32)
    joints2d[0, :, 0], joints2d[0, :, 1] = 600, np.linspace(480, 1120, 24)
    joints2d[0, :, 2] = 1
    views = SceneDetections(
        np.array([[400.0, 400.0, 800.0, 1200.0]]),
        np.array([0.5], dtype=np.float32),
        np.array([0]),
        outlines=np.array([shapely.box(440, 440, 480, 1160)], dtype=object) if outline else None,
        joints2d_frame=joints2d if joints else None,
    )
    return people_table(FRAME, views, everyone_alone(views), BLOCKS, None, RUN)


def changed(picture: np.ndarray) -> np.ndarray:
    return np.asarray((picture != GREY).any(axis=2))


def test_the_skeleton_is_smpl_s() -> None:
    assert overlay.PARENTS == PARENTS


def test_the_image_given_is_left_alone() -> None:
    image = thumbnail()
    image.setflags(write=False)
    drawn = draw_people(image, SCALE, one_person())
    assert drawn.shape == image.shape
    assert (image == GREY).all()
    assert changed(drawn).any()


def test_a_box_lies_on_its_four_sides_and_nowhere_else() -> None:
    touched = changed(draw_people(thumbnail(), SCALE, one_person()))
    rows, cols = np.flatnonzero(touched.any(axis=1)), np.flatnonzero(touched.any(axis=0))
    assert (rows[0], rows[-1]) == pytest.approx((100, 299), abs=2)
    assert (cols[0], cols[-1]) == pytest.approx((100, 199), abs=2)
    assert not touched[104:296, 104:196].any()


def test_outlines_are_tinted_inside() -> None:
    plain = draw_people(thumbnail(), SCALE, one_person())
    drawn = draw_people(thumbnail(), SCALE, one_person(outline=True))
    inside = (drawn != plain).any(axis=2)
    assert inside[150, 115]
    assert not inside[150, 125:190].any()
    expected = GREY + overlay.OUTLINE_OPACITY * (np.array(person_colour(0), dtype=np.float64) - GREY)
    np.testing.assert_allclose(drawn[150, 115], expected, atol=2)


def test_holes_stay_clear() -> None:
    ring = shapely.box(440, 440, 760, 1160) - shapely.box(560, 700, 640, 900)
    rows = one_person(outline=True)
    column = rows.schema.get_field_index("geometry")
    rows = rows.set_column(column, rows.field(column), pa.array([shapely.to_wkb(ring)], type=pa.binary()))
    drawn = draw_people(thumbnail(), SCALE, rows)
    assert (drawn[200, 150] == GREY).all()
    assert (drawn[150, 150] != GREY).any()


def test_skeletons_join_the_joints() -> None:
    plain = draw_people(thumbnail(), SCALE, one_person())
    drawn = draw_people(thumbnail(), SCALE, one_person(joints=True))
    touched = (drawn != plain).any(axis=2)
    assert touched[125:275, 149:151].any(axis=1).all()
    assert not touched[:, :140].any()


def test_small_people_have_no_skeleton() -> None:
    scale = overlay.SMALLEST_SKELETON_PX / 800 * 0.9
    image = thumbnail()
    first, second = (draw_people(image, scale, one_person(joints=joints)) for joints in (False, True))
    np.testing.assert_array_equal(first, second)


def test_colours_follow_from_the_person_alone() -> None:
    colours = [person_colour(person) for person in range(200)]
    assert colours == [person_colour(person) for person in range(200)]
    assert len(set(colours)) > 190
    for first, second in pairwise(colours):
        assert np.abs(np.subtract(first, second)).max() > 60
    assert all(max(colour) == 255 for colour in colours)


def test_equal_input_gives_an_equal_picture_in_any_row_order() -> None:
    views = random_views(np.random.default_rng(0), 40)
    rows = people_table(FRAME, views, everyone_alone(views), BLOCKS, None, RUN)
    first = draw_people(thumbnail(), SCALE, rows)
    shuffled = rows.take(np.random.default_rng(1).permutation(40))
    np.testing.assert_array_equal(first, draw_people(thumbnail(), SCALE, shuffled))


def test_nobody_changes_nothing() -> None:
    rows = one_person(joints=True, outline=True).slice(0, 0)
    assert not changed(draw_people(thumbnail(), SCALE, rows)).any()


def test_a_scale_too_large_draws_outside_the_picture_without_harm() -> None:
    for scale in (1.0, 50.0, 1e7):
        assert draw_people(thumbnail(), scale, one_person(outline=True, joints=True)).shape == thumbnail().shape


@pytest.mark.parametrize("text", ["7 people", "a very long line of text " * 20, ""])
def test_the_legend_lies_below(text: str) -> None:
    image = thumbnail()
    drawn = draw_people(image, SCALE, one_person(), legend=text)
    assert drawn.shape[1:] == image.shape[1:]
    assert drawn.shape[0] > image.shape[0]
    np.testing.assert_array_equal(drawn[: len(image)], draw_people(image, SCALE, one_person()))
    assert (drawn[len(image) :].max() > 150) == bool(text)


@pytest.mark.parametrize("shape", [(10, 10), (10, 10, 4), (0, 10, 3)])
def test_what_is_no_picture_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ImageError, match=r"expected uint8 \(height, width, 3\)"):
        draw_people(np.zeros(shape, dtype=np.uint8), 1.0, one_person())


@pytest.mark.parametrize(("suffix", "tolerance"), [("png", 0), ("jpg", 12)])
def test_pictures_are_written_in_the_right_colours(tmp_path: Path, suffix: str, tolerance: int) -> None:
    image = np.zeros((16, 32, 3), dtype=np.uint8)
    image[:] = (200, 100, 20)
    path = tmp_path / f"out/picture.{suffix}"
    write_picture(image, path)
    read = cv2.imread(str(path))
    assert read is not None
    np.testing.assert_allclose(read[..., ::-1], image, atol=tolerance)
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_other_kinds_of_pictures_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"written as \.jpg or \.png, not \.gif"):
        write_picture(thumbnail(), tmp_path / "x.gif")
