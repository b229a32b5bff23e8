"""Converts an SMPL file of your own (.pkl or .npz) to the .npz that --body takes; executes nothing in it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from mili_core.errors import MiliError


def main(argv: Sequence[str] | None = None) -> int:
    """Gives the exit code: 0 written, 2 unusable input.

    Args:
        argv: arguments without the program's name; None takes the process's.
    """
    parser = argparse.ArgumentParser(prog="mili convert_body", description=__doc__)
    parser.add_argument("source", type=Path, help="SMPL_NEUTRAL.pkl, basicmodel_neutral_lbs_*.pkl or an SMPL .npz")
    parser.add_argument("output", type=Path, help="the .npz to write")
    arguments = parser.parse_args(argv)
    from mili_core.body.convert import convert_body

    try:
        body = convert_body(arguments.source, arguments.output)
    except (MiliError, OSError) as error:
        print(f"convert_body: {error}", file=sys.stderr)
        return 2
    landmarks = "with" if body.vertex_ids is not None else "WITHOUT"
    print(f"{arguments.output}: {body.vertex_count} vertices, {landmarks} face landmarks, sha256 {body.sha256}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
