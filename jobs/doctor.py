"""Says what is installed, which device, body and weights there are, what is missing, and the remedy."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from pipeline.cli import EXIT_DONE, EXIT_USAGE, job_parser, run_job
from pipeline.doctor import Finding, examine


def main(argv: Sequence[str] | None = None) -> int:
    """Prints the report; 0 where the shipped model can run, else 2.

    Args:
        argv: arguments without the program's name; None takes the process's.
    """
    parser = job_parser("doctor", __doc__)
    parser.add_argument("--output", type=Path, default=Path(), help="folder whose disk is looked at")
    return run_job(_report, parser, argv)


def _report(options: argparse.Namespace) -> int:
    findings = [*examine(options.output)]
    print(*map(_line, findings), sep="\n")
    broken = sum(finding.broken for finding in findings)
    print(f"process-scene cannot run: {broken} missing" if broken else "process-scene can run")
    return EXIT_USAGE if broken else EXIT_DONE


def _line(finding: Finding) -> str:
    mark = "ok" if finding.remedy is None else "MISSING" if finding.needed else "-"
    remedy = f" -> {finding.remedy}" if finding.remedy else ""
    return f"{mark:8}{finding.topic:23}{finding.state}{remedy}"


if __name__ == "__main__":
    sys.exit(main())
