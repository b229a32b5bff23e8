"""A model that needs no weights: it finds bright shapes on a dark ground, and fails where it is told to.

`plant` draws a person, `FakePredictor` finds it. A pixel of colour RAISES makes a prediction raise, one of colour
KILLS ends the process. Where the environment names a file in CALLS_VARIABLE, each prediction appends a line to it:
how many images it saw.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mili_core.detections import Detections
from mili_core.protocol import ModelIdentity

CALLS_VARIABLE = "FAKE_PREDICTOR_CALLS"
GROUND = (40, 60, 50)
RAISES = (255, 0, 255)
KILLS = (0, 255, 255)
BRIGHT = 128  # a person is at least this bright in every channel
SMALLEST_PX = 6  # smaller components are noise of down-sampling
HEIGHT_M = 1.7
CANVAS_WIDTH, CANVAS_HEIGHT, CANVAS_FOCAL_PX = 832, 512, 1000.0

_UP_TO_DOWN = np.diag([1.0, -1.0, -1.0]).astype(np.float32)  # body axes (y up) to camera axes (y down)


def plant(image: NDArray[np.uint8], box_xyxy: tuple[int, int, int, int], *, ellipse: bool = True) -> None:
    """Draws a person that fills `box_xyxy` (half-open) into `image`: an ellipse or the full rectangle."""
    x0, y0, x1, y1 = box_xyxy
    if ellipse:
        y, x = np.mgrid[y0:y1, x0:x1] + 0.5
        inside = ((x - (x0 + x1) / 2) / ((x1 - x0) / 2)) ** 2 + ((y - (y0 + y1) / 2) / ((y1 - y0) / 2)) ** 2 <= 1.0
    else:
        inside = np.ones((y1 - y0, x1 - x0), dtype=bool)
    image[y0:y1, x0:x1][inside] = (230, 235, 240)


def ground(width: int, height: int) -> NDArray[np.uint8]:
    """Gives an image (height, width, 3) without people."""
    return np.full((height, width, 3), GROUND, dtype=np.uint8)


class FakePredictor:
    """Finds bright shapes; the body fields are those of an upright stick figure that fills each box."""

    def __init__(self, device: str = "cpu") -> None:
        self.device = device

    @property
    def identity(self) -> ModelIdentity:
        """Which model this is."""
        return ModelIdentity("fake", "", "open", "")

    def predict(self, images: Sequence[NDArray[np.uint8]]) -> list[Detections]:
        """Gives the bright shapes of each image."""
        calls = os.environ.get(CALLS_VARIABLE)
        if calls:
            with Path(calls).open("a") as file:
                file.write(f"{len(images)}\n")
        return [_detect(image) for image in images]


def factory(device: str) -> FakePredictor:
    """Gives the fake; for --model tests.fakes:factory."""
    return FakePredictor(device)


class _Renamed(FakePredictor):
    """A fake of another name in every process."""

    @property
    def identity(self) -> ModelIdentity:
        """Which model this is."""
        return ModelIdentity(f"fake-{os.getpid()}", "", "open", "")


def changing_factory(device: str) -> FakePredictor:
    """Gives a model that is another one in every process, as weights that were replaced during a run are."""
    return _Renamed(device)


def broken_factory(device: str) -> FakePredictor:
    """Fails the way a model with unusable weights does."""
    raise ValueError(f"no model for {device}")


def _detect(image: NDArray[np.uint8]) -> Detections:
    if (image == np.array(RAISES, dtype=np.uint8)).all(axis=2).any():
        raise RuntimeError("the fake was told to raise")
    if (image == np.array(KILLS, dtype=np.uint8)).all(axis=2).any():
        os._exit(1)
    bright = (image.min(axis=2) >= BRIGHT).astype(np.uint8)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(bright, connectivity=8)
    found = [n for n in range(1, len(stats)) if min(stats[n, 2], stats[n, 3]) >= SMALLEST_PX]
    corners = stats[found, :4].astype(np.float32).reshape(-1, 4)
    boxes = np.concatenate([corners[:, :2], corners[:, :2] + corners[:, 2:]], axis=1)
    masks = np.zeros((len(found), 28, 28), dtype=np.float32)
    for row, n in enumerate(found):
        x, y, width, height = stats[n, :4]
        crop = (labels[y : y + height, x : x + width] == n).astype(np.float32)
        masks[row] = np.clip(cv2.resize(crop, (28, 28), interpolation=cv2.INTER_AREA), 0.0, 1.0)
    return _with_bodies(boxes, masks, image.shape[1], image.shape[0])


def _with_bodies(boxes: NDArray[np.float32], masks: NDArray[np.float32], width: int, height: int) -> Detections:
    """Gives detections whose stick figures project onto the boxes in the image's virtual camera."""
    count = len(boxes)
    scale = min(CANVAS_WIDTH / width, CANVAS_HEIGHT / height)  # network px per image px
    focal_px = CANVAS_FOCAL_PX / scale
    principal = np.array([CANVAS_WIDTH, CANVAS_HEIGHT], dtype=np.float32) / (2.0 * scale)
    centres, sizes = (boxes[:, :2] + boxes[:, 2:]) / 2.0, boxes[:, 2:] - boxes[:, :2]
    depth_m = focal_px * HEIGHT_M / np.maximum(sizes[:, 1], 1.0)
    transl_m = np.column_stack([(centres - principal) * depth_m[:, None] / focal_px, depth_m])
    joints3d_m = np.zeros((count, 24, 3), dtype=np.float32)
    joints3d_m[:, :, 1] = np.r_[0.0, np.linspace(-HEIGHT_M / 2, HEIGHT_M / 2, 23)]
    placed = joints3d_m + transl_m[:, None]
    points = placed[..., :2] / placed[..., 2:] * focal_px + principal
    inside = ((points >= 0) & (points < (width, height))).all(axis=2)
    longer_network_px = np.maximum(sizes.max(axis=1, initial=1.0), 1.0) * scale
    cam = np.column_stack([2.0 * CANVAS_FOCAL_PX / (depth_m * longer_network_px), np.zeros((count, 2))])
    rotmats = np.tile(np.eye(3, dtype=np.float32), (count, 24, 1, 1))
    rotmats[:, 0] = _UP_TO_DOWN
    return Detections(
        boxes_xyxy=boxes,
        scores=np.clip(0.5 + sizes[:, 1] / 2000.0, 0.0, 0.99).astype(np.float32),
        rotmats=rotmats,
        betas=np.zeros((count, 10), dtype=np.float32),
        cam_crop=cam.astype(np.float32),
        crop_boxes_xyxy=boxes,
        transl_m=transl_m.astype(np.float32),
        joints2d=np.concatenate([points, inside[..., None]], axis=2).astype(np.float32),
        joints3d_m=joints3d_m,
        masks=masks,
        mask_boxes_xyxy=boxes,
    )
