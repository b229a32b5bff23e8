"""How real renders look to a detector that has learned people from photos only: its recall on renders beside photos.

python tests/bench/bench_realism.py --photos DIR [--samples 120] [--seeds 1 2] [--worlds street ...]
    [--photo-windows 0] [--keep-photos FILE] [--pictures DIR] [--json FILE]

DIR holds annotations.json in COCO style (with `split`; "val" is taken) and images/. The shipped weights find people at
their shipped threshold; a person is found at IoU .5. Only clear people count, told by the same rule in both sets: no
more than .3 of the box lies under boxes of people who stand nearer (whose boxes end lower), and the box does not touch
the frame; renders that state the visible share must in addition show .7 of the person. Heights are of the visible box,
network px. The rule cannot see tables and cars that hide people, so a stricter figure stands beside it: only people of
whom .7 of the limb joints are labelled as visible.
Photos are seen three times: each alone, enlarged to fit 832x512, and at .85 and 1.1 of its own size, several packed on
one canvas (sharper people; the report tells both apart), which puts 150 people and more into each band. Crowded people
(IoU > .1 with another) are weighted in the photos so that they make up the same share as in the renders, band by band.
Intervals: photos and samples are drawn again, whole.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from mili_core.api import Predictor
from mili_core.body import NETWORK_HEIGHT, NETWORK_WIDTH, load_body
from mili_core.datasets import Sample
from mili_core.datasets.augment import MEAN_RGB
from mili_core.errors import MiliError
from mili_core.evaluation.detection import FoundBoxes, TrueBoxes, match_boxes
from mili_core.evaluation.keypoints import LIMB_SLOTS, limbs_of_smpl
from mili_core.evaluation.labelled import LabelledPhotos
from mili_core.evaluation.matching import pairwise_inside, pairwise_iou
from mili_core.synth.samples import RenderSource

BANDS_PX = ((40.0, 100.0), (100.0, 200.0), (200.0, 400.0))
MIN_VISIBLE = 0.7
COCO_VISIBLE = 2
CROWDED_IOU = 0.1
PACKED_SCALES = (0.85, 1.1)
FRAME_PX = 2.0
BATCH = 4
ROUNDS = 1000
GOAL = 0.8
LEAST_PEOPLE = 150
TILE_PX = 176

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """One 832x512 canvas and its P people; `group` names the photo or sample that each is from, `clear`, `crowded` and
    `limbs` (.7 of the limb joints are seen) are as in the text above."""

    kind: str
    image: NDArray[np.uint8]
    boxes: FloatArray
    ignore: FloatArray
    clear: NDArray[np.bool_]
    crowded: NDArray[np.bool_]
    limbs: NDArray[np.bool_]
    group: NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class People:
    """P people of many views."""

    height: FloatArray
    clear: NDArray[np.bool_]
    crowded: NDArray[np.bool_]
    limbs: NDArray[np.bool_]
    group: NDArray[np.int64]
    hit: NDArray[np.bool_]
    fitted: NDArray[np.bool_]

    def where(self, chosen: NDArray[np.bool_]) -> People:
        return People(*(getattr(self, field.name)[chosen] for field in fields(self)))


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """A view and what was found: `right` (D,) tells which of the (D, 4) boxes is a person, `doubtful` which lies in an
    ignored region."""

    view: View
    found: FloatArray
    scores: FloatArray
    right: NDArray[np.bool_]
    doubtful: NDArray[np.bool_]
    hit: NDArray[np.bool_]


def covered_share(boxes: FloatArray) -> FloatArray:
    """Gives (P,) the share of each box that lies under the boxes of nearer people."""
    shares = np.zeros(len(boxes), dtype=np.float64)
    steps = (np.arange(32, dtype=np.float64) + 0.5) / 32
    for index, (left, top, right, bottom) in enumerate(boxes):
        nearer = boxes[boxes[:, 3] > bottom]
        x, y = left + steps * (right - left), top + steps * (bottom - top)
        in_x = (x >= nearer[:, :1]) & (x < nearer[:, 2:3])
        in_y = (y >= nearer[:, 1:2]) & (y < nearer[:, 3:])
        shares[index] = (in_y[:, :, None] & in_x[:, None, :]).any(axis=0).mean()
    return shares


def clear_people(boxes: FloatArray, width: float, height: float) -> NDArray[np.bool_]:
    inside = (boxes[:, :2] > FRAME_PX).all(1) & (boxes[:, 2:] < np.array([width, height]) - FRAME_PX).all(1)
    return inside & (covered_share(boxes) <= 1 - MIN_VISIBLE)


def crowded_people(boxes: FloatArray) -> NDArray[np.bool_]:
    overlap = pairwise_iou(boxes, boxes)
    np.fill_diagonal(overlap, 0.0)
    return np.asarray((overlap > CROWDED_IOU).any(axis=1), dtype=bool)


def photo_views(photos: Sequence[Sample], limit: int) -> list[View]:
    """Gives the packed canvases and as many fitted ones as the limit leaves (0 = all)."""
    packed = [view for scale in PACKED_SCALES for view in packed_views(photos, scale)]
    alone = [fitted_view(photo, number) for number, photo in enumerate(photos)]
    return packed + (alone if limit == 0 else alone[: max(0, limit - len(packed))])


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """A photo, its number, and where and how large it lies on a canvas."""

    photo: Sample
    group: int
    x: int
    y: int
    width: int
    height: int


def scaled_size(photo: Sample, scale: float) -> tuple[int, int]:
    """Gives width and height at a scale, or as large as fits the canvas."""
    rows, columns = photo.image.shape[:2]
    scale = min(scale, NETWORK_WIDTH / columns, NETWORK_HEIGHT / rows)
    return max(1, int(columns * scale + 1e-6)), max(1, int(rows * scale + 1e-6))


def fitted_view(photo: Sample, group: int) -> View:
    return canvas_view("fitted", [Piece(photo, group, 0, 0, *scaled_size(photo, np.inf))])


def packed_views(photos: Sequence[Sample], scale: float) -> Iterator[View]:
    """Gives canvases filled row by row with photos at a scale, tall ones first."""
    sizes = [scaled_size(photo, scale) for photo in photos]
    pieces: list[Piece] = []
    x = y = row_height = 0
    for index in sorted(range(len(photos)), key=lambda i: (-sizes[i][1], -sizes[i][0], i)):
        width, height = sizes[index]
        if x + width > NETWORK_WIDTH:
            x, y, row_height = 0, y + row_height, 0
        if y + height > NETWORK_HEIGHT:
            yield canvas_view("packed", pieces)
            pieces, x, y, row_height = [], 0, 0, 0
        pieces.append(Piece(photos[index], index, x, y, width, height))
        x, row_height = x + width, max(row_height, height)
    if pieces:
        yield canvas_view("packed", pieces)


def canvas_view(kind: str, pieces: Sequence[Piece]) -> View:
    """Gives scaled photos on one canvas of the mean colour."""
    canvas = np.empty((NETWORK_HEIGHT, NETWORK_WIDTH, 3), dtype=np.uint8)
    canvas[:] = MEAN_RGB
    boxes, ignore, groups = [np.zeros((0, 4))], [np.zeros((0, 4))], [np.zeros(0, dtype=np.int64)]
    clear, crowded, limbs = ([np.zeros(0, dtype=bool)] for _ in range(3))
    for piece in pieces:
        photo, width, height = piece.photo, piece.width, piece.height
        rows, columns = photo.image.shape[:2]
        how = cv2.INTER_AREA if width < columns else cv2.INTER_LINEAR
        placed = slice(piece.y, piece.y + height), slice(piece.x, piece.x + width)
        canvas[placed] = cv2.resize(photo.image, (width, height), interpolation=how)
        factors, offset = np.tile([width / columns, height / rows], 2), np.tile([piece.x, piece.y], 2)
        own = photo.boxes_xyxy.astype(np.float64)
        boxes.append(own * factors + offset)
        ignore.append(photo.ignore_boxes_xyxy * factors + offset)
        clear.append(clear_people(own, columns, rows))
        crowded.append(crowded_people(own))
        limbs.append((photo.keypoints[:, LIMB_SLOTS, 2] == COCO_VISIBLE).mean(axis=1) >= MIN_VISIBLE)
        groups.append(np.full(len(own), piece.group, dtype=np.int64))
    joined = (np.concatenate(part) for part in (boxes, ignore, clear, crowded, limbs, groups))
    return View(kind, canvas, *joined)


def render_views(source: RenderSource, seeds: Sequence[int], samples: int) -> Iterator[View]:
    for number, seed in enumerate(seeds):
        rng = np.random.default_rng(seed)
        for index in range(samples):
            sample = source.draw(rng)
            boxes = sample.boxes_xyxy.astype(np.float64)
            clear = clear_people(boxes, NETWORK_WIDTH, NETWORK_HEIGHT)
            visible = getattr(sample.bodies, "visible_fraction", None)
            if visible is not None:
                clear &= np.asarray(visible) >= MIN_VISIBLE
            group = np.full(len(boxes), number * samples + index, dtype=np.int64)
            ignore = sample.ignore_boxes_xyxy.astype(np.float64)
            yield View("render", sample.image, boxes, ignore, clear, crowded_people(boxes), limbs_seen(sample), group)


def limbs_seen(sample: Sample) -> NDArray[np.bool_]:
    if sample.bodies is None:
        return np.zeros(len(sample.boxes_xyxy), dtype=bool)
    return np.asarray((limbs_of_smpl(sample.bodies.joints2d)[..., 2] > 0).mean(axis=1) >= MIN_VISIBLE, dtype=bool)


def outcomes(predictor: Predictor, views: Sequence[View]) -> list[Outcome]:
    done = []
    for first in range(0, len(views), BATCH):
        batch = views[first : first + BATCH]
        for view, found in zip(batch, predictor.predict([view.image for view in batch]), strict=True):
            pairs = match_boxes(FoundBoxes(found.boxes_xyxy, found.scores), TrueBoxes(view.boxes, view.ignore), 0.5)
            done.append(
                Outcome(
                    view,
                    found.boxes_xyxy[pairs.order].astype(np.float64),
                    pairs.scores,
                    pairs.right,
                    pairs.ignored,
                    np.isin(np.arange(len(view.boxes)), pairs.truth),
                )
            )
    return done


def people_of(seen: Sequence[Outcome]) -> People:
    columns = [
        (
            one.view.boxes[:, 3] - one.view.boxes[:, 1],
            one.view.clear,
            one.view.crowded,
            one.view.limbs,
            one.view.group,
            one.hit,
            np.full(len(one.hit), one.view.kind == "fitted"),
        )
        for one in seen
    ]
    return People(*(np.concatenate(column) for column in zip(*columns, strict=True)))


def in_band(people: People, low: float, high: float) -> People:
    return people.where(people.clear & (people.height >= low) & (people.height < high))


def weighted_recall(weights: FloatArray, people: People, crowded_share: float) -> FloatArray:
    """Gives (R,) recall for (R, P) weights, the crowded people making up the given share where there are both kinds."""
    parts = []
    for kind in (people.crowded, ~people.crowded):
        total = weights[:, kind].sum(1)
        parts.append(
            np.divide(weights[:, kind] @ people.hit[kind], total, out=np.full(len(total), np.nan), where=total > 0)
        )
    crowded, alone = parts
    mixed = crowded_share * crowded + (1 - crowded_share) * alone
    only_one = np.where(np.isnan(alone), crowded, alone)
    return np.asarray(np.where(np.isnan(mixed), only_one, mixed), dtype=np.float64)


def draws(people: People, rng: np.random.Generator) -> FloatArray:
    """Gives (1 + ROUNDS, P) weights: all once, then how often each person's photo or sample was drawn again."""
    groups, index = np.unique(people.group, return_inverse=True)
    counts = rng.multinomial(len(groups), np.full(len(groups), 1 / max(len(groups), 1)), size=ROUNDS)
    return np.concatenate([np.ones((1, len(index))), counts[:, index]])


