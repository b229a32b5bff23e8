"""Naming: files, folders, globs, collisions."""

from pathlib import Path

import numpy as np
import pytest
import pyvips

from mili_core.errors import ConfigError, ImageError, MissingFileError
from pipeline.config import SceneConfig
from pipeline.frames import discover
from pipeline.frames.discover import natural_key, sanitise
from pipeline.inputs import named_inputs
from pipeline.run_pictures import Pictures
from pipeline.types import FrameRef


def make(path: Path, width: int = 9, height: int = 7) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.zeros((height, width, 3), dtype=np.uint8)
    pyvips.Image.new_from_memory(pixels.tobytes(), width, height, 3, "uchar").copy(interpretation="srgb").write_to_file(
        str(path)
    )
    return str(path)


def names(refs: list[FrameRef]) -> list[tuple[str, int, str]]:
    return [(ref.scene_id, ref.frame_id, Path(ref.uri).name) for ref in refs]


def test_one_file(tmp_path: Path) -> None:
    (ref,) = discover([make(tmp_path / "IMG_01_02.jpg", 12, 5)])
    assert (ref.scene_id, ref.frame_id, ref.width, ref.height, ref.focal_px) == ("IMG_01_02", 0, 12, 5, None)
    assert ref.uri == str(tmp_path / "IMG_01_02.jpg")


@pytest.mark.parametrize("text", ["", "  "])
def test_an_empty_input_is_not_the_current_folder(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path / "a.png")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(MissingFileError, match="an input is empty"):
        discover([text])


@pytest.mark.parametrize(
    "named", [(".",), ("*.*",), ("../photos",), ("**/*.*",), ("a.png", "overview.jpg"), ("*.jpg", "a.png")]
)
@pytest.mark.parametrize("output", [".", "../photos"])
def test_what_an_earlier_run_drew_is_no_photo(
    named: tuple[str, ...], output: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path / "photos" / "a.png")
    monkeypatch.chdir(tmp_path / "photos")
    frame = FrameRef("s", 3, "a.png", 9, 7)
    pictures = [path for several in (False, True) for path in Pictures(Path(), several).paths_of_people(frame)]
    for path in (*pictures, Path("plan.jpg")):
        make(path)
    with pytest.raises(ConfigError, match="the run would draw over it"):  # no run was here: it is somebody's photo
        named_inputs(SceneConfig(input=("overview.jpg", "a.png"), output=output))
    Path("ledger" if output == "." else "pyramids").mkdir()
    assert [Path(found.uri).name for found in named_inputs(SceneConfig(input=named, output=output))[0]] == ["a.png"]
    assert len(named_inputs(SceneConfig(input=(".",), output="elsewhere"))[0]) == 6
    with pytest.raises(MissingFileError, match="an earlier run drew"):
        named_inputs(SceneConfig(input=("plan.jpg",), output=output))
    make(Path("plan-b.jpg"))  # no name of a run's picture
    assert len(named_inputs(SceneConfig(input=(".",), output=output))[0]) == 2


def test_relative_inputs_become_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path / "scene" / "a.png")
    monkeypatch.chdir(tmp_path / "scene")
    for text in ("a.png", ".", "*.png", "../scene/a.png"):
        (ref,) = discover([text])
        assert Path(ref.uri) == tmp_path / "scene" / "a.png"
        assert ref.scene_id == ("a" if text.endswith("a.png") else "scene")


def test_folder_takes_frames_only_in_natural_order(tmp_path: Path) -> None:
    for name in ("IMG_10.jpg", "IMG_2.JPG", "IMG_1.png", ".IMG_3.jpg"):
        make(tmp_path / "03 Square" / name)
    (tmp_path / "03 Square" / "truth.json").write_text("{}")
    make(tmp_path / "03 Square" / "sub" / "IMG_5.jpg")
    expected = [("03_Square", 1, "IMG_1.png"), ("03_Square", 2, "IMG_2.JPG"), ("03_Square", 10, "IMG_10.jpg")]
    assert names(discover([str(tmp_path / "03 Square")])) == expected


def test_glob_groups_by_parent_folder(tmp_path: Path) -> None:
    for name in ("a/f1.png", "a/f2.png", "a/g7.png", "b/f1.png"):
        make(tmp_path / name)
    expected = [("a", 1, "f1.png"), ("a", 2, "f2.png"), ("b", 1, "f1.png")]
    assert names(discover([str(tmp_path / "*" / "f*.png")])) == expected
    two = discover([str(tmp_path / "a" / "f*"), str(tmp_path / "a" / "g*")])
    assert names(two) == [("a", 1, "f1.png"), ("a", 2, "f2.png"), ("a", 7, "g7.png")]


