"""What a person wears, as numbers: kinds of garments, where they end, how wide they are, their colours."""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

Float32Array = NDArray[np.float32]
Int64Array = NDArray[np.int64]


class Region:
    """Values that `regions` gives."""

    SKIN = 0
    HAIR = 1
    TOP = 2
    INNER = 3
    BOTTOM = 4
    SHOE = 5
    SOLE = 6
    SOCK = 7
    HEADWEAR = 8
    """Caps, hats, headscarves and scarves."""
    TRIM = 9
    """Belts and the straps of bags."""
    COUNT = 10


CLOTH = (Region.TOP, Region.INNER, Region.BOTTOM, Region.HEADWEAR)
"""Regions that fold."""


class Pattern(IntEnum):
    """Values of `Outfits.pattern`, which tops, dresses and skirts wear."""

    PLAIN = 0
    STRIPES = 1
    CHECKS = 2
    PLAID = 3
    FLORAL = 4
    PRINT = 5
    CAMOUFLAGE = 6
    HIGH_VISIBILITY = 7
    BLOCKS = 8
    """Another colour over shoulders and sleeves."""


class Top(IntEnum):
    """Values of `Outfits.top`."""

    T_SHIRT = 0
    TANK = 1
    SHIRT = 2
    BLOUSE = 3
    SWEATER = 4
    HOODIE = 5
    JACKET = 6
    BLAZER = 7
    COAT = 8
    PUFFER = 9
    VEST = 10
    DRESS = 11


class Bottom(IntEnum):
    """Values of `Outfits.bottom`."""

    TROUSERS = 0
    JEANS = 1
    WIDE = 2
    SHORTS = 3
    LEGGINGS = 4
    SKIRT = 5
    TIGHTS = 6
    """Under a dress."""
    BARE = 7
    """Under a dress."""


class Hair(IntEnum):
    """Values of `Outfits.hair`."""

    SHORT = 0
    BALD = 1
    LONG = 2
    BUN = 3
    PONYTAIL = 4
    AFRO = 5


class Headwear(IntEnum):
    """Values of `Outfits.headwear`."""

    NONE = 0
    CAP = 1
    BEANIE = 2
    SUN_HAT = 3
    HEADSCARF = 4
    HOOD = 5


class Bag(IntEnum):
    """Values of `Outfits.bag`."""

    NONE = 0
    BACKPACK = 1
    SHOULDER = 2
    HANDBAG = 3
    SHOPPING = 4


@dataclass(frozen=True, slots=True, eq=False)
class Outfits:
    """The looks of P people; lengths along arms, legs and head are shares as in `Field`.

    Attributes:
        top, bottom, hair, headwear, bag: (P,) int64 Top, Bottom, Hair, Headwear, Bag.
        scarf: (P,) bool, a scarf around the neck.
        glasses: (P,) float32: 0 none, 0.5 clear, 1 dark.
        colours: (P, Region.COUNT, 3) float32 linear albedo.
        accent: (P, 3) float32 linear albedo of patterns and prints.
        bag_colour: (P, 3) float32 linear albedo.
        sleeve: (P,) where sleeves end; 1 at the wrist.
        hem: (P,) where the top ends on the leg scale.
        leg: (P,) where trousers end on the leg scale.
        skirt: (P,) where a skirt, dress or coat tail ends on the leg scale; 0 without one.
        sock: (P,) where socks begin on the leg scale.
        boot: (P,) where shoes begin on the leg scale.
        open_front: (P,) half width in metres of an open jacket's gap, 0 when closed.
        neckline: (P,) metres of skin below the neck joint, in front.
        collar_m: (P,) height of a collar, metres.
        hairline: (P,) height of the front hairline on the head scale, above 1 for the bald.
        long_hair: (P,) metres that hair hangs below the chin at the back.
        beard: (P,) 0 shaved .. 1 full beard.
        pattern: (P,) int64 Pattern.
        pattern_m: (P,) period of the pattern, metres.
        ease_top_m, ease_bottom_m: (P,) how far cloth stands off at least, metres.
        hang: (P,) 0 when the top follows the trunk, 1 when it falls straight from chest and shoulders.
        cuff_m: (P,) radius of the sleeves' ends, metres.
        knee_m, hem_m: (P,) radius of trouser legs at the knee and at their end, metres.
        flare: (P,) how far a skirt widens per metre.
        volume_hair_m: (P,) how far hair stands off the skull, metres.
        phase: (P,) radians, individual folds and stains.
    """

    top: Int64Array
    bottom: Int64Array
    hair: Int64Array
    headwear: Int64Array
    bag: Int64Array
    scarf: NDArray[np.bool_]
    glasses: Float32Array
    colours: Float32Array
    accent: Float32Array
    bag_colour: Float32Array
    sleeve: Float32Array
    hem: Float32Array
    leg: Float32Array
    skirt: Float32Array
    sock: Float32Array
    boot: Float32Array
    open_front: Float32Array
    neckline: Float32Array
    collar_m: Float32Array
    hairline: Float32Array
    long_hair: Float32Array
    beard: Float32Array
    pattern: Int64Array
    pattern_m: Float32Array
    ease_top_m: Float32Array
    ease_bottom_m: Float32Array
    hang: Float32Array
    cuff_m: Float32Array
    knee_m: Float32Array
    hem_m: Float32Array
    flare: Float32Array
    volume_hair_m: Float32Array
    phase: Float32Array

    def __len__(self) -> int:
        return len(self.sleeve)

    def take(self, index: Int64Array) -> Outfits:
        """Returns the rows `index` (K,), in that order."""
        return Outfits(*(getattr(self, field.name)[index] for field in fields(self)))

    def one(self, person: int) -> Outfits:
        """Returns one person's look: arrays of length 1, which broadcast over points."""
        return Outfits(*(getattr(self, field.name)[person : person + 1] for field in fields(self)))

    def extras(self, person: int) -> tuple[str, ...]:
        """Returns the names of what a person wears or carries besides top, bottom and shoes."""
        names = []
        if self.headwear[person] != Headwear.NONE:
            names.append(Headwear(int(self.headwear[person])).name.lower())
        if self.bag[person] != Bag.NONE:
            names.append(Bag(int(self.bag[person])).name.lower())
        if self.scarf[person]:
            names.append("scarf")
        if self.glasses[person] > 0:
            names.append("glasses")
        return tuple(names)
