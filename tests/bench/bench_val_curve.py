"""Draws how a training's weights came to be as good as they are: figures on photos and renders against its steps.

python tests/bench/bench_val_curve.py --run DIR --data PHOTOS --output curve.png [--split val] [--limit N] [--every N]
    [--shards DIR] [--images N]

DIR is the --output of a training with --keep-weights: each checkpoint's averaged weights are measured as
`mili evaluate-mili photos` does it (AP50 of boxes, and of outlines where the branch has masks).
With --shards also MPJPE and PA-MPJPE of held-out rendered people of 60 to 120 px (synthetic; see bench_pose.py).
Whether the curve is flat: the last line compares the last weights with those at about two thirds of the steps, the
same photos drawn again for both, so that what both share does not count as doubt. Beside the picture lies a .csv with
all figures.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from held_out import Seen, Sight, batches, open_model, samples_of, see
from inputs import measured
from line_chart import Curve, Panel, draw_chart

from mili_core.api import Predictor
from mili_core.body import load_body
from mili_core.datasets.sample import Sample
from mili_core.errors import ConfigError
from mili_core.evaluation.detection import FoundBoxes, TrueBoxes, match_boxes
from mili_core.evaluation.labelled import LabelledPhotos
from mili_core.evaluation.matching import Match
from mili_core.evaluation.photos import PhotoTruth, photo_metrics
from mili_core.evaluation.pose import pose_figures
from mili_core.evaluation.precision import average_precision_of
from mili_core.training.checkpoint import FREE
from mili_core.weights import read_weights
from pipeline.export.pictures import write_picture

LEAST_SCORE = 0.05  # average precision needs doubtful detections too
BAND_PX = (60, 120)
MIN_VISIBLE = 0.5
RESAMPLES = 1000
TICKS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000, 50000, 100000, 200000, 500000)
NAME = re.compile(r"weights-([0-9]+)[.]safetensors")
PICTURES = {".png", ".jpg", ".jpeg"}
LINE = "step {:>6}  box AP50 {:.3f}  outline AP50 {:.3f}  MPJPE {:5.1f}  PA {:5.1f}"
COLUMNS = ("step", "box_ap50", "outline_ap50", "mpjpe_mm", "pa_mpjpe_mm")


@dataclass(frozen=True, slots=True, eq=False)
class Point:
    """One checkpoint's weights; NaN is what was not measured."""

    step: int
    matches: Sequence[Match]
    outline_ap50: float
    mpjpe_mm: float = math.nan
    pa_mpjpe_mm: float = math.nan

    @property
    def row(self) -> tuple[float, ...]:
        return self.step, average_precision_of(self.matches), self.outline_ap50, self.mpjpe_mm, self.pa_mpjpe_mm


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, required=True, help="--output of a training with --keep-weights")
    parser.add_argument("--data", type=Path, required=True, help="folder with annotations.json and images/")
    parser.add_argument("--split", default="val")
    parser.add_argument("--limit", type=int, help="only the first so many photos")
    parser.add_argument("--every", type=int, default=1, help="only each so-manieth checkpoint, counted from the last")
    parser.add_argument("--output", type=Path, required=True, help="the picture: .png or .jpg")
    parser.add_argument("--shards", type=Path, help="samples rendered ahead, of a seed not trained on")
    parser.add_argument("--images", type=int, help="how many of them (default: all)")
    return measured(measure, parser)


def measure(options: argparse.Namespace) -> int:
    for name in ("every", "limit"):
        value = getattr(options, name)
        if value is not None and value < 1:
            raise ConfigError(f"--{name} is {value}; give at least 1")
    if options.output.suffix.lower() not in PICTURES:
        raise ConfigError(f"--output is {options.output}; give a name that ends in {' or '.join(sorted(PICTURES))}")
    found = kept_weights(options.run, options.every)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    labelled = LabelledPhotos(options.data, options.split)
    photos = [labelled[index] for index in range(len(labelled))[: options.limit]]
    points = []
    for path in found:
        points.append(point(path, photos, options))
        print(LINE.format(*points[-1].row), flush=True)
    with options.output.with_suffix(".csv").open("w", newline="", encoding="utf-8") as file:
        rows = ([round(value, 4) for value in one.row] for one in points)
        csv.writer(file).writerows([COLUMNS, *rows])
    write_picture(picture(points), options.output)
    earlier = min(points[:-1], key=lambda one: abs(3 * one.step - 2 * points[-1].step))
    low, high = gain_interval(earlier.matches, points[-1].matches)
    gain = points[-1].row[1] - earlier.row[1]
    print(f"box AP50 from step {earlier.step} to {points[-1].step}: {gain:+.3f} (95 % {low:+.3f}..{high:+.3f})")
    return 0


