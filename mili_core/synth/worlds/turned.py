"""A place seen askew: cameras rarely look along the walls, and never stand on the same spot of a pattern."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mili_core.synth.camera import SceneCamera
from mili_core.synth.window import ImageWindow
from mili_core.synth.worlds.contract import Backdrop
from mili_core.synth.worlds.light import Light
from mili_core.synth.worlds.place import Place

Float64Array = NDArray[np.float64]

HEADINGS_DEG = {"street": 14.0}
HEADING_DEG = 30.0
"""Greatest turn, for each kind of place and for all others: a street would soon look at its houses alone, and beyond
thirty degrees the view leaves the part of a place where people may stand."""

SHIFT_M = 50.0
"""Ground textures are shifted by up to this: some periods of the longest."""


@dataclass(frozen=True, eq=False)
class Turned:
    """A place whose axes are turned against those of the scene: a World.

    Attributes:
        place: in its own axes.
        heading_rad: counter-clockwise seen from above; at a quarter turn the place's x leads ahead.
    """

    place: Place
    heading_rad: float

    @property
    def name(self) -> str:
        """Name of the place."""
        return self.place.name

    @property
    def furniture(self) -> dict[str, float]:
        """Shares of object kinds."""
        return self.place.furniture

    @property
    def indoor(self) -> bool:
        """Whether the place has a roof."""
        return self.place.indoor

    @cached_property
    def light(self) -> Light:
        """The place's light, in the axes of the scene."""
        across, down, ahead = self.place.light.sun
        cosine, sine = np.cos(self.heading_rad), np.sin(self.heading_rad)
        sun = np.array([cosine * across - sine * ahead, down, sine * across + cosine * ahead])
        return replace(self.place.light, sun=sun)

    def backdrop(self, camera: SceneCamera, window: ImageWindow) -> Backdrop:
        """Gives the backdrop of the window's pixels."""
        return self.place.backdrop(replace(camera, heading_rad=self.heading_rad), window)

    def walkable(self, spots_m: Float64Array) -> NDArray[np.bool_]:
        """Gives (K,) whether people and objects may stand at ground points (K, 2) x, z of the scene."""
        cosine, sine = np.cos(self.heading_rad), np.sin(self.heading_rad)
        x, z = spots_m[:, 0], spots_m[:, 1]
        return self.place.walkable(np.stack([cosine * x + sine * z, cosine * z - sine * x], axis=1))


def turn(rng: np.random.Generator, place: Place) -> Turned:
    """Gives a place with a random heading and its ground shifted at random under the camera."""
    most = np.deg2rad(HEADINGS_DEG.get(place.name, HEADING_DEG))
    heading = float(rng.uniform(-most, most))
    right, ahead = rng.uniform(0.0, SHIFT_M, 2).tolist()
    return Turned(replace(place, ground=replace(place.ground, shift_m=(right, ahead))), heading)
