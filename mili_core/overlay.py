"""People drawn over their picture: boxes, tinted outlines and skeletons.

cv2.imwrite("overlay.png", cv2.cvtColor(draw_people(image, people), cv2.COLOR_RGB2BGR))
"""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mili_core.body import PARENTS
from mili_core.detections import Detections
from mili_core.errors import ImageError

Image = NDArray[np.uint8]
Colour = tuple[int, int, int]
Float64Array = NDArray[np.float64]

SIDE_PER_LINE_PX = 1500
"""Lines grow with the picture, one px for each so many px of its longer side: visible with the whole on a screen."""
PERSON_PER_LINE_PX = 40.0
"""Lines of a small person are thinner: one px for each so many px of the person's height in the picture."""
SMALLEST_SKELETON_PX = 32.0
"""People smaller than this in the picture get box and outline only: a skeleton would hide them."""
LEAST_CONFIDENCE = 0.1
"""Bones whose two joints are both surer than this are drawn bright, the others (hidden or cut off) dimmed."""
OUTLINE_OPACITY = 0.25
MASK_SCALE = 8
"""Masks are enlarged so many times before they are traced: steps of an eighth of a mask pixel are not seen."""

_SUBPIXEL_BITS = 4  # cv2 draws from fixed-point coordinates
_GOLDEN_RATIO = 0.618033988749895


@dataclass(frozen=True, slots=True, eq=False)
class Figure:
    """What is drawn of a person, picture px.

    Attributes:
        box_xyxy: (4,).
        rings: of the outline, holes included, each (K, 2).
        joints2d: (24, 3) x, y, confidence, or None.
        colour: (r, g, b).
    """

    box_xyxy: Float64Array
    rings: Sequence[Float64Array]
    joints2d: Float64Array | None
    colour: Colour


def draw_people(image: Image, people: Detections) -> Image:
    """Gives a copy of an image with its people on it, each in a colour of its own.

    Nearer people (whose feet are lower) are drawn over farther ones.

    Args:
        image: (H, W, 3) uint8 sRGB, the one that was given to the model.
        people: what the model said about it.

    Returns:
        (H, W, 3) uint8.

    Raises:
        ImageError: another dtype or shape, or no pixels.
    """
    masks, mask_boxes = people.masks, people.mask_boxes_xyxy
    figures = []
    for row in range(len(people)):
        rings = () if masks is None or mask_boxes is None else _outline(masks[row], mask_boxes[row].astype(np.float64))
        box, joints = people.boxes_xyxy[row].astype(np.float64), people.joints2d[row].astype(np.float64)
        figures.append(Figure(box, rings, joints, person_colour(row)))
    return draw_figures(image, figures)


