"""The sample grid of a window: what each sample sees, and what each person alone would cover."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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

BLOCK_SAMPLES = 2_048
"""Side of what is rasterised at once of a whole silhouette: a block's raster takes some 100 MB, whatever its owner."""


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
class Layer:
    """One surface alone, over the part of a window's sample grid that it can touch.

    Attributes:
        left, top: the part's corner on the window's sample grid.
        raster: depth, triangle ids and barycentrics.
        front: the surface's face behind each triangle id.
    """

    left: int
    top: int
    raster: Raster
    front: NDArray[np.int64]

    def look_up(self, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> tuple[NDArray[np.int64], Float32Array]:
        """Gives the faces (N,) and the barycentrics (N, 3) at samples of the window that see this surface."""
        row, column = rows - self.top, columns - self.left
        return self.front[self.raster.ids[row, column]], self.raster.barycentrics[row, column]


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """What each sample of a window sees; S x S samples a pixel.

    Attributes:
        person: (H S, W S) int32, NOBODY where an object or the backdrop is seen.
        surface: (H S, W S) int32 index into Scene.surfaces, NOTHING for the backdrop.
        depth: (H S, W S) float32 metres, inf for the backdrop.
        layers: surface -> what it covers alone within this window; only of those that cover anything.
        silhouettes: person -> what they cover alone within this window; only of those who cover anything.
    """

    person: NDArray[np.int32]
    surface: NDArray[np.int32]
    depth: Float32Array
    layers: dict[int, Layer]
    silhouettes: dict[int, Silhouette]


def draw_samples(scene: Scene, window: ImageWindow, supersample: int) -> Samples:
    """Gives the sample grid of a window: each surface rasterised alone, the nearest one kept.

    Args:
        scene: the scene.
        window: whole pixels of the image.
        supersample: S, samples along each side of a pixel.
    """
    grid = window.scaled(supersample)
    surface = np.full((grid.height, grid.width), NOTHING, dtype=np.int32)
    depth = np.full(surface.shape, np.inf, dtype=np.float32)
    boxes = {
        index: pixel_box(scene.bounds_px[index].reshape(2, 2) * supersample, grid)
        for index in touching(scene.bounds_px, window)
    }
    drawn = [(index, box) for index, box in boxes.items() if box is not None]
    pieces = [(scene.surfaces[index], box) for index, box in drawn]
    layers: dict[int, Layer] = {}
    covers: dict[int, list[Silhouette]] = {}
    for (index, box), (raster, front) in zip(drawn, rasterise_surfaces(scene.camera, pieces, supersample), strict=True):
        covered = raster.ids >= 0
        if not covered.any():
            continue
        layers[index] = Layer(box.left - grid.left, box.top - grid.top, raster, front)
        owner = scene.surfaces[index].piece.owner
        if owner != NOBODY:
            covers.setdefault(owner, []).append(Silhouette(box, covered))
        here = box.rows(grid), box.columns(grid)
        np.copyto(surface[here], index, where=raster.depth < depth[here])
        np.minimum(depth[here], raster.depth, out=depth[here])
    # The last entry stands for the backdrop, whose index is -1.
    owners = np.append(scene.owners, NOBODY).astype(np.int32)
    silhouettes = {owner: unite(parts) for owner, parts in covers.items()}
    return Samples(owners[surface], surface, depth, layers, silhouettes)


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


def whole_silhouette(scene: Scene, person: int, supersample: int, margin_px: int | None = None) -> Silhouette | None:
    """Gives what a person covers alone, in the frame and up to `margin_px` beyond it; None for nothing.

    Without a margin it is everything, as far as the person's surfaces reach.
    """
    parts = list(silhouette_parts(scene, person, supersample, margin_px))
    return unite(parts) if parts else None


def silhouette_parts(scene: Scene, person: int, supersample: int, margin_px: int | None = None) -> Iterator[Silhouette]:
    """Gives `whole_silhouette` in parts that do not overlap and are not empty, one block's raster in memory at a time.

    Args:
        scene: the scene.
        person: index in the crowd.
        supersample: S, samples along each side of a pixel.
        margin_px: how far beyond the frame it goes; None for as far as the surfaces reach.
    """
    surfaces = [scene.surfaces[index] for index in scene.surfaces_of(person)]
    if not surfaces:
        return
    bounds = np.stack([surface.bounds_px for surface in surfaces]).reshape(-1, 2)
    whole = _around(bounds * supersample)
    if margin_px is not None:
        frame = ImageWindow(0, 0, scene.camera.width, scene.camera.height)
        whole = whole.common(frame.grown(margin_px).scaled(supersample)) if whole is not None else None
    if whole is None:
        return
    for block in _blocks(whole):
        part = _covered(scene, surfaces, block, supersample)
        if part is not None:
            yield part


def _covered(scene: Scene, surfaces: Sequence[Surface], block: ImageWindow, supersample: int) -> Silhouette | None:
    """Gives what surfaces cover of a block of the frame's sample grid; one raster at a time is held."""
    parts = []
    for surface in surfaces:
        box = pixel_box(surface.bounds_px.reshape(2, 2) * supersample, block)
        if box is None:
            continue
        ((raster, _),) = rasterise_surfaces(scene.camera, [(surface, box)], supersample)
        covered = raster.ids >= 0
        if covered.any():
            parts.append(Silhouette(box, covered))
    return unite(parts) if parts else None


def _around(points: NDArray[np.float64]) -> ImageWindow | None:
    """Gives the whole samples that the bounds of points (N, 2) touch, None where these have no extent."""
    low = np.floor(points.min(axis=0)).astype(np.int64).tolist()
    high = np.ceil(points.max(axis=0)).astype(np.int64).tolist()
    width, height = high[0] - low[0], high[1] - low[1]
    return ImageWindow(low[0], low[1], width, height) if width > 0 and height > 0 else None


def _blocks(whole: ImageWindow) -> Iterator[ImageWindow]:
    for top in range(0, whole.height, BLOCK_SAMPLES):
        for left in range(0, whole.width, BLOCK_SAMPLES):
            width, height = min(BLOCK_SAMPLES, whole.width - left), min(BLOCK_SAMPLES, whole.height - top)
            yield ImageWindow(whole.left + left, whole.top + top, width, height)


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
