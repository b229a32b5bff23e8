"""Synthetic frames on disk: a tiled BigTIFF, the truth of everybody in it, and the scene's description.

The line of the work: request -> worker (renders groups of tiles) -> masks (fragments of truth) -> tiff -> truth,
visible_ids -> description. The frame is never held in memory, wherever its tiles are rendered.
"""

from __future__ import annotations

from pipeline.synthetic.make import SceneFiles, make_scene
from pipeline.synthetic.request import SceneRequest, preset_named

__all__ = ["SceneFiles", "SceneRequest", "make_scene", "preset_named"]
