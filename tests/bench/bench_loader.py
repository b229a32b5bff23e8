"""Milliseconds that one training sample costs: decode, augment, pack.

python tests/bench/bench_loader.py --data DIR   (DIR holds photos/ and, if there, photos_squeezed/ and sport_poses/)
"""

import argparse
import sys
import time
from pathlib import Path

import cv2

from mili_core.datasets import AugmentSettings, CocoPhotos, MixtureSource, SportPoses, SqueezedPhotos, TrainingMixture


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--data", type=Path, required=True)
    arguments.add_argument("--samples", type=int, default=300)
    options = arguments.parse_args()
    if not (options.data / "photos" / "annotations.json").is_file():
        print(f"skipped: {options.data} holds no photos/annotations.json")
        return 0
    cv2.setNumThreads(1)
    photos = CocoPhotos(options.data / "photos", "train")
    held = photos.preload()
    sources = [MixtureSource("photos", photos, 0.6, negatives=True)]
    if (options.data / "photos_squeezed").is_dir():
        sources.append(MixtureSource("squeezed", SqueezedPhotos(options.data / "photos_squeezed"), 0.3, negatives=True))
    if (options.data / "sport_poses").is_dir():
        sources.append(MixtureSource("sport", SportPoses(options.data / "sport_poses"), 0.1))
    print(f"photos {len(photos)}, {held / 1e6:.0f} MB of encoded bytes held")
    for width, height in ((416, 256), (832, 512)):
        mixture = TrainingMixture(sources, AugmentSettings(width=width, height=height), 0)
        people = 0
        wall, processor = time.perf_counter(), time.process_time()
        for index in range(options.samples):
            people += len(mixture[index].boxes_xyxy)
        wall, processor = time.perf_counter() - wall, time.process_time() - processor
        share = 1000 / options.samples
        print(
            f"{width}x{height}: {processor * share:.1f} ms CPU, {wall * share:.1f} ms wall a sample on one core, "
            f"{people / options.samples:.1f} people a sample"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
