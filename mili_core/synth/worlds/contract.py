"""What a scene asks of a world."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mili_core.synth.camera import SceneCamera
from mili_core.synth.window import ImageWindow
from mili_core.synth.worlds.light import Light

Float32Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Backdrop:
    """The scene without people and objects, over a window of the image.

    Attributes:
        colour: (H, W, 3) float32 linear light, haze included.
        sunlit: (H, W) float32 share of the colour on the ground that comes from the sun; 0 off the ground, where no
            shadow falls. Where the ground gets no direct sun it is a tiny positive number, so that contact shadows
            still know the ground.
    """

    colour: Float32Array
    sunlit: Float32Array


class World(Protocol):
    """A place; picklable, and the same however the image is cut into windows.

    Attributes:
        name: as in WORLDS.
        light: sun, sky, haze.
        furniture: object kinds that stand about here and their shares; keys of mili_core.synth.objects.KINDS.
        indoor: True where nobody needs an umbrella and no sun shines.
    """

    @property
    def name(self) -> str:
        """Name, a key of WORLDS or PHOTOS."""
        ...

    @property
    def light(self) -> Light:
        """Sun, sky, haze."""
        ...

    @property
    def furniture(self) -> dict[str, float]:
        """Shares of object kinds."""
        ...

    @property
    def indoor(self) -> bool:
        """Whether the place has a roof."""
        ...

    def backdrop(self, camera: SceneCamera, window: ImageWindow) -> Backdrop:
        """Gives the backdrop of the window's pixels."""
        ...

    def walkable(self, spots_m: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Gives (K,) whether people and objects may stand at ground points (K, 2) x, z, world metres."""
        ...
