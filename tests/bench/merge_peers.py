"""Other ways to merge tiled detections, for comparison in the oracle bench of the merge.

SAHI itself where it is installed (the extra `bench`); its documented GREEDYNMM in a few own lines otherwise.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec

import numpy as np
from merge_detectors import Seen

from pipeline.merge.pairs import overlapping

SAHI_INSTALLED = find_spec("sahi") is not None


def nms(seen: Seen) -> np.ndarray:
    """Gives what plain NMS at IoU .5 keeps."""
    return _greedy(seen, lambda shared, kept, other: shared / (kept + other - shared), unite=False)


def greedy_nmm(seen: Seen) -> np.ndarray:
    """Gives SAHI's default in own lines: greedy merging at intersection over smaller .5, boxes united."""
    return _greedy(seen, lambda shared, kept, other: shared / np.minimum(kept, other), unite=True)


def _greedy(
    seen: Seen,
    measure: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray],
    *,
    unite: bool,
) -> np.ndarray:
    boxes, scores = seen.views.boxes_frame, seen.views.scores
    i, j = overlapping(boxes, boxes)
    starts = np.searchsorted(i, np.arange(len(boxes) + 1))
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    alive, out = np.ones(len(boxes), bool), []
    for k in np.argsort(-scores, kind="stable"):
        if not alive[k]:
            continue
        near = j[starts[k] : starts[k + 1]]
        near = near[alive[near]]
        shared = np.maximum(np.minimum(boxes[near, 2:], boxes[k, 2:]) - np.maximum(boxes[near, :2], boxes[k, :2]), 0)
        gone = near[measure(shared.prod(axis=1), areas[k], areas[near]) >= 0.5]
        alive[gone] = False
        alive[k] = False
        members = boxes[np.append(gone, k)]
        out.append(np.concatenate([members[:, :2].min(0), members[:, 2:].max(0)]) if unite else boxes[k])
    return np.array(out).reshape(-1, 4)


def sahi_setting(kind: str, metric: str) -> Callable[[Seen], np.ndarray]:
    """Gives SAHI's own merging at threshold .5; `kind` NMS, NMM or GREEDYNMM, `metric` IOU or IOS."""

    def merged(seen: Seen) -> np.ndarray:
        from sahi.postprocess import combine
        from sahi.prediction import ObjectPrediction

        classes = {
            "NMS": combine.NMSPostprocess,
            "NMM": combine.NMMPostprocess,
            "GREEDYNMM": combine.GreedyNMMPostprocess,
        }
        predictions = [
            ObjectPrediction(bbox=box, category_id=0, category_name="person", score=score)
            for box, score in zip(seen.views.boxes_frame.tolist(), seen.views.scores.tolist(), strict=True)
        ]
        kept = classes[kind](match_threshold=0.5, match_metric=metric, class_agnostic=True)(predictions)
        return np.array([each.bbox.to_xyxy() for each in kept], dtype=np.float64).reshape(-1, 4)

    return merged


PEERS: dict[str, Callable[[Seen], np.ndarray]] = (
    {
        f"SAHI {kind} {metric}": sahi_setting(kind, metric)
        for kind, metric in (("GREEDYNMM", "IOS"), ("NMM", "IOS"), ("NMS", "IOS"), ("NMS", "IOU"))
    }
    if SAHI_INSTALLED
    else {"SAHI-style GREEDYNMM IOS": greedy_nmm, "NMS IoU .5": nms}
)
