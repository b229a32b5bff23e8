"""Converts weights of other programs to this project's safetensors; executes nothing in them.

`crmh`: a CRMH checkpoint, for `Predictor.load(weights=OUTPUT, compat="crmh")`. `resnet50`: a plain ResNet-50 state
dict with torchvision's names, for `mili train-mili --initial OUTPUT`. `score`: weights of this project, which then
recommend --score-threshold; nothing else changes.
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
    parser.add_argument("kind", choices=("crmh", "resnet50", "score"), help="what the source is")
    parser.add_argument("source", type=Path, help="a pickle of torch, or safetensors")
    parser.add_argument("output", type=Path, help="the .safetensors to write")
    parser.add_argument("--score-threshold", type=float, help="least detection score to recommend, 0..1; for score")
    return run_job(_write, parser, argv)


def _write(options: argparse.Namespace) -> int:
    from mili_core.errors import ConfigError

    if (options.kind == "score") != (options.score_threshold is not None):
        raise ConfigError("--score-threshold belongs to `score`, which needs it: score IN OUT --score-threshold 0.4")
    if options.output.exists() and options.source.exists() and options.output.samefile(options.source):
        raise ConfigError(f"{options.output} would replace the file that it is made of; give another name")
    return _rescore(options) if options.kind == "score" else _convert(options)


def _rescore(options: argparse.Namespace) -> int:
    from mili_core.rescored import rescore

    before = rescore(options.source, options.output, options.score_threshold)
    print(f"{options.output}: recommends score {options.score_threshold:g}, {options.source} {before:g}")
    return EXIT_DONE


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