def band_row(renders: People, photos: People, low: float, high: float) -> dict[str, object]:
    ours, real = in_band(renders, low, high), in_band(photos, low, high)
    soft, sharp = real.where(real.fitted), real.where(~real.fitted)
    return {
        "band": f"{low:.0f}-{high:.0f}",
        "all": comparison(ours, real),
        "limbs": comparison(ours.where(ours.limbs), real.where(real.limbs)),
        "recall_photos_unweighted": float(real.hit.mean()) if len(real.hit) else None,
        "recall_photos_enlarged": float(soft.hit.mean()) if len(soft.hit) else None,
        "recall_photos_packed": float(sharp.hit.mean()) if len(sharp.hit) else None,
    }


def comparison(ours: People, real: People) -> dict[str, object]:
    """Gives recall and their ratio, the photos weighted to the renders' crowding; the counts alone if one is empty."""
    counts: dict[str, object] = {"renders": len(ours.hit), "photos": len(real.hit)}
    if len(ours.hit) == 0 or len(real.hit) == 0:
        return counts
    rng = np.random.default_rng(0)
    share = float(ours.crowded.mean())
    on_renders = weighted_recall(draws(ours, rng), ours, share)
    on_photos = weighted_recall(draws(real, rng), real, share)
    return counts | {
        "crowded_renders": share,
        "crowded_photos": float(real.crowded.mean()),
        "recall_renders": with_interval(on_renders),
        "recall_photos": with_interval(on_photos),
        "ratio": with_interval(on_renders / np.maximum(on_photos, 1e-9)),
    }


