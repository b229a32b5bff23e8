"""Measures a model on labelled photos, or a finished run on a scene whose people are known."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

from pipeline.cli import EXIT_DONE, Parser, add_debug, job_parser, run_job
from pipeline.model_flags import add_model_flags, model_settings

USUAL_SCORE = 0.5  # of a model that recommends none
LEAST_SCORE = 0.05  # average precision needs the doubtful detections too; CRMH evaluates with this floor


def parser() -> Parser:
    """Returns the command line."""
    arguments = job_parser("evaluate-mili", __doc__)
    kinds = arguments.add_subparsers(dest="kind", required=True)
    photos = kinds.add_parser("photos", help="run a model on labelled photos")
    add = photos.add_argument
    add("--data", type=Path, required=True, help="folder with annotations.json (COCO style) and images/")
    add("--split", help="only images with this split (default: all)")
    add_model_flags(photos)
    add("--limit", type=int, help="only the first so many of the photos with complete boxes")
    add("--score", type=float, help="for recall and precision (default: what the weights recommend, or .5)")
    scene = kinds.add_parser("scene", help="compare a finished run with the truth of its scene")
    scene.add_argument("--people", type=Path, required=True, help="output folder of a run, or a people file in it")
    scene.add_argument("--truth", type=Path, required=True, help="truth.json, truth/people.parquet or their folder")
    scene.add_argument("--photos-annotations", type=Path, help="recall only over people from its val photos")
    scene.add_argument("--min-height", type=float, default=64.0, help="frame px, for recall (default: %(default)s)")
    scene.add_argument("--min-visible", type=float, default=0.7, help="share, for recall (default: %(default)s)")
    for kind in (photos, scene):
        kind.add_argument("--json", action="store_true", help="print one JSON object instead of tables")
        add_debug(kind)
    return arguments


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the job and returns its exit code."""
    return run_job(_evaluate, parser(), argv)


def _evaluate(options: argparse.Namespace) -> int:
    print(*(_photos(options) if options.kind == "photos" else _scene(options)), sep="\n")
    return EXIT_DONE


def _photos(options: argparse.Namespace) -> list[str]:
    from mili_core.errors import ConfigError
    from mili_core.evaluation.labelled import LabelledPhotos
    from mili_core.evaluation.photos import evaluate_photos
    from mili_core.evaluation.report import photo_lines, to_json
    from pipeline.model import load_model

    if options.limit is not None and options.limit < 1:
        raise ConfigError(f"--limit is {options.limit}; give at least 1")
    photos = LabelledPhotos(options.data, options.split)
    judged = range(len(photos))[: options.limit]
    predictor = load_model(model_settings(options, score_threshold=LEAST_SCORE), options.device)
    score = getattr(predictor, "recommended_score", USUAL_SCORE) if options.score is None else options.score
    figures = evaluate_photos(
        predictor,
        (photos[index] for index in judged),
        score,
        masks=find_spec("pycocotools") is not None,
        keypoints_complete=[photos.keypoints_complete_at(index) for index in judged],
    )
    figures = replace(figures, left_out=photos.left_out)
    return [to_json(figures)] if options.json else photo_lines(figures)


def _scene(options: argparse.Namespace) -> list[str]:
    from mili_core.evaluation.report import scene_lines, to_json
    from mili_core.evaluation.scene import choose_people, match_scene
    from pipeline.scene_truth import read_found, read_truth

    found = read_found(options.people)
    truth = read_truth(options.truth, options.photos_annotations)
    if found.frame is not None and truth.frame not in {None, found.frame}:
        names = [f"scene {scene!r}, frame {number}" for scene, number in (found.frame, truth.frame)]
        print(f"warning: the run is of {names[0]}, the truth of {names[1]}", file=sys.stderr)
    limits = {"min_height_px": options.min_height, "min_visible": options.min_visible}
    chosen = choose_people(truth.boxes_frame, truth.visible_fraction, **limits) & truth.held_out
    figures = match_scene(found.boxes_frame, found.scores, truth.boxes_frame, chosen)
    return [to_json(figures)] if options.json else scene_lines(figures)


if __name__ == "__main__":
    sys.exit(main())
