"""Fronts of town houses as textures: shops at the foot, storeys of windows above."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from mili_core.synth.worlds.canvas import Canvas, blank, pick
from mili_core.synth.worlds.texture import Texture, make_texture

Float32Array = NDArray[np.float32]

VARIANTS = 5
"""Textures, each of SLOTS houses."""

SLOTS = 4
HOUSE_M = 12.8
FOOT_M = 4.8
"""Height of the shops; above it the storeys repeat every STOREYS_M."""

STOREYS_M = 8.0
_TEXEL_M = 0.025
_PEAK = 1.0

_PLASTER = (
    (206, 192, 166), (224, 216, 200), (188, 170, 146), (214, 178, 138), (196, 160, 148), (176, 184, 180),
    (232, 226, 214), (160, 146, 132), (206, 200, 190), (196, 188, 150),
)  # fmt: skip
_BRICK = ((142, 84, 66), (166, 104, 80), (124, 78, 66), (176, 136, 104), (150, 120, 100), (108, 92, 86))
_MODERN = ((150, 154, 158), (106, 110, 116), (196, 198, 200), (84, 82, 80), (178, 170, 158), (132, 116, 100))
_TRIM = ((236, 232, 224), (222, 214, 200), (206, 200, 190), (180, 172, 160))
_FRAMES = ((240, 240, 238), (236, 234, 228), (58, 48, 42), (44, 46, 50), (110, 74, 50), (70, 84, 78))
SIGNS = (
    (176, 34, 36), (28, 62, 122), (30, 92, 62), (232, 190, 60), (28, 28, 30), (238, 236, 230), (120, 40, 84),
    (222, 112, 40), (92, 60, 42), (44, 120, 150), (200, 60, 90), (60, 62, 66),
)  # fmt: skip


@lru_cache(maxsize=VARIANTS)
def house_fronts(number: int) -> Texture:
    """Gives SLOTS fronts side by side, HOUSE_M each; FOOT_M + STOREYS_M high."""
    rng = np.random.default_rng([number, 501])
    canvas = blank(2048, 512, _TEXEL_M)
    for slot in range(SLOTS):
        _house(rng, canvas, slot * HOUSE_M)
    canvas.weather(rng, 0.05)
    return make_texture(np.clip(canvas.pixels, 0.0, 1.0), _PEAK)


def _house(rng: np.random.Generator, canvas: Canvas, left: float) -> None:
    kind = str(rng.choice(["plaster", "brick", "modern", "glass"], p=[0.48, 0.24, 0.18, 0.1]))
    right, top = left + HOUSE_M, FOOT_M + STOREYS_M
    base = pick(rng, {"plaster": _PLASTER, "brick": _BRICK}.get(kind, _MODERN))
    canvas.fill(left, 0.0, right, top, base)
    if kind == "brick":
        _bricks(rng, canvas, left)
    _storeys(rng, canvas, left, base, kind)
    _foot(rng, canvas, left, base)
    # A rain pipe or a seam parts the houses.
    canvas.shade(left, 0.0, left + rng.uniform(0.06, 0.14), top, rng.uniform(0.4, 0.8))


def _bricks(rng: np.random.Generator, canvas: Canvas, left: float) -> None:
    texels = canvas.part(left, 0.0, left + HOUSE_M, FOOT_M + STOREYS_M)
    rows, columns = texels.shape[0] // 3 + 1, texels.shape[1] // 10 + 2
    y, x = np.mgrid[0 : texels.shape[0], 0 : texels.shape[1]]
    row = y // 3
    column = (x + 5 * (row % 2)) // 10
    value = np.exp(rng.normal(0.0, 0.13, (rows, columns)))[row, column]
    joint = (y % 3 == 0) | ((x + 5 * (row % 2)) % 10 == 0)
    texels[..., :3] *= np.where(joint, rng.uniform(1.1, 1.5), value)[..., None].astype(np.float32)


def _storeys(rng: np.random.Generator, canvas: Canvas, left: float, base: Float32Array, kind: str) -> None:
    storeys = 3 if kind != "plaster" or rng.random() < 0.4 else 2
    high = STOREYS_M / storeys
    bays = int(rng.integers(3, 7))
    wide = HOUSE_M / bays
    share = (0.86, 0.82) if kind == "glass" else (rng.uniform(0.36, 0.62), rng.uniform(0.5, 0.7))
    trim = pick(rng, _TRIM) if kind == "plaster" else base * rng.uniform(0.7, 1.35)
    frame = pick(rng, _FRAMES)
    balcony, ledge, shutters = rng.random() < 0.25, rng.random() < 0.6, kind == "plaster" and rng.random() < 0.25
    panes = int(rng.integers(1, 4))
    shutter = pick(rng, ((70, 92, 74), (96, 70, 52), (84, 96, 110), (150, 140, 120)))
    for storey in range(storeys):
        floor = FOOT_M + storey * high
        if ledge:
            canvas.fill(left, floor, left + HOUSE_M, floor + 0.14, trim)
            canvas.shade(left, floor - 0.08, left + HOUSE_M, floor, 0.6)
        for bay in range(bays):
            u0 = left + (bay + 0.5 - 0.5 * share[0]) * wide
            box = (u0, floor + 0.26 * high * (share[1] < 0.75) + 0.06, u0 + share[0] * wide, 0.0)
            box = (box[0], box[1], box[2], min(box[1] + share[1] * high, floor + high - 0.12))
            if shutters:
                canvas.fill(box[0] - 0.42, box[1], box[0] - 0.1, box[3], shutter)
                canvas.fill(box[2] + 0.1, box[1], box[2] + 0.42, box[3], shutter)
            window(rng, canvas, box, trim, frame, panes)
        if balcony and storey % 2 == 0:
            _railing(rng, canvas, left + 0.1 * HOUSE_M, left + 0.9 * HOUSE_M, floor + 0.1, frame)


def window(
    rng: np.random.Generator,
    canvas: Canvas,
    box: tuple[float, float, float, float],
    trim: Float32Array,
    frame: Float32Array,
    panes: int,
) -> None:
    """Draws a window into u0, v0, u1, v1: surround, sill and its shadow, frame, dark glass, sometimes a curtain."""
    u0, v0, u1, v1 = box
    canvas.fill(u0 - 0.1, v0 - 0.06, u1 + 0.1, v1 + 0.1, trim)
    canvas.shade(u0 - 0.12, v0 - 0.2, u1 + 0.12, v0 - 0.08, 0.72)
    canvas.fill(u0, v0, u1, v1, frame)
    gap = 0.06
    dark = rng.uniform(0.01, 0.05) * np.array([0.9, 1.0, 1.1])
    gloss = float(np.clip(rng.normal(0.3, 0.16), 0.05, 0.8))
    step = (u1 - u0) / panes
    for pane in range(panes):
        a, b = u0 + pane * step + gap, u0 + (pane + 1) * step - 0.5 * gap
        canvas.fill(a, v0 + gap, b, v1 - gap, dark, gloss)
    if rng.random() < 0.45:
        curtain = pick(rng, ((214, 208, 198), (196, 190, 180), (150, 130, 110), (220, 216, 210))) * 0.6
        low = v0 + (v1 - v0) * rng.choice([0.0, 0.0, 0.4, 0.65])
        for a, b in ((u0 + gap, u0 + 0.32 * (u1 - u0)), (u1 - 0.32 * (u1 - u0), u1 - gap)):
            canvas.fill(a, low + gap, b, v1 - gap, curtain * rng.uniform(0.6, 1.0), 0.5 * gloss)
    if rng.random() < 0.12:
        blind = pick(rng, ((224, 220, 210), (200, 196, 190)))
        canvas.fill(u0 + gap, v0 + (v1 - v0) * rng.uniform(0.2, 0.8), u1 - gap, v1 - gap, 0.7 * blind, 0.1)
    canvas.part(u0, v0, u1, v1)[..., 3] *= np.float32(rng.uniform(0.7, 1.3))
    # The lintel's shadow, then the light that falls deeper in.
    canvas.ramp(u0, v1 - 0.3, u1, v1, 1.0, 0.35)


def _railing(rng: np.random.Generator, canvas: Canvas, u0: float, u1: float, foot: float, colour: Float32Array) -> None:
    canvas.fill(u0, foot, u1, foot + 0.16, colour * 0.8 + 0.1)
    canvas.shade(u0, foot - 0.5, u1, foot, 0.55)
    dark = colour * rng.uniform(0.4, 1.0)
    for at in np.arange(u0, u1, 0.125):
        canvas.fill(at, foot + 0.16, at + 0.025, foot + 1.0, dark)
    canvas.fill(u0, foot + 1.0, u1, foot + 1.06, dark)


def _foot(rng: np.random.Generator, canvas: Canvas, left: float, base: Float32Array) -> None:
    """Draws what is at street level: shops, or doors and windows over a plinth."""
    right = left + HOUSE_M
    if rng.random() < 0.28:
        canvas.fill(left, 0.0, right, rng.uniform(0.5, 1.2), base * rng.uniform(0.45, 0.8))
        frame, trim, bays = pick(rng, _FRAMES), pick(rng, _TRIM), int(rng.integers(3, 6))
        wide, door = HOUSE_M / bays, int(rng.integers(bays))
        for bay in range(bays):
            centre = left + (bay + 0.5) * wide
            if bay == door:
                _door(rng, canvas, centre, trim)
            else:
                window(rng, canvas, (centre - 0.27 * wide, 1.3, centre + 0.27 * wide, 3.4), trim, frame, 2)
        return
    shops = int(rng.integers(1, 4))
    wide = HOUSE_M / shops
    for shop in range(shops):
        _shop(rng, canvas, left + shop * wide, left + (shop + 1) * wide)


def _door(rng: np.random.Generator, canvas: Canvas, centre: float, trim: Float32Array) -> None:
    half, high = rng.uniform(0.55, 0.9), rng.uniform(2.3, 3.2)
    colour = pick(rng, ((70, 46, 34), (34, 54, 48), (40, 44, 60), (110, 30, 32), (60, 60, 62), (150, 146, 140)))
    canvas.fill(centre - half - 0.16, 0.0, centre + half + 0.16, high + 0.18, trim)
    canvas.fill(centre - half, 0.0, centre + half, high, colour)
    canvas.ramp(centre - half, high - 0.5, centre + half, high, 1.0, 0.4)
    for side in (-1.0, 1.0):
        a, b = sorted((centre + side * 0.1, centre + side * 0.8 * half))
        canvas.fill(a, 1.3, b, high - 0.25, 0.5 * colour, 0.25)
        canvas.shade(a, 0.25, b, 1.1, 1.3)


def _shop(rng: np.random.Generator, canvas: Canvas, left: float, right: float) -> None:
    sign, frame = pick(rng, SIGNS, 0.2), pick(rng, _FRAMES, 0.2)
    sill, lintel = rng.choice([0.1, 0.35, 0.6]), rng.uniform(2.5, 3.1)
    canvas.fill(left + 0.15, 0.0, right - 0.15, lintel + 0.1, frame)
    lit = rng.uniform(0.15, 0.9)
    door = rng.uniform(left + 0.5, max(right - 1.6, left + 0.6))
    for a, b, foot in ((left + 0.3, door, sill), (door + 0.08, door + 1.0, 0.06), (door + 1.1, right - 0.3, sill)):
        if b - a < 0.25:
            continue
        canvas.fill(a, foot, b, lintel, lit * rng.uniform(0.03, 0.12) * np.array([1.1, 1.0, 0.85]), 0.22)
        canvas.clutter(rng, (a, foot, b, 0.75 * lintel), int(14 * (b - a)), lit)
        canvas.ramp(a, lintel - 0.7, b, lintel, 1.0, rng.uniform(0.4, 1.6))
        for at in np.arange(a + 1.6, b - 0.3, 1.6):
            canvas.fill(at, foot, at + 0.05, lintel, frame)
    canvas.fill(left + 0.1, lintel + 0.1, right - 0.1, lintel + 0.95, sign)
    ink = pick(rng, ((240, 238, 230), (250, 250, 250), (230, 200, 120), (24, 24, 26)))
    if abs(float(ink.mean() - sign.mean())) < 0.12:
        ink = np.float32(1.0) - ink
    wide = right - left
    start = left + wide * rng.uniform(0.08, 0.3)
    canvas.lettering(rng, start, lintel + 0.3, start + wide * rng.uniform(0.3, 0.6), lintel + 0.72, ink)
    canvas.shade(left + 0.1, lintel - 0.05, right - 0.1, lintel + 0.1, 0.45)
    if rng.random() < 0.3:
        _awning(rng, canvas, left + 0.3, right - 0.3, lintel - 0.35, pick(rng, SIGNS, 0.2))


def _awning(
    rng: np.random.Generator, canvas: Canvas, left: float, right: float, foot: float, colour: Float32Array
) -> None:
    striped = rng.random() < 0.5
    canvas.fill(left, foot, right, foot + 0.85, colour)
    if striped:
        for at in np.arange(left, right, 0.6):
            canvas.fill(at, foot, min(at + 0.3, right), foot + 0.85, np.full(3, 0.72))
    canvas.ramp(left, foot, right, foot + 0.85, 0.65, 1.15)
    canvas.shade(left, foot - 0.4, right, foot, 0.45)
