"""Reading BVH text: a hierarchy of joints with offsets, then a row of channels for each frame."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mili_core.errors import StoreError
from mili_core.synth.poses.skeleton import axis_rotation

Float64Array = NDArray[np.float64]

_AXES = {"X": 0, "Y": 1, "Z": 2}
_HINT = "export the clip again as BVH"


@dataclass(frozen=True, slots=True, eq=False)
class Bvh:
    """A clip as the file has it, in the file's own axes and unit.

    Attributes:
        names: of J joints, parents first.
        parents: J, -1 for the root.
        offsets: (J, 3) from the parent, all rotations zero.
        rotations: (T, J, 3, 3) relative to the parent.
        places: (T, J, 3) offsets from the parent, frame by frame; of the root, where it is.
        frame_s: seconds a frame.
    """

    names: tuple[str, ...]
    parents: tuple[int, ...]
    offsets: Float64Array
    rotations: Float64Array
    places: Float64Array
    frame_s: float


@dataclass(slots=True)
class _Joint:
    name: str
    parent: int
    offset: list[float]
    channels: list[str]


def read_bvh(path: Path) -> Bvh:
    """Gives the clip of a BVH file.

    Raises:
        StoreError: the file is no BVH, is cut off, or holds numbers that are not finite.
    """
    try:
        text = path.read_text(encoding="utf-8", errors="strict")
        head, _, tail = text.partition("MOTION")
        if not head.split()[:1] == ["HIERARCHY"] or not tail:
            raise StoreError(f"clip {path} is no BVH: it lacks HIERARCHY or MOTION; {_HINT}")
        joints = _hierarchy(head.split()[1:])
        frames, frame_s, values = _motion(tail)
    except StoreError:
        raise
    except (ValueError, OSError) as error:
        raise StoreError(f"clip {path} cannot be read as BVH ({error}); {_HINT}") from error
    width = sum(len(joint.channels) for joint in joints)
    if not joints or frames < 1 or width == 0:
        raise StoreError(f"clip {path} has {len(joints)} joints, {width} channels and {frames} frames; {_HINT}")
    if len(values) != frames * width:
        raise StoreError(
            f"clip {path} is cut off or damaged: {len(values)} numbers, expected {frames} frames of {width}; {_HINT}"
        )
    if not (np.isfinite(values).all() and np.isfinite(frame_s) and frame_s > 0.0):
        raise StoreError(f"clip {path} holds numbers that are not finite, or no frame time; {_HINT}")
    rotations, places = _apply(joints, values.reshape(frames, width))
    return Bvh(
        names=tuple(joint.name for joint in joints),
        parents=tuple(joint.parent for joint in joints),
        offsets=np.array([joint.offset for joint in joints], dtype=np.float64),
        rotations=rotations,
        places=places,
        frame_s=frame_s,
    )


def _hierarchy(words: list[str]) -> list[_Joint]:
    """Gives the joints of the hierarchy's words; end sites are left out."""
    joints: list[_Joint] = []
    stack: list[int] = []  # -1 stands for an end site
    at = 0
    while at < len(words):
        word = words[at].upper()
        if word in {"ROOT", "JOINT", "END"}:
            if stack and stack[-1] < 0:
                raise ValueError(f"{word} within an end site")
            brace = _brace(words, at)
            if word == "END":
                stack.append(-1)
            else:
                parent = stack[-1] if stack else -1
                joints.append(_Joint(" ".join(words[at + 1 : brace]), parent, [0.0, 0.0, 0.0], []))
                stack.append(len(joints) - 1)
            at = brace + 1
        elif word == "}":
            if not stack:
                raise ValueError("a '}' too many in the hierarchy")
            stack.pop()
            at += 1
        elif word in {"OFFSET", "CHANNELS"}:
            if not stack:
                raise ValueError(f"{word} stands outside of every joint")
            at += _offset(words, at, joints, stack[-1]) if word == "OFFSET" else _channels(words, at, joints, stack[-1])
        else:
            raise ValueError(f"unexpected word {words[at]!r} in the hierarchy")
    if stack:
        raise ValueError("the hierarchy is cut off: a '}' is missing")
    return joints


def _brace(words: list[str], at: int) -> int:
    """Gives where the '{' of the joint or end site at `at` stands."""
    for place in range(at + 1, len(words)):
        if words[place] == "{":
            return place
    raise ValueError(f"{' '.join(words[at : at + 2])} lacks its '{{'")


def _offset(words: list[str], at: int, joints: list[_Joint], owner: int) -> int:
    """Sets the offset of a joint, not of an end site, and gives how many words that took."""
    numbers = words[at + 1 : at + 4]
    try:
        offset = [float(number) for number in numbers]
    except ValueError:
        offset = []
    if len(offset) != 3:
        raise ValueError(f"OFFSET {' '.join(numbers)}: expected three numbers")
    if owner >= 0:
        joints[owner].offset = offset
    return 4


def _channels(words: list[str], at: int, joints: list[_Joint], owner: int) -> int:
    """Sets the channels of a joint and gives how many words that took."""
    if owner < 0:
        raise ValueError("CHANNELS within an end site")
    count = words[at + 1] if at + 1 < len(words) else ""
    if not (count.isascii() and count.isdigit()) or len(words) < at + 2 + int(count):
        raise ValueError(f"{' '.join(words[at : at + 2])}: expected a number and as many names")
    channels = [channel.capitalize() for channel in words[at + 2 : at + 2 + int(count)]]
    unknown = [name for name in channels if name[1:] not in {"rotation", "position"} or name[0] not in _AXES]
    if unknown:
        raise ValueError(f"unknown channels {unknown}")
    joints[owner].channels = channels
    return 2 + int(count)


def _motion(text: str) -> tuple[int, float, Float64Array]:
    """Gives frames, seconds a frame and all numbers, in a row."""
    words = text.replace(":", ": ").split()
    if words[:1] != ["Frames:"] or words[2:4] != ["Frame", "Time:"] or len(words) < 5:
        raise ValueError("MOTION lacks 'Frames:' or 'Frame Time:' or their numbers")
    try:
        frames, frame_s = int(words[1]), float(words[4])
    except ValueError:
        raise ValueError(f"Frames: {words[1]} and Frame Time: {words[4]} are not numbers") from None
    return frames, frame_s, np.array(words[5:], dtype=np.float64)


def _apply(joints: list[_Joint], values: Float64Array) -> tuple[Float64Array, Float64Array]:
    """Gives rotations (T, J, 3, 3) and places (T, J, 3); rotation channels multiply in the order of the file."""
    frames = len(values)
    rotations = np.tile(np.eye(3), (frames, len(joints), 1, 1))
    places = np.tile(np.array([joint.offset for joint in joints], dtype=np.float64), (frames, 1, 1))
    column = 0
    for number, joint in enumerate(joints):
        for channel in joint.channels:
            axis = _AXES[channel[0]]
            if channel.endswith("position"):
                places[:, number, axis] = values[:, column]
            else:
                turn = axis_rotation(np.deg2rad(values[:, column]), axis)
                rotations[:, number] = rotations[:, number] @ turn
            column += 1
    return rotations, places
