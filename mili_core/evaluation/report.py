"""Figures as plain text tables and as JSON."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Sequence
from typing import Any

from mili_core.evaluation.bands import BandCounts, Counts, ScoreCounts
from mili_core.evaluation.photos import PhotoMetrics
from mili_core.evaluation.scene import SceneMetrics

# A dataclass of figures; its JSON is an object with the same names.
Figures = PhotoMetrics | SceneMetrics


RATIOS = ("recall", "precision")
HEIGHTS = "people and hit by their true height, found and right by that of the found box"


def to_json(figures: Figures) -> str:
    """Gives the figures as one line of JSON, ratios included; what is not a finite number becomes null."""
    return json.dumps(_plain(figures), allow_nan=False)


def photo_lines(figures: PhotoMetrics) -> list[str]:
    """Gives the figures of photos as lines to print."""
    boxes = figures.boxes
    low, high = boxes.ap50_interval
    limbs = f"in {figures.limb_photos} photos with complete keypoints"
    return [
        f"photos {boxes.images}, left out for their incomplete boxes: {figures.left_out}",
        f"box AP50 {_share(boxes.ap50)} (95 % {_share(low)}..{_share(high)})  AP50:95 {_share(boxes.ap)}",
        f"mask AP50 {_share(figures.mask_ap50)}  (-: unmeasured)",
        f"limb-joint AP at OKS .5 {_share(figures.limb_ap50)}, of {figures.limb_people} people {limbs}",
        f"at score {boxes.score_threshold:g} and IoU .5; {HEIGHTS}, photo px:",
        *band_lines(boxes.bands, boxes.counts),
        "photos judged at other scores, IoU .5:",
        *score_lines(boxes.by_score),
    ]


def scene_lines(figures: SceneMetrics) -> list[str]:
    """Gives the figures of a scene as lines to print."""
    people = f"people {figures.people}, of these asked for {figures.counts.truths}"
    found = f"found boxes {figures.counts.found}, duplicates among them {figures.duplicates}"
    return [
        f"{people}; {found}",
        f"recall of those asked for, precision of all found, IoU .5; {HEIGHTS}, frame px:",
        *band_lines(figures.bands, figures.counts),
    ]


def band_lines(bands: Sequence[BandCounts], whole: Counts) -> list[str]:
    """Gives a table with one line a band and one for the whole."""
    rows = [(f"{band.low_px:g}..{band.high_px:g}", band.counts) for band in bands]
    lines = [f"{'height':>12} {'people':>7} {'hit':>6} {'recall':>7} {'found':>7} {'right':>6} {'precision':>9}"]
    for name, counts in [*rows, ("all", whole)]:
        lines.append(
            f"{name:>12} {counts.truths:>7} {counts.hit:>6} {_share(counts.recall):>7} "
            f"{counts.found:>7} {counts.right:>6} {_share(counts.precision):>9}"
        )
    return lines


def score_lines(rows: Sequence[ScoreCounts]) -> list[str]:
    """Gives a table with one line a score."""
    lines = [f"{'score':>12} {'precision':>9} {'recall':>7} {'F1':>7}"]
    for row in rows:
        one = row.counts
        lines.append(
            f"{row.score_threshold:>12g} {_share(one.precision):>9} {_share(one.recall):>7} {_share(one.f1):>7}"
        )
    return lines


def _share(value: float) -> str:
    return f"{value:.3f}" if math.isfinite(value) else "-"


def _plain(value: Any) -> Any:  # noqa: ANN401 - any figure in, JSON's own types out
    if dataclasses.is_dataclass(value):
        plain = {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
        ratios = {name: getattr(value, name) for name in RATIOS} if isinstance(value, Counts) else {}
        return plain | {name: _plain(ratio) for name, ratio in ratios.items()}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
