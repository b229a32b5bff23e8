from __future__ import annotations

import os
import pickle
from dataclasses import fields
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from mili_core.errors import StoreError
from pipeline.ledger import (
    BlockRow,
    Ledger,
    blocks_table,
    detections_to_table,
    table_to_detections,
    write_blocks,
)
from pipeline.storage import TEMPORARY_PREFIX
from pipeline.types import Bodies, SceneDetections
from schemas.blocks import BLOCKS_SCHEMA, check_blocks
from tests.people_scenes import BLOCKS, FRAME, random_views


def rows_for(count: int) -> list[BlockRow]:
    """Gives the rows of a batch of three blocks: `count` people in the first, none in the second, a failure."""
    return [
        BlockRow.done(BLOCKS[0], seconds=0.25, detections=count),
        BlockRow.done(BLOCKS[1], seconds=0.25, detections=0),
        BlockRow.failed(BLOCKS[2], seconds=0.5, error="boom\ntraceback", attempt=3),
    ]


def same_bits(first: object, second: object) -> bool:
    """True where two fields are equal to the last bit, types included."""
    if isinstance(first, Bodies) and isinstance(second, Bodies):
        return all(same_bits(getattr(first, f.name), getattr(second, f.name)) for f in fields(Bodies))
    if isinstance(first, np.ndarray) and isinstance(second, np.ndarray):
        if first.dtype == object:
            return list(shapely.to_wkb(first)) == list(shapely.to_wkb(second)) and second.dtype == object
        return first.dtype == second.dtype and first.shape == second.shape and first.tobytes() == second.tobytes()
    return first is None and second is None


def same(first: SceneDetections, second: SceneDetections) -> bool:
    return all(same_bits(getattr(first, f.name), getattr(second, f.name)) for f in fields(SceneDetections))


def floats(dtype: type[np.floating], *shape: int) -> st.SearchStrategy[np.ndarray]:
    width = 32 if dtype is np.float32 else 64
    values = st.floats(allow_nan=False, allow_infinity=False, width=width)  # type: ignore[arg-type]
    return arrays.arrays(dtype, shape, elements=values, fill=values)


polygon = st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6), st.floats(0.5, 1e4)).map(
    lambda p: shapely.Point(p[0], p[1]).buffer(p[2], quad_segs=2)
)
geometry = st.none() | polygon | st.lists(polygon, max_size=3).map(lambda p: shapely.MultiPolygon(p[:1]))


@st.composite
def some_views(draw: st.DrawFn) -> SceneDetections:
    count = draw(st.integers(0, 3))
    outlines = np.full(count, None, dtype=object)
    for n in range(count):
        outlines[n] = draw(geometry)
    f32, f64 = np.float32, np.float64
    bodies = st.builds(
        Bodies, floats(f32, count, 24, 3, 3), floats(f32, count, 10), floats(f32, count, 3),
        floats(f64, count, 4), floats(f32, count, 3), floats(f32, count, 24, 3),
    )  # fmt: skip
    return SceneDetections(
        draw(floats(f64, count, 4)),
        draw(floats(f32, count)),
        draw(arrays.arrays(np.int64, count, elements=st.integers(-(2**62), 2**62))),
        outlines if draw(st.booleans()) else None,
        draw(st.none() | floats(f32, count)),
        draw(st.none() | floats(f32, count, 24, 3)),
        draw(st.none() | floats(f32, count)),
        draw(st.none() | bodies),
    )


@settings(max_examples=60, deadline=None)
@given(some_views())
def test_every_field_comes_back_to_the_last_bit(views: SceneDetections) -> None:
    assert same(views, table_to_detections(detections_to_table(views)))


@settings(max_examples=15, deadline=None)
@given(some_views())
def test_every_field_comes_back_from_disk(tmp_path_factory: pytest.TempPathFactory, views: SceneDetections) -> None:
    ledger = Ledger(tmp_path_factory.mktemp("ledger"), "run")
    ledger.write_batch(0, rows_for(len(views)), views)
    (part,) = ledger.read_parts()
    assert same(views, part.detections)


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "ledger", "abc123")


