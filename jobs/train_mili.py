"""Trains MILI on one machine and writes weights.

Weights come out of three runs, each with its own --output (the model card tells which made the shipped ones):
`--stage hr` (all heads on sharp images), `--stage lr --teacher HR_WEIGHTS` (masks and restoration, on twins of low
resolution, guided by the first) and `--stage body --branch lr --initial LR_WEIGHTS --stored 16384 --batch 128` (the
SMPL head alone, on RoIs that are computed once). Render samples ahead with `python -m mili_core.training.shards` and
name them with --shards, or training waits for the renderer.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from pipeline.cli import EXIT_DONE, Parser, job_parser, output_folder, run_job


def parser() -> Parser:
    """Returns the command line."""
    arguments = job_parser("train-mili", __doc__)
    add, path = arguments.add_argument, Path
    add("--photos", type=path, required=True, help='folder: images/, annotations.json (COCO style, "split": "train")')
    add("--squeezed", type=path, help="folder like --photos, of photos squeezed to squares; all is trained on")
    add("--sport", type=path, help="folder of single athletes: images/ and joints.json (LSP's 14 joints each)")
    add("--shards", type=path, help="folder of rendered samples (default: render while training, slowly)")
    add("--renders", type=float, default=0.35, help="share of rendered samples among those with people (%(default)s)")
    add("--no-render-detection", action="store_true", help="rendered samples teach bodies only")
    add("--output", type=output_folder, required=True, help="checkpoint, log and weights; continued if it exists")
    add("--stage", choices=("detection", "hr", "lr", "body"), required=True, help="what is trained: see above")
    add("--branch", choices=("hr", "lr"), help="of the stages detection and body (default: hr)")
    add(
        "--model",
        choices=("mili_lite", "mili_r50"),
        default="mili_lite",
        help="names the defaults of the numbers below",
    )
    add(
        "--initial",
        type=path,
        help="weights to start from (default: the teacher's, or ImageNet's Lite0; mili_r50 needs them)",
    )
    add("--teacher", type=path, help="weights of stage hr, for stage lr")
    add("--body", type=path, help="body model npz (default: the open body)")
    add("--no-mask-network", action="store_true", help="ablation: no masks")
    add("--no-restoration", action="store_true", help="ablation: no restoration network")
    add("--no-contrastive", action="store_true", help="ablation: no contrastive loss")
    add(
        "--tune",
        action="store_true",
        help="with interpenetration and depth-ordering losses, errors of joints squared (slow; meant for a GPU)",
    )
    add("--lr-sizes", choices=("paper", "uniform", "mixed"), default="mixed", help="of low-resolution twins")
    add("--canvas", type=int, nargs=2, metavar=("WIDTH", "HEIGHT"), help="training images, px (416 256; r50: 832 512)")
    add("--steps", type=int, help="(3000; r50: 180000)")
    add("--batch", type=int, help="images a step (8; r50: 6)")
    add("--lr", type=float, help="peak learning rate (6e-4, of which the backbone has half; r50: 1e-5)")
    add("--frozen-stages", type=int, help="of the backbone (0; r50: 1)")
    add("--frozen-attention", action="store_true", help="with frozen stages: trains faster")
    add(
        "--stored",
        type=int,
        default=0,
        help="stage body: keep RoIs of so many samples (disk and memory: 0.3 MB each); --batch counts RoIs",
    )
    add("--warmup", type=int, help="steps until the peak (150; r50: 500)")
    add("--device", default="cpu", help="cpu, cuda[:n] or auto")
    add("--amp", choices=("none", "bf16"), default="none", help="(%(default)s)")
    add("--workers", type=int, default=1, help="processes that prepare samples (%(default)s)")
    add("--threads", type=int, default=0, help="torch threads (0: torch's own choice)")
    add("--seed", type=int, default=0, help="(%(default)s)")
    add("--checkpoint-every", type=int, default=200, help="steps (%(default)s)")
    add("--keep-weights", action="store_true", help="those of every checkpoint, as weights-STEP.safetensors")
    add("--score-threshold", type=float, help="recommended to users (what --initial or --teacher recommends, or .6)")
    return arguments


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the job and returns its exit code."""
    return run_job(_train, parser(), argv)


def _train(options: argparse.Namespace) -> int:
    import torch

    from jobs._train_options import recipe, train_settings, training_data
    from mili_core.api import resolve_device
    from mili_core.training.stages import train_stage
    from pipeline.lock import output_lock

    if options.threads:
        torch.set_num_threads(options.threads)
    what, data, how = recipe(options), training_data(options), train_settings(options)
    device = resolve_device(options.device)
    with output_lock(options.output):
        weights = train_stage(what, data, how, options.output, log=lambda line: print(line, flush=True), device=device)
    print(f"weights: {weights}")
    return EXIT_DONE


if __name__ == "__main__":
    sys.exit(main())
