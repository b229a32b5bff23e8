"""From any skeleton's motion to SMPL's joints: what turns is the same, only the rest poses differ."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mili_core.body import PARENTS
from mili_core.errors import ConfigError
from mili_core.synth.poses.clips.bvh import Bvh
from mili_core.synth.poses.clips.clip import PoseClip
from mili_core.synth.poses.clips.names import map_joints
from mili_core.synth.poses.figure import mean_figure
from mili_core.synth.poses.skeleton import JOINT_COUNT, Joint, axis_rotation

Float64Array = NDArray[np.float64]

_STRAIGHT = -0.5
"""A rest pose is taken as one when trunk and legs point away from each other by 120 degrees at least; LAFAN's, whose
bones all lie along one axis, is none."""

_BONES = {
    Joint.LEFT_HIP: Joint.LEFT_KNEE, Joint.RIGHT_HIP: Joint.RIGHT_KNEE,
    Joint.LEFT_KNEE: Joint.LEFT_ANKLE, Joint.RIGHT_KNEE: Joint.RIGHT_ANKLE,
    Joint.LEFT_ANKLE: Joint.LEFT_FOOT, Joint.RIGHT_ANKLE: Joint.RIGHT_FOOT,
    Joint.LEFT_SHOULDER: Joint.LEFT_ELBOW, Joint.RIGHT_SHOULDER: Joint.RIGHT_ELBOW,
    Joint.LEFT_ELBOW: Joint.LEFT_WRIST, Joint.RIGHT_ELBOW: Joint.RIGHT_WRIST,
}  # fmt: skip
"""Bones whose direction tells how a limb's rest pose differs; trunk and collars are built too differently."""


def retarget(source: Bvh, path: Path) -> PoseClip:
    """Gives a BVH clip on SMPL's joints, y up, metres.

    Every joint keeps the turn, in the world, that the source's joint makes away from a pose that both skeletons can
    take: the file's rest pose, or, where that is no human pose, the frame in which the person stands straightest.

    Raises:
        ConfigError: the skeleton is unknown, or nobody can be made out of it.
    """
    mapping = map_joints(source.names, path)
    world, places = _pose(source, source.rotations, source.places)
    reference, turns, up = _reference(source, mapping, world, places, path)
    rest = _rest_turns(reference, mapping, up)
    turned = np.zeros((len(world), JOINT_COUNT, 3, 3), dtype=np.float64)
    for joint, parent in enumerate(PARENTS):
        number = mapping.get(Joint(joint))
        if number is None:
            turned[:, joint] = turned[:, parent]
        else:
            turned[:, joint] = world[:, number] @ turns[number].T @ rest[joint]
    level = _level(up)
    local = turned.copy()
    local[:, 0] = level @ turned[:, 0]
    for joint, parent in enumerate(PARENTS[1:], start=1):
        local[:, joint] = turned[:, parent].swapaxes(-1, -2) @ turned[:, joint]
    root = places[:, mapping[Joint.PELVIS]] @ level.T * _scale(source, mapping, reference, path)
    return PoseClip(local.astype(np.float32), root.astype(np.float32), 1.0 / source.frame_s, path.stem)


def _pose(source: Bvh, rotations: Float64Array, offsets: Float64Array) -> tuple[Float64Array, Float64Array]:
    """Gives world rotations (T, J, 3, 3) and positions (T, J, 3)."""
    world, places = rotations.copy(), offsets.copy()
    for joint, parent in enumerate(source.parents):
        if parent >= 0:
            world[:, joint] = world[:, parent] @ rotations[:, joint]
            places[:, joint] = places[:, parent] + np.einsum("tij,tj->ti", world[:, parent], offsets[:, joint])
    return world, places


def _reference(
    source: Bvh, mapping: dict[Joint, int], world: Float64Array, places: Float64Array, path: Path
) -> tuple[Float64Array, Float64Array, int]:
    """Gives positions (J, 3) and world rotations (J, 3, 3) of the pose to compare with, and the axis that is up."""
    identity = np.tile(np.eye(3), (1, len(source.names), 1, 1))
    _, rest = _pose(source, identity, source.offsets[None])
    # The world's up, where the person mostly is: y or z, hips to neck.
    trunk = (places[:, mapping[Joint.NECK]] - places[:, mapping[Joint.PELVIS]]).mean(axis=0)
    up = 2 if trunk[2] > trunk[1] else 1
    if _straightness(rest, mapping)[0] < _STRAIGHT:
        spine = rest[0, mapping[Joint.NECK]] - rest[0, mapping[Joint.PELVIS]]
        if spine[up] > 0.7 * np.linalg.norm(spine):
            return rest[0], identity[0], up
    straight = _straightness(places, mapping)
    best = int(straight.argmin())
    if not straight[best] < _STRAIGHT:
        raise ConfigError(f"clip {path}: neither its rest pose nor a frame has legs below a trunk; choose another clip")
    return places[best], world[best], up


