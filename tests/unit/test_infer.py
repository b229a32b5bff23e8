"""Detections of a block in frame px: every field, against arithmetic done by hand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from mili_core.detections import Detections
from mili_core.errors import DetectionError
from pipeline.infer import infer_blocks, to_scene
from pipeline.types import Block, PixelGrid, Window
from tests import fakes

# Level 2: 4 frame px per raster px, at frame (1000, 600).
BLOCK = Block(
    "L2-r000-c001", 2, PixelGrid(Window(1000.0, 600.0, 2600.0, 1600.0), 400, 250), Window(1000, 600, 2600, 1600)
)
PERSON = (40, 30, 80, 130)


def picture() -> NDArray[np.uint8]:
    image = fakes.ground(400, 250)
    fakes.plant(image, PERSON, ellipse=False)
    return image


def detections() -> Detections:
    (found,) = fakes.factory("cpu").predict([picture()])
    assert len(found) == 1
    return found


def test_boxes_outlines_and_crop_boxes_cross_once() -> None:
    scene = to_scene(detections(), BLOCK, 7)
    expected = [1000 + 4 * 40, 600 + 4 * 30, 1000 + 4 * 80, 600 + 4 * 130]
    np.testing.assert_allclose(scene.boxes_frame, [expected])
    assert scene.outlines is not None
    assert scene.bodies is not None
    assert scene.outlines[0].bounds == pytest.approx(expected)
    np.testing.assert_allclose(scene.bodies.crop_boxes_frame, [expected])
    assert scene.block_index.tolist() == [7]
    assert scene.mask_scores is not None
    assert scene.mask_scores.tolist() == [1.0]


def test_joints_move_and_their_confidence_stays() -> None:
    found = detections()
    scene = to_scene(found, BLOCK, 0)
    assert scene.joints2d_frame is not None
    np.testing.assert_allclose(scene.joints2d_frame[..., 0], 1000 + 4 * found.joints2d[..., 0], rtol=1e-6)
    np.testing.assert_allclose(scene.joints2d_frame[..., 1], 600 + 4 * found.joints2d[..., 1], rtol=1e-6)
    np.testing.assert_array_equal(scene.joints2d_frame[..., 2], found.joints2d[..., 2])


def test_what_is_not_in_pixels_stays() -> None:
    found = detections()
    scene = to_scene(found, BLOCK, 0)
    assert scene.bodies is not None
    assert scene.depth_m is not None
    for field in ("rotmats", "betas", "cam_crop", "joints3d_m"):
        np.testing.assert_array_equal(getattr(scene.bodies, field), getattr(found, field))
    np.testing.assert_array_equal(scene.bodies.transl_block_m, found.transl_m)
    np.testing.assert_array_equal(scene.depth_m, found.transl_m[:, 2])
    np.testing.assert_array_equal(scene.scores, found.scores)


def test_input_is_left_alone() -> None:
    found = detections()
    before = found.joints2d.copy()
    to_scene(found, BLOCK, 0)
    np.testing.assert_array_equal(found.joints2d, before)


def test_nobody() -> None:
    (scene,) = infer_blocks(fakes.factory("cpu"), [fakes.ground(400, 250)], [BLOCK], [3])
    assert len(scene) == 0
    assert scene.outlines is not None
    assert scene.outlines.shape == (0,)
    assert scene.joints2d_frame is not None
    assert scene.joints2d_frame.shape == (0, 24, 3)


def test_no_blocks() -> None:
    assert infer_blocks(fakes.factory("cpu"), [], [], []) == []


def test_a_model_without_masks() -> None:
    found = detections()
    fields = {name: getattr(found, name) for name in Detections.__slots__}
    scene = to_scene(Detections(**(fields | {"masks": None, "mask_boxes_xyxy": None})), BLOCK, 0)
    assert scene.outlines is None
    assert scene.mask_scores is None


def test_a_model_that_owes_a_result_is_refused() -> None:
    class Short(fakes.FakePredictor):
        def predict(self, images: Sequence[NDArray[np.uint8]]) -> list[Detections]:
            return super().predict(images)[:-1]

    with pytest.raises(DetectionError, match="1 results for 2 images"):
        infer_blocks(Short(), [picture(), picture()], [BLOCK, BLOCK], [0, 1])
