"""The sample grid of a window: what each sample sees, and what each person alone would cover."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mili_core.raster import Raster, RasterJob, rasterise_many
from mili_core.raster.contract import NEAR_M, SUBPIXELS
from mili_core.synth.camera import SceneCamera
from mili_core.synth.rendering.scene import Scene
from mili_core.synth.rendering.surface import NOBODY, Surface
from mili_core.synth.window import ImageWindow, front_faces, pixel_box, touching

Float32Array = NDArray[np.float32]

NOTHING = -1
"""Surface and face of a sample that sees the backdrop."""


@dataclass(frozen=True, slots=True, eq=False)
class Silhouette:
    """What one person covers alone, hidden parts included.

    Attributes:
        box: a window of the frame's sample grid.
        mask: (box.height, box.width) bool.
    """

    box: ImageWindow
    mask: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """What each sample of a window sees; S x S samples a pixel.

    Attributes:
        person: (H S, W S) int32, NOBODY where an object or the backdrop is seen.
        surface: (H S, W S) int32 index into Scene.surfaces, NOTHING for the backdrop.
        face: (H S, W S) int32 face of the surface.
        barycentrics: (H S, W S, 3) float32.
        depth: (H S, W S) float32 metres, inf for the backdrop.
        silhouettes: person -> what they cover alone within this window; only of those who cover anything.
    """

    person: NDArray[np.int32]
    surface: NDArray[np.int32]
    face: NDArray[np.int32]
    barycentrics: Float32Array
    depth: Float32Array
    silhouettes: dict[int, Silhouette]


def draw_samples(scene: Scene, window: ImageWindow, supersample: int) -> Samples:
    """Gives the sample grid of a window: each surface rasterised alone, the nearest one kept.

    Args:
        scene: the scene.
        window: whole pixels of the image.
        supersample: S, samples along each side of a pixel.
    """
    grid = window.scaled(supersample)
    shape = (grid.height, grid.width)
    samples = Samples(
        person=np.full(shape, NOBODY, dtype=np.int32),
        surface=np.full(shape, NOTHING, dtype=np.int32),
        face=np.full(shape, NOTHING, dtype=np.int32),
        barycentrics=np.zeros((*shape, 3), dtype=np.float32),
        depth=np.full(shape, np.inf, dtype=np.float32),
        silhouettes={},
    )
    boxes = {
        index: pixel_box(scene.bounds_px[index].reshape(2, 2) * supersample, grid)
        for index in touching(scene.bounds_px, window)
    }
    drawn = [(index, box) for index, box in boxes.items() if box is not None]
    pieces = [(scene.surfaces[index], box) for index, box in drawn]
    covers: dict[int, list[Silhouette]] = {}
    for (index, box), (raster, front) in zip(drawn, rasterise_surfaces(scene.camera, pieces, supersample), strict=True):
        surface = scene.surfaces[index]
        covered = raster.ids >= 0
        if not covered.any():
            continue
        owner = surface.piece.owner
        if owner != NOBODY:
            covers.setdefault(owner, []).append(Silhouette(box, covered))
        rows, columns = box.rows(grid), box.columns(grid)
        nearer = raster.depth < samples.depth[rows, columns]
        samples.person[rows, columns][nearer] = owner
        samples.surface[rows, columns][nearer] = index
        samples.face[rows, columns][nearer] = front[raster.ids[nearer]]
        samples.barycentrics[rows, columns][nearer] = raster.barycentrics[nearer]
        samples.depth[rows, columns][nearer] = raster.depth[nearer]
    samples.silhouettes.update({owner: unite(parts) for owner, parts in covers.items()})
    return samples


def rasterise_surfaces(
    camera: SceneCamera, surfaces: Sequence[tuple[Surface, ImageWindow]], supersample: int
) -> list[tuple[Raster, NDArray[np.int64]]]:
    """Gives the raster of each surface alone and the surface's face behind each of its triangle ids.

    Args:
        camera: camera.
        surfaces: what to draw, each with a window of the frame's sample grid.
        supersample: S, samples along each side of a pixel.
    """
    jobs, fronts = [], []
    for surface, box in surfaces:
        job, front = _job(camera, surface, box, supersample)
        jobs.append(job)
        fronts.append(front)
    return list(zip(rasterise_many(jobs), fronts, strict=True))


def _job(
    camera: SceneCamera, surface: Surface, box: ImageWindow, supersample: int
) -> tuple[RasterJob, NDArray[np.int64]]:
    vertices, faces = surface.piece.vertices_m, surface.piece.faces
    pixels = camera.project(np.maximum(vertices, [-np.inf, -np.inf, NEAR_M])) * supersample
    # Snapped before the window's origin is taken off, so that every window decides coverage alike.
    snapped = np.round(pixels * SUBPIXELS) / SUBPIXELS
    screen = np.column_stack([snapped - box.origin, vertices[:, 2]]).astype(np.float32)
    front = front_faces(screen, faces)
    return RasterJob(screen, faces[front], box.width, box.height), front


def whole_silhouette(scene: Scene, person: int, supersample: int, margin_px: int) -> Silhouette | None:
    """Gives what a person covers alone, in the frame and up to `margin_px` beyond it; None for nothing."""
    frame = ImageWindow(0, 0, scene.camera.width, scene.camera.height)
    surroundings = frame.grown(margin_px).scaled(supersample)
    surfaces = [scene.surfaces[index] for index in scene.surfaces_of(person)]
    boxes = [pixel_box(surface.bounds_px.reshape(2, 2) * supersample, surroundings) for surface in surfaces]
    drawn = [(surface, box) for surface, box in zip(surfaces, boxes, strict=True) if box is not None]
    rasters = rasterise_surfaces(scene.camera, drawn, supersample)
    parts = [Silhouette(box, raster.ids >= 0) for (_, box), (raster, _) in zip(drawn, rasters, strict=True)]
    return unite(parts) if any(part.mask.any() for part in parts) else None


def unite(parts: list[Silhouette]) -> Silhouette:
    """Gives the union of at least one silhouette, in the bounds of their boxes."""
    if len(parts) == 1:
        return parts[0]
    left, top = min(part.box.left for part in parts), min(part.box.top for part in parts)
    right = max(part.box.left + part.box.width for part in parts)
    bottom = max(part.box.top + part.box.height for part in parts)
    box = ImageWindow(left, top, right - left, bottom - top)
    mask = np.zeros((box.height, box.width), dtype=np.bool_)
    for part in parts:
        mask[part.box.rows(box), part.box.columns(box)] |= part.mask
    return Silhouette(box, mask)


def mask_bounds(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Gives (4,) half-open xyxy bounds of a mask that is not empty."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1], dtype=np.int64)
