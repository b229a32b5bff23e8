"""Measures how well upright people are found in labelled photos: those whom a street's camera sees.

python tests/bench/bench_upright.py --data PHOTOS [--split val] [--weights FILE] [--least-height PX]

Upright is whoever has a labelled shoulder, hip and ankle, the line from shoulders to ankles within 20 degrees of the
vertical, and a box at least 1.8 times as high as wide. Everybody else takes one box that counts neither way, ignored
regions take any number, and every other box is wrong: AP50 is of upright people among all that was found. Recall is at
the score that the weights recommend. Heights are photo px.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from inputs import needed
from numpy.typing import NDArray

from mili_core.api import Predictor
from mili_core.datasets.sample import Sample
from mili_core.errors import MiliError
from mili_core.evaluation.detection import FoundBoxes, TrueBoxes, match_boxes
from mili_core.evaluation.labelled import LabelledPhotos
from mili_core.evaluation.precision import average_precision_of, bootstrap_interval
from mili_core.weights import read_weights

SHOULDERS, HIPS, ANKLES = [5, 6], [11, 12], [15, 16]
STEEPEST_DEG = 20.0
LEAST_RATIO = 1.8
LEAST_SCORE = 0.05  # average precision needs doubtful detections too


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--data", type=Path, required=True, help="folder with annotations.json (COCO style) and images/"
    )
    parser.add_argument("--split", default="val")
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--least-height", type=float, default=0.0, help="photo px")
    options = parser.parse_args()
    try:
        photos = LabelledPhotos(options.data, options.split)
        recommended = read_weights(options.weights).score_threshold
        predictor = Predictor.load(options.weights, score_threshold=LEAST_SCORE)
    except MiliError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    matches, found, people = [], 0, 0
    for sample in photos:
        chosen = upright(sample) & (np.diff(sample.boxes_xyxy[:, [1, 3]])[:, 0] >= options.least_height)
        seen = predictor.predict([sample.image])[0]
        truth = TrueBoxes(sample.boxes_xyxy, sample.ignore_boxes_xyxy)
        matches.append(match_boxes(FoundBoxes(seen.boxes_xyxy, seen.scores), truth, 0.5, asked=chosen))
        likely = seen.scores >= recommended
        pairs = match_boxes(FoundBoxes(seen.boxes_xyxy[likely], seen.scores[likely]), truth, 0.5, asked=chosen)
        found += int(np.isin(np.flatnonzero(chosen), pairs.truth).sum())
        people += int(chosen.sum())
    needed(people, f"no upright person of {options.least_height:g} px and more in {options.data}")
    low, high = bootstrap_interval(matches)
    print(f"{people} upright people in {len(matches)} photos: AP50 {average_precision_of(matches):.3f}", end=" ")
    print(f"(95 % {low:.3f}..{high:.3f}), recall {found / people:.3f} at score {recommended:g}")
    return 0


def upright(sample: Sample) -> NDArray[np.bool_]:
    """Says who (P,) is upright and labelled well enough to tell."""
    known = sample.keypoints[..., 2] > 0
    told = known[:, SHOULDERS].any(axis=1) & known[:, HIPS].any(axis=1) & known[:, ANKLES].any(axis=1)
    x, y = (_middle(sample, ANKLES) - _middle(sample, SHOULDERS)).T
    width, height = (sample.boxes_xyxy[:, 2:] - sample.boxes_xyxy[:, :2]).T
    steep = np.degrees(np.abs(np.arctan2(x, y))) <= STEEPEST_DEG
    return np.asarray(told & steep & (height >= LEAST_RATIO * width), dtype=np.bool_)


def _middle(sample: Sample, slots: list[int]) -> NDArray[np.floating]:
    """Returns the mean (P, 2) of the labelled ones of some keypoints."""
    weight = (sample.keypoints[:, slots, 2:] > 0).astype(np.float64)
    return np.asarray((sample.keypoints[:, slots, :2] * weight).sum(axis=1) / np.maximum(weight.sum(axis=1), 1.0))


if __name__ == "__main__":
    sys.exit(main())
