"""What people push, pull, carry and hold, fitted to their hands.

Axes are a person's upright ones: y up, the ground at y = 0, metres; joints are (24, 3).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mili_core.synth.objects.fit import HANDS, WRISTS, Frame, frame_of
from mili_core.synth.objects.luggage import build_pram, build_stick, build_suitcase, build_umbrella, phone
from mili_core.synth.objects.mesh import Mesh, join
from mili_core.synth.objects.paints import BLACK, CASES, FABRICS, WOODS, draw_paint
from mili_core.synth.objects.solids import at, box, tube
from mili_core.synth.poses.skeleton import Joint


def pram_before(joints: NDArray[np.floating], rng: np.random.Generator) -> Mesh:
    """Gives a pram with its handle in a person's hands; joints (24, 3) upright axes."""
    frame = frame_of(joints)
    hands = 0.5 * (frame.joints[WRISTS] + frame.joints[HANDS])
    grip = hands.mean(axis=0) - [0.0, 0.03, 0.0]
    high = float(np.clip(grip[1], 0.75, 1.2))
    reach = rng.uniform(0.5, 0.62)
    built = build_pram(rng, np.array([0.0, high, -reach]), rng.uniform(0.42, 0.5))
    return frame.leave(built.transformed(np.eye(3), np.array([grip[0], 0.0, grip[2] + reach])))


def umbrella_over(joints: NDArray[np.floating], hand: int, rng: np.random.Generator) -> Mesh:
    """Gives an open umbrella over a head, its shaft from a hand; joints (24, 3) upright axes, hand 0 left, 1 right."""
    frame = frame_of(joints)
    grip, head = frame.joints[HANDS[hand]], frame.joints[Joint.HEAD]
    tip = 0.45 * grip + 0.55 * head
    tip[1] = head[1] + rng.uniform(0.46, 0.56) * max(frame.size, 0.8)
    return frame.leave(build_umbrella(rng, grip, tip))


def suitcase_beside(joints: NDArray[np.floating], rng: np.random.Generator) -> Mesh:
    """Gives a wheeled suitcase whose handle is in the lower hand; upright or pulled behind; joints (24, 3)."""
    frame = frame_of(joints)
    hands = frame.joints[HANDS]
    hand = hands[int(hands[1, 1] < hands[0, 1])] - [0.0, 0.03, 0.0]
    # Leaning so that the wheels follow behind the heels.
    run = rng.uniform(0.3, 0.5) * float(hand[1])
    length = float(np.hypot(hand[1], run))
    height = min(rng.uniform(0.5, 0.7), length - 0.2)
    built = build_suitcase(rng, height, length - height - 0.07)
    tilt = np.arctan2(run, hand[1])
    cosine, sine = np.cos(tilt), np.sin(tilt)
    lean = np.array([[1.0, 0.0, 0.0], [0.0, cosine, -sine], [0.0, sine, cosine]])
    leaning = built.transformed(lean, np.zeros(3))
    lift = -float(leaning.vertices_m[:, 1].min())
    return frame.leave(leaning.transformed(np.eye(3), np.array([hand[0], lift, hand[2] - run])))


def phone_in_hand(joints: NDArray[np.floating], rng: np.random.Generator) -> Mesh:
    """Gives a phone in the hand that is nearer to the face, its display towards the eyes; joints (24, 3)."""
    points = joints.astype(np.float64)
    head = points[Joint.HEAD]
    hands = points[HANDS]
    near = np.linalg.norm(hands - head, axis=1)
    # Two hands close together hold it between them.
    together = np.linalg.norm(hands[0] - hands[1]) < 0.24
    hand = hands.mean(axis=0) if together else hands[int(np.argmin(near))]
    display = head - hand + [0.0, 0.05, 0.0]
    display /= max(float(np.linalg.norm(display)), 1e-6)
    aside = np.cross([0.0, 1.0, 0.0], display)
    aside /= max(float(np.linalg.norm(aside)), 1e-6)
    rotation = np.stack([aside, np.cross(display, aside), display], axis=1)
    return phone(rng).transformed(rotation, hand + 0.035 * display + 0.02 * rotation[:, 1])


def stick(joints: NDArray[np.floating], rng: np.random.Generator) -> Mesh:
    """Gives a walking stick from the lower hand to the ground; joints (24, 3) upright axes."""
    frame = frame_of(joints)
    hands = frame.joints[HANDS]
    grip = hands[int(hands[1, 1] < hands[0, 1])] - [0.0, 0.02, 0.0]
    foot = np.array([grip[0] * 1.05, 0.0, grip[2] + rng.uniform(-0.1, 0.25)])
    return frame.leave(build_stick(rng, grip, foot))


def load_in_hands(joints: NDArray[np.floating], rng: np.random.Generator) -> Mesh:
    """Gives a box between two hands held before the body, else a bag in the lower hand; joints (24, 3)."""
    frame = frame_of(joints)
    hands = frame.joints[HANDS]
    gap = float(hands[0, 0] - hands[1, 0])
    before = hands[:, 2].min() > 0.15 and abs(float(hands[0, 1] - hands[1, 1])) < 0.15 and gap > 0.18
    return frame.leave(_box_between(frame, gap, rng) if before else _bag_below(frame, rng))


def _box_between(frame: Frame, gap: float, rng: np.random.Generator) -> Mesh:
    grips = 0.5 * (frame.joints[WRISTS] + frame.joints[HANDS])
    wide, high, deep = max(gap - 0.05, 0.15), rng.uniform(0.16, 0.34), rng.uniform(0.2, 0.36)
    middle = grips.mean(axis=0) + at(0.0, 0.25 * high, 0.3 * deep)
    card = draw_paint(rng, WOODS if rng.random() < 0.7 else CASES, 0.05)
    lid = box([1.01 * wide, 0.02, 0.06], middle + at(0.0, 0.5 * high, 0.0), card.times(1.25))
    return join([box([wide, high, deep], middle, card), lid])


def _bag_below(frame: Frame, rng: np.random.Generator) -> Mesh:
    hands = frame.joints[HANDS]
    grip = hands[int(hands[1, 1] < hands[0, 1])] - [0.0, 0.035, 0.0]
    high = float(np.clip(rng.uniform(0.28, 0.42), 0.1, grip[1] - 0.16))
    long, wide = rng.uniform(0.28, 0.44), rng.uniform(0.1, 0.17)
    cloth = draw_paint(rng, FABRICS if rng.random() < 0.6 else CASES, 0.1)
    strap, drop = 0.3 * long, 0.11
    parts = [box([wide, high, long], grip - [0.0, drop + 0.5 * high, 0.0], cloth, bevel=0.02)]
    for side in (-0.35, 0.35):
        x = side * wide
        path = [[x, -drop - 0.02, -strap], [0.3 * x, -0.01, -0.03], [0.3 * x, -0.01, 0.03], [x, -drop - 0.02, strap]]
        parts.append(tube(grip + np.array(path), 0.007, BLACK, sides=4))
    return join(parts)
