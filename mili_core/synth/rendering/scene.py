"""A scene that is ready to be rendered, window by window."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mili_core.synth.camera import SceneCamera
from mili_core.synth.objects.placement import PlacedObject
from mili_core.synth.people.crowd import Crowd
from mili_core.synth.people.rig import Rig
from mili_core.synth.rendering.shadow import Cast, Contacts
from mili_core.synth.rendering.surface import Surface
from mili_core.synth.wardrobe.look import Outfits
from mili_core.synth.worlds.contract import World
from mili_core.synth.worlds.light import Light


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """Everything that is needed to render any window.

    Attributes:
        rig: body.
        camera: camera.
        world: the place.
        crowd: P people.
        outfits: their looks.
        looks: P outfits of one person each.
        objects: what stands about; what people use or carry is among the surfaces only.
        surfaces: all that is drawn.
        bounds_px: (S, 4) float64 xyxy of the surfaces.
        owners: (S,) int64 person or NOBODY.
        casts: shadows on the ground.
        contacts: darkness where feet and objects touch the ground.
    """

    rig: Rig
    camera: SceneCamera
    world: World
    crowd: Crowd
    outfits: Outfits
    looks: tuple[Outfits, ...]
    objects: tuple[PlacedObject, ...]
    surfaces: tuple[Surface, ...]
    bounds_px: NDArray[np.float64]
    owners: NDArray[np.int64]
    casts: Cast
    contacts: Contacts

    @property
    def light(self) -> Light:
        """The world's."""
        return self.world.light

    def surfaces_of(self, person: int) -> list[int]:
        """Gives the indices of a person's surfaces."""
        return [int(index) for index in np.flatnonzero(self.owners == person)]