def test_a_name_that_looks_like_a_pattern_is_a_file_first(tmp_path: Path) -> None:
    assert discover([make(tmp_path / "x[1].png")])[0].scene_id == "x_1_"


@pytest.mark.parametrize(
    ("stems", "ids"),
    [
        (["f3", "f12"], [3, 12]),
        (["3_left", "12_left"], [3, 12]),
        (["f3_1", "f4_1"], [0, 1]),
        (["a", "f7"], [0, 1]),
        (["f2147483647"], [2147483647]),
        (["f2147483648", "f3"], [1, 0]),
        (["f01", "f1"], [0, 1]),
    ],
)
def test_frame_ids_are_the_last_digits_if_they_are_unique_and_small(
    tmp_path: Path, stems: list[str], ids: list[int]
) -> None:
    for stem in stems:
        make(tmp_path / "s" / f"{stem}.png")
    by_stem = {Path(ref.uri).stem: ref.frame_id for ref in discover([str(tmp_path / "s")])}
    assert [by_stem[stem] for stem in stems] == ids


def test_several_files_are_several_scenes(tmp_path: Path) -> None:
    files = [make(tmp_path / "b.png"), make(tmp_path / "a.png")]
    assert names(discover(files)) == [("b", 0, "b.png"), ("a", 0, "a.png")]


def test_scene_id_makes_one_scene_of_all(tmp_path: Path) -> None:
    files = [make(tmp_path / "f10.png"), make(tmp_path / "f9.png")]
    assert names(discover(files, scene_id="my scene")) == [("my_scene", 9, "f9.png"), ("my_scene", 10, "f10.png")]
    assert names(discover(files[:1], scene_id="s")) == [("s", 0, "f10.png")]
    assert names(discover(files[:1], scene_id="s", frame_id=5)) == [("s", 5, "f10.png")]


def test_frame_id_is_for_one_frame_and_in_range(tmp_path: Path) -> None:
    files = [make(tmp_path / "a.png"), make(tmp_path / "b.png")]
    with pytest.raises(ConfigError, match="given for 2 frames"):
        discover(files, frame_id=1)
    for bad in (-1, 2**31):
        with pytest.raises(ConfigError, match="out of range"):
            discover(files[:1], frame_id=bad)
    assert discover(files[:1], frame_id=2**31 - 1)[0].frame_id == 2**31 - 1


def test_scenes_that_would_share_a_name_are_refused(tmp_path: Path) -> None:
    pairs = [("x/a.png", "y/a.png"), ("x/a b.png", "x/a_b.png"), ("x/c.png", "x/c.jpg")]
    for first, second in pairs:
        with pytest.raises(ConfigError, match="would both be scene"):
            discover([make(tmp_path / first), make(tmp_path / second)])
    make(tmp_path / "p" / "s" / "1.png")
    make(tmp_path / "q" / "s" / "2.png")
    with pytest.raises(ConfigError, match="would both be scene 's'"):
        discover([str(tmp_path / "p" / "s"), str(tmp_path / "q" / "s")])


def test_a_file_named_twice_is_refused(tmp_path: Path) -> None:
    file = make(tmp_path / "s" / "a1.png")
    (tmp_path / "link.png").symlink_to(file)
    for inputs in ([file, file], [file, str(tmp_path / "s")], [file, str(tmp_path / "link.png")]):
        with pytest.raises(ConfigError, match="named twice"):
            discover(inputs)


def test_nothing_there(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "notes.txt").write_text("x")
    for text, reason in [
        ("missing.jpg", "no such file or folder"),
        ("empty", "the folder holds no frame"),
        ("*.jpg", "the pattern matches no frame"),
    ]:
        with pytest.raises(MissingFileError, match=reason):
            discover([str(tmp_path / text)])
    with pytest.raises(MissingFileError, match="no input"):
        discover([])


def test_one_bad_frame_in_a_folder_is_named(tmp_path: Path) -> None:
    make(tmp_path / "s" / "f1.png")
    (tmp_path / "s" / "f2.png").write_bytes(b"")
    with pytest.raises(ImageError, match=r"f2\.png"):
        discover([str(tmp_path / "s")])


@pytest.mark.parametrize(
    ("name", "expected"), [("a b", "a_b"), ("ä/ö", "_"), ("", "_"), ("ok-1.2_3", "ok-1.2_3"), ("a  =b", "a_b")]
)
def test_sanitise(name: str, expected: str) -> None:
    assert sanitise(name) == expected


def test_natural_order() -> None:
    ordered = ["a2", "a10", "a10b1", "a10b02", "b", "IMG_1", "img_2", "IMG_10"]
    backwards = [Path(name) for name in reversed(ordered)]
    assert [path.name for path in sorted(backwards, key=natural_key)] == ordered
