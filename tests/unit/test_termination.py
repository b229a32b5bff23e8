"""SIGTERM ends a job as an exception, whatever code it arrives in."""

from __future__ import annotations

import contextlib
import os
import signal
import threading

import pytest

from pipeline.cli import EXIT_TERMINATED, guarded
from pipeline.termination import Terminated, handlers_kept, terminable


def terminate() -> None:
    os.kill(os.getpid(), signal.SIGTERM)
    signal.sigtimedwait([], 1.0)  # Python's handler runs at the next step of the interpreter


def terminate_and_swallow() -> None:
    with contextlib.suppress(Terminated):
        terminate()


def terminate_in_a_library() -> None:
    try:
        terminate()
    except Terminated as error:
        raise KeyboardInterrupt from error


def terminate_in_a_library_that_fails() -> None:
    try:
        terminate()
    except Terminated as error:
        raise RuntimeError("lost") from error


def exit_with_the_signal() -> None:
    raise SystemExit(int(signal.SIGTERM))


@pytest.mark.parametrize(
    "end",
    [
        terminate,
        terminate_and_swallow,
        terminate_in_a_library,
        terminate_in_a_library_that_fails,
        exit_with_the_signal,
    ],
)
def test_however_it_comes_through_it_is_one_line(end: object, capsys: pytest.CaptureFixture[str]) -> None:
    def job() -> int:
        assert callable(end)
        end()
        return 0

    before = signal.getsignal(signal.SIGTERM)
    assert guarded(job) == EXIT_TERMINATED
    assert capsys.readouterr().err == "error: terminated; run the same command again to go on\n"
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_handler_that_others_replace_is_put_back() -> None:
    def job() -> int:
        with handlers_kept():
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            os.kill(os.getpid(), signal.SIGTERM)
        terminate()
        return 0

    assert guarded(job) == EXIT_TERMINATED


def test_other_ends_pass() -> None:
    with pytest.raises(KeyboardInterrupt) as caught, terminable():
        raise KeyboardInterrupt
    assert not isinstance(caught.value, Terminated)
    with pytest.raises(SystemExit), terminable():
        raise SystemExit(2)


def test_a_thread_leaves_signals_alone() -> None:
    before, seen = signal.getsignal(signal.SIGTERM), []

    def work() -> None:
        with terminable(), handlers_kept():
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [before]


def test_a_forked_child_dies_of_it() -> None:
    with terminable():
        child = os.fork()
        if child == 0:
            os.kill(os.getpid(), signal.SIGTERM)
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGTERM
