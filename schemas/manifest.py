"""The manifest of a run: what ran, on what, what came out and what did not."""

from __future__ import annotations

from collections import Counter
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

from schemas.people import SCHEMA_MINOR, SCHEMA_VERSION

MANIFEST_VERSION = 1
"""Steps when a field changes its meaning or goes."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Model(_Part):
    """Which weights and which body gave the results."""

    name: str
    weights_sha256: str = Field(description='hex digest, "" for a model without a file')
    body_name: str
    body_sha256: str


class BlockCounts(_Part):
    """Blocks of a frame; planned = done + failed once the frame is finished."""

    planned: int = Field(ge=0)
    done: int = Field(ge=0)
    failed: int = Field(ge=0)
    reused: int = Field(default=0, ge=0, description="of those done: taken from an earlier run's ledger")

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        if self.done + self.failed != self.planned:
            raise ValueError(f"{self.done} done + {self.failed} failed blocks, but {self.planned} were planned")
        if self.reused > self.done:
            raise ValueError(f"{self.reused} blocks reused, but only {self.done} are done")
        return self


class DetectionCounts(_Part):
    """Views that went into the merge: total = kept + grouped + rejected."""

    total: int = Field(ge=0, description="views found in all blocks")
    kept: int = Field(ge=0, description="views chosen to stand for a person: the people of the table")
    grouped: int = Field(ge=0, description="further views of the same people")
    rejected: dict[str, int] = Field(default_factory=dict, description="dropped views by reason")

    @classmethod
    def of_merge(cls, total: int, people: int, reasons: tuple[str, ...]) -> Self:
        """Gives the counts of a merge of `total` views into `people` people, one reason for each rejected view."""
        by_reason = dict(sorted(Counter(reasons).items()))
        return cls(total=total, kept=people, grouped=total - people - len(reasons), rejected=by_reason)

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        rejected = sum(self.rejected.values())
        if self.kept + self.grouped + rejected != self.total or min(self.rejected.values(), default=0) < 0:
            raise ValueError(
                f"{self.kept} kept + {self.grouped} grouped + {rejected} rejected views, but there are {self.total}"
            )
        return self


class Failure(_Part):
    """A block that could not be processed."""

    block_id: str
    error: str = Field(description="one line")
    attempts: int = Field(ge=1)


class Coverage(_Part):
    """How much of the frame was looked at."""

    planned_share: float = Field(ge=0, le=1, description="share of the frame's area under a planned block's window")
    done_share: float = Field(ge=0, le=1, description="share of the frame's area under a finished block's window")


class GroundPlane(_Part):
    """The plane that a frame's people stand on."""

    normal: tuple[float, float, float] = Field(
        description="unit vector square to it, from the ground up; camera axes: x right, y down, z forward"
    )
    camera_height_m: float = Field(description="of the camera over the plane")
    pitch_deg: float = Field(description="how far the camera looks down")
    roll_deg: float = Field(description="of the camera about its axis; positive turns the picture clockwise")
    tilt_error_deg: float = Field(ge=0, description="standard error of the normal")
    standing: int = Field(ge=0, description="people who stand and are seen from head to foot")
    inlier_share: float = Field(ge=0, le=1, description="of those: who agree with the plane")
    scale_source: Literal["bodies", "standing height"] = Field(
        description='"standing height" where the betas say nothing and an ordinary adult counts as 1.7 m'
    )


class Camera(_Part):
    """The one camera that a frame's people are placed in, and how far it is to be trusted."""

    focal_px: float = Field(gt=0, description="frame px")
    focal_source: Literal["flag", "metadata", "estimate", "default"]
    focal_spread: float | None = Field(
        default=None, ge=0, description="standard error of an estimated focal length, as a share of it"
    )
    focal_reason: str = Field(default="", description="why the focal length was not estimated where it is the default")
    principal_x: float = Field(description="frame px")
    principal_y: float = Field(description="frame px")
    placed: int = Field(ge=0, description="people who have a place in it")
    reprojection_px: float | None = Field(
        default=None, ge=0, description="median over them: distance of the placed joints from joints2d, frame px"
    )
    ground: GroundPlane | None = Field(default=None, description="null where no plane is trusted")
    ground_reason: str = Field(default="", description="why not")


class HeightLine(_Part):
    """Height of people in frame px, from where their feet are: per_x * x + per_y * y + offset."""

    per_x: float = Field(description="0 for a level camera")
    per_y: float = Field(ge=0, description="body heights in a camera height")
    offset: float = Field(description="frame px")
    log_sigma: float = Field(ge=0, description="spread of log(height / line) of the people on the line")
    people: int = Field(ge=0, description="on the line")
    share: float = Field(ge=0, le=1, description="of the people that the line was fitted to")