def _straightness(places: Float64Array, mapping: dict[Joint, int]) -> Float64Array:
    """Gives (T,) the mean cosine between the trunk and the thighs and shanks, -1 for people who stand straight."""
    trunk = _unit(places[:, mapping[Joint.NECK]] - places[:, mapping[Joint.PELVIS]])
    cosines = []
    for start, end in list(_BONES.items())[:4]:
        bone = _unit(places[:, mapping[end]] - places[:, mapping[start]])
        cosines.append((trunk * bone).sum(axis=-1))
    mean: Float64Array = np.mean(cosines, axis=0)
    return mean


def _rest_turns(places: Float64Array, mapping: dict[Joint, int], up: int) -> Float64Array:
    """Gives (24, 3, 3) how SMPL's joints are turned, in the source's world, when it takes the source's pose."""
    rest = mean_figure().joints_m
    turns = np.zeros((JOINT_COUNT, 3, 3), dtype=np.float64)
    left = places[mapping[Joint.LEFT_HIP]] - places[mapping[Joint.RIGHT_HIP]]
    rise = np.eye(3)[up]
    left = _unit(left - (left @ rise) * rise)
    turns[0] = np.stack((left, rise, np.cross(left, rise)), axis=-1)
    for joint, parent in enumerate(PARENTS[1:], start=1):
        turns[joint] = turns[parent]
        child = _BONES.get(Joint(joint))
        if child is None or child not in mapping or Joint(joint) not in mapping:
            continue
        ours = turns[parent] @ (rest[child] - rest[joint])
        theirs = places[mapping[child]] - places[mapping[Joint(joint)]]
        if child in {Joint.LEFT_FOOT, Joint.RIGHT_FOOT}:
            # Soles lie flat, wherever the ankle and the toes are defined; headings count.
            turns[joint] = turns[0]
            ours, theirs = turns[0] @ (rest[child] - rest[joint]), theirs.copy()
            ours[up] = theirs[up] = 0.0
        turns[joint] = _shortest(_unit(ours), _unit(theirs)) @ turns[joint]
    return turns


def _shortest(start: Float64Array, end: Float64Array) -> Float64Array:
    """Gives the rotation (3, 3) by the smallest angle that turns one unit vector into another."""
    cosine = float(start @ end)
    if cosine < -0.9999:
        across = _unit(np.cross(start, np.eye(3)[int(np.abs(start).argmin())]))
        turned: Float64Array = 2.0 * np.outer(across, across) - np.eye(3)
        return turned
    cross = np.cross(start, end)
    skew = np.array([[0.0, -cross[2], cross[1]], [cross[2], 0.0, -cross[0]], [-cross[1], cross[0], 0.0]])
    shortest: Float64Array = np.eye(3) + skew + skew @ skew / (1.0 + cosine)
    return shortest


def _scale(source: Bvh, mapping: dict[Joint, int], places: Float64Array, path: Path) -> float:
    """Gives metres a unit of the file: its legs are as long as ours."""
    figure = mean_figure()
    ours = np.linalg.norm(figure.thigh_m) + np.linalg.norm(figure.shank_m)
    hip, knee, ankle = (places[mapping[joint]] for joint in (Joint.LEFT_HIP, Joint.LEFT_KNEE, Joint.LEFT_ANKLE))
    theirs = np.linalg.norm(knee - hip) + np.linalg.norm(ankle - knee)
    if not theirs > 0.0:
        raise ConfigError(f"clip {path}: its legs ({source.names[mapping[Joint.LEFT_HIP]]}) have no length")
    return float(ours / theirs)


def _level(up: int) -> Float64Array:
    """Gives the rotation (3, 3) from a world whose `up` axis is up to one whose y is."""
    return np.eye(3) if up == 1 else axis_rotation(np.asarray(-0.5 * np.pi), 0)


def _unit(vector: Float64Array) -> Float64Array:
    unit: Float64Array = vector / np.maximum(np.linalg.norm(vector, axis=-1, keepdims=True), 1e-12)
    return unit
