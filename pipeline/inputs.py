"""What the user named: frames and regions, checked without loading torch or Ray, which takes seconds."""

from __future__ import annotations

from pipeline.config import SceneConfig
from pipeline.frames import discover
from pipeline.frames.focal import check_given_focal
from pipeline.ray_job import refuse_vanishing_paths
from pipeline.regions import Regions
from pipeline.types import FrameRef


def named_inputs(config: SceneConfig) -> tuple[list[FrameRef], Regions]:
    """Gives the frames that the settings name, and the regions that count.

    Raises:
        MiliError: a path vanishes with the Ray job, a frame is missing or unusable, names collide, a region
            or a focal length is none.
    """
    refuse_vanishing_paths(config)
    regions = Regions.parse(config.roi, config.exclude)
    focal_px = config.camera.focal_px
    frames = discover(
        config.input, config.scene_id, config.frame_id, focal_given=focal_px is not None, results=config.output
    )
    for frame in frames:
        check_given_focal(focal_px, frame.width, frame.height)
    return frames, regions
