"""Measures the main job on a gigapixel frame: stage seconds, blocks/s, memory, recall and precision.

python tests/bench/bench_scene.py --data DIR [--output DIR] [--photos-annotations FILE] [-- FLAGS OF process_scene]

DIR holds one large JPEG and truth.json. Nothing is reused from an earlier run.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from inputs import needed

MODEL_ONLY = (
    "import resource; from mili_core.api import Predictor; Predictor.load(device='cpu'); "
    "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
)
ACTOR_HEADROOM_GB = 0.6
POLL_S = 0.5


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output", type=Path)
    parser.add_argument("--photos-annotations", type=Path)
    options, flags = parser.parse_known_args()
    frames = sorted(options.data.glob("*.jpg"))
    needed(frames, f"no .jpg in {options.data}")
    out = options.output or Path(tempfile.mkdtemp(prefix="bench_scene_"))
    shutil.rmtree(out, ignore_errors=True)
    model_gb = int(subprocess.check_output([sys.executable, "-c", MODEL_ONLY])) / 2**20
    command = [sys.executable, "-m", "jobs.process_scene", str(frames[0]), "--output", str(out)]
    peaks = run_and_watch(command + [flag for flag in flags if flag != "--"])
    report(json.loads((out / "manifest.json").read_text()), model_gb, peaks)
    evaluate(out, options.data / "truth.json", options.photos_annotations)
    return int(peaks["actor"] > model_gb + ACTOR_HEADROOM_GB)


def run_and_watch(command: list[str]) -> dict[str, float]:
    """Runs the job and returns the peak RSS (GB) of its driver and of its largest actor."""
    peaks = {"driver": 0.0, "actor": 0.0}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as job:
        while job.poll() is None:
            peaks["driver"] = max(peaks["driver"], peak_gb(job.pid))
            actors = [pid for pid in processes() if title(pid).startswith("ray::_Actor")]
            peaks["actor"] = max([peaks["actor"], *map(peak_gb, actors)])
            time.sleep(POLL_S)
        assert job.stdout is not None
        lines = job.stdout.read().splitlines()
        print("\n".join(lines[-2:]))
        if job.returncode:
            sys.exit(job.returncode)
    return peaks


def processes() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]  # noqa: PTH208 - /proc is no tree to walk


def title(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


def peak_gb(pid: int) -> float:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 2**20 for line in lines if line.startswith("VmHWM")), 0.0)


def report(manifest: dict, model_gb: float, peaks: dict[str, float]) -> None:
    frame = manifest["frames"][0]
    seconds, blocks = frame["stage_seconds"], frame["blocks"]
    print(f"frame {frame['width']}x{frame['height']}: {frame['people']} people, {blocks}")
    print("views: " + ", ".join(f"{key} {value}" for key, value in frame["detections"].items()))
    print("wall seconds: " + ", ".join(f"{name} {value:.1f}" for name, value in seconds.items()))
    print(f"blocks/s: {blocks['done'] / seconds['inference']:.1f} (start of the workers included)")
    print(
        f"peak RSS: driver {peaks['driver']:.2f} GB, actor {peaks['actor']:.2f} GB "
        f"(limit: its model alone {model_gb:.2f} + {ACTOR_HEADROOM_GB})"
    )


def evaluate(out: Path, truth: Path, annotations: Path | None) -> None:
    if not truth.is_file():
        print(f"recall not measured: no {truth}")
        return
    command = [sys.executable, "-m", "jobs.evaluate_mili", "scene", "--people", str(out), "--truth", str(truth)]
    subprocess.check_call(command + (["--photos-annotations", str(annotations)] if annotations else []))


if __name__ == "__main__":
    sys.exit(main())
