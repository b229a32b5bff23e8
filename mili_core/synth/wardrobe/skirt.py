"""Skirts, dresses and coat tails: cloth that spans both legs, wherever they are.

Each ring of the cloth is the outline of what it has to contain: the trunk above the crotch; below it the sections of
both legs and, under the knees, of where cloth hangs that the shins do not push. So legs do not come through.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from mili_core.synth.people.rig import Field, Rig
from mili_core.synth.poses.skeleton import Joint
from mili_core.synth.wardrobe.bind import HANGING, PosedPerson, WornMesh, leg_scale
from mili_core.synth.wardrobe.look import Float32Array, Int64Array
from mili_core.synth.wardrobe.shapes import lined, sheet_faces

Float64Array = NDArray[np.float64]

COLUMNS = 36
_SECTION = 14
"""Vertices that stand for a section of a leg."""

_LEG_LEVELS = np.linspace(0.2, 0.98, 14)
_TRUNK_LEVELS = 7
_TRUNK_TOP_M = 0.16
"""How far above the hip joints the cone can start."""

_SHARPNESS_M = 0.02
"""Over this distance the outline changes from one leg to the other."""

LINING_M = 0.004

_KNEE = 0.47


@dataclass(frozen=True, slots=True, eq=False)
class Cone:
    """The body as skirts need it.

    Attributes:
        turns: (COLUMNS,) radians, 0 in front, growing to the left.
        trunk_y: (T,) heights of the trunk's rings in the rest pose, metres, from above.
        trunk: (T, COLUMNS) vertices on the trunk's outline.
        legs: (L, 2, S) vertices of sections of the left and the right leg.
        slack: (L, COLUMNS) metres by which a leg section's outline lies within that of the hips.
        rest: (T + L, COLUMNS, 3) the tight cone in the rest pose.
    """

    turns: Float64Array
    trunk_y: Float64Array
    trunk: Int64Array
    legs: Int64Array
    slack: Float64Array
    rest: Float64Array


@lru_cache(maxsize=4)
def measure_cone(rig: Rig) -> Cone:
    """Gives what skirts need to know of a body."""
    vertices, leg = rig.body.v_template.astype(np.float64), rig.fields[:, Field.LEG]
    turns = 2.0 * np.pi * np.arange(COLUMNS) / COLUMNS
    ways = np.stack([np.sin(turns), np.zeros(COLUMNS), np.cos(turns)])
    hip_y = float(rig.joints[[Joint.LEFT_HIP, Joint.RIGHT_HIP], 1].mean())
    free = rig.fields[:, Field.ARM] < 0
    trunk_y = np.linspace(hip_y + _TRUNK_TOP_M, rig.drape.crotch_y + 0.05, _TRUNK_LEVELS)
    trunk = np.zeros((_TRUNK_LEVELS, COLUMNS), dtype=np.int64)
    for row, y in enumerate(trunk_y):
        slab = _nearest(np.flatnonzero(free), np.abs(vertices[free, 1] - y), 0.02)
        trunk[row] = slab[np.argmax(vertices[slab] @ ways, axis=0)]
    legs = np.zeros((len(_LEG_LEVELS), 2, _SECTION), dtype=np.int64)
    for row, level in enumerate(_LEG_LEVELS):
        for side, sign in enumerate((1.0, -1.0)):
            own = np.flatnonzero(free & (vertices[:, 0] * sign > 0.0) & (vertices[:, 2] < 0.14))
            slab = _nearest(own, np.abs(leg[own] - level), 0.03)
            around = np.argsort(np.arctan2(*(vertices[slab] - vertices[slab].mean(axis=0))[:, [0, 2]].T))
            legs[row, side] = slab[around[np.linspace(0, len(slab) - 1, _SECTION).round().astype(np.int64)]]
    hips = (vertices[trunk] * ways.T).sum(axis=2).max(axis=0)
    centres, radii = _sections(vertices, legs)
    reach = (centres @ ways + radii[..., None]).max(axis=1)
    outline = (centres[..., None, :] + radii[..., None, None] * ways.T)[
        np.arange(len(legs))[:, None], (centres @ ways).argmax(axis=1), np.arange(COLUMNS)
    ]
    rest = np.concatenate([vertices[trunk], outline])
    return Cone(turns, trunk_y, trunk, legs, np.clip(hips - reach, 0.0, 0.12), rest)


def _nearest(ids: Int64Array, distance: Float64Array, within: float) -> Int64Array:
    """Gives the ids nearer than a distance, and never too few of them."""
    order = np.argsort(distance, kind="stable")
    return ids[order[: max(int((distance < within).sum()), _SECTION)]]


def _sections(vertices: NDArray[np.floating], legs: Int64Array) -> tuple[Float64Array, Float64Array]:
    """Gives centres (L, 2, 3) and radii (L, 2) of leg sections."""
    points = vertices[legs].astype(np.float64)
    centres = points.mean(axis=2)
    reach = np.linalg.norm(points - centres[:, :, None], axis=3)
    # Legs are not round: a disc of their mean radius would let the widest side through.
    return centres, 0.4 * reach.mean(axis=2) + 0.6 * reach.max(axis=2)


def drape_skirt(
    rig: Rig,
    person: PosedPerson,
    *,
    region: int,
    start: float,
    end: float,
    ease_m: float,
    stand_off: Float32Array | None = None,
    flare: float,
    gap_rad: float = 0.0,
    phase: float = 0.0,
) -> WornMesh:
    """Gives a skirt or coat tail on a posed body.

    Args:
        rig: body.
        person: the posed body.
        region: of the cloth.
        start, end: first and last ring on the leg scale.
        ease_m: how far it stands off the skin.
        stand_off: (V,) metres that what is worn below stands off, or None.
        flare: metres that it widens per metre of length.
        gap_rad: half width of an opening in front.
        phase: individual folds.
    """
    cone = measure_cone(rig)
    levels = np.concatenate([leg_scale(rig, cone.trunk_y.astype(np.float32)), _LEG_LEVELS])
    rings = np.concatenate([_trunk_rings(cone, person, ease_m, stand_off), _leg_rings(cone, person, ease_m)])
    outwards = rings - rings.mean(axis=1, keepdims=True)
    outwards /= np.maximum(np.linalg.norm(outwards, axis=2, keepdims=True), 1e-6)
    length = np.clip(levels - 0.05, 0.0, None)[:, None] * 0.8
    wide = flare * length + np.concatenate([np.zeros((len(cone.trunk_y), COLUMNS)), 0.75 * cone.slack])
    pleats = np.sin((7 + int(phase * 10) % 6) * cone.turns + phase) + 0.5 * np.sin(5.0 * cone.turns - phase)
    wide = wide + (0.006 + 0.35 * flare * 0.1) * pleats * np.clip(levels, 0.0, 1.0)[:, None]
    rings = rings + outwards * wide[..., None]
    targets = np.linspace(max(start, float(levels[0])), max(end, start + 0.1), 12)
    rows = np.stack([_at(levels, rings, target) for target in targets])
    inwards = np.stack([_at(levels, outwards, target) for target in targets])
    rest = np.stack([_at(levels, cone.rest, target) for target in targets])
    floor = person.vertices[:, 1].min() + 0.015
    rows[..., 1] = np.maximum(rows[..., 1], floor)
    kept = np.flatnonzero((np.minimum(cone.turns, 2.0 * np.pi - cone.turns)) >= gap_rad)
    rows, inwards, rest = rows[:, kept], inwards[:, kept], rest[:, kept]
    faces = sheet_faces(len(rows), len(kept), closed=len(kept) == COLUMNS)
    vertices, both = lined(
        rows.reshape(-1, 3).astype(np.float32), (rows - LINING_M * inwards).reshape(-1, 3).astype(np.float32), faces
    )
    fields = np.zeros((len(vertices), Field.COUNT), dtype=np.float32)
    fields[:, :3] = np.tile(rest.reshape(-1, 3), (2, 1))
    fields[:, Field.ARM], fields[:, Field.HEAD] = -0.5, HANGING
    fields[:, Field.LEG] = np.tile(np.repeat(targets, len(kept)), 2)
    return WornMesh(vertices, both, fields, region)


def _at(levels: NDArray[np.floating], rings: Float64Array, level: float) -> Float64Array:
    """Gives the ring (COLUMNS, 3) at a level, between its neighbours."""
    row = int(np.clip(np.searchsorted(levels, level) - 1, 0, len(levels) - 2))
    share = float(np.clip((level - levels[row]) / (levels[row + 1] - levels[row]), 0.0, 1.4))
    ring: Float64Array = rings[row] + share * (rings[row + 1] - rings[row])
    return ring


def _trunk_rings(cone: Cone, person: PosedPerson, ease_m: float, stand_off: Float32Array | None) -> Float64Array:
    """Gives (T, COLUMNS, 3) rings around the trunk."""
    points = person.vertices[cone.trunk].astype(np.float64)
    smooth = 0.5 * points + 0.25 * (np.roll(points, 1, axis=1) + np.roll(points, -1, axis=1))
    turn = person.transforms[Joint.PELVIS, :, :3].astype(np.float64)
    ways = np.stack([np.sin(cone.turns), np.zeros(COLUMNS), np.cos(cone.turns)], axis=1) @ turn.T
    off = ease_m if stand_off is None else ease_m + stand_off[cone.trunk].max(axis=0)[None, :, None]
    rings: Float64Array = smooth + off * ways
    return rings


def _leg_rings(cone: Cone, person: PosedPerson, ease_m: float) -> Float64Array:
    """Gives (L, COLUMNS, 3) rings around both legs."""
    centres, radii = _sections(person.vertices, cone.legs)
    frames = np.stack(
        [_frames(person, thigh, knee) for thigh, knee in
         ((Joint.LEFT_HIP, Joint.LEFT_KNEE), (Joint.RIGHT_HIP, Joint.RIGHT_KNEE))], axis=1
    )  # fmt: skip
    # What hangs from the knees straight down, whatever the shins do.
    knee = int(np.argmin(np.abs(_LEG_LEVELS - _KNEE)))
    depth = np.linalg.norm(centres - centres[knee], axis=2) * (_LEG_LEVELS > _KNEE)[:, None]
    hanging = np.where(
        (_LEG_LEVELS > _KNEE)[:, None, None], centres[knee] - depth[..., None] * np.array([0.0, 1.0, 0.0]), centres
    )
    yaw = person.transforms[Joint.PELVIS, :, 2].astype(np.float64)
    ahead = np.array([yaw[0], 0.0, yaw[2]]) / max(float(np.hypot(yaw[0], yaw[2])), 1e-6)
    level = np.stack([np.cross([0.0, 1.0, 0.0], ahead), ahead])
    below = np.where((_LEG_LEVELS > _KNEE + 0.05)[:, None, None, None], level, frames)
    discs, sizes = np.concatenate([centres, hanging], axis=1), np.concatenate([radii, radii], axis=1)
    axes = np.concatenate([frames, below], axis=1)
    ring = np.stack([np.sin(cone.turns), np.cos(cone.turns)])
    ways = np.einsum("ldac,at->ldtc", axes, ring)
    mean = ways.mean(axis=1, keepdims=True)
    mean /= np.maximum(np.linalg.norm(mean, axis=3, keepdims=True), 1e-6)
    reach = ((discs - discs.mean(axis=1, keepdims=True))[:, :, None] * mean).sum(axis=3) + sizes[..., None]
    share = np.exp((reach - reach.max(axis=1, keepdims=True)) / _SHARPNESS_M)
    share /= share.sum(axis=1, keepdims=True)
    edge = discs[:, :, None] + (sizes + ease_m)[..., None, None] * ways
    rings: Float64Array = (share[..., None] * edge).sum(axis=1)
    return rings


def _frames(person: PosedPerson, thigh: Joint, knee: Joint) -> Float64Array:
    """Gives (L, 2, 3) the directions to the left and to the front along one leg."""
    upper, lower = (person.transforms[joint, :, [0, 2]].astype(np.float64) for joint in (thigh, knee))
    bent = np.clip((_LEG_LEVELS - _KNEE + 0.08) / 0.16, 0.0, 1.0)[:, None, None]
    mixed = (1.0 - bent) * upper + bent * lower
    frames: Float64Array = mixed / np.maximum(np.linalg.norm(mixed, axis=2, keepdims=True), 1e-6)
    return frames
