"""The colour of every point: cloth with its patterns, seams and wear, skin, hair, shoes."""

from __future__ import annotations

import numpy as np

from mili_core.synth.people.rig import Field
from mili_core.synth.wardrobe.bind import HANGING
from mili_core.synth.wardrobe.face import paint_face
from mili_core.synth.wardrobe.look import (
    CLOTH,
    Bottom,
    Float32Array,
    Headwear,
    Int64Array,
    Outfits,
    Pattern,
    Region,
    Top,
)
from mili_core.synth.wardrobe.waves import phases

_SILVER = np.array([0.62, 0.64, 0.66], dtype=np.float32)

_FOLDS = np.array([[9.0, 21.0, 5.0], [-14.0, 33.0, 11.0], [30.0, -17.0, 24.0], [55.0, 48.0, -40.0]], dtype=np.float32)
"""Waves of cloth folds, radians per metre of the rest pose: some centimetres, mostly running around the limbs."""

_FOLD_WAYS = (_FOLDS / np.linalg.norm(_FOLDS, axis=1, keepdims=True)).astype(np.float32)
_FOLD_DEPTH = np.array([0.16, 0.18, 0.14, 0.10], dtype=np.float32)


def albedo(points: Float32Array, region: Int64Array, look: Outfits) -> Float32Array:
    """Gives (N, 3) float32 linear albedo of points of the body and of what is worn over it.

    Args:
        points: (N, Field.COUNT).
        region: (N,) as `regions` gives.
        look: the N looks that go with the points, or one look for all.
    """
    rows = np.arange(len(points)) if len(look) == len(points) else np.zeros(1, dtype=np.int64)
    colour = look.colours[rows, region]
    for kind in np.unique(look.pattern):
        if kind != Pattern.PLAIN:
            _paint_pattern(Pattern(int(kind)), points, region, look, colour)
    _paint_seams(points, region, look, colour)
    paint_face(points, region, look, colour)
    _paint_hair(points, region, look, colour)
    worn = 1.0 + 0.05 * np.sin(31.0 * points[:, Field.Y] + 17.0 * points[:, Field.X] + look.phase)
    worn -= 0.12 * _valleys(points, look) * np.isin(region, CLOTH)
    shaded: Float32Array = colour * worn[:, None].astype(np.float32)
    return shaded


def fold_normals(points: Float32Array, region: Int64Array, look: Outfits, normals: Float32Array) -> None:
    """Tilts the normals (N, 3) of cloth by folds, in place; other arguments as `albedo` takes them."""
    cloth = np.flatnonzero(np.isin(region, CLOTH))
    phase = (look.phase[cloth] if len(look) > 1 else look.phase)[:, None]
    rest = _fold_space(points[cloth])
    shift = phase * np.array([1.0, 2.0, 3.0, 5.0], dtype=np.float32) + 1.5 * np.sin(7.0 * rest[:, 1:2] + phase)
    waves = np.cos(phases(rest, _FOLDS) + shift) * _FOLD_DEPTH
    normals[cloth] += sum(waves[:, k : k + 1] * _FOLD_WAYS[k] for k in range(len(_FOLDS)))


def _fold_space(points: Float32Array) -> Float32Array:
    """Gives (N, 3) where folds are looked up: squeezed along the vertical where cloth hangs free."""
    rest = points[:, : Field.Z + 1]
    free = points[:, Field.HEAD : Field.HEAD + 1] < 0.5 * (HANGING - 1.0)
    if not free.any():
        return rest
    squeezed: Float32Array = np.where(free, rest * np.array([1.3, 0.1, 1.3], dtype=np.float32), rest)
    return squeezed


def _valleys(points: Float32Array, look: Outfits) -> Float32Array:
    """Gives (N,) 0..1, how deep a point lies between folds."""
    rest = phases(_fold_space(points), _FOLDS[:3]) + look.phase[:, None] * np.array([1.0, 2.0, 3.0], dtype=np.float32)
    deep: Float32Array = np.clip(np.cos(rest).sum(axis=1) * 0.5, 0.0, 1.0).astype(np.float32)
    return deep


