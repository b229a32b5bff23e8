"""The pyramid against a plain twin, and everything that must not pass for a pyramid."""

import json
import multiprocessing
import os
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pyvips
import tifffile
import zarr

from mili_core.errors import ImageError, MissingFileError, StoreError
from pipeline import geometry
from pipeline.frames import discover, strip, vips_reader
from pipeline.geometry import level_grid, level_sizes
from pipeline.plan import uniform_plan
from pipeline.pyramid import Pyramid, ensure_pyramid, halve, layout
from pipeline.types import Block, FrameRef, PixelGrid, Window


def picture(width: int, height: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def frame(path: Path, pixels: np.ndarray, orientation: int = 1) -> FrameRef:
    height, width, _ = pixels.shape
    image = pyvips.Image.new_from_memory(pixels.tobytes(), width, height, 3, "uchar").copy(interpretation="srgb")
    image.set_type(pyvips.GValue.gint_type, "orientation", orientation)
    image.pngsave(str(path), compression=1)
    return discover([str(path)])[0]


def plain_levels(pixels: np.ndarray) -> list[np.ndarray]:
    """The slow twin: whole-image halving in integers, odd edges repeated, halves rounded up."""
    levels = [pixels]
    while levels[-1].shape[1] > geometry.BLOCK_WIDTH or levels[-1].shape[0] > geometry.BLOCK_HEIGHT:
        height, width, _ = levels[-1].shape
        even = np.pad(levels[-1], ((0, height % 2), (0, width % 2), (0, 0)), mode="edge").astype(np.int64)
        total = even[::2, ::2] + even[1::2, ::2] + even[::2, 1::2] + even[1::2, 1::2]
        levels.append(((total + 2) // 4).astype(np.uint8))
    return levels


def whole_level(opened: Pyramid, level: int) -> np.ndarray:
    grid = level_grid(level, 0, 0, *opened.level_sizes[level])
    return opened.read_block(Block("whole", level, grid, grid.window))


@pytest.fixture
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many strips, shards and levels out of a small picture."""
    monkeypatch.setattr(layout, "CHUNK", 16)
    monkeypatch.setattr(layout, "SHARD", 32)
    monkeypatch.setattr(geometry, "BLOCK_WIDTH", 40)
    monkeypatch.setattr(geometry, "BLOCK_HEIGHT", 24)
    monkeypatch.setattr(strip, "STRIP_BYTES", 7 * 211 * 3)
    monkeypatch.setattr(vips_reader, "FETCH_BYTES", 1000)


@pytest.mark.parametrize("shape", [(2, 2), (8, 6), (7, 5), (1, 9), (9, 1), (1, 1), (64, 33), (33, 64)])
def test_halve_is_the_area_mean_with_repeated_edges(shape: tuple[int, int]) -> None:
    plane = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
    out = np.zeros(((shape[0] + 1) // 2, (shape[1] + 1) // 2), dtype=np.uint8)
    halve(plane, out)
    even = np.pad(plane, ((0, shape[0] % 2), (0, shape[1] % 2)), mode="edge").astype(int)
    expected = (even[::2, ::2] + even[1::2, ::2] + even[::2, 1::2] + even[1::2, 1::2] + 2) // 4
    np.testing.assert_array_equal(out, expected)


@pytest.mark.usefixtures("_small")
class TestAgainstThePlainTwin:
    @pytest.mark.parametrize("orientation", range(1, 9))
    def test_every_level_in_every_orientation(self, tmp_path: Path, orientation: int) -> None:
        ref = frame(tmp_path / "a.png", picture(211, 147), orientation)
        upright = np.asarray(pyvips.Image.new_from_file(ref.uri).autorot().numpy())
        ensure_pyramid(ref, tmp_path / "a.zarr")
        opened = Pyramid.open(tmp_path / "a.zarr")
        expected = plain_levels(upright)
        assert opened.level_sizes == tuple((level.shape[1], level.shape[0]) for level in expected)
        for level, pixels in enumerate(expected):
            np.testing.assert_array_equal(whole_level(opened, level), pixels)

    @pytest.mark.parametrize("size", [(1, 1), (40, 24), (41, 24), (64, 64), (32, 200), (500, 3), (3, 500), (65, 97)])
    @pytest.mark.parametrize("orientation", [1, 3, 6])
    @pytest.mark.parametrize("strip_bytes", [1, 10_000, 2**24])
    def test_sizes_and_strips(
        self,
        tmp_path: Path,
        size: tuple[int, int],
        orientation: int,
        strip_bytes: int,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(strip, "STRIP_BYTES", strip_bytes)
        ref = frame(tmp_path / "a.png", picture(*size), orientation)
        upright = np.asarray(pyvips.Image.new_from_file(ref.uri).autorot().numpy())
        ensure_pyramid(ref, tmp_path / "a.zarr")
        opened = Pyramid.open(tmp_path / "a.zarr")
        for level, pixels in enumerate(plain_levels(upright)):
            np.testing.assert_array_equal(whole_level(opened, level), pixels)

    def test_blocks_of_the_plan(self, tmp_path: Path) -> None:
        pixels = picture(211, 147)
        ref = frame(tmp_path / "a.png", pixels)
        ensure_pyramid(ref, tmp_path / "a.zarr")
        opened, levels = Pyramid.open(tmp_path / "a.zarr"), plain_levels(pixels)
        blocks = uniform_plan(211, 147, block_width=40, block_height=24)
        assert {block.level for block in blocks} == set(range(len(levels)))
        for block in blocks:
            found, scale = opened.read_block(block), 2**block.level
            x, y = int(block.grid.window.x0) // scale, int(block.grid.window.y0) // scale
            assert found.shape == (block.grid.raster_height, block.grid.raster_width, 3)
            assert found.flags.c_contiguous
            assert found.flags.writeable
            np.testing.assert_array_equal(found, levels[block.level][y : y + found.shape[0], x : x + found.shape[1]])

    def test_each_shard_is_written_once_as_a_whole(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        regions: list[tuple[tuple[int, ...], tuple[slice, ...]]] = []
        plain = zarr.Array.__setitem__

        def spy(array: zarr.Array[Any], region: tuple[slice, ...], value: np.ndarray) -> None:
            regions.append((array.shape, region))
            plain(array, region, value)

        monkeypatch.setattr(zarr.Array, "__setitem__", spy)
        ensure_pyramid(frame(tmp_path / "a.png", picture(211, 147), 6), tmp_path / "a.zarr")
        for shape in {shape for shape, _ in regions}:
            columns = [region[2] for other, region in regions if other == shape]
            spans = sorted((part.start, part.stop) for part in columns)
            assert spans == [(x, min(x + 32, shape[2])) for x in range(0, shape[2], 32)]
            assert all(region[:2] == (slice(None), slice(None)) for other, region in regions if other == shape)


def test_real_chunks_and_shards(tmp_path: Path) -> None:
    pixels = picture(2100, 2500)
    ref = frame(tmp_path / "a.png", pixels)
    info = ensure_pyramid(ref, tmp_path / "a.zarr")
    opened = Pyramid.open(tmp_path / "a.zarr")
    for level, expected in enumerate(plain_levels(pixels)):
        np.testing.assert_array_equal(whole_level(opened, level), expected)
    array = zarr.open_array(str(tmp_path / "a.zarr" / "0"), mode="r")
    assert (array.chunks, array.shards) == ((3, 512, 512), (3, 2048, 2048))
    np.testing.assert_array_equal(np.moveaxis(np.asarray(array[...]), 0, 2), pixels)  # zarr's own pipeline reads it
    shard_bytes = sum(path.stat().st_size for path in (tmp_path / "a.zarr").glob("*/c/*/*/*"))
    assert (info.stored_bytes, info.level_sizes, info.reused) == (shard_bytes, level_sizes(2100, 2500), False)


def test_a_tiff_frame(tmp_path: Path) -> None:
    pixels = picture(900, 600)
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="rgb", tile=(256, 256), compression="zlib")
    ensure_pyramid(discover([str(tmp_path / "a.tif")])[0], tmp_path / "a.zarr")
    np.testing.assert_array_equal(whole_level(Pyramid.open(tmp_path / "a.zarr"), 1), plain_levels(pixels)[1])


def test_black_shards_have_no_file_and_are_not_missed(tmp_path: Path) -> None:
    pixels = np.zeros((2100, 2100, 3), dtype=np.uint8)
    pixels[2099, 2099] = 200
    ensure_pyramid(frame(tmp_path / "a.png", pixels), tmp_path / "a.zarr")
    assert [path.parts[-2:] for path in (tmp_path / "a.zarr" / "0" / "c").glob("*/*/*")] == [("1", "1")]
    np.testing.assert_array_equal(whole_level(Pyramid.open(tmp_path / "a.zarr"), 0), pixels)


def test_metadata_is_ome_zarr_0_5(tmp_path: Path) -> None:
    ensure_pyramid(frame(tmp_path / "a.png", picture(1700, 900)), tmp_path / "a.zarr")
    root = json.loads((tmp_path / "a.zarr" / "zarr.json").read_text())
    assert (root["zarr_format"], root["node_type"]) == (3, "group")
    ome = root["attributes"]["ome"]
    assert ome["version"] == "0.5"
    (multiscale,) = ome["multiscales"]
    types = [axis["type"] for axis in multiscale["axes"]]
    assert [axis["name"] for axis in multiscale["axes"]] == ["c", "y", "x"]
    assert sorted(types, key=["time", "channel", "space"].index) == types
    assert len(ome["omero"]["channels"]) == 3
    assert {"name", "type", "metadata"} <= multiscale.keys()
    shapes = []
    for level, dataset in enumerate(multiscale["datasets"]):
        node = json.loads((tmp_path / "a.zarr" / dataset["path"] / "zarr.json").read_text())
        assert (node["zarr_format"], node["node_type"], node["data_type"]) == (3, "array", "uint8")
        assert node["dimension_names"] == ["c", "y", "x"]
        scale, translation = dataset["coordinateTransformations"]
        assert (scale["type"], translation["type"]) == ("scale", "translation")
        assert scale["scale"] == [1.0, 2.0**level, 2.0**level]
        # The centre of the level's first pixel, in centres of level-0 pixels.
        assert translation["translation"] == [0.0, (2**level - 1) / 2, (2**level - 1) / 2]
        shapes.append(node["shape"])
    assert shapes == [[3, 900, 1700], [3, 450, 850], [3, 225, 425]]


@pytest.fixture(scope="module")
def _finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("finished")
    ensure_pyramid(frame(folder / "a.png", picture(2100, 600)), folder / "a.zarr")
    return folder / "a.zarr"


@pytest.fixture
def finished(_finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(_finished, tmp_path / "a.zarr"))


class TestOpening:
    def test_nothing_there(self, tmp_path: Path) -> None:
        with pytest.raises(StoreError, match="no pyramid there"):
            Pyramid.open(tmp_path / "a.zarr")

    def test_a_missing_shard(self, finished: Path) -> None:
        (finished / "0" / "c" / "0" / "0" / "1").unlink()
        with pytest.raises(StoreError, match="level 0 has 1 shards"):
            Pyramid.open(finished)

    def test_a_truncated_shard(self, finished: Path) -> None:
        shard = finished / "1" / "c" / "0" / "0" / "0"
        shard.write_bytes(shard.read_bytes()[:-1])
        with pytest.raises(StoreError, match="level 1 has"):
            Pyramid.open(finished)

    def test_a_damaged_shard_is_an_error_when_read(self, finished: Path) -> None:
        shard = finished / "0" / "c" / "0" / "0" / "0"
        data = bytearray(shard.read_bytes())
        data[-20:] = bytes(20)  # the shard's index and its checksum
        shard.write_bytes(data)
        opened = Pyramid.open(finished)
        with pytest.raises(StoreError, match="level 0 is damaged"):
            whole_level(opened, 0)

    @pytest.mark.parametrize("marker", [None, {}, {"complete": False, "shards": 2, "bytes": 5}])
    def test_a_level_without_its_marker(self, finished: Path, marker: object) -> None:
        path = finished / "2" / "zarr.json"
        node = json.loads(path.read_text())
        node["attributes"] = {} if marker is None else {"mili": marker}
        path.write_text(json.dumps(node))
        with pytest.raises(StoreError, match="level 2 was never finished"):
            Pyramid.open(finished)

    def test_a_level_that_is_gone(self, finished: Path) -> None:
        shutil.rmtree(finished / "1")
        with pytest.raises(StoreError, match="no pyramid there"):
            Pyramid.open(finished)

    def test_another_version_and_no_json(self, finished: Path) -> None:
        path = finished / "zarr.json"
        node = json.loads(path.read_text())
        node["attributes"]["mili"]["format"] = 999
        path.write_text(json.dumps(node))
        with pytest.raises(StoreError, match="not a pyramid of this version"):
            Pyramid.open(finished)
        path.write_text("{")
        with pytest.raises(StoreError, match=r"zarr\.json cannot be read"):
            Pyramid.open(finished)

    def test_is_cheap(self, finished: Path) -> None:
        Pyramid.open(finished)
        start = time.perf_counter()
        for _ in range(5):
            Pyramid.open(finished)
        assert (time.perf_counter() - start) / 5 < 0.2


class TestReading:
    def test_outside_the_level_or_the_pyramid(self, finished: Path) -> None:
        opened = Pyramid.open(finished)
        for grid, level in [
            (level_grid(0, 1269, 0, 832, 512), 0),
            (level_grid(0, 0, 89, 832, 512), 0),
            (PixelGrid(Window(-1.0, 0.0, 831.0, 512.0), 832, 512), 0),
            (level_grid(9, 0, 0, 1, 1), 9),
            (level_grid(0, 1, 0, 4, 4), 1),
        ]:
            with pytest.raises(StoreError, match="block odd"):
                opened.read_block(Block("odd", level, grid, grid.window))
        grid = level_grid(0, 1268, 88, 832, 512)
        assert opened.read_block(Block("last", 0, grid, grid.window)).shape == (512, 832, 3)

    @pytest.mark.parametrize("max_side", [1, 50, 525, 1000, 2099, 2100, 5000])
    def test_thumbnail(self, finished: Path, max_side: int) -> None:
        image, scale = Pyramid.open(finished).thumbnail(max_side)
        assert image.dtype == np.uint8
        assert scale == min(1.0, max_side / 2100)
        assert image.shape == (max(1, round(600 * scale)), round(2100 * scale), 3)

    def test_a_thumbnail_shows_things_where_its_scale_says(self, tmp_path: Path) -> None:
        pixels = np.zeros((1400, 2000, 3), dtype=np.uint8)
        pixels[900:1000, 1500:1700, 1] = 255
        ensure_pyramid(frame(tmp_path / "a.png", pixels), tmp_path / "a.zarr")
        image, scale = Pyramid.open(tmp_path / "a.zarr").thumbnail(300)
        rows, columns = np.nonzero(image[..., 1] > 127)
        found = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])
        np.testing.assert_allclose(found, np.array([1500, 900, 1700, 1000]) * scale, atol=1.0)

    def test_thumbnail_needs_a_size(self, finished: Path) -> None:
        with pytest.raises(ValueError, match="max_side is 0"):
            Pyramid.open(finished).thumbnail(0)


class TestEnsuring:
    def test_reuses_what_was_made_from_the_same_file_only(self, tmp_path: Path) -> None:
        path = tmp_path / "out" / "deep" / "a.zarr"
        ref = frame(tmp_path / "a.png", picture(900, 600, seed=1))
        assert not ensure_pyramid(ref, path).reused
        inode = path.stat().st_ino
        again = ensure_pyramid(ref, path)
        assert again.reused
        assert path.stat().st_ino == inode
        assert not ensure_pyramid(ref, path, overwrite=True).reused
        assert path.stat().st_ino != inode
        other = picture(900, 600, seed=2)
        ref = frame(tmp_path / "a.png", other)
        assert not ensure_pyramid(ref, path).reused
        np.testing.assert_array_equal(whole_level(Pyramid.open(path), 0), other)
        os.utime(tmp_path / "a.png", ns=(1, 1))
        assert not ensure_pyramid(ref, path).reused
        assert sorted(item.name for item in path.parent.iterdir()) == [".a.zarr.lock", "a.zarr"]

    def test_replaces_a_damaged_one(self, tmp_path: Path) -> None:
        ref, path = frame(tmp_path / "a.png", picture(900, 600)), tmp_path / "a.zarr"
        ensure_pyramid(ref, path)
        (path / "0" / "c" / "0" / "0" / "0").unlink()
        assert not ensure_pyramid(ref, path).reused
        Pyramid.open(path)

    def test_never_replaces_what_is_not_its_own(self, tmp_path: Path) -> None:
        ref = frame(tmp_path / "a.png", picture(90, 60))
        (tmp_path / "folder").mkdir()
        (tmp_path / "folder" / "thesis.txt").write_text("x")
        (tmp_path / "file").write_text("x")
        zarr.create_group(str(tmp_path / "other.zarr"))
        for name in ("folder", "file", "other.zarr"):
            with pytest.raises(StoreError, match="in the way"):
                ensure_pyramid(ref, tmp_path / name, overwrite=True)
        assert (tmp_path / "folder" / "thesis.txt").read_text() == "x"

    def test_a_bad_frame_leaves_nothing_and_keeps_what_was_there(self, tmp_path: Path) -> None:
        source, path = tmp_path / "a.png", tmp_path / "out" / "a.zarr"
        ref = frame(source, picture(900, 600))
        whole = source.read_bytes()
        source.write_bytes(whole[: len(whole) // 2])
        with pytest.raises(ImageError, match=r"a\.png"):
            ensure_pyramid(ref, path)
        assert [item.name for item in path.parent.iterdir()] == [".a.zarr.lock"]
        source.write_bytes(whole)
        ensure_pyramid(ref, path)
        source.write_bytes(whole[: len(whole) // 2])
        with pytest.raises(ImageError):
            ensure_pyramid(ref, path)
        Pyramid.open(path)
        source.unlink()
        with pytest.raises(MissingFileError):
            ensure_pyramid(ref, path)

    def test_clears_what_a_dead_writer_left(self, tmp_path: Path) -> None:
        leftover = tmp_path / ".a.zarr.0123.unfinished"
        neighbour = tmp_path / ".b.zarr.0123.unfinished"
        for folder in (leftover, neighbour):
            (folder / "0").mkdir(parents=True)
        ensure_pyramid(frame(tmp_path / "a.png", picture(90, 60)), tmp_path / "a.zarr")
        assert not leftover.exists()
        assert neighbour.exists()

    def test_a_full_disk_is_one_line(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(array: zarr.Array[Any], region: tuple[slice, ...], value: np.ndarray) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(zarr.Array, "__setitem__", fail)
        with pytest.raises(StoreError, match="No space left on device"):
            ensure_pyramid(frame(tmp_path / "a.png", picture(90, 60)), tmp_path / "a.zarr")
        assert not (tmp_path / "a.zarr").exists()
        assert not list(tmp_path.glob(".a.zarr.*.unfinished"))


def _ensure_in_child(uri: str, path: str, results: "multiprocessing.Queue[bool]") -> None:
    results.put(ensure_pyramid(discover([uri])[0], Path(path)).reused)


def test_two_processes_at_once_build_once(tmp_path: Path) -> None:
    pixels = picture(2500, 2200)
    ref = frame(tmp_path / "a.png", pixels)
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    children = [
        context.Process(target=_ensure_in_child, args=(ref.uri, str(tmp_path / "a.zarr"), results)) for _ in range(2)
    ]
    for child in children:
        child.start()
    reused = sorted(results.get(timeout=120) for _ in children)
    for child in children:
        child.join(timeout=30)
    assert reused == [False, True]
    np.testing.assert_array_equal(whole_level(Pyramid.open(tmp_path / "a.zarr"), 0), pixels)
