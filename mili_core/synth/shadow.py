"""Shadows on the ground: the sun's, as bodies projected onto the plane, and the soft one where feet touch it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mili_core.raster import rasterise
from mili_core.synth.camera import SceneCamera
from mili_core.synth.crowd import Crowd
from mili_core.synth.skeleton import Joint
from mili_core.synth.window import ImageWindow, front_faces, pixel_box

Float32Array = NDArray[np.float32]

CONTACT_M = 0.13
"""Radius (one deviation) of the darkness around a foot: about half a shoe."""

_FEET = [Joint.LEFT_ANKLE, Joint.RIGHT_ANKLE, Joint.LEFT_FOOT, Joint.RIGHT_FOOT]


def sun_shadow(
    camera: SceneCamera, sun: NDArray[np.float64], crowd: Crowd, faces: NDArray[np.int64], window: ImageWindow
) -> Float32Array:
    """Gives (H, W) float32, 1 where a body keeps the sun from the ground plane.

    Args:
        camera: camera.
        sun: (3,) unit vector towards the sun, world axes, above the horizon.
        crowd: the people.
        faces: (F, 3).
        window: part of the image.
    """
    shade = np.zeros((window.height, window.width), dtype=np.float32)
    down = camera.world_to_camera[:, 1]
    sun_camera = camera.world_to_camera @ sun
    for vertices in crowd.vertices_m:
        above = camera.height_m - vertices @ down
        cast = vertices - sun_camera * (above / -sun[1])[:, None]
        if cast[:, 2].min() < 0.1:
            continue
        pixels = camera.project(cast)
        box = pixel_box(pixels, window)
        if box is None:
            continue
        screen = np.column_stack([pixels - box.origin, cast[:, 2]]).astype(np.float32)
        raster = rasterise(screen, faces[front_faces(screen, faces)], box.width, box.height)
        view = shade[box.rows(window), box.columns(window)]
        view[raster.ids >= 0] = 1.0
    return shade


def contact_shadow(camera: SceneCamera, crowd: Crowd, window: ImageWindow) -> Float32Array:
    """Gives (H, W) float32 light that is left on the ground, 1 away from feet, towards 0.45 under them."""
    light = np.ones((window.height, window.width), dtype=np.float32)
    down = camera.world_to_camera[:, 1]
    feet = crowd.joints_m[:, _FEET].reshape(-1, 3).astype(np.float64)
    above = camera.height_m - feet @ down
    spots = feet + above[:, None] * down
    for spot, height in zip(spots[above < 0.25], above[above < 0.25], strict=True):
        if spot[2] < 0.3:
            continue
        reach = 3.0 * CONTACT_M
        ring = (
            spot + np.array([[-reach, 0, 0], [reach, 0, 0], [0, 0, -reach], [0, 0, reach]]) @ camera.world_to_camera.T
        )
        if ring[:, 2].min() < 0.2:
            continue
        box = pixel_box(camera.project(ring), window)
        if box is None:
            continue
        xs = np.arange(box.left, box.left + box.width) + 0.5
        ys = np.arange(box.top, box.top + box.height) + 0.5
        rays = camera.rays_world(*np.meshgrid(xs, ys))
        level = np.maximum(rays[..., 1], 1e-6)
        ground = rays * (camera.height_m / level)[..., None]
        centre = spot @ camera.world_to_camera
        square = (ground[..., 0] - centre[0]) ** 2 + (ground[..., 2] - centre[2]) ** 2
        strength = 0.4 * np.exp(-height / 0.12)
        view = light[box.rows(window), box.columns(window)]
        view *= (1.0 - strength * np.exp(-square / (2.0 * CONTACT_M**2)) * (rays[..., 1] > 1e-6)).astype(np.float32)
    return np.maximum(light, 0.45)