def _paint_pattern(
    kind: Pattern, points: Float32Array, region: Int64Array, look: Outfits, colour: Float32Array
) -> None:
    """Lays one pattern over tops, dresses and skirts, in place."""
    skirted = (region == Region.BOTTOM) & (look.bottom == Bottom.SKIRT) & (kind in (Pattern.FLORAL, Pattern.PLAID))
    at = np.flatnonzero((look.pattern == kind) & ((region == Region.TOP) | skirted))
    if not len(at):
        return
    here = look.take(at) if len(look) > 1 else look
    rest = points[at]
    x, y, z, arm = rest[:, Field.X], rest[:, Field.Y], rest[:, Field.Z], rest[:, Field.ARM]
    base, accent = colour[at], here.accent
    along = np.where(arm > 0, np.abs(x), y) / here.pattern_m
    across = np.where(arm > 0, z, x) / here.pattern_m
    phase = here.phase
    if kind == Pattern.STRIPES:
        share = (np.mod(along, 1.0) < 0.42).astype(np.float32)
    elif kind == Pattern.CHECKS:
        share = 0.5 * ((np.mod(along, 1.0) < 0.5) ^ (np.mod(across, 1.0) < 0.5))
    elif kind == Pattern.PLAID:
        share = 0.4 * (np.mod(along, 1.0) < 0.4) + 0.4 * (np.mod(across, 1.0) < 0.4)
        share = share + 0.4 * (np.mod(along + 0.3, 1.0) < 0.07) * (1.0 - share)
    elif kind == Pattern.FLORAL:
        share = (_blobs(x, y, z, 105.0, phase) > 0.75).astype(np.float32)
    elif kind == Pattern.CAMOUFLAGE:
        share = 0.5 * (_blobs(x, y, z, 48.0, phase) > 0.2) + 0.4 * (_blobs(y, z, x, 60.0, phase) > 0.5)
    elif kind == Pattern.BLOCKS:
        share = ((y > 0.16 - 0.1 * np.sin(phase)) | (arm > 0.05)).astype(np.float32)
    elif kind == Pattern.HIGH_VISIBILITY:
        accent = _SILVER
        trunk = arm < 0.02
        share = trunk * ((np.abs(y + 0.06) < 0.026) | (np.abs(y - 0.09) < 0.02) | (np.abs(np.abs(x) - 0.1) < 0.022))
    else:
        chest = (np.abs(x) < 0.095) & (z > 0.0) & (arm < 0) & (np.abs(y - 0.12) < 0.03 + 0.09 * here.pattern_m / 0.1)
        share = chest * (np.sin(95.0 * x + phase) * np.sin(140.0 * y + 2.0 * phase) > -0.25)
    colour[at] = base + np.asarray(share, dtype=np.float32)[:, None] * (accent - base)


def _blobs(a: Float32Array, b: Float32Array, c: Float32Array, waves: float, phase: Float32Array) -> Float32Array:
    """Gives (N,) irregular hills and hollows, about -2..2, `waves` radians per metre."""
    hills: Float32Array = (
        np.sin(waves * a + phase + 1.3 * np.sin(0.7 * waves * b))
        + np.sin(waves * b - 2.0 * phase + 1.3 * np.sin(0.8 * waves * c + phase))
        + 0.5 * np.sin(1.7 * waves * (c + a))
    )
    return hills


