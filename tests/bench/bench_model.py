"""Measures one block (832x512) through the model on the CPU, and the share of each stage.

python tests/bench/bench_model.py [--threads N] [--images N] [--people N]
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable

import torch

from mili_core.config import MILI_LITE
from mili_core.nets import box_head, smpl_head
from mili_core.nets.mili import Mili
from mili_core.nets.rpn import propose

REPEATS = 7


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--images", type=int, default=4)
    parser.add_argument("--people", type=int, default=32, help="RoIs of the mask and SMPL heads, an image")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    model = Mili(MILI_LITE).eval().to(memory_format=torch.channels_last)
    images = torch.randn(options.images, 3, 512, 832).contiguous(memory_format=torch.channels_last)
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        stages = stage_calls(model, images, options.people)
        figures = {name: milliseconds(call) / options.images for name, call in stages.items()}
    total = sum(figures.values())
    for name, value in figures.items():
        print(f"{name:28s} {value:7.1f} ms {value / total:6.1%}")
    print(f"{'whole block':28s} {total:7.1f} ms = {total / figures['backbone + FPN']:.2f} x backbone + FPN")
    return 0


def stage_calls(model: Mili, images: torch.Tensor, people: int) -> dict[str, Callable[[], object]]:
    """Returns a call for each stage, on the real outputs of the stage before it."""
    config, sizes = model.config, [(512, 832)] * len(images)
    levels = model.features(images)
    raw = model.proposals(levels)
    proposals = propose(raw, sizes, config)
    boxes = torch.cat(proposals)
    index = torch.cat([torch.full((len(one),), number) for number, one in enumerate(proposals)])
    some = torch.cat([(index == number).nonzero()[:people, 0] for number in range(len(images))])
    small = model.rois(levels, boxes, index, box_head.SIDE)
    large = model.rois(levels, boxes[some], index[some], smpl_head.SIDE)
    return {
        "backbone + FPN": lambda: model.features(images),
        "RPN": lambda: model.proposals(levels),
        "proposals (decode, NMS)": lambda: propose(raw, sizes, config),
        f"RoIAlign 7x7, {len(proposals[0])} boxes": lambda: model.rois(levels, boxes, index, box_head.SIDE),
        "box head": lambda: model.box_head(small),
        f"RoIAlign 14x14, {people} boxes": lambda: model.rois(levels, boxes[some], index[some], smpl_head.SIDE),
        "mask head": lambda: model.mask_head(large),
        "SMPL head": lambda: model.smpl_head(large),
    }


def milliseconds(call: Callable[[], object]) -> float:
    call()
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return statistics.median(times) * 1000


if __name__ == "__main__":
    sys.exit(main())
