"""Walls and roofs of halls, and what stands around sports grounds, as textures."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from mili_core.synth.worlds.canvas import Canvas, blank, pick
from mili_core.synth.worlds.houses import SIGNS
from mili_core.synth.worlds.texture import Texture, make_texture

Float32Array = NDArray[np.float32]

VARIANTS = 4
HALL_M = (25.6, 12.8)
"""Length and height after which a hall's wall repeats."""

ROOF_M = 12.8
"""Side after which a hall's roof repeats."""

STAND_M = (25.6, 12.8)
BOARDS_M = (51.2, 1.6)
_PEAK = 3.0
"""Lamps and panels of light are brighter than any wall."""

_STONE = ((206, 196, 178), (188, 184, 178), (150, 144, 138), (222, 216, 204), (168, 150, 128), (120, 124, 128))
_STEEL = ((70, 76, 82), (110, 116, 120), (46, 58, 62), (150, 152, 152), (60, 84, 80), (40, 40, 44))


@lru_cache(maxsize=VARIANTS)
def hall_wall(number: int) -> Texture:
    """Gives a wall with pillars, shops, boards with departures, windows high up."""
    rng = np.random.default_rng([number, 502])
    canvas = blank(1024, 512, 0.025)
    length, top = HALL_M
    stone = pick(rng, _STONE)
    canvas.fill(0, 0, length, top, stone)
    for level in np.arange(0.0, top, rng.choice([0.6, 0.9, 1.2])):
        canvas.shade(0, level, length, level + 0.03, 0.8)
    bays = int(rng.choice([4, 5, 6]))
    wide = length / bays
    steel = pick(rng, _STEEL)
    for bay in range(bays):
        a, b = bay * wide + 0.5, (bay + 1) * wide - 0.5
        _bay(rng, canvas, a, b)
        _high_window(rng, canvas, (a + 0.3, 6.6, b - 0.3, 11.6), steel)
    canvas.fill(0, 4.6, length, 5.9, stone * rng.uniform(0.35, 1.1))
    for bay in range(bays):
        if rng.random() < 0.6:
            _departures(rng, canvas, bay * wide + 0.9, (bay + 1) * wide - 0.9)
        else:
            ink = pick(rng, ((240, 240, 236), (30, 34, 40), (232, 190, 60)))
            canvas.lettering(rng, bay * wide + 1.2, 4.95, (bay + 0.7) * wide, 5.5, ink)
        _pillar(rng, canvas, bay * wide, stone)
    canvas.weather(rng, 0.04)
    return make_texture(np.clip(canvas.pixels, 0.0, _PEAK), _PEAK)


def _bay(rng: np.random.Generator, canvas: Canvas, left: float, right: float) -> None:
    """Draws what is between two pillars: a lit shop, a dark passage, ticket windows, a plain wall with posters."""
    kind = str(rng.choice(["shop", "passage", "tickets", "posters"], p=[0.45, 0.2, 0.15, 0.2]))
    if kind == "shop":
        lit = rng.uniform(0.6, 1.4)
        canvas.fill(left, 0.0, right, 3.4, lit * 0.35 * np.array([1.1, 1.0, 0.86]), 0.1)
        canvas.clutter(rng, (left, 0.2, right, 2.6), int(16 * (right - left)), lit)
        canvas.fill(left, 3.4, right, 4.2, pick(rng, SIGNS) * 1.3)
        ink = pick(rng, ((245, 245, 240), (250, 230, 180)))
        canvas.lettering(rng, left + 0.5, 3.6, left + 0.6 * (right - left), 4.0, 1.5 * ink)
        canvas.fill(left, 2.95, right, 3.15, np.full(3, 1.6))
    elif kind == "passage":
        canvas.fill(left, 0.0, right, 3.6, np.full(3, rng.uniform(0.03, 0.12)))
        canvas.ramp(left, 0.0, right, 3.6, 1.6, 0.6)
        canvas.fill(left, 3.4, right, 3.6, pick(rng, _STEEL))
    elif kind == "tickets":
        canvas.fill(left, 0.0, right, 3.4, pick(rng, _STEEL))
        for at in np.arange(left + 0.2, right - 0.9, 1.2):
            canvas.fill(at, 1.1, at + 0.9, 2.3, np.full(3, rng.uniform(0.1, 0.9)), 0.2)
            canvas.fill(at, 2.5, at + 0.9, 2.9, pick(rng, SIGNS))
    else:
        for at in np.arange(left + 0.3, right - 1.2, 1.7):
            canvas.fill(at, 1.0, at + 1.2, 2.8, pick(rng, SIGNS, 0.3), 0.15)
            canvas.clutter(rng, (at, 1.0, at + 1.2, 2.8), 8, 0.8)
            canvas.fill(at, 2.8, at + 1.2, 2.86, pick(rng, _STEEL))


