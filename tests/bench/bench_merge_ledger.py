"""Scores the merge on the detections of a finished run, against the truth of its frame, without any inference.

A run keeps what its blocks reported in OUT/ledger. This merges it again, pairs the result with the truth at IoU .5
and says what the false boxes are: a second box on someone, a part of someone, a group of people, or nobody.

    python tests/bench/bench_merge_ledger.py --run demo/out --truth demo/scene/truth/people.parquet
    python tests/bench/bench_merge_ledger.py --run OUT --truth truth.json --half left --pictures FOLDER
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mili_core.evaluation.scene import choose_people, match_scene
from pipeline.ledger import Ledger
from pipeline.merge import merge
from pipeline.plan import uniform_plan
from pipeline.scene_truth import TruePeople, read_truth
from pipeline.types import Block, MergeResult, SceneDetections, Window

BANDS_PX = (64.0, 128.0, 256.0, 512.0, 1024.0)
KINDS = ("right", "second", "part", "group", "near", "nobody")


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """What a finished run of one frame left behind."""

    views: SceneDetections
    blocks: tuple[Block, ...]
    frame: Window
    pyramid: Path | None


def read_run(folder: Path) -> Run:
    """Gives the detections of the newest complete ledger of a run with the uniform plan."""
    manifest = json.loads((folder / "manifest.json").read_text())
    entry = manifest["frames"][0]
    if entry["plan"] != "uniform":
        raise SystemExit(f"{folder}: plan {entry['plan']!r}; this bench rebuilds uniform plans only")
    blocks = uniform_plan(entry["width"], entry["height"], overlap=manifest["config"]["plan"]["overlap"])
    keys = sorted((folder / "ledger").glob("*/*/*"), key=lambda key: key.stat().st_mtime)
    for key in reversed(keys):
        parts = Ledger(key.parent, key.name).read_parts()
        if sum(len(part.rows) for part in parts) == len(blocks):
            views = SceneDetections.concat([part.detections for part in parts])
            pyramids = sorted(folder.glob("pyramids/*/*.ome.zarr"))
            frame = Window(0.0, 0.0, float(entry["width"]), float(entry["height"]))
            return Run(views, blocks, frame, pyramids[-1] if pyramids else None)
    raise SystemExit(f"{folder}: no complete ledger")


def halve(run: Run, truth: TruePeople, half: str) -> tuple[Run, TruePeople]:
    """Gives the people and views of one half of the frame; who stands across the middle belongs to neither."""
    middle = run.frame.width / 2

    def inside(boxes: np.ndarray) -> np.ndarray:
        return np.flatnonzero(boxes[:, 2] <= middle if half == "left" else boxes[:, 0] >= middle)

    kept, people = inside(run.views.boxes_frame), inside(truth.boxes_frame)
    views = run.views.take(kept.astype(np.int64))
    part = TruePeople(truth.boxes_frame[people], truth.visible_fraction[people], truth.held_out[people])
    return Run(views, run.blocks, run.frame, run.pyramid), part


def pairwise(boxes: np.ndarray, people: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gives IoU, share of the box in the person, share of the person in the box (N, M)."""
    low = np.maximum(boxes[:, None, :2], people[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], people[None, :, 2:])
    shared = np.maximum(high - low, 0.0).prod(axis=2)
    a, b = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1), (people[:, 2:] - people[:, :2]).prod(axis=1)
    return shared / (a[:, None] + b - shared), shared / a[:, None], shared / b


def kinds(boxes: np.ndarray, scores: np.ndarray, people: np.ndarray) -> np.ndarray:
    """Gives what each box is: an entry of KINDS."""
    iou, in_person, of_person = pairwise(boxes, people)
    kind = np.full(len(boxes), KINDS.index("nobody"))
    kind[iou.max(axis=1, initial=0.0) >= 0.3] = KINDS.index("near")
    kind[in_person.max(axis=1, initial=0.0) >= 0.7] = KINDS.index("part")
    kind[(of_person >= 0.7).sum(axis=1) >= 2] = KINDS.index("group")
    kind[iou.max(axis=1, initial=0.0) >= 0.5] = KINDS.index("second")
    taken = np.zeros(len(people), bool)
    for k in np.argsort(-scores, kind="stable"):
        free = np.where(taken, 0.0, iou[k])
        if free.max(initial=0.0) >= 0.5:
            taken[free.argmax()] = True
            kind[k] = KINDS.index("right")
    return kind


