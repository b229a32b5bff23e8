"""The main job: photos in, a people table out.

discover -> pyramid -> plan -> inference -> merge -> table -> manifest
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from mili_core.body import BodyModel, load_body
from mili_core.errors import ConfigError
from mili_core.protocol import ModelIdentity
from pipeline.block_worker import FrameWork
from pipeline.bodies import derive
from pipeline.config import SceneConfig
from pipeline.export.pictures import draw_people, write_picture
from pipeline.frames import discover
from pipeline.inference import Workers, detect, partition
from pipeline.ledger import Ledger, blocks_table, write_blocks
from pipeline.lock import output_lock
from pipeline.merge import merge
from pipeline.model import load_model
from pipeline.plan import restrict, uniform_plan
from pipeline.pyramid import Pyramid, ensure_pyramid
from pipeline.regions import Regions, keep_inside
from pipeline.run_keys import content_sha256, frame_key, inference_settings, run_identity, shaping_settings
from pipeline.run_manifest import Summary, frame_entry, run_manifest, summarise
from pipeline.storage import write_text
from pipeline.table import RunIdentity, people_table, write_people
from pipeline.types import Block, FrameRef, SceneDetections
from schemas.manifest import Frame

JOB_VARIABLE = "RAY_JOB_CONFIG_JSON_ENV_VAR"  # set, under this very name, for what `ray job submit` starts
OVERVIEW_SIDE_PX = 3000  # people of 2 % of the frame's height are still some 30 px tall


@dataclass(slots=True, eq=False)
class Stopwatch:
    """Wall seconds by stage, in the order in which stages began."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Adds the block's wall time to a stage."""
        start = time.monotonic()
        try:
            yield
        finally:
            self.seconds[stage] = round(self.seconds.get(stage, 0.0) + time.monotonic() - start, 3)


@dataclass(frozen=True, slots=True, eq=False)
class _Run:
    """What all frames of a run have in common."""

    config: SceneConfig
    regions: Regions
    model: ModelIdentity
    body: BodyModel | None
    identity: RunIdentity
    several: bool


def process_scene(config: SceneConfig) -> Summary:
    """Gives what a run came to, after writing tables, ledger, manifest and pictures under `config.output`.

    A frame whose detections are complete from an earlier run of the same settings is not inferred again.

    Raises:
        MiliError: an input, a setting, the weights or the output folder cannot be used.
    """
    watch = Stopwatch()
    with watch("total"), ExitStack() as stack:
        refuse_vanishing_paths(config)
        regions = Regions.parse(config.roi, config.exclude)
        with watch("discover"):
            frames = discover(config.input, config.scene_id, config.frame_id)
            contents = [content_sha256(frame) for frame in frames]
        with watch("model"):
            model = load_model(config.model, "cpu").identity
            body = _body_of(config, model)
        device = _device(config)
        identity = run_identity(frames, contents, shaping_settings(config, regions), model)
        run = _Run(config, regions, model, body, identity, several=len(frames) > 1)
        stack.enter_context(output_lock(config.output))
        (config.output / "manifest.json").unlink(missing_ok=True)  # what it said is about to change
        workers = Workers(config, device, model, stack)
        entries, tables = [], []
        for frame, content in zip(frames, contents, strict=True):
            entry, table = _process_frame(frame, content, run, workers)
            entries.append(entry)
            tables.append(table)
        write_blocks(tables, config.output / "blocks.parquet")
    manifest = run_manifest(config, identity, device, entries, watch.seconds)
    write_text(config.output / "manifest.json", manifest.to_json())
    return summarise(manifest, config.output)


