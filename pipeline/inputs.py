"""What the user named: frames and regions, checked without loading torch or Ray, which takes seconds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mili_core.errors import ConfigError
from pipeline.config import SceneConfig
from pipeline.frames import discover
from pipeline.frames.focal import check_given_focal
from pipeline.ray_job import refuse_vanishing_paths
from pipeline.regions import Regions
from pipeline.types import FrameRef


def named_inputs(config: SceneConfig) -> tuple[list[FrameRef], Regions]:
    """Gives the frames that the settings name, and the regions that count.

    Raises:
        MiliError: a path vanishes with the Ray job, a frame is missing or unusable, names collide, the output folder
            is a folder of photos, a region or a focal length is none.
    """
    refuse_vanishing_paths(config)
    regions = Regions.parse(config.roi, config.exclude)
    focal_px = config.camera.focal_px
    frames = discover(config.input, config.scene_id, config.frame_id, focal_given=focal_px is not None)
    _refuse_own_pictures(config, frames)
    for frame in frames:
        check_given_focal(focal_px, frame.width, frame.height)
    return frames, regions


def _refuse_own_pictures(config: SceneConfig, frames: Sequence[FrameRef]) -> None:
    """Refuses an output folder whose pictures the same command, given again, would take for photos."""
    many = [Path(text).absolute() for text in config.input if not Path(text).is_file()]
    folders = {path for path in many if path.is_dir()}
    if len(folders) < len(many):  # patterns
        folders |= {Path(frame.uri).parent for frame in frames}
    if Path(config.output).resolve() in {folder.resolve() for folder in folders}:
        raise ConfigError(f"output {config.output} is the folder of the photos, where overviews would be photos, too")
