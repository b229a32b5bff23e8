"""Shows the whole line on a synthetic frame: renders it, finds its people, compares them with the truth."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from mili_core.errors import MiliError
from pipeline.cli import EXIT_DONE, job_parser, output_folder, run_job

LEAST_RECALL = 0.5
LEAST_PRECISION = 0.5
MIN_HEIGHT_PX = 64.0  # at full size one frame px is one network px
MIN_VISIBLE = 0.7


class DemoError(MiliError, RuntimeError):
    """The demo found fewer people, or more ghosts, than the shipped weights must."""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the job and returns its exit code; not 0 when recall or precision is under its floor."""
    parser = job_parser("demo", __doc__)
    parser.add_argument(
        "--output", type=output_folder, default=Path("demo"), help="folder for the scene and the result"
    )
    parser.add_argument("--preset", default="square", help="kind of scene (default: %(default)s)")
    parser.add_argument("--people", type=int, default=150, help="how many stand in the scene (default: %(default)s)")
    parser.add_argument("--size", default="6000x4000", help="WIDTHxHEIGHT in px (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=21, help="of the scene (default: %(default)s)")
    return run_job(_demo, parser, argv)


def _demo(options: argparse.Namespace) -> int:
    from jobs import make_scene, process_scene

    started = time.monotonic()
    scene, out = options.output / "scene", options.output / "out"
    print(f"renders {options.people} people on {options.size} px, then finds them", file=sys.stderr, flush=True)
    frame = ["--preset", options.preset, "--people", str(options.people), "--size", options.size]
    frame += ["--seed", str(options.seed), "--workers", "auto"]
    debug = ["--debug"] if "debug" in options else []
    code = make_scene.main([*frame, "--scene-id", "demo", "--output", str(scene), *debug])
    code = code or process_scene.main([str(scene / "demo.tif"), "--output", str(out), *debug])
    return code or _compare(out, scene / "truth" / "people.parquet", time.monotonic() - started)


def _compare(out: Path, truth_path: Path, seconds: float) -> int:
    from mili_core.evaluation.scene import choose_people, match_scene
    from pipeline.scene_truth import read_found, read_truth

    found, truth = read_found(out), read_truth(truth_path)
    chosen = choose_people(
        truth.boxes_frame, truth.visible_fraction, min_height_px=MIN_HEIGHT_PX, min_visible=MIN_VISIBLE
    )
    figures = match_scene(found.boxes_frame, found.scores, truth.boxes_frame, chosen)
    top = out / "topview.jpg"
    recall, precision = figures.counts.recall, figures.counts.precision
    print(
        f"boxes found: {len(found.scores)}, for {len(truth.boxes_frame)} people in the (synthetic) scene\n"
        f"recall of the {int(chosen.sum())} who are >= {MIN_HEIGHT_PX:.0f} px tall and >= {MIN_VISIBLE:.0%} visible: "
        f"{recall:.2f}; precision of all found: {precision:.2f}\n"
        f"seconds: {seconds:.0f}\n"
        f"table: {out / 'people'}\n"
        f"picture: {out / 'overview.jpg'}\n"
        f"from above: {top if top.is_file() else 'no picture, no ground is trusted; see manifest.json'}"
    )
    if not (recall >= LEAST_RECALL and precision >= LEAST_PRECISION):
        raise DemoError(
            f"recall {recall:.2f} or precision {precision:.2f} is under its floor "
            f"({LEAST_RECALL}, {LEAST_PRECISION}): the installation or the weights are damaged; run mili doctor"
        )
    return EXIT_DONE


if __name__ == "__main__":
    sys.exit(main())
