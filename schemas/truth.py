"""The truth of a synthetic scene, SCENE/truth/people.parquet: the people columns that truth has, plus its own.

Units and frames as in `schemas.people`; `transl` puts the body model's skinned vertices into the scene camera.
Everybody of whom at least one sample is seen has a row.
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
    "stitched",
)
"""People columns that say how a result was found; truth was not found."""

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
