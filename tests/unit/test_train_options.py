"""mili train-mili: no flag is lost on its way into the settings of a training."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from jobs._train_options import recipe, train_settings, training_data
from jobs.train_mili import parser

NEEDED = ["--photos", "p", "--output", "o", "--stage", "hr"]
OF_THE_JOB = {"help", "debug", "output", "device", "threads"}
FLAGS = [action for action in parser()._actions if action.dest not in {*OF_THE_JOB, "teacher", "stored"}]


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
    return ["64", "32"] if action.nargs == 2 else [str(float(action.default) / 2 if action.type is float else 77)]


@pytest.mark.parametrize("action", FLAGS, ids=lambda action: action.dest)
def test_every_flag_arrives(action: argparse.Action) -> None:
    changed = settings(action.option_strings[0], *another_value(action))
    parts = 2 if action.dest == "model" else 1  # the SMPL head of mili_r50 learns at its own pace
    assert sum(new != old for new, old in zip(changed, settings(), strict=True)) == parts


def test_values_arrive_where_they_belong() -> None:
    arguments = ["--model", "mili_r50", "--lr", "2e-4", "--no-contrastive", "--canvas", "832", "512"]
    what, data, how = settings(*arguments)
    assert what.config.name == "mili_r50"  # type: ignore[attr-defined]
    assert not what.contrastive  # type: ignore[attr-defined]
    assert data.canvas == (832, 512)  # type: ignore[attr-defined]
    assert (how.lr, how.backbone_lr, how.body_lr) == (2e-4, 1e-4, 1e-4)  # type: ignore[attr-defined]
    student, *_ = settings("--stage", "lr", "--teacher", "t")
    assert student.teacher == Path("t")  # type: ignore[attr-defined]
    head, *_ = settings("--stage", "body", "--stored", "99", "--initial", "w")
    assert head.stored == 99  # type: ignore[attr-defined]
