from __future__ import annotations

import logging
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import pyvips

from jobs import process_scene
from mili_core.errors import ConfigError
from mili_core.synth.camera import SceneCamera
from pipeline.cli import EXIT_USAGE
from pipeline.config import CameraSettings
from pipeline.frames import discover
from pipeline.frames.focal import check_given_focal, told_focal
from pipeline.frames.stored import FocalTags
from pipeline.place import Placement, place
from pipeline.place.focal import DEFAULT_FOCAL_SHARE, told_camera
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


# --- what files tell ------------------------------------------------------------------------------------------------

FOCAL_MM, FILM_MM, PLANE_X, PIXEL_X, PIXEL_Y = 0x920A, 0xA405, 0xA20E, 0xA002, 0xA003


def jpeg(path: Path, tags: dict[int, int | tuple[int, int]], size: tuple[int, int] = (600, 400)) -> Path:
    """Writes a picture with EXIF tags: numbers as LONG, pairs as (signed) RATIONAL."""
    rest = 8 + 18 + 2 + 12 * len(tags) + 4
    entries, values = b"", b""
    for tag, value in sorted(tags.items()):
        if isinstance(value, int):
            entries += struct.pack(">HHIi", tag, 4, 1, value)
        else:
            entries += struct.pack(">HHII", tag, 10 if min(value) < 0 else 5, 1, rest + len(values))
            values += struct.pack(">ii", *value)
    first = struct.pack(">2sHI", b"MM", 42, 8) + struct.pack(">HHHIII", 1, 0x8769, 4, 1, 26, 0)
    exif = b"Exif\0\0" + first + struct.pack(">H", len(tags)) + entries + struct.pack(">I", 0) + values
    plain = pyvips.Image.black(*size, bands=3).copy(interpretation="srgb").jpegsave_buffer(keep="none")
    path.write_bytes(plain[:2] + struct.pack(">2sH", b"\xff\xe1", len(exif) + 2) + exif + plain[2:])
    return path


@pytest.mark.parametrize(
    ("tags", "doubt"),
    [
        ({FILM_MM: 50, PIXEL_X: 300}, "for a shot of 300x? px, but the picture is 600x400 px, stitched"),
        ({FOCAL_MM: (-35, 1), PLANE_X: (2540, 1)}, "a field of view of 8e-08 degrees"),  # libexif takes off the sign
        ({FOCAL_MM: (0, 0), PLANE_X: (2540, 1)}, "tells a focal length of nan mm"),
        ({FILM_MM: 3000}, "tells a focal length of 50000 px, a field of view of 0.688 degrees"),
        ({FILM_MM: 4}, "tells a focal length of 67 px, a field of view of 155 degrees"),
        (
            {FILM_MM: 50, PIXEL_X: 300, PIXEL_Y: 400},
            "for a shot of 300x400 px, but the picture is 600x400 px, stitched",
        ),
        (
            {FILM_MM: 50, PIXEL_X: 300, PIXEL_Y: 200},
            "for a shot of 300x200 px, but the picture is 600x400 px, stitched",
        ),
        (
            {FILM_MM: 50, PIXEL_X: 600, PIXEL_Y: 800},
            "for a shot of 600x800 px, but the picture is 600x400 px, stitched",
        ),
    ],
)
def test_a_file_whose_focal_length_cannot_be_is_named_in_one_line(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    tags: dict[int, int | tuple[int, int]],
    doubt: str,
) -> None:
    path = jpeg(tmp_path / "a.jpg", tags)
    monkeypatch.setattr(logging.getLogger(), "level", logging.ERROR)  # as jobs set it without --debug
    (frame,) = discover([str(path)], focal_given=True)
    assert not caplog.records  # nobody needs what the metadata tells
    assert discover([str(path)]) == [frame]
    assert discover([str(path)]) == [frame]
    assert frame.focal_px is None
    (line,) = [record.getMessage() for record in caplog.records]
    assert line.startswith(f"{path}: the metadata tells a focal length of ")
    assert doubt in line
    assert "--camera.focal-px" in line
    assert "\n" not in line
    assert told_camera(frame).focal_source == "default"


@pytest.mark.parametrize(
    "tags",
    [
        {FILM_MM: 50},
        {FILM_MM: 50, PIXEL_X: 600, PIXEL_Y: 400},
        {FILM_MM: 50, PIXEL_X: 400, PIXEL_Y: 600},  # turned, and the tags forgotten
        {FILM_MM: 50, PIXEL_X: 6000, PIXEL_Y: 4000},  # made smaller
        {FILM_MM: 50, PIXEL_X: 6000, PIXEL_Y: 4016},  # and its edges left out
        {FILM_MM: 0, FOCAL_MM: (50, 1), PLANE_X: (4233, 10), PIXEL_X: 600, PIXEL_Y: 400},  # 0: not known
        {FOCAL_MM: (50, 1), PLANE_X: (4233, 10), PIXEL_X: 400, PIXEL_Y: 600},  # turned, and the tags forgotten
    ],
)
def test_a_file_whose_focal_length_can_be_is_believed_silently(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, tags: dict[int, int | tuple[int, int]]
) -> None:
    (frame,) = discover([str(jpeg(tmp_path / "a.jpg", tags))])
    assert frame.focal_px == pytest.approx(50 * np.hypot(600, 400) / np.hypot(36, 24), rel=1e-3)
    assert not caplog.records
    assert told_camera(frame).focal_source == "metadata"


def test_the_limits_of_a_told_focal_length_from_both_sides() -> None:
    def believed(view_deg: float) -> bool:
        film_mm = 18.0 / np.tan(np.deg2rad(view_deg) / 2.0)
        focal_px, doubt = told_focal(FocalTags(film_mm=float(film_mm)), 3600, 2400)
        assert (focal_px is None) == bool(doubt)
        return focal_px is not None

    assert [believed(view_deg) for view_deg in (0.99, 1.01, 149.9, 150.1)] == [False, True, True, False]
    assert told_focal(FocalTags(), 3600, 2400) == (None, "")
    for value in (0.0, -35.0, float("nan"), float("inf")):
        doubt = told_focal(FocalTags(focal_mm=value, plane_resolution=2540.0), 3600, 2400)
        assert doubt == (None, f"tells a focal length of {value:g} mm")


def test_a_panorama_has_no_focal_length_of_its_metadata() -> None:
    for tags in (FocalTags(film_mm=26.0), FocalTags(film_mm=26.0, pixel_width=6000.0, pixel_height=1000.0)):
        focal_px, doubt = told_focal(tags, 6000, 1000)
        assert focal_px is None
        assert "panorama" in doubt
    assert told_focal(FocalTags(film_mm=26.0), 6000, 3000)[0] is not None
    assert told_focal(FocalTags(film_mm=0.0), 6000, 4000) == (None, "")  # not known, and nothing to warn of


def test_a_focal_length_in_millimetres_is_refused_before_anything_else() -> None:
    with pytest.raises(ConfigError, match=r"field of view of 180 degrees over 20000x15000 px; give px of the frame"):
        check_given_focal(35.0, 20_000, 15_000)
    check_given_focal(18_000.0, 20_000, 15_000)
    check_given_focal(None, 20_000, 15_000)
