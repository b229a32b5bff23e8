"""Renders a synthetic frame with exact truth: SCENE/<scene_id>.tif, SCENE/truth/people.parquet, SCENE/scene.json."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from mili_core.errors import ConfigError
from pipeline.cli import EXIT_DONE, guarded


def main(argv: Sequence[str] | None = None) -> int:
    """Gives the exit code: 0 written, 2 unusable arguments.

    Args:
        argv: arguments without the program's name; None takes the process's.
    """
    arguments = sys.argv[1:] if argv is None else argv
    return guarded(lambda: _make(arguments), debug="--debug" in arguments)


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        """Raises ConfigError."""
        raise ConfigError(f"{message}; --help says more")


def _make(argv: Sequence[str]) -> int:
    parser = _Parser(prog="mili make_scene", description=__doc__)
    parser.add_argument("--people", type=int, default=60, help="how many stand in the scene (default 60)")
    parser.add_argument("--size", default="4000x2500", help="WIDTHxHEIGHT in px (default 4000x2500)")
    parser.add_argument("--seed", type=int, default=7, help="equal seeds give equal bytes (default 7)")
    parser.add_argument("--scene-id", default="scene", help="names the files (default scene)")
    parser.add_argument("--body", type=Path, default=None, help="a body .npz; left out, the open body")
    parser.add_argument("--jpeg", action="store_true", help="also write SCENE/<scene_id>.jpg")
    parser.add_argument("--output", type=Path, required=True, help="the folder SCENE")
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    arguments = parser.parse_args(argv)
    width, height = _size(arguments.size)
    from mili_core.body import load_body
    from pipeline.synthetic import SceneRequest, make_scene

    request = SceneRequest(
        people=arguments.people,
        width=width,
        height=height,
        seed=arguments.seed,
        scene_id=arguments.scene_id,
        jpeg=arguments.jpeg,
    )
    files = make_scene(request, load_body(arguments.body), arguments.output)
    print(f"{files.image}: {width}x{height} px, {files.visible_people} people; truth in {files.truth}")
    return EXIT_DONE


def _size(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d{1,9})x(\d{1,9})", text)
    if match is None:
        raise ConfigError(f"size {text!r} is not WIDTHxHEIGHT, for example 4000x2500")
    return int(match[1]), int(match[2])


if __name__ == "__main__":
    sys.exit(main())
