"""The step cycle of walking and running: where the feet and the pelvis are at each phase.

Feet are planned, legs follow (legs.plant): a planted foot stays where it is however fast the person is, first on its
heel, then flat, then on its ball. Phases are shares of the cycle 0..1 from the left foot's touch-down; the right foot
is half a cycle later. Stride lengths, shares of stance and joint ranges follow the gait laboratory's textbooks
(Perry, Gait Analysis; Winter, Biomechanics and Motor Control) for an adult of the mean figure's height.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from mili_core.synth.poses.common import lean_aside
from mili_core.synth.poses.legs import Feet, pelvis_rotation, plant, standing_height
from mili_core.synth.poses.skeleton import Angle, Float64Array, Joint

RUN_FROM_M_S = 2.1
"""People change from walking to running at about this speed."""

RETRACT = 0.6
"""Share of its speed over the body that a foot has lost when it lands; all of it would overstretch the leg before."""

_GRID = 24
"""Phases at which the pelvis' height is checked against the legs' reach."""


@dataclass(frozen=True, slots=True, eq=False)
class Stride:
    """How N people move, all (N,) float64.

    Attributes:
        speed_m_s: over the ground.
        length_m: of a whole cycle, two steps.
        stance: share of the cycle that a foot is on the ground; below 0.5 there is flight.
        ahead_m: how far before the pelvis a foot comes down.
        strike_rad, push_rad: pitch of the foot at touch-down (toes up, negative) and at toe-off.
        lift_m: clearance of a foot on its way forward.
        kick_m: how far the heel is thrown up behind, running.
        bob_m: half of the pelvis' way up and down.
        half_width_m: half the distance between the feet's tracks.
        toe_out_rad: turn of the feet.
        knee_rad: least flexion of a carrying knee.
    """

    speed_m_s: Float64Array
    length_m: Float64Array
    stance: Float64Array
    ahead_m: Float64Array
    strike_rad: Float64Array
    push_rad: Float64Array
    lift_m: Float64Array
    kick_m: Float64Array
    bob_m: Float64Array
    half_width_m: Float64Array
    toe_out_rad: Float64Array
    knee_rad: Float64Array

    @property
    def period_s(self) -> Float64Array:
        """(N,) duration of a cycle."""
        return self.length_m / self.speed_m_s


def walking(speed_m_s: Float64Array) -> Stride:
    """Gives the stride of people who walk at 0.3 to 2.2 m/s."""
    pace = speed_m_s / 1.4
    length = 1.42 * pace**0.55
    stance = np.clip(0.635 - 0.03 * (pace - 0.7), 0.58, 0.66)
    reach = length * stance
    return Stride(
        speed_m_s=speed_m_s,
        length_m=length,
        stance=stance,
        ahead_m=0.395 * reach,
        strike_rad=-np.deg2rad(18.0) * np.minimum(pace, 1.3) ** 0.7,
        push_rad=np.deg2rad(72.0) * np.minimum(pace, 1.25) ** 0.4,
        lift_m=0.030 + 0.022 * pace,
        kick_m=np.zeros_like(pace),
        bob_m=0.021 * pace,
        half_width_m=np.full_like(pace, 0.055),
        toe_out_rad=np.full_like(pace, np.deg2rad(6.0)),
        knee_rad=np.full_like(pace, np.deg2rad(4.0)),
    )


def running(speed_m_s: Float64Array) -> Stride:
    """Gives the stride of people who run at 1.8 to 6.5 m/s."""
    length = speed_m_s / (1.28 + 0.045 * speed_m_s)
    stance = np.clip(0.42 - 0.035 * (speed_m_s - 2.0), 0.22, 0.42)
    reach = length * stance
    return Stride(
        speed_m_s=speed_m_s,
        length_m=length,
        stance=stance,
        ahead_m=0.34 * reach,
        strike_rad=np.deg2rad(np.minimum(-8.0 + 2.5 * (speed_m_s - 2.0), 2.0)),
        push_rad=np.full_like(length, np.deg2rad(66.0)),
        lift_m=0.03 + 0.01 * speed_m_s,
        kick_m=np.minimum(0.03 + 0.05 * speed_m_s, 0.32),
        bob_m=np.full_like(length, 0.032),
        half_width_m=np.full_like(length, 0.035),
        toe_out_rad=np.full_like(length, np.deg2rad(4.0)),
        knee_rad=np.full_like(length, np.deg2rad(12.0)),
    )


def step(angles: Float64Array, stride: Stride, phase: Float64Array) -> Float64Array:
    """Sets pelvis, legs and the trunk's counter-turn of poses (N, 24, 4) in place; gives the pelvis (N, 3), metres.

    Args:
        angles: the pelvis' pitch and any bend of the trunk already set.
        stride: how each moves.
        phase: (N,) shares of the cycle.
    """
    turn = np.sin(2.0 * np.pi * (phase + 0.25))  # 1 when the left foot comes down ahead
    swing_side = np.sin(2.0 * np.pi * (phase - 0.06))  # 1 while the left leg carries
    size = np.minimum(stride.length_m / 1.42, 1.4)
    yaw, drop = -np.deg2rad(5.0) * size * turn, np.deg2rad(3.0) * np.minimum(size, 1.0) * swing_side
    angles[:, Joint.PELVIS, Angle.YAW] = yaw
    angles[:, Joint.PELVIS, Angle.ROLL] += drop
    lean_aside(angles, -drop)
    for spine in (Joint.SPINE1, Joint.SPINE2, Joint.SPINE3):
        angles[:, spine, Angle.YAW] -= yaw * 0.65
    pelvis = np.zeros((len(angles), 3), dtype=np.float64)
    pelvis[:, 0] = 0.018 * swing_side
    pelvis[:, 1] = _mean_height(angles, stride) + _bob(stride, phase)
    plant(angles, pelvis, feet_at(stride, phase))
    return pelvis


def feet_at(stride: Stride, phase: Float64Array) -> Feet:
    """Gives the feet at phases (N,), relative to a point on the ground that moves with the person."""
    sides = [_foot(stride, np.mod(phase + 0.5 * side, 1.0)) for side in range(2)]
    spots = np.stack([spot for spot, _ in sides], axis=1)
    spots[:, 1, 0] *= -1.0
    heading = np.repeat(stride.toe_out_rad[:, None], 2, axis=1)
    return Feet(spots, heading, np.stack([pitch for _, pitch in sides], axis=1), 0.5 * heading)


def _foot(stride: Stride, phase: Float64Array) -> tuple[Float64Array, Float64Array]:
    """Gives a left foot's spot (N, 3) and pitch (N,) at its own phase."""
    done = np.clip(phase / stride.stance, 0.0, 1.0)
    swing = np.clip((phase - stride.stance) / (1.0 - stride.stance), 0.0, 1.0)
    planted = phase <= stride.stance
    pitch = stride.strike_rad * (1.0 - _smooth(done / 0.16)) + stride.push_rad * _smooth((done - 0.5) / 0.62) ** 1.5
    kicked = 0.9 * stride.push_rad + stride.kick_m * 1.6
    free = np.where(
        swing < 0.3,
        stride.push_rad + (kicked - stride.push_rad) * _smooth(swing / 0.3),
        kicked + (stride.strike_rad - kicked) * _smooth((swing - 0.3) / 0.62),
    )
    # On its way forward the foot overtakes; it is slowing down again when it lands.
    travel = RETRACT * stride.length_m * (1.0 - stride.stance)
    begin = stride.ahead_m - stride.length_m * stride.stance
    path = begin + (stride.ahead_m - begin) * _smooth(swing) - travel * (swing * (1.0 - swing) * (1.0 - 2.0 * swing))
    # It leaves the ground and comes down steeply, so that it never drags.
    arch = stride.lift_m * (1.0 - (2.0 * swing - 1.0) ** 4)
    kick = stride.kick_m * np.sin(np.pi * swing**0.6) ** 2
    spot = np.zeros((len(phase), 3), dtype=np.float64)
    spot[:, 0] = stride.half_width_m
    spot[:, 1] = np.where(planted, 0.0, arch + kick)
    spot[:, 2] = np.where(planted, stride.ahead_m - stride.length_m * phase, path)
    return spot, np.where(planted, pitch, free)


