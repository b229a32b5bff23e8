"""People rasterised, samples rendered and demo frames made per second, on one thread.

python tests/bench/bench_raster.py [--data DIR] [--seconds 3]
"""

from __future__ import annotations

import argparse
import platform
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from mili_core.body import BodyModel, load_body
from mili_core.raster import Backend, rasterise
from mili_core.synth import render_sample
from mili_core.synth.window import front_faces
from pipeline.synthetic import SceneRequest, make_scene


def rate(work: Callable[[], object], seconds: float) -> tuple[float, float]:
    """Gives calls per wall second and per CPU second, after one call to warm up."""
    work()
    wall, cpu, calls = time.perf_counter(), time.process_time(), 0
    while time.perf_counter() - wall < seconds:
        work()
        calls += 1
    return calls / (time.perf_counter() - wall), calls / (time.process_time() - cpu)


def person(body: BodyModel, height_px: int) -> tuple[np.ndarray, int, int]:
    """Gives the body in the T-pose on the screen, `height_px` tall, and the raster's width and height."""
    camera = body.v_template * np.array([1.0, -1.0, -1.0], dtype=np.float32) + np.array([0, 0, 6], dtype=np.float32)
    screen = camera[:, :2] / camera[:, 2:]
    screen *= height_px / np.ptp(screen[:, 1])
    screen -= screen.min(axis=0)
    width, height = (int(side) + 2 for side in screen.max(axis=0))
    return np.column_stack([screen, camera[:, 2]]).astype(np.float32), width, height


def main() -> None:
    """Prints one line a figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=None, help="not needed: everything is rendered")
    parser.add_argument("--seconds", type=float, default=3.0, help="for each figure")
    seconds = parser.parse_args().seconds
    torch.set_num_threads(1)
    body = load_body()
    print(f"{platform.processor() or platform.machine()}, 1 thread; per wall second (per CPU second)")
    backends: tuple[Backend, ...] = ("numba", "torch")
    for backend in backends:
        for height_px in (150, 600):
            screen, width, height = person(body, height_px)
            for name, faces in (("all faces", body.faces), ("front", body.faces[front_faces(screen, body.faces)])):
                wall, cpu = rate(
                    lambda s=screen, f=faces, w=width, h=height, b=backend: rasterise(s, f, w, h, backend=b), seconds
                )
                print(f"raster {backend:5} {height_px:4} px {name:9}: {wall:7.0f} ({cpu:7.0f}) people")
    rng = np.random.default_rng(0)
    wall, cpu = rate(lambda: render_sample(rng, body, 416, 256, 6), 3 * seconds)
    print(f"render_sample 416x256, 6 people: {wall:.1f} ({cpu:.1f}) samples")
    with tempfile.TemporaryDirectory() as folder:
        wall_start, cpu_start = time.perf_counter(), time.process_time()
        make_scene(SceneRequest(60, 4000, 2500, 7), body, Path(folder))
        wall, cpu = time.perf_counter() - wall_start, time.process_time() - cpu_start
        print(f"demo frame 4000x2500, 60 people: {wall:.1f} s wall, {cpu:.1f} s CPU")


if __name__ == "__main__":
    main()
