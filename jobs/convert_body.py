"""Converts an SMPL file of your own (.pkl or .npz) to the .npz that --body takes; executes nothing in it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from pipeline.cli import EXIT_DONE, job_parser, run_job


def main(argv: Sequence[str] | None = None) -> int:
    """Gives the exit code: 0 written, 2 unusable input.

    Args:
        argv: arguments without the program's name; None takes the process's.
    """
    parser = job_parser("convert-body", __doc__)
    parser.add_argument("source", type=Path, help="SMPL_NEUTRAL.pkl, basicmodel_neutral_lbs_*.pkl or an SMPL .npz")
    parser.add_argument("output", type=Path, help="the .npz to write")
    return run_job(_convert, parser, argv)


def _convert(options: argparse.Namespace) -> int:
    from mili_core.body.convert import convert_body

    body = convert_body(options.source, options.output)
    landmarks = "with" if body.vertex_ids is not None else "WITHOUT"
    print(f"{options.output}: {body.vertex_count} vertices, {landmarks} face landmarks, sha256 {body.sha256}")
    return EXIT_DONE


if __name__ == "__main__":
    sys.exit(main())
