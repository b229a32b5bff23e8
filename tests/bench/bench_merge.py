"""Oracle bench of the merge: how many people survive the seams when the detector is known.

A scene of about 1,400 silhouettes (20..3,000 px tall, crowds, nested pairs) is seen block by block by a perfect, a
noisy or an uninformative-score detector, merged, and matched with the truth at IoU .5.

    python tests/bench/bench_merge.py [--seeds 3] [--outlines] [--size 26753 15052]
    python tests/bench/bench_merge.py --speed
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import shapely

from pipeline.geometry import level_grid, level_sizes, network_scale
from pipeline.merge import MergeConfig, merge
from pipeline.merge.choice import preference, seen_whole
from pipeline.merge.pairs import candidate_pairs, overlapping
from pipeline.merge.similarity import compare
from pipeline.merge.stitch import united_boxes
from pipeline.merge.views import prepare
from pipeline.plan import uniform_plan
from pipeline.types import Block, SceneDetections, Window

MIN_SEEN_PX = 8.0  # network px: a part smaller than this on both sides is not reported by any detector here


@dataclass(frozen=True, slots=True)
class Noise:
    """A detector's faults. The defaults are a perfect one.

    Attributes:
        jitter_share, jitter_px: each side of a box moves by N(0, share x side + px / scale).
        miss: chance that a view is missed; doubled for parts of less than .3 of the person.
        small_px: a view of MIN_SEEN_PX is always missed, one of this longer side only by `miss`.
        split: chance that a part in two pieces (two legs) is reported as two people.
        inner_part: chance that a whole person taller than 128 px in the block gives a part (head, leg) as an extra.
        ghosts: false people per 1,000 views, of random size and place.
        scores: "informative" (grows with the visible share) or "random".
    """

    jitter_share: float = 0.0
    jitter_px: float = 0.0
    miss: float = 0.0
    small_px: float = 0.0
    split: float = 0.0
    inner_part: float = 0.0
    ghosts: float = 0.0
    scores: str = "informative"


PERFECT = Noise()
RANDOM_SCORES = Noise(scores="random")
NOISY = Noise(jitter_share=0.04, jitter_px=0.7, miss=0.07, small_px=16.0, split=0.1)
HARD = Noise(
    jitter_share=0.06, jitter_px=1.0, miss=0.15, small_px=24.0, split=0.3, inner_part=0.05, ghosts=2.0, scores="random"
)
DETECTORS = {"perfect": PERFECT, "random scores": RANDOM_SCORES, "noisy": NOISY, "hard": HARD}


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """Truth: silhouettes (P,), boxes (P, 4), and who stands in a crowd or inside another's box (P,)."""

    width: int
    height: int
    outlines: np.ndarray
    boxes: np.ndarray
    crowded: np.ndarray

    @property
    def frame(self) -> Window:
        return Window(0.0, 0.0, float(self.width), float(self.height))


def make_scene(rng: np.random.Generator, width: int, height: int, people: int) -> Scene:
    """Gives a scene: 83 % standing anywhere, 10 % in pairs and triples of box IoU > .5, 7 % inside a larger one."""
    crowd, nested = round(0.1 * people), round(0.05 * people)
    boxes = _loners(rng, width, height, people - crowd - nested)
    boxes = np.concatenate([boxes, _crowds(rng, width, height, crowd)])
    boxes = np.concatenate([boxes, _nested(rng, boxes, nested)])
    outlines = np.array([_silhouette(rng, box) for box in boxes], dtype=np.object_)
    frame = shapely.box(0, 0, width, height)
    outlines = shapely.intersection(outlines, frame)
    boxes = shapely.bounds(outlines)
    return Scene(width, height, outlines, boxes, _crowded(boxes))


def _heights(rng: np.random.Generator, count: int) -> np.ndarray:
    usual = np.exp(rng.normal(np.log(300.0), 0.73, count))
    spread = np.exp(rng.uniform(np.log(20.0), np.log(3000.0), count))
    return np.clip(np.where(rng.random(count) < 0.15, spread, usual), 20.0, 3000.0)


def _boxes_at(rng: np.random.Generator, width: int, height: int, tall: np.ndarray) -> np.ndarray:
    wide = tall * rng.uniform(0.28, 0.5, len(tall))
    x = rng.uniform(0.0, width - wide)
    y = rng.uniform(0.0, np.maximum(height - tall, 1.0))
    return np.stack([x, y, x + wide, y + tall], axis=1)


