from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from jobs import process_scene
from mili_core.errors import ConfigError
from mili_core.synth.camera import SceneCamera
from pipeline.cli import EXIT_USAGE
from pipeline.config import CameraSettings
from pipeline.place import Placement, place
from pipeline.place.focal import DEFAULT_FOCAL_SHARE
from pipeline.place.report import camera_entry
from tests.place_scenes import Known, body, known_scene


def scene(pitch_deg: float, focal: float = 1.0, people: int = 70, seed: int = 0, roll_deg: float = 2.0) -> Known:
    """Gives a crowd of whom four of five stand, with joints off by 2 % of their height."""
    distance = focal * 6000 * 1.7 / 450
    down = np.deg2rad(pitch_deg) + np.arctan(0.2 / focal)
    height = max(2.5, distance * np.cos(down) ** 2 * np.tan(down))
    camera = SceneCamera(6000, 4000, focal * 6000, np.deg2rad(pitch_deg), float(height), np.deg2rad(roll_deg))
    return known_scene(camera, people, seed, noise_px=0.0, noise_share=0.02)


def of(known: Known, **options: float) -> Placement:
    return place(known.frame, known.views, known.merge, known.blocks, body(), **options)


@pytest.mark.parametrize("pitch_deg", [10, 18, 28, 40])
def test_the_focal_length_follows_from_how_people_lean(pitch_deg: float) -> None:
    off = []
    for number, focal in enumerate((0.65, 0.9, 1.3)):
        known = scene(pitch_deg, focal, seed=number, roll_deg=3.0 * number - 3.0)
        camera = of(known).camera
        assert camera.focal_source == "estimate", camera.reason
        assert camera.focal_spread is not None
        assert 0.0 < camera.focal_spread < 0.2
        off.append(abs(camera.focal_px / known.camera.focal_px - 1.0))
    assert np.median(off) < 0.15


def test_the_spread_is_what_estimates_are_off_by() -> None:
    standardised = []
    for seed in range(6):
        known = scene(20, 0.8, seed=seed)
        camera = of(known).camera
        assert camera.focal_spread is not None
        standardised.append(np.log(camera.focal_px / known.camera.focal_px) / camera.focal_spread)
    assert 0.3 < np.sqrt(np.mean(np.square(standardised))) < 2.5


@pytest.mark.parametrize("pitch_deg", [0, 4, 52])
def test_where_leaning_says_little_the_focal_length_is_the_default(pitch_deg: float) -> None:
    known = scene(pitch_deg)
    camera = of(known).camera
    assert camera.focal_source == "default"
    assert camera.reason
    assert camera.focal_px == DEFAULT_FOCAL_SHARE * 6000
    assert camera.focal_spread is None


def test_so_it_is_for_few_people() -> None:
    placement = of(scene(25, people=30))
    assert placement.camera.focal_source == "default"
    assert "are needed" in placement.camera.reason
    assert "are needed" in camera_entry(placement).focal_reason
    assert placement.ground is not None  # with the default, the plane is still found


def test_the_file_goes_before_the_estimate_and_the_flag_before_the_file() -> None:
    known = scene(25)
    told = replace(known, frame=replace(known.frame, focal_px=5432.0))
    camera = of(told).camera
    assert (camera.focal_px, camera.focal_source, camera.focal_spread) == (5432.0, "metadata", None)
    camera = of(told, focal_px=6543.0).camera
    assert (camera.focal_px, camera.focal_source) == (6543.0, "flag")
    assert (camera.principal_x, camera.principal_y) == (3000.0, 2000.0)


@pytest.mark.parametrize("focal_px", [0.0, -5.0, float("nan"), float("inf")])
def test_a_focal_length_that_cannot_be_one(focal_px: float) -> None:
    with pytest.raises(ConfigError, match="focal_px"):
        of(scene(25, people=5), focal_px=focal_px)


@pytest.mark.parametrize("text", ["0", "-5", "nan", "inf", "wide"])
def test_such_a_flag_is_one_line_and_exit_code_2(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = process_scene.main(["a.jpg", "--output", str(tmp_path / "out"), f"--camera.focal-px={text}"])
    lines = capsys.readouterr().err.splitlines()
    assert code == EXIT_USAGE
    assert len(lines) == 1
    assert "camera.focal_px" in lines[0]
    assert not (tmp_path / "out").exists()


def test_the_setting() -> None:
    assert CameraSettings().focal_px is None
    assert CameraSettings(focal_px=8000.0).focal_px == 8000.0
