"""Which garment, skin or hair covers a point of the body."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mili_core.synth.people.rig import Field, Rig
from mili_core.synth.wardrobe.look import Bag, Float32Array, Hair, Headwear, Int64Array, Outfits, Region, Top

BoolArray = NDArray[np.bool_]

OFF_HEAD = -0.9
"""`Field.HEAD` is -1 off head and neck; interpolation may lift that by a rounding error."""

SOLE = 1.062
"""Where soles begin on the leg scale: two and a half centimetres over the ground."""

TUCKED = -0.12
"""Tops that end higher than this on the leg scale are tucked into a belt."""

STRAP_M = 0.019
"""Half width of the straps of bags."""


def regions(rig: Rig, points: Float32Array, outfits: Outfits) -> Int64Array:
    """Gives (N,) the Region of body points.

    Args:
        rig: body.
        points: (N, Field.COUNT) interpolated `Rig.fields`.
        outfits: the N looks that go with the points, or one look for all.
    """
    x, y, z = points[:, Field.X], points[:, Field.Y], points[:, Field.Z]
    arm, leg = points[:, Field.ARM], points[:, Field.LEG]
    side, trunk = np.abs(x), arm < 0
    region = np.full(len(points), Region.TOP, dtype=np.int64)
    # Lapels part towards the neck; a zip is open to the same width all the way.
    parted = np.where(outfits.top == Top.BLAZER, 0.15 + 3.2 * np.clip(y - rig.joints[6, 1], 0.0, 0.3),
                      np.clip(1.2 - 1.2 * (rig.neck_y - y), 0.5, 1.2))  # fmt: skip
    region[(side < outfits.open_front * parted) & (z > 0) & trunk] = Region.INNER
    region[(outfits.top == Top.VEST) & (arm > 0.02)] = Region.INNER
    region[_straps(rig, points, outfits)] = Region.TRIM
    belted = outfits.hem < TUCKED
    region[leg > outfits.hem] = Region.BOTTOM
    region[belted & (leg > outfits.hem) & (leg < outfits.hem + 0.042)] = Region.TRIM
    region[leg > outfits.leg] = Region.SKIN
    region[(leg > outfits.sock) & (leg > outfits.leg)] = Region.SOCK
    region[arm > outfits.sleeve] = Region.SKIN
    region[leg > outfits.boot] = Region.SHOE
    region[leg > SOLE] = Region.SOLE
    front = np.clip(z / 0.1, 0.0, 1.0) * np.clip(1.3 - side / 0.08, 0.0, 1.0)
    collar = rig.neck_y + 0.02 - outfits.neckline * front
    region[(y > collar) & trunk] = Region.SKIN
    region[_has_hair(points, outfits)] = Region.HAIR
    _cover_head(rig, points, outfits, region)
    return region


def face_oval(points: Float32Array) -> BoolArray:
    """Gives (N,) whether points lie within the oval that headscarves and hoods leave free."""
    off_middle = (points[:, Field.X] / 0.06) ** 2 + ((points[:, Field.HEAD] - 0.4) / 0.42) ** 2
    oval: BoolArray = (points[:, Field.FRONT] > 0.25) & (off_middle < 1.0) & (points[:, Field.HEAD] > -0.02)
    return oval


def _cover_head(rig: Rig, points: Float32Array, outfits: Outfits, region: Int64Array) -> None:
    """Puts headwear over hair and skin, in place."""
    if not outfits.headwear.any():
        return
    head, front = points[:, Field.HEAD], points[:, Field.FRONT]
    kind = outfits.headwear
    near = head > OFF_HEAD
    rise = np.clip((front + 0.6) / 1.3, 0.0, 1.0)
    cap = np.isin(kind, [Headwear.CAP, Headwear.SUN_HAT]) & (head > 0.56 + 0.16 * rise)
    beanie = (kind == Headwear.BEANIE) & (head > 0.36 + 0.34 * rise)
    region[near & (cap | beanie)] = Region.HEADWEAR
    veiled = near & ~face_oval(points) & (points[:, Field.ARM] < 0)
    bib = (points[:, Field.Y] > rig.neck_y - 0.1) & (points[:, Field.ARM] < 0) & (np.abs(points[:, Field.X]) < 0.13)
    region[(kind == Headwear.HEADSCARF) & (veiled | (bib & ~near))] = Region.HEADWEAR
    region[(kind == Headwear.HOOD) & veiled] = Region.TOP


def _straps(rig: Rig, points: Float32Array, outfits: Outfits) -> BoolArray:
    """Gives (N,) whether the straps of a bag run over the points."""
    none = np.zeros(len(points), dtype=np.bool_)
    if not np.isin(outfits.bag, [Bag.BACKPACK, Bag.SHOULDER]).any():
        return none
    x, y, z = points[:, Field.X], points[:, Field.Y], points[:, Field.Z]
    trunk = (points[:, Field.ARM] < 0.02) & (points[:, Field.HEAD] < OFF_HEAD)
    over = (np.abs(np.abs(x) - 0.105) < STRAP_M) & (y > rig.joints[6, 1] + 0.02) & ((z > 0.0) | (y > rig.shoulder_y))
    # From the right shoulder across to the left hip.
    drop = (rig.shoulder_y + 0.02 - y) / (rig.shoulder_y - rig.pelvis_y)
    across = np.abs(x - (-0.1 + 0.26 * drop)) < STRAP_M * 0.8
    carried: BoolArray = trunk & (
        ((outfits.bag == Bag.BACKPACK) & over) | ((outfits.bag == Bag.SHOULDER) & across & (points[:, Field.LEG] < 0))
    )
    return carried


def hair_line(outfits: Outfits, points: Float32Array) -> Float32Array:
    """Gives (N,) the height on the head scale over which hair grows: from the nape over the ears to the forehead."""
    rise = np.clip((points[:, Field.FRONT] + 0.35) / 0.95, 0.0, 1.0)
    nape = np.where(outfits.hair == Hair.SHORT, 0.2, 0.08)
    # Temples: the line comes down a little beside the forehead, and stays off the cheeks.
    temple = 0.12 * np.clip((np.abs(points[:, Field.X]) - 0.045) / 0.03, 0.0, 1.0) * (points[:, Field.FRONT] > 0.2)
    line = nape + (outfits.hairline - nape) * rise * rise * (3.0 - 2.0 * rise) - temple
    drawn: Float32Array = np.where(outfits.hairline > 1.0, 2.0, line).astype(np.float32)
    return drawn


def _has_hair(points: Float32Array, outfits: Outfits) -> BoolArray:
    head = points[:, Field.HEAD]
    grown = head > hair_line(outfits, points)
    loose = (outfits.hair == Hair.LONG) & (head > OFF_HEAD) & (points[:, Field.FRONT] < 0.1)
    has: BoolArray = grown | loose
    return has
