"""Renders a synthetic frame with exact truth: SCENE/<scene_id>.tif, SCENE/truth/, SCENE/scene.json."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from mili_core.errors import ConfigError
from pipeline.cli import EXIT_DONE, job_parser, output_folder, run_job

# Unlike other jobs, this one keeps nothing to go on with.
AGAIN = "run the same command again to make the scene from the start"


def main(argv: Sequence[str] | None = None) -> int:
    """Gives the exit code: 0 written, 2 unusable options, 130 interrupted, 143 terminated.

    Args:
        argv: arguments without the program's name; None takes the process's.
    """
    parser = job_parser("make-scene", __doc__)
    parser.add_argument("--preset", default="square", help="street, square, station, sports or panda (default square)")
    parser.add_argument("--people", type=int, default=None, help="how many stand in the scene (default: the preset's)")
    parser.add_argument("--size", default=None, help="WIDTHxHEIGHT in px (default: the preset's)")
    parser.add_argument("--seed", type=int, default=7, help="equal seeds give equal bytes (default 7)")
    parser.add_argument("--scene-id", default="scene", help="names the files (default scene)")
    parser.add_argument("--backdrops", type=Path, default=None, help="folder of photos to stand in for the world")
    parser.add_argument("--clips", type=Path, default=None, help="folder of motion clips (.bvh, .npz) for poses")
    parser.add_argument("--body", type=Path, default=None, help="a body .npz; left out, the open body")
    parser.add_argument("--workers", default="0", help="processes that render: 0 = this one (default), a number, auto")
    parser.add_argument("--jpeg", action="store_true", help="also write SCENE/<scene_id>.jpg")
    parser.add_argument("--stats", action="store_true", help="also print seconds and memory, as a line of JSON")
    parser.add_argument("--output", type=output_folder, required=True, help="the folder SCENE")
    return run_job(_make, parser, argv, advice=AGAIN)


def _make(options: argparse.Namespace) -> int:
    size = _size(options.size)
    from mili_core.body import load_body
    from pipeline.synthetic import SceneRequest, make_scene, preset_named

    preset = preset_named(options.preset)
    request = SceneRequest(
        people=preset.people if options.people is None else options.people,
        width=size[0] if size else preset.width,
        height=size[1] if size else preset.height,
        seed=options.seed,
        scene_id=options.scene_id,
        jpeg=options.jpeg,
        preset=preset.name,
        backdrops=options.backdrops,
        clips=options.clips,
        workers=_workers(options.workers),
    )
    files = make_scene(request, load_body(options.body), options.output)
    print(f"{files.image}: {request.width}x{request.height} px, {files.visible_people} people; truth in {files.truth}")
    if options.stats:
        print(json.dumps(files.stats()))
    return EXIT_DONE


def _size(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    match = re.fullmatch(r"(\d{1,9})x(\d{1,9})", text)
    if match is None:
        raise ConfigError(f"size {text!r} is not WIDTHxHEIGHT, for example 4000x2500")
    return int(match[1]), int(match[2])


def _workers(text: str) -> int | None:
    """Gives the number of workers, None for "auto"."""
    if text != "auto" and not re.fullmatch(r"\d{1,4}", text):
        raise ConfigError(f"workers {text!r} is neither a number nor auto")
    return None if text == "auto" else int(text)


if __name__ == "__main__":
    sys.exit(main())
