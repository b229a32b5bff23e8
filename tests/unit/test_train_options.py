"""mili train-mili: no flag is lost on its way into the settings of a training."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from jobs._train_options import recipe, train_settings, training_data
from jobs.train_mili import parser
from mili_core.errors import ConfigError
from mili_core.losses.settings import CRMH_WEIGHTS

NEEDED = ["--photos", "p", "--output", "o", "--stage", "hr"]
OF_THE_JOB = {"help", "debug", "output", "device", "threads"}
FLAGS = [action for action in parser()._actions if action.dest not in {*OF_THE_JOB, "teacher", "stored"}]


OF_STAGE = {"branch": ["--stage", "body"], "no_contrastive": ["--stage", "lr", "--teacher", "t"]}  # not of hr


def settings(*arguments: str) -> tuple[object, ...]:
    options = parser().parse_args([*NEEDED, *arguments])
    return recipe(options), training_data(options), train_settings(options)


def another_value(action: argparse.Action) -> list[str]:
    """Gives values of a flag that are not its default."""
    if action.nargs == 0:
        return []
    if action.choices is not None:
        return [str(next(each for each in action.choices if each not in {action.default, "hr"}))]
    if action.type is Path:
        return ["elsewhere"]
    if action.nargs == 2:
        return ["64", "32"]
    return ["0.25"] if action.type is float else ["77"]


@pytest.mark.parametrize("action", FLAGS, ids=lambda action: action.dest)
def test_every_flag_arrives(action: argparse.Action) -> None:
    stage = OF_STAGE.get(action.dest, [])
    changed = settings(*stage, action.option_strings[0], *another_value(action))
    parts = 3 if action.dest == "model" else 1  # of mili_r50 canvas, batch and pace are others, too
    assert sum(new != old for new, old in zip(changed, settings(*stage), strict=True)) == parts


def test_values_arrive_where_they_belong() -> None:
    arguments = ["--model", "mili_r50", "--lr", "2e-4", "--tune", "--canvas", "416", "256"]
    what, data, how = settings(*arguments)
    assert what.config.name == "mili_r50"  # type: ignore[attr-defined]
    assert what.losses.penalty == "mse"  # type: ignore[attr-defined]
    assert data.canvas == (416, 256)  # type: ignore[attr-defined]
    assert (how.lr, how.backbone_lr, how.body_lr) == (2e-4, 2e-4, 2e-4)  # type: ignore[attr-defined]
    student, *_ = settings("--stage", "lr", "--teacher", "t")
    assert student.teacher == Path("t")  # type: ignore[attr-defined]
    head, *_ = settings("--stage", "body", "--stored", "99", "--initial", "w")
    assert head.stored == 99  # type: ignore[attr-defined]


def test_the_papers_model_has_the_papers_numbers_by_default() -> None:
    what, data, how = settings("--model", "mili_r50")
    assert (what.sampling.rois, what.sampling.body_rois) == (512, 128)  # type: ignore[attr-defined]
    assert what.losses.weights == CRMH_WEIGHTS  # type: ignore[attr-defined]
    assert data.canvas == (832, 512)  # type: ignore[attr-defined]
    assert (how.batch, how.lr, how.backbone_lr) == (6, 1e-5, 1e-5)  # type: ignore[attr-defined]
    assert (how.warmup, how.frozen_stages, how.clip_norm) == (500, 1, 35.0)  # type: ignore[attr-defined]
    small, canvas, pace = settings()
    assert (small.sampling.rois, canvas.canvas, pace.batch) == (64, (416, 256), 8)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--branch", "lr"], "stage hr trains its own branch"),
        (["--no-contrastive"], "stage hr has no contrastive loss"),
        (["--stage", "detection", "--tune"], "trains no bodies"),
        (["--stage", "lr"], "needs --teacher"),
        (["--teacher", "t"], "has no teacher"),
        (["--score-threshold", "7"], "--score-threshold 7.0 is not possible"),
        (["--score-threshold", "nan"], "--score-threshold nan is not possible"),
        (["--canvas", "0", "0"], "multiples of 32"),
        (["--canvas", "410", "256"], "canvas 410x256"),
        (["--renders", "1"], "share of renders"),
        (["--lr", "nan"], "training setting lr is nan"),
        (["--steps", "0"], "training setting steps is 0"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_read(arguments: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        settings(*arguments)
