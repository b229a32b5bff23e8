"""HR/LR pairs: the paper's sizes, aspect, padding, and one coordinate system for both."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mili_core.datasets.degrade import PairSettings, ScaleName, fit_to_canvas, hr_lr_pair
from mili_core.errors import ImageError


def noise(width: int, height: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(1, 256, (height, width, 3), dtype=np.uint8)


def distinct_columns(image: np.ndarray) -> int:
    """How many different columns a nearest-enlarged image is made of."""
    return 1 + int((np.diff(image.astype(int), axis=1) != 0).any(axis=(0, 2)).sum())


@pytest.mark.parametrize(
    ("scale_name", "canvas", "lr_size"),
    [
        ("large", (832, 512), (286, 176)),
        ("small", (832, 512), (208, 128)),
        ("large", (416, 256), (143, 88)),
        ("small", (416, 256), (104, 64)),
    ],
)
def test_sizes_are_the_papers_and_scale_with_the_canvas(
    scale_name: ScaleName, canvas: tuple[int, int], lr_size: tuple[int, int]
) -> None:
    chosen = PairSettings(scale_name, *canvas, up="nearest")
    pair = hr_lr_pair(noise(*canvas), chosen)
    assert pair.hr.shape == pair.lr.shape == (canvas[1], canvas[0], 3)
    assert pair.hr.dtype == pair.lr.dtype == np.uint8
    assert pair.lr_size == chosen.lr_size == lr_size
    # The detail that is really left, counted in the pixels themselves.
    assert (distinct_columns(pair.lr), distinct_columns(pair.lr.swapaxes(0, 1))) == lr_size


def test_what_was_done_is_recorded() -> None:
    pair = hr_lr_pair(noise(300, 300), PairSettings("small", down="linear", up="lanczos"))
    assert (pair.scale_name, pair.down, pair.up) == ("small", "linear", "lanczos")
    assert (pair.fit.width, pair.fit.height, pair.fit.interpolation) == (512, 512, "linear")
    assert hr_lr_pair(noise(1700, 900)).fit.interpolation == "area"
    assert hr_lr_pair(noise(832, 512), "small").fit.interpolation is None


@pytest.mark.parametrize("scale_name", ["large", "small"])
@pytest.mark.parametrize("size", [(448, 299), (336, 448), (1600, 300), (3, 900), (832, 512), (1, 1)])
def test_padding_is_zero_right_and_below_and_nothing_else_is(scale_name: ScaleName, size: tuple[int, int]) -> None:
    pair = hr_lr_pair(np.full((size[1], size[0], 3), 90, dtype=np.uint8), scale_name)
    for image in (pair.hr, pair.lr):
        assert (image[: pair.fit.height, : pair.fit.width] == 90).all()
        assert not image[pair.fit.height :].any()
        assert not image[:, pair.fit.width :].any()
    coloured = hr_lr_pair(noise(100, 200), PairSettings(padding_rgb=(124, 116, 104)))
    assert (coloured.lr[:, coloured.fit.width :] == (124, 116, 104)).all()


@settings(max_examples=80, deadline=None)
@given(st.integers(1, 5000), st.integers(1, 5000), st.sampled_from([(832, 512), (416, 256), (97, 61)]))
def test_aspect_is_kept_and_the_canvas_is_filled(width: int, height: int, canvas: tuple[int, int]) -> None:
    fit = fit_to_canvas(width, height, *canvas)
    assert fit.width == canvas[0] or fit.height == canvas[1]
    assert fit.width <= canvas[0]
    assert fit.height <= canvas[1]
    assert abs(fit.width - width * fit.scale) <= 0.5 or fit.width == 1
    assert abs(fit.height - height * fit.scale) <= 0.5 or fit.height == 1


@pytest.mark.parametrize("scale_name", ["large", "small"])
@pytest.mark.parametrize("size", [(448, 299), (299, 448), (1500, 900), (620, 500)])
def test_boxes_of_the_hr_image_hold_for_the_lr_image(scale_name: ScaleName, size: tuple[int, int]) -> None:
    width, height = size
    boxes = np.array(
        [[0.3 * width, 0.2 * height, 0.7 * width, 0.9 * height], [0, 0, width, height]], dtype=np.float32
    ).round()
    image = np.full((height, width, 3), 30, dtype=np.uint8)
    left, top, right, bottom = boxes[0].astype(int)
    image[top:bottom, left:right] = 220
    pair = hr_lr_pair(image, scale_name)
    on_canvas = pair.fit.boxes_on_canvas(boxes)
    np.testing.assert_allclose(on_canvas[1], [0, 0, pair.fit.width, pair.fit.height], atol=1e-3)
    for picture in (pair.hr, pair.lr):
        seen = picture[: pair.fit.height, : pair.fit.width, 0].astype(float)
        share = (seen - 30) / 190
        # Edges blur, but about their place: sums along the middle lines give the box's sides, half a px at most off.
        middle_row, middle_column = share[int(on_canvas[0, [1, 3]].mean())], share[:, int(on_canvas[0, [0, 2]].mean())]
        assert middle_row.sum() == pytest.approx(on_canvas[0, 2] - on_canvas[0, 0], abs=0.6)
        assert middle_column.sum() == pytest.approx(on_canvas[0, 3] - on_canvas[0, 1], abs=0.6)
        centre = (middle_row * (np.arange(len(middle_row)) + 0.5)).sum() / middle_row.sum()
        assert centre == pytest.approx(on_canvas[0, [0, 2]].mean(), abs=0.4)
    none = pair.fit.boxes_on_canvas(np.zeros((0, 4), dtype=np.float32))
    assert none.shape == (0, 4)
    assert none.dtype == np.float32


def test_detail_is_lost_and_more_of_it_at_the_small_scale() -> None:
    image = noise(832, 512)
    spread = {name: hr_lr_pair(image, name).lr.std() for name in ("large", "small")}
    assert spread["small"] < spread["large"] < 0.6 * image.std()
    np.testing.assert_array_equal(hr_lr_pair(image).hr, image)


def test_the_same_image_gives_the_same_pair_and_stays_as_it_is() -> None:
    image = noise(500, 333)
    before = image.copy()
    first, second = hr_lr_pair(image, "small"), hr_lr_pair(image, "small")
    np.testing.assert_array_equal(first.lr, second.lr)
    np.testing.assert_array_equal(first.hr, second.hr)
    np.testing.assert_array_equal(image, before)
    exact = noise(832, 512)
    assert not np.shares_memory(hr_lr_pair(exact).hr, exact)


def test_wrong_arguments_are_named() -> None:
    with pytest.raises(ValueError, match="'tiny'"):
        hr_lr_pair(noise(8, 8), "tiny")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="0x256"):
        PairSettings(width=0, height=256)
    with pytest.raises(ValueError, match="'bicubic'"):
        PairSettings(up="bicubic")  # type: ignore[arg-type]
    with pytest.raises(ImageError, match="float64"):
        hr_lr_pair(np.zeros((8, 8, 3)))  # type: ignore[arg-type]
