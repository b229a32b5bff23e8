"""The main job: photos in, a people table out.

discover -> pyramid -> plan -> inference -> merge -> table -> manifest

Planning and inference take turns: what a first, coarse look finds says where and how large the next blocks are.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from mili_core.body import BodyModel, load_body
from mili_core.errors import ConfigError
from mili_core.protocol import ModelIdentity
from pipeline.bodies import derive
from pipeline.config import SceneConfig
from pipeline.inference import Workers
from pipeline.inputs import named_inputs
from pipeline.ledger import Ledger, blocks_table, write_blocks
from pipeline.lock import output_lock, tidy_failure
from pipeline.looks import Looks
from pipeline.merge import merge
from pipeline.model import load_model
from pipeline.place import place
from pipeline.place.report import camera_entry
from pipeline.plan_report import plan_entry, plan_lines
from pipeline.planning import GroundPlan, Refit, closer_look, first_look, plan_frames, third_look
from pipeline.pyramid import ensure_pyramid
from pipeline.ray_job import device_of
from pipeline.regions import Regions, keep_inside
from pipeline.run_keys import (
    content_sha256,
    frame_key,
    inference_settings,
    look_key,
    run_identity,
    shaping_settings,
)
from pipeline.run_manifest import Summary, frame_entry, run_manifest, summarise
from pipeline.run_pictures import Pictures
from pipeline.stopwatch import Stopwatch
from pipeline.storage import write_text
from pipeline.table import RunIdentity, people_table, write_people
from pipeline.types import Block, FrameRef
from schemas.manifest import Frame


@dataclass(frozen=True, slots=True, eq=False)
class _Run:
    """What all frames of a run have in common."""

    config: SceneConfig
    regions: Regions
    model: ModelIdentity
    body: BodyModel | None
    identity: RunIdentity
    device: str
    pictures: Pictures


@dataclass(frozen=True, slots=True, eq=False)
class _Prepared:
    """A frame that is ready for inference: `blocks` are looked at first; `watch` goes on counting its seconds."""

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
            looks = [_first_look(each, run, workers) for each in prepared]
            with watch("plan"):
                plans = plan_frames([each.frame for each in prepared], looks, config.plan, run.regions)
            results = [_process_frame(*each, run) for each in zip(prepared, looks, plans, strict=True)]
            write_blocks([rows for _, rows, _ in results], config.output / "blocks.parquet")
        manifest = run_manifest(config, run.identity, run.device, [entry for entry, _, _ in results], watch.seconds)
        write_text(config.output / "manifest.json", manifest.to_json())
        if config.overview:
            for each, (_, _, people) in zip(prepared, results, strict=True):
                run.pictures.draw_people(each.frame, each.pyramid, people)
        return summarise(manifest, config.output)


def plan_scene(config: SceneConfig) -> list[str]:
    """Gives lines that say how the frames of a run would be looked at, after drawing it beside the other results.

    The first, coarse look is taken and kept: the run itself goes on from there.

    Raises:
        MiliError: an input, a setting, the weights or the output folder cannot be used.
    """
    with ExitStack() as stack:
        run, prepared = _begin(config, Stopwatch(), stack)
        workers = Workers(config, run.device, run.model, stack)
        ground = config.plan.kind == "ground"
        looks = [_first_look(each, run, workers) if ground else _looks(each, run, workers) for each in prepared]
        frames = [each.frame for each in prepared]
        lines: list[str] = []
        for each, seen, plan in zip(prepared, looks, plan_frames(frames, looks, config.plan, run.regions), strict=True):
            more = each.blocks if plan is None else plan.blocks
            lines += plan_lines(each.frame, seen, plan, more, workers.actors() if seen.rows else None)
            run.pictures.draw_plan(each.frame, each.pyramid, (*seen.blocks, *more), plan)
        return lines


def _begin(config: SceneConfig, watch: Stopwatch, stack: ExitStack) -> tuple[_Run, list[_Prepared]]:
    """Gives what a run needs, with the output folder locked and every frame readable.

    Until here nothing of an earlier run in that folder is touched: whatever the user gave is proven usable first.
    """
    with watch("discover"):
        frames, regions = named_inputs(config)
        contents = [content_sha256(frame) for frame in frames]
    device = device_of(config)
    with watch("model"):
        model = load_model(config.model, "cpu").identity
        body = _body_of(config, model)
    identity = run_identity(frames, contents, shaping_settings(config, regions, device), model)
    run = _Run(config, regions, model, body, identity, device, Pictures(config.output, several=len(frames) > 1))
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


def _looks(prepared: _Prepared, run: _Run, workers: Workers) -> Looks:
    """Gives a frame that nothing of was looked at yet."""

    def ledger_of(before: Sequence[Block], more: Sequence[Block]) -> Ledger:
        return _ledger(prepared.frame, prepared.content, before, more, run)

    return Looks(prepared.pyramid, ledger_of, run.config.ray.batch_blocks, workers.pool)


def _first_look(prepared: _Prepared, run: _Run, workers: Workers) -> Looks:
    """Gives what the first look at a frame saw."""
    looks = _looks(prepared, run, workers)
    if run.config.overwrite or not run.config.resume:
        workers.pool()  # workers can be had: only then is anything of an earlier run thrown away
    with prepared.watch("inference"):
        looks.look(prepared.blocks)
    with prepared.watch("plan"):
        closer = closer_look(prepared.frame, looks, run.config.plan, run.regions)
    with prepared.watch("inference"):
        looks.look(closer)
    return looks


def _look_on(prepared: _Prepared, looks: Looks, plan: GroundPlan | None, run: _Run) -> Refit | None:
    """Takes the later looks at a frame and gives the last one's plan, None where there is none."""
    if plan is None:
        return None
    with prepared.watch("inference"):
        looks.look(plan.blocks)
    if not plan.follows_ground:
        return None
    with prepared.watch("plan"):
        refit = third_look(prepared.frame, plan, looks, run.config.plan, run.regions)
    with prepared.watch("inference"):
        looks.look(refit.blocks)
    return refit


