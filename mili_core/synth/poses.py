"""Human poses drawn from parametric generators: no motion capture, so no licence, and any number of them.

A pose is a lower body (standing, walking, running, sitting, ...) with an arm style that suits it, individual noise on
every joint, and a clip to anatomical limits. This distribution also serves as the pose prior of training.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from mili_core.synth.arms import ARM_STYLES, hang_arms, seat_arms
from mili_core.synth.skeleton import (
    JOINT_COUNT,
    MIRROR,
    Angle,
    Float64Array,
    Joint,
    angle_limits_rad,
    angles_to_rotmats,
    swap_sides,
)

Generator = Callable[[np.random.Generator, int], Float64Array]

NOISE_DEG = 4.0
"""Standard deviation of the individual deviation of each joint angle: visible, yet the pose keeps its meaning."""

ARM_NOISE_DEG = 7.0
"""Arms vary more than legs, which carry the weight."""


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
    angles = np.zeros((count, JOINT_COUNT, 4), dtype=np.float64)
    names = [name for name in GENERATORS if kinds is None or name in kinds]
    share = np.array([weight for weight, _ in (GENERATORS[name] for name in names)])
    drawn = rng.choice(len(names), size=count, p=share / share.sum())
    for kind, name in enumerate(names):
        members = np.flatnonzero(drawn == kind)
        angles[members] = GENERATORS[name][1](rng, len(members))
    flipped = rng.random(count) < 0.5
    angles[flipped] = swap_sides(angles[flipped])
    angles = vary(rng, angles)
    angles[:, Joint.PELVIS, Angle.YAW] = rng.uniform(-np.pi, np.pi, count)
    return angles


def vary(rng: np.random.Generator, angles: Float64Array) -> Float64Array:
    """Gives the poses (N, 24, 4) with individual noise on each joint, clipped to the anatomical limits."""
    sigma = np.full((JOINT_COUNT, 4), np.deg2rad(NOISE_DEG))
    sigma[Joint.LEFT_COLLAR :] = np.deg2rad(ARM_NOISE_DEG)
    sigma[[Joint.LEFT_COLLAR, Joint.RIGHT_COLLAR]] = np.deg2rad(2.0)
    sigma[Joint.LEFT_WRIST :] = np.deg2rad(NOISE_DEG)
    sigma[Joint.PELVIS] = np.deg2rad(2.0)
    limits = angle_limits_rad()
    noisy: Float64Array = np.clip(angles + rng.normal(size=angles.shape) * sigma, limits[..., 0], limits[..., 1])
    return noisy


def stand(rng: np.random.Generator, count: int) -> Float64Array:
    """Gives people who stand, feet apart by some degrees, one knee often relaxed."""
    angles = _blank(count)
    for hip in (Joint.LEFT_HIP, Joint.RIGHT_HIP):
        angles[:, hip, Angle.ROLL] = _deg(rng, count, 1.0, 9.0)
        angles[:, hip, Angle.YAW] = _deg(rng, count, 0.0, 18.0)
    relaxed = _deg(rng, count, 0.0, 32.0) * (rng.random(count) < 0.55)
    angles[:, Joint.LEFT_HIP, Angle.PITCH] -= 0.6 * relaxed
    angles[:, Joint.LEFT_KNEE, Angle.PITCH] += relaxed
    angles[:, Joint.LEFT_ANKLE, Angle.PITCH] -= 0.2 * relaxed
    # The hip over the straight leg rises, the trunk leans back over it.
    angles[:, Joint.PELVIS, Angle.ROLL] = -0.15 * relaxed
    angles[:, Joint.SPINE1, Angle.ROLL] = 0.2 * relaxed
    _look(rng, angles)
    return _with_arms(rng, angles)


def walk(rng: np.random.Generator, count: int) -> Float64Array:
    """Gives people in mid-walk at any phase, stroll to brisk."""
    vigour = rng.uniform(0.45, 1.15, count)
    angles = _gait(rng.uniform(0.0, 2.0 * np.pi, count), 27.0 * vigour, 4.0 * vigour, 58.0 * vigour, 4.0 + 4.0 * vigour)
    angles[:, Joint.PELVIS, Angle.PITCH] = np.deg2rad(3.0 * vigour)
    _look(rng, angles)
    swinging = hang_arms(rng, angles.copy())
    swing = np.deg2rad(rng.uniform(0.4, 1.2, count) * 22.0 * vigour)
    _swing_arms(swinging, swing)
    styled = _with_arms(rng, angles)
    busy = rng.random(count) < 0.3
    swinging[busy] = styled[busy]
    return swinging


def run(rng: np.random.Generator, count: int) -> Float64Array:
    """Gives people who run, elbows bent, trunk forward."""
    vigour = rng.uniform(0.6, 1.2, count)
    angles = _gait(
        rng.uniform(0.0, 2.0 * np.pi, count), 38.0 * vigour, 16.0 * vigour, 95.0 * vigour, 18.0 + 6.0 * vigour
    )
    angles[:, Joint.PELVIS, Angle.PITCH] = np.deg2rad(10.0 * vigour)
    hang_arms(rng, angles)
    _swing_arms(angles, np.deg2rad(38.0 * vigour))
    for elbow in (Joint.LEFT_ELBOW, Joint.RIGHT_ELBOW):
        angles[:, elbow, Angle.YAW] -= _deg(rng, count, 55.0, 85.0)
    return angles


def sit(rng: np.random.Generator, count: int) -> Float64Array:
    """Gives people on a chair or a bench, upright to slumped."""
    angles = _blank(count)
    hips = _deg(rng, count, 72.0, 105.0)
    for side, (hip, knee, ankle) in enumerate(_LEGS):
        angles[:, hip, Angle.PITCH] = -hips
        angles[:, hip, Angle.ROLL] = _deg(rng, count, -2.0, 22.0)
        angles[:, knee, Angle.PITCH] = _deg(rng, count, 65.0, 105.0)
        angles[:, ankle, Angle.PITCH] = _deg(rng, count, -10.0, 10.0) * (1.0 - 0.2 * side)
    slump = _deg(rng, count, 0.0, 30.0)
    angles[:, Joint.PELVIS, Angle.PITCH] = _deg(rng, count, -18.0, 10.0)
    for spine in _SPINE:
        angles[:, spine, Angle.PITCH] = slump / 2.0
    _look(rng, angles)
    seated = seat_arms(rng, angles.copy())
    styled = _with_arms(rng, angles)
    busy = rng.random(count) < 0.35
    seated[busy] = styled[busy]
    return seated


def crouch(rng: np.random.Generator, count: int) -> Float64Array:
    """Gives people who squat, arms on or before the knees."""
    angles = _blank(count)
    depth = _deg(rng, count, 75.0, 118.0)
    for hip, knee, ankle in _LEGS:
        angles[:, hip, Angle.PITCH] = -depth
        angles[:, hip, Angle.ROLL] = _deg(rng, count, 4.0, 26.0)
        angles[:, hip, Angle.YAW] = _deg(rng, count, 0.0, 20.0)
        angles[:, knee, Angle.PITCH] = depth * 1.12
        angles[:, ankle, Angle.PITCH] = -np.deg2rad(18.0)
    angles[:, Joint.PELVIS, Angle.PITCH] = _deg(rng, count, 8.0, 28.0)
    for spine in _SPINE:
        angles[:, spine, Angle.PITCH] = _deg(rng, count, 4.0, 16.0)
    _look(rng, angles)
    return seat_arms(rng, angles)


def bend(rng: np.random.Generator, count: int) -> Float64Array:
    """Gives people who lean or bend forward from the hips, legs upright."""
    angles = _blank(count)
    fold = _deg(rng, count, 12.0, 70.0)
    angles[:, Joint.PELVIS, Angle.PITCH] = 0.8 * fold
    for hip, knee, _ in _LEGS:
        angles[:, hip, Angle.PITCH] = -0.92 * fold
        angles[:, hip, Angle.ROLL] = _deg(rng, count, 1.0, 10.0)
        angles[:, knee, Angle.PITCH] = _deg(rng, count, 0.0, 30.0)
        angles[:, hip, Angle.PITCH] -= 0.5 * angles[:, knee, Angle.PITCH]
    for spine in _SPINE:
        angles[:, spine, Angle.PITCH] = 0.2 * fold
    hang_arms(rng, angles)
    for shoulder, elbow in _ARMS:
        angles[:, shoulder, Angle.PITCH] = -fold * rng.uniform(0.7, 1.5, count)
        angles[:, elbow, Angle.YAW] -= _deg(rng, count, 0.0, 50.0)
    return angles


def lunge(rng: np.random.Generator, count: int) -> Float64Array:
    """Gives people in a wide stance or on a step, one leg bent before the other, arms anywhere: sport and climbing."""
    angles = _blank(count)
    front, back = _deg(rng, count, 20.0, 85.0), _deg(rng, count, 0.0, 28.0)
    angles[:, Joint.LEFT_HIP, Angle.PITCH] = -front
    angles[:, Joint.LEFT_KNEE, Angle.PITCH] = front * rng.uniform(0.7, 1.3, count)
    angles[:, Joint.RIGHT_HIP, Angle.PITCH] = back
    angles[:, Joint.RIGHT_KNEE, Angle.PITCH] = _deg(rng, count, 5.0, 70.0)
    for hip, _, _ in _LEGS:
        angles[:, hip, Angle.ROLL] = _deg(rng, count, 0.0, 28.0)
        angles[:, hip, Angle.YAW] = _deg(rng, count, -5.0, 25.0)
    angles[:, Joint.PELVIS, Angle.PITCH] = _deg(rng, count, -8.0, 25.0)
    for spine in _SPINE:
        angles[:, spine] += np.deg2rad(rng.uniform([-4.0, -12.0, -8.0, 0.0], [12.0, 12.0, 8.0, 0.0], (count, 4)))
    _look(rng, angles)
    for shoulder, elbow in _ARMS:
        angles[:, shoulder, Angle.PITCH] = _deg(rng, count, -90.0, 30.0)
        angles[:, shoulder, Angle.ROLL] = _deg(rng, count, -75.0, 55.0)
        angles[:, shoulder, Angle.TWIST] = _deg(rng, count, -40.0, 40.0)
        angles[:, elbow, Angle.YAW] = _deg(rng, count, -100.0, -5.0)
    return angles


def cycle(rng: np.random.Generator, count: int) -> Float64Array:
    """Gives people on a bicycle: trunk forward, hands on the bar, pedals at any phase."""
    angles = _blank(count)
    lean = _deg(rng, count, 15.0, 50.0)
    angles[:, Joint.PELVIS, Angle.PITCH] = 0.6 * lean
    for spine in _SPINE:
        angles[:, spine, Angle.PITCH] = 0.18 * lean
    angles[:, Joint.NECK, Angle.PITCH] = -0.4 * lean
    phase = rng.uniform(0.0, 2.0 * np.pi, count)
    for side, (hip, knee, ankle) in enumerate(_LEGS):
        lift = 0.5 + 0.5 * np.sin(phase + np.pi * side)
        angles[:, hip, Angle.PITCH] = -0.6 * lean - np.deg2rad(12.0 + 55.0 * lift)
        angles[:, hip, Angle.ROLL] = np.deg2rad(3.0)
        angles[:, knee, Angle.PITCH] = np.deg2rad(28.0 + 78.0 * lift)
        angles[:, ankle, Angle.PITCH] = np.deg2rad(12.0)
    hang_arms(rng, angles)
    reach = _deg(rng, count, 40.0, 60.0)
    for shoulder, elbow in _ARMS:
        angles[:, shoulder, Angle.PITCH] = -reach - 0.75 * lean
        angles[:, elbow, Angle.YAW] = _deg(rng, count, -45.0, -8.0)
        angles[:, shoulder, Angle.TWIST] = np.deg2rad(10.0)
    return angles


_LEGS = (
    (Joint.LEFT_HIP, Joint.LEFT_KNEE, Joint.LEFT_ANKLE),
    (Joint.RIGHT_HIP, Joint.RIGHT_KNEE, Joint.RIGHT_ANKLE),
)
_ARMS = ((Joint.LEFT_SHOULDER, Joint.LEFT_ELBOW), (Joint.RIGHT_SHOULDER, Joint.RIGHT_ELBOW))
_SPINE = (Joint.SPINE1, Joint.SPINE2, Joint.SPINE3)

GENERATORS: dict[str, tuple[float, Generator]] = {
    "stand": (0.38, stand),
    "walk": (0.27, walk),
    "run": (0.06, run),
    "sit": (0.08, sit),
    "crouch": (0.04, crouch),
    "bend": (0.06, bend),
    "lunge": (0.08, lunge),
    "cycle": (0.03, cycle),
}
"""Name -> (share, generator). Public places hold mostly standing and walking people."""


def _blank(count: int) -> Float64Array:
    return np.zeros((count, JOINT_COUNT, 4), dtype=np.float64)


def _deg(rng: np.random.Generator, count: int, low: float, high: float) -> Float64Array:
    """Gives `count` uniform angles between two bounds in degrees, radians."""
    angles: Float64Array = np.deg2rad(rng.uniform(low, high, count))
    return angles


def _look(rng: np.random.Generator, angles: Float64Array) -> None:
    """Turns and nods the heads, and twists the trunks a little, in place."""
    count = len(angles)
    turn, nod = rng.normal(0.0, np.deg2rad(18.0), count), rng.normal(np.deg2rad(6.0), np.deg2rad(9.0), count)
    for joint in (Joint.NECK, Joint.HEAD):
        angles[:, joint, Angle.YAW] += 0.5 * turn
        angles[:, joint, Angle.PITCH] += 0.5 * nod
    twist = rng.normal(0.0, np.deg2rad(7.0), count)
    for spine in _SPINE:
        angles[:, spine, Angle.YAW] += twist / 3.0


def _gait(
    phase: Float64Array, hip_deg: Float64Array, lift_deg: Float64Array, knee_deg: Float64Array, stance_deg: Float64Array
) -> Float64Array:
    """Gives the legs of a step cycle; the left hip is most flexed at phase pi / 2, the right half a cycle later.

    Args:
        phase: (N,) radians.
        hip_deg: (N,) amplitude of hip swing.
        lift_deg: (N,) mean hip flexion.
        knee_deg: (N,) knee flexion at mid-swing, over that in stance.
        stance_deg: (N,) knee flexion in stance.
    """
    angles = _blank(len(phase))
    for side, (hip, knee, ankle) in enumerate(_LEGS):
        turn = phase + np.pi * side
        # The knee folds while the thigh comes forward (turn around 0) and is nearly straight at heel strike.
        fold = (0.5 + 0.5 * np.cos(turn + 0.35)) ** 2.5
        push_off = (0.5 - 0.5 * np.sin(turn + 0.3)) ** 4
        angles[:, hip, Angle.PITCH] = -np.deg2rad(lift_deg + hip_deg * np.sin(turn))
        angles[:, hip, Angle.ROLL] = np.deg2rad(2.0)
        angles[:, hip, Angle.YAW] = np.deg2rad(5.0)
        angles[:, knee, Angle.PITCH] = np.deg2rad(stance_deg + knee_deg * fold)
        angles[:, ankle, Angle.PITCH] = np.deg2rad(18.0 * push_off - 5.0 * (1.0 - push_off))
        angles[:, MIRROR[Joint.RIGHT_FOOT] if side == 0 else Joint.RIGHT_FOOT, Angle.PITCH] = (
            -np.deg2rad(25.0) * push_off
        )
    # Trunk and pelvis turn against each other.
    for spine in _SPINE:
        angles[:, spine, Angle.YAW] = np.deg2rad(0.07 * hip_deg) * np.sin(phase)
    return angles


def _swing_arms(angles: Float64Array, amplitude_rad: Float64Array) -> None:
    """Swings hanging arms against the legs, in place; each bends more on its way forward."""
    for (shoulder, elbow), (hip, _, _), (other_hip, _, _) in zip(_ARMS, _LEGS, _LEGS[::-1], strict=True):
        forward = angles[:, other_hip, Angle.PITCH] - angles[:, hip, Angle.PITCH]
        swing = np.clip(forward / np.deg2rad(50.0), -1.0, 1.0) * amplitude_rad
        angles[:, shoulder, Angle.PITCH] += swing
        angles[:, elbow, Angle.YAW] += np.minimum(swing, 0.0) * 0.8


def _with_arms(rng: np.random.Generator, angles: Float64Array) -> Float64Array:
    """Gives the poses (N, 24, 4) with an arm style drawn for each."""
    share = np.array([weight for weight, _ in ARM_STYLES.values()])
    styles = rng.choice(len(share), size=len(angles), p=share / share.sum())
    posed = angles.copy()
    for style, (_, apply) in enumerate(ARM_STYLES.values()):
        members = np.flatnonzero(styles == style)
        posed[members] = apply(rng, posed[members])
    return posed