def with_interval(values: FloatArray) -> tuple[float, float, float]:
    """Gives the figure itself and the ends of its 95 % interval."""
    low, high = np.nanpercentile(values[1:], [2.5, 97.5])
    return float(values[0]), float(low), float(high)


def wrong_kinds(seen: Sequence[Outcome]) -> dict[str, int]:
    """Counts wrong detections by what they sit on."""
    counts = dict.fromkeys(("second box of a person found", "loose or partial box", "several people", "nobody"), 0)
    for one in seen:
        for box in one.found[~one.right & ~one.doubtful]:
            counts[wrong_kind(box, one)] += 1
    return counts


def wrong_kind(box: FloatArray, one: Outcome) -> str:
    people = one.view.boxes
    if len(people) == 0:
        return "nobody"
    overlap = pairwise_iou(box[None], people)[0]
    best = int(overlap.argmax())
    if (pairwise_inside(people, box[None])[:, 0] > 0.6).sum() >= 2 and overlap[best] < 0.5:
        return "several people"
    if overlap[best] >= 0.5 or (overlap[best] > 0.2 and one.hit[best]):
        return "second box of a person found"
    if overlap[best] > 0.2 or pairwise_inside(box[None], people)[0].max() > 0.6:
        return "loose or partial box"
    return "nobody"


