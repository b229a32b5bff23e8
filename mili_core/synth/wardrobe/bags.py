"""Bags that people carry: on the back, at the hip, in a hand. They are no part of a person's silhouette."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from mili_core.synth.people.rig import Field, Rig
from mili_core.synth.poses.skeleton import Joint
from mili_core.synth.wardrobe.bind import PosedPerson, Template, WornMesh, bind
from mili_core.synth.wardrobe.look import Bag, Float32Array, Int64Array, Outfits
from mili_core.synth.wardrobe.shapes import joined, rounded_box, tube

CHILD_M = 1.45
"""Bags of people smaller than this are smaller too."""

_HAND_DROP_M = 0.5
"""A bag hangs only from a hand that is lower than this over the hips: raised hands carry none."""


def carried(rig: Rig, look: Outfits, person: PosedPerson, stand_off: Float32Array) -> WornMesh | None:
    """Gives the bag of a posed person, or None without one and where the body has no surface to carry it on.

    Args:
        rig: body.
        look: one look.
        person: the posed body.
        stand_off: (V,) metres that clothes stand off the body.
    """
    kind, phase = Bag(int(look.bag[0])), float(look.phase[0])
    if kind == Bag.NONE or not _holds(kind, rig):
        return None
    size = 0.85 + 0.3 * (phase / 6.283)
    rest_y = rig.body.v_template[:, 1] + rig.body.shapedirs[:, 1] @ person.betas
    size *= min(float(np.ptp(rest_y)) / CHILD_M, 1.0)
    if kind == Bag.BACKPACK:
        thick = float(stand_off[_back(rig)].mean())
        template = _backpack(rig)
        moved = template.posed(person)
        # Over thick coats the pack sits farther back; small people have small packs.
        away = person.transforms[Joint.SPINE3, :, 2]
        # Sized about the middle of the side that lies on the back.
        centre = moved.mean(axis=0) + away * np.float32(0.07)
        vertices = centre + (moved - centre) * np.float32(min(size, 1.1)) - away * np.float32(thick)
        return _painted(vertices, template.faces, look, template.vertices)
    if kind == Bag.SHOULDER:
        half = np.array([0.13, 0.1, 0.045]) * size
        hip = person.joints[Joint.LEFT_HIP]
        turn = _upright(person.transforms[Joint.PELVIS, :, :3])
        vertices, faces = rounded_box(half[[2, 1, 0]], 5.0)
        thick = 0.6 * float(stand_off[_hip(rig)].mean())
        side = _hip(rig)
        reach = float(((person.vertices[side] - hip) @ turn[:, 0]).max()) + thick + float(half[2]) - 0.015
        middle = hip + turn @ np.array([reach, 0.02, 0.0], dtype=np.float32)
        return _painted((vertices @ turn.T + middle).astype(np.float32), faces, look, vertices)
    return _in_hand(kind, look, person, size)


def _holds(kind: Bag, rig: Rig) -> bool:
    """Gives whether a body has vertices where a bag lies; bodies of other shapes may have none there."""
    under = {Bag.BACKPACK: _back, Bag.SHOULDER: _hip}.get(kind)
    return under is None or len(under(rig)) > 0


def _in_hand(kind: Bag, look: Outfits, person: PosedPerson, size: float) -> WornMesh | None:
    left = look.phase[0] < np.pi
    hand, wrist = (Joint.LEFT_HAND, Joint.LEFT_WRIST) if left else (Joint.RIGHT_HAND, Joint.RIGHT_WRIST)
    pelvis = person.joints[Joint.PELVIS, 1]
    grip = (0.35 * person.joints[wrist] + 0.65 * person.joints[hand]).astype(np.float64)
    if grip[1] > pelvis + _HAND_DROP_M - 0.4:
        return None
    half = np.array([0.06, 0.11, 0.15] if kind == Bag.HANDBAG else [0.055, 0.17, 0.15]) * size
    strap = min(0.14 * size, max(float(grip[1]) - person.vertices[:, 1].min() - 2.0 * half[1] - 0.03, 0.02))
    box, faces = rounded_box(half, 6.0 if kind == Bag.HANDBAG else 9.0)
    box[:, 1] -= np.float32(strap + half[1])
    if kind == Bag.SHOPPING:
        box[:, 0] *= 1.0 + 0.35 * np.clip((-strap - box[:, 1]) / (2.0 * half[1]), 0.0, 1.0)
    parts = [(box, faces)]
    for depth in (-0.6, 0.6):
        path = np.array([[depth * half[0], -strap - 0.01, -0.5 * half[2]], [0.0, -0.01, -0.15 * half[2]],
                         [0.0, -0.01, 0.15 * half[2]], [depth * half[0], -strap - 0.01, 0.5 * half[2]]])  # fmt: skip
        parts.append(tube(path, np.full(4, 0.006), 1.0, 6))
    vertices, joined_faces = joined(parts)
    turn = _upright(person.transforms[Joint.PELVIS, :, :3])
    outward = 0.04 * (turn[:, 0] if left else -turn[:, 0])
    placed = (vertices @ turn.T + grip + outward).astype(np.float32)
    return _painted(placed, joined_faces, look, vertices)


def _painted(vertices: Float32Array, faces: Int64Array, look: Outfits, rest: Float32Array) -> WornMesh:
    fields = np.zeros((len(vertices), Field.COUNT), dtype=np.float32)
    fields[:, :3] = rest
    low, high = rest[:, 1].min(), rest[:, 1].max()
    height = (rest[:, 1] - low) / max(float(high - low), 1e-6)
    # A flap or a zip near the top, and wear below.
    tone = 0.85 + 0.25 * height - 0.3 * (np.abs(height - 0.72) < 0.04)
    albedo = (look.bag_colour * tone[:, None]).astype(np.float32)
    return WornMesh(vertices.astype(np.float32), faces, fields, -1, albedo)


def _upright(rotation: Float32Array) -> Float32Array:
    """Gives the (3, 3) turn about the vertical that comes nearest to a rotation."""
    ahead = rotation[:, 2].astype(np.float64)
    ahead[1] = 0.0
    ahead /= max(float(np.linalg.norm(ahead)), 1e-6)
    turn: Float32Array = np.stack([np.cross([0.0, 1.0, 0.0], ahead), [0.0, 1.0, 0.0], ahead], axis=1).astype(np.float32)
    return turn


@lru_cache(maxsize=4)
def _back(rig: Rig) -> Int64Array:
    """Gives the vertices under a backpack."""
    x, y, normal = rig.fields[:, Field.X], rig.fields[:, Field.Y], rig.normals[:, 2]
    spine = rig.joints[Joint.SPINE3, 1]
    return np.flatnonzero((np.abs(x) < 0.12) & (np.abs(y - spine) < 0.15) & (normal < -0.3))


@lru_cache(maxsize=4)
def _hip(rig: Rig) -> Int64Array:
    """Gives the vertices at the left hip."""
    x, y = rig.fields[:, Field.X], rig.fields[:, Field.Y]
    hip = rig.joints[Joint.LEFT_HIP, 1]
    return np.flatnonzero((x > 0.08) & (np.abs(y - hip) < 0.1) & (rig.fields[:, Field.ARM] < 0))


@lru_cache(maxsize=4)
def _backpack(rig: Rig) -> Template:
    """Gives a pack with a pocket behind."""
    back = float(rig.body.v_template[_back(rig), 2].min(initial=0.0))
    pack, faces = rounded_box(np.array([0.15, 0.225, 0.085]), 4.5, 11, 18)
    pocket, pocket_faces = rounded_box(np.array([0.115, 0.1, 0.03]), 4.5, 7, 12)
    pocket = pocket + np.array([0.0, -0.09, -0.09], dtype=np.float32)
    vertices, both = joined([(pack, faces), (pocket, pocket_faces)])
    middle = np.array([0.0, rig.joints[Joint.SPINE3, 1] - 0.02, back - 0.075], dtype=np.float32)
    return bind(rig, vertices + middle, both, Joint.SPINE3)
