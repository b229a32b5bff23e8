"""What a bench says when it is given nothing to measure, or what cannot be."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

from mili_core.errors import MiliError


def needed(present: object, what: str) -> None:
    """Ends the bench with one line and exit code 2 where `present` is empty or false; `what` names the place."""
    if not present:
        print(f"error: {what}", file=sys.stderr)
        sys.exit(2)


def measured(measure: Callable[[argparse.Namespace], int], parser: argparse.ArgumentParser) -> int:
    """Measures what the command line asks for; an error of the product's is one line and exit code 2."""
    try:
        return measure(parser.parse_args())
    except MiliError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
