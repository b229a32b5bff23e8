"""The ledger of blocks: one row for every block of every frame that was planned and tried."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from schemas.people import BLOCK_BOX, SchemaError, check_columns, column

DONE = "done"
FAILED = "failed"

BLOCKS_SCHEMA: pa.Schema = pa.schema(
    [
        column("scene_id", pa.string(), "", "scene of the frame", nullable=False),
        column("frame_id", pa.int32(), "", "frame in the scene", nullable=False, minimum=0),
        column("run_id", pa.string(), "", "hash of config, weights and input", nullable=False),
        column("block_id", pa.string(), "", "block, unique in the frame", nullable=False),
        column("level", pa.uint8(), "", "pyramid level that was read (0 = full size)", nullable=False),
        column("window", BLOCK_BOX, "frame px", "window of the block, rounded outward", nullable=False),
        column("status", pa.string(), "", '"done", also without people, or "failed"', nullable=False),
        column("seconds", pa.float32(), "s", "time spent: its share of the batch", nullable=False, minimum=0),
        column("detections", pa.int32(), "", "people found in the block, before merging", nullable=False, minimum=0),
        column("error", pa.string(), "", "one line, null where the block is done", nullable=True),
        column("attempt", pa.int32(), "", "1 = first try", nullable=False, minimum=1),
    ]
)


def check_blocks(table: pa.Table) -> pa.Table:
    """Gives `table` in exactly `BLOCKS_SCHEMA` when it keeps to it.

    Raises:
        SchemaError: names the column and what is wrong; status is another word, or error does not go with it.
    """
    checked = check_columns(table, BLOCKS_SCHEMA, "blocks table")
    known = pc.is_in(checked["status"], value_set=pa.array([DONE, FAILED]))
    if not pc.all(known, min_count=0).as_py():
        raise SchemaError(f"blocks table: column 'status' holds a word other than {DONE!r} and {FAILED!r}")
    failed = pc.equal(checked["status"], FAILED)
    if not pc.all(pc.equal(failed, pc.is_valid(checked["error"])), min_count=0).as_py():
        raise SchemaError("blocks table: column 'error' must be filled exactly where status is 'failed'")
    return checked
