"""Whether the focal length that a file's metadata tells can be that of the picture."""

from __future__ import annotations

import logging
import math
from functools import cache
from pathlib import Path

from mili_core.errors import ConfigError
from pipeline.frames.stored import FocalTags, focal_px

FIELD_OF_VIEW_DEG = (1.0, 150.0)
"""Along the longer side: beyond telescopes, and beyond what a lens without a fisheye's bend shows."""
CUT_SHARE = 0.01
"""Of the longer side: cameras and converters leave out so much at the edges, and the focal length is no more off."""
WIDEST = 2.5
"""Longer by shorter side: sensors are at most 16:9, crops of films 2.4:1; panorama modes write their own size as the
shot's."""
ROUNDING_PX = 1.5
"""By which a side may miss its share when a picture is made smaller."""

_log = logging.getLogger(__name__)
_log.setLevel(logging.WARNING)  # also where a job shows errors only: people may end up at wrong depths


def check_given_focal(focal_px: float | None, width: int, height: int) -> None:
    """Raises ConfigError for a focal length (px) that the user gave and that no lens of such a picture has."""
    if focal_px is not None and not _possible(view := _view_deg(focal_px, width, height)):
        raise ConfigError(
            f"--camera.focal-px {focal_px:g} would be a field of view of {view:.3g} degrees over {width}x{height} px; "
            "give px of the frame, not mm"
        )


def told_focal(tags: FocalTags, width: int, height: int) -> tuple[float | None, str]:
    """Gives the focal length of a stored picture in px, None where none is told or it cannot be, and why it cannot.

    Args:
        tags: of the file.
        width: of the stored picture, px.
        height: of the stored picture, px.
    """
    focal = focal_px(tags, width, height)
    if focal is None:
        told_mm = (tags.film_mm or None, tags.focal_mm)  # a film's 0 says that it is not known
        absurd = [value for value in told_mm if value is not None and not _positive(value)]
        return None, f"tells a focal length of {absurd[0]:g} mm" if absurd else ""
    told = f"tells a focal length of {focal:.0f} px"
    view_deg = _view_deg(focal, width, height)
    if not _possible(view_deg):
        return None, f"{told}, a field of view of {view_deg:.3g} degrees"
    if max(width, height) > WIDEST * min(width, height):
        return None, f"{told}, but {width}x{height} px is no shot of one lens, rather a panorama"
    shot = (tags.pixel_width, tags.pixel_height)
    if not _shows_all_of(shot, (width, height)):
        sides = "x".join("?" if side is None else f"{side:.0f}" for side in shot)
        picture = f"{width}x{height} px"
        return None, f"{told} for a shot of {sides} px, but the picture is {picture}, stitched, cut or enlarged"
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


def _view_deg(focal_px: float, width: int, height: int) -> float:
    return math.degrees(2.0 * math.atan2(0.5 * max(width, height), focal_px))


def _possible(view_deg: float) -> bool:
    return FIELD_OF_VIEW_DEG[0] <= view_deg <= FIELD_OF_VIEW_DEG[1]


def _positive(value: float) -> bool:
    return 0.0 < value < math.inf


def _shows_all_of(shot: tuple[float | None, float | None], size: tuple[int, int]) -> bool:
    """Says whether a picture shows all of its shot, at its size or a smaller one, and turned by 90 degrees or not.

    Of a shot only one side of which is told, no more is known than that the picture must not be larger.
    """
    long, short = max(size), min(size)
    margin = max(ROUNDING_PX, CUT_SHARE * long)
    sides = [side for side in shot if side]
    if len(sides) < 2:
        return not sides or short <= sides[0] + margin
    shot_long, shot_short = max(sides), min(sides)
    return long <= shot_long + margin and abs(short - long * shot_short / shot_long) <= margin
