"""Speed of the synthetic data: training samples a second, where a sample's time goes, and whole scenes on disk.

python tests/bench/bench_synth.py [--samples 40] [--workers 2] [--presets street panda] [--backend torch]
    [--device cuda] [--json FILE]

Samples are 832x512 (`--size`) with about 8 people, drawn by two processes of a torch DataLoader, a thread each; the
time starts when every process has given its first `--warm`. Shares come from one process under cProfile, which makes
Python code look slower than it is. Scenes are made by `python -m jobs.make_scene` in a process of its own, whose tree
is watched for memory (Linux or Ray's psutil; without either only what the system says about ended children).
"""

from __future__ import annotations

import argparse
import cProfile
import json
import pstats
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from mili_core.body import NETWORK_HEIGHT, NETWORK_WIDTH, load_body
from mili_core.raster import Backend, using
from mili_core.synth.samples import RenderSource

SAMPLES_PER_S = 6.0
SECONDS = {"panda": 360.0}
WORKER_RSS_GB = 2.0
PEOPLE = (6, 10)
FEWEST_SHARE = 0.03
DEPTH = 5
WATCH_S = 0.2
PRESET_LIMIT_S = 1500


@dataclass(frozen=True, slots=True)
class Drawing:
    """How samples are drawn: backend and device of the rasteriser, and the seed."""

    backend: Backend
    device: str
    seed: int
    width: int
    height: int
    warm: int

    def samples(self, part: int) -> Iterator[int]:
        """Gives the number of people in sample after sample, without end."""
        torch.set_num_threads(1)
        source = RenderSource(load_body(), self.width, self.height, people=PEOPLE)
        rng = np.random.default_rng([self.seed, part])
        with using(self.backend, self.device):
            while True:
                yield len(source.draw(rng).boxes_xyxy)


class Endless(IterableDataset[int]):
    """Samples of a Drawing, for a DataLoader; every worker draws its own."""

    def __init__(self, drawing: Drawing) -> None:
        self._drawing = drawing

    def __iter__(self) -> Iterator[int]:
        worker = get_worker_info()
        return self._drawing.samples(0 if worker is None else worker.id)


def sample_rate(drawing: Drawing, samples: int, workers: int) -> dict[str, float]:
    """Gives samples a second over some processes, after some of each: a process bakes each texture once."""
    how = "spawn" if drawing.device.startswith("cuda") else "fork"
    loader = DataLoader(Endless(drawing), batch_size=None, num_workers=workers, multiprocessing_context=how)
    drawn = iter(loader)
    for _ in range(drawing.warm * workers):
        next(drawn)
    start = time.perf_counter()
    people = [int(next(drawn)) for _ in range(samples)]
    seconds = time.perf_counter() - start
    del drawn
    return {"samples_per_s": samples / seconds, "people": float(np.mean(people)), "workers": workers}


