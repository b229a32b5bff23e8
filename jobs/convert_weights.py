"""Converts weights of other programs to this project's safetensors; executes nothing in them.

`crmh`: a CRMH checkpoint, for `Predictor.load(weights=OUTPUT, compat="crmh")`. `resnet50`: a plain ResNet-50 state
dict with torchvision's names, for `mili train-mili --initial OUTPUT`.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from pipeline.cli import EXIT_DONE, job_parser, run_job


def main(argv: Sequence[str] | None = None) -> int:
    """Gives the exit code: 0 written, 2 unusable input.

    Args:
        argv: arguments without the program's name; None takes the process's.
    """
    parser = job_parser("convert-weights", __doc__)
    parser.add_argument("kind", choices=("crmh", "resnet50"), help="what the checkpoint is")
    parser.add_argument("source", type=Path, help="the checkpoint: a pickle of torch, or safetensors")
    parser.add_argument("output", type=Path, help="the .safetensors to write")
    return run_job(_convert, parser, argv)


def _convert(options: argparse.Namespace) -> int:
    from mili_core.compat.crmh import convert_crmh
    from mili_core.compat.resnet50 import convert_resnet50

    convert = {"crmh": convert_crmh, "resnet50": convert_resnet50}[options.kind]
    done = convert(options.source, options.output)
    print(f"{options.output}: {done.written} tensors, of {done.read} that are needed")
    for prefix, count in Counter(_prefix(name) for name in done.ignored).items():
        print(f"ignored: {count} tensors {prefix}*")
    for section in done.sections:
        print(f"ignored: section {section!r}")
    return EXIT_DONE


def _prefix(name: str) -> str:
    """Gives a name up to its last dot."""
    return name[: name.rfind(".") + 1]


if __name__ == "__main__":
    sys.exit(main())
