"""What a bench says when it is given nothing to measure."""

from __future__ import annotations

import sys


def needed(present: object, what: str) -> None:
    """Ends the bench with one line and exit code 2 where `present` is empty or false; `what` names the place."""
    if not present:
        print(f"error: {what}", file=sys.stderr)
        sys.exit(2)
