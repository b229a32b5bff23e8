"""Templates around head and neck: hair volumes, brims, collars, hoods, scarves."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from mili_core.synth.people.rig import Field, Rig
from mili_core.synth.poses.skeleton import Joint
from mili_core.synth.wardrobe.bind import Template, bind
from mili_core.synth.wardrobe.shapes import joined, lined, rounded_box, sheet_faces, tube

Float64Array = NDArray[np.float64]

STEP_M = 0.03
"""Lengths of hair and heights of collars come in such steps, so that few templates are ever made."""

_LINING_M = 0.005


def _outline(rig: Rig, y: float, turns: Float64Array, thick_m: float = 0.015) -> Float64Array:
    """Gives (n, 2) x and z of the body's outline at a height, arms left out, in directions from front to left."""
    vertices = rig.body.v_template
    pool = vertices[(rig.fields[:, Field.ARM] < 0) & (np.abs(vertices[:, 1] - y) < thick_m)]
    if len(pool) < 3:
        return np.stack([0.07 * np.sin(turns), 0.04 + 0.07 * np.cos(turns)], axis=1)
    middle = 0.5 * (pool[:, [0, 2]].min(axis=0) + pool[:, [0, 2]].max(axis=0))
    flat = (pool[:, [0, 2]] - middle).astype(np.float64)
    every = 2.0 * np.pi * np.arange(48) / 48
    support = (flat @ np.stack([np.sin(every), np.cos(every)])).max(axis=0)
    toward = np.cos(turns[:, None] - every)
    radius = np.where(toward > 0.2, support / np.where(toward > 0.2, toward, 1.0), np.inf).min(axis=1)
    outline: Float64Array = middle + radius[:, None] * np.stack([np.sin(turns), np.cos(turns)], axis=1)
    return outline


def _height(rig: Rig, head: float) -> float:
    """Gives the rest-pose height of a value of `Field.HEAD`."""
    return rig.chin_y + head * (rig.crown_y - rig.chin_y)


@lru_cache(maxsize=64)
def collar(rig: Rig, steps: int, *, opened: bool) -> Template:
    """Gives a collar, `steps` centimetres high, that stands or lies around the neck."""
    gap = 0.55 if opened else 0.16
    turns = np.linspace(gap, 2.0 * np.pi - gap, 24)
    front = 0.5 + 0.5 * np.cos(turns)
    neck = _outline(rig, rig.neck_y + 0.025, turns, 0.012)
    away = np.stack([np.sin(turns), np.cos(turns)], axis=1)
    height = steps * 0.01 + 0.014
    low = rig.neck_y + 0.004 - 0.03 * front
    rows = []
    # From the foot outside up to the edge, and back inside.
    for rise, off in ((0.0, 0.042), (0.4, 0.03), (1.0, 0.024), (1.0, 0.014), (0.2, 0.012)):
        flat = neck + (off + 0.012 * front[:, None] * (1.0 - rise)) * away
        rows.append(np.stack([flat[:, 0], low + rise * height, flat[:, 1]], axis=1))
    return bind(rig, np.concatenate(rows), sheet_faces(len(rows), len(turns), closed=False))


@lru_cache(maxsize=4)
def lying_hood(rig: Rig) -> Template:
    """Gives a hood that lies on the back and around the neck."""
    turns = np.linspace(0.75, 2.0 * np.pi - 0.75, 17)
    back = 0.5 - 0.5 * np.cos(turns)
    flat = _outline(rig, rig.neck_y + 0.02, turns, 0.012) + (0.014 + 0.03 * back[:, None]) * np.stack(
        [np.sin(turns), np.cos(turns)], axis=1
    )
    path = np.stack([flat[:, 0], rig.neck_y - 0.005 + 0.02 * back - 0.02 * (1.0 - back), flat[:, 1]], axis=1)
    roll = tube(path, 0.012 + 0.03 * back**1.5, 1.15)
    pouch, faces = rounded_box(np.array([0.085, 0.085, 0.032]), 2.6)
    spine = _outline(rig, rig.neck_y - 0.07, np.array([np.pi]))[0, 1]
    pouch = pouch + np.array([0.0, rig.neck_y - 0.045, spine - 0.02], dtype=np.float32)
    return bind(rig, *joined([roll, (pouch, faces)]))


@lru_cache(maxsize=4)
def scarf(rig: Rig) -> Template:
    """Gives a scarf: two turns around the neck and an end on the chest."""
    turns = np.linspace(0.0, 4.0 * np.pi, 40)
    flat = _outline(rig, rig.neck_y + 0.025, np.mod(turns, 2.0 * np.pi), 0.012)
    flat = flat + (0.026 + 0.012 * np.sin(0.5 * turns)[:, None] ** 2) * np.stack([np.sin(turns), np.cos(turns)], axis=1)
    rise = 0.012 + 0.028 * np.linspace(0.0, 1.0, 40) - 0.022 * np.cos(turns)
    loops = tube(np.stack([flat[:, 0], rig.neck_y + rise, flat[:, 1]], axis=1), np.full(40, 0.026), 1.05, 8)
    parts = [loops]
    for side, length in ((0.035, 0.34), (-0.03, 0.26)):
        drop = np.linspace(0.0, length, 8)
        chest = np.array(
            [_outline(rig, rig.neck_y - float(fall), np.array([0.3 * np.sign(side)]))[0, 1] for fall in drop]
        )
        end = np.stack([side + 0.1 * side * drop, rig.neck_y - drop, np.maximum.accumulate(chest) + 0.026], axis=1)
        parts.append(tube(end, np.full(8, 0.036), 0.3, 8))
    return bind(rig, *joined(parts))


