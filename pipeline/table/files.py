"""People files: one a frame, whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from mili_core.errors import MissingFileError, StoreError
from pipeline.storage import atomic_file, store_access
from pipeline.types import FrameRef
from schemas.people import DICTIONARY_COLUMNS, PEOPLE_SCHEMA, check, check_columns

PART_NAME = "part-0.parquet"
ROW_GROUP_ROWS = 65_536


def write_people(table: pa.Table, frame: FrameRef, out: Path) -> Path:
    """Writes a frame's table, whole or not at all, in place of every older file of that frame, and gives its path.

    Equal tables give equal bytes.

    Args:
        table: from `people_table`.
        frame: the frame that it belongs to.
        out: the run's output folder; the file is OUT/people/scene_id=…/frame_id=…/part-0.parquet.

    Raises:
        StoreError: the rows are of another frame, or the file cannot be written.
    """
    checked = check(table)
    keys = set(zip(checked["scene_id"].to_pylist(), checked["frame_id"].to_pylist(), strict=True))
    for scene_id, frame_id in sorted(keys - {(frame.scene_id, frame.frame_id)}):
        where = f"scene {frame.scene_id!r} frame {frame.frame_id}"
        raise StoreError(f"{where}: the table holds rows of scene {scene_id!r} frame {frame_id}; write them there")
    folder = out / "people" / f"scene_id={frame.scene_id}" / f"frame_id={frame.frame_id}"
    path = folder / PART_NAME
    with atomic_file(path) as file:
        pq.write_table(
            checked,
            file,
            compression="zstd",
            use_dictionary=list(DICTIONARY_COLUMNS),
            row_group_size=ROW_GROUP_ROWS,
        )
    with store_access(folder, "written"):
        for other in folder.glob("*.parquet"):
            if other != path:
                other.unlink()
    return path


def read_people(path: Path, filters: pc.Expression | None = None) -> pa.Table:
    """Gives the checked people of a run's output folder, of one of its subfolders or of one file, sorted by their keys.

    Args:
        path: OUT, OUT/people, a folder under it, or a file.
        filters: pushed down to the files, for example `pc.field("height_px") > 100`; person_id then has gaps.

    Returns:
        A table in `PEOPLE_SCHEMA`; with file metadata where it comes from one file only.

    Raises:
        MissingFileError: there is no people file.
        StoreError: a folder cannot be listed or a file cannot be read as Parquet.
    """
    with store_access(path, "read"):
        people = path / "people"
        root = people if people.is_dir() else path
        files = [root] if root.is_file() else sorted(root.rglob(PART_NAME))
    if not files:
        raise MissingFileError(f"{path}: no people files here; give the output folder of a run")
    tables = [_read_file(file, filters) for file in files]
    whole = tables[0] if len(tables) == 1 else pa.concat_tables([t.replace_schema_metadata(None) for t in tables])
    return whole.sort_by([(key, "ascending") for key in ("scene_id", "frame_id", "person_id")])


def _read_file(file: Path, filters: pc.Expression | None) -> pa.Table:
    try:
        table = pq.read_table(file, filters=filters, partitioning=None)
    except (pa.ArrowException, OSError) as error:
        raise StoreError(f"{file}: not a readable people file ({error}); run the frame again") from error
    return check(table) if filters is None else check_columns(table, PEOPLE_SCHEMA, str(file))
