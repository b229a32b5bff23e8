"""The job that makes scenes: presets and their defaults, one line for bad options, nothing half-written when killed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from jobs import make_scene as job
from mili_core.body import BodyModel
from pipeline import synthetic
from pipeline.cli import EXIT_INTERRUPTED, EXIT_TERMINATED
from pipeline.lock import LOCK_NAME, output_lock
from pipeline.synthetic import SceneFiles, SceneRequest

ROOT = Path(__file__).parents[2]
START_S = 60.0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--size", "0x100"], "width 0 px"),
        (["--size", "100"], "WIDTHxHEIGHT"),
        (["--size", "70000x100"], "width 70000 px"),
        (["--people", "-1"], "people -1"),
        (["--people", "many"], "--people"),
        (["--people", "3000", "--size", "100x80"], "do not fit"),
        (["--preset", "moon"], "preset 'moon' is unknown"),
        (["--workers", "some"], "workers 'some'"),
        (["--workers", "-2"], "workers '-2'"),
        (["--backdrops", "/nowhere"], "/nowhere"),
        (["--clips", "/nowhere"], "/nowhere"),
        (["--seed", "-3"], "seed -3"),
        (["--scene-id", "../up"], "'../up'"),
        (["--colour", "red"], "--colour"),
        (["--body", "/nowhere/body.npz"], "/nowhere/body.npz"),
    ],
)
def test_bad_arguments_are_one_line_and_exit_2(
    arguments: list[str], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "scene"
    assert job.main([*arguments, "--output", str(out)]) == 2
    message = capsys.readouterr().err
    assert words in message
    assert len(message.strip().splitlines()) == 1
    assert not out.exists()


def test_an_output_that_is_a_file_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    assert job.main(["--size", "100x80", "--people", "0", "--output", str(tmp_path / "file")]) == 2
    assert "name a folder" in capsys.readouterr().err


@pytest.mark.parametrize("target", ["scene.json", "scene.tif", "truth/people.parquet"])
def test_a_folder_in_a_files_place_is_refused(target: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / target).mkdir(parents=True)
    assert job.main(["--size", "100x80", "--people", "0", "--output", str(tmp_path)]) == 2
    message = capsys.readouterr().err
    assert f"{target} is a folder" in message
    assert len(message.strip().splitlines()) == 1


@pytest.mark.parametrize("below", ["file/sub", "a" * 300])
def test_an_output_that_cannot_be_made_is_one_line(
    below: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    assert job.main(["--size", "100x80", "--people", "0", "--output", str(tmp_path / below)]) == 2
    message = capsys.readouterr().err
    assert "cannot be written" in message
    assert len(message.strip().splitlines()) == 1


def test_a_name_that_is_too_long_leaves_the_older_scene(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--size", "100x80", "--people", "0", "--output", str(tmp_path)]
    assert job.main(arguments) == 0
    assert job.main([*arguments, "--scene-id", "a" * 300]) == 2
    assert "has 300 characters" in capsys.readouterr().err
    assert (tmp_path / "scene.json").exists()


def test_a_second_run_in_a_folder_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with output_lock(tmp_path):
        assert job.main(["--size", "100x80", "--people", "0", "--output", str(tmp_path)]) == 2
    message = capsys.readouterr().err
    assert "is writing there" in message
    assert len(message.strip().splitlines()) == 1


def test_the_job_says_what_it_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert job.main(["--size", "100x80", "--people", "2", "--scene-id", "a.b", "--output", str(tmp_path)]) == 0
    assert "100x80 px, 2 people" in capsys.readouterr().out
    assert (tmp_path / "a.b.tif").exists()


def test_a_folder_without_photos_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "broken.jpg").write_bytes(b"no picture")
    arguments = ["--size", "100x80", "--people", "0", "--backdrops", str(tmp_path / "photos")]
    assert job.main([*arguments, "--output", str(tmp_path / "scene")]) == 2
    message = capsys.readouterr().err
    assert "photos" in message
    assert len(message.strip().splitlines()) == 1
    assert not (tmp_path / "scene").exists()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], ("square", 4000, 2500, 0)),
        (["--preset", "panda", "--workers", "auto"], ("panda", 26753, 15052, None)),
        (["--preset", "panda", "--size", "300x200", "--workers", "3"], ("panda", 300, 200, 3)),
    ],
)
def test_presets_fill_in_what_is_left_out(
    arguments: list[str],
    expected: tuple[str, int, int, int | None],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    asked: list[SceneRequest] = []

    def make(request: SceneRequest, body: BodyModel, output: Path) -> SceneFiles:
        asked.append(request)
        return SceneFiles(output, output, output, output, None, 0, 1.5, 20.0, 30.0)

    monkeypatch.setattr(synthetic, "make_scene", make)
    assert job.main([*arguments, "--stats", "--output", str(tmp_path)]) == 0
    (request,) = asked
    assert (request.preset, request.width, request.height, request.workers) == expected
    assert request.people >= (800 if request.preset == "panda" else 50)
    stats = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert stats == {"seconds": 1.5, "peak_rss_mb": 20.0, "worker_peak_rss_mb": 30.0}


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_killed_job_leaves_no_file_that_looks_finished(how: signal.Signals, tmp_path: Path) -> None:
    command = [sys.executable, "jobs/make_scene.py", "--size", "6000x4000", "--people", "2", "--output", str(tmp_path)]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + START_S
    while not any(tmp_path.rglob(".part-*")):
        assert process.poll() is None, "the job ended before it was killed"
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(how)
    _, message = process.communicate(timeout=START_S)
    codes = {signal.SIGINT: EXIT_INTERRUPTED, signal.SIGTERM: EXIT_TERMINATED, signal.SIGKILL: -signal.SIGKILL}
    assert process.returncode == codes[how]
    left = [path.name for path in tmp_path.rglob("*") if path.is_file() and path.name != LOCK_NAME]
    assert all(name.startswith(".part-") for name in left)
    if how != signal.SIGKILL:
        assert left == []
        assert "make the scene from the start" in message
        assert len(message.strip().splitlines()) == 1
