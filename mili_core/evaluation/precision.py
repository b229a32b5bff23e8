"""Average precision over images from their matches, and how far chance moves it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mili_core.evaluation.matching import Match

# COCO's recall grid.
RECALL_POINTS = np.linspace(0.0, 1.0, 101, dtype=np.float64)


def average_precision_of(matches: Sequence[Match]) -> float:
    """Gives COCO's 101-point average precision of matches at one threshold, one a image; NaN without any truth."""
    truths = sum(match.truths for match in matches)
    if truths == 0:
        return float("nan")
    scores = np.concatenate([match.scores[~match.ignored] for match in matches])
    right = np.concatenate([match.right[~match.ignored] for match in matches])
    right = right[np.argsort(-scores, kind="stable")]
    hits = np.cumsum(right, dtype=np.float64)
    recall = hits / truths
    precision = hits / np.maximum(np.arange(1, len(right) + 1), 1)
    ceiling = np.maximum.accumulate(precision[::-1])[::-1]
    position = np.searchsorted(recall, RECALL_POINTS, side="left")
    reached = np.append(ceiling, 0.0)[position]
    return float(reached.mean())


def bootstrap_interval(
    matches: Sequence[Match], *, rounds: int = 400, share: float = 0.95, seed: int = 0
) -> tuple[float, float]:
    """Gives the interval in which average precision lies when the images are drawn again with replacement.

    Args:
        matches: one a image.
        rounds: how many times they are drawn.
        share: of the results that lie inside.
        seed: of the draws.

    Returns:
        Low and high end; NaN when no draw holds a truth.
    """
    rng = np.random.default_rng(seed)
    draws = rng.integers(len(matches), size=(rounds, len(matches))) if matches else np.zeros((0, 0), dtype=np.int64)
    values = np.array([average_precision_of([matches[i] for i in draw]) for draw in draws], dtype=np.float64)
    values = values[np.isfinite(values)]
    if not len(values):
        return float("nan"), float("nan")
    low, high = np.quantile(values, [(1 - share) / 2, (1 + share) / 2])
    return float(low), float(high)
