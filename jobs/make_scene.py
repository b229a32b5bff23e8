"""Renders a synthetic frame with exact truth: SCENE/<scene_id>.tif, SCENE/truth/people.parquet, SCENE/scene.json."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from mili_core.errors import ConfigError
from pipeline.cli import EXIT_DONE, job_parser, output_folder, run_job


def main(argv: Sequence[str] | None = None) -> int:
    """Gives the exit code: 0 written, 2 unusable options.

    Args:
        argv: arguments without the program's name; None takes the process's.
    """
    parser = job_parser("make-scene", __doc__)
    parser.add_argument("--people", type=int, default=60, help="how many stand in the scene (default 60)")
    parser.add_argument("--size", default="4000x2500", help="WIDTHxHEIGHT in px (default 4000x2500)")
    parser.add_argument("--seed", type=int, default=7, help="equal seeds give equal bytes (default 7)")
    parser.add_argument("--scene-id", default="scene", help="names the files (default scene)")
    parser.add_argument("--body", type=Path, default=None, help="a body .npz; left out, the open body")
    parser.add_argument("--jpeg", action="store_true", help="also write SCENE/<scene_id>.jpg")
    parser.add_argument("--output", type=output_folder, required=True, help="the folder SCENE")
    return run_job(_make, parser, argv)


def _make(options: argparse.Namespace) -> int:
    width, height = _size(options.size)
    from mili_core.body import load_body
    from pipeline.synthetic import SceneRequest, make_scene

    request = SceneRequest(
        people=options.people,
        width=width,
        height=height,
        seed=options.seed,
        scene_id=options.scene_id,
        jpeg=options.jpeg,
    )
    files = make_scene(request, load_body(options.body), options.output)
    print(f"{files.image}: {width}x{height} px, {files.visible_people} people; truth in {files.truth}")
    return EXIT_DONE


def _size(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d{1,9})x(\d{1,9})", text)
    if match is None:
        raise ConfigError(f"size {text!r} is not WIDTHxHEIGHT, for example 4000x2500")
    return int(match[1]), int(match[2])


if __name__ == "__main__":
    sys.exit(main())
