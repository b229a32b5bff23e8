"""The kinds of tops and bottoms: how often each is worn, where it ends, how wide it is, in which colours it comes."""

from __future__ import annotations

from dataclasses import dataclass

from mili_core.synth.colours import (
    BOTTOMS,
    COATS,
    DRESSES,
    JEANS,
    LEGGINGS,
    SHIRTS,
    SUITS,
    TOPS,
    Palette,
)
from mili_core.synth.wardrobe.look import Bottom, Top

Range = tuple[float, float]


@dataclass(frozen=True, slots=True)
class TopKind:
    """Ranges that a kind of top is drawn from; scales as in `Outfits`.

    Attributes:
        warm, cold: relative share on a warm and on a cold day.
        women, men: factors on the share.
        sleeve, hem: where sleeves and trunk end.
        ease_m, hang, cuff_m: how wide it is.
        neckline_m, collar_m: how it ends at the neck.
        opened: share worn open over something else.
        patterned: share with a pattern.
        palette: colours.
    """

    warm: float
    cold: float
    women: float
    men: float
    sleeve: Range
    hem: Range
    ease_m: Range
    hang: Range
    cuff_m: Range
    neckline_m: Range
    collar_m: Range
    opened: float
    patterned: float
    palette: Palette


@dataclass(frozen=True, slots=True)
class BottomKind:
    """Ranges that a kind of bottom is drawn from; scales as in `Outfits`.

    Attributes:
        warm, cold: relative share on a warm and on a cold day.
        women, men: factors on the share.
        leg: where the legs, or a skirt, end.
        ease_m, knee_m, hem_m: how wide it is.
        palette: colours.
    """

    warm: float
    cold: float
    women: float
    men: float
    leg: Range
    ease_m: Range
    knee_m: Range
    hem_m: Range
    palette: Palette


TOP_KINDS: dict[Top, TopKind] = {
    Top.T_SHIRT: TopKind(0.34, 0.02, 0.9, 1.1, (0.26, 0.5), (-0.02, 0.1), (0.008, 0.016), (0.5, 1.0), (0.062, 0.086),
                         (0.0, 0.045), (0.0, 0.0), 0.0, 0.42, TOPS),
    Top.TANK: TopKind(0.07, 0.0, 1.5, 0.5, (-0.08, -0.02), (-0.06, 0.08), (0.004, 0.01), (0.2, 0.8), (0.06, 0.07),
                      (0.04, 0.1), (0.0, 0.0), 0.0, 0.3, TOPS),
    Top.SHIRT: TopKind(0.14, 0.07, 0.6, 1.4, (0.3, 0.98), (-0.19, 0.1), (0.008, 0.015), (0.4, 0.9), (0.045, 0.06),
                       (0.02, 0.06), (0.03, 0.045), 0.15, 0.4, SHIRTS),
    Top.BLOUSE: TopKind(0.1, 0.04, 1.9, 0.0, (0.15, 0.97), (-0.12, 0.1), (0.007, 0.015), (0.4, 1.0), (0.045, 0.085),
                        (0.02, 0.11), (0.0, 0.0), 0.0, 0.5, DRESSES),
    Top.SWEATER: TopKind(0.08, 0.15, 1.2, 0.9, (0.94, 1.0), (-0.06, 0.1), (0.012, 0.022), (0.4, 0.9), (0.04, 0.052),
                         (-0.01, 0.03), (0.0, 0.02), 0.0, 0.25, TOPS),
    Top.HOODIE: TopKind(0.07, 0.13, 0.8, 1.2, (0.94, 1.0), (-0.03, 0.1), (0.016, 0.028), (0.5, 1.0), (0.042, 0.056),
                        (-0.02, 0.01), (0.02, 0.03), 0.25, 0.25, TOPS),
    Top.JACKET: TopKind(0.09, 0.17, 0.9, 1.1, (0.93, 1.02), (-0.06, 0.1), (0.013, 0.024), (0.4, 0.9), (0.046, 0.058),
                        (0.0, 0.03), (0.04, 0.06), 0.5, 0.1, COATS),
    Top.BLAZER: TopKind(0.05, 0.08, 0.7, 1.3, (0.94, 1.0), (0.1, 0.17), (0.014, 0.022), (0.4, 0.7), (0.05, 0.06),
                        (0.01, 0.03), (0.025, 0.035), 0.85, 0.06, SUITS),
    Top.COAT: TopKind(0.0, 0.16, 1.3, 0.8, (0.95, 1.03), (0.08, 0.12), (0.018, 0.028), (0.4, 0.9), (0.052, 0.064),
                      (0.0, 0.03), (0.045, 0.07), 0.4, 0.08, COATS),
    Top.PUFFER: TopKind(0.0, 0.15, 1.0, 1.0, (0.95, 1.03), (-0.02, 0.14), (0.024, 0.038), (0.4, 0.8), (0.054, 0.066),
                        (-0.02, 0.02), (0.05, 0.07), 0.3, 0.1, COATS),
    Top.VEST: TopKind(0.02, 0.04, 0.9, 1.2, (0.93, 1.0), (-0.03, 0.1), (0.02, 0.034), (0.5, 0.9), (0.046, 0.056),
                      (-0.02, 0.02), (0.04, 0.06), 0.35, 0.0, COATS),
    Top.DRESS: TopKind(0.1, 0.02, 1.8, 0.0, (-0.08, 0.6), (0.13, 0.14), (0.005, 0.01), (0.1, 0.4), (0.05, 0.08),
                       (0.02, 0.1), (0.0, 0.0), 0.0, 0.55, DRESSES),
}  # fmt: skip
"""Shares, then sleeve, hem, ease, hang, cuff, neckline, collar, share opened, share patterned, colours."""

BOTTOM_KINDS: dict[Bottom, BottomKind] = {
    Bottom.TROUSERS: BottomKind(0.2, 0.26, 0.7, 1.3, (0.95, 1.02), (0.010, 0.018), (0.08, 0.09), (0.068, 0.085),
                                BOTTOMS),
    Bottom.JEANS: BottomKind(0.32, 0.42, 1.0, 1.0, (0.94, 1.01), (0.006, 0.012), (0.066, 0.08), (0.052, 0.072), JEANS),
    Bottom.WIDE: BottomKind(0.07, 0.08, 1.6, 0.4, (0.96, 1.05), (0.012, 0.02), (0.1, 0.12), (0.1, 0.135), BOTTOMS),
    Bottom.SHORTS: BottomKind(0.2, 0.0, 0.8, 1.2, (0.28, 0.56), (0.010, 0.018), (0.105, 0.125), (0.1, 0.125), BOTTOMS),
    Bottom.LEGGINGS: BottomKind(0.07, 0.1, 1.9, 0.1, (0.86, 0.97), (0.002, 0.004), (0.03, 0.04), (0.03, 0.04),
                                LEGGINGS),
    Bottom.SKIRT: BottomKind(0.1, 0.05, 1.9, 0.0, (0.36, 0.9), (0.006, 0.012), (0.03, 0.04), (0.03, 0.04), DRESSES),
}  # fmt: skip
"""Shares, then where legs end, ease, radius at the knee and at the end, colours."""
