"""The main job: photos in, a people table out.

discover -> pyramid -> plan -> inference -> merge -> table -> manifest
"""

from __future__ import annotations

import logging
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from mili_core.api import resolve_device
from mili_core.body import BodyModel, load_body
from mili_core.errors import ConfigError, MiliError
from mili_core.protocol import ModelIdentity
from pipeline.block_worker import FrameWork
from pipeline.bodies import derive
from pipeline.config import SceneConfig
from pipeline.export.pictures import draw_people, write_picture
from pipeline.frames import discover
from pipeline.inference import Workers, detect, partition
from pipeline.ledger import Ledger, blocks_table, write_blocks
from pipeline.lock import output_lock, tidy_failure
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
_log = logging.getLogger(__name__)
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
    device: str
    several: bool


@dataclass(frozen=True, slots=True, eq=False)
class _Prepared:
    """A frame that is ready for inference; `watch` goes on counting its seconds."""

    frame: FrameRef
    content: str
    pyramid: Path
    blocks: tuple[Block, ...]
    watch: Stopwatch


def process_scene(config: SceneConfig) -> Summary:
    """Gives what a run came to, after writing tables, ledger, manifest and pictures under `config.output`.

    A frame whose detections are complete from an earlier run of the same settings is not inferred again.

    Raises:
        MiliError: an input, a setting, the weights or the output folder cannot be used.
    """
    with ExitStack() as stack:
        watch = Stopwatch()
        with watch("total"):
            run, prepared = _begin(config, watch, stack)
            workers = Workers(config, run.device, run.model, stack)
            results = [_process_frame(each, run, workers) for each in prepared]
            write_blocks([rows for _, rows, _ in results], config.output / "blocks.parquet")
        manifest = run_manifest(config, run.identity, run.device, [entry for entry, _, _ in results], watch.seconds)
        write_text(config.output / "manifest.json", manifest.to_json())
        if config.overview:
            for each, (_, _, people) in zip(prepared, results, strict=True):
                _draw(each.pyramid, people, _overview_path(each.frame, run))
        return summarise(manifest, config.output)


def _begin(config: SceneConfig, watch: Stopwatch, stack: ExitStack) -> tuple[_Run, list[_Prepared]]:
    """Gives what a run needs, with the output folder locked and every frame readable.

    Until here nothing of an earlier run in that folder is touched: whatever the user gave is proven usable first.
    """
    refuse_vanishing_paths(config)
    regions = Regions.parse(config.roi, config.exclude)
    device = _device(config)
    with watch("discover"):
        frames = discover(config.input, config.scene_id, config.frame_id)
        contents = [content_sha256(frame) for frame in frames]
    with watch("model"):
        model = load_model(config.model, "cpu").identity
        body = _body_of(config, model)
    identity = run_identity(frames, contents, shaping_settings(config, regions, device), model)
    run = _Run(config, regions, model, body, identity, device, several=len(frames) > 1)
    new = not config.output.exists()
    stack.enter_context(output_lock(config.output))
    stack.enter_context(tidy_failure(config.output) if new else nullcontext())
    prepared = [_prepare(frame, content, run) for frame, content in zip(frames, contents, strict=True)]
    return run, prepared


def _prepare(frame: FrameRef, content: str, run: _Run) -> _Prepared:
    """Gives a frame with its pyramid and its plan."""
    config, watch = run.config, Stopwatch()
    with watch("pyramid"):
        pyramid = ensure_pyramid(frame, _pyramid_path(config, frame, content), overwrite=config.overwrite).path
    with watch("plan"):
        blocks = _plan(frame, config, run.regions)
    return _Prepared(frame, content, pyramid, blocks, watch)


def _process_frame(prepared: _Prepared, run: _Run, workers: Workers) -> tuple[Frame, pa.Table, pa.Table]:
    """Writes a frame's people and gives its part of the manifest, its rows of the ledger, and its people."""
    config, frame, blocks, watch = run.config, prepared.frame, prepared.blocks, prepared.watch
    if config.overwrite or not config.resume:
        workers.pool()  # workers can be had: only then is anything of an earlier run thrown away
    with watch("inference"):
        ledger = _ledger(frame, prepared.content, run)
        batches = partition(len(blocks), config.ray.batch_blocks)
        parts, reused = detect(FrameWork(prepared.pyramid, blocks), batches, ledger, workers.pool)
    with watch("merge"):
        views = SceneDetections.concat([part.detections for part in parts])
        merged = keep_inside(merge(views, blocks, frame.window, config.merge), run.regions)
    for told in (config.output / "manifest.json", _overview_path(frame, run)):
        told.unlink(missing_ok=True)  # what they say is about to change
    with watch("table"):
        derived = derive(views, merged, blocks, run.body)
        table = people_table(frame, views, merged, blocks, derived, run.identity)
        people_file = write_people(table, frame, config.output).relative_to(config.output)
    rows = [row for part in parts for row in part.rows]
    entry = frame_entry(
        frame, config.plan.kind, blocks, rows, reused, len(views), merged, people_file.as_posix(), watch.seconds
    )
    return entry, blocks_table(frame, run.identity.run_id, rows), table


def ray_job() -> bool:
    """Says whether this process was started by `ray job submit`."""
    return JOB_VARIABLE in os.environ


def refuse_vanishing_paths(config: SceneConfig) -> None:
    """Raises ConfigError for relative paths in a Ray job, whose working directory is a copy that goes with the job."""
    if not ray_job():
        return
    named = {"input": [*config.input], "output": [str(config.output)]}
    named["pyramids"] = [] if config.pyramids is None else [str(config.pyramids)]
    for setting, paths in named.items():
        for path in paths:
            if not Path(path).is_absolute():
                message = f"{setting}: {path!r} is relative, and a Ray job's folder vanishes with it; give a full path"
                raise ConfigError(message)


def _device(config: SceneConfig) -> str:
    """Gives the kind of device that the workers use; a local cluster has those of this machine.

    Raises:
        ConfigError: CUDA is asked for and not there.
    """
    elsewhere = config.ray.address or os.environ.get("RAY_ADDRESS") or ray_job()
    if elsewhere and config.model.device != "auto":
        return config.model.device
    return resolve_device(config.model.device).type


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
    ledger = Ledger(folder, frame_key(content, inference_settings(run.config, run.regions, run.device), run.model))
    if run.config.overwrite or not run.config.resume:
        shutil.rmtree(folder / ledger.run_key, ignore_errors=True)
    return ledger


def _pyramid_path(config: SceneConfig, frame: FrameRef, content: str) -> Path:
    """Gives where the pyramid of a file lies; another file has another path, also in a folder that runs share."""
    folder = config.output / "pyramids" if config.pyramids is None else config.pyramids
    return (folder / frame.scene_id / f"{frame.frame_id}-{content[:12]}.ome.zarr").absolute()


def _overview_path(frame: FrameRef, run: _Run) -> Path:
    name = f"overview-{frame.scene_id}-{frame.frame_id}.jpg" if run.several else "overview.jpg"
    return run.config.output / name


def _draw(pyramid: Path, table: pa.Table, path: Path) -> None:
    """Draws a frame's people; a picture that cannot be made is said, and costs nothing else."""
    try:
        image, scale = Pyramid.open(pyramid).thumbnail(OVERVIEW_SIDE_PX)
        write_picture(draw_people(image, scale, table, legend=f"{len(table)} people"), path)
    except MiliError as error:
        _log.error("no %s: %s", path, error)