class BlockRowPlan(_Part):
    """Blocks of one size, from left to right along the ground."""

    far_y: float = Field(description="foot row of the farthest people, at the middle of the frame, frame px")
    near_y: float = Field(description="foot row of the nearest people there, frame px")
    network_px_per_frame_px: float = Field(gt=0)
    smallest_px: float = Field(description="height of the farthest people, frame px")
    tallest_px: float = Field(description="height of the nearest people, frame px")
    blocks: int = Field(ge=0)


class GroundReport(_Part):
    """How a plan followed the ground, and how well it could see the people."""

    trusted: bool = Field(description="false: the uniform plan was taken instead")
    reason: str = Field(default="", description="why it was")
    smallest_px: float = Field(gt=0, description="network px that everyone was to be tall")
    people: int = Field(ge=0, description="found at the first look and clear of the frame's edges, in all frames used")
    inlier_share: float = Field(ge=0, le=1, description="of these people: on a line")
    lines: tuple[HeightLine, ...] = ()
    rows: tuple[BlockRowPlan, ...] = ()
    first_blocks: int = Field(ge=0, description="of the first look, on the coarse levels; kept")
    row_blocks: int = Field(ge=0)
    residual_blocks: int = Field(ge=0, description="around people whom the rows do not see well")
    off_share: float | None = Field(default=None, ge=0, le=1, description="of all people found: off the lines")
    refit: bool = Field(default=False, description="the lines were fitted again to all people found")
    refit_lines: tuple[HeightLine, ...] = ()
    refit_blocks: int = Field(default=0, ge=0, description="along the lines fitted again")
    late_residual_blocks: int = Field(default=0, ge=0, description="around people found at the second look")
    passes: int = Field(ge=0, description="blocks in all")
    uniform_passes: int = Field(ge=0, description="blocks of the uniform plan, for comparison")
    predicted_coverage: float | None = Field(
        default=None, ge=0, le=1, description="of the people found first: seen well without residual blocks"
    )
    reached_coverage: float = Field(
        ge=0, le=1, description="of all people found: whole in a finished block, between smallest_px and 460 network px"
    )


class Frame(_Part):
    """One frame: what it is and what came of it."""

    scene_id: str
    frame_id: int = Field(ge=0)
    uri: str
    width: int = Field(gt=0, description="px")
    height: int = Field(gt=0, description="px")
    plan: str = Field(description='"uniform", or the name of another plan')
    blocks: BlockCounts
    detections: DetectionCounts
    people: int = Field(ge=0)
    people_file: str = Field(description="relative to the manifest")
    stage_seconds: dict[str, float] = Field(description="wall seconds by stage")
    failures: tuple[Failure, ...] = ()
    coverage: Coverage
    ground_plan: GroundReport | None = Field(default=None, description="null where the uniform plan was asked for")
    camera: Camera | None = Field(default=None, description="null in runs of older versions")

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if self.people != self.detections.kept:
            raise ValueError(f"{self.people} people, but {self.detections.kept} views were kept")
        if len(self.failures) != self.blocks.failed:
            raise ValueError(f"{len(self.failures)} failures listed, but {self.blocks.failed} blocks failed")
        return self


class RunManifest(_Part):
    """What manifest.json says. A reader trusts a run whose status is "complete"."""

    manifest_version: int = MANIFEST_VERSION
    schema_version: int = SCHEMA_VERSION
    schema_minor: int = SCHEMA_MINOR
    run_id: str
    status: Literal["complete", "partial"] = Field(description='"partial" where a block failed')
    versions: dict[str, str] = Field(description='of "mili" and of the packages that shape the result')
    device: str = Field(description='for example "cpu"')
    config: dict[str, JsonValue] = Field(description="all settings as they were resolved")
    model: Model
    frames: tuple[Frame, ...]
    stage_seconds: dict[str, float] = Field(default_factory=dict, description="wall seconds of the whole run by stage")

    @model_validator(mode="after")
    def _status_fits(self) -> Self:
        if (self.status == "partial") != any(frame.blocks.failed for frame in self.frames):
            raise ValueError(f'status is "{self.status}", which does not fit the count of failed blocks')
        return self

    def to_json(self) -> str:
        """Gives the text of manifest.json."""
        return self.model_dump_json(indent=2) + "\n"
