"""Whether the focal length that a file's metadata tells can be that of the picture."""

from __future__ import annotations

import logging
import math
from functools import cache
from pathlib import Path

from pipeline.frames.stored import FocalTags, focal_px

FIELD_OF_VIEW_DEG = (1.0, 150.0)
"""Along the longer side: beyond telescopes, and beyond what a lens without a fisheye's bend shows."""
CUT_SHARE = 0.01
"""Of the longer side: cameras and converters leave out so much at the edges, and the focal length is no more off."""
ROUNDING_PX = 1.5
"""By which a side may miss its share when a picture is made smaller."""

_log = logging.getLogger(__name__)
_log.setLevel(logging.WARNING)  # also where a job shows errors only: people may end up at wrong depths


def told_focal(tags: FocalTags, width: int, height: int) -> tuple[float | None, str]:
    """Gives the focal length of a stored picture in px, None where none is told or it cannot be, and why it cannot.

    Args:
        tags: of the file.
        width: of the stored picture, px.
        height: of the stored picture, px.
    """
    focal = focal_px(tags, width, height)
    if focal is None:
        absurd = [value for value in (tags.film_mm, tags.focal_mm) if value is not None and not _positive(value)]
        return None, f"tells a focal length of {absurd[0]:g} mm" if absurd else ""
    told = f"tells a focal length of {focal:.0f} px"
    view_deg = math.degrees(2.0 * math.atan(0.5 * max(width, height) / focal))
    if not FIELD_OF_VIEW_DEG[0] <= view_deg <= FIELD_OF_VIEW_DEG[1]:
        return None, f"{told}, a field of view of {view_deg:.3g} degrees"
    if tags.pixel_width and tags.pixel_height and not _is_smaller((width, height), tags.pixel_width, tags.pixel_height):
        shot = f"{tags.pixel_width:.0f}x{tags.pixel_height:.0f} px"
        return None, f"{told} for a shot of {shot}, but the picture is {width}x{height} px, stitched or cut"
    return focal, ""


def warn_of_focal(path: Path, doubt: str) -> None:
    """Says in one line that a file's focal length is ignored, once in a process, however often the file is opened."""
    if doubt:
        _warn_once(
            f"{path}: the metadata {doubt}; it is ignored, and the focal length estimated from how people lean, or "
            "else a default. Give the right one with --camera.focal-px"
        )


@cache
def _warn_once(line: str) -> None:
    _log.warning("%s", line)


def _positive(value: float) -> bool:
    return 0.0 < value < math.inf


def _is_smaller(size: tuple[int, int], shot_width: float, shot_height: float) -> bool:
    """Says whether a picture shows all of its shot, at its size or a smaller one, and turned by 90 degrees or not."""
    long, short = max(size), min(size)
    shot_long, shot_short = max(shot_width, shot_height), min(shot_width, shot_height)
    margin = max(ROUNDING_PX, CUT_SHARE * long)
    return long <= shot_long + margin and abs(short - long * shot_short / shot_long) <= margin
