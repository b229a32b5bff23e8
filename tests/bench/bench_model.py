"""Measures one block (832x512) through the model on the CPU: parameters, operations, time, and each stage's share.

python tests/bench/bench_model.py [--config mili_lite|mili_r50|crmh_r50] [--branch lr|hr] [--threads N] [--images N]
    [--people N]

Single precision for crmh_r50, bfloat16 for the others, as the predictor runs them. Operations are multiply-adds of
convolutions and matrix products.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial

import torch
from torch.utils.flop_counter import FlopCounterMode

from mili_core.config import CRMH_R50, MILI_LITE, MILI_R50, Branch
from mili_core.nets import box_head, mask_head
from mili_core.nets.mili import Mili
from mili_core.nets.rpn import propose

CONFIGS = {"mili_lite": MILI_LITE, "mili_r50": MILI_R50, "crmh_r50": CRMH_R50}
REPEATS = 7


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", choices=sorted(CONFIGS), default="mili_lite")
    parser.add_argument("--branch", choices=("lr", "hr"), default="lr")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--images", type=int, default=4)
    parser.add_argument("--people", type=int, default=32, help="RoIs of the mask and SMPL heads, an image")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    model = Mili(CONFIGS[options.config]).eval().to(memory_format=torch.channels_last)
    images = torch.randn(options.images, 3, 512, 832).contiguous(memory_format=torch.channels_last)
    half = options.config != "crmh_r50"
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=half):
        stages = stage_calls(model, images, options.people, options.branch)
        operations = multiply_adds(stages) / options.images
        figures = {name: milliseconds(call) / options.images for name, call in stages.items()}
    total = sum(figures.values())
    for name, value in figures.items():
        print(f"{name:28s} {value:7.1f} ms {value / total:6.1%}")
    print(f"{'whole block':28s} {total:7.1f} ms = {total / figures['backbone + FPN']:.2f} x backbone + FPN")
    print(
        f"{options.config}: {sum(one.numel() for one in model.parameters()) / 1e6:.1f} M parameters, "
        f"{operations / 1e9:.1f} G multiply-adds a block, {1000 / total:.1f} blocks/s"
    )
    return 0


def stage_calls(
    model: Mili, images: torch.Tensor, people: int, branch: Branch = "lr"
) -> dict[str, Callable[[], object]]:
    """Returns a call for each stage, on the real outputs of the stage before it."""
    config, sizes = model.config, [(512, 832)] * len(images)
    levels = model.features(images, branch)
    raw = model.proposals(levels)
    proposals = propose(raw, sizes, config)
    boxes = torch.cat(proposals)
    index = torch.cat([torch.full((len(one),), number) for number, one in enumerate(proposals)])
    some = torch.cat([(index == number).nonzero()[:people, 0] for number in range(len(images))])
    small = model.rois(levels, boxes, index, box_head.SIDE)
    large = model.body_rois(levels, boxes[some], index[some])
    stages: dict[str, Callable[[], object]] = {
        "backbone + FPN": lambda: model.features(images, branch),
        "RPN": lambda: model.proposals(levels),
        "proposals (decode, NMS)": lambda: propose(raw, sizes, config),
        f"RoIAlign 7x7, {len(proposals[0])} boxes": lambda: model.rois(levels, boxes, index, box_head.SIDE),
        "box head": lambda: model.box_head(small),
        f"{config.box_passes - 1} more looks, all boxes": lambda: [
            model.box_head(model.rois(levels, boxes, index, box_head.SIDE)) for _ in range(1, config.box_passes)
        ],
        f"RoIAlign 14x14, {people} boxes": lambda: model.body_rois(levels, boxes[some], index[some]),
        "SMPL head": lambda: model.smpl_head(large, boxes[some]),
    }
    if branch == "lr" and model.mask_head is not None:
        stages["RoIAlign 14x14 of masks"] = lambda: model.rois(levels, boxes[some], index[some], mask_head.SIDE)
        stages["mask head"] = partial(model.mask_head, large)
    return stages


def multiply_adds(stages: dict[str, Callable[[], object]]) -> float:
    with FlopCounterMode(display=False) as counter:
        for call in stages.values():
            call()
    return counter.get_total_flops() / 2


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
