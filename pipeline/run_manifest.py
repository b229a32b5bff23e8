"""The manifest and the closing line of a run."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import shapely

from pipeline.config import SceneConfig
from pipeline.looks import Looks
from pipeline.table import RunIdentity
from pipeline.types import Block, FrameRef, MergeResult
from schemas.manifest import (
    BlockCounts,
    Camera,
    Coverage,
    DetectionCounts,
    Failure,
    Frame,
    GroundReport,
    Model,
    RunManifest,
)

# The packages whose version can change a result.
PACKAGES = (
    "mili", "numpy", "torch", "opencv-python-headless", "pyvips", "pyvips-binary", "tifffile", "imagecodecs", "zarr",
    "zarrs", "shapely", "contourpy", "pyarrow", "ray",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Summary:
    """What a run came to.

    Attributes:
        people: rows of all tables.
        frames: processed.
        blocks: planned, in all frames.
        blocks_failed: of those.
        seconds: wall time.
        people_folder: where the tables lie.
        first_error: of the first failed block, or None.
    """

    people: int
    frames: int
    blocks: int
    blocks_failed: int
    seconds: float
    people_folder: Path
    first_error: str | None

    def line(self) -> str:
        """Gives the closing line of the log."""
        people = f"{self.people} {'person' if self.people == 1 else 'people'}"
        frames = f"{self.frames} frame{'' if self.frames == 1 else 's'}"
        failed = f"{self.blocks_failed} of {self.blocks} blocks failed"
        why = f" (first: {self.first_error})" if self.first_error else ""
        return f"{people} in {frames}, {failed}{why}, {self.seconds:.1f} s, table in {self.people_folder}"


def frame_entry(
    frame: FrameRef,
    looks: Looks,
    ground: GroundReport | None,
    merged: MergeResult,
    people_file: str,
    stage_seconds: dict[str, float],
    camera: Camera | None = None,
) -> Frame:
    """Gives a frame's part of the manifest.

    Args:
        frame: the frame.
        looks: what was looked at, and what was seen.
        ground: how the plan followed the ground; None for a plan that was even from the start.
        merged: who is who among them.
        people_file: relative to the manifest.
        stage_seconds: wall seconds by stage.
        camera: in which its people are placed.
    """
    failures = tuple(
        Failure(block_id=row.block_id, error=row.error or "", attempts=row.attempt)
        for row in looks.rows
        if row.status == "failed"
    )
    blocks = looks.blocks
    finished = [block for block, row in zip(blocks, looks.rows, strict=True) if row.status == "done"]
    return Frame(
        scene_id=frame.scene_id,
        frame_id=frame.frame_id,
        uri=frame.uri,
        width=frame.width,
        height=frame.height,
        plan="ground" if ground is not None and ground.trusted else "uniform",
        blocks=BlockCounts(planned=len(blocks), done=len(finished), failed=len(failures), reused=looks.reused),
        detections=DetectionCounts.of_merge(len(looks.views), len(merged.chosen), merged.reasons),
        people=len(merged.chosen),
        people_file=people_file,
        stage_seconds=stage_seconds,
        failures=failures,
        coverage=Coverage(planned_share=covered_share(frame, blocks), done_share=covered_share(frame, finished)),
        camera=camera,
        ground_plan=ground,
    )


def run_manifest(
    config: SceneConfig, run: RunIdentity, device: str, frames: Sequence[Frame], stage_seconds: dict[str, float]
) -> RunManifest:
    """Gives the manifest of a run."""
    return RunManifest(
        run_id=run.run_id,
        status="partial" if any(frame.blocks.failed for frame in frames) else "complete",
        versions={name: found for name in PACKAGES if (found := _version(name))},
        device=device,
        config=config.model_dump(mode="json"),
        model=Model(
            name=run.model_name,
            weights_sha256=run.weights_sha256,
            body_name=run.body_name,
            body_sha256=run.body_sha256,
        ),
        frames=tuple(frames),
        stage_seconds=stage_seconds,
    )


def summarise(manifest: RunManifest, output: Path) -> Summary:
    """Gives what the manifest of a run comes to."""
    failures = [failure for frame in manifest.frames for failure in frame.failures]
    return Summary(
        people=sum(frame.people for frame in manifest.frames),
        frames=len(manifest.frames),
        blocks=sum(frame.blocks.planned for frame in manifest.frames),
        blocks_failed=len(failures),
        seconds=manifest.stage_seconds["total"],
        people_folder=output / "people",
        first_error=failures[0].error if failures else None,
    )


def covered_share(frame: FrameRef, blocks: Sequence[Block]) -> float:
    """Gives the share of the frame's area that lies under the windows of `blocks`."""
    windows = [block.grid.window for block in blocks]
    boxes = [shapely.box(window.x0, window.y0, window.x1, window.y1) for window in windows]
    inside = shapely.clip_by_rect(shapely.union_all(boxes), 0.0, 0.0, frame.width, frame.height)
    share = float(inside.area) / (frame.width * frame.height)
    return 1.0 if math.isclose(share, 1.0, abs_tol=1e-9) else min(share, 1.0)


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