def _loners(rng: np.random.Generator, width: int, height: int, count: int) -> np.ndarray:
    """Boxes anywhere that overlap no earlier one by IoU .3 or more (retried; the rest stay as they fall)."""
    boxes = _boxes_at(rng, width, height, _heights(rng, count))
    for _ in range(5):
        i, j = overlapping(boxes, boxes)
        bad = np.unique(j[(i < j) & (_iou(boxes[i], boxes[j]) > 0.3)])
        boxes[bad] = _boxes_at(rng, width, height, boxes[bad, 3] - boxes[bad, 1])
    return boxes


def _crowds(rng: np.random.Generator, width: int, height: int, count: int) -> np.ndarray:
    rows: list[np.ndarray] = []
    while len(rows) < count:
        first = _boxes_at(rng, width, height, _heights(rng, 1))[0]
        rows.append(first)
        for _ in range(int(rng.integers(1, 3))):
            wide, tall = first[2] - first[0], first[3] - first[1]
            shift = np.array([rng.choice([-1.0, 1.0]) * rng.uniform(0.15, 0.3) * wide, rng.uniform(-0.03, 0.03) * tall])
            grown = np.array([wide, tall]) * rng.uniform(0.92, 1.08, 2)
            first = np.concatenate([first[:2] + shift, first[:2] + shift + grown])
            rows.append(first)
    return np.array(rows[:count]).reshape(-1, 4)


def _nested(rng: np.random.Generator, boxes: np.ndarray, count: int) -> np.ndarray:
    host = boxes[rng.choice(np.flatnonzero(boxes[:, 3] - boxes[:, 1] > 80.0), count, replace=False)]
    extent = host[:, 2:] - host[:, :2]
    size = extent * rng.uniform(0.3, 0.65, (count, 1))
    corner = host[:, :2] + rng.uniform(0.0, 1.0, (count, 2)) * (extent - size)
    return np.concatenate([corner, corner + size], axis=1)


def _silhouette(rng: np.random.Generator, box: np.ndarray) -> shapely.Geometry:
    """A head, a torso, two arms and two legs, stretched to fill the box."""
    lean, spread, arm = rng.uniform(-0.12, 0.12), rng.uniform(0.02, 0.2), rng.uniform(0.05, 0.3)
    parts = [
        shapely.Point(0.5 + lean, 0.08).buffer(0.08, quad_segs=4),
        shapely.Polygon([(0.36 + lean, 0.15), (0.64 + lean, 0.15), (0.6, 0.55), (0.4, 0.55)]),
        shapely.LineString([(0.4 + lean, 0.18), (0.36 - arm, 0.5)]).buffer(0.04, quad_segs=2),
        shapely.LineString([(0.6 + lean, 0.18), (0.64 + arm * rng.uniform(0.2, 1.0), 0.5)]).buffer(0.04, quad_segs=2),
        shapely.LineString([(0.45, 0.5), (0.46 - spread, 0.96)]).buffer(0.055, quad_segs=2),
        shapely.LineString([(0.55, 0.5), (0.54 + spread * rng.uniform(0.3, 1.0), 0.96)]).buffer(0.055, quad_segs=2),
    ]
    body = shapely.union_all(parts)
    x0, y0, x1, y1 = body.bounds
    scale = (box[2:] - box[:2]) / np.array([x1 - x0, y1 - y0])
    return shapely.transform(body, lambda xy: (xy - np.array([x0, y0])) * scale + box[:2])


