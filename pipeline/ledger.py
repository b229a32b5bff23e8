"""What is done: one committed part a batch, so that a rerun infers only what is missing.

A batch is written by whoever holds its results, an actor or the driver:

    ledger = Ledger(folder, run_key)             # picklable; makes no files until something is written
    done = ledger.finished_batches()             # batch ids to skip
    ledger.write_batch(batch_id, rows, detections)
    for part in ledger.read_parts(): ...         # ascending batch id: rows and detections

Layout: FOLDER/RUN_KEY/batch-00000012.people.parquet (the detections) and batch-00000012.blocks.parquet (one row a
block, those without people included). The rows file is written last and holds the digest of the people file: it is the
commit. A batch whose files are missing, truncated, altered or disagree with each other counts as not done, and writing
it again replaces them. Results of another run key lie in another folder and never mix.
"""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import shapely

from mili_core.errors import StoreError
from pipeline.columns import CORNERS, outward, windows
from pipeline.storage import atomic_file, store_access, write_bytes
from pipeline.types import Block, Bodies, FrameRef, SceneDetections, Window
from schemas.blocks import BLOCKS_SCHEMA, DONE, FAILED, check_blocks

LEDGER_VERSION = "1"
"""Steps when the layout of the parts changes; parts of another version count as not done."""

_VERSION_KEY, _DIGEST_KEY, _RUN_KEY = b"mili_ledger", b"people_sha256", b"run_key"
_PART_COLUMNS = ("block_id", "level", "window", "status", "seconds", "detections", "error", "attempt")


@dataclass(frozen=True, slots=True)
class BlockRow:
    """What became of one block.

    Attributes:
        block_id: of the block.
        level: pyramid level.
        window: frame px, rounded outward to whole pixels.
        status: "done" (also without people) or "failed".
        seconds: time spent on it.
        detections: people found in it.
        error: one line where it failed, else None.
        attempt: 1 = first try.
    """

    block_id: str
    level: int
    window: Window
    status: Literal["done", "failed"]
    seconds: float
    detections: int
    error: str | None = None
    attempt: int = 1

    def __post_init__(self) -> None:
        if self.status not in {DONE, FAILED} or (self.status == FAILED) != (self.error is not None):
            raise ValueError(f"BlockRow {self.block_id}: status {self.status!r} does not go with error {self.error!r}")
        if self.status == FAILED and self.detections:
            raise ValueError(f"BlockRow {self.block_id}: a failed block has no detections, got {self.detections}")

    @staticmethod
    def done(block: Block, *, seconds: float, detections: int, attempt: int = 1) -> BlockRow:
        """Gives the row of a block that was processed."""
        window = Window(*outward(block.grid.window))
        return BlockRow(block.id, block.level, window, "done", seconds, detections, None, attempt)

    @staticmethod
    def failed(block: Block, *, seconds: float, error: str, attempt: int = 1) -> BlockRow:
        """Gives the row of a block that could not be processed; `error` is cut to its first line."""
        line = next(iter(error.strip().splitlines()), "") or "unknown error"
        window = Window(*outward(block.grid.window))
        return BlockRow(block.id, block.level, window, "failed", seconds, 0, line, attempt)


@dataclass(frozen=True, slots=True, eq=False)
class BatchPart:
    """A finished batch.

    Attributes:
        batch_id: its number.
        rows: one for every block of the batch, in the order in which they were written.
        detections: people of all its blocks; block_index as it was written (index into the frame's plan).
    """

    batch_id: int
    rows: tuple[BlockRow, ...]
    detections: SceneDetections

    @property
    def failures(self) -> tuple[BlockRow, ...]:
        """The rows of blocks that failed."""
        return tuple(row for row in self.rows if row.status == FAILED)