def write(ledger: Ledger, batch_id: int, count: int = 4) -> SceneDetections:
    views = random_views(np.random.default_rng(batch_id), count)
    ledger.write_batch(batch_id, rows_for(count), views)
    return views


def test_nothing_is_finished_at_first(ledger: Ledger) -> None:
    assert ledger.finished_batches() == frozenset()
    assert ledger.read_parts() == ()
    assert not ledger.folder.exists()


def test_parts_come_in_order_with_their_rows(ledger: Ledger) -> None:
    written = {batch: write(ledger, batch, count) for batch, count in ((12, 3), (2, 0), (100_000_000, 5))}
    parts = ledger.read_parts()
    assert [part.batch_id for part in parts] == [2, 12, 100_000_000]
    assert ledger.finished_batches() == {2, 12, 100_000_000}
    for part in parts:
        assert same(part.detections, written[part.batch_id])
        assert list(part.rows) == rows_for(len(part.detections))
        assert [row.error for row in part.failures] == ["boom"]


def test_batches_with_failures_can_be_tried_again(ledger: Ledger) -> None:
    write(ledger, 0)
    ledger.write_batch(1, [BlockRow.done(BLOCKS[0], seconds=0.1, detections=0)], SceneDetections.empty())
    assert ledger.finished_batches() == {0, 1}
    assert ledger.finished_batches(retry_failed=True) == {1}


def test_writing_again_replaces(ledger: Ledger) -> None:
    write(ledger, 0, 4)
    second = random_views(np.random.default_rng(9), 2)
    ledger.write_batch(0, rows_for(2), second)
    (part,) = ledger.read_parts()
    assert same(part.detections, second)


def test_run_keys_never_mix(ledger: Ledger) -> None:
    write(ledger, 0)
    other = Ledger(ledger.folder, "def456")
    assert other.finished_batches() == frozenset()
    write(other, 1)
    assert ledger.finished_batches() == {0}
    # Even files that were moved by hand are told apart.
    for path in (ledger.folder / "abc123").iterdir():
        path.rename(ledger.folder / "def456" / path.name)
    assert other.finished_batches() == {1}


@pytest.mark.parametrize("key", ["", "../x", "a b", "a/b"])
def test_a_run_key_is_a_plain_name(tmp_path: Path, key: str) -> None:
    with pytest.raises(ValueError, match="run_key"):
        Ledger(tmp_path, key)


def files(ledger: Ledger) -> list[Path]:
    return sorted((ledger.folder / ledger.run_key).iterdir())


