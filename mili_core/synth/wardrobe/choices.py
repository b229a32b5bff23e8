"""Who wears which kinds of garments, hair and bags."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mili_core.synth.wardrobe.garments import BOTTOM_KINDS, TOP_KINDS
from mili_core.synth.wardrobe.look import Bottom, Float32Array, Hair, Headwear, Int64Array, Pattern, Top

BoolArray = NDArray[np.bool_]

_PATTERNS: dict[Pattern, float] = {
    Pattern.STRIPES: 0.22, Pattern.CHECKS: 0.06, Pattern.PLAID: 0.14, Pattern.FLORAL: 0.1, Pattern.PRINT: 0.3,
    Pattern.CAMOUFLAGE: 0.03, Pattern.BLOCKS: 0.11,
}  # fmt: skip
_OUTER = (Top.JACKET, Top.BLAZER, Top.COAT, Top.PUFFER, Top.VEST)


class Draw:
    """Random arrays of P people."""

    def __init__(self, rng: np.random.Generator, count: int) -> None:
        self.rng, self.count = rng, count

    def uniform(self, low: float, high: float) -> Float32Array:
        """Gives (P,) values between two bounds."""
        return self.rng.uniform(low, high, self.count).astype(np.float32)

    def chance(self, share: float) -> BoolArray:
        """Gives (P,) True with a probability."""
        return self.rng.random(self.count) < share

    def chance_of(self, shares: NDArray[np.float64]) -> BoolArray:
        """Gives (P,) True with the probabilities (P,)."""
        chosen: BoolArray = self.rng.random(self.count) < shares
        return chosen

    def ranges(self, table: NDArray[np.float64], kinds: Int64Array) -> Float32Array:
        """Gives (P,) values uniform within the rows `kinds` of a table (K, 2)."""
        low, high = table[kinds].T
        drawn: Float32Array = (low + (high - low) * self.rng.random(self.count)).astype(np.float32)
        return drawn

    def kinds(self, weights: NDArray[np.float64]) -> Int64Array:
        """Gives (P,) columns of weights (P, K), each as likely as its weight."""
        steps = np.cumsum(weights, axis=1)
        level = self.rng.random(self.count) * steps[:, -1]
        drawn: Int64Array = (level[:, None] >= steps[:, :-1]).sum(axis=1)
        return drawn


def _set(weights: NDArray[np.float64], people: BoolArray, kinds: Sequence[int], value: float) -> None:
    """Sets the weights of some kinds for some people, in place."""
    for kind in kinds:
        weights[people, int(kind)] = value


def draw_tops(
    draw: Draw, child: BoolArray, female: BoolArray, sport: BoolArray, worker: BoolArray, cold: float
) -> Int64Array:
    """Gives (P,) Top."""
    kinds = TOP_KINDS.values()
    share = np.array([(1.0 - cold) * kind.warm + cold * kind.cold for kind in kinds])
    weights = share * np.where(female[:, None], [kind.women for kind in kinds], [kind.men for kind in kinds])
    _set(weights, child, (Top.BLAZER, Top.BLOUSE), 0.0)
    weights[sport] = 0.0
    weights[sport, Top.T_SHIRT], weights[sport, Top.TANK] = 0.7, 0.15
    weights[sport, Top.JACKET] = 0.6 * cold
    weights[worker] = 0.0
    weights[worker, Top.VEST] = 1.0
    return draw.kinds(weights)


def draw_bottoms(
    draw: Draw, child: BoolArray, female: BoolArray, sport: BoolArray, top: Int64Array, cold: float
) -> Int64Array:
    """Gives (P,) Bottom, to go with the tops."""
    kinds = BOTTOM_KINDS.values()
    share = np.array([(1.0 - cold) * kind.warm + cold * kind.cold for kind in kinds])
    weights = share * np.where(female[:, None], [kind.women for kind in kinds], [kind.men for kind in kinds])
    _set(weights, child, (Bottom.WIDE,), 0.0)
    weights[sport] = 0.0
    weights[sport, Bottom.SHORTS] = 0.7 * (1.0 - cold) + 0.1
    weights[sport, Bottom.LEGGINGS], weights[sport, Bottom.TROUSERS] = 0.15, 0.2
    # Suits come with trousers; shorts do not go under coats; a coat and a skirt would be two skirts.
    _set(weights, top == Top.BLAZER, (Bottom.SHORTS, Bottom.LEGGINGS), 0.0)
    _set(weights, np.isin(top, [Top.COAT, Top.PUFFER]), (Bottom.SHORTS,), 0.0)
    _set(weights, top == Top.COAT, (Bottom.SKIRT, Bottom.WIDE), 0.0)
    bottom = draw.kinds(weights)
    under_dress = np.where(draw.chance(0.15 + 0.7 * cold), int(Bottom.TIGHTS), int(Bottom.BARE))
    return np.where(top == Top.DRESS, under_dress, bottom)


def draw_head(
    draw: Draw, child: BoolArray, female: BoolArray, top: Int64Array, sport: BoolArray, cold: float
) -> tuple[Int64Array, Int64Array]:
    """Gives (P,) Hair and (P,) Headwear."""
    women = np.array([0.2, 0.0, 0.42, 0.12, 0.22, 0.04])
    men = np.array([0.83, 0.1, 0.03, 0.01, 0.01, 0.02])
    weights = np.where(female[:, None], women, men)
    _set(weights, child, (Hair.BALD,), 0.0)
    hair = draw.kinds(weights)
    women = np.array([0.8, 0.05, 0.1 * cold, 0.05 * (1.0 - cold), 0.07, 0.0])
    men = np.array([0.78, 0.12, 0.12 * cold, 0.02 * (1.0 - cold), 0.0, 0.0])
    weights = np.where(female[:, None], women, men)
    weights[sport, Headwear.CAP] += 0.15
    weights[child, Headwear.HEADSCARF] = 0.0
    weights[np.isin(top, [Top.HOODIE, Top.PUFFER]), Headwear.HOOD] = 0.06 + 0.12 * cold
    headwear = draw.kinds(weights)
    # Hair under a cap lies flat; knots and afros do not fit under hats.
    covered = (headwear != Headwear.NONE) & np.isin(hair, [Hair.AFRO, Hair.BUN])
    return np.where(covered, int(Hair.SHORT), hair), headwear


def draw_bags(draw: Draw, child: BoolArray, female: BoolArray) -> Int64Array:
    """Gives (P,) Bag."""
    women = np.array([0.52, 0.13, 0.16, 0.12, 0.07])
    men = np.array([0.66, 0.2, 0.08, 0.02, 0.04])
    weights = np.where(female[:, None], women, men)
    weights[child] = [0.8, 0.2, 0.0, 0.0, 0.0]
    return draw.kinds(weights)


def draw_patterns(draw: Draw, share: NDArray[np.float64], top: Int64Array, worker: BoolArray) -> Int64Array:
    """Gives (P,) Pattern; `share` (P,) is the probability of any."""
    names = list(_PATTERNS)
    weights = np.tile(list(_PATTERNS.values()), (draw.count, 1))
    _set(weights, np.isin(top, _OUTER), (names.index(Pattern.PRINT), names.index(Pattern.FLORAL)), 0.0)
    _set(weights, ~np.isin(top, [Top.T_SHIRT, Top.SHIRT]), (names.index(Pattern.FLORAL),), 0.0)
    frilly = np.isin(top, [Top.BLOUSE, Top.DRESS])
    _set(weights, frilly, (names.index(Pattern.FLORAL),), 0.9)
    _set(weights, frilly, (names.index(Pattern.PRINT), names.index(Pattern.CAMOUFLAGE)), 0.0)
    _set(weights, top == Top.SHIRT, (names.index(Pattern.PRINT), names.index(Pattern.BLOCKS)), 0.0)
    drawn = np.array([int(name) for name in names])[draw.kinds(weights)]
    pattern = np.where(draw.chance_of(share), drawn, int(Pattern.PLAIN))
    return np.where(worker, int(Pattern.HIGH_VISIBILITY), pattern)
