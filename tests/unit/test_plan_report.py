"""The lines of a dry run: the minutes are always a number, and say what they rest on and leave out."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from test_plan_looks import EVERYWHERE, NOBODY, frame, looked, people

from pipeline.config import PlanSettings
from pipeline.ledger import BlockRow
from pipeline.looks import Looks
from pipeline.plan import coarse_plan, uniform_plan
from pipeline.plan_report import LATE_SHARE, USUAL_SECONDS, most_late, plan_lines
from pipeline.planning import GroundPlan, plan_frames, third_look
from pipeline.types import Block

WIDTH, HEIGHT = frame(0).width, frame(0).height


def timed(looks: Looks, seconds: float) -> Looks:
    """The same looks, each block of which took so long."""
    looks.rows = [BlockRow.done(block, seconds=seconds, detections=0) for block in looks.blocks]
    return looks


def ground_plan(looks: Looks) -> GroundPlan:
    (plan,) = plan_frames([frame(0)], [looks], PlanSettings(), EVERYWHERE)
    assert plan is not None
    return plan


def told(looks: Looks, plan: GroundPlan | None, more: tuple[Block, ...], actors: int | None) -> str:
    return "\n".join(plan_lines(frame(0), looks, plan, more, actors))


def test_the_uniform_plan_has_minutes_though_nothing_was_looked_at() -> None:
    blocks = uniform_plan(WIDTH, HEIGHT)
    text = told(replace(looked(NOBODY), blocks=()), None, blocks, None)
    minutes = len(blocks) * USUAL_SECONDS / 60.0
    assert f"0 blocks seen, {len(blocks)} to go, about {minutes:.1f} min at {USUAL_SECONDS:.2f} s a block" in text
    assert "on 1 worker, as the shipped model takes on a CPU; none measured here" in text
    assert "third look" not in text
    assert "unknown" not in text


@pytest.mark.parametrize(("actors", "workers"), [(1, "1 worker"), (4, "4 workers")])
def test_measured_seconds_are_taken_and_shared(actors: int, workers: str) -> None:
    looks = timed(looked(people()), 3.0)
    plan = ground_plan(looks)
    text = told(looks, plan, plan.blocks, actors)
    assert f"about {len(plan.blocks) * 3.0 / actors / 60.0:.1f} min at 3.00 s a block on {workers}\n" in text
    assert "none measured" not in text


def test_the_third_look_is_stated_as_an_allowance() -> None:
    looks = timed(looked(people()), 3.0)
    plan = ground_plan(looks)
    assert plan.follows_ground
    late = most_late(plan)
    assert late == round(LATE_SHARE * len(plan.blocks)) > 0
    minutes = (len(plan.blocks) + late) * 3.0 / 2 / 60.0
    last = told(looks, plan, plan.blocks, 2).splitlines()[-1]
    assert last == f"  not counted there: a third look, at most about {late} blocks, with it {minutes:.1f} min in all"
    everything = looked(people(), (*coarse_plan(WIDTH, HEIGHT), *plan.blocks))
    assert len(third_look(frame(0), plan, everything, PlanSettings(), EVERYWHERE).blocks) <= late


def test_a_plan_that_turned_even_has_no_third_look() -> None:
    looks = timed(looked(NOBODY), 0.5)
    plan = ground_plan(looks)
    assert most_late(plan) == 0
    text = told(looks, plan, plan.blocks, 2)
    assert "third look" not in text
    assert "uniform plan: 0 people" in text


def test_the_usual_seconds_are_those_of_the_readme() -> None:
    """Blocks a second of two workers, as measured and published."""
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    published = re.search(r"blocks/s \(two actors, one thread each\), uniform plan \| ([0-9.]+) \|", readme)
    assert published is not None
    assert pytest.approx(2.0 / float(published[1]), rel=0.25) == USUAL_SECONDS
