"""Random looks: what goes with whom, on a warm or a cold day."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mili_core.synth.colours import (
    BAGS,
    BOOTS,
    BRIGHTS,
    HAIR,
    HATS,
    HIGH_VISIBILITY,
    LEGGINGS,
    SHOES,
    SHOPPING,
    SKIN,
    SOLES,
    TOPS,
    draw_colours,
)
from mili_core.synth.wardrobe.choices import (
    BoolArray,
    Draw,
    draw_bags,
    draw_bottoms,
    draw_head,
    draw_patterns,
    draw_tops,
)
from mili_core.synth.wardrobe.garments import BOTTOM_KINDS, TOP_KINDS, BottomKind, TopKind
from mili_core.synth.wardrobe.look import (
    Bag,
    Bottom,
    Float32Array,
    Hair,
    Headwear,
    Int64Array,
    Outfits,
    Region,
    Top,
)

WORKERS = 0.03
"""Share of people in high-visibility vests."""

BRIGHT = 0.09
"""Share of tops in saturated colours, over those in the palettes."""

DARK_SKIN = 0.2
"""Linear green albedo under which nearly everybody has black hair."""

STRAP = np.float32(0.7)
"""Straps are darker than their bag: narrow, worn, and half in its shadow."""

DIRTY = np.float32(0.55)
"""Soles are never as bright as new."""

LIKE_SKIN = 0.16
"""Shoes and straps whose channels (square roots of linear light) all lie so near one's own skin look like skin."""

LIGHT_TAN = 0.38
"""The same of anybody's skin, from this mean of the channels on."""


