"""What people wear, as regions of the body: skin, hair, top, trousers or skirt, shoes; and how far cloth stands off."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from mili_core.synth.colours import BOTTOMS, HAIR, SHOES, SKIN, TOPS, draw_colours
from mili_core.synth.rig import Field, Rig

Float32Array = NDArray[np.float32]


OFF_HEAD = -0.9
"""`Field.HEAD` is -1 off head and neck; interpolation may lift that by a rounding error."""


class Region:
    """Values that `regions` gives."""

    SKIN = 0
    HAIR = 1
    TOP = 2
    INNER = 3
    BOTTOM = 4
    SHOE = 5
    COUNT = 6


class Pattern:
    """Values of `Outfits.pattern`."""

    PLAIN = 0
    STRIPES = 1
    CHECKS = 2
    PRINT = 3


@dataclass(frozen=True, slots=True, eq=False)
class Outfits:
    """The looks of P people; lengths along arms, legs and head are shares as in `Field`.

    Attributes:
        colours: (P, Region.COUNT, 3) float32 linear albedo.
        accent: (P, 3) float32 linear albedo of patterns and prints.
        sleeve: (P,) where sleeves end; 1 at the wrist.
        hem: (P,) where the top ends on the leg scale.
        leg: (P,) where trousers or skirt end on the leg scale.
        boot: (P,) where shoes begin on the leg scale.
        open_front: (P,) half width in metres of an open jacket's gap, 0 when closed.
        neckline: (P,) metres of skin below the neck joint, in front.
        hairline: (P,) height of the front hairline on the head scale, above 1 for the bald.
        long_hair: (P,) metres that hair hangs below the chin at the back.
        pattern: (P,) int Pattern.
        pattern_m: (P,) period of the pattern, metres.
        loose_top_m, loose_bottom_m, volume_hair_m: (P,) how far each stands off the body, metres.
        phase: (P,) radians, individual folds and stains.
    """

    colours: Float32Array
    accent: Float32Array
    sleeve: Float32Array
    hem: Float32Array
    leg: Float32Array
    boot: Float32Array
    open_front: Float32Array
    neckline: Float32Array
    hairline: Float32Array
    long_hair: Float32Array
    pattern: NDArray[np.int64]
    pattern_m: Float32Array
    loose_top_m: Float32Array
    loose_bottom_m: Float32Array
    volume_hair_m: Float32Array
    phase: Float32Array

    def __len__(self) -> int:
        return len(self.sleeve)

    def take(self, index: NDArray[np.int64]) -> Outfits:
        """Returns the rows `index` (K,), in that order."""
        return Outfits(*(getattr(self, field.name)[index] for field in fields(self)))


def draw_outfits(rng: np.random.Generator, count: int) -> Outfits:
    """Gives `count` random looks."""

    def uniform(low: float, high: float) -> Float32Array:
        return rng.uniform(low, high, count).astype(np.float32)

    def choose(share: float, chosen: Float32Array, other: Float32Array) -> Float32Array:
        return np.where(rng.random(count) < share, chosen, other).astype(np.float32)

    zero = np.zeros(count, dtype=np.float32)
    colours = np.zeros((count, Region.COUNT, 3), dtype=np.float32)
    palettes = {
        Region.SKIN: (SKIN, 0.06),
        Region.HAIR: (HAIR, 0.15),
        Region.TOP: (TOPS, 0.18),
        Region.INNER: (TOPS, 0.18),
        Region.BOTTOM: (BOTTOMS, 0.18),
        Region.SHOE: (SHOES, 0.15),
    }
    for region, (palette, jitter) in palettes.items():
        colours[:, region] = draw_colours(rng, palette, count, jitter)
    jacket = rng.random(count) < 0.45
    hairline = choose(0.06, uniform(1.1, 1.3), uniform(0.7, 0.8))
    return Outfits(
        colours=colours,
        accent=draw_colours(rng, TOPS, count, 0.2),
        sleeve=np.where(jacket, uniform(0.9, 0.99), choose(0.55, uniform(0.2, 0.5), uniform(0.85, 0.98))),
        hem=np.where(jacket, uniform(-0.04, 0.2), uniform(-0.1, 0.08)).astype(np.float32),
        leg=choose(0.78, uniform(0.9, 0.97), uniform(0.3, 0.62)),
        boot=choose(0.2, uniform(0.78, 0.92), uniform(0.95, 0.985)),
        open_front=np.where(jacket, choose(0.5, uniform(0.015, 0.07), zero), zero),
        neckline=uniform(0.0, 0.09),
        hairline=hairline,
        long_hair=np.where(hairline < 1.0, choose(0.35, uniform(0.03, 0.22), zero), zero),
        pattern=rng.choice(4, size=count, p=[0.68, 0.1, 0.08, 0.14]),
        pattern_m=uniform(0.035, 0.13),
        loose_top_m=np.where(jacket, uniform(0.018, 0.04), uniform(0.006, 0.024)).astype(np.float32),
        loose_bottom_m=uniform(0.006, 0.03),
        volume_hair_m=uniform(0.008, 0.024),
        phase=uniform(0.0, 6.283),
    )


def regions(rig: Rig, points: Float32Array, outfits: Outfits) -> NDArray[np.int64]:
    """Gives the Region of body points.

    Args:
        rig: body.
        points: (N, Field.COUNT) interpolated `Rig.fields`.
        outfits: the N looks that go with the points.
    """
    x, y, z = points[:, Field.X], points[:, Field.Y], points[:, Field.Z]
    arm, leg = points[:, Field.ARM], points[:, Field.LEG]
    region = np.full(len(points), Region.TOP, dtype=np.int64)
    centre = np.abs(x) < outfits.open_front * np.clip(1.6 - 1.2 * (rig.neck_y - y), 0.5, 1.6)
    region[centre & (z > 0) & (arm < 0)] = Region.INNER
    region[leg > outfits.hem] = Region.BOTTOM
    region[(leg > outfits.leg) | (arm > outfits.sleeve)] = Region.SKIN
    region[leg > outfits.boot] = Region.SHOE
    front = np.clip(z / 0.1, -1.0, 1.0)
    collar = rig.neck_y + 0.02 - outfits.neckline * np.clip(front, 0.0, 1.0) * np.clip(1.0 - np.abs(x) / 0.09, 0.0, 1.0)
    region[(y > collar) & (arm < 0)] = Region.SKIN
    region[_has_hair(rig, points, outfits)] = Region.HAIR
    return region


def _has_hair(rig: Rig, points: Float32Array, outfits: Outfits) -> NDArray[np.bool_]:
    head, front, y = points[:, Field.HEAD], points[:, Field.FRONT], points[:, Field.Y]
    # The line runs from the nape over the ears to the forehead.
    rise = np.clip((front + 0.35) / 0.85, 0.0, 1.0)
    line = 0.16 + (outfits.hairline - 0.16) * rise * rise * (3.0 - 2.0 * rise)
    line = np.where(outfits.hairline > 1.0, 2.0, line)
    cap = head > line
    below_chin = np.clip(rig.neck_y + 0.1 - y, 0.0, None)
    back = (
        (points[:, Field.Z] < 0.0)
        & (np.abs(points[:, Field.X]) < rig.head_half_width * 1.05)
        & (y > rig.shoulder_y - 0.2)
    )
    hanging = back & (below_chin < outfits.long_hair) & (outfits.long_hair > 0) & (points[:, Field.ARM] < 0)
    veil = (head > OFF_HEAD) & (front < 0.15) & (outfits.long_hair > 0)
    has: NDArray[np.bool_] = cap | hanging | veil
    return has


def thickness_m(rig: Rig, outfits: Outfits) -> Float32Array:
    """Gives (P, V) float32 metres that cloth, hair and shoes stand off each vertex."""
    count = rig.body.vertex_count
    offsets = np.zeros((len(outfits), count), dtype=np.float32)
    for person in range(len(outfits)):
        look = outfits.take(np.full(count, person, dtype=np.int64))
        by_region = np.zeros(Region.COUNT, dtype=np.float32)
        by_region[Region.HAIR] = outfits.volume_hair_m[person]
        by_region[Region.TOP] = outfits.loose_top_m[person]
        by_region[Region.INNER] = 0.5 * outfits.loose_top_m[person]
        by_region[Region.BOTTOM] = outfits.loose_bottom_m[person]
        by_region[Region.SHOE] = 0.011
        offsets[person] = by_region[regions(rig, rig.fields, look)]
    return offsets


def albedo(points: Float32Array, region: NDArray[np.int64], look: Outfits) -> Float32Array:
    """Gives (N, 3) float32 linear albedo of body points.

    Args:
        points: (N, Field.COUNT).
        region: (N,) as `regions` gives.
        look: the N looks that go with the points.
    """
    colour = look.colours[np.arange(len(points)), region]
    _paint_pattern(points, region, look, colour)
    _paint_face(points, region, look, colour)
    worn = 1.0 + 0.06 * np.sin(31.0 * points[:, Field.Y] + 17.0 * points[:, Field.X] + look.phase)
    return colour * worn[:, None].astype(np.float32)


def _paint_pattern(points: Float32Array, region: NDArray[np.int64], look: Outfits, colour: Float32Array) -> None:
    """Lays stripes, checks and chest prints over tops, in place."""
    x, y, arm = points[:, Field.X], points[:, Field.Y], points[:, Field.ARM]
    top = region == Region.TOP
    along = np.where(arm > 0, np.abs(x), y) / look.pattern_m
    across = np.where(arm > 0, points[:, Field.Z], x) / look.pattern_m
    line_along, line_across = np.mod(along, 1.0) < 0.4, np.mod(across, 1.0) < 0.4
    striped = top & (look.pattern == Pattern.STRIPES) & line_along
    checked = top & (look.pattern == Pattern.CHECKS) & (line_along ^ line_across)
    chest = (np.abs(x) < 0.1) & (points[:, Field.Z] > 0.0) & (np.abs(points[:, Field.LEG] + 0.42) < 0.12)
    speckle = np.sin(90.0 * x + look.phase) * np.sin(130.0 * y + 2.0 * look.phase) > -0.2
    printed = top & (look.pattern == Pattern.PRINT) & chest & speckle
    colour[striped | printed] = look.accent[striped | printed]
    colour[checked] = 0.5 * (colour[checked] + look.accent[checked])


def _paint_face(points: Float32Array, region: NDArray[np.int64], look: Outfits, colour: Float32Array) -> None:
    """Darkens eyes, brows and mouth, and reddens the lips, in place."""
    head, front, x = points[:, Field.HEAD], points[:, Field.FRONT], np.abs(points[:, Field.X])
    face = (region == Region.SKIN) & (front > 0.45) & (head > 0.0)
    eyes = face & (np.abs(head - 0.47) < 0.035) & (np.abs(x - 0.032) < 0.014)
    brows = face & (np.abs(head - 0.56) < 0.02) & (np.abs(x - 0.033) < 0.022)
    mouth = face & (np.abs(head - 0.13) < 0.03) & (x < 0.024)
    colour[eyes] *= 0.3
    colour[brows] = 0.4 * colour[brows] + 0.6 * look.colours[brows, Region.HAIR]
    colour[mouth] *= np.array([0.8, 0.5, 0.5], dtype=np.float32)