@dataclass(frozen=True, slots=True)
class Ledger:
    """The finished batches of one frame under one run key.

    Attributes:
        folder: holds one subfolder a run key.
        run_key: hash of everything that shapes the detections (frame, config, weights, body); [A-Za-z0-9_-]+.
    """

    folder: Path
    run_key: str

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z0-9_-]+", self.run_key):
            raise ValueError(f"Ledger: run_key {self.run_key!r} must be letters, digits, _ and - only")

    def write_batch(self, batch_id: int, rows: Sequence[BlockRow], detections: SceneDetections) -> None:
        """Writes a batch durably and at once; an older part of the same batch is replaced.

        Args:
            batch_id: number of the batch in the fixed partition of the plan.
            rows: one for every block of the batch.
            detections: people of all these blocks.

        Raises:
            StoreError: the part cannot be written.
        """
        found = sum(row.detections for row in rows)
        if found != len(detections):
            raise ValueError(f"batch {batch_id}: rows count {found} detections, there are {len(detections)}")
        people = _to_parquet(detections_to_table(detections))
        digest = hashlib.sha256(people).hexdigest()
        notes = {_VERSION_KEY: LEDGER_VERSION.encode(), _DIGEST_KEY: digest.encode(), _RUN_KEY: self.run_key.encode()}
        commit = _to_parquet(_rows_to_table(rows).replace_schema_metadata(notes))
        with store_access(self._rows_path(batch_id), "written"):
            self._rows_path(batch_id).unlink(missing_ok=True)
        write_bytes(self._people_path(batch_id), people)
        write_bytes(self._rows_path(batch_id), commit)

    def read_batch(self, batch_id: int) -> BatchPart | None:
        """Gives a finished batch, or None where it is not there or damaged."""
        try:
            commit = _from_parquet(self._rows_path(batch_id).read_bytes())
            people = self._people_path(batch_id).read_bytes()
            notes = commit.schema.metadata or {}
            stated = (notes.get(_VERSION_KEY), notes.get(_RUN_KEY), notes.get(_DIGEST_KEY))
            digest = hashlib.sha256(people).hexdigest()
            if stated != (LEDGER_VERSION.encode(), self.run_key.encode(), digest.encode()):
                return None
            part = BatchPart(batch_id, _rows_from_table(commit), table_to_detections(_from_parquet(people)))
        except (OSError, ValueError, KeyError, TypeError, pa.ArrowException):
            return None  # whatever is wrong with a part, the remedy is to compute it again
        return part if sum(row.detections for row in part.rows) == len(part.detections) else None

    def finished_batches(self, *, retry_failed: bool = False) -> frozenset[int]:
        """Gives the ids of all batches that need not be computed; every one is read and verified.

        Args:
            retry_failed: leave out batches in which a block failed, so that they are tried again.
        """
        return frozenset(part.batch_id for part in self.read_parts() if not (retry_failed and part.failures))

    def read_parts(self) -> tuple[BatchPart, ...]:
        """Gives all finished batches in ascending order of their ids.

        Raises:
            StoreError: the folder cannot be listed.
        """
        parts = (self.read_batch(batch_id) for batch_id in self._batch_ids())
        return tuple(part for part in parts if part is not None)

    def _batch_ids(self) -> list[int]:
        with store_access(self._run_folder, "read"):
            files = [*self._run_folder.glob("batch-*")]
        names = (re.fullmatch(r"batch-(\d{8,})\.blocks\.parquet", file.name) for file in files)
        return sorted(int(name[1]) for name in names if name)

    @property
    def _run_folder(self) -> Path:
        return self.folder / self.run_key

    def _rows_path(self, batch_id: int) -> Path:
        return self._run_folder / f"batch-{batch_id:08d}.blocks.parquet"

    def _people_path(self, batch_id: int) -> Path:
        return self._run_folder / f"batch-{batch_id:08d}.people.parquet"


def blocks_table(frame: FrameRef, run_id: str, rows: Sequence[BlockRow]) -> pa.Table:
    """Gives the checked ledger table of one frame, one row a block in the order given.

    Raises:
        schemas.people.SchemaError: a row does not keep to the schema.
    """
    keys = {
        "scene_id": pa.repeat(pa.scalar(frame.scene_id), len(rows)),
        "frame_id": pa.repeat(pa.scalar(frame.frame_id, pa.int32()), len(rows)),
        "run_id": pa.repeat(pa.scalar(run_id), len(rows)),
    }
    part = _rows_to_table(rows)
    columns = [keys[name] if name in keys else part[name] for name in BLOCKS_SCHEMA.names]
    return check_blocks(pa.table(columns, schema=BLOCKS_SCHEMA))


def write_blocks(tables: Iterable[pa.Table], path: Path) -> None:
    """Writes the ledger tables of all frames of a run as one Parquet file, whole or not at all.

    Args:
        tables: from `blocks_table`, in the order in which they shall lie in the file.
        path: for example OUT/blocks.parquet.
    """
    whole = pa.concat_tables([BLOCKS_SCHEMA.empty_table(), *tables])
    with atomic_file(path) as file:
        pq.write_table(whole, file, compression="zstd", use_dictionary=["scene_id", "run_id", "status", "error"])