def detections_summary(seen: Sequence[Outcome]) -> dict[str, object]:
    right = sum(int(one.right.sum()) for one in seen)
    wrong = sum(int((~one.right & ~one.doubtful).sum()) for one in seen)
    return {
        "images": len(seen),
        "people": sum(len(one.hit) for one in seen),
        "precision": right / max(right + wrong, 1),
        "wrong_per_image": wrong / max(len(seen), 1),
        "wrong_by_place": wrong_kinds(seen),
    }


def save_pictures(folder: Path, seen: Sequence[Outcome], name: str) -> None:
    """Writes mosaics of missed clear people by band and of wrong detections, the most certain first."""
    folder.mkdir(parents=True, exist_ok=True)
    for low, high in BANDS_PX:
        tiles = []
        for one in seen:
            heights = one.view.boxes[:, 3] - one.view.boxes[:, 1]
            missed = one.view.clear & ~one.hit & (heights >= low) & (heights < high)
            tiles += [
                tile(one.view.image, box, (255, 220, 0), f"{box[3] - box[1]:.0f}px") for box in one.view.boxes[missed]
            ]
        save_mosaic(folder / f"{name}_missed_{low:.0f}-{high:.0f}.png", tiles)
    wrong = [
        (float(score), tile(one.view.image, box, (255, 40, 40), f"{score:.2f} {wrong_kind(box, one)[:12]}"))
        for one in seen
        for box, score, bad in zip(one.found, one.scores, ~one.right & ~one.doubtful, strict=True)
        if bad
    ]
    save_mosaic(folder / f"{name}_wrong.png", [picture for _, picture in sorted(wrong, key=lambda pair: -pair[0])])


def tile(image: NDArray[np.uint8], box: FloatArray, colour: tuple[int, int, int], words: str) -> NDArray[np.uint8]:
    """Gives the square about a box, enlarged to TILE_PX, with the box drawn."""
    centre, side = (box[:2] + box[2:]) / 2, 1.35 * float((box[2:] - box[:2]).max())
    scale = TILE_PX / side
    shift = TILE_PX / 2 - centre * scale
    matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
    picture = cv2.warpAffine(image, matrix, (TILE_PX, TILE_PX), flags=cv2.INTER_LINEAR, borderValue=(60, 60, 60))
    corners = np.rint(box * scale + np.tile(shift, 2)).astype(int).tolist()
    cv2.rectangle(picture, corners[:2], corners[2:], colour, 1)
    cv2.putText(picture, words, (3, 12), cv2.FONT_HERSHEY_SIMPLEX, 0.38, colour, 1, cv2.LINE_AA)
    return np.asarray(picture, dtype=np.uint8)


def save_mosaic(path: Path, tiles: Sequence[NDArray[np.uint8]], columns: int = 8, rows: int = 6) -> None:
    chosen = list(tiles[: columns * rows])
    if not chosen:
        return
    chosen += [np.zeros_like(chosen[0])] * (-len(chosen) % columns)
    lines = [np.concatenate(chosen[start : start + columns], axis=1) for start in range(0, len(chosen), columns)]
    cv2.imwrite(str(path), np.concatenate(lines, axis=0)[..., ::-1])


