"""Pictures of a people table: the frame with boxes, outlines and projected skeletons.

image, scale = pyramid.thumbnail(4000)
write_picture(draw_people(image, scale, table), out / "overview.jpg")
"""

from __future__ import annotations

import colorsys
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import shapely
from numpy.typing import NDArray

from mili_core.errors import ImageError
from pipeline.columns import CORNERS
from pipeline.storage import write_bytes
from pipeline.types import Float32Array, Float64Array, GeometryArray

Image = NDArray[np.uint8]
Colour = tuple[int, int, int]

JPEG_QUALITY = 88
SIDE_PER_LINE_PX = 1500
"""Lines grow with the picture, one px for each so many px of its longer side: visible with the whole on a screen."""
PERSON_PER_LINE_PX = 40.0
"""Lines of a small person are thinner: one px for each so many px of the person's height in the picture."""
SMALLEST_SKELETON_PX = 32.0
"""People smaller than this in the picture get box and outline only: a skeleton would hide them."""
LEAST_CONFIDENCE = 0.1
"""Bones whose two joints are both surer than this are drawn bright, the others (hidden or cut off) dimmed."""
OUTLINE_OPACITY = 0.25
LEGEND_SHARE = 0.022
"""Height of the legend strip as a share of the picture's longer side."""

# SMPL's kinematic tree; bone k joins joint k to PARENTS[k].
PARENTS = (-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 20, 21)

_SUBPIXEL_BITS = 4  # cv2 draws from fixed-point coordinates
_GOLDEN_RATIO = 0.618033988749895
_SMALLEST_LEGEND_PX = 14


