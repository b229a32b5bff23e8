"""Pictures of a people table: the frame with boxes, outlines and projected skeletons.

image, scale = pyramid.thumbnail(4000)
write_picture(draw_people(image, scale, table), out / "overview.jpg")
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import shapely

from mili_core.body import PARENTS
from mili_core.errors import ImageError
from mili_core.overlay import SIDE_PER_LINE_PX, Colour, Figure, Image, draw_figures, person_colour
from pipeline.columns import CORNERS
from pipeline.storage import write_bytes
from pipeline.types import Float32Array, Float64Array, GeometryArray

__all__ = ["SIDE_PER_LINE_PX", "Colour", "Image", "draw_people", "person_colour", "with_legend", "write_picture"]

JPEG_QUALITY = 88
LEGEND_SHARE = 0.022
"""Height of the legend strip as a share of the picture's longer side."""

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

    Raises:
        ImageError: the picture has another dtype or shape, or no pixels.
    """
    boxes, outlines, joints = _boxes(table) * scale, _outlines(table), _joints(table)
    figures = [
        Figure(
            boxes[row],
            _rings(outlines[row], scale),
            None if joints is None else joints[row] * np.array([scale, scale, 1.0]),
            person_colour(person),
        )
        for row, person in enumerate(table["person_id"].to_pylist())
    ]
    canvas = draw_figures(image, figures)
    return canvas if legend is None else with_legend(canvas, legend)


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


def _rings(outline: shapely.Geometry | None, scale: float) -> list[Float64Array]:
    """Gives the rings of an outline, holes included, picture px."""
    if outline is None or outline.is_empty:
        return []
    rings = [ring for polygon in shapely.get_parts(outline) for ring in (polygon.exterior, *polygon.interiors)]
    return [shapely.get_coordinates(ring) * scale for ring in rings]


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