@lru_cache(maxsize=8)
def brim(rig: Rig, *, wide: bool) -> Template:
    """Gives the peak of a cap, or the brim of a sun hat."""
    spread = np.pi if wide else 1.05
    turns = np.linspace(-spread, spread, 33 if wide else 15)
    line = _height(rig, 0.62 if wide else 0.72)
    head = _outline(rig, line, turns)
    away = np.stack([np.sin(turns), np.cos(turns)], axis=1)
    reach = np.full(len(turns), 0.085) if wide else 0.078 * np.sqrt(np.clip(1.0 - (turns / spread) ** 2, 0.0, 1.0))
    rows = []
    for share in (0.0, 0.5, 1.0):
        flat = head + (0.006 + share * reach[:, None]) * away
        drop = (0.022 if wide else 0.026) * share**1.5
        rows.append(np.stack([flat[:, 0], np.full(len(turns), line + 0.012 - drop), flat[:, 1]], axis=1))
    top = np.concatenate(rows)
    vertices, faces = lined(
        top.astype(np.float32),
        (top - np.array([0.0, _LINING_M, 0.0])).astype(np.float32),
        sheet_faces(3, len(turns), closed=False),
    )
    return bind(rig, vertices, faces, Joint.HEAD)


@lru_cache(maxsize=8)
def knot(rig: Rig, *, high: bool) -> Template:
    """Gives a bun, on the crown or at the back of the head."""
    vertices, faces = rounded_box(np.array([0.043, 0.04, 0.04]), 2.0, 8, 12)
    at = (0.0, rig.crown_y + 0.018, 0.035) if high else (0.0, _height(rig, 0.62), _back_of_head(rig) - 0.02)
    return bind(rig, vertices + np.array(at, dtype=np.float32), faces, Joint.HEAD)


@lru_cache(maxsize=16)
def ponytail(rig: Rig, steps: int) -> Template:
    """Gives a ponytail that hangs `steps` x STEP_M."""
    share = np.linspace(0.0, 1.0, 9)
    top = _height(rig, 0.72)
    length = 0.12 + steps * STEP_M
    back = _back_of_head(rig)
    path = np.stack([0.0 * share, top + 0.012 * np.sin(np.pi * share) - length * share**1.3,
                     back - 0.005 - 0.045 * np.sin(np.pi * np.minimum(share * 1.4, 1.0)) - 0.012], axis=1)  # fmt: skip
    return bind(rig, *tube(path, 0.013 + 0.02 * np.sin(np.pi * (0.1 + 0.82 * share)), 1.0), hang=True)


@lru_cache(maxsize=32)
def long_hair(rig: Rig, steps: int, volume_steps: int, *, under_hat: bool, over_collar: bool) -> Template:
    """Gives hair that falls to `steps` x STEP_M below the chin, `volume_steps` x 6 mm off the skull."""
    off = 0.009 + 0.006 * volume_steps
    bottom = rig.chin_y - steps * STEP_M
    heights = np.concatenate(
        [np.linspace(_height(rig, 0.5 if under_hat else 0.93), rig.chin_y, 9), np.linspace(rig.chin_y, bottom, 8)[1:]]
    )
    columns, rows, ears = 25, [], _outline(rig, _height(rig, 0.45), np.array([0.5 * np.pi]))[0]
    for y in heights:
        head = (y - rig.chin_y) / (rig.crown_y - rig.chin_y)
        # Parted over the face above; at the shoulders it lies on the back.
        start = np.interp(head, [-0.9, -0.5, 0.1, 0.6, 0.93], [1.75, 1.35, 1.05, 1.0, 0.35])
        turns = np.linspace(start, 2.0 * np.pi - start, columns)
        away = np.stack([np.sin(turns), np.cos(turns)], axis=1)
        flat = _outline(rig, max(float(y), rig.chin_y + 0.06), turns) + off * away
        if y < rig.chin_y + 0.06:
            narrow = np.interp(y, [rig.chin_y - 0.3, rig.chin_y + 0.06], [0.92, 1.0])
            flat[:, 0] = np.clip(flat[:, 0], -(ears[0] + off), ears[0] + off) * narrow
            spine = _outline(rig, float(y), np.array([np.pi]))[0, 1] - (0.045 if over_collar else 0.016)
            # Flat on the shoulder blades, wherever it would dip into them.
            behind = np.clip(-1.7 * np.cos(turns), 0.0, 1.0)
            flat[:, 1] += behind * np.minimum(spine - flat[:, 1], 0.0)
        ragged = 0.008 * np.sin(3.0 * turns) * (y - rig.crown_y) / 0.3
        rows.append(np.stack([flat[:, 0], np.full(columns, y) + ragged, flat[:, 1]], axis=1))
    outer = np.stack(rows)
    inner = outer.copy()
    inner[..., [0, 2]] = 0.93 * (outer[..., [0, 2]] - [0.0, ears[1]]) + [0.0, ears[1]]
    inner[..., 1] -= 0.004
    vertices, faces = lined(
        outer.reshape(-1, 3).astype(np.float32),
        inner.reshape(-1, 3).astype(np.float32),
        sheet_faces(len(heights), columns, closed=False),
    )
    return bind(rig, vertices, faces, hang=True)


def _back_of_head(rig: Rig) -> float:
    return float(_outline(rig, _height(rig, 0.65), np.array([np.pi]))[0, 1])