def _process_frame(frame: FrameRef, content: str, run: _Run, workers: Workers) -> tuple[Frame, pa.Table]:
    """Writes a frame's people and gives its part of the manifest and of the ledger table."""
    config, watch = run.config, Stopwatch()
    with watch("pyramid"):
        pyramid = ensure_pyramid(frame, _pyramid_path(config, frame), overwrite=config.overwrite).path
    with watch("plan"):
        blocks = _plan(frame, config, run.regions)
    with watch("inference"):
        ledger = _ledger(frame, content, run)
        batches = partition(len(blocks), config.ray.batch_blocks)
        parts, reused = detect(FrameWork(pyramid, blocks), batches, ledger, workers.pool)
    with watch("merge"):
        views = SceneDetections.concat([part.detections for part in parts])
        merged = keep_inside(merge(views, blocks, frame.window, config.merge), run.regions)
    with watch("table"):
        derived = derive(views, merged, blocks, run.body)
        table = people_table(frame, views, merged, blocks, derived, run.identity)
        people_file = write_people(table, frame, config.output).relative_to(config.output)
    with watch("overview"):
        if config.overview:
            _draw(pyramid, table, _overview_path(frame, run))
    rows = [row for part in parts for row in part.rows]
    entry = frame_entry(
        frame, config.plan.kind, blocks, rows, reused, len(views), merged, people_file.as_posix(), watch.seconds
    )
    return entry, blocks_table(frame, run.identity.run_id, rows)


def refuse_vanishing_paths(config: SceneConfig) -> None:
    """Raises ConfigError for relative paths in a Ray job, whose working directory is a copy that goes with the job."""
    if JOB_VARIABLE not in os.environ:
        return
    named = {"input": [*config.input], "output": [str(config.output)]}
    named["pyramids"] = [] if config.pyramids is None else [str(config.pyramids)]
    for setting, paths in named.items():
        for path in paths:
            if not Path(path).is_absolute():
                message = f"{setting}: {path!r} is relative, and a Ray job's folder vanishes with it; give a full path"
                raise ConfigError(message)


def _device(config: SceneConfig) -> str:
    if config.model.device != "auto":
        return config.model.device
    import torch  # noqa: PLC0415 - asked only where the settings leave it open

    return "cuda" if torch.cuda.is_available() else "cpu"


def _body_of(config: SceneConfig, model: ModelIdentity) -> BodyModel | None:
    """Gives the body that the model's betas belong to, or None where it is not at hand."""
    body = load_body(config.model.body)
    return body if body.sha256 == model.body_sha256 else None


def _plan(frame: FrameRef, config: SceneConfig, regions: Regions) -> tuple[Block, ...]:
    whole = uniform_plan(frame.width, frame.height, overlap=config.plan.overlap)
    blocks = restrict(whole, regions.roi, regions.exclude)
    if not blocks:
        size = f"{frame.width}x{frame.height}"
        raise ConfigError(f"--roi and --exclude leave nothing of frame {frame.uri} ({size} px); check their pixels")
    return blocks


def _ledger(frame: FrameRef, content: str, run: _Run) -> Ledger:
    """Gives the ledger of a frame's detections, empty where nothing of earlier runs shall be used."""
    folder = run.config.output / "ledger" / f"scene_id={frame.scene_id}" / f"frame_id={frame.frame_id}"
    ledger = Ledger(folder, frame_key(content, inference_settings(run.config, run.regions), run.model))
    if run.config.overwrite or not run.config.resume:
        shutil.rmtree(folder / ledger.run_key, ignore_errors=True)
    return ledger


def _pyramid_path(config: SceneConfig, frame: FrameRef) -> Path:
    folder = config.output / "pyramids" if config.pyramids is None else config.pyramids
    return (folder / frame.scene_id / f"{frame.frame_id}.ome.zarr").absolute()


def _overview_path(frame: FrameRef, run: _Run) -> Path:
    name = f"overview-{frame.scene_id}-{frame.frame_id}.jpg" if run.several else "overview.jpg"
    return run.config.output / name


def _draw(pyramid: Path, table: pa.Table, path: Path) -> None:
    image, scale = Pyramid.open(pyramid).thumbnail(OVERVIEW_SIDE_PX)
    write_picture(draw_people(image, scale, table, legend=f"{len(table)} people"), path)
