"""A window of a scene's image, with who is seen where, all from one sample grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mili_core.synth.rendering.grid import NOTHING, Samples, draw_samples
from mili_core.synth.rendering.scene import Scene
from mili_core.synth.rendering.shade import shade
from mili_core.synth.rendering.shadow import contact_shadow, sun_shadow
from mili_core.synth.window import ImageWindow

Float32Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class WindowRender:
    """One window.

    Attributes:
        colour: (H, W, 3) float32 linear light.
        samples: the sample grid.
    """

    colour: Float32Array
    samples: Samples


def render_window(scene: Scene, window: ImageWindow, supersample: int) -> WindowRender:
    """Gives the image of a window and its sample grid; depends on nothing outside the window.

    Args:
        scene: the scene.
        window: whole pixels of the image.
        supersample: S, samples along each side of a pixel.
    """
    samples = draw_samples(scene, window, supersample)
    scenery = scene.world.backdrop(scene.camera, window)
    colour = scenery.colour
    sun = sun_shadow(scene.camera, scene.light.sun, scene.surfaces, scene.casts, window)
    light = contact_shadow(scene.camera, scene.contacts, window)
    ground = (scenery.sunlit > 0) & ((sun > 0) | (light < 1))
    colour[ground] *= (light[ground] * (1.0 - scenery.sunlit[ground] * sun[ground]))[:, None]
    _paint_surfaces(scene, samples, supersample, colour)
    return WindowRender(colour, samples)


def _paint_surfaces(scene: Scene, samples: Samples, supersample: int, colour: Float32Array) -> None:
    """Lays the surfaces over a backdrop (H, W, 3), in place.

    A pixel whose samples all see one surface is shaded once, at its middle sample; only outlines are shaded sample
    by sample. That is where supersampling shows, and saves two thirds of the time.
    """
    height, width = colour.shape[:2]
    blocks = samples.surface.reshape(height, supersample, width, supersample)
    first = blocks[:, 0, :, 0]
    uniform = np.ones((height, width), dtype=np.bool_)
    for down in range(supersample):
        for right in range(supersample):
            uniform &= blocks[:, down, :, right] == first
    rows, columns = np.nonzero(uniform & (first != NOTHING))
    edge_rows, edge_columns = np.nonzero(~uniform)
    offsets = np.divmod(np.arange(supersample * supersample), supersample)
    at_row = (edge_rows[:, None] * supersample + offsets[0]).ravel()
    at_column = (edge_columns[:, None] * supersample + offsets[1]).ravel()
    seen = samples.surface[at_row, at_column] != NOTHING
    middle = supersample // 2
    light = shade(
        scene,
        samples,
        np.concatenate([rows * supersample + middle, at_row[seen]]),
        np.concatenate([columns * supersample + middle, at_column[seen]]),
    )
    edge = np.repeat(colour[edge_rows, edge_columns], supersample * supersample, axis=0)
    edge[seen] = light[len(rows) :]
    colour[rows, columns] = light[: len(rows)]
    colour[edge_rows, edge_columns] = edge.reshape(len(edge_rows), supersample * supersample, 3).mean(axis=1)
