"""The light that samples send to the camera: cloth, skin and hair through outfits, objects through their paint."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mili_core.synth.rendering.grid import Samples
from mili_core.synth.rendering.scene import Scene
from mili_core.synth.rendering.surface import Cloth, Surface
from mili_core.synth.wardrobe.look import Outfits
from mili_core.synth.wardrobe.paint import albedo, fold_normals
from mili_core.synth.wardrobe.regions import regions

Float32Array = NDArray[np.float32]
Int64Array = NDArray[np.int64]

SHINE = 0.35
"""Share of the light that the glossiest paint mirrors."""

SHARPNESS = 40.0
"""Exponent of the sun's highlight on glossy paint: a car's lacquer, not a mirror."""


def shade(scene: Scene, samples: Samples, rows: Int64Array, columns: Int64Array) -> Float32Array:
    """Gives (N, 3) float32 linear light of N samples that see a surface, at `rows` and `columns` of the grid."""
    seen = samples.surface[rows, columns]
    light = np.zeros((len(rows), 3), dtype=np.float32)
    if not len(rows):
        return light
    order = np.argsort(seen, kind="stable")
    cuts = np.flatnonzero(np.diff(seen[order])) + 1
    for members in np.split(order, cuts):
        index = int(seen[members[0]])
        surface = scene.surfaces[index]
        faces, weights = samples.layers[index].look_up(rows[members], columns[members])
        light[members] = _shade_surface(scene, surface, surface.piece.faces[faces], weights)
    depth = samples.depth[rows, columns]
    return scene.light.through_haze(light, depth)


def _shade_surface(scene: Scene, surface: Surface, corners: Int64Array, weights: Float32Array) -> Float32Array:
    """Gives (N, 3) light of N points of one surface: corner vertices (N, 3) and their weights (N, 3)."""

    def at(values: Float32Array) -> Float32Array:
        mixed: Float32Array = np.einsum("nc...,nc->n...", values[corners], weights)
        return mixed

    normals, look = at(surface.normals), surface.piece.look
    if isinstance(look, Cloth):
        points = at(look.fields)
        outfit = scene.looks[surface.piece.owner]
        colour = _cloth_colour(scene, look, outfit, points, normals)
        gloss = None
    else:
        colour, gloss = at(look.albedo), at(look.gloss)
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-6)
    return _reflect(scene, normals, colour, at(surface.sun), at(surface.sky), gloss)


def _cloth_colour(
    scene: Scene, look: Cloth, outfit: Outfits, points: Float32Array, normals: Float32Array
) -> Float32Array:
    """Gives (N, 3) albedo of points (N, Field.COUNT), and folds their normals in place."""
    if look.region < 0:
        region = regions(scene.rig, points, outfit)
    else:
        region = np.full(len(points), look.region, dtype=np.int64)
    fold_normals(points, region, outfit, normals)
    return albedo(points, region, outfit)


def _reflect(
    scene: Scene,
    normals: Float32Array,
    colour: Float32Array,
    sunny: Float32Array,
    open_sky: Float32Array,
    gloss: Float32Array | None,
) -> Float32Array:
    """Gives the light (N, 3) that surfaces with unit normals (N, 3) in camera axes throw back."""
    light, turn = scene.light, scene.camera.world_to_camera.astype(np.float32)
    towards_sun = turn @ light.sun.astype(np.float32)
    upward = -(normals @ turn[:, 1])
    sun = (np.clip(normals @ towards_sun, 0.0, None) * sunny)[:, None] * light.sun_light
    sky = ((0.5 + 0.5 * upward) * open_sky)[:, None] * light.sky_light
    bounce = ((0.5 - 0.5 * upward) * (0.4 + 0.6 * open_sky))[:, None] * light.bounce_light
    thrown: Float32Array = colour * (sun + sky + bounce)
    if gloss is None or not gloss.any():
        return thrown
    # Mirrored about the normal, the optical axis meets the sky above or the ground below.
    towards = -normals[:, 2:3] * 2.0 * normals + np.array([0.0, 0.0, 1.0], dtype=np.float32)
    mirrored = np.clip(-(towards @ turn[:, 1]), 0.0, 1.0)[:, None] * light.sky_light
    spark = np.clip(towards @ towards_sun, 0.0, 1.0) ** np.float32(SHARPNESS) * sunny
    shine = mirrored * open_sky[:, None] + spark[:, None] * light.sun_light
    glossy: Float32Array = (thrown + (np.float32(SHINE) * gloss)[:, None] * shine).astype(np.float32)
    return glossy
