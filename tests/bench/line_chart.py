"""A small picture of curves beside each other over one axis of heights: points, bands of doubt, and a legend."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Colour = tuple[int, int, int]
Point = tuple[float, float]

# Okabe and Ito's colours, which people who see few colours tell apart too; the markers differ as well.
COLOURS: tuple[Colour, ...] = ((0, 114, 178), (230, 159, 0), (176, 48, 30))
PANEL_PX = (520, 330)
FINE = 3
"""Drawn so many times as large, then shrunk: cv2's letters and lines come out smooth."""
LEFT_PX, RIGHT_PX, TOP_PX, BOTTOM_PX, LEGEND_PX = 62, 18, 34, 46, 26
INK, GRID, PAPER = (40, 40, 40), (222, 222, 222), (255, 255, 255)
TICKS = 5
DOUBT_OPACITY = 0.15
SQUARE = ((-3.6, -3.6), (3.6, -3.6), (3.6, 3.6), (-3.6, 3.6))
TRIANGLE = ((0.0, -5.0), (4.6, 3.6), (-4.6, 3.6))


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """Points of one line, in order of x; `low` and `high` bound the doubt about y, where that is known."""

    label: str
    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float] | None = None
    high: Sequence[float] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Panel:
    """Curves over a logarithmic x; y runs from 0 to `top`, or as far as it has to."""

    title: str
    curves: Sequence[Curve]
    top: float | None = None


