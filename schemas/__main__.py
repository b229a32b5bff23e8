"""Writes the JSON Schemas: python -m schemas."""

from __future__ import annotations

import sys

from schemas.generate import write

if __name__ == "__main__":
    for path in write():
        sys.stdout.write(f"{path}\n")