def _departures(rng: np.random.Generator, canvas: Canvas, left: float, right: float) -> None:
    canvas.fill(left, 4.5, right, 6.0, np.array([0.012, 0.014, 0.02]))
    ink = np.array([1.3, 0.9, 0.2]) if rng.random() < 0.5 else np.array([1.1, 1.15, 1.2])
    for row in np.arange(4.6, 5.8, 0.2):
        at = left + 0.1
        for share in (0.12, 0.45, 0.1, 0.2):
            canvas.lettering(rng, at, row, at + share * (right - left) * rng.uniform(0.5, 0.95), row + 0.12, ink)
            at += share * (right - left)


def _pillar(rng: np.random.Generator, canvas: Canvas, left: float, stone: Float32Array) -> None:
    colour = stone * rng.uniform(0.85, 1.15)
    for step in range(20):
        round_light = 0.5 + 0.65 * np.sin((step + 0.5) / 20.0 * np.pi) * (0.75 + 0.25 * step / 20.0)
        canvas.fill(left + step * 0.045, 0.0, left + (step + 1) * 0.045, HALL_M[1], colour * round_light)
    canvas.shade(left + 0.9, 0.0, left + 1.1, HALL_M[1], 0.7)
    canvas.shade(left - 0.05, 0.0, left + 0.95, 0.5, 0.7)


def _high_window(
    rng: np.random.Generator, canvas: Canvas, box: tuple[float, float, float, float], steel: Float32Array
) -> None:
    u0, v0, u1, v1 = box
    day = rng.uniform(1.1, 2.2)
    canvas.fill(u0, v0, u1, v1, day * np.array([0.92, 0.98, 1.05]))
    canvas.ramp(u0, v0, u1, v1, 0.75, 1.1)
    for at in np.arange(u0, u1 + 0.01, (u1 - u0) / rng.integers(2, 6)):
        canvas.fill(at - 0.05, v0, at + 0.05, v1, steel)
    for level in np.arange(v0, v1 + 0.01, (v1 - v0) / rng.integers(3, 7)):
        canvas.fill(u0, level - 0.04, u1, level + 0.04, steel)


@lru_cache(maxsize=VARIANTS)
def hall_roof(number: int) -> Texture:
    """Gives a roof of steel girders and glass or panels, seen from below."""
    rng = np.random.default_rng([number, 503])
    canvas = blank(512, 512, 0.025)
    glass = rng.random() < 0.55
    panel = rng.uniform(1.0, 2.4) * np.array([0.94, 1.0, 1.06]) if glass else pick(rng, _STONE) * 0.6
    steel = pick(rng, _STEEL)
    canvas.fill(0, 0, ROOF_M, ROOF_M, panel)
    step = float(rng.choice([0.8, 1.6]))
    for at in np.arange(0.0, ROOF_M, step):
        canvas.fill(0, at, ROOF_M, at + 0.06, steel)
        canvas.fill(at, 0, at + 0.06, ROOF_M, steel)
    for at in np.arange(0.0, ROOF_M, 6.4):
        canvas.fill(0, at, ROOF_M, at + 0.45, 0.7 * steel)
        canvas.fill(at, 0, at + 0.3, ROOF_M, 0.8 * steel)
    if not glass:
        for u in np.arange(1.0, ROOF_M, 3.2):
            for v in np.arange(1.5, ROOF_M, 6.4):
                canvas.fill(u, v, u + 1.2, v + 0.3, np.full(3, 3.0))
    canvas.weather(rng, 0.05)
    return make_texture(np.clip(canvas.pixels, 0.0, _PEAK), _PEAK)


