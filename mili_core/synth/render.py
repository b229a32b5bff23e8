"""A window of a scene's image, with who is seen where, all from one sample grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mili_core.raster import Raster, rasterise
from mili_core.raster.contract import NEAR_M, SUBPIXELS
from mili_core.synth.camera import SceneCamera
from mili_core.synth.crowd import Crowd
from mili_core.synth.occlusion import sky_visibility, sun_visibility
from mili_core.synth.rig import Field, Rig, vertex_normals
from mili_core.synth.shadow import contact_shadow, sun_shadow
from mili_core.synth.wardrobe import Outfits, Region, albedo, regions, thickness_m
from mili_core.synth.window import ImageWindow, front_faces, pixel_box, touching
from mili_core.synth.world import World, backdrop, through_haze

Float32Array = NDArray[np.float32]

NOBODY = -1

_FOLDS = np.array([[9.0, 21.0, 5.0], [-14.0, 33.0, 11.0], [30.0, -17.0, 24.0], [55.0, 48.0, -40.0]], dtype=np.float32)
"""Waves of cloth folds, radians per metre of the rest pose: some centimetres, mostly running around the limbs."""

_FOLD_DEPTH = np.array([0.16, 0.18, 0.14, 0.10], dtype=np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """Everything that is needed to render any window.

    Attributes:
        rig: body.
        camera: camera.
        world: ground, wall, light.
        crowd: P people.
        outfits: their looks.
        surface_m: (P, V, 3) float32 vertices with cloth and hair, camera axes.
        bounds_px: (P, 4) float64 xyxy of what each surface projects to.
        sun: (P, V) float32, 1 where the sun reaches the surface.
        sky: (P, V) float32 share of the sky that reaches the surface.
        normals: (P, V, 3) float32 unit normals of the bare bodies, camera axes: cloth follows them closely enough.
    """

    rig: Rig
    camera: SceneCamera
    world: World
    crowd: Crowd
    outfits: Outfits
    surface_m: Float32Array
    bounds_px: NDArray[np.float64]
    sun: Float32Array
    sky: Float32Array
    normals: Float32Array


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """What each sample of a window sees; S x S samples a pixel.

    Attributes:
        person: (H S, W S) int32, -1 for nobody.
        face: (H S, W S) int32 face of the body, -1 for nobody.
        barycentrics: (H S, W S, 3) float32.
        depth: (H S, W S) float32 metres, inf for nobody.
        amodal: (P,) int64 samples of this window that each person would cover alone.
        amodal_bounds: (P, 4) int64 xyxy, half-open, samples from the window's corner; zeros where amodal is 0.
    """

    person: NDArray[np.int32]
    face: NDArray[np.int32]
    barycentrics: Float32Array
    depth: Float32Array
    amodal: NDArray[np.int64]
    amodal_bounds: NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class WindowRender:
    """One window.

    Attributes:
        colour: (H, W, 3) float32 linear light.
        samples: the sample grid.
    """

    colour: Float32Array
    samples: Samples


def build_scene(rig: Rig, camera: SceneCamera, world: World, crowd: Crowd, outfits: Outfits) -> Scene:
    """Gives the scene of dressed people."""
    normals = vertex_normals(crowd.vertices_m, rig.body.faces)
    surface = crowd.vertices_m + normals * thickness_m(rig, outfits)[..., None]
    faces, turn = rig.body.faces, camera.world_to_camera
    return Scene(
        rig=rig,
        camera=camera,
        world=world,
        crowd=crowd,
        outfits=outfits,
        surface_m=surface,
        bounds_px=projected_bounds(camera, surface),
        sun=sun_visibility(surface, normals, faces, turn @ world.sun),
        sky=sky_visibility(surface, normals, faces, -turn[:, 1]),
        normals=normals,
    )


def projected_bounds(camera: SceneCamera, points_m: Float32Array) -> NDArray[np.float64]:
    """Gives (P, 4) xyxy px of the projections of P point sets (P, V, 3), camera axes."""
    pixels = camera.project(np.maximum(points_m, [-np.inf, -np.inf, NEAR_M]))
    return np.concatenate([pixels.min(axis=1), pixels.max(axis=1)], axis=1)


def render_window(scene: Scene, window: ImageWindow, supersample: int) -> WindowRender:
    """Gives the image of a window and its sample grid; depends on nothing outside the window.

    Args:
        scene: the scene.
        window: whole pixels of the image.
        supersample: S, samples along each side of a pixel.
    """
    samples = draw_samples(scene, window, supersample)
    scenery = backdrop(scene.camera, scene.world, window.left, window.top, window.width, window.height)
    colour = scenery.colour
    sun = sun_shadow(scene.camera, scene.world.sun, scene.crowd, scene.rig.body.faces, window)
    light = contact_shadow(scene.camera, scene.crowd, window)
    ground = scenery.sunlit > 0
    colour[ground] *= (light * (1.0 - scenery.sunlit * sun))[ground][:, None]
    _paint_people(scene, samples, supersample, colour)
    return WindowRender(colour, samples)


def _paint_people(scene: Scene, samples: Samples, supersample: int, colour: Float32Array) -> None:
    """Lays the people over a backdrop (H, W, 3), in place.

    A pixel whose samples all see one person is shaded once, at its middle sample; only outlines are shaded sample
    by sample. That is where supersampling shows, and saves two thirds of the time.
    """
    height, width = colour.shape[:2]
    blocks = samples.person.reshape(height, supersample, width, supersample).transpose(0, 2, 1, 3)
    cells = blocks.reshape(height, width, supersample * supersample)
    first = cells[..., 0]
    uniform = (cells == first[..., None]).all(axis=2)
    rows, columns = np.nonzero(uniform & (first >= 0))
    middle = supersample // 2
    colour[rows, columns] = shade(scene, samples, rows * supersample + middle, columns * supersample + middle)
    rows, columns = np.nonzero(~uniform)
    edge = np.zeros((len(rows), 3), dtype=np.float32)
    for offset in range(supersample * supersample):
        down, right = divmod(offset, supersample)
        at_row, at_column = rows * supersample + down, columns * supersample + right
        seen = samples.person[at_row, at_column] >= 0
        edge[seen] += shade(scene, samples, at_row[seen], at_column[seen])
        edge[~seen] += colour[rows[~seen], columns[~seen]]
    colour[rows, columns] = edge / (supersample * supersample)


def draw_samples(scene: Scene, window: ImageWindow, supersample: int) -> Samples:
    """Gives the sample grid of a window: each person rasterised alone, the nearest one kept."""
    grid = window.scaled(supersample)
    shape, people = (grid.height, grid.width), len(scene.crowd)
    person = np.full(shape, NOBODY, dtype=np.int32)
    face = np.full(shape, NOBODY, dtype=np.int32)
    barycentrics = np.zeros((*shape, 3), dtype=np.float32)
    depth = np.full(shape, np.inf, dtype=np.float32)
    amodal = np.zeros(people, dtype=np.int64)
    bounds = np.zeros((people, 4), dtype=np.int64)
    for index in touching(scene.bounds_px, window):
        box = pixel_box(scene.bounds_px[index].reshape(2, 2) * supersample, grid)
        if box is None:
            continue
        raster, front = rasterise_person(scene, index, box, supersample)
        covered = raster.ids >= 0
        amodal[index] = int(covered.sum())
        if amodal[index] == 0:
            continue
        bounds[index] = mask_bounds(covered) + np.tile([box.left - grid.left, box.top - grid.top], 2)
        rows, columns = box.rows(grid), box.columns(grid)
        nearer = raster.depth < depth[rows, columns]
        person[rows, columns][nearer] = index
        face[rows, columns][nearer] = front[raster.ids[nearer]]
        barycentrics[rows, columns][nearer] = raster.barycentrics[nearer]
        depth[rows, columns][nearer] = raster.depth[nearer]
    return Samples(person, face, barycentrics, depth, amodal, bounds)


def rasterise_person(scene: Scene, index: int, box: ImageWindow, supersample: int) -> tuple[Raster, NDArray[np.int64]]:
    """Gives the raster of one person alone and the body's face behind each of its triangle ids.

    Args:
        scene: the scene.
        index: person.
        box: window of the sample grid.
        supersample: S, samples along each side of a pixel.
    """
    vertices, faces = scene.surface_m[index], scene.rig.body.faces
    pixels = scene.camera.project(np.maximum(vertices, [-np.inf, -np.inf, NEAR_M])) * supersample
    # Snapped before the window's origin is taken off, so that every window decides coverage alike.
    snapped = np.round(pixels * SUBPIXELS) / SUBPIXELS
    screen = np.column_stack([snapped - box.origin, vertices[:, 2]]).astype(np.float32)
    front = front_faces(screen, faces)
    return rasterise(screen, faces[front], box.width, box.height), front


def mask_bounds(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Gives (4,) half-open xyxy bounds of a mask that is not empty."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1], dtype=np.int64)


def shade(scene: Scene, samples: Samples, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> Float32Array:
    """Gives (N, 3) float32 linear light of N samples that see somebody, at `rows` and `columns` of the sample grid."""
    person = samples.person[rows, columns].astype(np.int64)
    corners = scene.rig.body.faces[samples.face[rows, columns]]
    weights = samples.barycentrics[rows, columns]
    points = np.einsum("nck,nc->nk", scene.rig.fields[corners], weights)
    normals = np.einsum("nck,nc->nk", scene.normals[person[:, None], corners], weights)
    look = scene.outfits.take(person)
    region = regions(scene.rig, points, look)
    _fold(points, region, look, normals)
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-6)
    world, turn = scene.world, scene.camera.world_to_camera.astype(np.float32)
    towards_sun = turn @ world.sun.astype(np.float32)
    upward = -(normals @ turn[:, 1])
    sunny = np.einsum("nc,nc->n", scene.sun[person[:, None], corners], weights)
    open_sky = np.einsum("nc,nc->n", scene.sky[person[:, None], corners], weights)
    sun = (np.clip(normals @ towards_sun, 0.0, None) * sunny)[:, None] * world.sun_light
    sky = ((0.5 + 0.5 * upward) * open_sky)[:, None] * world.sky_light
    bounce = ((0.5 - 0.5 * upward) * (0.4 + 0.6 * open_sky))[:, None] * world.bounce_light
    light = albedo(points, region, look) * (sun + sky + bounce)
    return through_haze(light, samples.depth[rows, columns], world.sky)


def _fold(points: Float32Array, region: NDArray[np.int64], look: Outfits, normals: Float32Array) -> None:
    """Tilts the normals of cloth by folds, in place."""
    cloth = (region == Region.TOP) | (region == Region.BOTTOM) | (region == Region.INNER)
    rest = points[cloth, : Field.Z + 1]
    phase = look.phase[cloth, None] * np.array([1.0, 2.0, 3.0, 5.0], dtype=np.float32)
    waves = np.cos(rest @ _FOLDS.T + phase + 1.5 * np.sin(7.0 * rest[:, 1:2] + phase[:, :1])) * _FOLD_DEPTH
    directions = _FOLDS / np.linalg.norm(_FOLDS, axis=1, keepdims=True)
    normals[cloth] += waves @ directions