def report(name: str, result: MergeResult, views: SceneDetections, truth: TruePeople, seconds: float) -> np.ndarray:
    scores = views.scores[result.chosen].astype(np.float64)
    chosen = choose_people(truth.boxes_frame, truth.visible_fraction, min_height_px=64.0, min_visible=0.7)
    figures = match_scene(result.boxes_frame, scores, truth.boxes_frame, chosen)
    recall, precision = figures.counts.recall, figures.counts.precision
    kind = kinds(result.boxes_frame, scores, truth.boxes_frame)
    found = int((kind == 0).sum())
    f1 = 2 * found / max(len(kind) + len(truth.boxes_frame), 1)
    told = ", ".join(f"{kind_name} {int((kind == k).sum())}" for k, kind_name in enumerate(KINDS))
    print(
        f"{name}: {len(views)} views, {len(kind)} people of {len(truth.boxes_frame)}; recall {recall:.3f} (>= 64 px, "
        f">= .7 visible), precision {precision:.3f}, F1 of all {f1:.3f}; {told}; {seconds:.2f} s"
    )
    tall = np.digitize(result.boxes_frame[:, 3] - result.boxes_frame[:, 1], BANDS_PX)
    true_tall = np.digitize(truth.boxes_frame[:, 3] - truth.boxes_frame[:, 1], BANDS_PX)
    for band in range(len(BANDS_PX) + 1):
        here = kind[tall == band]
        told = ", ".join(f"{kind_name} {int((here == k).sum())}" for k, kind_name in enumerate(KINDS))
        low = 0.0 if band == 0 else BANDS_PX[band - 1]
        print(f"    from {low:6.0f} px: {int((true_tall == band).sum()):4d} people; {told}")
    return kind


def outline(picture: np.ndarray, corners: np.ndarray, colour: tuple[int, int, int], thick: int) -> None:
    """Draws a box given by its corners (2, 2), px of the picture."""
    import cv2

    cv2.rectangle(picture, corners[0].tolist(), corners[1].tolist(), colour, thick)


def draw(run: Run, result: MergeResult, truth: TruePeople, kind: np.ndarray, folder: Path, count: int) -> None:
    """Writes one picture for each of the `count` tallest false boxes: truth green, chosen blue, the false one red."""
    import cv2

    from pipeline.pyramid import Pyramid

    assert run.pyramid is not None
    folder.mkdir(parents=True, exist_ok=True)
    image, scale = Pyramid.open(run.pyramid).thumbnail(8000)
    boxes = result.boxes_frame
    false = np.flatnonzero(kind != 0)
    false = false[np.argsort(-(boxes[false, 3] - boxes[false, 1]), kind="stable")][:count]
    tiles = []
    for k in false.tolist():
        x0, y0, x1, y1 = boxes[k]
        room = 0.35 * max(x1 - x0, y1 - y0)
        left, top = max(int((x0 - room) * scale), 0), max(int((y0 - room) * scale), 0)
        crop = image[top : int((y1 + room) * scale), left : int((x1 + room) * scale)]
        if crop.size == 0:
            continue
        zoom = 360.0 / max(crop.shape[0], 1)
        crop = np.ascontiguousarray(cv2.resize(crop, None, fx=zoom, fy=zoom))

        def local(box: np.ndarray, corner: tuple[int, int] = (left, top), zoom: float = zoom) -> np.ndarray:
            return ((box.reshape(2, 2) * scale - np.array(corner)) * zoom).round().astype(int)

        for box in truth.boxes_frame:
            outline(crop, local(box), (0, 200, 0), 1)
        for other in np.flatnonzero(kind == 0):
            outline(crop, local(boxes[other] + 2), (60, 60, 255), 1)
        outline(crop, local(boxes[k]), (255, 0, 0), 2)
        members = run.views.take(np.flatnonzero(result.group == k).astype(np.int64))
        text = f"{KINDS[kind[k]]} {run.views.scores[result.chosen[k]]:.2f} x{len(members)} {int(y1 - y0)}px"
        cv2.putText(crop, text, (3, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (255, 255, 0), 1)
        tiles.append(crop[:, :480])
    for sheet in range(0, len(tiles), 12):
        rows = []
        for row in range(sheet, min(sheet + 12, len(tiles)), 4):
            padded = [np.pad(t, ((0, 362 - len(t)), (0, 480 - t.shape[1]), (0, 0))) for t in tiles[row : row + 4]]
            padded += [np.zeros_like(padded[0])] * (4 - len(padded))
            rows.append(np.concatenate(padded, axis=1))
        cv2.imwrite(str(folder / f"false-{sheet // 12:02d}.png"), np.concatenate(rows)[..., ::-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--run", type=Path, required=True, help="folder OUT of a finished run")
    parser.add_argument("--truth", type=Path, required=True)
    parser.add_argument("--half", choices=["left", "right"], help="only one half of the frame")
    parser.add_argument("--pictures", type=Path, help="folder for pictures of the false boxes")
    parser.add_argument("--count", type=int, default=36, help="how many pictures")
    options = parser.parse_args()
    run, truth = read_run(options.run), read_truth(options.truth)
    if options.half:
        run, truth = halve(run, truth, options.half)
    start = time.process_time()
    result = merge(run.views, run.blocks, run.frame)
    kind = report(str(options.run), result, run.views, truth, time.process_time() - start)
    if options.pictures:
        draw(run, result, truth, kind, options.pictures, options.count)


if __name__ == "__main__":
    main()
