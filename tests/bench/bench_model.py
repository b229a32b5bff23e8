"""Measures one block (832x512) through the model on the CPU: parameters, operations, time, and each stage's share.

python tests/bench/bench_model.py [--config mili_lite|mili_r50|crmh_r50] [--branch lr|hr] [--threads N] [--images N]
    [--people N] [--proposals N]

Single precision for crmh_r50, bfloat16 for the others, as the predictor runs them. Operations are multiply-adds of
convolutions and matrix products. The model is untrained: all of its boxes are likely people, and get every look. Its
`whole block` is the predictor, pixels in and Detections out: all stages, the last suppression, forward kinematics and
projection among them, at the score that leaves --people an image. It is held to limits (exit code 1): mili_lite 150 ms
and 3 x backbone + FPN, mili_r50 3.5 x.
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from mili_core.api import Predictor
from mili_core.body import NETWORK_HEIGHT, NETWORK_WIDTH, load_body
from mili_core.config import CRMH_R50, MILI_LITE, MILI_R50, Branch
from mili_core.modes import Mode
from mili_core.nets import box_head, mask_head
from mili_core.nets.mili import Mili
from mili_core.nets.rpn import propose
from mili_core.weights import COUNTER, Weights

MOST_MS = {"mili_lite": 150.0}
MOST_BACKBONES = {"mili_lite": 3.0, "mili_r50": 3.5}
CONFIGS = {"mili_lite": MILI_LITE, "mili_r50": MILI_R50, "crmh_r50": CRMH_R50}
REPEATS = 7


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", choices=sorted(CONFIGS), default="mili_lite")
    parser.add_argument("--branch", choices=("lr", "hr"), default="lr")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--images", type=int, default=4)
    parser.add_argument("--people", type=int, default=32, help="RoIs of the mask and SMPL heads, an image")
    parser.add_argument("--proposals", type=int, help="an image (default: the configuration's)")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    config = CONFIGS[options.config]
    config = config if options.proposals is None else replace(config, proposals=options.proposals)
    model = Mili(config).eval().to(memory_format=torch.channels_last)
    images = torch.randn(options.images, 3, 512, 832).contiguous(memory_format=torch.channels_last)
    half = options.config != "crmh_r50"
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=half):
        stages = stage_calls(model, images, options.people, options.branch)
        operations = multiply_adds(stages) / options.images
        figures = {name: milliseconds(call) / options.images for name, call in stages.items()}
    whole, people = whole_block(model, options.images, options.people, options.branch)
    total, backbone = sum(figures.values()), figures["backbone + FPN"]
    print(f"{options.config}: {config.proposals} proposals and {people:g} people an image")
    for name, value in figures.items():
        print(f"{name:28s} {value:7.1f} ms {value / total:6.1%}")
    print(f"{'sum of the stages':28s} {total:7.1f} ms = {total / backbone:.2f} x backbone + FPN")
    print(f"{'whole block':28s} {whole:7.1f} ms = {whole / backbone:.2f} x backbone + FPN")
    print(
        f"{options.config}: {sum(one.numel() for one in model.parameters()) / 1e6:.1f} M parameters, "
        f"{operations / 1e9:.1f} G multiply-adds a block, {1000 / whole:.1f} blocks/s"
    )
    return verdict(options.config, whole, whole / backbone)


def verdict(config: str, whole_ms: float, backbones: float) -> int:
    """Prints the limits of a configuration and returns 1 where one is broken, else 0."""
    most_ms, most_backbones = MOST_MS.get(config, math.inf), MOST_BACKBONES.get(config, math.inf)
    print(f"limits: {most_ms:g} ms and {most_backbones:g} x backbone + FPN")
    return int(whole_ms > most_ms or backbones > most_backbones)


def whole_block(model: Mili, images: int, people: int, branch: Branch) -> tuple[float, float]:
    """Returns milliseconds an image of the predictor, and how many people an image it was with (`people`, or all)."""
    noise = np.random.default_rng(0).integers(0, 256, (images, NETWORK_HEIGHT, NETWORK_WIDTH, 3), dtype=np.uint8)
    scores = np.concatenate([found.scores for found in predictor(model, branch, 0.0).predict(list(noise))])
    least = float(np.sort(scores)[::-1][: people * images][-1])
    measured = predictor(model, branch, least)
    count = sum(len(found.scores) for found in measured.predict(list(noise)))
    return milliseconds(lambda: measured.predict(list(noise))) / images, count / images


def predictor(model: Mili, branch: Branch, score_threshold: float) -> Predictor:
    """Returns the predictor of an untrained model of the open body."""
    body = load_body()
    tensors = {name: value for name, value in model.state_dict().items() if not name.endswith(COUNTER)}
    weights = Weights(model.config, tensors, body.name, body.sha256, score_threshold, "", "{}")
    mode = Mode("hr", compat="crmh") if not model.config.attention else Mode(branch)
    return Predictor(weights, body, torch.device("cpu"), score_threshold=score_threshold, mode=mode)


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
