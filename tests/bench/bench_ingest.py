"""Measures decode-only and full ingest of the largest JPEG in a folder, each in a process of its own.

python tests/bench/bench_ingest.py --data DIR [--scratch DIR] [--repeat N]
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from inputs import needed

from pipeline.frames import discover, read_strips
from pipeline.plan import uniform_plan
from pipeline.pyramid import Pyramid, ensure_pyramid

RATIO_LIMIT = 5.0
RSS_LIMIT_GB = 1.2
WINDOWS = 200


@dataclass(frozen=True, slots=True)
class Figures:
    """Wall seconds, CPU seconds and peak RSS of one child process."""

    wall_s: float
    cpu_s: float
    rss_gb: float


def say(line: str) -> None:
    """Writes one line to standard output."""
    sys.stdout.write(f"{line}\n")


def decode(source: str, _target: str) -> None:
    """Reads all strips and throws them away."""
    rows = sum(strip.pixels.shape[0] for strip in read_strips(discover([source])[0]))
    assert rows > 0


def ingest(source: str, target: str) -> None:
    """Writes the whole pyramid."""
    ensure_pyramid(discover([source])[0], Path(target), overwrite=True)


def measured(job: Callable[[str, str], None], source: str, target: str) -> Figures:
    """Gives the figures of `job`, run in a fresh process."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_figures, (job, source, target))


def _figures(job: Callable[[str, str], None], source: str, target: str) -> Figures:
    wall, cpu = time.perf_counter(), time.process_time()
    job(source, target)
    rss_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return Figures(time.perf_counter() - wall, time.process_time() - cpu, rss_kib * 1024 / 1e9)


def window_read_ms(target: str) -> float:
    """Gives the median milliseconds of reading one 832x512 block of level 0."""
    opened = Pyramid.open(target)
    blocks = [block for block in uniform_plan(*opened.level_sizes[0]) if block.level == 0]
    times = []
    for block in blocks[:: max(1, len(blocks) // WINDOWS)]:
        start = time.perf_counter()
        opened.read_block(block)
        times.append(time.perf_counter() - start)
    return 1e3 * statistics.median(times)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with JPEGs, searched at any depth")
    parser.add_argument("--scratch", type=Path, help="where the pyramid goes for a while (default: a temporary folder)")
    parser.add_argument("--repeat", type=int, default=3)
    arguments = parser.parse_args()
    jpegs = sorted(arguments.data.rglob("*.jpg"), key=lambda path: (path.stat().st_size, path.name))
    needed(jpegs, f"no .jpg under {arguments.data}")
    source = str(jpegs[-1])
    scratch = Path(tempfile.mkdtemp(prefix="bench_ingest_", dir=arguments.scratch))
    try:
        return report(source, str(scratch / "frame.zarr"), arguments.repeat)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def report(source: str, target: str, repeat: int) -> int:
    """Prints the figures; gives 1 when a limit is broken."""
    ref = discover([source])[0]
    say(f"{source}: {ref.width}x{ref.height} px, {ref.width * ref.height / 1e6:.1f} MPix")
    pairs = [(measured(decode, source, target), measured(ingest, source, target)) for _ in range(repeat)]
    for decoded, ingested in pairs:
        say(
            f"decode {decoded.wall_s:.2f} s wall, {decoded.cpu_s:.2f} s CPU, {decoded.rss_gb:.2f} GB peak | "
            f"ingest {ingested.wall_s:.2f} s wall, {ingested.cpu_s:.2f} s CPU, {ingested.rss_gb:.2f} GB peak | "
            f"ratio {ingested.wall_s / decoded.wall_s:.2f}"
        )
    # The fastest of each: other work on the machine only ever adds.
    ratio = min(i.wall_s for _, i in pairs) / min(d.wall_s for d, _ in pairs)
    rss = max(ingested.rss_gb for _, ingested in pairs)
    stored = sum(path.stat().st_size for path in Path(target).rglob("*") if path.is_file())
    say(f"ingest / decode {ratio:.2f} (limit {RATIO_LIMIT}), peak RSS {rss:.2f} GB (limit {RSS_LIMIT_GB})")
    say(f"pyramid {stored / 1e9:.3f} GB, window read {window_read_ms(target):.2f} ms (median)")
    return int(ratio > RATIO_LIMIT or rss > RSS_LIMIT_GB)


if __name__ == "__main__":
    sys.exit(main())
