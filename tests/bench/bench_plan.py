"""Measures the ground-aware plan on real boxes: how many blocks it takes, and whom they see well.

python tests/bench/bench_plan.py --data DIR [--seeds N] [--by-scene]

DIR holds annotations.json in COCO style with two frames of each scene, whose names share what is before the last "_".
The ground is fitted on one frame and the plan tested on the other, both ways round; the looks are planned by the
functions that a run plans them with. Who is found is simulated: with probability (network height - 10) / 30, at least
0, at most .95, of the largest height at which a block sees the person whole, from one number drawn for each person.
A person is seen well who is whole in a block and between the plan's least height and 460 network px there.
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
from typing import NoReturn

import numpy as np
from inputs import needed

from pipeline.config import PlanSettings
from pipeline.looks import Looks
from pipeline.plan import uniform_plan
from pipeline.plan.held import clip_to_frame, held, scales, windows
from pipeline.planning import closer_look, first_look, fitted_ground, people_found, second_look, third_look
from pipeline.regions import Regions
from pipeline.types import Block, Float64Array, FrameRef, Int64Array, SceneDetections

PERSON = 1
EVERYWHERE = Regions(None, None)
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
    """Blocks by look, how many people, and how many of them are seen well after the second and the third look.

    `rest` counts blocks of the uniform plan, taken where rows would not serve.
    """

    rows: int
    residual: int
    rest: int
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
    needed((options.data / "annotations.json").is_file(), f"no annotations.json in {options.data}")
    scenes = read(options.data / "annotations.json")
    needed(scenes, f"no frames in {options.data / 'annotations.json'}")
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

    planned = mean("rows") + mean("residual") + mean("rest")
    worst = max(each.rows + each.residual + each.rest for each in outcomes)
    return (
        f"{planned:.1f} planned ({mean('rows'):.1f} in rows + {mean('residual'):.1f} residual + {mean('rest'):.1f} "
        f"even; at most {worst}) + {mean('first'):.1f} first = {planned + mean('first'):.1f} passes, "
        f"{mean('well') / mean('people'):.2%} seen well; with the third look + {mean('late'):.1f} = "
        f"{planned + mean('first') + mean('late'):.1f} passes, {mean('well_late') / mean('people'):.2%}"
    )


def plan(fitted: RealFrame, tested: RealFrame, smallest_px: float, rng: np.random.Generator | None) -> Outcome:
    """Gives what a plan comes to whose ground is that of another frame.

    Args:
        fitted: frame that the ground is fitted on.
        tested: frame that is looked at.
        smallest_px: network px.
        rng: draws who is found; None finds everyone.
    """
    settings = PlanSettings(smallest_px=smallest_px)
    there, here = Crowd.of(fitted, rng), Crowd.of(tested, rng)
    other, looks = there.first_looks(settings), here.first_looks(settings)
    ground = fitted_ground([people_found(there.frame, other, EVERYWHERE)], there.frame)
    people = people_found(here.frame, looks, EVERYWHERE)
    second = second_look(here.frame, ground, people, looks.blocks, settings, EVERYWHERE)
    looks = here.looked((*looks.blocks, *second.blocks))
    late = third_look(here.frame, second, looks, settings, EVERYWHERE).blocks if second.follows_ground else ()
    return Outcome(
        rows=len(second.row_blocks),
        residual=len(second.residual),
        rest=len(second.rest),
        late=len(late),
        first=len(looks.blocks) - len(second.blocks),
        people=len(tested.boxes),
        well=int(held(tested.boxes, looks.blocks, smallest_px).sum()),
        well_late=int(held(tested.boxes, [*looks.blocks, *late], smallest_px).sum()),
    )


@dataclass(frozen=True, slots=True, eq=False)
class Crowd:
    """A frame's people and the luck of each: found is whose luck is less than their chance."""

    frame: FrameRef
    boxes: Float64Array
    luck: Float64Array | None

    @staticmethod
    def of(real: RealFrame, rng: np.random.Generator | None) -> Crowd:
        """Gives the people of a frame with their luck drawn; without a generator everyone is found."""
        frame = FrameRef("scene", 0, real.name, real.width, real.height)
        return Crowd(frame, real.boxes, None if rng is None else rng.random(len(real.boxes)))

    def first_looks(self, settings: PlanSettings) -> Looks:
        """Gives what a run sees before it plans rows."""
        looks = self.looked(first_look(self.frame, settings, EVERYWHERE))
        return self.looked((*looks.blocks, *closer_look(self.frame, looks, settings, EVERYWHERE)))

    def looked(self, blocks: tuple[Block, ...]) -> Looks:
        """Gives who is found in blocks, each seen where they are tallest and whole; cut ones if everyone is found."""
        best, tallest = self._best_views(blocks)
        found = np.ones(len(best), dtype=np.bool_)
        if self.luck is not None:
            found = self.luck < np.clip((tallest - UNSEEN_PX) / RANGE_PX, 0.0, MOST_FOUND)
        count = int(found.sum())
        views = SceneDetections(self.boxes[found], np.full(count, 0.9, dtype=np.float32), best[found])
        return Looks(Path(), _nothing_to_do, 1, _nothing_to_do, blocks=blocks, views=views)

    def _best_views(self, blocks: tuple[Block, ...]) -> tuple[Int64Array, Float64Array]:
        """Gives the block of each person's best view (N,), and the height there (N,), network px, 0 where it is cut."""
        scale, window, boxes = scales(blocks), windows(blocks), self.boxes[:, None]
        low, high = np.maximum(boxes[..., :2], window[:, :2]), np.minimum(boxes[..., 2:], window[:, 2:])
        shown = np.clip(high - low, 0.0, None).prod(axis=2)
        whole = (boxes[..., :2] >= window[:, :2] - 1e-6).all(axis=2) & (boxes[..., 2:] <= window[:, 2:] + 1e-6).all(
            axis=2
        )
        tall = np.where(whole, (boxes[..., 3] - boxes[..., 1]) * scale, 0.0)
        best = np.where(tall.max(axis=1) > 0.0, tall.argmax(axis=1), shown.argmax(axis=1))
        return best.astype(np.int64), tall.max(axis=1)


def _nothing_to_do(*_: object) -> NoReturn:
    raise AssertionError("the plan looks at no pixel")


if __name__ == "__main__":
    sys.exit(main())
