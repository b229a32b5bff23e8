"""Counts boxes where nobody is, per megapixel: of photos' parts that no person and no ignored region touches.

python tests/bench/bench_empty.py --data PHOTOS [--split val] [--weights FILE] [--score S]

A box counts where less than a tenth of it lies in true boxes and ignored regions. Megapixels are of the photos as the
network gets them (each photo fills its 832x512 px canvas), because that is what a block of a frame shows, too.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from inputs import needed

from mili_core.api import Predictor
from mili_core.datasets.sample import Sample
from mili_core.errors import MiliError
from mili_core.evaluation.labelled import LabelledPhotos

CANVAS = (832, 512)
TOUCHES = 0.1  # share of a box


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--data", type=Path, required=True, help="folder with annotations.json (COCO style) and images/"
    )
    parser.add_argument("--split", default="val")
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--score", type=float, help="default: what the weights recommend")
    options = parser.parse_args()
    try:
        photos = LabelledPhotos(options.data, options.split)
        predictor = Predictor.load(options.weights, score_threshold=options.score)
    except MiliError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    wrong, empty = zip(*(false_people(predictor, sample) for sample in photos), strict=True)
    needed(sum(empty), f"no photo in {options.data} has a part that nobody touches")
    print(f"{len(wrong)} photos, {sum(empty):.1f} empty megapixels: {sum(wrong)} false people, ", end="")
    print(f"{sum(wrong) / sum(empty):.2f} per megapixel")
    return 0


def false_people(predictor: Predictor, sample: Sample) -> tuple[int, float]:
    """Gives the number of false people in the empty part of a photo, and its size in megapixels of the network."""
    height, width = sample.image.shape[:2]
    taken = np.zeros((height, width), dtype=bool)
    for x0, y0, x1, y1 in np.concatenate([sample.boxes_xyxy, sample.ignore_boxes_xyxy]).round().astype(int):
        taken[max(y0, 0) : y1, max(x0, 0) : x1] = True
    enlarged = min(CANVAS[0] / width, CANVAS[1] / height) ** 2
    boxes = predictor.predict([sample.image])[0].boxes_xyxy.round().astype(int)
    shares = [taken[max(y0, 0) : y1, max(x0, 0) : x1].mean() for x0, y0, x1, y1 in boxes if x1 > x0 and y1 > y0]
    return sum(share < TOUCHES for share in shares), float((~taken).sum()) * enlarged / 1e6


if __name__ == "__main__":
    sys.exit(main())