def draw_chart(panels: Sequence[Panel], x_label: str, x_ticks: Sequence[float]) -> Image:
    """Gives an (H, W, 3) uint8 sRGB picture: panels side by side, the labels of the first one's curves below.

    Args:
        panels: their curves have equal labels in equal order.
        x_label: below each panel.
        x_ticks: ascending; the first and the last are the ends of the axis.
    """
    parts = [_panel(panel, x_label, x_ticks) for panel in panels]
    chart = np.concatenate([np.concatenate(parts, axis=1), _legend(panels[0].curves, len(panels))])
    height, width = chart.shape[:2]
    small = cv2.resize(chart, (width // FINE, height // FINE), interpolation=cv2.INTER_AREA)
    return np.asarray(small, dtype=np.uint8)


def round_step(span: float, steps: int) -> float:
    """Gives the least of 1, 2 and 5 times a power of ten of which `steps` reach at least so far."""
    power = 10.0 ** math.floor(math.log10(span / steps))
    return next(factor * power for factor in (1.0, 2.0, 5.0, 10.0) if factor * power * steps >= span * (1 - 1e-9))


def _panel(panel: Panel, x_label: str, x_ticks: Sequence[float]) -> Image:
    width, height = PANEL_PX
    canvas: Image = np.full((height * FINE, width * FINE, 3), PAPER, dtype=np.uint8)
    values = [value for curve in panel.curves for ends in (curve.y, curve.high or ()) for value in ends]
    finite = [value for value in values if math.isfinite(value)]
    step = round_step(panel.top or max(finite, default=0.0) or 1.0, TICKS)
    top = panel.top or step * max(1, math.ceil(max(finite, default=0.0) / step))
    log_low, log_high = math.log(x_ticks[0]), math.log(x_ticks[-1])

    def place(x: float, y: float) -> Point:
        share = (math.log(x) - log_low) / (log_high - log_low)
        right, down = width - RIGHT_PX - LEFT_PX, height - TOP_PX - BOTTOM_PX
        return LEFT_PX + share * right, TOP_PX + (1.0 - min(y, top) / top) * down

    for tick in x_ticks:
        _line(canvas, [place(tick, 0.0), place(tick, top)], GRID, 1.0)
        x, y = place(tick, 0.0)
        _text(canvas, f"{tick:g}", (x, y + 15), 0.42, middle=True)
    for number in range(round(top / step) + 1):
        _line(canvas, [place(x_ticks[0], number * step), place(x_ticks[-1], number * step)], GRID, 1.0)
        x, y = place(x_ticks[0], number * step)
        _text(canvas, f"{number * step:g}", (x - 8, y + 4), 0.42, right=True)
    corners = [(x_ticks[0], top), (x_ticks[0], 0.0), (x_ticks[-1], 0.0)]
    _line(canvas, [place(*corner) for corner in corners], INK, 1.2)
    _text(canvas, panel.title, (LEFT_PX, TOP_PX - 14), 0.5)
    _text(canvas, x_label, (LEFT_PX + (width - RIGHT_PX - LEFT_PX) / 2, height - 10), 0.45, middle=True)
    for number, curve in enumerate(panel.curves):
        _doubt(canvas, curve, COLOURS[number], place)
    for number, curve in enumerate(panel.curves):
        points = [place(x, y) for x, y in zip(curve.x, curve.y, strict=True) if math.isfinite(y)]
        _line(canvas, points, COLOURS[number], 2.0)
        for point in points:
            _marker(canvas, point, number)
    return canvas


def _legend(curves: Sequence[Curve], panels: int) -> Image:
    width = PANEL_PX[0] * panels
    strip: Image = np.full((LEGEND_PX * FINE, width * FINE, 3), PAPER, dtype=np.uint8)
    lengths = [cv2.getTextSize(curve.label, cv2.FONT_HERSHEY_SIMPLEX, 0.45, 1)[0][0] + 62 for curve in curves]
    x, y = (width - sum(lengths)) / 2, LEGEND_PX / 2 - 2
    for number, (curve, length) in enumerate(zip(curves, lengths, strict=True)):
        _line(strip, [(x, y), (x + 26, y)], COLOURS[number], 2.0)
        _marker(strip, (x + 13, y), number)
        _text(strip, curve.label, (x + 34, y + 4), 0.45)
        x += length
    return strip


def _doubt(canvas: Image, curve: Curve, colour: Colour, place: Callable[[float, float], Point]) -> None:
    if curve.low is None or curve.high is None:
        return
    rows = [row for row in zip(curve.x, curve.low, curve.high, strict=True) if all(map(math.isfinite, row))]
    if len(rows) < 2:
        return
    outline = [place(x, high) for x, _, high in rows] + [place(x, low) for x, low, _ in reversed(rows)]
    tinted = canvas.copy()
    cv2.fillPoly(tinted, [_fixed(outline)], colour, cv2.LINE_AA)
    cv2.addWeighted(tinted, DOUBT_OPACITY, canvas, 1.0 - DOUBT_OPACITY, 0.0, dst=canvas)


def _marker(canvas: Image, at: Point, number: int) -> None:
    """Draws a circle, a square or a triangle."""
    if number % 3 == 0:
        cv2.circle(canvas, tuple(_fixed([at])[0].tolist()), round(4 * FINE), COLOURS[number], cv2.FILLED, cv2.LINE_AA)
        return
    shape = SQUARE if number % 3 == 1 else TRIANGLE
    cv2.fillPoly(canvas, [_fixed([(at[0] + x, at[1] + y) for x, y in shape])], COLOURS[number], cv2.LINE_AA)


def _line(canvas: Image, points: Sequence[Point], colour: Colour, width: float) -> None:
    if len(points) > 1:
        cv2.polylines(canvas, [_fixed(points)], False, colour, round(width * FINE), cv2.LINE_AA)  # isClosed


def _text(canvas: Image, text: str, at: Point, size: float, *, middle: bool = False, right: bool = False) -> None:
    scale, thickness = size * FINE, max(1, round(0.45 * FINE))
    width = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, thickness)[0][0]
    x = at[0] * FINE - (width / 2 if middle else width if right else 0)
    cv2.putText(
        canvas, text, (round(x), round(at[1] * FINE)), cv2.FONT_HERSHEY_SIMPLEX, scale, INK, thickness, cv2.LINE_AA
    )


def _fixed(points: Sequence[Point]) -> NDArray[np.int32]:
    return np.round(np.array(points, dtype=np.float64) * FINE).astype(np.int32)
