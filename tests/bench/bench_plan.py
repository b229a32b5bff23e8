"""Measures the ground-aware plan on real boxes: how many blocks it takes, and whom they see well.

python tests/bench/bench_plan.py --data DIR [--seeds N] [--by-scene]

DIR holds annotations.json in COCO style with two frames of each scene, whose names share what is before the last "_".
The ground is fitted on one frame and the plan tested on the other, both ways round. Who is found at the first look is
simulated: with probability (network height - 10) / 30, at least 0, at most .95, once for each person, at the largest
height at which a block of the look sees the person whole. A person is seen well who is whole in a block and between
the plan's least height and 460 network px there.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.plan import coarse_plan, uniform_plan
from pipeline.plan.coarse import COARSE_LEVEL
from pipeline.plan.ground_plan import SceneGround, below_horizon, fit_scene, ground_rows, refit_scene, residuals
from pipeline.plan.held import clip_to_frame, held, scales, windows
from pipeline.planning import NEAR_ENOUGH
from pipeline.types import Block, BoolArray, Float64Array

PERSON = 1
MOST_FOUND, UNSEEN_PX, RANGE_PX = 0.95, 10.0, 30.0
TARGETS = {64.0: "<= 70 planned + residual, <= 230 in all, >= 99.0 % (99.8 % perfect)", 128.0: "<= 230 planned"}


@dataclass(frozen=True, slots=True, eq=False)
class RealFrame:
    """Boxes (N, 4) xyxy of the people of a frame, cut at its edges, px."""

    name: str
    width: int
    height: int
    boxes: Float64Array


@dataclass(frozen=True, slots=True)
class Outcome:
    """Blocks by look, how many people, and how many of them are seen well after the second and the third look."""

    rows: int
    residual: int
    late: int
    first: int
    people: int
    well: int
    well_late: int


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--by-scene", action="store_true")
    options = parser.parse_args()
    if not (options.data / "annotations.json").is_file():
        print(f"skipped: no {options.data / 'annotations.json'}")
        return 0
    scenes = read(options.data / "annotations.json")
    frames = [frame for pair in scenes.values() for frame in pair]
    even = [uniform_plan(frame.width, frame.height) for frame in frames]
    print(f"{len(frames)} frames, {sum(len(frame.boxes) for frame in frames)} people")
    for smallest_px, target in TARGETS.items():
        seen = np.concatenate(
            [held(frame.boxes, blocks, smallest_px) for frame, blocks in zip(frames, even, strict=True)]
        )
        print(f"\nT = {smallest_px:.0f}; target: {target}")
        print(f"  uniform: {np.mean([len(blocks) for blocks in even]):.0f} blocks, {seen.mean():.2%} seen well")
        for perfect in (False, True):
            measure(
                scenes, smallest_px, perfect=perfect, seeds=1 if perfect else options.seeds, detail=options.by_scene
            )
    return 0


def read(path: Path) -> dict[str, list[RealFrame]]:
    """Gives the frames of each scene."""
    data = json.loads(path.read_text())
    boxes = defaultdict(list)
    for row in data["annotations"]:
        if row["category_id"] == PERSON:
            x, y, width, height = row["bbox"]
            boxes[row["image_id"]].append((x, y, x + width, y + height))
    scenes: dict[str, list[RealFrame]] = defaultdict(list)
    for image in data["images"]:
        size = image["width"], image["height"]
        people = clip_to_frame(np.array(boxes[image["id"]], dtype=np.float64).reshape(-1, 4), *size)
        people = people[(people[:, 2] > people[:, 0]) & (people[:, 3] > people[:, 1])]
        scenes[image["file_name"].rpartition("_")[0]].append(RealFrame(image["file_name"], *size, people))
    return scenes


def measure(scenes: dict[str, list[RealFrame]], smallest_px: float, *, perfect: bool, seeds: int, detail: bool) -> None:
    """Prints the means over all ordered pairs of frames of a scene."""
    start, outcomes = time.perf_counter(), []
    for number, (name, frames) in enumerate(scenes.items()):
        for fitted, tested in ((0, 1), (1, 0)):
            generators = [np.random.default_rng([seed, number, fitted]) for seed in range(seeds)]
            here = [plan(frames[fitted], frames[tested], smallest_px, None if perfect else rng) for rng in generators]
            outcomes += here
            if detail:
                print(f"    {name} {tested}: {summary(here)}")
    seconds = (time.perf_counter() - start) / len(outcomes)
    print(f"  {'perfect' if perfect else 'simulated'} first look: {summary(outcomes)}; {seconds:.2f} s a frame")


def summary(outcomes: Sequence[Outcome]) -> str:
    """Gives the means in one line."""

    def mean(name: str) -> float:
        return float(np.mean([getattr(each, name) for each in outcomes]))

    planned = mean("rows") + mean("residual")
    return (
        f"{planned:.1f} planned ({mean('rows'):.1f} in rows + {mean('residual'):.1f} residual) + {mean('first'):.1f} "
        f"first = {planned + mean('first'):.1f} passes, {mean('well') / mean('people'):.2%} seen well; third look "
        f"+ {mean('late'):.1f}, {mean('well_late') / mean('people'):.2%}"
    )


def plan(fitted: RealFrame, tested: RealFrame, smallest_px: float, rng: np.random.Generator | None) -> Outcome:
    """Gives what a plan comes to whose ground is that of another frame.

    Args:
        fitted: frame that the ground is fitted on.
        tested: frame that is looked at.
        smallest_px: network px.
        rng: draws who is found; None finds everyone.
    """
    (before, seen), size = first_look(fitted, rng), size_of(tested)
    ground = fit_scene(fitted.boxes[seen], size_of(fitted))
    first, seen = first_look(tested, rng)
    if not ground.fit.lines:
        blocks = uniform_plan(*size)
        well = int(held(tested.boxes, blocks, smallest_px).sum())
        return Outcome(len(blocks) - len(first), 0, 0, len(first), len(seen), well, well)
    rows = [block for row in ground_rows(ground, size, smallest_px, "G", first) for block in row.blocks]
    residual = residuals(tested.boxes[seen], [*first, *rows], size, smallest_px, "P")
    before = [*first, *rows, *residual]
    seen |= found(tested, before, rng)
    late = third_look(tested, ground, seen, before, smallest_px)
    return Outcome(
        len(rows),
        len(residual),
        len(late),
        len(first),
        len(seen),
        int(held(tested.boxes, before, smallest_px).sum()),
        int(held(tested.boxes, [*before, *late], smallest_px).sum()),
    )


def third_look(
    tested: RealFrame, ground: SceneGround, seen: BoolArray, before: list[Block], smallest_px: float
) -> list[Block]:
    """Gives the blocks of the refit and around whoever was found by then."""
    size, boxes = size_of(tested), tested.boxes[seen]
    rows: list[Block] = []
    again = refit_scene(ground, boxes, size)
    if again:
        rows = [block for row in ground_rows(again, size, smallest_px, "H", before) for block in row.blocks]
    return [*rows, *residuals(boxes, [*before, *rows], size, smallest_px, "Q", near_enough=NEAR_ENOUGH)]


def size_of(frame: RealFrame) -> tuple[int, int]:
    return frame.width, frame.height


def first_look(frame: RealFrame, rng: np.random.Generator | None) -> tuple[list[Block], BoolArray]:
    """Gives the blocks of the first looks and who was found there."""
    blocks = coarse_plan(*size_of(frame))
    coarsest = [block for block in blocks if block.level > COARSE_LEVEL]
    seen = found(frame, coarsest, rng)
    ground = fit_scene(frame.boxes[seen], size_of(frame))
    closer = below_horizon([b for b in blocks if b.level == COARSE_LEVEL], ground, frame.boxes[seen])
    return [*coarsest, *closer], seen | found(frame, [*coarsest, *closer], rng)


def found(frame: RealFrame, blocks: Sequence[Block], rng: np.random.Generator | None) -> BoolArray:
    """Says who is found, by the largest height at which a block sees the person whole."""
    if rng is None:
        return np.ones(len(frame.boxes), dtype=np.bool_)
    scale, window, boxes = scales(blocks), windows(blocks), frame.boxes[:, None]
    whole = (boxes[..., :2] >= window[:, :2] - 1e-6).all(axis=2) & (boxes[..., 2:] <= window[:, 2:] + 1e-6).all(axis=2)
    tallest = np.where(whole, (boxes[..., 3] - boxes[..., 1]) * scale, 0.0).max(axis=1)
    chance = np.clip((tallest - UNSEEN_PX) / RANGE_PX, 0.0, MOST_FOUND)
    return np.asarray(rng.random(len(chance)) < chance, dtype=np.bool_)


if __name__ == "__main__":
    sys.exit(main())
