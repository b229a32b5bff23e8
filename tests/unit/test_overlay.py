"""People drawn over the image they were found in."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from mili_core.detections import Detections
from mili_core.errors import ImageError
from mili_core.overlay import draw_people, person_colour

GREY = 128
BOXES = np.array([[20, 10, 76, 122], [110, 30, 150, 110]], dtype=np.float32)
LEFT = np.zeros((28, 28), dtype=np.float32)
LEFT[:, :14] = 1.0


def image() -> NDArray[np.uint8]:
    return np.full((140, 200, 3), GREY, dtype=np.uint8)


def people(boxes: NDArray[np.float32], masks: NDArray[np.float32] | None = None) -> Detections:
    count = len(boxes)
    joints = np.zeros((count, 24, 3), dtype=np.float32)
    joints[..., :2] = 0.5 * (boxes[:, None, :2] + boxes[:, None, 2:])  # all in the middle
    return Detections(
        boxes_xyxy=boxes,
        scores=np.ones(count, dtype=np.float32),
        rotmats=np.zeros((count, 24, 3, 3), dtype=np.float32),
        betas=np.zeros((count, 10), dtype=np.float32),
        cam_crop=np.zeros((count, 3), dtype=np.float32),
        crop_boxes_xyxy=boxes,
        transl_m=np.zeros((count, 3), dtype=np.float32),
        joints2d=joints,
        joints3d_m=np.zeros((count, 24, 3), dtype=np.float32),
        masks=masks,
        mask_boxes_xyxy=None if masks is None else boxes,
    )


def changed(drawn: NDArray[np.uint8]) -> NDArray[np.bool_]:
    return np.asarray((drawn != GREY).any(axis=2))


def test_boxes_lie_where_people_are_each_in_a_colour() -> None:
    given = image()
    given.setflags(write=False)
    drawn = draw_people(given, people(BOXES))
    assert (given == GREY).all()
    for row, (x0, y0, x1, _) in enumerate(BOXES.astype(int)):
        colour = np.array(person_colour(row)) // 2 + GREY // 2  # a line of 1 px lies on two rows of px
        for edge in (drawn[y0, x0 + 5 : x0 + 15], drawn[y0 + 5 : y0 + 15, x0], drawn[y0 + 5 : y0 + 15, x1]):
            assert np.abs(edge.astype(int) - colour).max() < 70
    outside = changed(drawn)
    assert not outside[:, :18].any()
    assert not outside[:, 79:107].any()


def test_masks_are_tinted_where_they_are_likely() -> None:
    tinted = changed(draw_people(image(), people(BOXES[:1], LEFT[None])))
    assert tinted[20:112, 23:46].all()
    # Right of the half, only the skeleton in the middle and the box.
    assert not tinted[20:50, 52:73].any()


def test_a_hole_in_a_mask_stays_clear() -> None:
    mask = np.ones((1, 28, 28), dtype=np.float32)
    mask[0, 4:8, 10:18] = 0.0
    tinted = changed(draw_people(image(), people(BOXES[:1], mask)))
    assert not tinted[29:39, 43:53].any()
    assert tinted[29:39, 25:37].all()


def test_a_mask_of_nobody_and_nobody_at_all() -> None:
    assert (draw_people(image(), people(BOXES[:0])) == GREY).all()
    empty = draw_people(image(), people(BOXES[:1], np.zeros((1, 28, 28), dtype=np.float32)))
    np.testing.assert_array_equal(empty, draw_people(image(), people(BOXES[:1])))


def test_people_beyond_the_edge_do_no_harm() -> None:
    far = np.array([[-900, -900, 9000, 9000], [300, 300, 400, 500]], dtype=np.float32)
    assert draw_people(image(), people(far, np.ones((2, 28, 28), dtype=np.float32))).shape == (140, 200, 3)


@pytest.mark.parametrize("shape", [(140, 200), (140, 200, 4), (0, 200, 3)])
def test_what_is_no_image_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ImageError, match="expected uint8"):
        draw_people(np.zeros(shape, dtype=np.uint8), people(BOXES))