def _bob(stride: Stride, phase: Float64Array) -> Float64Array:
    """Gives the pelvis' way up and down (N,): a walker is lowest between two feet, a runner on one."""
    middle = np.where(stride.stance > 0.5, 0.5 * (stride.stance - 0.5), 0.5 * stride.stance)
    height: Float64Array = -stride.bob_m * np.cos(4.0 * np.pi * (phase - middle))
    return height


def _mean_height(angles: Float64Array, stride: Stride) -> Float64Array:
    """Gives the greatest mean heights (N,) of the pelvis at which the carrying legs reach the ground all along."""
    upright = angles.copy()
    upright[:, Joint.PELVIS, Angle.YAW] = 0.0
    # Everybody at every phase of the left foot's stance; by symmetry the right one gives the same.
    many = Stride(*(np.repeat(getattr(stride, field.name), _GRID) for field in fields(Stride)))
    phase = np.tile(np.arange(_GRID) / _GRID * 0.98, len(angles)) * many.stance
    knees = np.stack((many.knee_rad, np.full_like(phase, np.pi)), axis=1)
    pelvis = np.repeat(pelvis_rotation(upright), _GRID, axis=0)
    reach = standing_height(pelvis, np.zeros((len(phase), 3), dtype=np.float64), feet_at(many, phase), knees)
    highest: Float64Array = (reach - _bob(many, phase)).reshape(len(angles), _GRID).min(axis=1)
    return highest


def _smooth(share: Float64Array) -> Float64Array:
    """Gives 0..1 with level ends."""
    x = np.clip(share, 0.0, 1.0)
    eased: Float64Array = x * x * (3.0 - 2.0 * x)
    return eased