def draw_figures(image: Image, figures: Sequence[Figure]) -> Image:
    """Gives a copy of an image (H, W, 3) uint8 sRGB with figures on it, those with lower feet last.

    Raises:
        ImageError: another dtype or shape, or no pixels.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
        raise ImageError(f"picture is {image.dtype}{image.shape}, expected uint8 (height, width, 3), not empty")
    canvas: Image = np.ascontiguousarray(image).copy()
    widest = max(1.0, max(image.shape[:2]) / SIDE_PER_LINE_PX)
    for figure in sorted(figures, key=lambda each: (each.box_xyxy[3], each.box_xyxy[0])):
        height = float(figure.box_xyxy[3] - figure.box_xyxy[1])
        line = round(min(max(height / PERSON_PER_LINE_PX, 1.0), widest))
        _draw_outline(canvas, figure.rings, figure.colour, line)
        _draw_box(canvas, figure.box_xyxy, figure.colour, line)
        joints = figure.joints2d
        if joints is not None and height >= SMALLEST_SKELETON_PX and np.isfinite(joints).all():
            _draw_skeleton(canvas, joints, figure.colour, line)
    return canvas


def person_colour(person_id: int) -> Colour:
    """Gives a bright colour (r, g, b); neighbouring ids, who stand close together, get hues far apart."""
    hue = (0.08 + person_id * _GOLDEN_RATIO) % 1.0
    red, green, blue = colorsys.hsv_to_rgb(hue, 0.75 if person_id % 2 else 0.95, 1.0)
    return round(255 * red), round(255 * green), round(255 * blue)


def _outline(mask: NDArray[np.float32], box_xyxy: Float64Array) -> tuple[Float64Array, ...]:
    """Gives the rings, image px, of where a mask (S, S) on its box is at least one half."""
    side = mask.shape[0] * MASK_SCALE
    large = cv2.resize(mask, (side, side), interpolation=cv2.INTER_LINEAR)
    contours: Sequence[np.ndarray]
    contours, _ = cv2.findContours((large >= 0.5).astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    size = box_xyxy[2:] - box_xyxy[:2]
    return tuple(box_xyxy[:2] + (contour[:, 0] + 0.5) / side * size for contour in contours)


def _draw_outline(canvas: Image, rings: Sequence[Float64Array], colour: Colour, line: int) -> None:
    """Tints the inside of an outline and draws its edge."""
    if not rings:
        return
    together = np.concatenate(rings)
    height, width = canvas.shape[:2]
    x0, y0 = np.clip(np.floor(together.min(axis=0)), 0, (width, height)).astype(int)
    x1, y1 = np.clip(np.ceil(together.max(axis=0)) + 1, 0, (width, height)).astype(int)
    if x0 < x1 and y0 < y1:
        region = canvas[y0:y1, x0:x1]
        tinted = region.copy()
        cv2.fillPoly(tinted, [_fixed(ring - (x0, y0)) for ring in rings], colour, cv2.LINE_AA, _SUBPIXEL_BITS)
        cv2.addWeighted(tinted, OUTLINE_OPACITY, region, 1.0 - OUTLINE_OPACITY, 0.0, dst=region)
    thin = max(1, line // 2)
    for ring in rings:
        cv2.polylines(
            canvas,
            [_fixed(ring)],
            isClosed=True,
            color=colour,
            thickness=thin,
            lineType=cv2.LINE_AA,
            shift=_SUBPIXEL_BITS,
        )


def _draw_box(canvas: Image, box: Float64Array, colour: Colour, line: int) -> None:
    low, high = _fixed(box[:2]), _fixed(box[2:])
    cv2.rectangle(canvas, low.tolist(), high.tolist(), colour, line, cv2.LINE_AA, _SUBPIXEL_BITS)


def _draw_skeleton(canvas: Image, joints: Float64Array, colour: Colour, line: int) -> None:
    """Draws the bones over a dark seam, so that they show on any ground, and a dot on each sure joint."""
    points = _fixed(joints[:, :2])
    sure = joints[:, 2] >= LEAST_CONFIDENCE
    bones = [(bone, parent) for bone, parent in enumerate(PARENTS) if parent >= 0]
    for bone, parent in bones:
        ends = points[bone].tolist(), points[parent].tolist()
        cv2.line(canvas, *ends, (0, 0, 0), line + 2, cv2.LINE_AA, _SUBPIXEL_BITS)
    for bone, parent in bones:
        ends = points[bone].tolist(), points[parent].tolist()
        shown = (255, 255, 255) if sure[bone] and sure[parent] else _dimmed(colour)
        cv2.line(canvas, *ends, shown, line, cv2.LINE_AA, _SUBPIXEL_BITS)
    for point in points[sure].tolist():
        cv2.circle(canvas, point, (line << _SUBPIXEL_BITS), colour, cv2.FILLED, cv2.LINE_AA, _SUBPIXEL_BITS)


def _dimmed(colour: Colour) -> Colour:
    return colour[0] // 2, colour[1] // 2, colour[2] // 2


def _fixed(points: Float64Array) -> NDArray[np.int32]:
    """Gives points in cv2's fixed-point numbers: its 0 is a pixel's centre; points far outside are pulled in."""
    shifted = np.clip(points - 0.5, -30_000.0, 100_000.0) * (1 << _SUBPIXEL_BITS)
    return np.round(shifted).astype(np.int32)