def detections_to_table(detections: SceneDetections) -> pa.Table:
    """Gives detections as an Arrow table that `table_to_detections` turns back exactly.

    Columns are named as the fields (those of `bodies` with the prefix "bodies."); fields that are None have no column.
    """
    columns = {f.name: getattr(detections, f.name) for f in fields(SceneDetections)}
    bodies = columns.pop("bodies")
    if bodies is not None:
        columns |= {f"bodies.{f.name}": getattr(bodies, f.name) for f in fields(Bodies)}
    outlines = columns.pop("outlines")
    arrays = {name: _to_arrow(array) for name, array in columns.items() if array is not None}
    if outlines is not None:
        arrays["outlines"] = pa.array(shapely.to_wkb(outlines).tolist(), type=pa.binary())
    shapes = {name: ",".join(map(str, columns[name].shape[1:])) for name in arrays if name in columns}
    return pa.table(arrays).replace_schema_metadata(shapes)


def table_to_detections(table: pa.Table) -> SceneDetections:
    """Gives the detections that `detections_to_table` stored.

    Raises:
        StoreError: the table is not one of those.
    """
    names, shapes = set(table.column_names), table.schema.metadata or {}

    def load(name: str) -> Any:  # noqa: ANN401 - dtype and shape differ by field
        return _to_numpy(table.column(name), shapes.get(name.encode(), b"").decode()) if name in names else None

    missing = {"boxes_frame", "scores", "block_index"} - names
    if missing:
        raise StoreError(f"ledger part has no column {min(missing)!r}; delete the part to compute it again")
    bodies = None
    if any(name.startswith("bodies.") for name in names):
        bodies = Bodies(*(load(f"bodies.{f.name}") for f in fields(Bodies)))
    outlines = None
    if "outlines" in names:
        outlines = shapely.from_wkb(np.array(table["outlines"].to_pylist(), dtype=np.object_))
    required = {f.name: load(f.name) for f in fields(SceneDetections) if f.name not in {"outlines", "bodies"}}
    return SceneDetections(**required, outlines=outlines, bodies=bodies)


def _to_arrow(array: np.ndarray[Any, np.dtype[Any]]) -> pa.Array:
    """Gives (N,) as a plain column and (N, ...) as fixed-size lists of the flattened rest."""
    flat = pa.array(np.ascontiguousarray(array).reshape(-1))
    if array.ndim == 1:
        return flat
    width = int(np.prod(array.shape[1:]))
    return pa.FixedSizeListArray.from_arrays(flat, width)


def _to_numpy(column: pa.ChunkedArray, shape: str) -> np.ndarray[Any, np.dtype[Any]]:
    """Gives the array that `_to_arrow` stored; `shape` is that of one row, comma-separated."""
    rest = tuple(int(length) for length in shape.split(",") if length)
    combined = column.combine_chunks()
    if combined.null_count:
        raise StoreError("ledger part has nulls where numbers belong; delete the part to compute it again")
    flat = combined.flatten() if pa.types.is_fixed_size_list(combined.type) else combined
    return np.array(flat.to_numpy(zero_copy_only=False)).reshape(len(column), *rest)


def _rows_to_table(rows: Sequence[BlockRow]) -> pa.Table:
    """Gives rows as the columns of `BLOCKS_SCHEMA` without the keys of the frame."""
    schema = pa.schema([BLOCKS_SCHEMA.field(name) for name in _PART_COLUMNS])
    columns = [
        windows([row.window for row in rows])
        if field.name == "window"
        else pa.array([getattr(row, field.name) for row in rows], type=field.type)
        for field in schema
    ]
    return pa.table(columns, schema=schema)


def _rows_from_table(table: pa.Table) -> tuple[BlockRow, ...]:
    """Gives the rows that `_rows_to_table` stored."""
    rows = table.select(_PART_COLUMNS).to_pylist()
    return tuple(BlockRow(**row | {"window": Window(*(float(row["window"][c]) for c in CORNERS))}) for row in rows)


def _to_parquet(table: pa.Table) -> bytes:
    """Gives the bytes of a Parquet file whose pages carry checksums."""
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd", use_dictionary=False, write_page_checksum=True)
    return sink.getvalue()


def _from_parquet(data: bytes) -> pa.Table:
    """Gives the table in the bytes of a Parquet file; parts are small, threads would only cost time."""
    return pq.ParquetFile(io.BytesIO(data), page_checksum_verification=True).read(use_threads=False)
