"""The console script `mili <job-name>`: runs one of the jobs beside this file, which alone is imported."""

from __future__ import annotations

import ast
import difflib
import importlib
import sys
from collections.abc import Sequence
from pathlib import Path

from pipeline.cli import EXIT_DONE, EXIT_USAGE

_NOT_JOBS = frozenset({"main"})


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the job that is named first, dashes or underscores alike, and returns its exit code."""
    arguments = sys.argv[1:] if argv is None else argv
    if not arguments or arguments[0] in {"-h", "--help"}:
        print(_overview())
        return EXIT_DONE if arguments else EXIT_USAGE
    name, names = arguments[0].replace("-", "_"), job_names()
    if name not in names:
        near = difflib.get_close_matches(name, names, n=1)
        hint = f" (did you mean {_dashed(near[0])}?)" if near else ""
        print(f"error: unknown job {arguments[0]!r}{hint}; mili --help lists them all", file=sys.stderr)
        return EXIT_USAGE
    code: int = importlib.import_module(f"jobs.{name}").main(arguments[1:])
    return code


def job_names() -> list[str]:
    """Gives the names of the job modules, in order; what begins with _ helps one of them."""
    return sorted(path.stem for path in Path(__file__).parent.glob("[!_]*.py") if path.stem not in _NOT_JOBS)


def _overview() -> str:
    lines = [f"  {_dashed(name):20} {_first_line(name)}" for name in job_names()]
    return "\n".join(["usage: mili JOB [arguments]; mili JOB --help says more", "", "jobs:", *lines])


def _first_line(name: str) -> str:
    """Gives the first line of a job's docstring without importing it."""
    source = (Path(__file__).parent / f"{name}.py").read_text(encoding="utf-8")
    return (ast.get_docstring(ast.parse(source)) or "").partition("\n")[0]


def _dashed(name: str) -> str:
    return name.replace("_", "-")


if __name__ == "__main__":
    sys.exit(main())
