"""SIGTERM, by which schedulers and `kill` end a job, as an exception: what is open is closed, as after Ctrl-C."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Terminated(KeyboardInterrupt):
    """The process was asked to end by SIGTERM."""


@contextmanager
def terminable() -> Iterator[None]:
    """Raises Terminated inside the block when SIGTERM arrives; children forked there die of it as they always did.

    Libraries in whose code it arrives make something else of it, a plain KeyboardInterrupt or, as Ray while it starts,
    an exit with the signal's number: that ends the block with Terminated too. (For a moment of its start and its end
    Ray's C++ code has the signal, and ends the process with a dump of its own.) Where it is not the main thread that
    enters, signals are not its own, and nothing changes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    owner, asked = os.getpid(), threading.Event()

    def terminate(number: int, _: FrameType | None) -> None:
        if os.getpid() == owner:
            asked.set()
            raise Terminated
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    before = signal.signal(signal.SIGTERM, terminate)
    try:
        yield
        if asked.is_set():  # swallowed on the way
            raise Terminated
    except BaseException as end:
        if asked.is_set() or (isinstance(end, SystemExit) and end.code == signal.SIGTERM):
            raise Terminated from end
        raise
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL if before is None else before)


@contextmanager
def handlers_kept() -> Iterator[None]:
    """Puts back the handler of SIGTERM after the block, which may have set another, as Ray's start and end do."""
    handler = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if callable(handler) and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, handler)
