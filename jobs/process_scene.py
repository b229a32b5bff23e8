"""Finds the people of gigapixel photos: images in, a people table out.

python jobs/process_scene.py photo.jpg --output out/
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence

from pipeline.cli import EXIT_DONE, EXIT_PARTIAL, guarded, parse_config
from pipeline.config import SceneConfig

SHORTCUTS = {
    "model": "model.factory",
    "weights": "model.weights",
    "body": "model.body",
    "body-mismatch": "model.body_mismatch",
    "branch": "model.branch",
    "lr-mode": "model.lr_mode",
    "lr-scale": "model.lr_scale",
    "compat": "model.compat",
    "device": "model.device",
    "score-threshold": "model.score_threshold",
    "actors": "ray.actors",
    "threads": "ray.threads",
    "address": "ray.address",
    "plan": "plan.kind",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the job and returns its exit code.

    Args:
        argv: arguments without the program's name; None takes the process's.
    """
    arguments = sys.argv[1:] if argv is None else argv
    return guarded(lambda: _process(arguments), debug="--debug" in arguments, shortcuts=SHORTCUTS)


def _process(arguments: Sequence[str]) -> int:
    config = parse_config(SceneConfig, arguments, prog="mili process-scene", shortcuts=SHORTCUTS, positional="input")
    logging.basicConfig(level=logging.INFO if config.debug else logging.ERROR, format="%(levelname)s: %(message)s")
    from pipeline.inputs import named_inputs

    named_inputs(config)  # what is misspelt is told at once
    from pipeline.run import plan_scene, process_scene  # after usage errors: it brings torch and ray

    if config.dry_run:
        print("\n".join(plan_scene(config)), flush=True)
        return EXIT_DONE
    summary = process_scene(config)
    print(summary.line(), flush=True)
    return EXIT_PARTIAL if summary.blocks_failed else EXIT_DONE


if __name__ == "__main__":
    sys.exit(main())