def _process_frame(
    prepared: _Prepared, looks: Looks, plan: GroundPlan | None, run: _Run
) -> tuple[Frame, pa.Table, pa.Table]:
    """Writes a frame's people and gives its part of the manifest, its rows of the ledger, and its people."""
    config, frame, watch = run.config, prepared.frame, prepared.watch
    refit = _look_on(prepared, looks, plan, run)
    blocks, views = looks.blocks, looks.views
    with watch("merge"):
        merged = keep_inside(merge(views, blocks, frame.window, config.merge), run.regions)
    for told in (config.output / "manifest.json", *run.pictures.paths_of_people(frame)):
        told.unlink(missing_ok=True)  # what they say is about to change
    with watch("place"):
        placement = place(frame, views, merged, blocks, run.body, focal_px=config.camera.focal_px)
    with watch("table"):
        derived = derive(views, merged, blocks, run.body)
        table = people_table(frame, views, merged, blocks, derived, run.identity, placement=placement)
        people_file = write_people(table, frame, config.output).relative_to(config.output)
    entry = frame_entry(
        frame, looks, plan_entry(frame, plan, refit, looks, merged, config.plan), merged, people_file.as_posix(),
        watch.seconds, camera_entry(placement),
    )  # fmt: skip
    return entry, blocks_table(frame, run.identity.run_id, looks.rows), table


def _body_of(config: SceneConfig, model: ModelIdentity) -> BodyModel | None:
    """Gives the body that the model's betas belong to, or None where it is not at hand."""
    body = load_body(config.model.body)
    return body if body.sha256 == model.body_sha256 else None


def _plan(frame: FrameRef, config: SceneConfig, regions: Regions) -> tuple[Block, ...]:
    blocks = first_look(frame, config.plan, regions)
    if not blocks:
        size = f"{frame.width}x{frame.height}"
        raise ConfigError(f"--roi and --exclude leave nothing of frame {frame.uri} ({size} px); check their pixels")
    return blocks


def _ledger(frame: FrameRef, content: str, before: Sequence[Block], more: Sequence[Block], run: _Run) -> Ledger:
    """Gives the ledger of a look at a frame, empty where nothing of earlier runs shall be used."""
    folder = run.config.output / "ledger" / f"scene_id={frame.scene_id}" / f"frame_id={frame.frame_id}"
    first = frame_key(content, inference_settings(run.config, run.regions, run.device), run.model)
    ledger = Ledger(folder, look_key(first, before, more))
    if run.config.overwrite or not run.config.resume:
        shutil.rmtree(folder / ledger.run_key, ignore_errors=True)
    return ledger


def _pyramid_path(config: SceneConfig, frame: FrameRef, content: str) -> Path:
    """Gives where the pyramid of a file lies; another file has another path, also in a folder that runs share."""
    folder = config.output / "pyramids" if config.pyramids is None else config.pyramids
    return (folder / frame.scene_id / f"{frame.frame_id}-{content[:12]}.ome.zarr").absolute()
