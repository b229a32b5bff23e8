"""Samples with nobody in them: person-free windows of photos, and artificial canvases."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from mili_core.datasets.augment import AugmentSettings, pad, photometric, resized
from mili_core.datasets.sample import Sample, without_people

NEGATIVE_TRIES = 96
NEGATIVE_MAX_ZOOM = 4.0


def person_free_crop(sample: Sample, rng: np.random.Generator, settings: AugmentSettings) -> Sample | None:
    """Gives a window that touches neither a person nor an ignore box, brought to the canvas; None if none was found.

    Three of four windows fill the canvas by mirrored repetition, the others are padded; enlargement varies up to
    NEGATIVE_MAX_ZOOM. Samples with incomplete boxes give None.
    """
    window = _draw_free_window(sample, rng) if sample.boxes_complete else None
    if window is None:
        return None
    x0, y0, x1, y1 = window
    patch = resized(sample.image[y0:y1, x0:x1], *_negative_size(x1 - x0, y1 - y0, rng, settings))
    if rng.random() < settings.flip:
        patch = np.ascontiguousarray(patch[:, ::-1])
    if rng.random() < 0.75:
        bottom, right = settings.height - patch.shape[0], settings.width - patch.shape[1]
        patch = np.asarray(cv2.copyMakeBorder(patch, 0, bottom, 0, right, cv2.BORDER_REFLECT), dtype=np.uint8)
    free = replace(without_people(patch, f"{sample.image_id}#free"), scene_id=sample.scene)
    view = photometric(free, rng, settings)
    return pad(view, settings.width, settings.height)


def empty_canvas(rng: np.random.Generator, settings: AugmentSettings) -> Sample:
    """Gives a canvas with no person that needs no photo: flat, gradient, noise or a soft random texture."""
    kind = int(rng.integers(4))
    height, width = settings.height, settings.width
    if kind == 0:
        image = np.broadcast_to(rng.uniform(0, 255, 3), (height, width, 3))
    elif kind == 1:
        image = _enlarged_noise(rng, 2, 2, settings, cv2.INTER_LINEAR)
    elif kind == 2:
        image = rng.normal(rng.uniform(40, 215), rng.uniform(5, 60), (height, width, 3))
    else:
        cell = int(rng.integers(3, 33))
        image = _enlarged_noise(rng, height // cell + 2, width // cell + 2, settings, cv2.INTER_CUBIC)
    pixels = np.ascontiguousarray(np.clip(image, 0, 255), dtype=np.uint8)
    return photometric(without_people(pixels, f"canvas/{int(rng.integers(2**31))}"), rng, settings)


def _enlarged_noise(
    rng: np.random.Generator, rows: int, columns: int, settings: AugmentSettings, interpolation: int
) -> NDArray[np.float64]:
    coarse = rng.uniform(0, 255, (rows, columns, 3))
    enlarged = cv2.resize(coarse, (settings.width, settings.height), interpolation=interpolation)
    return np.asarray(enlarged, dtype=np.float64)


def _draw_free_window(sample: Sample, rng: np.random.Generator) -> tuple[int, int, int, int] | None:
    """Gives the first of many random windows that touches no box, preferring large ones; or None."""
    rows, columns = sample.image.shape[:2]
    boxes = np.concatenate([sample.boxes_xyxy, sample.ignore_boxes_xyxy])
    shares = np.sort(rng.uniform(0.15, 1.0, NEGATIVE_TRIES))[::-1]
    width = np.maximum(16, columns * shares * rng.uniform(0.6, 1.0, NEGATIVE_TRIES)).clip(max=columns).astype(np.int64)
    height = np.maximum(16, rows * shares * rng.uniform(0.6, 1.0, NEGATIVE_TRIES)).clip(max=rows).astype(np.int64)
    x0 = rng.integers(0, columns - width + 1)
    y0 = rng.integers(0, rows - height + 1)
    touches = (
        (x0[:, None] < boxes[:, 2]) & (x0[:, None] + width[:, None] > boxes[:, 0])
        & (y0[:, None] < boxes[:, 3]) & (y0[:, None] + height[:, None] > boxes[:, 1])
    ).any(1)  # fmt: skip
    free = np.flatnonzero(~touches)
    if not len(free):
        return None
    i = int(free[0])
    return int(x0[i]), int(y0[i]), int(x0[i] + width[i]), int(y0[i] + height[i])


def _negative_size(width: int, height: int, rng: np.random.Generator, settings: AugmentSettings) -> tuple[int, int]:
    """Gives a size for a person-free window: from half of what fits the canvas to all of it, zoom limited."""
    fits = min(settings.width / width, settings.height / height)
    scale = min(fits * float(rng.uniform(0.5, 1.0)), NEGATIVE_MAX_ZOOM)
    return min(settings.width, max(1, round(width * scale))), min(settings.height, max(1, round(height * scale)))
