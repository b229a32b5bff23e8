"""Outlines from small masks: closed forms, validity, clipping."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from pipeline.outlines import mask_outlines, mask_scores

BOX = np.array([[100.0, 50.0, 156.0, 162.0]], dtype=np.float32)  # mask pixels of 2 x 4 px


def one(mask: NDArray[np.float32], box: NDArray[np.float32] = BOX, width: float = 832.0, height: float = 512.0) -> Any:  # noqa: ANN401 - a shapely geometry, or None
    (outline,) = mask_outlines(mask[None].astype(np.float32), box, width, height)
    return outline


def test_nobody() -> None:
    outlines = mask_outlines(np.zeros((0, 28, 28), np.float32), np.zeros((0, 4), np.float32), 832, 512)
    assert outlines.shape == (0,)
    assert outlines.dtype == np.object_
    assert mask_scores(np.zeros((0, 28, 28), np.float32)).shape == (0,)


def test_empty_mask_has_no_outline() -> None:
    assert one(np.full((28, 28), 0.49)) is None
    assert mask_scores(np.full((1, 28, 28), 0.49, dtype=np.float32)).tolist() == [0.0]


def test_full_mask_fills_its_box() -> None:
    outline = one(np.ones((28, 28)))
    assert outline.bounds == (100.0, 50.0, 156.0, 162.0)
    assert outline.area == pytest.approx(56 * 112, rel=2e-3)  # corners are cut by half a mask pixel


@pytest.mark.parametrize("axis", [0, 1])
def test_a_ramp_is_cut_where_it_crosses_one_half(axis: int) -> None:
    centres = (np.arange(28) + 0.5) / 28
    ramp = np.clip(0.5 + (0.6 - centres) * 4, 0.0, 1.0)  # one half at .6 of the box, between two pixel centres
    outline = one(np.tile(ramp[:, None] if axis == 0 else ramp, (1, 28) if axis == 0 else (28, 1)))
    side = outline.bounds[3] if axis == 0 else outline.bounds[2]
    assert side == pytest.approx(50 + 0.6 * 112 if axis == 0 else 100 + 0.6 * 56, abs=1e-4)


def test_a_disc_has_its_area_and_centre() -> None:
    y, x = np.mgrid[0:28, 0:28] + 0.5
    distance = np.hypot(x - 14.0, y - 14.0)
    outline = one(np.clip(0.5 + (10.0 - distance) / 4, 0.0, 1.0))
    assert outline.area == pytest.approx(np.pi * 10 * 10 * 2 * 4, rel=0.01)
    assert outline.centroid.coords[0] == pytest.approx((128.0, 106.0), abs=0.02)  # simplification keeps no symmetry


def test_holes_stay_holes() -> None:
    mask = np.ones((28, 28))
    mask[10:18, 10:18] = 0.0
    outline = one(mask)
    assert len(outline.interiors) == 1
    assert outline.area == pytest.approx((28 * 28 - 64) * 8, rel=0.01)


def test_specks_are_dropped_and_large_parts_kept() -> None:
    mask = np.zeros((28, 28))
    mask[2:8, 2:8] = 1.0
    mask[20:26, 20:26] = 1.0
    mask[2, 20] = 0.8  # a diamond of less than one mask pixel
    outline = one(mask)
    assert outline.geom_type == "MultiPolygon"
    assert len(outline.geoms) == 2


def test_outlines_are_clipped_to_the_image() -> None:
    outline = one(np.ones((28, 28)), width=120.0, height=100.0)
    assert outline.bounds == (100.0, 50.0, 120.0, 100.0)
    assert one(np.ones((28, 28)), width=90.0) is None


@pytest.mark.parametrize("box", [[5, 5, 5, 20], [5, 5, 20, 5], [20, 5, 5, 20]])
def test_boxes_without_extent_have_no_outline(box: list[int]) -> None:
    assert one(np.ones((28, 28)), np.array([box], dtype=np.float32)) is None


def test_scores_are_means_inside() -> None:
    mask = np.zeros((1, 28, 28), dtype=np.float32)
    mask[0, :, :14] = 0.9
    mask[0, :, 14:20] = 0.5
    mask[0, :, 20:] = 0.4
    assert mask_scores(mask)[0] == pytest.approx((14 * 0.9 + 6 * 0.5) / 20)


@settings(max_examples=150, deadline=None)
@given(
    mask=hnp.arrays(np.float32, (28, 28), elements=st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0])),
    x=st.floats(-40, 100),
    y=st.floats(-40, 100),
)
def test_any_mask_gives_a_valid_outline_inside_box_and_image(mask: NDArray[np.float32], x: float, y: float) -> None:
    box = np.array([[x, y, x + 40, y + 90]], dtype=np.float32)
    outline = one(mask, box, 120.0, 110.0)
    if outline is not None:
        assert outline.is_valid
        assert outline.geom_type in {"Polygon", "MultiPolygon"}
        window = shapely.box(*box[0].astype(float)).intersection(shapely.box(0, 0, 120, 110)).buffer(1e-3)
        assert window.covers(outline)
