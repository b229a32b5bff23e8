"""One metric camera for a whole frame: its focal length, the ground, and where everybody is in it.

placement = place(frame, views, merged, blocks, body, focal_px=None)
"""

from pipeline.place.place import place
from pipeline.place.types import FocalSource, Ground, Placement, SceneCamera

__all__ = ["FocalSource", "Ground", "Placement", "SceneCamera", "place"]
