"""How far cloth, hair and shoes stand off the body."""

from __future__ import annotations

import numpy as np

from mili_core.synth.people.rig import Field, Rig
from mili_core.synth.wardrobe.face import beard_share
from mili_core.synth.wardrobe.look import Float32Array, Hair, Headwear, Int64Array, Outfits, Region, Top
from mili_core.synth.wardrobe.regions import hair_line, regions
from mili_core.synth.wardrobe.waves import phases

SHOE_M = 0.013
"""Thickness of shoes over feet whose toes are already closed."""

SHOULDER_M = 0.054
"""Radius of a sleeve at the shoulder, before ease."""

THIGH_M = 0.096
"""Radius of a trouser leg under the crotch, before ease."""

QUILT_M = 0.075
"""Distance of the seams of padded jackets."""

NECK_M = 0.085
"""Radius of a headscarf or hood around the neck."""

_FOLDS = np.array([[6.0, 34.0, 9.0], [-16.0, 47.0, 12.0], [27.0, -31.0, 21.0]], dtype=np.float32)
"""Waves of folds that are large enough to bend a silhouette, radians per metre of the rest pose."""

_LOCKS = np.array([[160.0, 90.0, 130.0]], dtype=np.float32)
"""Waves of hair."""

_FOLD_SHARE, _FOLD_LIMIT_M = 0.15, 0.0035
"""Height of such a wave as a share of how far the cloth stands off, and in metres at most."""

_UNDER_SKIRT = -0.1
"""On the leg scale: what is lower lies flat under a skirt or coat tail."""

_BRIDGE = 1.4
"""How fast cloth thins out on skin that faces down: it spans the crotch instead of filling it."""


def thickness_m(rig: Rig, outfits: Outfits) -> Float32Array:
    """Gives (P, V) float32 metres that cloth, hair and shoes stand off each vertex."""
    offsets = np.zeros((len(outfits), rig.body.vertex_count), dtype=np.float32)
    for person in range(len(outfits)):
        offsets[person] = _dress(rig, outfits.one(person))
    return offsets


def _dress(rig: Rig, look: Outfits) -> Float32Array:
    """Gives (V,) metres for one look."""
    points = rig.fields
    region = regions(rig, points, look)
    offsets = np.zeros(len(points), dtype=np.float32)
    upper = np.flatnonzero((region == Region.TOP) | (region == Region.INNER) | (region == Region.TRIM))
    offsets[upper] = _top(rig, look, points[upper], region[upper], upper)
    lower = np.flatnonzero(region == Region.BOTTOM)
    offsets[lower] = _bottom(rig, look, points[lower], lower)
    hair = np.flatnonzero(region == Region.HAIR)
    offsets[hair] = _hair(look, points[hair])
    covered = np.flatnonzero(region == Region.HEADWEAR)
    offsets[covered] = _headwear(rig, look, points[covered])
    if look.headwear[0] == Headwear.HOOD:
        hood = upper[points[upper, Field.HEAD] > -0.9]
        offsets[hood] = _headwear(rig, look, points[hood])
    shod = (region == Region.SHOE) | (region == Region.SOLE)
    # Nothing is added below the feet: they stand on the ground.
    offsets[shod] = SHOE_M * np.clip(1.0 + 1.6 * rig.normals[shod, 1], 0.0, 1.0)
    offsets[region == Region.SOCK] = 0.003
    chin = (region == Region.SKIN) & (points[:, Field.HEAD] < 0.34) & (points[:, Field.HEAD] > -0.1)
    if look.beard[0] > 0.6:
        offsets[chin] = 0.008 * (look.beard[0] - 0.5) * beard_share(points[chin])
    return offsets


def _top(rig: Rig, look: Outfits, points: Float32Array, region: Int64Array, index: Int64Array) -> Float32Array:
    ease, hang = look.ease_top_m[0], look.hang[0]
    arm, drape = points[:, Field.ARM], rig.drape
    fill, fall = drape.fill_m[index], drape.hang_m[index]
    # A cloth that hangs from the shoulders never touches the waist, yet its hem is drawn in a little.
    trunk = ease + 0.9 * fill + hang * (fall - fill)
    end = max(float(look.sleeve[0]), 0.05)
    along = np.clip(arm / end, 0.0, 1.0)
    radius = (SHOULDER_M + ease) * (1.0 - along) + (look.cuff_m[0] + 0.3 * ease) * along
    sleeve = np.maximum(radius - drape.limb_m[index], 0.6 * ease)
    blend = np.clip(arm / 0.22, 0.0, 1.0)
    stands = trunk * (1.0 - blend) + sleeve * blend
    if look.top[0] in (Top.PUFFER, Top.VEST):
        padded = (look.top[0] == Top.PUFFER) | (arm < 0.02)
        stands = np.where(padded, stands + _quilt(points, ease), 0.35 * stands)
    wave = np.sin(phases(points[:, :3], _FOLDS) + look.phase[0] * np.array([1.0, 2.0, 3.0])).sum(axis=1)
    # Knit and padding fold little where they are held: shoulders and collar.
    held = np.clip((rig.shoulder_y - points[:, Field.Y]) / 0.1, 0.3, 1.0)
    stands = stands + np.minimum(_FOLD_SHARE * stands, _FOLD_LIMIT_M) * wave * held
    stands = stands * np.clip(1.2 + _BRIDGE * rig.normals[index, 1], 0.1, 1.0)
    if look.skirt[0] > 0:
        stands = np.where(points[:, Field.LEG] > _UNDER_SKIRT, np.minimum(stands, ease + 0.004), stands)
    # Cuffs and collars are held close.
    near_neck = np.clip((points[:, Field.Y] - rig.shoulder_y - 0.02) / 0.06, 0.0, 1.0) * (arm < 0)
    stands = stands * (1.0 - 0.5 * near_neck)
    inner = np.where((region == Region.INNER) & (arm < 0), 0.45, 1.0)
    thick: Float32Array = np.maximum(stands * inner, 0.002).astype(np.float32)
    return thick


