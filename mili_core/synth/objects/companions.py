"""What goes with a person: who sits gets a seat, who cycles a bicycle, some walkers an umbrella or a suitcase.

Axes are a person's upright ones: y up, the ground at y = 0, metres.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mili_core.synth.objects.fit import HANDS, Frame, frame_of
from mili_core.synth.objects.held import (
    load_in_hands,
    phone_in_hand,
    pram_before,
    stick,
    suitcase_beside,
    umbrella_over,
)
from mili_core.synth.objects.mesh import Mesh
from mili_core.synth.objects.rests import bench_under, bicycle_under, chair_under, post_behind, rail_before
from mili_core.synth.poses.skeleton import Joint

UMBRELLA_IN_RAIN = 0.65
"""Share of those with a free hand at chest height who hold an umbrella in rain."""

PARASOL_HAND = 0.03
"""Share of those who do so in the sun."""

SUITCASE_HALL, SUITCASE_STREET = 0.22, 0.05
"""Shares of walkers with a suitcase."""

STICK_SHARE = 0.02
"""Share of walkers with a stick."""


def companion(
    rng: np.random.Generator,
    kind: str,
    joints: NDArray[np.floating],
    vertices: NDArray[np.floating],
    *,
    indoor: bool,
    rainy: bool,
) -> tuple[Mesh, ...]:
    """Gives what a person has along.

    Args:
        rng: source of all randomness.
        kind: name of the pose: who sits, cycles, pushes or looks at a phone gets what that takes.
        joints: (24, 3) upright axes.
        vertices: (V, 3) upright axes.
        indoor: nobody opens an umbrella.
        rainy: many do.
    """
    if kind.startswith("sit"):
        seat = (bench_under if rng.random() < 0.55 else chair_under)(joints, vertices, rng)
        return () if seat is None else (seat,)
    if kind == "lean_wall":
        return (post_behind(joints, vertices, rng),)
    if kind in _ALWAYS:
        return (_ALWAYS[kind](joints, rng),)
    if kind not in {"stand", "walk"}:
        return ()
    return _in_hand(rng, frame_of(joints), joints, walks=kind == "walk", indoor=indoor, rainy=rainy)


_ALWAYS = {
    "cycle": bicycle_under,
    "push": pram_before,
    "phone": phone_in_hand,
    "photograph": phone_in_hand,
    "lean_bar": rail_before,
    "carry": load_in_hands,
}
"""Pose -> what it takes, a function of joints and a generator."""


def _in_hand(
    rng: np.random.Generator,
    frame: Frame,
    joints: NDArray[np.floating],
    *,
    walks: bool,
    indoor: bool,
    rainy: bool,
) -> tuple[Mesh, ...]:
    """Gives what somebody upright holds, as far as the hands are where it takes them."""
    hands, chance = frame.joints[HANDS], rng.random(3)
    belly, chin = frame.joints[Joint.SPINE1, 1], frame.joints[Joint.NECK, 1]
    raised = np.flatnonzero((hands[:, 1] > belly - 0.02) & (hands[:, 1] < chin) & (hands[:, 2] > 0.05))
    share = UMBRELLA_IN_RAIN if rainy else PARASOL_HAND
    if not indoor and len(raised) and chance[0] < share:
        return (umbrella_over(joints, int(raised[0]), rng),)
    lower = hands[int(hands[1, 1] < hands[0, 1])]
    hangs = lower[1] < frame.joints[Joint.PELVIS, 1] and abs(lower[0]) > 0.15 * frame.size
    if not hangs or frame.size < 0.8:
        return ()
    if chance[1] < (SUITCASE_HALL if indoor else SUITCASE_STREET):
        return (suitcase_beside(joints, rng),)
    return (stick(joints, rng),) if walks and chance[2] < STICK_SHARE else ()
