"""Hashes that say whether two runs must give the same: of the detections of a frame, and of a whole run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

from pydantic import JsonValue

from mili_core.modes import chosen_mode
from mili_core.protocol import ModelIdentity
from pipeline.config import ModelSettings, SceneConfig
from pipeline.regions import Regions
from pipeline.table import RunIdentity
from pipeline.types import Block, FrameRef

_DIGITS = 16  # 64 bits: no two runs of one house collide


def shaping_settings(config: SceneConfig, regions: Regions, device: str) -> dict[str, JsonValue]:
    """Gives the settings that shape the people table; no paths of outputs, no worker counts."""
    rest = {"merge": asdict(config.merge), "camera": config.camera.model_dump(mode="json")}
    return inference_settings(config, regions, device) | rest


def inference_settings(config: SceneConfig, regions: Regions, device: str) -> dict[str, JsonValue]:
    """Gives what shapes the detections, beside the pixels and the model: settings, the kind of device, our version.

    A model of the user's own is known by its `identity` alone: a factory that changes must change that.
    """
    return {
        "version": version("mili"),
        "device": device.partition(":")[0],
        "model": _model_settings(config.model),
        "plan": config.plan.model_dump(mode="json"),
        "roi": None if regions.roi is None else regions.roi.wkt,
        "exclude": None if regions.exclude is None else regions.exclude.wkt,
        "batch_blocks": config.ray.batch_blocks,
    }


def content_sha256(frame: FrameRef) -> str:
    """Gives the hex digest of the frame's file: the detections of a copy, or of a touched file, can be used again."""
    with Path(frame.uri).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def frame_key(content: str, settings: dict[str, JsonValue], model: ModelIdentity) -> str:
    """Gives the key of a frame's detections.

    Args:
        content: digest of the frame's file.
        settings: from `inference_settings`.
        model: which model.
    """
    return _digest({"content": content, "settings": settings, "model": asdict(model)})


def look_key(first: str, before: Sequence[Block], more: Sequence[Block]) -> str:
    """Gives the key of a later look at a frame, whose blocks follow from what was found before.

    Another plan has another key, so detections of two plans never mix, whatever made the plans differ.

    Args:
        first: from `frame_key`.
        before: blocks of the looks before.
        more: blocks of this look.
    """
    return _digest({"first": first, "before": [*map(_placed, before)], "more": [*map(_placed, more)]})


def run_identity(
    frames: Sequence[FrameRef], contents: Sequence[str], settings: dict[str, JsonValue], model: ModelIdentity
) -> RunIdentity:
    """Gives what the rows of all frames of a run are marked with.

    Args:
        frames: of the run.
        contents: digest of each frame's file.
        settings: from `shaping_settings`.
        model: which model.
    """
    named = [[frame.scene_id, frame.frame_id, content] for frame, content in zip(frames, contents, strict=True)]
    return RunIdentity(
        run_id=_digest({"frames": named, "settings": settings, "model": asdict(model)}),
        model_name=model.name,
        weights_sha256=model.weights_sha256,
        body_name=model.body_name,
        body_sha256=model.body_sha256,
        package_version=version("mili"),
        config=settings,
        betas_source=model.betas_source,
    )


def _model_settings(model: ModelSettings) -> dict[str, JsonValue]:
    """Gives what shapes the detections beside weights and body; a branch that is the default anyway is the same."""
    mode = None
    if model.factory is None:
        scale = model.lr_scale if model.lr_mode == "degrade" else "large"  # it plays no other part
        mode = asdict(chosen_mode(model.branch, model.lr_mode, scale, model.compat))
    return {"factory": model.factory, "score_threshold": model.score_threshold, "mode": mode}


def _placed(block: Block) -> list[str | float]:
    window, grid = block.grid.window, block.grid
    corners = (window.x0, window.y0, window.x1, window.y1)
    return [block.id, block.level, grid.raster_width, grid.raster_height, *corners]


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:_DIGITS]