def _quilt(points: Float32Array, ease: float) -> Float32Array:
    """Gives (N,) how far the padding between seams bulges."""
    along = np.where(points[:, Field.ARM] > 0, np.abs(points[:, Field.X]), points[:, Field.Y])
    bulge: Float32Array = (0.35 * ease * (np.abs(np.sin(np.pi * along / QUILT_M)) - 0.5)).astype(np.float32)
    return bulge


def _bottom(rig: Rig, look: Outfits, points: Float32Array, index: Int64Array) -> Float32Array:
    ease, leg = look.ease_bottom_m[0], points[:, Field.LEG]
    limb = rig.drape.limb_m[index]
    end = max(float(look.leg[0]), 0.2)
    knee = 0.48
    ends = THIGH_M + ease + (look.knee_m[0] - THIGH_M - ease) * min(end / knee, 1.0)
    hem = look.hem_m[0] if end > 0.7 else max(ends, float(look.hem_m[0]))
    stops = [0.17, max(min(knee, end), 0.18), max(end, 0.5)]
    radius = np.interp(leg, stops, [THIGH_M + ease, ends if end < knee else look.knee_m[0], hem])
    down = np.clip((leg - 0.1) / 0.15, 0.0, 1.0)
    seat = ease + 0.8 * rig.drape.fill_m[index]
    stands = seat * (1.0 - down) + np.maximum(radius - limb, ease) * down
    # The foot is far from the leg's axis; cloth falls over the instep and stays off the toes.
    stands = np.where(leg > 1.0, np.minimum(stands, 0.03), stands)
    wave = np.sin(phases(points[:, :3], _FOLDS) + look.phase[0] * np.array([2.0, 3.0, 1.0])).sum(axis=1)
    stands = stands + np.minimum(_FOLD_SHARE * stands, _FOLD_LIMIT_M) * wave
    if look.skirt[0] > 0:
        stands = np.where(leg < look.skirt[0], np.minimum(stands, ease + 0.006), stands)
    thick: Float32Array = np.maximum(stands, 0.001).astype(np.float32)
    return thick


def _hair(look: Outfits, points: Float32Array) -> Float32Array:
    over = points[:, Field.HEAD] - hair_line(look, points)
    volume = look.volume_hair_m[0]
    if look.headwear[0] != Headwear.NONE:
        volume = min(float(volume), 0.006)
    taper = np.clip(over / (0.3 if look.hair[0] == Hair.AFRO else 0.12), 0.2, 1.0)
    taper = np.where(points[:, Field.HEAD] < 0.1, 0.4, taper)
    locks = 1.0 + 0.14 * np.sin(phases(points[:, :3], _LOCKS)[:, 0] + look.phase[0])
    thick: Float32Array = (volume * taper * locks).astype(np.float32)
    return thick


def _headwear(rig: Rig, look: Outfits, points: Float32Array) -> Float32Array:
    kind = look.headwear[0]
    if kind not in (Headwear.HEADSCARF, Headwear.HOOD):
        stands = np.full(len(points), 0.014 if kind == Headwear.BEANIE else 0.016)
        crown = np.clip((points[:, Field.HEAD] - 0.7) / 0.3, 0.0, 1.0)
        dome: Float32Array = (stands + (0.02 if kind == Headwear.BEANIE else 0.012) * crown).astype(np.float32)
        return dome
    ease = 0.013 if kind == Headwear.HEADSCARF else 0.026
    neck = np.hypot(points[:, Field.X], points[:, Field.Z] - rig.joints[12, 2])
    below = np.clip((0.1 - points[:, Field.HEAD]) / 0.2, 0.0, 1.0) * (points[:, Field.Y] > rig.neck_y - 0.03)
    veil: Float32Array = np.maximum(ease, (NECK_M - neck) * below).astype(np.float32)
    return veil
