"""The truth of a synthetic scene, SCENE/truth/people.parquet: the people columns that truth has, plus its own.

Units and frames as in `schemas.people`; `transl` puts the body model's skinned vertices into the scene camera.
Everybody of whom at least one sample is seen has a row.

Each px of the frame has `supersample` x `supersample` samples (see `TruthMetadata`); sample (column, row) of the
frame's grid lies in px (column // supersample, row // supersample). Boxes, fractions and masks are counted on this one
grid: a sample of `amodal_rle` is either in `visible_rle` or hidden, by somebody or something nearer. Outlines are drawn
around the same masks and cut the corners of samples. SCENE/truth/visible_id.tif holds the same at one value a px, see
`VISIBLE_ID_MEANING`.
"""

from __future__ import annotations

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field

from schemas.people import (
    CONVENTIONS,
    JOINT_NAMES,
    PEOPLE_SCHEMA,
    SCHEMA_MINOR,
    SCHEMA_VERSION,
    GroundFit,
    check_columns,
    check_person_ids,
    column,
)

NOT_IN_TRUTH = (
    "run_id",
    "score",
    "mask_score",
    "block_id",
    "block_level",
    "block_bbox",
    "merged_from",
    "cam_crop",
    "crop_bbox",
    "transl_block",
    "global_orient_block",
    "stitched",
)
"""People columns that say how a result was found; truth was not found."""

VISIBLE_ID_MEANING = (
    "truth/visible_id.tif, uint16, one value a px: person_id + 1 of who is seen, 0 for nobody (the backdrop, an "
    "object, something carried). Each px has the value that most of its samples have; of values that equally many "
    "have, the least."
)
"""What SCENE/truth/visible_id.tif says."""

_RUNS = "lengths of runs of samples out of and in the mask in turn, out first, row by row through mask_window"

TRUTH_SCHEMA: pa.Schema = pa.schema(
    [
        *(field for field in PEOPLE_SCHEMA if field.name not in NOT_IN_TRUTH),
        column(
            "silhouette_area_px",
            pa.float32(),
            "frame px^2",
            "area of the whole silhouette, hidden parts and parts beyond the frame included",
            nullable=False,
            minimum=0,
        ),
        column("depth_m", pa.float32(), "m", "depth of the pelvis in the scene camera", nullable=False, minimum=0),
        column(
            "amodal_geometry",
            pa.binary(),
            "frame px",
            "outline of the silhouette inside the frame, hidden parts included, WKB Polygon or MultiPolygon",
            nullable=False,
        ),
        column(
            "mask_window",
            pa.list_(pa.int32(), 4),
            "samples",
            "half-open xyxy bounds of the silhouette inside the frame, on the frame's sample grid",
            nullable=False,
            minimum=0,
        ),
        column("visible_rle", pa.list_(pa.uint32()), "samples", f"what is seen: {_RUNS}", nullable=False),
        column("amodal_rle", pa.list_(pa.uint32()), "samples", f"what is seen or hidden: {_RUNS}", nullable=False),
        column("pose_kind", pa.string(), "", 'generator of the pose, or "clip"', nullable=False),
        column("child", pa.bool_(), "", "the body is a child's", nullable=False),
    ]
)
"""Every column in file order."""


class TruthMetadata(BaseModel):
    """What a truth file says about itself, as JSON under the Parquet metadata key "mili". It holds no times."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: int = SCHEMA_VERSION
    schema_minor: int = SCHEMA_MINOR
    package_version: str
    generator_version: int = Field(description="steps when the same seed gives another scene")
    seed: int
    preset: str = Field(description="kind of scene")
    body_name: str
    body_sha256: str
    frame_width: int = Field(gt=0, description="px")
    frame_height: int = Field(gt=0, description="px")
    supersample: int = Field(gt=0, description="samples along each side of a px; masks and boxes are exact on them")
    joint_names: tuple[str, ...] = JOINT_NAMES
    conventions: str = CONVENTIONS
    ground: GroundFit


def check_truth(table: pa.Table) -> pa.Table:
    """Gives `table` in exactly `TRUTH_SCHEMA` (its file metadata kept) when it keeps to it.

    Raises:
        SchemaError: a column is missing, unknown, of another type, null where it may not be, not finite or out of
            range; person ids have gaps or repeat; the schema version is another one.
    """
    checked = check_columns(table, TRUTH_SCHEMA, "truth table")
    check_person_ids(checked, "truth table")
    return checked