def draw_outfits(
    rng: np.random.Generator,
    count: int,
    *,
    child: BoolArray | None = None,
    female: BoolArray | None = None,
    sporty: float = 0.05,
    cold: float = 0.4,
) -> Outfits:
    """Gives `count` random looks.

    Args:
        rng: source of all randomness.
        count: P.
        child: (P,) who is a child; nobody when None.
        female: (P,) who dresses as most women do; half of all when None.
        sporty: share of people in sportswear.
        cold: 0 on a hot day .. 1 in winter.
    """
    draw = Draw(rng, count)
    child = np.zeros(count, dtype=np.bool_) if child is None else child
    female = draw.chance(0.5) if female is None else female
    sport, worker = draw.chance(sporty), draw.chance(WORKERS) & ~child
    top = draw_tops(draw, child, female, sport, worker, cold)
    bottom = draw_bottoms(draw, child, female, sport, top, cold)
    tops, bottoms = list(TOP_KINDS.values()), list(BOTTOM_KINDS.values())

    def of_top(get: Callable[[TopKind], tuple[float, float]]) -> Float32Array:
        return draw.ranges(np.array([get(kind) for kind in tops]), top)

    def of_bottom(get: Callable[[BottomKind], tuple[float, float]]) -> Float32Array:
        # Tights and bare legs come after the kinds that have ranges.
        return draw.ranges(np.array([get(kind) for kind in bottoms]), np.minimum(bottom, Bottom.SKIRT))

    hem = of_top(lambda kind: kind.hem)
    # Tops are tucked into skirts.
    hem = np.where(bottom == Bottom.SKIRT, draw.uniform(-0.2, -0.14), hem)
    leg = of_bottom(lambda kind: kind.leg)
    skirted = (bottom == Bottom.SKIRT) | (top == Top.DRESS)
    skirt = np.where(top == Top.DRESS, draw.uniform(0.34, 0.88), np.where(bottom == Bottom.SKIRT, leg, 0.0))
    skirt = np.where(top == Top.COAT, draw.uniform(0.32, 0.66), skirt)
    bare = np.isin(bottom, [Bottom.SKIRT, Bottom.BARE])
    leg = np.where(bare, 0.16, np.where(bottom == Bottom.TIGHTS, 1.02, leg))
    opened = draw.chance_of(np.array([kind.opened for kind in tops])[top])
    hair, headwear = draw_head(draw, child, female, top, sport, cold)
    bald = (hair == Hair.BALD) | (headwear == Headwear.HEADSCARF)
    pattern = draw_patterns(draw, np.array([kind.patterned for kind in tops])[top], top, worker)
    boots = draw.chance(0.08 + 0.25 * cold) & (leg > 0.8) | (skirted & draw.chance(0.3 * cold + 0.05))
    # Only over tight legs or none are boots seen to their full height.
    tight = np.isin(bottom, [Bottom.LEGGINGS, Bottom.SKIRT, Bottom.TIGHTS, Bottom.BARE])
    boot = np.where(tight, draw.uniform(0.6, 0.92), draw.uniform(0.92, 0.97))
    boot = np.where(boots, boot, draw.uniform(0.975, 1.0))
    low = (leg < 0.8) & ~boots
    sock = np.where(low, draw.uniform(0.78, 0.99), 0.85)
    sock = np.where(low & draw.chance(0.4), 1.05, sock)
    # Most beards are stubble or short.
    beard = np.where(female | child | draw.chance(0.5), 0.0, 0.12 + 0.88 * draw.uniform(0.0, 1.0) ** 2.5)
    bag = draw_bags(draw, child, female)
    bag_colour = _draw_bag_colours(draw, bag)
    leather = boots | (top == Top.BLAZER)
    return Outfits(
        top=top,
        bottom=bottom,
        hair=hair,
        headwear=headwear,
        bag=bag,
        scarf=draw.chance(0.28 * cold) & (headwear != Headwear.HEADSCARF) & (headwear != Headwear.HOOD),
        glasses=np.where(draw.chance(0.16), 0.5, np.where(draw.chance(0.16 * (1.0 - cold)), 1.0, 0.0)).astype(
            np.float32
        ),
        colours=_draw_palette(draw, top, bottom, sport, worker, leather, child, (bag, bag_colour)),
        accent=draw_colours(rng, TOPS, count, 0.2),
        bag_colour=bag_colour,
        sleeve=of_top(lambda kind: kind.sleeve),
        hem=hem,
        leg=leg.astype(np.float32),
        skirt=skirt.astype(np.float32),
        sock=sock.astype(np.float32),
        boot=boot.astype(np.float32),
        open_front=np.where(opened, draw.uniform(0.02, 0.08), 0.0).astype(np.float32),
        neckline=of_top(lambda kind: kind.neckline_m),
        collar_m=of_top(lambda kind: kind.collar_m),
        hairline=np.where(hair == Hair.BALD, draw.uniform(1.1, 1.3), draw.uniform(0.76, 0.86)).astype(np.float32),
        long_hair=np.where(bald | (hair != Hair.LONG), 0.0, draw.uniform(0.0, 0.26)).astype(np.float32),
        beard=beard.astype(np.float32),
        pattern=pattern,
        pattern_m=draw.uniform(0.03, 0.11),
        ease_top_m=of_top(lambda kind: kind.ease_m),
        ease_bottom_m=of_bottom(lambda kind: kind.ease_m)
        * np.where(bottom == Bottom.TIGHTS, 0.2, 1.0).astype(np.float32),
        hang=of_top(lambda kind: kind.hang),
        cuff_m=of_top(lambda kind: kind.cuff_m),
        knee_m=of_bottom(lambda kind: kind.knee_m),
        hem_m=of_bottom(lambda kind: kind.hem_m),
        flare=draw.uniform(0.02, 0.3),
        volume_hair_m=np.where(hair == Hair.AFRO, draw.uniform(0.035, 0.075), draw.uniform(0.008, 0.022)).astype(
            np.float32
        ),
        phase=draw.uniform(0.0, 6.283),
    )