def draw_people(image: Image, scale: float, table: pa.Table, *, legend: str | None = None) -> Image:
    """Gives a copy of the frame's thumbnail with every person's outline, box and skeleton on it.

    Nearer people (whose feet are lower) are drawn over farther ones. A person's colour follows from person_id alone.

    Args:
        image: (H, W, 3) uint8 sRGB.
        scale: picture px per frame px.
        table: people of this frame, in `schemas.people.PEOPLE_SCHEMA`.
        legend: one line of text, put on a strip below the picture.

    Returns:
        (H + strip, W, 3) uint8; the strip is there with a legend only.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
        raise ImageError(f"picture is {image.dtype}{image.shape}, expected uint8 (height, width, 3), not empty")
    canvas: Image = np.ascontiguousarray(image).copy()
    boxes = _boxes(table) * scale
    outlines = _outlines(table)
    joints = _joints(table)
    colours = [person_colour(person) for person in table["person_id"].to_pylist()]
    heights = boxes[:, 3] - boxes[:, 1]
    lines = (
        np.clip(heights / PERSON_PER_LINE_PX, 1, max(1.0, max(image.shape[:2]) / SIDE_PER_LINE_PX)).round().astype(int)
    )
    for row in np.lexsort((boxes[:, 0], boxes[:, 3])):
        colour, line = colours[row], int(lines[row])
        _draw_outline(canvas, outlines[row], scale, colour, line)
        _draw_box(canvas, boxes[row], colour, line)
        if joints is not None and heights[row] >= SMALLEST_SKELETON_PX and np.isfinite(joints[row]).all():
            _draw_skeleton(canvas, joints[row], scale, colour, line)
    return canvas if legend is None else with_legend(canvas, legend)


def person_colour(person_id: int) -> Colour:
    """Gives a bright colour (r, g, b); neighbouring ids, who stand close together, get hues far apart."""
    hue = (0.08 + person_id * _GOLDEN_RATIO) % 1.0
    red, green, blue = colorsys.hsv_to_rgb(hue, 0.75 if person_id % 2 else 0.95, 1.0)
    return round(255 * red), round(255 * green), round(255 * blue)


def write_picture(image: Image, path: Path) -> None:
    """Writes an (H, W, 3) sRGB image as JPEG or PNG, by the suffix of `path`, whole or not at all.

    Raises:
        ImageError: the suffix is another one.
    """
    options = {
        ".jpg": (cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY),
        ".jpeg": (cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY),
        ".png": (),
    }
    suffix = path.suffix.lower()
    if suffix not in options:
        raise ImageError(f"{path}: pictures are written as .jpg or .png, not {suffix or 'without a suffix'}")
    done, data = cv2.imencode(suffix, cv2.cvtColor(image, cv2.COLOR_RGB2BGR), options[suffix])
    if not done:
        raise ImageError(f"{path}: an image of shape {image.shape} cannot be encoded as {suffix}; make it smaller")
    write_bytes(path, data.tobytes())


def _boxes(table: pa.Table) -> Float64Array:
    """Gives the visible boxes (N, 4), frame px."""
    column = table["bbox"].combine_chunks()
    sides = [column.field(corner).to_numpy(zero_copy_only=False) for corner in CORNERS]
    return np.stack(sides, axis=1).astype(np.float64)


def _outlines(table: pa.Table) -> GeometryArray:
    """Gives the outlines (N,), frame px, None where there is none."""
    geometries: GeometryArray = shapely.from_wkb(np.array(table["geometry"].to_pylist(), dtype=np.object_))
    return geometries


def _joints(table: pa.Table) -> Float32Array | None:
    """Gives the joints (N, 24, 3) x, y (frame px), confidence; NaN where unknown; None where all are."""
    column = table["joints2d"].combine_chunks()
    if column.null_count == len(column):
        return None
    joints = np.full((len(column), len(PARENTS), 3), np.nan, dtype=np.float32)
    known = column.is_valid().to_numpy(zero_copy_only=False)
    joints[known] = column.flatten().to_numpy(zero_copy_only=False).reshape(-1, len(PARENTS), 3)
    return joints


def _draw_outline(canvas: Image, outline: shapely.Geometry | None, scale: float, colour: Colour, line: int) -> None:
    """Tints the inside of an outline and draws its edge."""
    if outline is None or outline.is_empty:
        return
    rings = [ring for polygon in shapely.get_parts(outline) for ring in (polygon.exterior, *polygon.interiors)]
    points = [shapely.get_coordinates(ring) * scale for ring in rings]
    together = np.concatenate(points)
    height, width = canvas.shape[:2]
    x0, y0 = np.clip(np.floor(together.min(axis=0)), 0, (width, height)).astype(int)
    x1, y1 = np.clip(np.ceil(together.max(axis=0)) + 1, 0, (width, height)).astype(int)
    if x0 < x1 and y0 < y1:
        region = canvas[y0:y1, x0:x1]
        tinted = region.copy()
        cv2.fillPoly(tinted, [_fixed(ring - (x0, y0)) for ring in points], colour, cv2.LINE_AA, _SUBPIXEL_BITS)
        cv2.addWeighted(tinted, OUTLINE_OPACITY, region, 1.0 - OUTLINE_OPACITY, 0.0, dst=region)
    thin = max(1, line // 2)
    for ring in points:
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


def _draw_skeleton(canvas: Image, joints: Float32Array, scale: float, colour: Colour, line: int) -> None:
    """Draws the bones over a dark seam, so that they show on any ground, and a dot on each sure joint."""
    points = _fixed(joints[:, :2].astype(np.float64) * scale)
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


def with_legend(canvas: Image, text: str) -> Image:
    """Gives the picture with a dark strip of text below it."""
    strip_height = max(_SMALLEST_LEGEND_PX, round(max(canvas.shape[:2]) * LEGEND_SHARE))
    strip = np.full((strip_height, canvas.shape[1], 3), 24, dtype=np.uint8)
    thickness = max(1, strip_height // 24)
    font = cv2.FONT_HERSHEY_SIMPLEX
    (text_width, text_height), _ = cv2.getTextSize(text, font, 1.0, thickness)
    size = min(0.55 * strip_height / max(text_height, 1), 0.97 * canvas.shape[1] / max(text_width, 1))
    place = (strip_height // 3, round(0.5 * (strip_height + size * text_height)))
    cv2.putText(strip, text, place, font, size, (235, 235, 235), thickness, cv2.LINE_AA)
    return np.concatenate([canvas, strip])
