"""Where nose, eyes, ears, toes, heels and finger tips are, found from the shape of a body in T-pose."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mili_core.body.model import JOINTS, Float32Array, Int64Array
from mili_core.errors import BodyError

_HEAD, _WRIST, _HAND, _ANKLE, _FOOT = 15, 20, 22, 7, 10  # the left one of a pair; the right one is the next joint
_NOSE_HALF_WIDTH_M = 0.02
# Proportions of an adult face, in units of half the distance between the ears' outer rims (about 85 mm).
_EYE_ASIDE, _EYE_ABOVE_NOSE = 0.35, 0.45
_EAR_BAND_M = (-0.04, 0.08)  # heights that ears take, from the tip of the nose
_SOLE_M = 0.03  # what lies this close above the lowest point touches the ground
_BIG_TOE_SHARE, _SMALL_TOE_SHARE = 0.3, 0.15  # of the width of the toes
_FINGERS = 5

Mask = NDArray[np.bool_]


def find_landmarks(
    vertices: Float32Array, joints: Float32Array, weights: Float32Array, faces: Int64Array
) -> Int64Array:
    """Gives the ids of the 21 landmark vertices, (21,) in the order of VERTEX_NAMES.

    Args:
        vertices: (V, 3) in T-pose, metres, y up, facing +z, palms down, left at +x.
        joints: (24, 3).
        weights: (V, 24); a vertex belongs to the joint with its largest weight.
        faces: (F, 3).

    Raises:
        BodyError: the body has no vertices at a joint that carries landmarks, or fewer than five finger tips.
    """
    segments = weights.argmax(axis=1)
    sizes = np.bincount(segments, minlength=JOINTS)
    empty = [joint for joint in (_HEAD, _ANKLE, _ANKLE + 1, _FOOT, _FOOT + 1, _HAND, _HAND + 1) if not sizes[joint]]
    if empty:
        raise BodyError(f"no vertex follows joint {empty[0]} most, so its landmarks cannot be found")
    ids = _face(vertices, segments == _HEAD)
    for side in (0, 1):
        ids += _foot(vertices, segments == _FOOT + side, segments == _ANKLE + side)
    for side in (0, 1):
        hand = (segments == _WRIST + side) | (segments == _HAND + side)
        ids += _finger_tips(vertices, joints[_WRIST + side], hand, faces)
    return np.array(ids, dtype=np.int64)


def _face(vertices: Float32Array, head: Mask) -> list[int]:
    """Gives nose, right eye, left eye, right ear, left ear."""
    x, y, z = vertices.T
    nose = _best(z, head & (np.abs(x - np.median(x[head])) < _NOSE_HALF_WIDTH_M))
    at_ears = head & (y > y[nose] + _EAR_BAND_M[0]) & (y < y[nose] + _EAR_BAND_M[1])
    right_ear, left_ear = _best(-x, at_ears), _best(x, at_ears)
    unit = 0.5 * (x[left_ear] - x[right_ear])
    front = head & (z > 0.5 * (z[nose] + z[left_ear]))
    eyes = []
    for aside in (-_EYE_ASIDE, _EYE_ASIDE):
        dx, dy = x - x[nose] - aside * unit, y - y[nose] - _EYE_ABOVE_NOSE * unit
        # Near the pupil, and rather the lid than the socket behind it.
        eyes.append(_best(0.5 * z - np.hypot(dx, dy), front))
    return [nose, *eyes, right_ear, left_ear]


def _foot(vertices: Float32Array, toes: Mask, ankle: Mask) -> list[int]:
    """Gives big toe, small toe and heel of one foot."""
    x, y, z = vertices.T
    outward = np.abs(x)
    inner, outer = outward[toes].min(), outward[toes].max()
    big = toes & (outward <= inner + _BIG_TOE_SHARE * (outer - inner))
    small = toes & (outward >= outer - _SMALL_TOE_SHARE * (outer - inner))
    sole = ankle & (y < y[ankle].min() + _SOLE_M)
    return [_best(z, big), _best(z, small), _best(-z, sole)]


def _finger_tips(vertices: Float32Array, wrist: Float32Array, hand: Mask, faces: Int64Array) -> list[int]:
    """Gives thumb, index, middle, ring and little finger: palm down, that is their order from front to back."""
    distance = np.where(hand, np.linalg.norm(vertices - wrist, axis=1), -np.inf)
    tips = _most_prominent_peaks(distance, faces[hand[faces].all(axis=1)], _FINGERS)
    if len(tips) < _FINGERS:
        raise BodyError(f"the hand at x = {wrist[0]:.2f} m has {len(tips)} finger tips, expected {_FINGERS}")
    return sorted(tips, key=lambda tip: -vertices[tip, 2])


def _most_prominent_peaks(height: NDArray[np.floating], faces: Int64Array, count: int) -> list[int]:
    """Gives the `count` peaks of a height over a mesh that stand out most.

    A peak's prominence is how far one must descend from it before a higher peak can be reached.
    """
    neighbours: dict[int, set[int]] = {}
    for a, b in np.concatenate((faces, np.roll(faces, 1, axis=1)), axis=0)[:, :2]:
        neighbours.setdefault(int(a), set()).add(int(b))
        neighbours.setdefault(int(b), set()).add(int(a))
    island: dict[int, int] = {}  # union-find: vertex -> vertex towards its island's peak
    prominence: dict[int, float] = {}
    for vertex in sorted(neighbours, key=lambda v: (-height[v], v)):
        peaks = sorted({_root(island, other) for other in neighbours[vertex] if other in island},
                       key=lambda v: (-height[v], v))  # fmt: skip
        island[vertex] = peaks[0] if peaks else vertex
        prominence.setdefault(island[vertex], np.inf)
        for lower in peaks[1:]:
            island[lower] = peaks[0]
            prominence[lower] = float(height[lower] - height[vertex])
    return sorted(prominence, key=lambda v: (-prominence[v], v))[:count]


def _root(island: dict[int, int], vertex: int) -> int:
    while island[vertex] != vertex:
        vertex = island[vertex]
    return vertex


def _best(score: NDArray[np.floating], mask: Mask) -> int:
    """Gives the id with the highest score within the mask, the lowest id on ties."""
    if not mask.any():
        raise BodyError("the body's head or feet are not where a T-pose has them, so landmarks cannot be found")
    return int(np.where(mask, score, -np.inf).argmax())
