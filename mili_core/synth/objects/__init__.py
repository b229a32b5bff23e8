"""Things that stand in a scene or that people use, as closed triangle meshes made by code."""

from mili_core.synth.objects.companions import companion
from mili_core.synth.objects.kinds import KINDS, KindSpec
from mili_core.synth.objects.placement import PlacedObject, draw_objects

__all__ = ["KINDS", "KindSpec", "PlacedObject", "companion", "draw_objects"]
