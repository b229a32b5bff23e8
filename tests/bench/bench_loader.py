"""Measures how fast training gets its batches: images/s of the shipped mixture, for several numbers of processes.

python tests/bench/bench_loader.py --photos DIR [--squeezed DIR] [--sport DIR] [--shards DIR] [--renders SHARE]
    [--stage hr|lr] [--canvas WIDTH HEIGHT] [--batch N] [--batches N] [--workers 0 1 2]

The flags mean what they mean to train-mili; samples are read, drawn, augmented, in stage lr made into low-resolution
twins, and collated. The first batches (one, and as many as the processes fetch ahead) are taken before the clock
starts, so that the start of the processes is not in the figure; all rows are of the same images.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import torch
from inputs import measured, needed

from mili_core.body import load_body
from mili_core.training.batch import Batch
from mili_core.training.checkpoint import TrainSettings
from mili_core.training.loader import SampleStream, batches
from mili_core.training.sources import CANVAS, RENDERS, TrainingData, all_sources, stream, with_renders

READY = 4  # batches that the loader fetches ahead, a process


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--photos", type=Path, required=True, help="folder with annotations.json (COCO style) and images/")
    add("--squeezed", type=Path, help="folder of square-squeezed photos with boxes")
    add("--sport", type=Path, help="folder of single athletes with 14 joints")
    add("--shards", type=Path, help="folder of rendered samples (default: render, slowly)")
    add("--renders", type=float, default=RENDERS, help="share of rendered samples among those with people")
    add("--stage", choices=("hr", "lr"), default="lr")
    add("--canvas", type=int, nargs=2, default=CANVAS, metavar=("WIDTH", "HEIGHT"), help="training images, px")
    add("--batch", type=int, default=8)
    add("--batches", type=int, default=40, help="how many are timed")
    add("--workers", type=int, nargs="+", default=[0, 1, 2], help="processes")
    return measured(measure, parser)


def measure(options: argparse.Namespace) -> int:
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    width, height = options.canvas
    data = TrainingData(
        photos=options.photos,
        squeezed=options.squeezed,
        sport=options.sport,
        renders=options.renders,
        shards=options.shards,
        canvas=(width, height),
    )
    photos = all_sources(data)
    for source in photos:
        needed(len(source.source), f"no photos of the train split for --{source.name}")
    sources = with_renders(photos, data, load_body())
    total = sum(source.weight for source in sources)
    print("people from " + ", ".join(f"{source.name} {source.weight / total:.0%}" for source in sources))
    print(f"stage {options.stage}, canvas {width}x{height}, {options.batches} batches of {options.batch}")
    ahead = 1 + READY * max(options.workers)
    samples = stream(sources, data, 0, twins=options.stage == "lr")
    for workers in options.workers:
        seconds, people = timed(samples, options.batch, options.batches, workers, ahead)
        images = options.batch * options.batches
        print(f"{workers} processes: {images / seconds:.1f} images/s, {people / images:.1f} people an image")
    return 0


def timed(samples: SampleStream, batch: int, count: int, workers: int, ahead: int) -> tuple[float, int]:
    """Returns the seconds that `count` batches took after the first `ahead`, and how many people were in them."""
    settings = TrainSettings(steps=ahead + count, batch=batch, workers=workers)
    remaining = batches(samples, settings, torch.device("cpu"), first=0)
    people_of(remaining, ahead)
    start = time.perf_counter()
    people = people_of(remaining, count)
    return time.perf_counter() - start, people


def people_of(remaining: Iterator[Batch], count: int) -> int:
    """Takes batches and returns how many people are in them."""
    return sum(len(target.boxes) for _ in range(count) for target in next(remaining).targets)


if __name__ == "__main__":
    sys.exit(main())
