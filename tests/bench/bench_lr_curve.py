"""Draws what low resolution costs, and what the LR branch gets back: bodies and boxes against the height of people.

python tests/bench/bench_lr_curve.py --output curve.png --teacher FILE [--weights FILE] [--lr-scale large|small]
    [--shards DIR | --seed N --size WIDTH HEIGHT] [--images N]

Three curves: the HR model (`--teacher`, HR branch) on sharp images, the same on their low-resolution twins, and the LR
model (`--weights`, LR branch) on these. Synthetic: rendered people of held-out seeds, those who are half visible and
more. Every sample is looked at as it is and at half its size, so that people of 15 px are among them; those of 300 px
need samples as large as the network's images (--size, or --shards that were rendered so: 832x512, the default).
MPJPE is in true boxes, pelvises laid upon each other, with a 95 % interval (samples drawn again, both sizes at once).
AP50 is as COCO has it for sizes: people of other heights, and those of whom less is seen, take one box each that counts
neither way. Heights are of visible boxes on the network's canvas; of the twins' own pixels they have 11/32 (large) or
1/4 (small). Beside the picture lies a .csv with all figures; points of fewer than 20 people are not in the picture.
"""

from __future__ import annotations

import argparse
import csv
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from held_out import Model, Seen, Sight, add_sample_flags, batches, open_model, samples_of, see, shrunk
from inputs import measured
from line_chart import Curve, Panel, draw_chart

from mili_core.body import load_body
from mili_core.evaluation.heights import precision_by_height
from mili_core.evaluation.pose import BandFigures, pose_figures_by_height
from pipeline.export.pictures import write_picture

EDGES_PX = (15, 20, 27, 37, 50, 67, 90, 122, 165, 222, 300)
BANDS_PX = tuple(pairwise(EDGES_PX))
TICKS_PX = (15, 30, 60, 120, 240, 300)
SHARES = (1.0, 0.5)
MIN_VISIBLE = 0.5
LEAST_SCORE = 0.05  # average precision needs doubtful detections too
LEAST_PEOPLE = 20
SIZE = (832, 512)  # 300 px tall people fit
LINE = "{:26} {:>3}-{:<3} px {:>5} people  MPJPE {:5.1f} ({:.1f}-{:.1f})  PA {:5.1f}  PCK {:.3f}  AP50 {:.3f}"
COLUMNS = ("curve", "low_px", "high_px", "people", "mpjpe_mm", "mpjpe_low", "mpjpe_high", "pa_mpjpe_mm", "pck", "ap50")


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """One curve: who looks, and how."""

    label: str
    model: Model
    sight: Sight


@dataclass(frozen=True, slots=True)
class Point:
    """A band of heights of one curve."""

    label: str
    pose: BandFigures
    ap50: float

    @property
    def middle_px(self) -> float:
        return math.sqrt(self.pose.low_px * self.pose.high_px)

    @property
    def row(self) -> tuple[str | float, ...]:
        one = self.pose.figures
        figures = (one.mpjpe_mm, *one.interval_mm, one.pa_mpjpe_mm, one.pck, self.ap50)
        return self.label, self.pose.low_px, self.pose.high_px, one.people, *(round(value, 4) for value in figures)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--teacher", type=Path, required=True, help="weights of the HR model, of stage hr")
    parser.add_argument("--weights", type=Path, help="weights of the LR model (default: the shipped weights)")
    parser.add_argument("--lr-scale", choices=("large", "small"), default="large")
    parser.add_argument("--output", type=Path, required=True, help="the picture: .png or .jpg")
    add_sample_flags(parser, SIZE)
    return measured(measure, parser)


def measure(options: argparse.Namespace) -> int:
    body = load_body()
    teacher, student = open_model(options.teacher, body), open_model(options.weights, body)
    poor = options.lr_scale
    views = (
        View("HR model, sharp images", teacher, Sight("hr")),
        View("HR model, low resolution", teacher, Sight("hr", "degrade", poor)),
        View("LR model, low resolution", student, Sight("lr", "degrade", poor)),
    )
    samples, origin = samples_of(options, body)
    seen: dict[str, dict[float, list[Seen]]] = {view.label: {share: [] for share in SHARES} for view in views}
    for batch in batches(samples):
        for share in SHARES:
            smaller = [shrunk(sample, share) for sample in batch]
            for view in views:
                seen[view.label][share].append(see(view.model, smaller, view.sight, LEAST_SCORE))
    points = [
        point
        for label, sizes in seen.items()
        for point in curve_points(label, [Seen.joined(parts) for parts in sizes.values()])
    ]
    options.output.parent.mkdir(parents=True, exist_ok=True)
    write_picture(draw_chart(panels(points), "height of people, network px", TICKS_PX), options.output)
    numbers = options.output.with_suffix(".csv")
    with numbers.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([COLUMNS, *(point.row for point in points)])
    print(f"synthetic: {origin}; low resolution: {poor}")
    for point in points:
        print(LINE.format(*point.row))
    few = sum(point.pose.figures.people < LEAST_PEOPLE for point in points)
    print(f"{few} of {len(points)} points are of fewer than {LEAST_PEOPLE} people and are not in the picture")
    print(f"{options.output}\n{numbers}")
    return 0


def curve_points(label: str, sizes: Sequence[Seen]) -> list[Point]:
    """Returns a point for each band of heights; `sizes` are the same samples at several sizes, in the same order."""
    seen = Seen.joined(sizes)
    clear = seen.visible >= MIN_VISIBLE
    sample = np.concatenate([one.image_index for one in sizes])
    poses = pose_figures_by_height(seen.errors.of(clear), sample[clear], seen.heights_px[clear], BANDS_PX)
    asked = [clear[seen.image_index == number] for number in range(len(seen.boxes))]
    precisions = precision_by_height(seen.found, seen.boxes, BANDS_PX, asked=asked)
    return [Point(label, pose, one.average_precision) for pose, one in zip(poses, precisions, strict=True)]


def panels(points: Sequence[Point]) -> tuple[Panel, Panel]:
    """Returns MPJPE and AP50 of the points that enough people stand behind."""
    curves: dict[str, list[Point]] = {point.label: [] for point in points}
    for point in points:
        if point.pose.figures.people >= LEAST_PEOPLE:
            curves[point.label].append(point)
    bodies, boxes = [], []
    for label, those in curves.items():
        x, figures = [point.middle_px for point in those], [point.pose.figures for point in those]
        low, high = ([one.interval_mm[end] for one in figures] for end in (0, 1))
        bodies.append(Curve(label, x, [one.mpjpe_mm for one in figures], low, high))
        boxes.append(Curve(label, x, [point.ap50 for point in those]))
    return Panel("MPJPE, mm (less is better)", bodies), Panel("AP50 of boxes", boxes, 1.0)


if __name__ == "__main__":
    sys.exit(main())