def one_process(drawing: Drawing, samples: int) -> tuple[dict[str, float], list[tuple[int, str, float]]]:
    """Gives milliseconds a sample, wall and processor, and the lines (depth, name, share) of where they go."""
    drawn = drawing.samples(0)
    next(drawn)
    wall, processor = time.perf_counter(), time.process_time()
    for _ in range(samples):
        next(drawn)
    each = {
        "wall_ms": (time.perf_counter() - wall) / samples * 1000,
        "processor_ms": (time.process_time() - processor) / samples * 1000,
    }
    profile = cProfile.Profile()
    profile.enable()
    for _ in range(max(2, samples // 2)):
        next(drawn)
    profile.disable()
    return each, stages(pstats.Stats(profile))


Function = tuple[str, int, str]


def stages(stats: pstats.Stats) -> list[tuple[int, str, float]]:
    """Gives the calls below `RenderSource.draw` that take a noteworthy share, depth first, the longest first."""
    calls: dict[Function, dict[Function, float]] = {}
    table = stats.stats  # type: ignore[attr-defined]
    for callee, facts in table.items():
        for caller, part in facts[4].items():
            calls.setdefault(caller, {})[callee] = part[3]
    root = next(function for function in table if function[2] == "draw" and function[0].endswith("samples.py"))
    total = table[root][3]
    return list(_below(root, calls, total, 1, (root,)))


def _below(
    caller: Function,
    calls: dict[Function, dict[Function, float]],
    total: float,
    depth: int,
    above: tuple[Function, ...],
) -> Iterator[tuple[int, str, float]]:
    if depth > DEPTH:
        return
    for callee, seconds in sorted(calls.get(caller, {}).items(), key=lambda pair: -pair[1]):
        ours = "mili_core" in callee[0]
        if callee in above or not ours or seconds / total < FEWEST_SHARE:
            continue
        yield depth, f"{Path(callee[0]).stem}.{callee[2]}", seconds / total
        yield from _below(callee, calls, total, depth + 1, (*above, callee))


class Watch(threading.Thread):
    """Follows the memory of a process and all below it: the most of any single one, by kind, and of all together."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._pid = pid
        self._ended = threading.Event()
        self.peak_gb: dict[str, float] = {}
        self.together_gb = 0.0

    def run(self) -> None:
        try:
            import_module("ray")  # brings psutil along
            psutil = import_module("psutil")
        except ImportError:
            return
        while not self._ended.wait(WATCH_S):
            total = 0.0
            try:
                root = psutil.Process(self._pid)
                family = [root, *root.children(recursive=True)]
            except psutil.Error:
                return
            for process in family:
                try:
                    used = process.memory_info().rss / 1e9
                    kind = "main" if process.pid == self._pid else _kind(process.cmdline())
                except psutil.Error:
                    continue
                total += used
                self.peak_gb[kind] = max(self.peak_gb.get(kind, 0.0), used)
            self.together_gb = max(self.together_gb, total)

    def end(self) -> None:
        self._ended.set()
        self.join()


def _kind(command: Sequence[str]) -> str:
    """Gives "worker" for a process that runs Ray's tasks, "cluster" for its other ones, "child" for the rest."""
    words = " ".join(command)
    if words.startswith("ray::") or "default_worker.py" in words:
        return "worker"
    return "cluster" if "ray" in words else "child"


def scene(preset: str, workers: int, seed: int) -> dict[str, object]:
    """Gives seconds, megapixels a second and memory of one make_scene run, or what it said when it failed."""
    with tempfile.TemporaryDirectory() as folder:
        options = ["--preset", preset, "--workers", str(workers), "--seed", str(seed), "--stats", "--output", folder]
        start = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-m", "jobs.make_scene", *options],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        watch = Watch(process.pid)
        watch.start()
        try:
            said, errors = process.communicate(timeout=PRESET_LIMIT_S)
        except subprocess.TimeoutExpired:
            process.terminate()
            said, errors = process.communicate()
        seconds = time.perf_counter() - start
        watch.end()
        if process.returncode != 0:
            return {"preset": preset, "seconds": seconds, "exit": process.returncode, "error": errors[-400:]}
        described = json.loads((Path(folder) / "scene.json").read_text(encoding="utf-8"))
        megabytes = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file()) / 1e6
    megapixels = described["width"] * described["height"] / 1e6
    peak = watch.peak_gb or {"any ended child": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e6}
    return {
        "preset": preset,
        "size": f"{described['width']}x{described['height']}",
        "people": described["people"],
        "seconds": seconds,
        "mpx_per_s": megapixels / seconds,
        "written_mb": megabytes,
        "peak_rss_gb": peak,
        "peak_rss_together_gb": watch.together_gb,
        "said": said.strip().splitlines()[-1],
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=None, help="not needed: everything is rendered")
    parser.add_argument("--samples", type=int, default=40, help="timed; 0 leaves this part out")
    parser.add_argument("--warm", type=int, default=30, help="samples of each process before the time starts")
    parser.add_argument("--size", type=int, nargs=2, default=[NETWORK_WIDTH, NETWORK_HEIGHT], help="of samples, px")
    parser.add_argument("--workers", type=int, default=2, help="processes, of samples and of scenes")
    parser.add_argument("--presets", nargs="*", default=["street", "panda"])
    parser.add_argument("--backend", default="auto", choices=["auto", "numba", "torch"])
    parser.add_argument("--device", default="auto", help="of the rasteriser, for samples")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--json", type=Path, default=None)
    options = parser.parse_args()
    report: dict[str, object] = {}
    if options.samples:
        drawing = Drawing(options.backend, options.device, options.seed, *options.size, options.warm)
        # The loader goes first: its forked processes must not meet threads that this one has started.
        rate = sample_rate(drawing, options.samples, options.workers)
        each, lines = one_process(drawing, max(4, options.samples // 4))
        report |= {"samples": rate | each, "stages": lines}
        print(
            f"samples {drawing.width}x{drawing.height}, {rate['people']:.1f} people kept, {options.workers} processes: "
            f"{rate['samples_per_s']:.2f}/s (target >= {SAMPLES_PER_S:.0f}); one process alone: "
            f"{each['wall_ms']:.0f} ms, {each['processor_ms']:.0f} ms of a processor"
        )
        for depth, name, share in lines:
            print(f"  {share:6.1%} {share * each['wall_ms']:6.0f} ms {'  ' * depth}{name}")
    scenes = []
    for preset in options.presets:
        scenes.append(scene(preset, options.workers, options.seed))
        limit = f"<= {SECONDS[preset]:.0f} s, " if preset in SECONDS else ""
        print(f"scene (target {limit}<= {WORKER_RSS_GB:.0f} GB a worker): {json.dumps(scenes[-1])}", flush=True)
    report["scenes"] = scenes
    if options.json is not None:
        options.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
