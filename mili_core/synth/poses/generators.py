"""Human poses drawn from parametric generators: no motion capture, so no licence, and any number of them.

A pose is a lower body whose feet are put on the ground first (legs.plant), a trunk, and arms that suit it, with
individual noise above the legs and a clip to anatomical limits. This distribution also makes the pose prior.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mili_core.errors import ConfigError
from mili_core.synth.poses.burdened import carry, push
from mili_core.synth.poses.low import bend, crouch, kneel
from mili_core.synth.poses.riding import cycle, lowest_pedal_m
from mili_core.synth.poses.seated import sit
from mili_core.synth.poses.skeleton import (
    JOINT_COUNT,
    Angle,
    Float64Array,
    Joint,
    angle_limits_rad,
    angles_to_rotmats,
    swap_sides,
)
from mili_core.synth.poses.sport import JUMP_M, jump, kick, lunge, play
from mili_core.synth.poses.upright import lean_on_bar, lean_on_wall, photograph, stand
from mili_core.synth.poses.walking import run, walk

Generator = Callable[[np.random.Generator, int], Float64Array]
Support = Literal["feet", "seat", "saddle"]

NOISE_DEG = 3.0
"""Standard deviation of the individual deviation of each joint angle: visible, yet the pose keeps its meaning."""

ARM_NOISE_DEG = 6.0
"""Free arms vary more than the trunk."""


class Kind(NamedTuple):
    """What people do, how often, and what carries them.

    Attributes:
        share: among the people of public places.
        generate: (rng, count) -> angles (N, 24, 4).
        support: "feet" on the ground, "seat" of a chair's height, "saddle" of a bicycle.
        held: the hands are on something, so arms have little noise.
    """

    share: float
    generate: Generator
    support: Support = "feet"
    held: bool = False


GENERATORS: dict[str, Kind] = {
    "stand": Kind(0.33, stand),
    "walk": Kind(0.27, walk),
    "run": Kind(0.05, run),
    "sit": Kind(0.07, sit, "seat"),
    "crouch": Kind(0.02, crouch),
    "kneel": Kind(0.015, kneel),
    "bend": Kind(0.035, bend),
    "lean_wall": Kind(0.02, lean_on_wall),
    "lean_bar": Kind(0.02, lean_on_bar, held=True),
    "photograph": Kind(0.025, photograph, held=True),
    "carry": Kind(0.045, carry, held=True),
    "push": Kind(0.02, push, held=True),
    "cycle": Kind(0.02, cycle, "saddle", held=True),
    "lunge": Kind(0.03, lunge),
    "kick": Kind(0.01, kick),
    "jump": Kind(0.01, jump),
    "play": Kind(0.01, play),
}
"""What people do, by name. Public places hold mostly standing and walking people."""

CHILD_KINDS = ("play", "run", "walk", "stand", "crouch", "jump", "lunge", "kick")
"""What children do; in equal shares, unlike adults'."""


@dataclass(frozen=True, slots=True, eq=False)
class Poses:
    """N drawn poses.

    Attributes:
        angles: (N, 24, 4) float64 anatomical angles, radians, root yaw uniform.
        kinds: (N,) names of GENERATORS.
        support: (N,) "feet", "seat" or "saddle".
        lift_m: (N,) float64 height of the body's lowest point above the ground: of a cyclist's lower foot, of a jump.
    """

    angles: Float64Array
    kinds: tuple[str, ...]
    support: tuple[Support, ...]
    lift_m: Float64Array

    def __len__(self) -> int:
        return len(self.kinds)

    def rotmats(self) -> NDArray[np.float32]:
        """Gives (N, 24, 3, 3) float32 rotations in the body's y-up axes."""
        return angles_to_rotmats(self.angles)


def draw_poses(rng: np.random.Generator, count: int, kinds: Sequence[str] | None = None) -> Poses:
    """Gives `count` poses of the kinds named, in their shares; all kinds when None.

    Raises:
        ConfigError: a kind is not one of GENERATORS.
    """
    names = _named(kinds)
    share = np.array([GENERATORS[name].share for name in names])
    return _draw(rng, names, rng.choice(len(names), size=count, p=share / share.sum()))


def draw_child_poses(rng: np.random.Generator, count: int) -> Poses:
    """Gives `count` poses of CHILD_KINDS, livelier than adults'."""
    return _draw(rng, list(CHILD_KINDS), rng.integers(len(CHILD_KINDS), size=count))


