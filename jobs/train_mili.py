"""Trains MILI on one machine and writes weights.

Three stages make the shipped weights, each continuing the one before with `--initial FILE`: `--stage detection`
(boxes and masks), `--stage full` (these and the SMPL head, on keypoints and on rendered people), `--stage body` (the
SMPL head alone).
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
    add = arguments.add_argument
    add("--photos", type=Path, required=True, help="folder with annotations.json (COCO style) and images/")
    add("--squeezed", type=Path, help="folder of square-squeezed photos with boxes")
    add("--sport", type=Path, help="folder of single athletes with 14 joints")
    add(
        "--output",
        type=output_folder,
        required=True,
        help="folder for checkpoint, log and weights; continued if it exists",
    )
    add("--stage", choices=("detection", "full", "body"), default="full")
    add("--initial", type=Path, help="weights to start from (default: ImageNet backbone)")
    add("--body", type=Path, help="body model npz (default: the open body)")
    add("--renders", type=float, default=0.18, help="share of rendered samples (not in the detection stage)")
    add("--steps", type=int, default=3000)
    add("--batch", type=int, default=8)
    add("--lr", type=float, default=6e-4)
    add("--workers", type=int, default=1)
    add("--threads", type=int, default=0, help="torch threads (0: torch's own choice)")
    add("--seed", type=int, default=0)
    add("--score-threshold", type=float, default=0.6, help="recommended to users, stored in the weights")
    return arguments


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the job and returns its exit code."""
    return run_job(_train, parser(), argv)


def _train(options: argparse.Namespace) -> int:
    import torch

    from mili_core.config import MILI_LITE
    from mili_core.training import stages
    from mili_core.training.loop import TrainSettings

    if options.threads:
        torch.set_num_threads(options.threads)
    settings = TrainSettings(
        steps=options.steps,
        batch=options.batch,
        lr=options.lr,
        backbone_lr=options.lr / 2,
        seed=options.seed,
        workers=options.workers,
    )
    data = stages.TrainingData(options.photos, options.squeezed, options.sport, options.renders)
    weights = stages.train_stage(
        options.stage,
        MILI_LITE,
        data,
        settings,
        options.output,
        initial=options.initial,
        body=options.body,
        score_threshold=options.score_threshold,
        log=lambda line: print(line, flush=True),
    )
    print(f"weights: {weights}")
    return EXIT_DONE


if __name__ == "__main__":
    sys.exit(main())