@pytest.mark.parametrize("name", ["blocks", "people"])
def test_damaged_parts_count_as_not_done(ledger: Ledger, name: str) -> None:
    write(ledger, 0)
    write(ledger, 1)
    (path,) = [p for p in files(ledger) if p.name == f"batch-00000001.{name}.parquet"]
    whole = path.read_bytes()
    damaged = [b"", b"PAR1", whole[:-1], whole[: len(whole) // 2], whole + b"x", b"\0" * len(whole)]
    damaged += [whole[:at] + bytes([whole[at] ^ 0x10]) + whole[at + 1 :] for at in (len(whole) // 3, len(whole) - 6)]
    for content in damaged:
        path.write_bytes(content)
        assert ledger.finished_batches() == {0}, content[:20]
    path.unlink()
    assert ledger.finished_batches() == {0}
    write(ledger, 1)
    assert ledger.finished_batches() == {0, 1}


@pytest.fixture(scope="module")
def one_batch(tmp_path_factory: pytest.TempPathFactory) -> tuple[Ledger, SceneDetections]:
    ledger = Ledger(tmp_path_factory.mktemp("ledger"), "run")
    return ledger, write(ledger, 0)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_no_flipped_byte_changes_what_is_read(one_batch: tuple[Ledger, SceneDetections], data: st.DataObject) -> None:
    ledger, views = one_batch
    path = data.draw(st.sampled_from(files(ledger)))
    whole = path.read_bytes()
    content = bytearray(whole)
    content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    parts = ledger.read_parts()
    path.write_bytes(whole)
    if parts:  # a flip may land where nothing of ours is stored, such as the writer's name
        assert same(parts[0].detections, views)
        assert list(parts[0].rows) == rows_for(4)


def test_parts_of_different_batches_cannot_be_crossed(ledger: Ledger) -> None:
    write(ledger, 0)
    write(ledger, 1)
    people = [p for p in files(ledger) if "people" in p.name]
    people[1].write_bytes(people[0].read_bytes())
    assert ledger.finished_batches() == {0}


def test_a_crash_between_the_two_files_leaves_the_batch_undone(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    write(ledger, 0)
    renames = []
    original = Path.replace

    def dying(self: Path, target: Path) -> Path:
        renames.append(target)
        if target.name.endswith("blocks.parquet"):
            raise KeyboardInterrupt
        return original(self, target)

    monkeypatch.setattr(Path, "replace", dying)
    with pytest.raises(KeyboardInterrupt):
        write(ledger, 0, 2)
    monkeypatch.undo()
    assert [path.name.split(".")[1] for path in renames] == ["people", "blocks"]
    assert ledger.finished_batches() == frozenset()
    assert not [p for p in files(ledger) if p.name.startswith(TEMPORARY_PREFIX)]


def test_unfinished_temporary_files_are_ignored(ledger: Ledger) -> None:
    write(ledger, 3)
    for path in files(ledger):
        (path.parent / (TEMPORARY_PREFIX + path.name)).write_bytes(path.read_bytes())
    assert ledger.finished_batches() == {3}


def test_counts_must_agree(ledger: Ledger) -> None:
    with pytest.raises(ValueError, match="rows count 4 detections, there are 3"):
        ledger.write_batch(0, rows_for(4), random_views(np.random.default_rng(0), 3))
    assert ledger.finished_batches() == frozenset()


def test_rows_say_what_they_can_mean() -> None:
    assert BlockRow.failed(BLOCKS[0], seconds=0, error="").error == "unknown error"
    done = BlockRow.done(BLOCKS[0], seconds=0, detections=1)
    for changes in ({"error": "x"}, {"status": "failed"}, {"status": "failed", "error": "x"}, {"status": "odd"}):
        values = {f.name: getattr(done, f.name) for f in fields(BlockRow)} | changes
        with pytest.raises(ValueError, match="BlockRow L0-a"):
            BlockRow(**values)


def test_ledger_and_rows_pickle(ledger: Ledger) -> None:
    assert pickle.loads(pickle.dumps((ledger, rows_for(2)))) == (ledger, rows_for(2))


def test_blocks_file(tmp_path: Path, ledger: Ledger) -> None:
    tables = [blocks_table(FRAME, "run", rows_for(4)), blocks_table(FRAME, "run", [])]
    path = tmp_path / "out" / "blocks.parquet"
    write_blocks(tables, path)
    table = check_blocks(pq.read_table(path))
    assert table.num_rows == 3
    assert table["status"].to_pylist() == ["done", "done", "failed"]
    assert table["window"][1].as_py() == {"xmin": 400, "ymin": 300, "xmax": 2064, "ymax": 1324}
    assert table["attempt"].to_pylist() == [1, 1, 3]
    write_blocks([], path)
    assert pq.read_table(path).schema.equals(BLOCKS_SCHEMA)


def test_files_are_readable_by_others(ledger: Ledger) -> None:
    write(ledger, 0)
    umask = os.umask(0)
    os.umask(umask)
    assert {path.stat().st_mode & 0o777 for path in files(ledger)} == {0o666 & ~umask}


def test_a_folder_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "key").touch()
    ledger = Ledger(tmp_path, "key")
    assert ledger.read_parts() == ()
    with pytest.raises(StoreError, match=r"batch-00000000\.blocks\.parquet: cannot be written") as error:
        ledger.write_batch(0, rows_for(0), SceneDetections.empty())
    assert "\n" not in str(error.value)


def test_a_folder_that_cannot_be_listed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "glob", refused)
    with pytest.raises(StoreError, match=r"key: cannot be read \(Permission denied\)"):
        Ledger(tmp_path, "key").read_parts()
