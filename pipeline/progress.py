"""How far a stage is: one bar on a terminal, one plain line every ten seconds elsewhere."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

LINE_EVERY_S = 10.0


@contextmanager
def progress(
    title: str, total: int, *, first: str = "", every_s: float = LINE_EVERY_S
) -> Iterator[Callable[[int], None]]:
    """Gives a function that is told how many more items are done.

    Args:
        title: for example "inference".
        total: items in all.
        first: what goes on before an item is done, for example "workers are starting"; said as long as none is.
        every_s: seconds between plain lines, where stderr is not a terminal.
    """
    with _bar(title, total, first) if sys.stderr.isatty() else _lines(title, total, first, every_s) as advance:
        yield advance


@contextmanager
def _bar(title: str, total: int, first: str) -> Iterator[Callable[[int], None]]:
    from rich.console import Console  # noqa: PLC0415 - only a terminal needs it
    from rich.progress import Progress  # noqa: PLC0415 - only a terminal needs it

    with Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task(f"{title} ({first})" if first else title, total=total)
        yield lambda count: bar.update(task, advance=count, description=title)


@contextmanager
def _lines(title: str, total: int, first: str, every_s: float) -> Iterator[Callable[[int], None]]:
    done, finished, start = [0], threading.Event(), time.monotonic()

    def advance(count: int) -> None:
        done[0] += count

    def report() -> None:
        while not finished.wait(every_s):
            ahead = f" ({first})" if first and not done[0] else ""
            print(f"{title}: {done[0]}/{total}, {time.monotonic() - start:.0f} s{ahead}", file=sys.stderr, flush=True)  # noqa: T201 - the log of a job

    reporter = threading.Thread(target=report, daemon=True)
    reporter.start()
    try:
        yield advance
    finally:
        finished.set()
        reporter.join()