def sample_poses(rng: np.random.Generator, count: int) -> NDArray[np.float32]:
    """Gives (count, 24, 3, 3) float32 rotations in the body's y-up frame; the root turns about the vertical only."""
    angles = sample_angles(rng, count)
    angles[:, Joint.PELVIS, [Angle.PITCH, Angle.ROLL]] = 0.0
    return angles_to_rotmats(angles)


def sample_angles(rng: np.random.Generator, count: int, kinds: Sequence[str] | None = None) -> Float64Array:
    """Gives (count, 24, 4) anatomical angles, radians, root yaw uniform and root tilt as the pose needs it.

    Args:
        rng: source of all randomness.
        count: N.
        kinds: names of GENERATORS to draw from in their shares, all when None.
    """
    return draw_poses(rng, count, kinds).angles


def vary(rng: np.random.Generator, angles: Float64Array, *, held: NDArray[np.bool_] | None = None) -> Float64Array:
    """Gives the poses (N, 24, 4) with individual noise above the legs, clipped to the anatomical limits.

    Legs and pelvis are left alone: their generators vary what they stand on, and noise would lift the feet.

    Args:
        rng: source of all randomness.
        angles: poses.
        held: (N,) whose hands are on something; their arms hardly move.
    """
    sigma = np.zeros((JOINT_COUNT, 4), dtype=np.float64)
    sigma[[Joint.SPINE1, Joint.SPINE2, Joint.SPINE3]] = np.deg2rad(0.6 * NOISE_DEG)
    sigma[[Joint.NECK, Joint.HEAD, Joint.LEFT_WRIST, Joint.RIGHT_WRIST]] = np.deg2rad(NOISE_DEG)
    sigma[[Joint.LEFT_HAND, Joint.RIGHT_HAND]] = np.deg2rad(NOISE_DEG)
    sigma[[Joint.LEFT_COLLAR, Joint.RIGHT_COLLAR]] = np.deg2rad(2.0)
    noise = rng.normal(size=angles.shape) * sigma
    arms = [Joint.LEFT_SHOULDER, Joint.RIGHT_SHOULDER, Joint.LEFT_ELBOW, Joint.RIGHT_ELBOW]
    size = np.deg2rad(np.full(len(angles), ARM_NOISE_DEG))
    size[np.zeros(len(angles), dtype=np.bool_) if held is None else held] = np.deg2rad(1.0)
    noise[:, arms] = rng.normal(size=(len(angles), len(arms), 4)) * size[:, None, None]
    limits = angle_limits_rad()
    noisy: Float64Array = np.clip(angles + noise, limits[..., 0], limits[..., 1])
    return noisy


def _draw(rng: np.random.Generator, names: list[str], drawn: NDArray[np.integer]) -> Poses:
    count = len(drawn)
    angles = np.zeros((count, JOINT_COUNT, 4), dtype=np.float64)
    lift = np.zeros(count, dtype=np.float64)
    for number, name in enumerate(names):
        members = np.flatnonzero(drawn == number)
        if len(members) == 0:
            continue
        angles[members] = GENERATORS[name].generate(rng, len(members))
        if name == "cycle":
            lift[members] = lowest_pedal_m(angles[members])
        if name == "jump":
            lift[members] = rng.uniform(*JUMP_M, len(members))
    flipped = rng.random(count) < 0.5
    angles[flipped] = swap_sides(angles[flipped])
    angles = vary(rng, angles, held=np.array([GENERATORS[names[kind]].held for kind in drawn], dtype=np.bool_))
    heading = angles[:, Joint.PELVIS, Angle.YAW] + rng.uniform(-np.pi, np.pi, count)
    angles[:, Joint.PELVIS, Angle.YAW] = np.mod(heading + np.pi, 2.0 * np.pi) - np.pi
    kinds = tuple(names[kind] for kind in drawn)
    return Poses(angles, kinds, tuple(GENERATORS[kind].support for kind in kinds), lift)


def _named(kinds: Sequence[str] | None) -> list[str]:
    unknown = [name for name in kinds or () if name not in GENERATORS]
    if unknown or (kinds is not None and len(kinds) == 0):
        raise ConfigError(f"pose kinds {unknown or 'empty'} are unknown; choose from {', '.join(GENERATORS)}")
    return [name for name in GENERATORS if kinds is None or name in kinds]