def shown(row: dict[str, object]) -> str:
    """Gives the two lines of a band."""
    lines = []
    for name in ("all", "limbs"):
        figures = row[name]
        assert isinstance(figures, dict)
        line = f"{row['band'] if name == 'all' else 'limbs':>8} {figures['renders']:7} {figures['photos']:7}"
        if "ratio" in figures:
            values = (figures[key] for key in ("recall_renders", "recall_photos", "ratio"))
            line += f" {figures['crowded_renders']:.2f}/{figures['crowded_photos']:.2f}  "
            line += "  ".join(f"{value:.3f} [{low:.3f}, {high:.3f}]" for value, low, high in values)
        lines.append(line + (" (few)" if min(figures["renders"], figures["photos"]) < LEAST_PEOPLE else ""))
    return "\n".join(lines)


def render_source(people: tuple[int, int], worlds: Sequence[str]) -> RenderSource:
    source = RenderSource(load_body(), NETWORK_WIDTH, NETWORK_HEIGHT, people=people)
    if not worlds:
        return source
    unknown = sorted(set(worlds) - set(source.preset.worlds))
    if unknown:
        sys.exit(f"--worlds: {unknown[0]!r} is unknown; give some of {', '.join(source.preset.worlds)}")
    return replace(source, preset=replace(source.preset, worlds=tuple(worlds)))


def photo_outcome(predictor: Predictor, options: argparse.Namespace) -> tuple[People, dict[str, object]]:
    """Gives the photos' people and figures, from the file of --keep-photos where it is there."""
    kept: Path | None = options.keep_photos
    if kept is not None and kept.is_file():
        with np.load(kept) as stored:
            people = People(*(stored[field.name] for field in fields(People)))
            return people, json.loads(str(stored["summary"]))
    photos = LabelledPhotos(options.photos, "val")
    seen = outcomes(predictor, photo_views([photos[i] for i in range(len(photos))], options.photo_windows))
    if options.pictures is not None:
        save_pictures(options.pictures, seen, "photos")
    alone = [one for one in seen if one.view.kind == "fitted"]
    summary = {"photos": detections_summary(seen), "photos, fitted": detections_summary(alone)}
    people = people_of(seen)
    if kept is not None:
        arrays = {field.name: getattr(people, field.name) for field in fields(People)}
        np.savez(kept, summary=np.array(json.dumps(summary)), **arrays)
    return people, dict(summary)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True, help="COCO-style folder with a val split")
    parser.add_argument("--samples", type=int, default=120, help="renders for each seed")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--people", type=int, nargs=2, default=[4, 14])
    parser.add_argument("--worlds", nargs="*", default=[], help="names of worlds; all when left out")
    parser.add_argument("--photo-windows", type=int, default=0, help="at most so many canvases of photos; 0 = all")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument(
        "--keep-photos", type=Path, default=None, help=".npz: what was found in the photos is written to it, then read"
    )
    parser.add_argument("--pictures", type=Path, default=None, help="writes mosaics of missed people and wrong boxes")
    parser.add_argument("--json", type=Path, default=None)
    options = parser.parse_args()
    try:
        LabelledPhotos(options.photos, "val")
    except MiliError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    torch.set_num_threads(options.threads)
    cv2.setNumThreads(options.threads)
    predictor = Predictor.load(device="cpu")
    real, photo_summary = photo_outcome(predictor, options)
    start = time.perf_counter()
    source = render_source((options.people[0], options.people[1]), options.worlds)
    views = list(render_views(source, options.seeds, options.samples))
    each_ms = (time.perf_counter() - start) / len(views) * 1000
    ours = outcomes(predictor, views)
    rows = [band_row(people_of(ours), real, *band) for band in BANDS_PX]
    summary = {"renders": detections_summary(ours)} | photo_summary
    print(f"height px renders photos crowded   recall on renders     recall on photos      ratio (aim >= {GOAL})")
    print("\n".join(shown(row) for row in rows))
    for name, figures in summary.items():
        print(f"{name}: {json.dumps(figures)}")
    print(f"rendering: {each_ms:.0f} ms a sample on {options.threads} thread(s)")
    if options.pictures is not None:
        save_pictures(options.pictures, ours, "renders")
    if options.json is not None:
        report = {"bands": rows, "detections": summary, "samples": options.samples, "seeds": options.seeds}
        options.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
