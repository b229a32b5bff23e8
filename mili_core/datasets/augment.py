"""Random views of training samples: one scaling and shift, a flip, light, detail, then padding to the canvas.

Order: `place` (geometry, occluders) -> `photometric` (light, detail) -> `pad`; padding comes last so that it stays the
mean colour, which is 0 after normalisation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from mili_core.datasets.clip import clip_polygons
from mili_core.datasets.degrade import DegradeSettings, degrade, draw_scale
from mili_core.datasets.flip import flip
from mili_core.datasets.occluders import hide_part
from mili_core.datasets.sample import BESIDE, Float32Array, Polygons, Sample, without_people
from mili_core.datasets.twins import jpeg_round_trip

MEAN_RGB = (124, 116, 104)


@dataclass(frozen=True, slots=True)
class AugmentSettings:
    """How far augmentation goes; sizes are px of the output canvas, probabilities are per sample.

    Attributes:
        width, height: the canvas.
        person_height_px: a random person of the photo comes out about this tall, drawn log-uniformly.
        max_zoom: enlargement never exceeds this.
        min_fill: the photo is never shrunk below this share of the largest size that fits the canvas.
        keep_person: probability that the crop holds that person whole (where the canvas is large enough).
        min_visible: a person with less of its box left becomes an ignore box.
        min_height_px: so does a person whose box is less tall.
        flip: probability of a horizontal flip.
        occluder: probability that a patch covers part of a person.
        gain: each channel is multiplied by U(1 - gain, 1 + gain).
        contrast: contrast about mid grey is multiplied by U(1 - contrast, 1 + contrast).
        brightness: U(-brightness, brightness) is added, in 0..255 units.
        grey: probability of losing the colour.
        degrade: probability of losing detail, as `degrade_settings` say.
        degrade_settings: how detail is lost.
        jpeg: probability of a JPEG round trip.
        jpeg_quality: drawn uniformly from here, ends included.
    """

    width: int = 416
    height: int = 256
    person_height_px: tuple[float, float] = (24.0, 400.0)
    max_zoom: float = 2.5
    min_fill: float = 0.6
    keep_person: float = 0.85
    min_visible: float = 0.2
    min_height_px: float = 8.0
    flip: float = 0.5
    occluder: float = 0.15
    gain: float = 0.2
    contrast: float = 0.25
    brightness: float = 24.0
    grey: float = 0.08
    degrade: float = 0.4
    degrade_settings: DegradeSettings = field(default_factory=DegradeSettings)
    jpeg: float = 0.25
    jpeg_quality: tuple[int, int] = (40, 95)

    def sharp(self) -> AugmentSettings:
        """Gives the same settings without loss of detail: high resolution, from which twins are made."""
        return replace(self, degrade=0.0, jpeg=0.0)


@dataclass(frozen=True, slots=True)
class _View:
    """A window of a photo (whole source px, half-open) and the size it is resampled to."""

    x0: int
    y0: int
    x1: int
    y1: int
    width: int
    height: int

    @property
    def factors(self) -> Float32Array:
        """Output px per source px along x and y; (2,)."""
        return np.array([self.width / (self.x1 - self.x0), self.height / (self.y1 - self.y0)], dtype=np.float32)

    @property
    def origin(self) -> Float32Array:
        """Source px of the window's corner; (2,)."""
        return np.array([self.x0, self.y0], dtype=np.float32)


def augment(sample: Sample, rng: np.random.Generator, settings: AugmentSettings) -> Sample:
    """Gives a random view of a sample on the canvas; the same rng state gives the same view.

    Raises:
        ValueError: the sample has SMPL truth, which cannot be moved (use `still_view`).
    """
    view = photometric(place(sample, rng, settings), rng, settings)
    return pad(view, settings.width, settings.height)


def still_view(sample: Sample, rng: np.random.Generator, settings: AugmentSettings) -> Sample:
    """Gives a random view that moves nothing but left and right; for samples with SMPL truth.

    Scaling or cutting would change the camera that the truth belongs to.

    Raises:
        ValueError: the sample is larger than the canvas.
    """
    mirrored = flip(sample) if rng.random() < settings.flip else sample
    return pad(photometric(occlude(mirrored, rng, settings), rng, settings), settings.width, settings.height)


def occlude(sample: Sample, rng: np.random.Generator, settings: AugmentSettings) -> Sample:
    """Gives the sample, at the settings' probability with a patch of itself over part of one person."""
    return hide_part(sample, rng) if rng.random() < settings.occluder else sample


def place(sample: Sample, rng: np.random.Generator, settings: AugmentSettings) -> Sample:
    """Gives a random window of the sample, resampled and perhaps flipped; at most as large as the canvas."""
    if sample.bodies is not None:
        raise ValueError(f"sample {sample.image_id} has SMPL truth, which cannot be moved: use still_view()")
    view = _draw_view(sample, rng, settings)
    moved = _move(sample, view, settings)
    moved = flip(moved) if rng.random() < settings.flip else moved
    return occlude(moved, rng, settings)


