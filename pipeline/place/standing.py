"""Who stands, and the line from each one's ankles to the shoulders and head: what shows how the camera is held."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.types import BoolArray, Float64Array, Int64Array

TOP = (12, 15, 16, 17)
BOTTOM = (7, 8)
"""Neck, head and shoulders above, ankles below: means of several joints, so that the noise of one does not turn the
line, and symmetric, so that no heading does."""

_PELVIS, _NECK, _HIPS, _KNEES, _ANKLES = 0, 12, (1, 2), (4, 5), (7, 8)

STRAIGHT = 0.9
"""Least distance from ankles to neck as a share of the way along the bones: of the synthetic poses, 95 % of those that
stand or walk have it; who sits has .8."""
BENT_COSINE = 0.906
"""Least cosine of the angle (25 degrees) between trunk and legs."""
LEAST_CONFIDENCE = 0.25
"""Mean confidence of the joints of an end; hidden ankles are guessed."""
LEAST_LENGTH_PX = 8.0
"""Of the line in the frame; one px of noise turns a shorter one by more than people lean."""


@dataclass(frozen=True, slots=True, eq=False)
class Lines:
    """N people who stand.

    Attributes:
        rows: (N,) int64 which people they are.
        bottom_px, top_px: (N, 2) ends in frame px.
        length_m: (N,) of the line in metres.
    """

    rows: Int64Array
    bottom_px: Float64Array
    top_px: Float64Array
    length_m: Float64Array

    def __len__(self) -> int:
        return len(self.length_m)


def standing_lines(joints2d_frame: Float64Array, joints3d_m: Float64Array, usable: BoolArray) -> Lines:
    """Gives the lines of all who stand straight and are seen from head to foot.

    Args:
        joints2d_frame: (G, 24, 3) x, y (frame px), confidence.
        joints3d_m: (G, 24, 3) metres, any axes.
        usable: (G,) who can be looked at.
    """
    points, confidence = joints2d_frame[..., :2], joints2d_frame[..., 2]
    top_px, bottom_px = points[:, TOP].mean(axis=1), points[:, BOTTOM].mean(axis=1)
    top_m, bottom_m = joints3d_m[:, TOP].mean(axis=1), joints3d_m[:, BOTTOM].mean(axis=1)
    seen = np.minimum(confidence[:, TOP].mean(axis=1), confidence[:, BOTTOM].mean(axis=1)) >= LEAST_CONFIDENCE
    long_enough = np.linalg.norm(top_px - bottom_px, axis=1) >= LEAST_LENGTH_PX
    rows = np.flatnonzero(usable & seen & long_enough & is_straight(joints3d_m))
    length_m = np.linalg.norm(top_m - bottom_m, axis=1)
    return Lines(rows, bottom_px[rows], top_px[rows], length_m[rows])


def is_straight(joints3d_m: Float64Array) -> BoolArray:
    """Gives (G,) whether bodies (G, 24, 3) have trunk and legs in one line, whichever way it points."""
    joints = joints3d_m
    pelvis, neck = joints[:, _PELVIS], joints[:, _NECK]
    hips, knees, ankles = (joints[:, pair].mean(axis=1) for pair in (_HIPS, _KNEES, _ANKLES))
    bones = np.linalg.norm(joints[:, _HIPS] - joints[:, _KNEES], axis=-1)
    bones += np.linalg.norm(joints[:, _KNEES] - joints[:, _ANKLES], axis=-1)
    trunk, legs = neck - pelvis, hips - ankles
    way = np.linalg.norm(trunk, axis=1) + bones.mean(axis=1) + np.linalg.norm(pelvis - hips, axis=1)
    reach = np.linalg.norm(neck - ankles, axis=1)
    lengths = np.linalg.norm(trunk, axis=1) * np.linalg.norm(legs, axis=1)
    with np.errstate(invalid="ignore"):
        result: BoolArray = (reach >= STRAIGHT * way) & ((trunk * legs).sum(axis=1) >= BENT_COSINE * lengths)
    return np.asarray(result & (way > 0.0) & (np.linalg.norm(knees - hips, axis=1) > 0.0), dtype=np.bool_)
