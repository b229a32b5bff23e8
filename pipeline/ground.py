"""How tall people are where: a line through the heights of people who stand on one ground. Pure.

Seen by a camera at height C above flat ground, an upright person of height H whose feet are at frame row y is
(H / C) (y - horizon) px tall; where the camera is rolled, the horizon is slanted and the height depends on the column
as well. So the heights of all people in a frame are a x + b y + c, and three numbers say how large people are anywhere.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.types import BoolArray, Float64Array

TOLERANCE = math.log(1.25)
"""A person is on the line within a quarter of the height: adults differ by a tenth, stooping and boxes add as much."""
LEAST_PEOPLE = 12
"""Fewer people can lie on a line by chance: three of them always do."""
LEAST_SHARE = 0.5
"""Of all people on the lines that are kept; real crowds have 60 to 98 % on one."""
LEAST_SECOND_SHARE = 0.2
"""A second ground (a balcony, a terrace) holds at least so many; fewer are cheaper looked at one by one."""
STEEPEST_ROLL = 0.6
"""tan of the largest roll: a camera rolled by more than 31 degrees would be turned by hand first."""
LEAST_SPREAD = 0.06
"""Of heights, as a share, whatever those found show: adults differ by so much, and a few who do not prove nothing."""
MOST_ERROR = TOLERANCE
"""Standard error of a line, as a share of a height, where it is followed: beyond it a person who stands there and
obeys the true line would count as off this one."""
FARTHEST = 0.02
"""Share of the people on a line whom the far end of it is left to: a stray one may happen to fit."""
ROLL_GAIN = 0.05
"""A slanted line must lower the cost by so much: a third number always explains a little more."""

_CORNERSTONES = 72  # people that pairs are drawn from: 2,556 lines, a few ms
_TOO_NEAR = 1e-3  # of the range of foot rows: two people on one row say nothing of the slope
_REFINEMENTS = 8
_NORMAL_MAD = 1.4826  # standard deviation of a normal distribution whose median absolute deviation is 1


@dataclass(frozen=True, slots=True)
class HeightLine:
    """Height of a person in frame px, from where the feet are: per_x * x + per_y * y + offset.

    Attributes:
        per_x: 0 where the camera is level.
        per_y: camera heights a person is tall; >= 0.
        offset: frame px.
        log_sigma: spread of log(height / line) of the people on the line.
        people: on the line.
        share: of the people that the line was fitted to.
    """

    per_x: float
    per_y: float
    offset: float
    log_sigma: float
    people: int
    share: float

    def heights(self, feet: Float64Array) -> Float64Array:
        """Gives the (N,) heights in frame px of people whose feet are at (N, 2) frame px; <= 0 above the horizon."""
        return np.asarray(feet[..., 0] * self.per_x + feet[..., 1] * self.per_y + self.offset, dtype=np.float64)

    @property
    def tilt(self) -> float:
        """How many px the rows of equal height rise for each px to the right."""
        return self.per_x / self.per_y if self.per_y > 0.0 else 0.0


@dataclass(frozen=True, slots=True)
class GroundFit:
    """The grounds of a frame.

    Attributes:
        lines: most people first; empty where none is trusted.
        people: that were asked.
        share: of them on any of the lines that were found, trusted or not.
        reason: why no line is trusted, "" where one is.
    """

    lines: tuple[HeightLine, ...]
    people: int
    share: float
    reason: str = ""


def feet_of(boxes_frame: Float64Array) -> Float64Array:
    """Gives the (N, 2) middle of the lower edge of (N, 4) boxes."""
    return np.stack([(boxes_frame[:, 0] + boxes_frame[:, 2]) / 2.0, boxes_frame[:, 3]], axis=1)


def on_line(line: HeightLine, feet: Float64Array, heights: Float64Array) -> BoolArray:
    """Says for each of N people whether the line gives their height within the tolerance."""
    return np.asarray(np.abs(_log_residuals(line.heights(feet), heights)) <= TOLERANCE, dtype=np.bool_)


def off_share(lines: tuple[HeightLine, ...], feet: Float64Array, heights: Float64Array) -> float:
    """Gives the share of N people who are on none of the lines; 0 where nobody is there."""
    on = np.zeros(len(heights), dtype=np.bool_)
    for line in lines:
        on |= on_line(line, feet, heights)
    return float(1.0 - on.mean()) if len(on) else 0.0


def height_errors(line: HeightLine, feet: Float64Array, heights: Float64Array, places: Float64Array) -> Float64Array:
    """Gives the (M,) standard errors, frame px, of the heights that a line gives at places (M, 2), feet in frame px.

    Only people on the line count. All on one row, or fewer than the line has numbers, leave other rows unknown: their
    errors are huge, yet finite.

    Args:
        line: fitted to the people.
        feet: (N, 2) frame px.
        heights: (N,) frame px.
        places: where the line is followed.
    """
    on = on_line(line, feet, heights)
    used = [0, 1, 2] if line.per_x else [1, 2]
    design = _with_one(feet[on])[:, used] / heights[on][:, None]
    sizes = np.abs(design).max(axis=0, initial=1e-12)
    square = (design / sizes).T @ (design / sizes) + 1e-9 * np.eye(len(used))
    asked = _with_one(places)[:, used] / sizes
    variances = np.einsum("mi,im->m", asked, np.linalg.solve(square, asked.T))
    return np.asarray(max(line.log_sigma, LEAST_SPREAD) * np.sqrt(variances), dtype=np.float64)


def fit_ground(feet: Float64Array, heights: Float64Array, frame: tuple[int, int] | None = None) -> GroundFit:
    """Gives the lines that people's heights obey: one, or two where a good part stands on another ground.

    Nothing is drawn at random, and the order of the people does not matter.

    Args:
        feet: (N, 2) frame px of people who are not cut by the frame's edge.
        heights: (N,) frame px, > 0.
        frame: (width, height), px, that the first line is to be followed through: it is not trusted where it is not
            known well enough at the frame's lower corners, or where its horizon is not. None asks for no more than
            where people are.
    """
    order = np.lexsort((heights, feet[:, 0], feet[:, 1]))
    feet, heights = feet[order], heights[order]
    if len(heights) < LEAST_PEOPLE:
        return GroundFit((), len(heights), 0.0, f"{len(heights)} people, a line needs {LEAST_PEOPLE}")
    first = _fit_line(feet, heights, len(heights))
    rest = ~on_line(first, feet, heights)
    lines = [first]
    if rest.sum() >= max(LEAST_PEOPLE, LEAST_SECOND_SHARE * len(heights)):
        second = _fit_line(feet[rest], heights[rest], len(heights))
        if second.people >= LEAST_PEOPLE and second.share >= LEAST_SECOND_SHARE:
            lines.append(second)
    share = 1.0 - off_share(tuple(lines), feet, heights)
    if share < LEAST_SHARE or first.people < LEAST_PEOPLE:
        return GroundFit((), len(heights), share, f"only {share:.0%} of {len(heights)} people obey a line")
    if abs(first.tilt) > STEEPEST_ROLL:
        return GroundFit((), len(heights), share, "people's heights change sideways more than downward")
    error = _worst_error(first, feet, heights, frame) if frame else 0.0
    if error > MOST_ERROR:
        off = f"a line through {first.people} people close together may be off by {min(error, 9.99):.0%} elsewhere"
        return GroundFit((), len(heights), share, off)
    return GroundFit(tuple(line for line in lines if abs(line.tilt) <= STEEPEST_ROLL), len(heights), share)


def _worst_error(line: HeightLine, feet: Float64Array, heights: Float64Array, frame: tuple[int, int]) -> float:
    """Gives the largest standard error of a line, as a share of a height, where blocks follow it through a frame.

    That is at the lower corners, of what it says there, and at its horizon, where that crosses the frame's middle
    column, of the farthest people's height: farther ones would be looked for in vain above it.
    """
    width, height = frame
    corners = np.array([[0.0, height], [width, height]], dtype=np.float64)
    expected = line.heights(corners)
    shares = height_errors(line, feet, heights, corners)[expected > 0.0] / expected[expected > 0.0]
    middle = line.offset + line.per_x * width / 2.0
    if -height * line.per_y < middle < 0.0:
        horizon = np.array([[width / 2.0, -middle / line.per_y]], dtype=np.float64)
        farthest = np.quantile(heights[on_line(line, feet, heights)], FARTHEST)
        shares = np.append(shares, height_errors(line, feet, heights, horizon) / farthest)
    return float(shares.max(initial=0.0))


def _with_one(places: Float64Array) -> Float64Array:
    """Gives (M, 3) x, y and 1 of places (M, 2)."""
    return np.concatenate([places, np.ones((len(places), 1), dtype=np.float64)], axis=1)


def _fit_line(feet: Float64Array, heights: Float64Array, asked: int) -> HeightLine:
    """Gives the level or slanted line with the least cost; `asked` is what its share is of."""
    level = _refined(_best_pair(feet, heights), feet, heights, slanted=False)
    slanted = _refined(level, feet, heights, slanted=True)
    chosen = slanted if _cost(slanted, feet, heights) < (1.0 - ROLL_GAIN) * _cost(level, feet, heights) else level
    residuals = _log_residuals(_line_heights(chosen, feet), heights)
    inside = np.abs(residuals) <= TOLERANCE
    deviations = np.abs(residuals[inside] - np.median(residuals[inside])) if inside.any() else np.zeros(1)
    sigma = float(_NORMAL_MAD * np.median(deviations))
    per_x, per_y, offset = (float(value) for value in chosen)
    return HeightLine(per_x, per_y, offset, sigma, int(inside.sum()), float(inside.sum() / asked))


def _best_pair(feet: Float64Array, heights: Float64Array) -> Float64Array:
    """Gives (0, per_y, offset) of the cheapest level line through two people, or of a constant height."""
    picked = np.unique(np.linspace(0, len(heights) - 1, min(_CORNERSTONES, len(heights))).round().astype(np.int64))
    one, two = (picked[n] for n in np.triu_indices(len(picked), k=1))
    rise = feet[two, 1] - feet[one, 1]
    usable = rise > _TOO_NEAR * max(1.0, float(np.ptp(feet[:, 1])))
    slopes = (heights[two] - heights[one])[usable] / rise[usable]
    offsets = heights[one][usable] - slopes * feet[one, 1][usable]
    slopes, offsets = slopes[slopes >= 0.0], offsets[slopes >= 0.0]
    constants = heights[picked]
    lines = np.stack(
        [
            np.zeros(len(slopes) + len(constants), dtype=np.float64),
            np.concatenate([slopes, np.zeros(len(constants), dtype=np.float64)]),
            np.concatenate([offsets, constants]),
        ],
        axis=1,
    )
    return np.asarray(lines[int(np.argmin(_costs(lines, feet, heights)))], dtype=np.float64)


def _refined(line: Float64Array, feet: Float64Array, heights: Float64Array, *, slanted: bool) -> Float64Array:
    """Gives the least-squares line of the people near `line`, in relative heights, repeated until they settle."""
    best = line
    for _ in range(_REFINEMENTS):
        expected = _line_heights(line, feet)
        near = np.abs(_log_residuals(expected, heights)) <= TOLERANCE
        columns = [feet[near, 1], np.ones(int(near.sum()), dtype=np.float64)]
        if slanted:
            columns.insert(0, feet[near, 0])
        if near.sum() <= len(columns):
            break
        weights = 1.0 / heights[near]
        design = np.stack(columns, axis=1) * weights[:, None]
        # Columns of like size: rows are thousands of px, the constant is one.
        sizes = np.maximum(np.abs(design).max(axis=0), 1e-12)
        solution = np.linalg.lstsq(design / sizes, np.ones(int(near.sum()), dtype=np.float64), rcond=1e-9)[0] / sizes
        line = solution if slanted else np.concatenate([[0.0], solution])
        if line[1] < 0.0:
            line = np.array([0.0, 0.0, float(np.median(heights[near]))], dtype=np.float64)
        if _cost(line, feet, heights) < _cost(best, feet, heights):
            best = line
    return best


def _line_heights(line: Float64Array, feet: Float64Array) -> Float64Array:
    return np.asarray(feet @ line[:2] + line[2], dtype=np.float64)


def _cost(line: Float64Array, feet: Float64Array, heights: Float64Array) -> float:
    return float(_costs(line[None], feet, heights)[0])


def _costs(lines: Float64Array, feet: Float64Array, heights: Float64Array) -> NDArray[np.float64]:
    """Gives the (L,) costs of lines (L, 3): squared log residuals, no person dearer than one off the line."""
    expected = lines[:, :2] @ feet.T + lines[:, 2:]
    return np.asarray(np.minimum(_log_residuals(expected, heights) ** 2, TOLERANCE**2).sum(axis=1), dtype=np.float64)


def _log_residuals(expected: Float64Array, heights: Float64Array) -> Float64Array:
    """Gives log(height / expected), infinite where nobody is expected."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(expected > 0.0, np.log(heights / np.maximum(expected, 1e-9)), np.inf))
