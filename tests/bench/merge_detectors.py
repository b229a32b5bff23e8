"""Tilings and made-up detectors for the oracle bench of the merge: what each block reports of a scene."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from merge_scenes import Scene

from pipeline.geometry import level_grid, level_sizes, network_scale
from pipeline.merge.pairs import overlapping
from pipeline.merge.views import iou
from pipeline.plan import uniform_plan
from pipeline.types import Block, PixelGrid, SceneDetections, Window

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
        heavy: True: errors of a box follow a Laplace law, whose outliers are larger, with the same spread.
        lapse: chance that a person is hard to see: each view of them is then missed with chance .3, so misses of one
            person come together.
        suppress: IoU from which the weaker of two views of a block is dropped (a detector's own NMS); 1 = never.
    """

    jitter_share: float = 0.0
    jitter_px: float = 0.0
    miss: float = 0.0
    small_px: float = 0.0
    split: float = 0.0
    inner_part: float = 0.0
    ghosts: float = 0.0
    scores: str = "informative"
    heavy: bool = False
    lapse: float = 0.0
    suppress: float = 1.0


PERFECT = Noise()
RANDOM_SCORES = Noise(scores="random")
NOISY = Noise(jitter_share=0.04, jitter_px=0.7, miss=0.07, small_px=16.0, split=0.1)
HARD = Noise(
    jitter_share=0.06, jitter_px=1.0, miss=0.15, small_px=24.0, split=0.3, inner_part=0.05, ghosts=2.0, scores="random"
)
OTHER_NOISY = Noise(
    jitter_share=0.035, jitter_px=0.8, miss=0.04, small_px=16.0, split=0.1, heavy=True, lapse=0.06, suppress=0.8
)
DETECTORS = {
    "perfect": PERFECT,
    "random scores": RANDOM_SCORES,
    "noisy": NOISY,
    "other noisy": OTHER_NOISY,
    "hard": HARD,
}


def native_and_full(width: int, height: int) -> tuple[Block, ...]:
    """Gives the native tiles of the uniform plan and one block that shows the whole frame on one canvas."""
    native = tuple(block for block in uniform_plan(width, height) if block.level == 0)
    level = len(level_sizes(width, height)) - 1
    full = level_grid(level, 0, 0, *level_sizes(width, height)[level])
    return (*native, Block("full", level, full, Window(0.0, 0.0, float(width), float(height))))


def rows(width: int, height: int) -> tuple[Block, ...]:
    """Gives a plan like a ground-aware one: windows of sizes that grow from row to row, and person-centred ones.

    Rows overlap by 20 to 30 % of a window. Coarse looks at the whole frame (an eighth and its halves) come with them,
    and every 7th window is seen again, shifted by a third and at .6 of its scale, as blocks around left-over people.
    """
    rng = np.random.default_rng(5)
    blocks = [block for block in uniform_plan(width, height) if block.level >= 3]
    top, scale = 0.0, 4.0  # frame px; network px per frame px of the far row (a far person of 20 px is 80 network px)
    while top < height:
        wide, tall = 832.0 / scale, 512.0 / scale
        step = (1.0 - rng.uniform(0.2, 0.3)) * wide
        for k, x in enumerate(np.arange(0.0, max(width - wide, 0.0) + step, step)):
            left = float(min(x, max(width - wide, 0.0)))
            blocks.append(_window(f"row{len(blocks)}", left, min(top, max(height - tall, 0.0)), scale))
            if k % 7 == 0:
                blocks.append(_window(f"near{len(blocks)}", left + wide / 3, max(top - tall / 3, 0.0), 0.6 * scale))
        top += (1.0 - rng.uniform(0.2, 0.3)) * tall
        scale = max(scale * rng.uniform(0.6, 0.7), 0.16)
    return tuple(blocks)


def _window(name: str, x: float, y: float, scale: float) -> Block:
    window = Window(round(x), round(y), round(x) + 832.0 / scale, round(y) + 512.0 / scale)
    return Block(name, 0, PixelGrid(window, 832, 512), window)


TILINGS = {"native + full image": native_and_full, "pyramid": uniform_plan, "rows": rows}


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
    if noise.lapse > 0.0:
        found = np.where((rng.random(len(scene.boxes)) < noise.lapse)[person], found - 0.3, found)
    keep = alive & (longer_px >= MIN_SEEN_PX) & (rng.random(len(boxes)) < found)
    boxes, block, person, share, parts = boxes[keep], block[keep], person[keep], share[keep], parts[keep]
    scores = np.clip(0.4 + 0.5 * share + rng.normal(0.0, 0.1, len(share)), 0.01, 1.0)
    if noise.scores == "random":
        scores = rng.random(len(share))
    if noise.suppress < 1.0:
        stays = _survivors(boxes, scores, block, noise.suppress)
        boxes, block, person, share, parts, scores = (
            values[stays] for values in (boxes, block, person, share, parts, scores)
        )
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


def _survivors(boxes: np.ndarray, scores: np.ndarray, block: np.ndarray, threshold: float) -> np.ndarray:
    """Gives the views that no stronger view of their block overlaps by the threshold or more."""
    i, j = overlapping(boxes, boxes)
    rival = (i != j) & (block[i] == block[j]) & (scores[j] > scores[i])
    i, j = i[rival], j[rival]
    gone = i[iou(boxes[i], boxes[j]) >= threshold]
    return np.setdiff1d(np.arange(len(boxes)), gone)


def _jitter(
    rng: np.random.Generator, boxes: np.ndarray, windows: np.ndarray, scale: np.ndarray, noise: Noise
) -> tuple[np.ndarray, np.ndarray]:
    extent = boxes[:, 2:] - boxes[:, :2]
    sigma = noise.jitter_share * np.concatenate([extent, extent], axis=1) + noise.jitter_px / scale[:, None]
    law = rng.laplace if noise.heavy else rng.normal
    error = law(0.0, np.sqrt(0.5) if noise.heavy else 1.0, boxes.shape)  # spread 1 either way
    moved = boxes + error * sigma
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
