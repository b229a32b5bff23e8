"""Measures bodies on rendered people of held-out seeds, in their true boxes, and how many of them are found.

python tests/bench/bench_pose.py [--weights FILE] [--branch hr|lr] [--lr-mode native|degrade] [--lr-scale large|small]
    [--shards DIR | --seed N --size WIDTH HEIGHT] [--images N] [--json]

Synthetic: the same renderer as in training, other seeds. MPJPE, PA-MPJPE and PCK@150 mm are of 24 joints (the pelvis,
at which both are laid upon each other, is one of them; beside them MPJPE of the other 23); the interval of MPJPE (95 %)
draws the images again. The second table has the same people, each given the mean pose and mean betas, whatever is seen:
the pose that the SMPL head starts from, upright and facing the camera. Heights are of visible boxes, network px (a
sample's px are the network's); people of whom half and more is seen, in the last line also those of a quarter and more.
Recall is of the whole model at the threshold that its weights recommend, IoU .5. `--lr-mode degrade` shows the model
the paper's low-resolution twin; the truth stays as it is.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from held_out import (
    Seen,
    Sight,
    add_sample_flags,
    batches,
    joined_errors,
    open_model,
    samples_of,
    see,
    see_nothing,
)
from inputs import measured
from numpy.typing import NDArray

from mili_core.body import load_body
from mili_core.evaluation.detection import match_boxes
from mili_core.evaluation.pose import POSE_BANDS_PX, PoseErrors, PoseFigures, pose_figures

MIN_VISIBLE = 0.5
SIZE = (416, 256)
JOINTS = 24
HEADER = (
    f"{'height px':>12} {'people':>6} {'MPJPE mm (95 %)':>22} {'23 joints':>9} {'PA-MPJPE mm':>11} {'PCK@150':>7} "
    f"{'recall':>6}"
)


@dataclass(frozen=True, slots=True)
class Row:
    name: str
    figures: PoseFigures
    recall: float

    @property
    def without_pelvis_mm(self) -> float:
        """MPJPE of the joints but the pelvis, whose distance is always 0."""
        return self.figures.mpjpe_mm * JOINTS / (JOINTS - 1)

    def __str__(self) -> str:
        one = self.figures
        interval = f"{one.mpjpe_mm:.1f} ({one.interval_mm[0]:.1f}-{one.interval_mm[1]:.1f})"
        recall = f"{self.recall:.3f}" if math.isfinite(self.recall) else "-"
        return (
            f"{self.name:>12} {one.people:>6} {interval:>22} {self.without_pelvis_mm:>9.1f} "
            f"{one.pa_mpjpe_mm:>11.1f} {one.pck:>7.3f} {recall:>6}"
        )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--branch", choices=("hr", "lr"), default="lr")
    parser.add_argument("--lr-mode", choices=("native", "degrade"), default="native")
    parser.add_argument("--lr-scale", choices=("large", "small"), default="large")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    add_sample_flags(parser, SIZE)
    return measured(measure, parser)


def measure(options: argparse.Namespace) -> int:
    body = load_body()
    model = open_model(options.weights, body)
    sight = Sight(options.branch, options.lr_mode, options.lr_scale)
    samples, origin = samples_of(options, body)
    parts = [(see(model, batch, sight, model.threshold), see_nothing(model, batch)) for batch in batches(samples)]
    seen, unseen = Seen.joined([part[0] for part in parts]), joined_errors([part[1] for part in parts])
    table, constant = rows(seen, seen.errors, hits(seen)), rows(seen, unseen)
    if options.json:
        told = {"samples": f"synthetic: {origin}", **asdict(sight)} | as_plain(table)
        print(json.dumps(told | {"constant mean pose": as_plain(constant)}))
        return 0
    mode = "" if options.lr_mode == "native" else f", degraded ({options.lr_scale})"
    print(f"synthetic: {origin}; branch {options.branch}{mode}; detection score >= {model.threshold:g}")
    print(f"MPJPE, PA-MPJPE and PCK of {JOINTS} joints, the pelvis among them")
    print(HEADER, *table, "a constant mean pose in place of the model:", HEADER, *constant, sep="\n")
    return 0


def rows(seen: Seen, errors: PoseErrors, hit: NDArray[np.bool_] | None = None) -> list[Row]:
    """Returns figures of each band, of everyone half seen, and of all rendered people.

    Args:
        seen: says who the people are.
        errors: theirs.
        hit: (P,) who was found; None where nobody looked.
    """
    clear = seen.visible >= MIN_VISIBLE
    chosen = {
        f"{low:g}-{high:g}": clear & (seen.heights_px >= low) & (seen.heights_px < high) for low, high in POSE_BANDS_PX
    }
    chosen |= {"any height": clear, "all rendered": np.ones_like(clear)}
    return [
        Row(
            name,
            pose_figures(errors.of(mask), seen.image_index[mask]),
            float(hit[mask].mean()) if hit is not None and mask.any() else float("nan"),
        )
        for name, mask in chosen.items()
    ]


def hits(seen: Seen) -> NDArray[np.bool_]:
    """Returns who (P,) was found."""
    flags = [np.zeros(0, dtype=bool)]
    for found, truth in zip(seen.found, seen.boxes, strict=True):
        pairs = match_boxes(found, truth, 0.5)
        flags.append(np.isin(np.arange(len(truth.boxes_xyxy)), pairs.truth))
    return np.concatenate(flags)


def as_plain(table: list[Row]) -> dict[str, object]:
    def known(value: float) -> float | None:
        return value if math.isfinite(value) else None

    return {
        row.name: {
            "people": row.figures.people,
            "mpjpe_mm": known(row.figures.mpjpe_mm),
            "mpjpe_23_joints_mm": known(row.without_pelvis_mm),
            "interval_mm": [known(end) for end in row.figures.interval_mm],
            "pa_mpjpe_mm": known(row.figures.pa_mpjpe_mm),
            "pck": known(row.figures.pck),
            "recall": known(row.recall),
        }
        for row in table
    }


if __name__ == "__main__":
    sys.exit(main())
