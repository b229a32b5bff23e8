"""What carries people or what they lean on, fitted to their bodies: seats, bicycles, rails, posts.

Axes are a person's upright ones: y up, the ground at y = 0, metres; joints are (24, 3), vertices (V, 3).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mili_core.synth.objects.bicycles import BicycleFit, build_bicycle
from mili_core.synth.objects.fit import FEET, HANDS, WRISTS, Frame, frame_of
from mili_core.synth.objects.furniture import Seat, build_bench, build_chair
from mili_core.synth.objects.mesh import Mesh, join
from mili_core.synth.objects.paints import STONES, STREET_METALS, WOODS, draw_paint
from mili_core.synth.objects.solids import box, lathe, rods
from mili_core.synth.poses.skeleton import Joint

Float64Array = NDArray[np.float64]

LOWEST_SEAT_M = 0.14
"""Who sits lower sits on the ground."""


def seat_under(joints: NDArray[np.floating], vertices: NDArray[np.floating]) -> tuple[Frame, Seat] | None:
    """Gives where a seat has to be, in the sitter's frame, or None for who sits on the ground.

    Args:
        joints: (24, 3) upright axes.
        vertices: (V, 3) upright axes, clothes or skin.
    """
    frame = frame_of(joints)
    points, pelvis = frame.enter(vertices), frame.joints[Joint.PELVIS]
    size, knees = frame.size, frame.joints[[Joint.LEFT_KNEE, Joint.RIGHT_KNEE]]
    offset = points - pelvis
    middle = np.abs(offset[:, 0]) < 0.17 * size
    trunk = middle & (np.abs(offset[:, 2] - 0.03 * size) < 0.15 * size) & (np.abs(offset[:, 1]) < 0.25 * size)
    if not trunk.any() or points[trunk, 1].min() < LOWEST_SEAT_M:
        return None
    top = float(points[trunk, 1].min()) + 0.005
    behind = middle & (offset[:, 1] > -0.05 * size) & (offset[:, 1] < 0.45 * size) & (offset[:, 2] < 0.05 * size)
    lean, back = _back_plane(points[behind], top)
    front = max(float(knees[:, 2].mean()) - 0.07 * size, 0.12)
    high = 0.42 * size
    return frame, Seat(top, front, back, 0.44 * max(size, 0.75), lean, high)


def _back_plane(points: Float64Array, top: float) -> tuple[float, float]:
    """Gives lean, radians, and z at the seat's height of the least leaning plane that lies behind a back (N, 3)."""
    if not len(points):
        return 0.1, -0.2
    # Each lean's plane is pushed back until it touches; the one that needs the least room is taken.
    leans = np.deg2rad(np.arange(0.0, 32.0, 4.0))
    touch = (points[None, :, 2] + np.tan(leans)[:, None] * (points[None, :, 1] - top)).min(axis=1)
    gap = (points[None, :, 2] + np.tan(leans)[:, None] * (points[None, :, 1] - top) - touch[:, None]).mean(axis=1)
    best = int(np.argmin(gap + 0.02 * leans))
    return float(leans[best]), float(touch[best]) - 0.02


def bench_under(joints: NDArray[np.floating], vertices: NDArray[np.floating], rng: np.random.Generator) -> Mesh | None:
    """Gives a bench, or a block, whose top is just below a sitter; None for who sits on the ground.

    Args:
        joints: (24, 3) upright axes.
        vertices: (V, 3) upright axes.
        rng: source of all randomness.
    """
    found = seat_under(joints, vertices)
    if found is None:
        return None
    frame, seat = found
    width = rng.uniform(1.2, 2.2)
    aside = rng.uniform(-0.5, 0.5) * (width - 0.6)
    back = seat.back_height_m if rng.random() < 0.65 else 0.0
    built = build_bench(Seat(seat.top_m, seat.front_m, seat.back_m, width, seat.lean_rad, back), rng)
    return frame.leave(built.transformed(np.eye(3), np.array([aside, 0.0, 0.0])))


def chair_under(joints: NDArray[np.floating], vertices: NDArray[np.floating], rng: np.random.Generator) -> Mesh | None:
    """Gives a chair whose seat is just below a sitter; None for who sits on the ground. Arguments as `bench_under`."""
    found = seat_under(joints, vertices)
    return None if found is None else found[0].leave(build_chair(found[1], rng))