def kept_weights(run: Path, every: int) -> list[Path]:
    """Gives each `every`-th of a run's kept weights, counted from the last, in the order of their steps.

    Raises:
        ConfigError: there are fewer than three, or they are of several runs.
    """
    kept = sorted((int(match[1]), path) for path in run.glob("*") if (match := NAME.fullmatch(path.name)))
    found = [path for _, path in kept[::-every][::-1]]
    if len(found) < 3:
        asked = f" of which --every {every} leaves {len(found)}" if every > 1 else ""
        raise ConfigError(f"{run} has {len(kept)} files weights-STEP{asked}; train longer, with --keep-weights")
    told = [json.loads(read_weights(path).notes) for path in found]
    for notes in told:
        notes["settings"] = {name: value for name, value in notes["settings"].items() if name not in FREE}
    odd = [
        path.name
        for path, notes in zip(found, told, strict=True)
        if any(notes.get(name) != told[-1].get(name) for name in notes.keys() - {"step", "seconds"})
    ]
    if odd:
        raise ConfigError(f"{', '.join(odd)} in {run} were trained otherwise than {found[-1].name}; remove them")
    return found


def point(path: Path, photos: Sequence[Sample], options: argparse.Namespace) -> Point:
    """Gives the figures of one checkpoint's weights."""
    notes = json.loads(read_weights(path).notes)
    predictor = Predictor.load(path, score_threshold=LEAST_SCORE, branch=notes["branch"])
    seen = [predictor.predict([photo.image])[0] for photo in photos]
    matches = [
        match_boxes(FoundBoxes(one.boxes_xyxy, one.scores), TrueBoxes(photo.boxes_xyxy, photo.ignore_boxes_xyxy), 0.5)
        for one, photo in zip(seen, photos, strict=True)
    ]
    outlines = photo_metrics(seen, [PhotoTruth.of(photo) for photo in photos], LEAST_SCORE).mask_ap50
    return Point(notes["step"], matches, outlines, *pose(path, notes["branch"], options))


def pose(path: Path, branch: str, options: argparse.Namespace) -> tuple[float, float]:
    """Gives MPJPE and PA-MPJPE of half-visible rendered people in the band, mm."""
    if options.shards is None:
        return math.nan, math.nan
    body = load_body()
    model, (samples, _) = open_model(path, body), samples_of(options, body)
    sight = Sight("hr" if branch == "hr" else "lr")
    seen = Seen.joined([see(model, batch, sight, model.threshold) for batch in batches(samples)])
    low, high = BAND_PX
    chosen = (seen.visible >= MIN_VISIBLE) & (seen.heights_px >= low) & (seen.heights_px < high)
    figures = pose_figures(seen.errors.of(chosen), seen.image_index[chosen])
    return figures.mpjpe_mm, figures.pa_mpjpe_mm


def gain_interval(before: Sequence[Match], after: Sequence[Match]) -> tuple[float, float]:
    """Gives the 95 % interval of the gain in AP50: the same photos, drawn again, under both weights."""
    rng, gains = np.random.default_rng(0), []
    for _ in range(RESAMPLES):
        drawn = rng.integers(len(before), size=len(before))
        gains.append(
            average_precision_of([after[row] for row in drawn]) - average_precision_of([before[row] for row in drawn])
        )
    low, high = np.nanquantile(gains, (0.025, 0.975))
    return float(low), float(high)


def picture(points: Sequence[Point]) -> np.ndarray:
    """Draws boxes and outlines, and bodies where they were measured."""
    steps = [float(one.step) for one in points]
    _, boxes, outlines, mpjpe, pa_mpjpe = zip(*(one.row for one in points), strict=True)
    panels = [("AP50 on validation photos", (boxes, outlines))]
    labels = ["boxes", "outlines"]
    if any(math.isfinite(value) for value in mpjpe):
        panels.append((f"mm, held-out renders, {BAND_PX[0]}-{BAND_PX[1]} px", (mpjpe, pa_mpjpe)))
        labels = ["boxes | MPJPE", "outlines | PA-MPJPE"]
    first = max(tick for tick in TICKS if tick <= steps[0])
    last = next((tick for tick in TICKS if tick >= steps[-1]), TICKS[-1])
    return draw_chart(
        [
            Panel(title, [Curve(label, steps, line) for label, line in zip(labels, lines, strict=True)])
            for title, lines in panels
        ],
        "step",
        [tick for tick in TICKS if first <= tick <= last],
    )


if __name__ == "__main__":
    sys.exit(main())
