"""The stage values that are kept: a few of each map, and the best rows of each list of boxes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mili_core.compat.raw import RawOutput

PICKED = 96  # values of a map
PROPOSALS, PEOPLE = 40, 30  # rows of boxes that are kept
BODIES = 4

Arrays = dict[str, NDArray[np.float32]]


def stage_values(raw: RawOutput, *, everything: bool) -> Arrays:
    """Gives the values that are kept; with `everything`, all rows of boxes, to look for the kept ones in."""
    maps = {f"C{level + 2}": value for level, value in enumerate(raw.features.backbone)}
    maps |= {f"P{level + 2}": value for level, value in enumerate(raw.features.fpn)}
    maps |= {f"rpn_logits_P{level + 2}": value for level, value in enumerate(raw.features.rpn_logits)}
    maps |= {f"rpn_deltas_P{level + 2}": value for level, value in enumerate(raw.features.rpn_deltas)}
    values = {name: _picked(value.numpy()) for name, value in maps.items()}
    scored = np.concatenate((raw.boxes_xyxy_plus1.numpy(), raw.scores.numpy()[:, None]), axis=1)
    proposals = raw.features.proposals_xyxy_plus1.numpy()
    values["proposals"] = proposals if everything else proposals[:PROPOSALS]
    values["people"] = scored if everything else scored[:PEOPLE]
    for name in ("rotmats", "betas", "cam", "transl_m"):
        values[name] = getattr(raw, name)[:BODIES].numpy()
    return values


def _picked(array: NDArray[np.float32]) -> NDArray[np.float32]:
    """Values spread over a flattened map, and its mean and standard deviation."""
    flat = array.reshape(-1)
    at = np.linspace(0, flat.size - 1, min(PICKED, flat.size)).astype(int)
    whole = flat.astype(np.float64)
    return np.concatenate((flat[at], [whole.mean(), whole.std()])).astype(np.float32)
