"""`ray job submit` against a local head, with --working-dir and without it; the head is ended by its process id."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import pytest

pytest.importorskip("ray")

from tests import fakes

pytestmark = [pytest.mark.ray, pytest.mark.timeout(600)]

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
START_S, JOB_S = 120.0, 300.0


@dataclass(frozen=True)
class Head:
    """A running cluster: the address for jobs, and the environment that its clients need."""

    address: str
    environment: dict[str, str]

    def submit(self, entrypoint: Sequence[str], *, folder: Path, working_dir: str | None) -> tuple[int, str]:
        """Gives the exit code of `ray job submit` and the log of the job."""
        option = ["--working-dir", working_dir] if working_dir else []
        command = [str(BIN / "ray"), "job", "submit", "--address", self.address, *option, "--", *entrypoint]
        for _ in range(2):  # a busy head may drop the connection before it has the job
            done = subprocess.run(
                command, cwd=folder, env=self.environment, capture_output=True, text=True, timeout=JOB_S, check=False
            )
            if "ConnectionError" not in done.stderr:
                break
        return done.returncode, done.stdout + done.stderr


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


@pytest.fixture(scope="module")
def head() -> Iterator[Head]:
    temporary = Path(tempfile.mkdtemp(prefix="rj", dir="/tmp"))  # short: socket paths end at 107 bytes
    token = temporary / "token"
    token.write_text("0123456789abcdef0123456789abcdef")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("RAY_", "MILI_"))}
    environment |= {
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "RAY_TMPDIR": str(temporary),
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(token),
        "RAY_USAGE_STATS_ENABLED": "0",
    }
    gcs, dashboard, listen, grpc, client, metrics = free_ports(6)
    command = [
        *(str(BIN / "ray"), "start", "--head", "--block", "--num-cpus=2", "--node-ip-address=127.0.0.1"),
        *(f"--port={gcs}", f"--dashboard-port={dashboard}", f"--dashboard-agent-listen-port={listen}"),
        *(f"--dashboard-agent-grpc-port={grpc}", f"--ray-client-server-port={client}"),
        *(f"--metrics-export-port={metrics}", f"--object-store-memory={100 * 2**20}"),
    ]
    with (temporary / "head.log").open("w") as log:
        process = subprocess.Popen(command, env=environment, cwd=temporary, stdout=log, stderr=log)
    started = Head(f"http://127.0.0.1:{dashboard}", environment)
    try:
        wait_for_jobs(started, process, temporary / "head.log")
        yield started
    finally:
        process.terminate()  # --block ends what it started
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
        shutil.rmtree(temporary, ignore_errors=True)


def wait_for_jobs(head: Head, process: subprocess.Popen[bytes], log: Path) -> None:
    """Returns once the head answers questions about jobs."""
    command = [str(BIN / "ray"), "job", "list", "--address", head.address]
    deadline = time.monotonic() + START_S
    while subprocess.run(command, env=head.environment, capture_output=True, check=False).returncode:
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, f"no head after {START_S} s: {log.read_text()}"
        time.sleep(1.0)


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    image = fakes.ground(1300, 800)
    for left in (100, 700, 1000):
        fakes.plant(image, (left, 300, left + 80, 500))
    path = tmp_path_factory.mktemp("photo") / "three.png"
    assert cv2.imwrite(str(path), image)
    return path


def check(output: Path, code: int, log: str) -> None:
    assert code == 0, log
    assert "3 people in 1 frame, 0 of " in log
    assert json.loads((output / "manifest.json").read_text())["frames"][0]["people"] == 3


OPTIONS = ("--model", "tests.fakes:factory", "--device", "cpu", "--no-overview")


def test_with_a_working_dir(head: Head, photo: Path, tmp_path: Path) -> None:
    """The code that runs is the uploaded copy: the job's last words say where it lies."""
    output = tmp_path / "out"
    job = f"python jobs/process_scene.py {photo} --output {output} {' '.join(OPTIONS)}"
    where = "python -c 'import pipeline, pathlib; print(\"code in\", pathlib.Path(pipeline.__file__).parent)'"
    code, log = head.submit(["sh", "-c", f"{job} && {where}"], folder=ROOT, working_dir=".")
    check(output, code, log)
    assert "working_dir_files" in log.split("code in")[-1]


def test_without_a_working_dir_where_the_package_is_installed(head: Head, photo: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    entrypoint = ["python", str(ROOT / "jobs/process_scene.py"), str(photo), "--output", str(output), *OPTIONS]
    check(output, *head.submit(entrypoint, folder=tmp_path, working_dir=None))


def test_relative_paths_are_refused(head: Head, photo: Path, tmp_path: Path) -> None:
    entrypoint = ["python", str(ROOT / "jobs/process_scene.py"), str(photo), "--output", "out", *OPTIONS]
    code, log = head.submit(entrypoint, folder=tmp_path, working_dir=None)
    assert code == 1  # whatever the job's own code
    assert "error: output: 'out' is relative" in log
    assert "Traceback" not in log
