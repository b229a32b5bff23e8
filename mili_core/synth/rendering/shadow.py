"""Shadows on the ground: the sun's, as meshes projected onto the plane, and the soft one where things touch it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mili_core.raster import RasterJob, rasterise_many
from mili_core.synth.camera import SceneCamera
from mili_core.synth.people.crowd import Crowd
from mili_core.synth.poses.skeleton import Joint
from mili_core.synth.rendering.surface import Surface
from mili_core.synth.window import ImageWindow, front_faces, pixel_box, touching

Float32Array = NDArray[np.float32]
Float64Array = NDArray[np.float64]

FOOT_M = 0.13
"""Radius (one deviation) of the darkness around a foot: about half a shoe."""

THING_M = 0.11
"""The same around the wheels and legs of what people use."""

FOOT_STRENGTH = 0.4
OBJECT_STRENGTH = 0.3
"""Light that is missing in the middle of a contact shadow."""

DARKEST = 0.45
"""Contact shadows that lie over each other leave at least this share of the light."""

NEAREST_M = 0.2
"""Ground nearer to the camera's plane gets no shadow: it is never seen."""

_FEET = [Joint.LEFT_ANKLE, Joint.RIGHT_ANKLE, Joint.LEFT_FOOT, Joint.RIGHT_FOOT]
_EMPTY = np.array([np.inf, np.inf, -np.inf, -np.inf])


@dataclass(frozen=True, slots=True, eq=False)
class Contacts:
    """Where something touches the ground.

    Attributes:
        spots_m: (K, 2) float64 ground points x, z, world axes.
        radius_m: (K,) one deviation.
        strength: (K,) share of light that is missing in the middle.
        bounds_px: (K, 4) float64 xyxy of what is darkened.
    """

    spots_m: Float64Array
    radius_m: Float64Array
    strength: Float64Array
    bounds_px: Float64Array


def contacts(camera: SceneCamera, crowd: Crowd, grounded: Float64Array) -> Contacts:
    """Gives the contacts of feet and of things.

    Args:
        camera: camera.
        crowd: the people.
        grounded: (K, 3) ground points x, z of things and the radius of their shadow (one deviation), metres.
    """
    feet = crowd.joints_m[:, _FEET].reshape(-1, 3).astype(np.float64) @ camera.world_to_camera
    above = camera.height_m - feet[:, 1]
    low = above < 0.25
    spots = np.concatenate([feet[low][:, [0, 2]], grounded[:, :2]])
    radius = np.concatenate([np.full(low.sum(), FOOT_M), grounded[:, 2]])
    strength = np.concatenate([FOOT_STRENGTH * np.exp(-above[low] / 0.12), np.full(len(grounded), OBJECT_STRENGTH)])
    bounds = [_ground_bounds(camera, spot, 3.0 * reach) for spot, reach in zip(spots, radius, strict=True)]
    return Contacts(spots, radius, strength, np.array(bounds, dtype=np.float64).reshape(-1, 4))


def _ground_bounds(camera: SceneCamera, spot: Float64Array, reach: float) -> Float64Array:
    corners = spot + reach * np.array([[-1, -1], [-1, 1], [1, -1], [1, 1]])
    world = np.column_stack([corners[:, 0], np.full(4, camera.height_m), corners[:, 1]])
    seen = camera.to_camera(world)
    if seen[:, 2].min() < NEAREST_M:
        return _EMPTY
    pixels = camera.project(seen)
    return np.concatenate([pixels.min(axis=0), pixels.max(axis=0)])


def contact_shadow(camera: SceneCamera, found: Contacts, window: ImageWindow) -> Float32Array:
    """Gives (H, W) float32 light that is left on the ground, 1 away from contacts, `DARKEST` at least."""
    light = np.ones((window.height, window.width), dtype=np.float32)
    for index in touching(found.bounds_px, window):
        box = pixel_box(found.bounds_px[index].reshape(2, 2), window)
        if box is None:
            continue
        xs = np.arange(box.left, box.left + box.width) + 0.5
        ys = np.arange(box.top, box.top + box.height) + 0.5
        rays = camera.rays_world(*np.meshgrid(xs, ys))
        reach = camera.height_m / np.maximum(rays[..., 1], 1e-6)
        away = (rays[..., 0] * reach - found.spots_m[index, 0]) ** 2 + (
            rays[..., 2] * reach - found.spots_m[index, 1]
        ) ** 2
        dark = found.strength[index] * np.exp(-away / (2.0 * found.radius_m[index] ** 2)) * (rays[..., 1] > 1e-6)
        light[box.rows(window), box.columns(window)] *= (1.0 - dark).astype(np.float32)
    return np.maximum(light, np.float32(DARKEST))


@dataclass(frozen=True, slots=True, eq=False)
class Cast:
    """(S, 4) float64 xyxy px of the shadow of each surface on the ground; empty where there is none."""

    bounds_px: Float64Array


def cast_shadows(camera: SceneCamera, sun: Float64Array, surfaces: Sequence[Surface]) -> Cast:
    """Gives where the shadows of surfaces fall; `sun` (3,) unit, world axes, above the horizon."""
    bounds = np.tile(_EMPTY, (len(surfaces), 1))
    for index, surface in enumerate(surfaces):
        cast = _on_ground(camera, sun, surface.piece.vertices_m)
        if cast[:, 2].min() >= NEAREST_M:
            x, y = camera.project(cast).T
            bounds[index] = x.min(), y.min(), x.max(), y.max()
    return Cast(bounds)


def _on_ground(camera: SceneCamera, sun: Float64Array, vertices: Float32Array) -> Float64Array:
    """Gives where the sun projects vertices (V, 3) onto the ground, (V, 3) camera axes."""
    above = camera.height_m - vertices @ camera.world_to_camera[:, 1]
    cast: Float64Array = vertices - (camera.world_to_camera @ sun) * (above / -sun[1])[:, None]
    return cast


def sun_shadow(
    camera: SceneCamera, sun: Float64Array, surfaces: Sequence[Surface], casts: Cast, window: ImageWindow
) -> Float32Array:
    """Gives (H, W) float32, 1 where a surface keeps the sun from the ground plane, 0 elsewhere."""
    shade = np.zeros((window.height, window.width), dtype=np.float32)
    boxes, jobs = [], []
    for index in touching(casts.bounds_px, window):
        box = pixel_box(casts.bounds_px[index].reshape(2, 2), window)
        if box is None:
            continue
        cast = _on_ground(camera, sun, surfaces[index].piece.vertices_m)
        screen = np.column_stack([camera.project(cast) - box.origin, cast[:, 2]]).astype(np.float32)
        faces = surfaces[index].piece.faces
        boxes.append(box)
        jobs.append(RasterJob(screen, faces[front_faces(screen, faces)], box.width, box.height))
    for box, raster in zip(boxes, rasterise_many(jobs), strict=True):
        shade[box.rows(window), box.columns(window)][raster.ids >= 0] = 1.0
    return shade