def bicycle_under(joints: NDArray[np.floating], rng: np.random.Generator) -> Mesh:
    """Gives a bicycle whose saddle, pedals and grips are where a rider's pelvis, feet and hands are.

    Args:
        joints: (24, 3) upright axes; the lower foot is as far above the ground as its pedal.
        rng: source of all randomness.
    """
    frame = frame_of(joints)
    pose, size = frame.joints, frame.size
    pedals = pose[FEET] - [0.0, 0.055 * size, 0.015]
    bracket = pedals.mean(axis=0)[1:]
    grips = 0.35 * pose[WRISTS] + 0.65 * pose[HANDS] - [0.0, 0.03 * size, 0.0]
    spread = max(0.5 * float(grips[0, 0] - grips[1, 0]), 0.16 * size)
    middle = grips[:, 1:].mean(axis=0)
    middle[1] = max(middle[1], bracket[1] + 0.22 * size)
    saddle = pose[Joint.PELVIS, 1:] - np.array([0.105, 0.02]) * size
    # Wheels of what is sold, from children's to large ones, under the bar and clear of the pedals.
    wheel = float(np.clip(0.34 * size, 0.16, 0.35))
    wheel = min(wheel, 0.42 * float(middle[0]))
    rear = min(float(bracket[1]) - 0.42 * size, float(saddle[1]) - 0.02)
    front = max(float(middle[1]) + 0.16 * size, float(bracket[1]) + 0.58 * size, rear + 2.6 * wheel)
    fit = BicycleFit(
        saddle=saddle,
        grips=np.array([[spread, *middle], [-spread, *middle]]),
        pedals=pedals,
        bracket=bracket,
        wheel_m=wheel,
        rear_z=rear,
        front_z=front,
    )
    return frame.leave(build_bicycle(fit, rng))


def rail_before(joints: NDArray[np.floating], rng: np.random.Generator) -> Mesh:
    """Gives a railing or a bar table below the hands of somebody who leans on it; joints (24, 3) upright axes."""
    frame = frame_of(joints)
    resting = frame.joints[[*WRISTS, *HANDS]]
    top, ahead = float(resting[:, 1].min()) - 0.03, float(resting[:, 2].mean())
    if rng.random() < 0.4:
        slab = draw_paint(rng, WOODS, 0.3)
        metal = draw_paint(rng, STREET_METALS, 0.4)
        table = [
            lathe([[0.33, top - 0.035], [0.34, top - 0.03], [0.34, top]], slab, sides=18),
            lathe([[0.25, 0.0], [0.24, 0.03], [0.035, 0.06], [0.035, top - 0.035]], metal, sides=12),
        ]
        return frame.leave(join(table).transformed(np.eye(3), np.array([0.0, 0.0, ahead + 0.2])))
    metal, half = draw_paint(rng, STREET_METALS, 0.4), rng.uniform(0.9, 1.6)
    aside = rng.uniform(-0.4, 0.4)
    xs = np.linspace(-half, half, round(half / 0.07))
    lines = [([-half, y, 0.0], [half, y, 0.0]) for y in (0.1, top - 0.12)]
    posts = [([x, 0.0, 0.0], [x, top - 0.025, 0.0]) for x in (-half, 0.0, half)]
    bars = [([x, 0.1, 0.0], [x, top - 0.12, 0.0]) for x in xs]
    starts, ends = np.array([*lines, *posts, *bars]).transpose(1, 0, 2)
    radius = np.concatenate([np.full(2, 0.014), np.full(3, 0.022), np.full(len(bars), 0.007)])
    parts = [
        rods([[-half, top - 0.025, 0.0]], [[half, top - 0.025, 0.0]], 0.025, metal, sides=8),
        rods(starts, ends, radius, metal, sides=5),
    ]
    return frame.leave(join(parts).transformed(np.eye(3), np.array([aside, 0.0, ahead])))


def post_behind(joints: NDArray[np.floating], vertices: NDArray[np.floating], rng: np.random.Generator) -> Mesh:
    """Gives a square pillar that touches the back of somebody who leans on it; arguments as `bench_under`."""
    frame = frame_of(joints)
    points = frame.enter(vertices)
    wide, deep, high = rng.uniform(0.28, 0.45), rng.uniform(0.25, 0.4), rng.uniform(2.6, 4.0)
    back = float(points[np.abs(points[:, 0]) < 0.5 * wide, 2].min(initial=0.0))
    stone = draw_paint(rng, STONES, 0.05)
    return frame.leave(box([wide, high, deep], [0.0, 0.5 * high, back - 0.5 * deep], stone, bevel=0.02))