def _draw_palette(
    draw: Draw,
    top: Int64Array,
    bottom: Int64Array,
    sport: BoolArray,
    worker: BoolArray,
    boots: BoolArray,
    child: BoolArray,
    carried: tuple[Int64Array, Float32Array],
) -> Float32Array:
    """Gives (P, Region.COUNT, 3) linear albedo; `carried` are the kinds and colours of bags."""
    rng, count = draw.rng, draw.count

    def mixed(kinds: Int64Array, palettes: list[tuple[tuple[float, tuple[int, int, int]], ...]]) -> Float32Array:
        drawn = np.stack([draw_colours(rng, palette, count, 0.13) for palette in palettes])
        chosen: Float32Array = drawn[kinds, np.arange(count)]
        return chosen

    colours = np.zeros((count, Region.COUNT, 3), dtype=np.float32)
    simple = {Region.SKIN: (SKIN, 0.06), Region.HAIR: (HAIR, 0.08), Region.INNER: (TOPS, 0.15),
              Region.SHOE: (SHOES, 0.15), Region.SOLE: (SOLES, 0.1), Region.HEADWEAR: (HATS, 0.15),
              Region.TRIM: (BAGS, 0.1), Region.SOCK: (SHOES, 0.1)}  # fmt: skip
    for region, (palette, jitter) in simple.items():
        colours[:, region] = draw_colours(rng, palette, count, jitter)
    dark = colours[:, Region.SKIN, 1] < DARK_SKIN
    colours[child, Region.HAIR] = draw_colours(rng, HAIR[:-1], count, 0.08)[child]
    colours[dark, Region.HAIR] = draw_colours(rng, HAIR[:1], count, 0.2)[dark]
    bright = (draw.chance(BRIGHT) & ~np.isin(top, [Top.SHIRT, Top.BLAZER])) | (sport & draw.chance(0.5))
    colours[:, Region.TOP] = np.where(
        bright[:, None], draw_colours(rng, BRIGHTS, count, 0.15), mixed(top, [k.palette for k in TOP_KINDS.values()])
    )
    colours[worker, Region.TOP] = draw_colours(rng, HIGH_VISIBILITY, count, 0.05)[worker]
    palettes = [kind.palette for kind in BOTTOM_KINDS.values()]
    colours[:, Region.BOTTOM] = mixed(np.minimum(bottom, len(palettes)), [*palettes, LEGGINGS])
    colours[:, Region.SHOE] = np.where(boots[:, None], draw_colours(rng, BOOTS, count, 0.15), colours[:, Region.SHOE])
    kinds, bag_colour = carried
    strapped = np.isin(kinds, [Bag.BACKPACK, Bag.SHOULDER])[:, None]
    colours[:, Region.TRIM] = np.where(strapped, STRAP * bag_colour, colours[:, Region.TRIM])
    colours[:, Region.SOLE] *= DIRTY
    for region in (Region.SHOE, Region.SOLE, Region.SOCK, Region.TRIM):
        colours[:, region] = _unlike_skin(colours[:, region], colours[:, Region.SKIN])
    # A suit is of one cloth, most running suits too.
    suit = (top == Top.BLAZER) & (bottom == Bottom.TROUSERS) & draw.chance(0.75)
    colours[suit, Region.BOTTOM] = colours[suit, Region.TOP]
    return colours


def _unlike_skin(colours: Float32Array, skin: Float32Array) -> Float32Array:
    """Gives colours (P, 3), with those greyed and darkened that could be taken for skin: one's own, or a light one."""
    # About as eyes see it.
    seen, own = np.sqrt(np.maximum(colours, 0.0)), np.sqrt(skin)
    warm = (seen[:, 0] > 1.12 * seen[:, 2]) & (seen[:, 0] < 1.75 * seen[:, 2]) & (seen[:, 1] < seen[:, 0])
    bare = (np.abs(seen - own).max(axis=1) < LIKE_SKIN) | (warm & (seen.mean(axis=1) > LIGHT_TAN))
    dark: Float32Array = np.minimum(0.12 * colours.mean(axis=1, keepdims=True), np.float32(0.02))
    return np.where(bare[:, None], dark, colours).astype(np.float32)


def _draw_bag_colours(draw: Draw, bag: Int64Array) -> Float32Array:
    """Gives (P, 3) linear albedo; only shopping bags are of paper."""
    plain, paper = draw_colours(draw.rng, BAGS, draw.count, 0.15), draw_colours(draw.rng, SHOPPING, draw.count, 0.1)
    bright = draw_colours(draw.rng, BRIGHTS, draw.count, 0.1)
    coloured = np.where(draw.chance(0.12)[:, None], bright, plain)
    mixed: Float32Array = np.where((bag == Bag.SHOPPING)[:, None], paper, coloured)
    return mixed