@lru_cache(maxsize=VARIANTS)
def stand(number: int) -> Texture:
    """Gives rows of empty seats with aisles, railings and sections."""
    rng = np.random.default_rng([number, 504])
    canvas = blank(1024, 512, 0.025)
    length, top = STAND_M
    canvas.fill(0, 0, length, top, pick(rng, ((150, 148, 144), (120, 120, 120))))
    colours = [pick(rng, SIGNS) for _ in range(3)]
    mixed = rng.random() < 0.5
    section = length / int(rng.choice([2, 3, 4]))
    for row in np.arange(0.0, top - 0.2, 0.4):
        canvas.shade(0, row, length, row + 0.14, 0.5)
        for at in np.arange(0.0, length - 0.3, 0.5):
            if at % section < 1.2:
                continue
            index = int(rng.integers(3)) if mixed and rng.random() < 0.5 else int(at // section) % 3
            colour = colours[index] * rng.uniform(0.7, 1.15)
            canvas.fill(at + 0.03, row + 0.12, at + 0.45, row + 0.36, colour)
            canvas.shade(at + 0.03, row + 0.12, at + 0.45, row + 0.2, 0.6)
    for at in np.arange(0.0, length, section):
        for row in np.arange(0.0, top, 0.4):
            canvas.fill(at, row + 0.3, at + 1.15, row + 0.36, np.full(3, 0.45))
    for level in np.arange(4.2, top, 6.0):
        canvas.fill(0, level, length, level + 0.7, pick(rng, ((180, 180, 176), (90, 92, 96))))
        canvas.fill(0, level + 0.95, length, level + 1.0, np.full(3, 0.5))
    canvas.weather(rng, 0.07)
    return make_texture(np.clip(canvas.pixels, 0.0, _PEAK), _PEAK)


@lru_cache(maxsize=VARIANTS)
def boards(number: int) -> Texture:
    """Gives a row of advertising boards."""
    rng = np.random.default_rng([number, 505])
    canvas = blank(2048, 64, 0.025)
    length, top = BOARDS_M
    at = 0.0
    while at < length:
        wide = min(float(rng.choice([3.2, 6.4, 4.8])), length - at)
        colour = pick(rng, SIGNS, 0.2)
        canvas.fill(at, 0.0, at + wide, top, colour)
        ink = pick(rng, ((245, 245, 240), (250, 220, 90), (26, 26, 28)))
        if abs(float(ink.mean() - colour.mean())) < 0.12:
            ink = np.float32(1.0) - ink
        if rng.random() < 0.5:
            a = at + wide * rng.uniform(0.05, 0.7)
            canvas.fill(a, 0.0, a + rng.uniform(0.3, 1.2), top, pick(rng, SIGNS, 0.2))
        size = rng.uniform(0.3, 0.8)
        canvas.lettering(rng, at + 0.1 * wide, 0.3, at + 0.9 * wide, 0.3 + size, ink)
        canvas.shade(at, 0.0, at + 0.05, top, 0.3)
        at += wide
    canvas.ramp(0, 0, length, 0.2, 0.3, 1.0)
    canvas.weather(rng, 0.05)
    return make_texture(np.clip(canvas.pixels, 0.0, _PEAK), _PEAK)
