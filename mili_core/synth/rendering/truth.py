"""What a sample grid says about the people on it: bounds, counts, which joints are seen."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from mili_core.raster.contract import NEAR_M
from mili_core.synth.rendering.grid import Samples
from mili_core.synth.rendering.scene import Scene
from mili_core.synth.window import ImageWindow

Scalar = TypeVar("Scalar", bound=np.generic)

SELF_OCCLUSION_M = 0.2
"""A joint lies inside its body: it counts as hidden by its own body only when the surface is nearer by this much,
more than half a trunk's depth."""


def interior(grid: NDArray[Scalar], edge: int) -> NDArray[Scalar]:
    """Gives a grid (H, W) without `edge` samples on each side."""
    return grid[edge : grid.shape[0] - edge, edge : grid.shape[1] - edge]


def seen_bounds(person: NDArray[np.int32], people: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Gives half-open xyxy bounds (P, 4) in samples of what is seen of each person, and how many samples (P,).

    Args:
        person: (H, W) who is seen by each sample, -1 for nobody.
        people: P.
    """
    bounds = np.zeros((people, 4), dtype=np.int64)
    rows, columns = np.nonzero(person >= 0)
    owners = person[rows, columns]
    seen = np.bincount(owners, minlength=people)
    anyone = seen > 0
    for axis, position in enumerate((columns, rows)):
        low = np.full(people, np.iinfo(np.int64).max)
        high = np.full(people, -1, dtype=np.int64)
        np.minimum.at(low, owners, position)
        np.maximum.at(high, owners, position)
        bounds[anyone, axis] = low[anyone]
        bounds[anyone, axis + 2] = high[anyone] + 1
    return bounds, seen


def joints_visible(scene: Scene, samples: Samples, window: ImageWindow, supersample: int) -> NDArray[np.bool_]:
    """Gives (P, 24) whether each joint lies inside the window and neither its own body nor another hides it.

    Args:
        scene: the scene.
        samples: the sample grid of exactly that window.
        window: whole pixels of the image.
        supersample: S, samples along each side of a pixel.
    """
    joints = scene.crowd.joints_m
    depth = joints[..., 2]
    pixels = scene.camera.project(np.maximum(joints, [-np.inf, -np.inf, NEAR_M]))
    cells = np.floor((pixels - window.origin) * supersample)
    limits = np.array([window.width, window.height]) * supersample
    inside = ((cells >= 0) & (cells < limits)).all(axis=-1) & (depth > NEAR_M)
    column, row = np.where(inside[..., None], cells, 0).astype(np.int64).transpose(2, 0, 1)
    surface, owner = samples.depth[row, column], samples.person[row, column]
    own = owner == np.arange(len(scene.crowd))[:, None]
    visible: NDArray[np.bool_] = inside & (surface >= depth - np.where(own, SELF_OCCLUSION_M, 0.0))
    return visible
