"""From people, outfits and objects to the surfaces of a scene."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mili_core.synth.camera import SceneCamera
from mili_core.synth.objects.ground import TOUCH_M, clusters
from mili_core.synth.objects.mesh import Mesh
from mili_core.synth.objects.placement import PlacedObject
from mili_core.synth.people.crowd import Crowd, on_stage
from mili_core.synth.people.rig import Rig, vertex_normals
from mili_core.synth.people.upright import Upright
from mili_core.synth.rendering.scene import Scene
from mili_core.synth.rendering.shadow import THING_M, cast_shadows, contacts
from mili_core.synth.rendering.surface import NOBODY, Cloth, Paint, Piece, Surface, light_pieces
from mili_core.synth.wardrobe.bind import PosedPerson
from mili_core.synth.wardrobe.cloth import thickness_m
from mili_core.synth.wardrobe.look import Outfits
from mili_core.synth.wardrobe.shoes import shod_fields, without_toes
from mili_core.synth.wardrobe.worn import worn
from mili_core.synth.worlds.contract import World

Float32Array = NDArray[np.float32]


def assemble(
    rig: Rig,
    camera: SceneCamera,
    world: World,
    crowd: Crowd,
    upright: Upright,
    ground_m: NDArray[np.float64],
    outfits: Outfits,
    companions: Sequence[Sequence[Mesh]],
    objects: Sequence[PlacedObject],
) -> Scene:
    """Gives the scene.

    Args:
        rig: body.
        camera: camera.
        world: the place.
        crowd: P people in camera axes.
        upright: the same people before they were placed.
        ground_m: (P, 2) where they stand.
        outfits: their looks.
        companions: P lists of what each one uses, in their upright axes.
        objects: what stands about.
    """
    surfaces: list[Surface] = []
    for person in range(len(crowd)):
        dressed = _dress(rig, upright, outfits, person)
        things = [_painted(mesh) for mesh in companions[person]]
        spot = ground_m[person]
        for group in (dressed, *([thing] for thing in things)):
            placed = [_moved(piece, camera, spot) for piece in group]
            surfaces += light_pieces(placed, camera, world.light)
    for thing in objects:
        mesh = thing.mesh.turned(thing.heading_rad)
        surfaces += light_pieces([_moved(_painted(mesh), camera, thing.spot)], camera, world.light)
    return Scene(
        rig=rig,
        camera=camera,
        world=world,
        crowd=crowd,
        outfits=outfits,
        looks=tuple(outfits.one(person) for person in range(len(crowd))),
        objects=tuple(objects),
        surfaces=tuple(surfaces),
        bounds_px=np.array([surface.bounds_px for surface in surfaces], dtype=np.float64).reshape(-1, 4),
        owners=np.array([surface.piece.owner for surface in surfaces], dtype=np.int64),
        casts=cast_shadows(camera, world.light.sun, surfaces),
        contacts=contacts(camera, crowd, _grounded(ground_m, companions, objects)),
    )


def _grounded(
    ground_m: NDArray[np.float64], companions: Sequence[Sequence[Mesh]], objects: Sequence[PlacedObject]
) -> NDArray[np.float64]:
    """Gives (K, 3) ground points x, z and radii of the contact shadows of all things; objects get one each."""
    found = [np.array([[*thing.spot, 0.6 * thing.radius_m] for thing in objects], dtype=np.float64).reshape(-1, 3)]
    for spot, things in zip(ground_m, companions, strict=True):
        for mesh in things:
            touching = clusters(mesh, spot, TOUCH_M)
            found.append(np.column_stack([touching, np.full(len(touching), THING_M)]))
    return np.concatenate(found)


def _dress(rig: Rig, upright: Upright, outfits: Outfits, person: int) -> list[Piece]:
    """Gives a person's body, pushed out to its clothes, what is worn over it, and what is carried."""
    body = rig.body
    vertices = upright.vertices_m[person]
    shod = without_toes(rig, vertices)
    normals = vertex_normals(shod[None], body.faces)[0]
    stand_off = thickness_m(rig, outfits.one(person))[0]
    padded = shod + normals * stand_off[:, None]
    pieces = [Piece(padded, body.faces, Cloth(shod_fields(rig)), person)]
    posed = PosedPerson(vertices, upright.joints_m[person], upright.transforms[person], upright.betas[person])
    for mesh in worn(rig, outfits, person, posed, stand_off):
        if mesh.albedo is None:
            pieces.append(Piece(mesh.vertices_m, mesh.faces, Cloth(mesh.fields, mesh.region), person))
        else:
            matt = np.zeros(len(mesh.albedo), dtype=np.float32)
            pieces.append(Piece(mesh.vertices_m, mesh.faces, Paint(mesh.albedo, matt), NOBODY))
    return pieces


def _painted(mesh: Mesh) -> Piece:
    return Piece(mesh.vertices_m, mesh.faces, Paint(mesh.albedo, mesh.gloss), NOBODY)


def _moved(piece: Piece, camera: SceneCamera, spot: NDArray[np.float64]) -> Piece:
    """Gives a piece in upright axes at its ground point, camera axes."""
    normals = None if piece.normals is None else piece.normals @ camera.body_to_camera.T.astype(np.float32)
    return replace(piece, vertices_m=on_stage(camera, piece.vertices_m, spot), normals=normals)
