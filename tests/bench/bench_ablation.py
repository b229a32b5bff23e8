"""Takes MILI's parts away one by one, as the paper's Table 3 does, and says what each is worth on rendered people.

python tests/bench/bench_ablation.py --teacher WEIGHTS --held-out SHARDS --output DIR [--seeds 0 1] [--steps 1000]
    -- --photos PHOTOS --shards SHARDS [other flags of train_mili]

Each variant is the low-resolution stage alone, from one high-resolution start and for equally many steps; the last row
is that start itself, looking at low-resolution images through its own branch (the paper's Figure 1). Figures are of
people 60 to 120 network px tall and seen by half, on the paper's low-resolution twins of samples of a held-out seed:
synthetic. An interrupted bench goes on where it was: trainings keep checkpoints in --output.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from mili_core.training.checkpoint import CHECKPOINT

HERE = Path(__file__).resolve().parent
TRAIN, POSE = HERE.parents[1] / "jobs" / "train_mili.py", HERE / "bench_pose.py"
VARIANTS: dict[str, tuple[str, ...]] = {
    "full": (),
    "without mask network": ("--no-mask-network",),
    "without restoration": ("--no-restoration",),
    "without contrastive loss": ("--no-contrastive",),
}
BAND = "60-120"
MEASURES = {"MPJPE mm": "mpjpe_mm", "PA-MPJPE mm": "pa_mpjpe_mm", "PCK@150": "pck", "recall": "recall"}
Figures = dict[str, float]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--teacher", type=Path, required=True, help="weights of stage hr")
    parser.add_argument("--held-out", type=Path, required=True, help="shards of a seed not trained on")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("train", nargs="*", help="flags of train_mili, behind --")
    options = parser.parse_args()
    sharp = measured(options.teacher, "hr", options.held_out)  # before hours of training: are both usable?
    rows = {
        name: [measured(trained(options, name, flags, seed), "lr", options.held_out) for seed in options.seeds]
        for name, flags in VARIANTS.items()
    }
    rows["trained on sharp images"] = [sharp]
    print(f"synthetic; {options.steps} steps; seeds {options.seeds}; people {BAND} px; mean (least to greatest)")
    print("\n".join(table(rows)))
    return 0


def trained(options: argparse.Namespace, name: str, flags: Sequence[str], seed: int) -> Path:
    """Trains one variant, or goes on with it, and gives its weights."""
    folder: Path = options.output / f"{name.replace(' ', '-')}-{seed}"
    given = ["--stage", "lr", "--teacher", str(options.teacher), "--output", str(folder)]
    given += ["--steps", str(options.steps), "--seed", str(seed), *flags, *options.train]
    folder.mkdir(parents=True, exist_ok=True)
    asked, text = folder / "flags.json", json.dumps(given)
    if asked.is_file() and asked.read_text() != text:
        raise SystemExit(f"error: {folder} was trained with other flags; name another --output")
    asked.write_text(text)
    try:
        output_of([TRAIN, *given], piped=False)  # a finished training is not repeated
    finally:
        if not (folder / CHECKPOINT).is_file():
            asked.unlink()  # nothing was trained with these flags
    return folder / "weights.safetensors"


def output_of(command: Sequence[object], *, piped: bool = True) -> bytes:
    """Gives what a Python program prints; where it fails, which it says in a line of its own, the bench ends."""
    words = [sys.executable, *map(str, command)]
    done = subprocess.run(words, check=False, stdout=subprocess.PIPE if piped else None)
    if done.returncode < 0:
        print(f"error: {Path(words[1]).name} was ended by signal {-done.returncode}", file=sys.stderr)
    if done.returncode:
        sys.exit(done.returncode if done.returncode > 0 else 1)
    return done.stdout or b""


def measured(weights: Path, branch: str, held_out: Path) -> Figures:
    """Gives the figures of the band, the mean over both of the paper's low resolutions."""
    both = []
    for scale in ("large", "small"):
        given = ["--weights", str(weights), "--branch", branch, "--lr-mode", "degrade", "--lr-scale", scale]
        both.append(json.loads(output_of([POSE, *given, "--shards", held_out, "--json"]))[BAND])
    return {title: statistics.fmean(one[key] for one in both) for title, key in MEASURES.items()}


def table(rows: dict[str, list[Figures]]) -> list[str]:
    """Gives the lines of a Markdown table."""
    lines = ["| | " + " | ".join(MEASURES) + " |", "|---" * (1 + len(MEASURES)) + "|"]
    for name, runs in rows.items():
        cells = [_cell([run[title] for run in runs], 0 if title.endswith("mm") else 3) for title in MEASURES]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return lines


def _cell(values: Sequence[float], digits: int) -> str:
    mean = f"{statistics.fmean(values):.{digits}f}"
    return mean if len(values) == 1 else f"{mean} ({min(values):.{digits}f} to {max(values):.{digits}f})"


if __name__ == "__main__":
    sys.exit(main())
