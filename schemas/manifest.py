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