def _paint_seams(points: Float32Array, region: Int64Array, look: Outfits, colour: Float32Array) -> None:
    """Darkens zips, plackets, hems, cuffs, pockets and quilting, and fades jeans, in place."""
    x, y, z = points[:, Field.X], points[:, Field.Y], points[:, Field.Z]
    arm, leg = points[:, Field.ARM], points[:, Field.LEG]
    top, bottom = region == Region.TOP, region == Region.BOTTOM
    side = np.abs(x)
    outer = np.isin(look.top, [Top.JACKET, Top.PUFFER, Top.VEST, Top.COAT, Top.HOODIE, Top.SHIRT])
    edge = np.where(look.open_front > 0, look.open_front, 0.0) + 0.006
    front = top & (z > 0) & (arm < 0)
    dark = np.ones(len(points), dtype=np.float32)
    dark[front & outer & (side < edge)] = 0.62
    dark[front & (look.top == Top.BLAZER) & (np.abs(side - 0.2 * (y + 0.12)) < 0.005) & (y > -0.05)] = 0.6
    dark[top & (np.abs(leg - look.hem + 0.012) < 0.006)] = 0.75
    dark[top & (np.abs(arm - look.sleeve + 0.04) < 0.012)] = 0.8
    pocket = np.isin(look.top, [Top.JACKET, Top.PUFFER, Top.VEST, Top.COAT, Top.BLAZER, Top.HOODIE])
    dark[front & pocket & (np.abs(y + 0.14 + 0.25 * side) < 0.006) & (side > 0.05) & (side < 0.14)] = 0.55
    quilted = np.isin(look.top, [Top.PUFFER]) | (
        np.isin(look.top, [Top.VEST]) & (look.pattern != Pattern.HIGH_VISIBILITY)
    )
    along = np.where(arm > 0, side, y)
    dark[top & quilted & (np.abs(np.mod(along / 0.075 + 0.5, 1.0) - 0.5) < 0.09)] = 0.68
    fly = bottom & (side < 0.004) & (z > 0.05) & (leg < 0.12)
    dark[fly | (bottom & (np.abs(leg - look.leg + 0.015) < 0.006))] = 0.75
    dark[bottom & (np.abs(side - 0.12 - 0.5 * (leg + 0.1)) < 0.005) & (leg < 0.05) & (z > 0.02)] = 0.7
    crease = bottom & (look.bottom == Bottom.TROUSERS) & (np.abs(side - 0.122) < 0.004) & (z > 0.05) & (leg > 0.2)
    dark[crease] = 1.15
    colour *= dark[:, None]
    faded = bottom & (look.bottom == Bottom.JEANS) & (look.colours[:, Region.BOTTOM, 2] > 0.035)
    fade = np.exp(-(((side - 0.115) / 0.05) ** 2)) * np.exp(-(((leg - 0.33) / 0.25) ** 2)) * (z > 0.02)
    colour[faded] *= (1.0 + 0.35 * fade[faded])[:, None].astype(np.float32)
    grain = faded & (np.sin(900.0 * x) * np.sin(700.0 * y) > 0.5)
    colour[grain] *= np.float32(1.1)
    # The join of upper and sole, and laces.
    laces = (
        (region == Region.SHOE) & (np.abs(side - 0.125) < 0.02) & (z > 0.09) & (z < 0.15) & (np.sin(500.0 * z) > 0.2)
    )
    colour[laces] = 0.6 * colour[laces] + np.float32(0.25)
    cap = (region == Region.HEADWEAR) & (look.headwear == Headwear.BEANIE)
    colour[cap & (np.sin(420.0 * np.arctan2(x, z - 0.07) / 6.0) > 0.4)] *= np.float32(0.85)


def _paint_hair(points: Float32Array, region: Int64Array, look: Outfits, colour: Float32Array) -> None:
    """Gives hair its strands, in place."""
    at = np.flatnonzero(region == Region.HAIR)
    if not len(at):
        return
    phase = look.phase[at] if len(look) > 1 else look.phase
    turn = np.arctan2(points[at, Field.X], points[at, Field.Z] - 0.05)
    y = points[at, Field.Y]
    # Waves of unrelated lengths that push each other about: locks, not the ribs of corduroy.
    locks = np.sin(13.0 * turn + 24.0 * y + 2.5 * np.sin(21.0 * turn - 17.0 * y) + phase)
    strands = np.sin(47.0 * turn + 3.0 * locks + 35.0 * y) * np.sin(29.0 * turn - 11.0 * y + 2.0 * phase)
    colour[at] *= (1.0 + 0.13 * locks + 0.16 * strands)[:, None].astype(np.float32)
