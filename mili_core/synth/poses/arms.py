"""What people do with their arms: styles that go with any upright pose.

Each style takes poses (N, 24, 4) of anatomical angles, sets the arms in place and returns the same array.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mili_core.synth.poses.skeleton import Angle, Float64Array, Joint

ArmStyle = Callable[[np.random.Generator, Float64Array], Float64Array]
Range = tuple[float, float]

_LEFT = (Joint.LEFT_SHOULDER, Joint.LEFT_ELBOW, Joint.LEFT_WRIST, Joint.LEFT_HAND)
_RIGHT = (Joint.RIGHT_SHOULDER, Joint.RIGHT_ELBOW, Joint.RIGHT_WRIST, Joint.RIGHT_HAND)
_BOTH = (_LEFT, _RIGHT)


@dataclass(frozen=True, slots=True)
class Arm:
    """Ranges of one arm's angles, degrees.

    Attributes:
        raise_forward: 0 in the frontal plane, 90 straight ahead, negative behind the back.
        lower: 0 level (T-pose), 90 along the body, negative above the shoulder.
        inward: rotation of the upper arm about itself, positive towards the belly.
        bend: elbow flexion.
        pronate: rotation of the forearm about itself.
        across: turn about the vertical before raising, positive towards the other side.
    """

    raise_forward: Range
    lower: Range
    inward: Range
    bend: Range
    pronate: Range = (-15.0, 25.0)
    across: Range = (0.0, 0.0)


HANG = Arm((-10.0, 12.0), (70.0, 80.0), (-5.0, 25.0), (5.0, 28.0))
POCKET = Arm((-16.0, -6.0), (73.0, 79.0), (22.0, 36.0), (26.0, 40.0))
PHONE = Arm((18.0, 38.0), (70.0, 80.0), (12.0, 32.0), (95.0, 125.0))
CALL = Arm((15.0, 45.0), (55.0, 75.0), (-25.0, 5.0), (130.0, 144.0))
HIP = Arm((-18.0, -4.0), (42.0, 55.0), (45.0, 62.0), (75.0, 95.0))
POINT = Arm((65.0, 100.0), (60.0, 88.0), (-20.0, 20.0), (0.0, 20.0))
WAVE = Arm((0.0, 25.0), (-60.0, 5.0), (-70.0, -35.0), (20.0, 95.0))
RAISED = Arm((0.0, 20.0), (-85.0, -40.0), (-40.0, 10.0), (5.0, 60.0))
SPREAD = Arm((-10.0, 20.0), (0.0, 50.0), (-40.0, 30.0), (0.0, 60.0))
BEHIND = Arm((-30.0, -20.0), (64.0, 72.0), (45.0, 62.0), (45.0, 70.0))
CARRY = Arm((10.0, 35.0), (70.0, 80.0), (10.0, 25.0), (60.0, 90.0))
LAP = Arm((15.0, 40.0), (66.0, 78.0), (8.0, 28.0), (35.0, 75.0))
OUTER_FOLD = Arm((22.0, 32.0), (64.0, 70.0), (58.0, 68.0), (98.0, 108.0))
INNER_FOLD = Arm((12.0, 20.0), (66.0, 72.0), (50.0, 58.0), (92.0, 102.0))
CLASP = Arm((8.0, 18.0), (70.0, 78.0), (28.0, 40.0), (45.0, 70.0))


def hang_arms(rng: np.random.Generator, angles: Float64Array) -> Float64Array:
    """Arms along the body."""
    return _set_both(rng, angles, HANG)


def seat_arms(rng: np.random.Generator, angles: Float64Array) -> Float64Array:
    """Hands on the lap or the knees."""
    return _set_both(rng, angles, LAP)


def cross_arms(rng: np.random.Generator, angles: Float64Array) -> Float64Array:
    """Arms folded before the chest, one over the other."""
    _set_arm(rng, angles, _LEFT, OUTER_FOLD)
    _set_arm(rng, angles, _RIGHT, INNER_FOLD)
    return angles


def use_phone(rng: np.random.Generator, angles: Float64Array) -> Float64Array:
    """A phone in one hand before the chest, eyes on it."""
    _set_arm(rng, angles, _LEFT, PHONE)
    _set_arm(rng, angles, _RIGHT, HANG)
    angles[:, Joint.NECK, Angle.PITCH] += np.deg2rad(rng.uniform(5.0, 16.0, len(angles)))
    angles[:, Joint.HEAD, Angle.PITCH] += np.deg2rad(rng.uniform(5.0, 16.0, len(angles)))
    return angles


def _one(arm: Arm, other: Arm) -> ArmStyle:
    def apply(rng: np.random.Generator, angles: Float64Array) -> Float64Array:
        _set_arm(rng, angles, _LEFT, arm)
        _set_arm(rng, angles, _RIGHT, other)
        return angles

    return apply


def _two(arm: Arm) -> ArmStyle:
    def apply(rng: np.random.Generator, angles: Float64Array) -> Float64Array:
        return _set_both(rng, angles, arm)

    return apply


ARM_STYLES: dict[str, tuple[float, ArmStyle]] = {
    "hang": (0.34, hang_arms),
    "cross": (0.06, cross_arms),
    "phone": (0.09, use_phone),
    "phone_both": (0.03, _two(PHONE)),
    "call": (0.03, _one(CALL, HANG)),
    "pockets": (0.10, _two(POCKET)),
    "pocket": (0.06, _one(POCKET, HANG)),
    "hips": (0.03, _two(HIP)),
    "hip": (0.02, _one(HIP, HANG)),
    "point": (0.03, _one(POINT, HANG)),
    "wave": (0.03, _one(WAVE, HANG)),
    "raised": (0.02, _two(RAISED)),
    "spread": (0.03, _two(SPREAD)),
    "behind": (0.03, _two(BEHIND)),
    "carry": (0.04, _two(CARRY)),
    "carry_one": (0.03, _one(CARRY, HANG)),
    "clasp": (0.03, _two(CLASP)),
}
"""Name -> (share, style)."""


def _set_both(rng: np.random.Generator, angles: Float64Array, arm: Arm) -> Float64Array:
    for side in _BOTH:
        _set_arm(rng, angles, side, arm)
    return angles


def _set_arm(rng: np.random.Generator, angles: Float64Array, side: tuple[Joint, Joint, Joint, Joint], arm: Arm) -> None:
    """Draws one arm of every pose, in place."""
    shoulder, elbow, wrist, hand = side
    count = len(angles)

    def draw(bounds: Range) -> Float64Array:
        drawn: Float64Array = np.deg2rad(rng.uniform(*bounds, count))
        return drawn

    angles[:, shoulder, Angle.PITCH] = -draw(arm.raise_forward)
    angles[:, shoulder, Angle.YAW] = -draw(arm.across)
    angles[:, shoulder, Angle.ROLL] = -draw(arm.lower)
    angles[:, shoulder, Angle.TWIST] = draw(arm.inward)
    angles[:, elbow, Angle.YAW] = -draw(arm.bend)
    angles[:, elbow, Angle.TWIST] = draw(arm.pronate)
    angles[:, wrist, Angle.ROLL] = -draw((-8.0, 18.0))
    angles[:, hand, Angle.ROLL] = -draw((10.0, 55.0))
