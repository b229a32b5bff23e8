"""SIGTERM while Ray runs, and after it was shut down, ends a job in one line: Ray's own handlers are replaced."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytest.importorskip("ray")

from pipeline.cli import EXIT_TERMINATED

pytestmark = pytest.mark.ray

JOB = """
import os, signal, sys, time
from pipeline.cli import guarded
from pipeline.executor import cluster

def stopped():
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(20.0)

def job():
    with cluster("local"):
        if sys.argv[1] == "inside":
            stopped()
    stopped()
    return 0

sys.exit(guarded(job))
"""


@pytest.mark.parametrize("when", ["inside", "after"])
def test_one_line_and_the_code_of_the_signal(when: str) -> None:
    done = subprocess.run([sys.executable, "-c", JOB, when], capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == EXIT_TERMINATED
    assert done.stderr == "error: terminated; run the same command again to go on\n"
