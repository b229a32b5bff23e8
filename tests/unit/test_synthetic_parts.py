"""Parts of scenes on disk without a scene: how frames are cut, encoded tiles, masks, the map of ids."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from mili_core.synth.camera import SceneCamera
from mili_core.synth.rendering.grid import Samples, Silhouette
from mili_core.synth.window import ImageWindow
from pipeline.synthetic.layout import GROUP_TILES, TILE_PX, Layout
from pipeline.synthetic.masks import SUPERSAMPLE, Fragment, cut_fragments, from_run_lengths, join, run_lengths
from pipeline.synthetic.tiff import Photometric, encode_tile, tiles_in_order, write_tiff
from pipeline.synthetic.truth import outline
from pipeline.synthetic.visible_ids import id_map

sides = st.integers(64, 6000)
masks = st.integers(0, 2**32 - 1).map(np.random.default_rng)


@given(width=sides, height=sides)
@settings(max_examples=60, deadline=None)
def test_groups_and_renders_cut_the_frame_into_its_tiles(width: int, height: int) -> None:
    layout = Layout(width, height)
    tiles = [tile for group in range(layout.groups) for tile in layout.group_tiles(group)]
    assert sorted(tiles) == list(range(layout.tiles))
    assert sum(layout.tile_window(tile).width * layout.tile_window(tile).height for tile in tiles) == width * height
    for group in range(layout.groups):
        whole = layout.group_window(group)
        renders = layout.group_renders(group)
        assert sorted(tile for _, members in renders for tile in members) == sorted(layout.group_tiles(group))
        assert sum(window.width * window.height for window, _ in renders) == whole.width * whole.height
        for window, members in renders:
            assert window.common(whole) == window
            for tile in members:
                assert layout.tile_window(tile).common(window) == layout.tile_window(tile)


@pytest.mark.parametrize(("photometric", "dtype", "tail"), [("rgb", np.uint8, (3,)), ("minisblack", np.uint16, ())])
def test_a_tiff_of_tiles_in_any_order_holds_the_picture(
    photometric: Photometric, dtype: type[np.uint8 | np.uint16], tail: tuple[int, ...], tmp_path: Path
) -> None:
    side = GROUP_TILES * TILE_PX
    layout = Layout(2 * side + 100, side + 50)
    rng = np.random.default_rng(0)
    # Blocks of noise, so that the arrays stay cheap to make.
    picture = np.tile(rng.integers(0, 2000, (25, 30, *tail)), (200, 200, *(1 for _ in tail)))[
        : layout.height, : layout.width
    ]
    picture = picture.astype(dtype)
    groups = []
    for group in rng.permutation(layout.groups).tolist():
        windows = [layout.tile_window(tile) for tile in layout.group_tiles(group)]
        tiles = [picture[w.top : w.top + w.height, w.left : w.left + w.width] for w in windows]
        groups.append((group, tuple(encode_tile(tile, photometric, layout.tile_shape) for tile in tiles)))
    path = tmp_path / "a.tif"
    with path.open("wb+") as file:
        write_tiff(file, "a.tif", layout, tiles_in_order(layout, groups), dtype, photometric)
    with tifffile.TiffFile(path) as tiff:
        page = tiff.pages.first
        assert (tiff.is_bigtiff, page.is_tiled, page.dtype) == (True, True, np.dtype(dtype))
        assert list(page.dataoffsets) == sorted(page.dataoffsets)
        np.testing.assert_array_equal(page.asarray(), picture)


def test_a_missing_group_is_noticed() -> None:
    layout = Layout(5000, 300)
    with pytest.raises(AssertionError, match="missing"):
        list(tiles_in_order(layout, [(0, (b"",) * 4)]))


@given(rng=masks, width=st.integers(1, 9), height=st.integers(1, 9), share=st.sampled_from([0.0, 0.1, 0.5, 1.0]))
def test_run_lengths_give_the_mask_back(rng: np.random.Generator, width: int, height: int, share: float) -> None:
    mask = rng.random((height, width)) < share
    runs = run_lengths(mask)
    assert runs.dtype == np.uint32
    assert runs.sum() == mask.size
    assert (runs[1:] > 0).all()
    np.testing.assert_array_equal(from_run_lengths(runs, width, height), mask)


def test_run_lengths_begin_outside_the_mask() -> None:
    assert run_lengths(np.array([[True, True, False], [False, False, True]])).tolist() == [0, 2, 3, 1]


def samples_of(person: np.ndarray, silhouettes: dict[int, Silhouette]) -> Samples:
    nothing = np.zeros(person.shape, dtype=np.int32)
    return Samples(person.astype(np.int32), nothing, nothing.astype(np.float32), {}, silhouettes)


@given(rng=masks)
@settings(deadline=None)
def test_fragments_of_neighbouring_windows_join_to_the_whole_masks(rng: np.random.Generator) -> None:
    frame = ImageWindow(0, 0, 24, 10)
    grid = frame.scaled(SUPERSAMPLE)
    amodal = [rng.random((grid.height, grid.width)) < share for share in (0.02, 0.3)]
    person = np.where(amodal[1], 1, np.where(amodal[0], 0, -1))
    halo, split = 2, int(rng.integers(1, 23))
    fragments: list[Fragment] = []
    for inner in (ImageWindow(0, 0, split, 10), ImageWindow(split, 0, 24 - split, 10)):
        window = inner.grown(halo)
        edge = halo * SUPERSAMPLE
        padded, seen = np.pad(person, edge, constant_values=-1), window.scaled(SUPERSAMPLE)
        view = padded[:, seen.left + edge :][:, : seen.width]
        box = seen.common(grid)
        assert box is not None
        alone = {n: Silhouette(box, mask[box.rows(grid), box.columns(grid)]) for n, mask in enumerate(amodal)}
        fragments += cut_fragments(samples_of(view, alone), window, inner)
    for each, mask in enumerate(amodal):
        own = [fragment for fragment in fragments if fragment.person == each]
        assert bool(own) == bool(mask.any())
        if own:
            joined = join(own)
            found = np.zeros_like(mask)
            found[joined.window.rows(grid), joined.window.columns(grid)] = joined.amodal
            np.testing.assert_array_equal(found, mask)
            assert joined.amodal.any(axis=0)[[0, -1]].all()
            assert joined.amodal.any(axis=1)[[0, -1]].all()
            found[joined.window.rows(grid), joined.window.columns(grid)] = joined.visible
            np.testing.assert_array_equal(found, person == each)


@given(rng=masks)
@settings(deadline=None)
def test_a_px_has_the_value_that_most_of_its_samples_have(rng: np.random.Generator) -> None:
    window = ImageWindow(8, 4, 6, 5)
    grid = window.scaled(SUPERSAMPLE)
    person = rng.integers(-1, 4, (grid.height, grid.width))
    alone = {n: Silhouette(grid, np.ones(person.shape, dtype=np.bool_)) for n in range(4)}
    fragments = cut_fragments(samples_of(person, alone), window, window)
    ids = {0: 2, 1: 0, 2: 3, 3: 1}
    values = np.array([0, *(ids[each] + 1 for each in range(4))])[person + 1]
    for row in range(window.height):
        for column in range(window.width):
            cell = values[SUPERSAMPLE * row :, SUPERSAMPLE * column :][:SUPERSAMPLE, :SUPERSAMPLE]
            counts = np.bincount(cell.ravel(), minlength=5)
            assert id_map(window, fragments, ids)[row, column] == counts.argmax()


def test_even_lone_samples_have_an_outline() -> None:
    camera = SceneCamera(100, 80, focal_px=100.0, pitch_rad=0.1, height_m=2.0)
    box = np.array([10.0, 20.0, 11.0, 20.5])
    alone = outline(np.array([[True, False]]), box, camera)
    assert alone.bounds == (10.0, 20.0, 10.5, 20.5)
    assert alone.area == pytest.approx(0.25)
    many = outline(np.ones((8, 8), dtype=np.bool_), np.array([10.0, 20.0, 14.0, 24.0]), camera)
    assert many.bounds == (10.0, 20.0, 14.0, 24.0)