def photometric(sample: Sample, rng: np.random.Generator, settings: AugmentSettings) -> Sample:
    """Gives the sample in another light and with less detail; coordinates stay."""
    image = np.asarray(cv2.LUT(sample.image, _tone_curves(rng, settings)), dtype=np.uint8)
    if rng.random() < settings.grey:
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        image = np.repeat(np.asarray(grey, dtype=np.uint8)[..., None], 3, axis=2)
    if rng.random() < settings.degrade:
        image = degrade(image, draw_scale(rng, settings.degrade_settings), settings.degrade_settings)
    if rng.random() < settings.jpeg:
        image = jpeg_round_trip(image, int(rng.integers(settings.jpeg_quality[0], settings.jpeg_quality[1] + 1)))
    return replace(sample, image=np.ascontiguousarray(image))


def pad(sample: Sample, width: int, height: int) -> Sample:
    """Gives the sample on a canvas of the given size, the mean colour at the right and at the bottom.

    Raises:
        ValueError: the image is larger than the canvas.
    """
    rows, columns = sample.image.shape[:2]
    if rows > height or columns > width:
        raise ValueError(f"sample {sample.image_id} is {columns}x{rows}, larger than the canvas {width}x{height}")
    if (rows, columns) == (height, width):
        return sample
    canvas = np.empty((height, width, 3), dtype=np.uint8)
    canvas[:] = MEAN_RGB
    canvas[:rows, :columns] = sample.image
    return replace(sample, image=canvas, filled=(rows, columns))


def join(pieces: Sequence[tuple[Sample, int, int]], width: int, height: int) -> Sample:
    """Gives several samples on one canvas of the mean colour.

    Args:
        pieces: samples with the canvas px (x, y) of their top-left corners; none reaches outside or has SMPL truth.
        width: canvas width, px.
        height: canvas height, px.
    """
    canvas = np.empty((height, width, 3), dtype=np.uint8)
    canvas[:] = MEAN_RGB
    for sample, x, y in pieces:
        rows, columns = sample.image.shape[:2]
        canvas[y : y + rows, x : x + columns] = sample.image
    moved = [_shift(sample, np.array([x, y], dtype=np.float32)) for sample, x, y in pieces]
    none = without_people(canvas, "")
    return Sample(
        image_id=BESIDE.join(sample.image_id for sample in moved),
        image=canvas,
        boxes_xyxy=np.concatenate([none.boxes_xyxy, *(sample.boxes_xyxy for sample in moved)]),
        polygons=tuple(rings for sample in moved for rings in sample.polygons),
        keypoints=np.concatenate([none.keypoints, *(sample.keypoints for sample in moved)]),
        ignore_boxes_xyxy=np.concatenate([none.ignore_boxes_xyxy, *(sample.ignore_boxes_xyxy for sample in moved)]),
        boxes_complete=all(sample.boxes_complete for sample in moved),
        scene_id=BESIDE.join(sample.scene for sample in moved),
    )


def _draw_view(sample: Sample, rng: np.random.Generator, settings: AugmentSettings) -> _View:
    rows, columns = sample.image.shape[:2]
    target_px = float(np.exp(rng.uniform(*np.log(settings.person_height_px))))
    fits = min(settings.width / columns, settings.height / rows)
    lowest = min(settings.min_fill * fits, settings.max_zoom)
    anchor = _draw_anchor(sample, target_px, (lowest, settings.max_zoom), rng)
    if anchor is None:
        scale = float(np.exp(rng.uniform(np.log(lowest), np.log(settings.max_zoom))))
    else:
        scale = float(np.clip(target_px / (anchor[3] - anchor[1]), lowest, settings.max_zoom))
    keep = anchor if anchor is not None and rng.random() < settings.keep_person else None
    span_x = None if keep is None else (float(keep[0]), float(keep[2]))
    span_y = None if keep is None else (float(keep[1]), float(keep[3]))
    x0, x1 = _draw_interval(columns, settings.width / scale, span_x, rng)
    y0, y1 = _draw_interval(rows, settings.height / scale, span_y, rng)
    width = min(settings.width, max(1, round((x1 - x0) * scale)))
    height = min(settings.height, max(1, round((y1 - y0) * scale)))
    return _View(x0, y0, x1, y1, width, height)


def _draw_anchor(
    sample: Sample, target_px: float, scales: tuple[float, float], rng: np.random.Generator
) -> Float32Array | None:
    """Gives the (4,) box of a random person who can come out `target_px` tall, else whoever comes closest."""
    if not len(sample.boxes_xyxy):
        return None
    heights = np.maximum(sample.boxes_xyxy[:, 3] - sample.boxes_xyxy[:, 1], 1e-3)
    misfit = np.abs(np.log(np.clip(target_px / heights, *scales) * heights / target_px))
    candidates = np.flatnonzero(misfit <= max(float(misfit.min()), 1e-6))
    chosen: Float32Array = sample.boxes_xyxy[rng.choice(candidates)]
    return chosen


def _draw_interval(
    size: int, window: float, keep: tuple[float, float] | None, rng: np.random.Generator
) -> tuple[int, int]:
    """Gives whole ends of a window on [0, size) that holds `keep` where it is long enough."""
    length = max(1, min(size, round(window)))
    low, high = 0.0, float(size - length)
    if keep is not None:
        ends = sorted((keep[1] - length, keep[0]))
        low, high = (float(np.clip(end, 0, size - length)) for end in ends)
    start = round(float(rng.uniform(low, high)))
    return start, start + length


