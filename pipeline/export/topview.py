"""A picture of a frame's people from above: where they stand on the ground, in metres, and what the camera sees."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.export.pictures import Image, person_colour, with_legend
from pipeline.place.types import STEEPEST
from pipeline.types import Float64Array
from schemas.people import GroundFit, file_metadata

SIDE_PX = 1500
"""Of the longer side of the picture."""
LEAST_SIDE_M = 8.0
"""Of the ground shown: a few people close together stay dots among others."""
FAR_SHARE = 0.92
"""Share of the people for whom the picture is wide enough; a few who are far off, or wrong, stand at its edge."""
MARGIN = 0.06
NARROWEST = 0.75
"""Width over height of the picture, at least."""
LOWEST = 0.4
"""Height over width, at least."""
BODY_M = 0.25
"""Radius of a person seen from above."""
LEAST_DOT_PX = 4
FOCAL_WORDS = {
    "flag": "given",
    "metadata": "from the file",
    "estimate": "estimated from how people lean",
    "default": "NOT KNOWN, an ordinary lens: distances ahead are stretched or squeezed",
}
SCALE_WORDS = {"bodies": "heights of the bodies found", "standing height": "adults of 1.7 m (the bodies say nothing)"}

_BACKGROUND, _SEEN, _GRID, _INK = (34, 36, 40), (58, 62, 68), (84, 88, 94), (230, 230, 230)
_FRONT_M = 0.5  # of the camera; what is nearer is not drawn as seen
_SUBPIXEL_BITS = 4


@dataclass(frozen=True, slots=True)
class View:
    """The piece of ground that a picture shows, right and ahead of the point below the camera."""

    left_m: float
    right_m: float
    near_m: float
    far_m: float
    px_per_m: float

    @property
    def size_px(self) -> tuple[int, int]:
        """Width and height."""
        width, height = (self.right_m - self.left_m), (self.far_m - self.near_m)
        return max(1, round(width * self.px_per_m)), max(1, round(height * self.px_per_m))

    def to_picture(self, points_m: Float64Array) -> Float64Array:
        """Gives the px (..., 2) of ground points (..., 2); ahead is up."""
        x = (points_m[..., 0] - self.left_m) * self.px_per_m
        y = (self.far_m - points_m[..., 1]) * self.px_per_m
        return np.stack([x, y], axis=-1)


def draw_top_view(table: pa.Table) -> Image | None:
    """Gives the people of a frame from above, in the colours that they have in the overview.

    Args:
        table: people of one frame, in `schemas.people.PEOPLE_SCHEMA`, with its file metadata.

    Returns:
        (H, W, 3) uint8 sRGB, or None where no place on the ground is known.
    """
    metadata = file_metadata(table.schema)
    if metadata is None or metadata.ground is None:
        return None
    xy = np.column_stack([table[name].to_numpy().astype(np.float64) for name in ("ground_x", "ground_y")])
    known = np.flatnonzero(np.isfinite(xy).all(axis=1))
    if not len(known):
        return None
    people = xy[known]
    ids = [table["person_id"][row].as_py() for row in known.tolist()]
    view = choose_view(people)
    width, height = view.size_px
    canvas = np.full((height, width, 3), _BACKGROUND, dtype=np.uint8)
    camera = tuple(float(table[name][0].as_py()) for name in ("focal_px", "principal_x", "principal_y"))
    seen = seen_ground(metadata.ground, camera, (metadata.frame_width, metadata.frame_height), view)
    if len(seen):
        cv2.fillPoly(canvas, [_fixed(view.to_picture(seen))], _SEEN, cv2.LINE_AA, _SUBPIXEL_BITS)
    step = round_length(0.15 * max(view.right_m - view.left_m, view.far_m - view.near_m))
    _draw_grid(canvas, view, step)
    outside = _draw_people(canvas, view, people, ids)
    _draw_camera(canvas, view)
    _draw_scale_bar(canvas, step * view.px_per_m, f"{step:g} m")
    source = table["focal_source"][0].as_py()
    picture = canvas
    for line in _legend(metadata.ground, source, camera[0], len(known), table.num_rows, outside):
        picture = with_legend(picture, line)
    return picture


def choose_view(people_m: Float64Array) -> View:
    """Gives the piece of ground that holds nearly all of the people (N, 2) and the camera."""
    tail = 50.0 * (1.0 - FAR_SHARE)
    # Rounded outward: of up to 25 people all are within.
    low = np.minimum(np.percentile(people_m, tail, axis=0, method="lower"), 0.0)
    high = np.maximum(np.percentile(people_m, 100.0 - tail, axis=0, method="higher"), 0.0)
    middle, side = 0.5 * (low + high), np.maximum(high - low, LEAST_SIDE_M) * (1.0 + 2.0 * MARGIN)
    side = np.maximum(side, (NARROWEST * side[1], LOWEST * side[0]))
    low, high = middle - 0.5 * side, middle + 0.5 * side
    return View(low[0], high[0], low[1], high[1], SIDE_PX / float(side.max()))


def seen_ground(ground: GroundFit, camera: tuple[float, ...], frame: tuple[int, int], view: View) -> Float64Array:
    """Gives the corners (K, 2) of the ground in the view that the frame shows; K = 0 where it shows none.

    Args:
        ground: with its normal and the camera's height.
        camera: focal length and principal point, frame px.
        frame: width and height, px.
        view: what is drawn.
    """
    if ground.normal is None or ground.camera_height is None:
        return np.zeros((0, 2), dtype=np.float64)
    focal, x, y = camera
    down = -np.array(ground.normal, dtype=np.float64)
    ahead = np.array([0.0, 0.0, 1.0]) - down[2] * down
    if not np.linalg.norm(ahead) > STEEPEST:
        return np.zeros((0, 2), dtype=np.float64)
    ahead /= np.linalg.norm(ahead)
    right = np.cross(down, ahead)
    # Inward normals of the pyramid of view, and of a plane just in front of the camera.
    inward = np.array([[focal, 0, x], [-focal, 0, frame[0] - x], [0, focal, y], [0, -focal, frame[1] - y], [0, 0, 1.0]])
    limits = np.array([0.0, 0.0, 0.0, 0.0, _FRONT_M])
    polygon = np.array(
        [[view.left_m, view.near_m], [view.right_m, view.near_m], [view.right_m, view.far_m], [view.left_m, view.far_m]]
    )
    for normal, limit in zip(inward, limits, strict=True):
        polygon = _clip(
            polygon, np.array([normal @ right, normal @ ahead]), normal @ down * ground.camera_height - limit
        )
    return polygon


def _clip(polygon: Float64Array, normal: Float64Array, offset: float) -> Float64Array:
    """Gives the part (M, 2) of a convex polygon (K, 2) where normal . point + offset >= 0."""
    kept: list[Float64Array] = []
    side = polygon @ normal + offset
    for here in range(len(polygon)):
        before = here - 1
        if (side[here] >= 0) != (side[before] >= 0):
            share = side[before] / (side[before] - side[here])
            kept.append(polygon[before] + share * (polygon[here] - polygon[before]))
        if side[here] >= 0:
            kept.append(polygon[here])
    return np.array(kept, dtype=np.float64).reshape(-1, 2)


def round_length(metres: float) -> float:
    """Gives the greatest of 1, 2 and 5 times a power of ten that is at most so long."""
    power = 10.0 ** math.floor(math.log10(metres))
    return max(factor * power for factor in (1.0, 2.0, 5.0) if factor * power <= metres * (1.0 + 1e-9))


def _draw_grid(canvas: Image, view: View, step: float) -> None:
    height, width = canvas.shape[:2]
    for number in range(math.ceil(view.left_m / step), math.floor(view.right_m / step) + 1):
        x = round((number * step - view.left_m) * view.px_per_m)
        cv2.line(canvas, (x, 0), (x, height), _GRID, 1)
    for number in range(math.ceil(view.near_m / step), math.floor(view.far_m / step) + 1):
        y = round((view.far_m - number * step) * view.px_per_m)
        cv2.line(canvas, (0, y), (width, y), _GRID, 1)
        if number:
            cv2.putText(canvas, f"{number * step:g} m", (6, y - 5), cv2.FONT_HERSHEY_SIMPLEX, 0.5, _INK, 1, cv2.LINE_AA)


def _draw_people(canvas: Image, view: View, people_m: Float64Array, ids: list[int]) -> int:
    """Draws a dot for each person, a ring at the edge for those beyond it, and gives how many these are."""
    height, width = canvas.shape[:2]
    radius = max(LEAST_DOT_PX, round(BODY_M * view.px_per_m))
    places = view.to_picture(people_m)
    inside = np.asarray(((places >= 0) & (places <= [width, height])).all(axis=1), dtype=np.bool_)
    for place, here, person in zip(places, inside.tolist(), ids, strict=True):
        at = np.clip(place, radius, np.array([width, height]) - radius)
        centre, fixed = _fixed(at).tolist(), radius << _SUBPIXEL_BITS
        if here:
            cv2.circle(canvas, centre, fixed, person_colour(person), cv2.FILLED, cv2.LINE_AA, _SUBPIXEL_BITS)
            cv2.circle(canvas, centre, fixed, (0, 0, 0), 1, cv2.LINE_AA, _SUBPIXEL_BITS)
        else:
            cv2.circle(canvas, centre, fixed, person_colour(person), 2, cv2.LINE_AA, _SUBPIXEL_BITS)
    return int((~inside).sum())


def _draw_camera(canvas: Image, view: View) -> None:
    at = view.to_picture(np.zeros(2))
    triangle = at + np.array([[0.0, 0.0], [-12.0, -22.0], [12.0, -22.0]])
    cv2.fillPoly(canvas, [_fixed(triangle)], _INK, cv2.LINE_AA, _SUBPIXEL_BITS)
    place = (round(at[0]) + 16, round(at[1]) - 6)
    cv2.putText(canvas, "camera", place, cv2.FONT_HERSHEY_SIMPLEX, 0.6, _INK, 1, cv2.LINE_AA)


def _draw_scale_bar(canvas: Image, length_px: float, text: str) -> None:
    height, width = canvas.shape[:2]
    right, base = width - 24, height - 24
    left = right - round(length_px)
    cv2.line(canvas, (left, base), (right, base), _INK, 3)
    for end in (left, right):
        cv2.line(canvas, (end, base - 7), (end, base + 7), _INK, 3)
    cv2.putText(canvas, text, (left, base - 14), cv2.FONT_HERSHEY_SIMPLEX, 0.7, _INK, 2, cv2.LINE_AA)


def _legend(ground: GroundFit, source: str, focal_px: float, placed: int, people: int, outside: int) -> tuple[str, ...]:
    """Gives lines that say what the picture shows and how far it is to be trusted."""
    beyond = f", {outside} beyond the edge (rings)" if outside else ""
    height = f"camera {ground.camera_height:.1f} m up; " if ground.camera_height is not None else ""
    return (
        f"{placed} of {people} people from above{beyond}",
        f"{height}{ground.inlier_share:.0%} of those who stand agree on one plane",
        f"scale: {SCALE_WORDS.get(ground.scale_source or '', 'unknown')}",
        f"focal length {focal_px:.0f} px, {FOCAL_WORDS.get(source, source)}",
    )


def _fixed(points: Float64Array) -> NDArray[np.int32]:
    """Gives points in cv2's fixed-point numbers."""
    return np.round(np.clip(points, -30_000.0, 60_000.0) * (1 << _SUBPIXEL_BITS)).astype(np.int32)
