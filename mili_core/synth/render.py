"""A window of a scene's image, with who is seen where, all from one sample grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mili_core.raster import rasterise
from mili_core.synth.camera import SceneCamera
from mili_core.synth.crowd import Crowd
from mili_core.synth.rig import Field, Rig, vertex_normals
from mili_core.synth.shadow import contact_shadow, sun_shadow
from mili_core.synth.wardrobe import Outfits, Region, albedo, regions, thickness_m
from mili_core.synth.window import ImageWindow, front_faces, pixel_box
from mili_core.synth.world import World, backdrop

Float32Array = NDArray[np.float32]

NOBODY = -1

_FOLDS = np.array(
    [[9.0, 21.0, 5.0], [-14.0, 33.0, 11.0], [30.0, -17.0, 24.0], [55.0, 48.0, -40.0]], dtype=np.float32
)
"""Waves of cloth folds, radians per metre of the rest pose: some centimetres, mostly running around the limbs."""

_FOLD_DEPTH = np.array([0.10, 0.10, 0.08, 0.06], dtype=np.float32)


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
        normals: (P, V, 3) float32, camera axes.
    """

    rig: Rig
    camera: SceneCamera
    world: World
    crowd: Crowd
    outfits: Outfits
    surface_m: Float32Array
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
    faces = rig.body.faces
    bare = vertex_normals(crowd.vertices_m, faces)
    surface = crowd.vertices_m + bare * thickness_m(rig, outfits)[..., None]
    return Scene(rig, camera, world, crowd, outfits, surface, vertex_normals(surface, faces))


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
    size = (window.height, supersample, window.width, supersample)
    seen = samples.person >= 0
    share = seen.reshape(size).mean(axis=(1, 3), dtype=np.float32)
    people = np.zeros((*samples.person.shape, 3), dtype=np.float32)
    people[seen] = shade(scene, samples, seen)
    people_px = people.reshape(*size, 3).mean(axis=(1, 3), dtype=np.float32)
    return WindowRender(colour * (1.0 - share[..., None]) + people_px, samples)


def draw_samples(scene: Scene, window: ImageWindow, supersample: int) -> Samples:
    """Gives the sample grid of a window: each person rasterised alone, the nearest one kept."""
    grid = ImageWindow(
        window.left * supersample, window.top * supersample, window.width * supersample, window.height * supersample
    )
    shape, people = (grid.height, grid.width), len(scene.crowd)
    person = np.full(shape, NOBODY, dtype=np.int32)
    face = np.full(shape, NOBODY, dtype=np.int32)
    barycentrics = np.zeros((*shape, 3), dtype=np.float32)
    depth = np.full(shape, np.inf, dtype=np.float32)
    amodal = np.zeros(people, dtype=np.int64)
    bounds = np.zeros((people, 4), dtype=np.int64)
    faces = scene.rig.body.faces
    for index, vertices in enumerate(scene.surface_m):
        if vertices[:, 2].max() <= 0.1:
            continue
        pixels = scene.camera.project(np.maximum(vertices, [-np.inf, -np.inf, 0.01])) * supersample
        box = pixel_box(pixels, grid)
        if box is None:
            continue
        screen = np.column_stack([pixels - box.origin, vertices[:, 2]]).astype(np.float32)
        front = front_faces(screen, faces)
        raster = rasterise(screen, faces[front], box.width, box.height)
        covered = raster.ids >= 0
        amodal[index] = int(covered.sum())
        if amodal[index] == 0:
            continue
        bounds[index] = _bounds(covered) + np.tile([box.left - grid.left, box.top - grid.top], 2)
        rows, columns = box.rows(grid), box.columns(grid)
        nearer = raster.depth < depth[rows, columns]
        person[rows, columns][nearer] = index
        face[rows, columns][nearer] = front[raster.ids[nearer]]
        barycentrics[rows, columns][nearer] = raster.barycentrics[nearer]
        depth[rows, columns][nearer] = raster.depth[nearer]
    return Samples(person, face, barycentrics, depth, amodal, bounds)


def _bounds(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Gives (4,) half-open xyxy bounds of a mask that is not empty."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1], dtype=np.int64)


def shade(scene: Scene, samples: Samples, seen: NDArray[np.bool_]) -> Float32Array:
    """Gives (N, 3) float32 linear light of the N samples where `seen` is true."""
    person = samples.person[seen].astype(np.int64)
    corners = scene.rig.body.faces[samples.face[seen]]
    weights = samples.barycentrics[seen]
    points = np.einsum("nck,nc->nk", scene.rig.fields[corners], weights)
    normals = np.einsum("nck,nc->nk", scene.normals[person[:, None], corners], weights)
    look = scene.outfits.take(person)
    region = regions(scene.rig, points, look)
    _fold(points, region, look, normals)
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-6)
    world, turn = scene.world, scene.camera.world_to_camera.astype(np.float32)
    towards_sun = turn @ world.sun.astype(np.float32)
    upward = -(normals @ turn[:, 1])
    sun = np.clip(normals @ towards_sun, 0.0, None)[:, None] * world.sun_light
    sky = (0.5 + 0.5 * upward)[:, None] * world.sky_light
    bounce = (0.5 - 0.5 * upward)[:, None] * world.bounce_light
    light: Float32Array = albedo(points, region, look) * (sun + sky + bounce)
    return light


def _fold(points: Float32Array, region: NDArray[np.int64], look: Outfits, normals: Float32Array) -> None:
    """Tilts the normals of cloth by folds, in place."""
    cloth = (region == Region.TOP) | (region == Region.BOTTOM) | (region == Region.INNER)
    rest = points[cloth, : Field.Z + 1]
    phase = look.phase[cloth, None] * np.array([1.0, 2.0, 3.0, 5.0], dtype=np.float32)
    waves = np.cos(rest @ _FOLDS.T + phase + 1.5 * np.sin(7.0 * rest[:, 1:2] + phase[:, :1])) * _FOLD_DEPTH
    directions = _FOLDS / np.linalg.norm(_FOLDS, axis=1, keepdims=True)
    normals[cloth] += waves @ directions