def _move(sample: Sample, view: _View, settings: AugmentSettings) -> Sample:
    """Gives what a view shows; people with too little left become ignore boxes, people outside vanish."""
    boxes = _view_boxes(sample.boxes_xyxy, view)
    clipped = _clip_boxes(boxes, view)
    polygons = [None if rings is None else _view_rings(rings, view) for rings in sample.polygons]
    clipped = _tighten(clipped, boxes, polygons)
    inside = _areas(clipped) > 0
    tall = clipped[:, 3] - clipped[:, 1] >= settings.min_height_px
    whole = np.maximum(_areas(boxes), 1e-6)
    kept = inside & tall & (_areas(clipped) >= settings.min_visible * whole)
    crowds = _clip_boxes(_view_boxes(sample.ignore_boxes_xyxy, view), view)
    ignored = np.concatenate([crowds[_areas(crowds) > 0], clipped[inside & ~kept]])
    return replace(
        sample,
        image=resized(sample.image[view.y0 : view.y1, view.x0 : view.x1], view.width, view.height),
        boxes_xyxy=clipped[kept],
        polygons=tuple(
            rings or None if rings is not None else None for rings, k in zip(polygons, kept, strict=True) if k
        ),
        keypoints=_view_keypoints(sample.keypoints[kept], view),
        ignore_boxes_xyxy=ignored,
    )


def _view_boxes(boxes_xyxy: Float32Array, view: _View) -> Float32Array:
    moved: Float32Array = (boxes_xyxy - np.tile(view.origin, 2)) * np.tile(view.factors, 2)
    return moved


def _clip_boxes(boxes_xyxy: Float32Array, view: _View) -> Float32Array:
    limits = np.array([view.width, view.height] * 2, dtype=np.float32)
    return np.clip(boxes_xyxy, np.float32(0), limits)


def _tighten(clipped: Float32Array, whole: Float32Array, polygons: Sequence[Polygons | None]) -> Float32Array:
    """Gives the clipped boxes, shrunk to what is left of the outline where the window cuts a person."""
    result = clipped.copy()
    for i, rings in enumerate(polygons):
        if rings and not np.array_equal(clipped[i], whole[i]):
            points = np.concatenate(rings)
            result[i, :2] = np.maximum(clipped[i, :2], points.min(0))
            result[i, 2:] = np.maximum(np.minimum(clipped[i, 2:], points.max(0)), result[i, :2])
    return result


def _view_rings(rings: Polygons, view: _View) -> Polygons:
    moved = tuple((ring - view.origin) * view.factors for ring in rings)
    return clip_polygons(moved, float(view.width), float(view.height))


def _view_keypoints(keypoints: Float32Array, view: _View) -> Float32Array:
    result = keypoints.copy()
    result[..., :2] = (keypoints[..., :2] - view.origin) * view.factors
    inside = ((result[..., :2] >= 0) & (result[..., :2] < np.array([view.width, view.height]))).all(-1)
    result[~(inside & (keypoints[..., 2] > 0))] = 0.0
    return result


def _areas(boxes_xyxy: Float32Array) -> Float32Array:
    size = np.maximum(boxes_xyxy[:, 2:] - boxes_xyxy[:, :2], 0)
    areas: Float32Array = size[:, 0] * size[:, 1]
    return areas


def _shift(sample: Sample, offset: Float32Array) -> Sample:
    if sample.bodies is not None:
        raise ValueError(f"sample {sample.image_id} has SMPL truth, which cannot be moved")
    keypoints = sample.keypoints.copy()
    keypoints[..., :2] += np.where(keypoints[..., 2:] > 0, offset, np.float32(0))
    return replace(
        sample,
        boxes_xyxy=sample.boxes_xyxy + np.tile(offset, 2),
        ignore_boxes_xyxy=sample.ignore_boxes_xyxy + np.tile(offset, 2),
        polygons=tuple(None if rings is None else tuple(r + offset for r in rings) for rings in sample.polygons),
        keypoints=keypoints,
    )


def resized(image: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """Gives the image at another size: averaged when it shrinks, bilinear when it grows."""
    shrinks = width < image.shape[1] or height < image.shape[0]
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, (width, height), interpolation=how), dtype=np.uint8)


def _tone_curves(rng: np.random.Generator, settings: AugmentSettings) -> NDArray[np.uint8]:
    """Gives the (1, 256, 3) lookup table of a random gain per channel, contrast and brightness."""
    gain = rng.uniform(1 - settings.gain, 1 + settings.gain, 3)
    contrast = rng.uniform(1 - settings.contrast, 1 + settings.contrast)
    brightness = rng.uniform(-settings.brightness, settings.brightness)
    levels = np.arange(256, dtype=np.float64)[:, None] * gain
    curve = (levels - 127.5) * contrast + 127.5 + brightness
    return np.clip(np.rint(curve), 0, 255).astype(np.uint8)[None]
