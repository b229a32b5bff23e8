"""What joints and depth say about a pair of views: the tie-breakers where boxes and outlines leave it open."""

from __future__ import annotations

import numpy as np

from pipeline.merge.config import MergeConfig
from pipeline.merge.views import Views, area, intersect
from pipeline.types import BoolArray, Float64Array, Int64Array

UNKNOWN = 0.5
"""The agreement of views that have neither joints nor depth: neither for nor against."""

# Fall-off of a joint's likeness, as a share of the person's size (OKS). The COCO constants of shoulders, hips and
# ankles are .08...11; SMPL's joints have none of their own.
JOINT_SHARE = 0.1

# A body head's typical error of depth, as a logarithm: a fifth.
DEPTH_ERROR = 0.2


def agreement(views: Views, i: Int64Array, j: Int64Array) -> Float64Array:
    """Gives how well joints and depth of the pairs (i, j) go together (P,), 0..1, `UNKNOWN` without either.

    Joints are compared in the frame, also those that a cut view only guesses: where two blocks hardly overlap there
    is nothing else to compare. Depths of different blocks are no lengths of one camera; what can be compared is the
    size of a metre that they imply, in frame px.
    """
    joints = None if views.joints is None else _oks(views, i, j)
    metre = None if views.depth_px is None else _ratio_likeness(views.depth_px[i], views.depth_px[j])
    if joints is None:
        return np.full(len(i), UNKNOWN, dtype=np.float64) if metre is None else metre
    return joints if metre is None else joints * metre


def thin(views: Views, i: Int64Array, j: Int64Array, config: MergeConfig) -> BoolArray:
    """Says for which pairs (i, j) of cut views the common view shows too thin a strip of one to compare boxes."""
    common = intersect(views.windows[i], views.windows[j])
    strips = [intersect(views.boxes[k], common) for k in (i, j)]
    shown = np.minimum(*(np.min(strip[:, 2:] - strip[:, :2], axis=1) for strip in strips))
    scale = np.minimum(views.scale[i], views.scale[j])
    result: BoolArray = (shown * scale < config.min_evidence_px) & ~views.whole[i] & ~views.whole[j]
    return result


def _oks(views: Views, i: Int64Array, j: Int64Array) -> Float64Array:
    """Gives the object keypoint similarity (P,) of the joints, weighted by the better confidence of the two."""
    assert views.joints is not None
    a, b = views.joints[i].astype(np.float64), views.joints[j].astype(np.float64)
    low = np.minimum(views.boxes[i, :2], views.boxes[j, :2])
    high = np.maximum(views.boxes[i, 2:], views.boxes[j, 2:])
    size = area(np.concatenate([low, high], axis=1))
    gap = ((a[..., :2] - b[..., :2]) ** 2).sum(axis=2)
    likeness = np.exp(-gap / np.maximum(2.0 * JOINT_SHARE**2 * size, 1e-9)[:, None])
    weight = np.maximum(a[..., 2], b[..., 2])
    total = weight.sum(axis=1)
    mean = np.divide((weight * likeness).sum(axis=1), total, out=np.full(len(i), UNKNOWN), where=total > 0.0)
    result: Float64Array = mean.round(9)
    return result


def _ratio_likeness(a: Float64Array, b: Float64Array) -> Float64Array:
    """Gives 1 for equal sizes of a metre, falling with their ratio; `UNKNOWN` where one is not positive."""
    known = (a > 0.0) & (b > 0.0)
    ratio = np.log(np.where(known, a, 1.0) / np.where(known, b, 1.0))
    return np.where(known, np.exp(-(ratio**2) / (2.0 * DEPTH_ERROR**2)), UNKNOWN).round(9)
