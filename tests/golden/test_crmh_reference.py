"""Stages of the CRMH mode that need no checkpoint, against numbers of CRMH's own modules.

reference.npz holds inputs of those stages and what the modules of JiangWenPL/multiperson (snapshot e8ae029) made of
them on a CPU, in single precision; `python -m tests.golden.make_reference DIR` takes them from the parity set that
tests/bench/bench_crmh_parity.py judges the whole graph by.
"""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from mili_core.body import letterbox_scale, translation_from_weak
from mili_core.compat.crmh import start_pose
from mili_core.compat.raw import last_pixels
from mili_core.config import CRMH_R50
from mili_core.letterbox import letterbox
from mili_core.modes import CRMH_SCORE_THRESHOLD
from mili_core.nets.box_head import detect, regress
from mili_core.nets.nms import nms
from mili_core.nets.roi_align import assign_levels
from mili_core.nets.rpn import STRIDES, grid_anchors

PATH = Path(__file__).parent / "reference.npz"
SEED = 20200604  # of the parity set
CANVAS = (512, 832)
FILLED = (512.0, 768.0)  # height and width of the set's network image without its padding
GREY_LEVEL = 1.0 / 57.0  # of normalised values: CRMH's resizer rounds in fixed point

Arrays = dict[str, NDArray[np.float32]]


@pytest.fixture(scope="module")
def reference() -> Arrays:
    with np.load(PATH) as stored:
        return dict(stored)


def half_open(boxes: NDArray[np.float32]) -> Tensor:
    return torch.from_numpy(boxes) + torch.tensor((0.0, 0.0, 1.0, 1.0))


@pytest.mark.parametrize("level", range(5))
def test_anchors(level: int, reference: Arrays) -> None:
    stride, config = STRIDES[level], CRMH_R50
    height, width = (-(-side // stride) for side in CANVAS)
    grid = grid_anchors(height, width, stride, config.anchor_scale, config.anchor_ratios, whole=config.round_anchors)
    boxes = last_pixels(grid).numpy()
    np.testing.assert_array_equal(boxes[:6], reference[f"anchors{level}_first"])
    np.testing.assert_array_equal(boxes[-6:], reference[f"anchors{level}_last"])
    sums = [len(boxes), *boxes.astype(np.float64).sum(axis=0)]
    np.testing.assert_array_equal(sums, reference[f"anchors{level}_sums"])


def photo() -> NDArray[np.uint8]:
    """Gives the parity set's upright photo, BGR: noise of three grains about a mean colour."""
    height, width = 900, 410
    image = np.zeros((height, width, 3))
    for grain, contrast in ((2, 15), (9, 30), (40, 45)):
        stream = np.random.RandomState(zlib.crc32(f"frame.port.{grain}".encode()) ^ SEED)
        noise = stream.standard_normal((-(-height // grain), -(-width // grain), 3))
        image += contrast * np.kron(noise, np.ones((grain, grain, 1)))[:height, :width]
    image += np.array([100.0, 120.0, 140.0])
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)


def test_preprocessing(reference: Arrays) -> None:
    rgb = np.ascontiguousarray(photo()[..., ::-1])
    fitted = letterbox(rgb, always_linear=True)
    assert list(fitted.pixels.shape[:2]) == reference["photo_size"].tolist()
    assert letterbox_scale(rgb.shape[1], rgb.shape[0]) == pytest.approx(float(reference["photo_scale"][0]), rel=1e-6)
    canvas = np.zeros((3, *CANVAS))
    height, width = fitted.pixels.shape[:2]
    normalised = (fitted.pixels - np.array(CRMH_R50.pixel_mean)) / np.array(CRMH_R50.pixel_std)
    canvas[:, :height, :width] = normalised.transpose(2, 0, 1)
    found = canvas.reshape(-1)[reference["pixels_at"]]
    assert np.count_nonzero(reference["pixels"]) > 30
    np.testing.assert_allclose(found, reference["pixels"], rtol=0, atol=1.01 * GREY_LEVEL)


def test_levels_of_rois(reference: Arrays) -> None:
    assert assign_levels(half_open(reference["rois"])).tolist() == reference["roi_level"].tolist()


def test_suppression_keeps_an_overlap_of_exactly_one_half(reference: Arrays) -> None:
    edge = reference["edge"]
    kept = nms(half_open(edge[:, :4]), torch.from_numpy(edge[:, 4]), 0.5)
    assert sorted(kept.tolist()) == reference["nms_edge_keep"].tolist()


def test_people_of_an_image(reference: Arrays) -> None:
    rois = half_open(reference["det_rois"])
    ends = torch.tensor((FILLED[1], FILLED[0])).expand(len(rois), 2)
    boxes = regress(torch.from_numpy(reference["det_deltas"]), rois, ends, CRMH_R50)
    scores = torch.from_numpy(reference["det_logits"]).softmax(dim=1)[:, 1]
    found, kept, _ = detect(scores, boxes, CRMH_SCORE_THRESHOLD, CRMH_R50)
    rows, expected = torch.cat((last_pixels(found), kept[:, None]), dim=1).numpy(), reference["isodet_few"]
    assert rows.shape == expected.shape
    np.testing.assert_allclose(rows[:, :4], expected[:, :4], rtol=0, atol=1.7e-3)  # px
    np.testing.assert_allclose(rows[:, 4], expected[:, 4], rtol=0, atol=2e-6)


def test_translations(reference: Arrays) -> None:
    found = translation_from_weak(torch.from_numpy(reference["cam"]), torch.from_numpy(reference["cam_boxes"]))
    np.testing.assert_allclose(found.numpy(), reference["cam_trans"], rtol=0, atol=2e-6 * reference["cam_trans"].max())


def test_the_start_pose(reference: Arrays) -> None:
    found = start_pose(torch.from_numpy(reference["mean_pose"]))
    np.testing.assert_allclose(found.numpy(), reference["init_contrep"], rtol=0, atol=1e-6)


def test_the_reference_is_small() -> None:
    assert PATH.stat().st_size < 20_000
