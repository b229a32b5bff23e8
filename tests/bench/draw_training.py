"""Draws what a training's log says of its losses.

python tests/bench/draw_training.py --run DIR --output PICTURE

A panel each for detection, bodies and the parts of the low-resolution branch; what the stage did not train is left out.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

import cv2
from line_chart import Curve, Panel, draw_chart

ROWS_A_POINT = 10  # batches differ too much for a curve through each
PANELS = {
    "detection": ("objectness", "person", "box"),
    "bodies": ("joint_maps", "joints3d", "pose"),
    "low resolution": ("contrastive", "occlusion", "restoration"),
}
TICKS = (100, 200, 500, 1000, 2000, 5000, 10000, 20000)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, required=True, help="--output of train_mili")
    parser.add_argument("--output", type=Path, required=True, help="the picture: .png or .jpg")
    options = parser.parse_args()
    rows = [json.loads(line) for line in (options.run / "log.jsonl").read_text().splitlines()]
    points = [rows[end - ROWS_A_POINT : end] for end in range(ROWS_A_POINT, len(rows) + 1, ROWS_A_POINT)]
    if not points:
        print(f"error: {options.run} has {len(rows)} lines of log; train for longer", file=sys.stderr)
        return 2
    last = next((tick for tick in TICKS if tick >= rows[-1]["step"]), TICKS[-1])
    ticks = [tick for tick in TICKS if tick <= last]
    trained = {title: names for title, names in PANELS.items() if any(row[name] for row in rows for name in names)}
    labels = [" | ".join(names) for names in zip(*trained.values(), strict=True)]  # one legend for all panels
    chart = draw_chart([panel(title, names, labels, points) for title, names in trained.items()], "step", ticks)
    cv2.imwrite(str(options.output), cv2.cvtColor(chart, cv2.COLOR_RGB2BGR))
    return 0


def panel(
    title: str, names: Sequence[str], labels: Sequence[str], points: Sequence[Sequence[dict[str, float]]]
) -> Panel:
    steps = [fmean(row["step"] for row in part) for part in points]
    curves = [
        Curve(label, steps, [fmean(row[name] for row in part) for part in points])
        for label, name in zip(labels, names, strict=True)
    ]
    return Panel(f"{title}, weighted losses", curves)


if __name__ == "__main__":
    sys.exit(main())
