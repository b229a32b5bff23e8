"""Renders training samples ahead: python -m mili_core.training.shards --count N --seed S --output DIR.

Sample i depends on (seed, i) alone. Shards that are there already are kept, so an interrupted run goes on, and a
larger --count adds to a folder.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import cv2
import numpy as np
import torch

from mili_core.body import BodyModel, load_body
from mili_core.datasets.shards import ShardOrigin, read_origin, shard_path, write_shard
from mili_core.errors import ConfigError, MiliError
from mili_core.synth.samples import RenderSource

PER_SHARD = 100  # 3 to 4 MB; about a minute of one core
PEOPLE = (2, 12)  # drawn for a sample; some are hidden or do not fit
STREAM = 7  # keeps these seeds apart from those of on-the-fly training and of the benches


@dataclass(frozen=True, slots=True)
class ShardRequest:
    """What to render.

    Attributes:
        folder: where the shards go.
        count: samples in all.
        width, height: px.
        seed: of all samples.
        body: npz of the body, None for the open body.
    """

    folder: Path
    count: int
    width: int
    height: int
    seed: int
    body: Path | None = None

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ConfigError(f"--count is {self.count}; give at least 1")

    @property
    def shards(self) -> range:
        """Numbers of the shards."""
        return range(-(-self.count // PER_SHARD))

    def origin(self, body: BodyModel) -> ShardOrigin:
        """Gives what is stored in each shard."""
        return ShardOrigin(self.seed, self.width, self.height, body.name, body.sha256, f"mili {_version()}")


def render_shards(request: ShardRequest, workers: int, log: Callable[[str], None]) -> int:
    """Renders what is missing; returns how many samples the folder holds.

    Args:
        request: what to render.
        workers: processes.
        log: takes lines of progress.

    Raises:
        ConfigError: the folder holds shards of another origin.
    """
    request.folder.mkdir(parents=True, exist_ok=True)
    origin = request.origin(load_body(request.body))
    missing = [number for number in request.shards if not _is_done(request, origin, number)]
    started = time.monotonic()
    tasks = [(request, number) for number in missing]
    with multiprocessing.get_context("spawn").Pool(max(1, min(workers, len(missing)))) as pool:
        for done, number in enumerate(pool.imap_unordered(_render_one, tasks), start=1):
            minutes = (time.monotonic() - started) / 60
            log(f"shard {number}: {done} of {len(missing)} in {minutes:.1f} min")
    return request.count


def render_one(request: ShardRequest, number: int, body: BodyModel) -> Path:
    """Renders one shard and gives its path."""
    source = RenderSource(body, request.width, request.height, people=PEOPLE, detection=True)
    first = number * PER_SHARD
    indices = range(first, min(first + PER_SHARD, request.count))
    samples = [source.draw(np.random.default_rng((STREAM, request.seed, index))) for index in indices]
    path = shard_path(request.folder, number)
    write_shard(path, samples, request.origin(body), first)
    return path


def _render_one(task: tuple[ShardRequest, int]) -> int:
    request, number = task
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    render_one(request, number, load_body(request.body))
    return number


def _is_done(request: ShardRequest, origin: ShardOrigin, number: int) -> bool:
    """Says whether a shard is there with all of its samples."""
    path = shard_path(request.folder, number)
    if not path.is_file():
        return False
    found, first, count = read_origin(path)
    if found != origin or first != number * PER_SHARD:
        raise ConfigError(f"shard {path} was made with other settings; give them or another --output")
    return count == PER_SHARD or first + count >= request.count


def _version() -> str:
    try:
        return version("mili")
    except PackageNotFoundError:
        return "unknown"


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.partition("x")
    if not (width.isdigit() and height.isdigit()):
        raise argparse.ArgumentTypeError(f"{text!r} is no size; give WIDTHxHEIGHT in px, like 416x256")
    return int(width), int(height)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line and returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m mili_core.training.shards", description=__doc__)
    parser.add_argument("--output", type=Path, required=True, help="folder of the shards")
    parser.add_argument("--count", type=int, required=True, help="samples in all")
    parser.add_argument("--size", type=_size, default=(416, 256), help="WIDTHxHEIGHT, px")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--body", type=Path, help="body model npz (default: the open body)")
    parser.add_argument("--workers", type=int, default=2, help="processes")
    options = parser.parse_args(argv)
    try:
        request = ShardRequest(
            options.output, options.count, options.size[0], options.size[1], options.seed, options.body
        )
        count = render_shards(request, options.workers, _say)
    except MiliError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    _say(f"{count} samples in {options.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
