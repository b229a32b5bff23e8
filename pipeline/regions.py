"""Where to look: --roi and --exclude as polygons in frame px."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import shapely

from mili_core.errors import ConfigError
from pipeline.types import BoolArray, Float64Array, MergeResult

FILE_NAME = re.compile(r"[^(){}]+\.\w{1,8}")
_POLYGONAL = (shapely.GeometryType.POLYGON, shapely.GeometryType.MULTIPOLYGON)
OUTSIDE = "outside the region of interest"


@dataclass(frozen=True, slots=True)
class Regions:
    """Areas in frame px; None means no restriction."""

    roi: shapely.Geometry | None
    exclude: shapely.Geometry | None

    @staticmethod
    def parse(roi: Sequence[str], exclude: Sequence[str]) -> Regions:
        """Gives the unions of what --roi and --exclude name.

        Raises:
            ConfigError: one of them is not a file, WKT or GeoJSON of valid polygons.
        """
        return Regions(_union("--roi", roi), _union("--exclude", exclude))

    def admits(self, points: Float64Array) -> BoolArray:
        """Gives (N,) whether each of `points` (N, 2) is in the roi (its edge included) and not within the exclusion."""
        places = shapely.points(points)
        admitted = np.ones(len(points), dtype=np.bool_)
        if self.roi is not None:
            admitted &= shapely.covers(self.roi, places)
        if self.exclude is not None:
            admitted &= ~shapely.contains_properly(self.exclude, places)
        return admitted


def keep_inside(merged: MergeResult, regions: Regions) -> MergeResult:
    """Gives the merge without the people whose box centre the regions do not admit; their views become rejected."""
    boxes = merged.boxes_frame
    keep = regions.admits((boxes[:, :2] + boxes[:, 2:]) / 2.0)
    if keep.all():
        return merged
    renumber = np.append(np.where(keep, np.cumsum(keep) - 1, -1), -1).astype(np.int64)  # the last for group -1
    dropped = np.flatnonzero((merged.group >= 0) & (renumber[merged.group] < 0))
    rejected = np.concatenate([merged.rejected, dropped])
    reasons = (*merged.reasons, *[OUTSIDE] * len(dropped))
    order = np.argsort(rejected)
    return replace(
        merged,
        group=renumber[merged.group],
        chosen=merged.chosen[keep],
        boxes_frame=boxes[keep],
        outlines=None if merged.outlines is None else merged.outlines[keep],
        stitched=merged.stitched[keep],
        rejected=rejected[order],
        reasons=tuple(reasons[n] for n in order),
    )


def _union(flag: str, texts: Sequence[str]) -> shapely.Geometry | None:
    polygons = [_polygons(flag, text) for text in texts]
    return shapely.union_all(polygons) if polygons else None


def _polygons(flag: str, text: str) -> shapely.Geometry:
    shape = _shape(flag, text)
    parts = shapely.get_parts(shape)
    if any(part.is_empty for part in parts) or len(parts) == 0:
        raise ConfigError(f"{flag}: {_short(text)} holds an empty shape; give polygons in frame px")
    if not np.isin(shapely.get_type_id(parts), _POLYGONAL).all():
        raise ConfigError(f"{flag}: {_short(text)} holds a {shape.geom_type}; give polygons in frame px")
    for part in parts:
        if not part.is_valid:
            raise ConfigError(f"{flag}: {_short(text)} is not a valid polygon ({shapely.is_valid_reason(part)})")
    return shapely.union_all(parts)


def _file(text: str) -> bytes | None:
    """Gives what the file holds that `text` names; None where it names none."""
    try:
        return Path(text).read_bytes()
    except (OSError, ValueError):  # no such file, or no possible name of one
        return None


def _shape(flag: str, text: str) -> shapely.Geometry:
    data = _file(text)
    try:
        content = text if data is None else data.decode()
        if content.lstrip().startswith("{"):
            return shapely.from_geojson(json.dumps(json.loads(content)))
        return shapely.from_wkt(content.strip())
    except (shapely.errors.GEOSException, ValueError) as error:
        if data is None and FILE_NAME.fullmatch(text.strip()):
            raise ConfigError(f"{flag}: no such file: {text}; check the name") from None
        if data is not None:  # of which nothing is printed
            raise ConfigError(f"{flag}: file {text} holds neither WKT nor GeoJSON; give polygons in frame px") from None
        why = _short(str(error).rpartition("Exception: ")[2])
        what = f"{_short(text)!r} is neither a file nor WKT nor GeoJSON ({why})"
        raise ConfigError(f"{flag}: {what}; give polygons in frame px") from None


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 60 else f"{line[:57]}..."
