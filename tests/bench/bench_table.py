"""Measures what a person costs after inference: derived columns, table, file, ledger, picture.

python tests/bench/bench_table.py [--people 2000] [--data DIR]

People are made up; with --data their boxes and outlines are those of DIR/mosaic/truth.json, repeated as needed.
Prints milliseconds and bytes a person, one line a stage. Run it with one thread: OMP_NUM_THREADS=1.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
import shapely
import torch
from inputs import needed

from mili_core.body import load_body
from pipeline.bodies import derive
from pipeline.export.pictures import draw_people, write_picture
from pipeline.ledger import BlockRow, Ledger
from pipeline.plan import uniform_plan
from pipeline.table import people_table, read_people, write_people
from pipeline.types import Block, FrameRef, MergeResult, SceneDetections
from tests.people_scenes import RUN, everyone_alone, random_bodies

WIDTH, HEIGHT = 26_753, 15_052
FRAME = FrameRef("bench", 0, "bench.jpg", WIDTH, HEIGHT)
BATCH = 16


Result = TypeVar("Result")


def timed(name: str, people: int, work: Callable[[], Result]) -> Result:
    """Runs `work` and prints what it cost a person, in wall and in CPU time (others disturb the former)."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = work()
    wall, cpu = (time.perf_counter() - wall) / people, (time.process_time() - cpu) / people
    say(f"{name:28s} {1e3 * wall:9.3f} ms/person wall {1e3 * cpu:9.3f} ms/person CPU")
    return result


def say(line: str) -> None:
    """Prints a line."""
    sys.stdout.write(line + "\n")


def mosaic_people(data: Path) -> tuple[np.ndarray, np.ndarray]:
    """Gives the boxes (N, 4) and outlines (N,) of the mosaic's truth."""
    people = json.loads((data / "mosaic" / "truth.json").read_text())["persons"]
    boxes = np.array([person["box_xyxy"] for person in people], dtype=np.float64)
    outlines = np.full(len(people), None, dtype=object)
    for n, person in enumerate(people):
        rings = [np.reshape(polygon, (-1, 2)) for polygon in person["polygons"] if len(polygon) >= 6]
        valid = [shapely.make_valid(shapely.Polygon(ring)) for ring in rings]
        outlines[n] = shapely.union_all(valid) if valid else None
    return np.clip(boxes, 0, (WIDTH, HEIGHT, WIDTH, HEIGHT)), outlines


def made_up_people(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Gives boxes (N, 4) and outlines (N,) of 60 vertices."""
    low = rng.uniform(0, (WIDTH - 500, HEIGHT - 1200), (count, 2))
    heights = rng.lognormal(5.7, 0.7, count).clip(29, 1100)
    boxes = np.column_stack([low, low + np.column_stack([heights / 2.7, heights])])
    angles = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    circle = np.column_stack([np.cos(angles), np.sin(angles)]) * rng.uniform(0.8, 1.0, (count, 60, 1))
    centres, half = (boxes[:, 2:] + boxes[:, :2]) / 2, (boxes[:, 2:] - boxes[:, :2]) / 2
    return boxes, shapely.polygons(centres[:, None] + half[:, None] * circle)


def make_views(rng: np.random.Generator, boxes: np.ndarray, outlines: np.ndarray, blocks: int) -> SceneDetections:
    """Gives views with random bodies in front of the camera."""
    count = len(boxes)
    bodies = random_bodies(rng, count, boxes)
    joints = rng.uniform(boxes[:, None, :2], boxes[:, None, 2:], (count, 24, 2))
    return SceneDetections(
        boxes_frame=boxes,
        scores=rng.uniform(0.3, 1, count).astype(np.float32),
        block_index=rng.integers(0, blocks, count),
        outlines=outlines,
        mask_scores=rng.uniform(0.6, 0.95, count).astype(np.float32),
        joints2d_frame=np.concatenate([joints, rng.uniform(0, 1, (count, 24, 1))], axis=2).astype(np.float32),
        depth_m=bodies.transl_block_m[:, 2],
        bodies=bodies,
    )


def main() -> int:
    """Prints the table of costs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=2000)
    parser.add_argument("--data", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    if args.data is None:
        boxes, outlines = made_up_people(rng, args.people)
    else:
        needed((args.data / "mosaic" / "truth.json").is_file(), f"no mosaic/truth.json in {args.data}")
        boxes, outlines = mosaic_people(args.data)
    pick = np.arange(args.people) % len(boxes)
    blocks = uniform_plan(WIDTH, HEIGHT)
    views = make_views(rng, boxes[pick], outlines[pick], len(blocks))
    with tempfile.TemporaryDirectory() as folder:
        measure(views, everyone_alone(views), Path(folder))
    return 0


def measure(views: SceneDetections, merge: MergeResult, folder: Path) -> None:
    """Prints one line a stage."""
    people = len(views)
    blocks = uniform_plan(WIDTH, HEIGHT)
    body = load_body()
    first = everyone_alone(views.take(np.arange(1)))
    derive(views.take(np.arange(1)), first, blocks, body)  # compiles
    derived = timed("derived columns", people, lambda: derive(views, merge, blocks, body))
    table = timed("people_table", people, lambda: people_table(FRAME, views, merge, blocks, derived, RUN))
    path = timed("write_people", people, lambda: write_people(table, FRAME, folder))
    timed("read_people", people, lambda: read_people(folder))
    say(f"{'file':28s} {path.stat().st_size / people:9.0f} bytes/person")
    ledger = Ledger(folder / "ledger", "bench")
    timed("ledger, write", people, lambda: write_ledger(ledger, views, blocks))
    parts = timed("ledger, verify and read", people, ledger.read_parts)
    assert sum(len(part.detections) for part in parts) == people
    size = sum(file.stat().st_size for file in ledger.folder.rglob("*.parquet"))
    say(f"{'ledger':28s} {size / people:9.0f} bytes/person")
    image = np.full((2250, 4000, 3), 128, dtype=np.uint8)
    picture = timed("picture, draw", people, lambda: draw_people(image, 4000 / WIDTH, table))
    timed("picture, write", people, lambda: write_picture(picture, folder / "overview.jpg"))


def write_ledger(ledger: Ledger, views: SceneDetections, blocks: Sequence[Block]) -> None:
    """Writes the views in batches of BATCH blocks."""
    for batch, start in enumerate(range(0, len(blocks), BATCH)):
        ids = np.arange(start, min(start + BATCH, len(blocks)))
        part = views.take(np.flatnonzero(np.isin(views.block_index, ids)))
        counts = [int(np.count_nonzero(part.block_index == index)) for index in ids]
        rows = [BlockRow.done(blocks[i], seconds=0.1, detections=n) for i, n in zip(ids.tolist(), counts, strict=True)]
        ledger.write_batch(batch, rows, part)


if __name__ == "__main__":
    sys.exit(main())