def _iou(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    shared = np.maximum(np.minimum(a[:, 2:], b[:, 2:]) - np.maximum(a[:, :2], b[:, :2]), 0.0).prod(axis=1)
    return shared / ((a[:, 2:] - a[:, :2]).prod(axis=1) + (b[:, 2:] - b[:, :2]).prod(axis=1) - shared)


def _crowded(boxes: np.ndarray) -> np.ndarray:
    """Who overlaps a neighbour by IoU > .5 or lies inside another's box by .9 or more (both of them)."""
    i, j = overlapping(boxes, boxes)
    i, j = i[i != j], j[i != j]
    shared = np.maximum(np.minimum(boxes[i, 2:], boxes[j, 2:]) - np.maximum(boxes[i, :2], boxes[j, :2]), 0.0)
    inside = shared.prod(axis=1) / (boxes[i, 2:] - boxes[i, :2]).prod(axis=1)
    close = (_iou(boxes[i], boxes[j]) > 0.5) | (inside >= 0.9)
    result = np.zeros(len(boxes), dtype=np.bool_)
    result[i[close]] = True
    result[j[close]] = True
    return result


def native_and_full(width: int, height: int) -> tuple[Block, ...]:
    """Gives the native tiles of the uniform plan and one block that shows the whole frame on one canvas."""
    native = tuple(block for block in uniform_plan(width, height) if block.level == 0)
    level = len(level_sizes(width, height)) - 1
    full = level_grid(level, 0, 0, *level_sizes(width, height)[level])
    return (*native, Block("full", level, full, Window(0.0, 0.0, float(width), float(height))))


TILINGS = {"native + full image": native_and_full, "pyramid": uniform_plan}


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What a detector reported: the views, whose they are (-1 for ghosts), and whether they show all of the person."""

    views: SceneDetections
    person: np.ndarray
    complete: np.ndarray


def look(
    rng: np.random.Generator, scene: Scene, blocks: Sequence[Block], noise: Noise, *, outlines: bool = False
) -> Seen:
    """Gives what the detector reports in every block."""
    windows = np.array([(w.x0, w.y0, w.x1, w.y1) for w in (b.grid.window for b in blocks)])
    scale = np.array([network_scale(block) for block in blocks])
    block, person = overlapping(windows, scene.boxes)
    side = (scene.boxes[:, 2:] - scene.boxes[:, :2]).max(axis=1)
    possible = side[person] * scale[block] >= MIN_SEEN_PX
    block, person = block[possible], person[possible]
    parts = scene.outlines[person]
    box, window = scene.boxes[person], windows[block]
    leaves = np.flatnonzero((box[:, :2] < window[:, :2]).any(axis=1) | (box[:, 2:] > window[:, 2:]).any(axis=1))
    parts[leaves] = shapely.intersection(parts[leaves], shapely.box(*window[leaves].T))
    parts, block, person = _split(rng, parts, block, person, noise)
    parts, block, person = _inner_parts(rng, parts, block, person, scene, scale, noise)
    share = shapely.area(parts) / shapely.area(scene.outlines[person])
    boxes = shapely.bounds(parts)
    boxes, alive = _jitter(rng, boxes, windows[block], scale[block], noise)
    longer_px = np.nan_to_num((boxes[:, 2:] - boxes[:, :2]).max(axis=1) * scale[block])
    found = 1.0 - noise.miss * np.where(share < 0.3, 2.0, 1.0)
    if noise.small_px > MIN_SEEN_PX:
        found *= np.clip((longer_px - MIN_SEEN_PX) / (noise.small_px - MIN_SEEN_PX), 0.0, 1.0)
    keep = alive & (longer_px >= MIN_SEEN_PX) & (rng.random(len(boxes)) < found)
    boxes, block, person, share, parts = boxes[keep], block[keep], person[keep], share[keep], parts[keep]
    scores = np.clip(0.4 + 0.5 * share + rng.normal(0.0, 0.1, len(share)), 0.01, 1.0)
    if noise.scores == "random":
        scores = rng.random(len(share))
    ghosts = rng.binomial(len(boxes), noise.ghosts / 1000.0)
    ghost_boxes, ghost_block = _ghosts(rng, ghosts, windows, scale)
    drawn = None
    if outlines:
        ghost_outlines = shapely.box(*ghost_boxes.T)
        drawn = np.concatenate([parts, np.atleast_1d(ghost_outlines)]).astype(np.object_)
    views = SceneDetections(
        np.concatenate([boxes, ghost_boxes]),
        np.concatenate([scores, rng.random(ghosts) * 0.6]).astype(np.float32),
        np.concatenate([block, ghost_block]).astype(np.int64),
        drawn,
    )
    nobody = np.full(ghosts, -1)
    return Seen(views, np.concatenate([person, nobody]), np.concatenate([share > 0.999, np.zeros(ghosts, bool)]))


Parts = tuple[np.ndarray, np.ndarray, np.ndarray]  # geometries, their blocks, their people


def _split(rng: np.random.Generator, parts: np.ndarray, block: np.ndarray, person: np.ndarray, noise: Noise) -> Parts:
    several = (shapely.get_num_geometries(parts) > 1) & (rng.random(len(parts)) < noise.split)
    pieces, index = shapely.get_parts(parts[several], return_index=True)
    origin = np.flatnonzero(several)[index]
    return (
        np.concatenate([parts[~several], pieces]),
        np.concatenate([block[~several], block[origin]]),
        np.concatenate([person[~several], person[origin]]),
    )


def _inner_parts(
    rng: np.random.Generator,
    parts: np.ndarray,
    block: np.ndarray,
    person: np.ndarray,
    scene: Scene,
    scale: np.ndarray,
    noise: Noise,
) -> Parts:
    tall = (scene.boxes[person, 3] - scene.boxes[person, 1]) * scale[block] > 128.0
    extra = np.flatnonzero(tall & (rng.random(len(parts)) < noise.inner_part))
    bounds = shapely.bounds(parts[extra])
    height = bounds[:, 3] - bounds[:, 1]
    head = rng.random(len(extra)) < 0.5
    bounds[:, 3] = np.where(head, bounds[:, 1] + 0.25 * height, bounds[:, 3])
    bounds[:, 1] = np.where(head, bounds[:, 1], bounds[:, 3] - 0.45 * height)
    inner = shapely.intersection(parts[extra], shapely.box(*bounds.T))
    return (
        np.concatenate([parts, np.atleast_1d(inner)]),
        np.concatenate([block, block[extra]]),
        np.concatenate([person, person[extra]]),
    )


def _jitter(
    rng: np.random.Generator, boxes: np.ndarray, windows: np.ndarray, scale: np.ndarray, noise: Noise
) -> tuple[np.ndarray, np.ndarray]:
    extent = boxes[:, 2:] - boxes[:, :2]
    sigma = noise.jitter_share * np.concatenate([extent, extent], axis=1) + noise.jitter_px / scale[:, None]
    moved = boxes + rng.normal(0.0, 1.0, boxes.shape) * sigma
    moved = np.concatenate([np.maximum(moved[:, :2], windows[:, :2]), np.minimum(moved[:, 2:], windows[:, 2:])], axis=1)
    return moved, (moved[:, 2:] > moved[:, :2]).all(axis=1)


def _ghosts(
    rng: np.random.Generator, count: int, windows: np.ndarray, scale: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    block = rng.integers(0, len(windows), count)
    tall = np.exp(rng.uniform(np.log(20.0), np.log(300.0), count)) / scale[block]
    size = np.minimum(np.stack([0.4 * tall, tall], axis=1), windows[block, 2:] - windows[block, :2])
    corner = windows[block, :2] + rng.random((count, 2)) * (windows[block, 2:] - windows[block, :2] - size)
    return np.concatenate([corner, corner + size], axis=1), block


@dataclass(frozen=True, slots=True)
class Figures:
    f1: float
    precision: float
    recall: float
    crowd_recall: float
    whole_lost: int


def judge(boxes: np.ndarray, scene: Scene, seen: Seen) -> Figures:
    """Matches boxes (G, 4) with the truth, best IoU first, one to one, IoU >= .5."""
    i, j = overlapping(boxes, scene.boxes)
    iou = _iou(boxes[i], scene.boxes[j])
    used, found = np.zeros(len(boxes), bool), np.zeros(len(scene.boxes), bool)
    for k in np.argsort(-iou, kind="stable"):
        if iou[k] >= 0.5 and not used[i[k]] and not found[j[k]]:
            used[i[k]] = found[j[k]] = True
    whole = np.zeros(len(scene.boxes), bool)
    whole[seen.person[seen.complete & (seen.person >= 0)]] = True
    hits = int(found.sum())
    return Figures(
        2 * hits / max(len(boxes) + len(scene.boxes), 1),
        hits / max(len(boxes), 1),
        hits / max(len(scene.boxes), 1),
        float(found[scene.crowded].mean()),
        int((whole & ~found).sum()),
    )


def merged(seen: Seen, blocks: Sequence[Block], frame: Window) -> np.ndarray:
    return merge(seen.views, blocks, frame).boxes_frame


def ceiling(seen: Seen, blocks: Sequence[Block], frame: Window) -> np.ndarray:
    """Gives the boxes of a merger that is told who is who and chooses as ours does."""
    config = MergeConfig()
    views, _ = prepare(seen.views, blocks, frame, config)
    pairs = compare(views, *candidate_pairs(views.boxes, views.block), config)
    label = seen.person[views.source].copy()
    ghosts = np.flatnonzero(label < 0)
    label[ghosts] = label.max() + 1 + np.arange(len(ghosts))
    group = np.unique(label, return_inverse=True)[1]
    whole = seen_whole(views, group, pairs, config)
    order = preference(views, group, whole, pairs, config)
    best = order[np.unique(group[order], return_index=True)[1]]
    return np.where(whole[best][:, None], views.boxes[best], united_boxes(views.boxes, group, len(best)))


def nms(seen: Seen, blocks: Sequence[Block], frame: Window) -> np.ndarray:
    """Gives what plain NMS at IoU .5 keeps."""
    return _greedy(seen.views, lambda shared, kept, other: shared / (kept + other - shared))


def nmm_ios(seen: Seen, blocks: Sequence[Block], frame: Window) -> np.ndarray:
    """Gives greedy suppression at intersection over smaller .5 (the common tiled-inference default, boxes united)."""
    return _greedy(seen.views, lambda shared, kept, other: shared / np.minimum(kept, other), unite=True)


def _greedy(
    views: SceneDetections,
    measure: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray],
    *,
    unite: bool = False,
) -> np.ndarray:
    boxes = views.boxes_frame
    i, j = overlapping(boxes, boxes)
    starts = np.searchsorted(i, np.arange(len(boxes) + 1))
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    alive, out = np.ones(len(boxes), bool), []
    for k in np.argsort(-views.scores, kind="stable"):
        if not alive[k]:
            continue
        near = j[starts[k] : starts[k + 1]]
        near = near[alive[near]]
        shared = np.maximum(np.minimum(boxes[near, 2:], boxes[k, 2:]) - np.maximum(boxes[near, :2], boxes[k, :2]), 0)
        gone = near[measure(shared.prod(axis=1), areas[k], areas[near]) >= 0.5]
        alive[gone] = False
        alive[k] = False
        members = boxes[np.append(gone, k)]
        out.append(np.concatenate([members[:, :2].min(0), members[:, 2:].max(0)]) if unite else boxes[k])
    return np.array(out).reshape(-1, 4)


MERGERS = {"ours": merged, "told who is who": ceiling, "NMS IoU .5": nms, "NMM IoS .5": nmm_ios}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--data", help="not needed; taken for uniformity with the other benches")
    parser.add_argument("--size", type=int, nargs=2, default=(26753, 15052), metavar=("WIDTH", "HEIGHT"))
    parser.add_argument("--people", type=int, default=1400)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--detectors", nargs="+", default=list(DETECTORS), choices=list(DETECTORS))
    parser.add_argument("--mergers", nargs="+", default=list(MERGERS), choices=list(MERGERS))
    parser.add_argument("--outlines", action="store_true", help="views carry silhouettes")
    parser.add_argument("--speed", action="store_true", help="seconds and memory against the number of views instead")
    arguments = parser.parse_args()
    if arguments.speed:
        speed(arguments.people, *arguments.size)
        return
    for tiling, plan in TILINGS.items():
        blocks = plan(*arguments.size)
        for detector in arguments.detectors:
            rows: dict[str, list[tuple[Figures, int, int, float]]] = {name: [] for name in arguments.mergers}
            for seed in range(arguments.seeds):
                rng = np.random.default_rng(seed)
                scene = make_scene(rng, *arguments.size, arguments.people)
                seen = look(rng, scene, blocks, DETECTORS[detector], outlines=arguments.outlines)
                for name in arguments.mergers:
                    start = time.process_time()
                    boxes = MERGERS[name](seen, blocks, scene.frame)
                    seconds = time.process_time() - start
                    rows[name].append((judge(boxes, scene, seen), len(seen.views), len(boxes), seconds))
            for name, results in rows.items():
                report(tiling, detector, name, results)
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


def speed(people: int, width: int, height: int) -> None:
    """Times the merge of scenes of equal density and growing area, pyramid tiling, perfect detector, silhouettes."""
    for factor in (1, 2, 5):
        side = factor**0.5
        size = round(width * side), round(height * side)
        blocks = uniform_plan(*size)
        scene = make_scene(np.random.default_rng(0), *size, people * factor)
        for outlines in (False, True):
            seen = look(np.random.default_rng(0), scene, blocks, PERFECT, outlines=outlines)
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            start = time.process_time()
            result = merge(seen.views, blocks, scene.frame)
            seconds = time.process_time() - start
            grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 - before
            kind = "outlines" if outlines else "boxes   "
            print(
                f"{len(seen.views):7d} views {kind} {len(result.chosen):6d} people {seconds:6.2f} CPU s"
                f"  {1e6 * seconds / len(seen.views):5.1f} us a view  peak memory +{grown:.0f} MB",
                flush=True,
            )


def report(tiling: str, detector: str, merger: str, results: list[tuple[Figures, int, int, float]]) -> None:
    def mean(values: list[float]) -> float:
        return float(np.mean(values))

    figures = [row[0] for row in results]
    print(
        f"{tiling:20s} {detector:14s} {merger:16s} F1 {mean([f.f1 for f in figures]):.3f}"
        f"  precision {mean([f.precision for f in figures]):.3f}  recall {mean([f.recall for f in figures]):.3f}"
        f"  crowds {mean([f.crowd_recall for f in figures]):.3f}"
        f"  whole lost {mean([f.whole_lost for f in figures]):.1f}  views {mean([r[1] for r in results]):.0f}"
        f"  people {mean([r[2] for r in results]):.0f}  {mean([r[3] for r in results]):.2f} s",
        flush=True,
    )


if __name__ == "__main__":
    main()
