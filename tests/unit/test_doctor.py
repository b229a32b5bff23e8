"""What the doctor finds, and how the job says it."""

from __future__ import annotations

from pathlib import Path

import pytest

from jobs import doctor as job
from pipeline import doctor
from pipeline.doctor import Finding, examine

REAL_VERSION = doctor._version


def findings() -> dict[str, Finding]:
    return {finding.topic: finding for finding in examine(Path())}


def test_a_whole_installation_has_nothing_broken() -> None:
    found = findings()
    assert {"python", "mili", "torch", "images", "device", "body", "weights", "model", "disk", "cluster"} <= set(found)
    assert not [finding for finding in found.values() if finding.broken]
    assert "sha256" in found["weights"].state
    assert not [topic for topic in found if topic.startswith("extra ") and found[topic].needed]


def test_missing_weights_are_found_with_a_remedy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("mili_core.weights.SHIPPED", tmp_path / "none.safetensors")
    found = findings()
    assert {topic for topic, finding in found.items() if finding.broken} == {"weights", "model"}
    assert "none.safetensors" in found["weights"].state
    assert "reinstall" in (found["weights"].remedy or "")


def test_missing_packages_are_found_with_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_version", lambda name: None if name in {"zarr", "numba"} else REAL_VERSION(name))
    found = {finding.topic: finding for finding in (*doctor._packages(), *doctor._extras())}
    assert [topic for topic, finding in found.items() if finding.broken] == ["zarr"]
    assert found["zarr"].remedy == "pip install zarr"
    assert found["extra synth"].remedy == "pip install -c constraints.txt -e '.[synth]' in mili's source folder"


def test_little_disk_is_no_hindrance(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert doctor._disk(tmp_path / "not" / "yet").remedy is None
    monkeypatch.setattr(doctor, "NEEDED_DISK_GB", 1e9)
    few = doctor._disk(tmp_path / "not" / "yet")
    assert str(tmp_path) in few.state
    assert few.remedy
    assert not few.broken


def test_the_job_marks_what_is_missing(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    report = [Finding("python", "3.12", needed=True), Finding("extra bench", "without polars", "pip install polars")]
    monkeypatch.setattr(job, "examine", lambda _: iter(report))
    assert job.main([]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["ok", "-", "process-scene"]
    report.append(Finding("weights", "none", "reinstall mili", needed=True))
    assert job.main([]) == 2
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].startswith("MISSING weights")
    assert lines[2].endswith("none -> reinstall mili")
    assert lines[3] == "process-scene cannot run: 1 missing"
