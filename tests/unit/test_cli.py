"""The command line: flags, errors of one line each, exit codes, a light --help."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
from pydantic import ValidationError

from jobs import main as dispatcher
from jobs import process_scene
from mili_core.errors import ImageError
from pipeline.cli import EXIT_USAGE, guarded, parse_config
from pipeline.config import SceneConfig
from pipeline.termination import Terminated

HEAVY = ("torch", "ray", "zarr", "pyarrow", "cv2", "pyvips")


def parse(*arguments: str) -> SceneConfig:
    return parse_config(SceneConfig, arguments, prog="test", shortcuts=process_scene.SHORTCUTS, positional="input")


def test_the_flags_people_use(tmp_path: Path) -> None:
    yaml = tmp_path / "scene.yaml"
    yaml.write_text("ray: {threads: 2}\n")
    config = parse(
        *("a.jpg", "--output", "out/", "b [1], c.jpg", "--roi", "POLYGON((0 0, 9 0, 9 9, 0 0))"),
        *("--roi", "b.wkt", "--exclude", "c.geojson", "--device", "cpu", "--score-threshold", "0.4"),
        *(
            "--weights",
            "w.safetensors",
            "--body",
            "b.npz",
            "--scene-id",
            "01",
            "--frame-id",
            "7",
            "--config",
            str(yaml),
        ),
        *("--actors", "3", "--no-resume", "--overwrite", "--debug", "--merge.link-similarity", "0.4"),
    )
    assert config.input == ("a.jpg", "b [1], c.jpg")
    assert config.roi == ("POLYGON((0 0, 9 0, 9 9, 0 0))", "b.wkt")
    assert config.exclude == ("c.geojson",)
    assert (config.model.device, config.model.weights) == ("cpu", Path("w.safetensors"))
    assert (config.model.body, config.model.score_threshold) == (Path("b.npz"), 0.4)
    assert (config.scene_id, config.frame_id) == ("01", 7)
    assert (config.ray.actors, config.ray.threads) == (3, 2)
    assert (config.resume, config.overwrite, config.debug) == (False, True, True)
    assert config.merge.link_similarity == 0.4
    assert parse("a", "--output", "o", "--model", "package.module:make").model.factory == "package.module:make"


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, list[str]]:
    code = process_scene.main(arguments)
    return code, capsys.readouterr().err.splitlines()


def test_unknown_flags_are_one_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    code, lines = run(capsys, "a.jpg", "--outptu", "out", "--quux=3")
    assert code == 2
    assert len(lines) == 2
    assert "--outptu" in lines[0]
    assert "did you mean --output?" in lines[0]
    assert "--quux" in lines[1]


def test_abbreviated_flags_are_unknown(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "a.jpg", "--outp", "out")[0] == 2


def test_every_wrong_setting_has_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    code, lines = run(capsys, "--frame-id", "-3", "--actors", "many", "--device", "tpu")
    assert code == 2
    assert sorted(line.split(":")[1].strip() for line in lines) == [
        "--actors (ray.actors)", "--device (model.device)", "frame_id", "input", "output",
    ]  # fmt: skip
    assert all(line.startswith("error: ") for line in lines)
    assert "error: --device (model.device): 'tpu' is not 'auto', 'cpu' or 'cuda'" in lines


def test_help_says_what_every_setting_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert process_scene.main(["--help"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "a side this near to an inner edge of its block is cut (default: 2.5)" in shown
    assert "--device {auto,cpu,cuda}" in shown
    assert "VALUE (default" not in shown


def test_unknown_yaml_keys_and_variables(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    yaml = tmp_path / "scene.yaml"
    yaml.write_text("modle: {device: cpu}\n")
    code, lines = run(capsys, "a.jpg", "--output", "out", "--config", str(yaml))
    assert (code, len(lines)) == (2, 1)
    assert "modle: no such setting" in lines[0]
    monkeypatch.setenv("MILI_MODEL__DEVISE", "cpu")
    code, lines = run(capsys, "a.jpg", "--output", "out")
    assert (code, len(lines)) == (2, 1)
    assert "MILI_MODEL__DEVISE" in lines[0]
    assert "MILI_MODEL__DEVICE" in lines[0]


def test_missing_value(capsys: pytest.CaptureFixture[str]) -> None:
    code, lines = run(capsys, "a.jpg", "--output")
    assert (code, len(lines)) == (2, 1)
    assert "--output" in lines[0]


def test_unusable_input_writes_nothing(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, lines = run(capsys, str(tmp_path / "none.jpg"), "--output", str(tmp_path / "out"))
    assert (code, len(lines)) == (2, 1)
    assert "none.jpg" in lines[0]
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (ImageError("a.jpg: truncated; copy it again"), 2, "error: a.jpg: truncated; copy it again"),
        (KeyboardInterrupt(), 130, "error: interrupted"),
        (Terminated(), 143, "error: terminated"),
        (ZeroDivisionError("a\nb"), 1, "error: crashed with ZeroDivisionError: a; --debug"),
        (SystemExit(0), 0, ""),
    ],
)
def test_exit_codes(capsys: pytest.CaptureFixture[str], error: BaseException, code: int, words: str) -> None:
    def job() -> int:
        raise error

    assert guarded(job) == code
    shown = capsys.readouterr().err
    assert shown.startswith(words)
    assert shown.count("\n") == (1 if words else 0)
    assert "Traceback" not in shown


def test_debug_shows_the_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    def job() -> int:
        raise ImageError("a.jpg: truncated")

    assert guarded(job, debug=True) == 2
    shown = capsys.readouterr().err
    assert "Traceback" in shown
    assert shown.endswith("error: a.jpg: truncated\n")


def test_results_pass_through() -> None:
    assert [guarded(lambda code=code: code) for code in (0, 3)] == [0, 3]  # type: ignore[misc]


def test_validation_is_not_swallowed_by_parse() -> None:
    with pytest.raises(ValidationError):
        parse("a.jpg")


@pytest.mark.parametrize("command", [["jobs/process_scene.py"], ["-m", "jobs.main", "process-scene"]])
def test_help_is_light(command: list[str]) -> None:
    root = Path(__file__).parents[2]
    code = (
        "import atexit, runpy, sys\n"
        f"atexit.register(lambda: print('HEAVY', [name for name in {HEAVY} if name in sys.modules]))\n"
        f"sys.argv = ['x', *{command[1:] if command[0] != '-m' else command[2:]}, '--help']\n"
    )
    code += (
        f"runpy.run_path({command[0]!r}, run_name='__main__')"
        if command[0] != "-m"
        else f"runpy.run_module({command[1]!r}, run_name='__main__')"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root, check=False)
    assert result.returncode == 0, result.stderr
    assert "--output" in result.stdout
    assert result.stdout.rstrip().endswith("HEAVY []")


def seconds(*command: str) -> float:
    """The least of three runs."""
    root = Path(__file__).parents[2]
    times = []
    for _ in range(3):
        start = time.perf_counter()
        subprocess.run([sys.executable, *command], capture_output=True, cwd=root, check=True)
        times.append(time.perf_counter() - start)
    return min(times)


def test_help_is_fast() -> None:
    floor = seconds("-c", "import pydantic_settings, yaml, shapely")
    assert seconds("jobs/process_scene.py", "--help") < max(0.5, 2.5 * floor)


def test_jobs_are_listed_and_dispatched(capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatcher.main(["--help"]) == 0
    assert "process-scene" in capsys.readouterr().out
    assert dispatcher.main([]) == 2
    capsys.readouterr()
    assert dispatcher.main(["proces_scene"]) == 2
    assert "did you mean process-scene?" in capsys.readouterr().err
    for name in ("process_scene", "process-scene"):
        assert dispatcher.main([name, "--nope"]) == 2
        assert "unknown flag --nope" in capsys.readouterr().err


@pytest.mark.parametrize("name", dispatcher.job_names())
def test_bad_arguments_of_every_job_are_one_line(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    dashed = name.replace("_", "-")
    assert dispatcher.main([dashed, "--no-such-flag"]) == 2
    shown = capsys.readouterr().err
    assert shown.startswith("error: ")
    assert shown.count("\n") == 1
    assert dispatcher.main([dashed, "--no-such-flag", "--debug"]) == 2
    assert "Traceback" in capsys.readouterr().err
    assert dispatcher.main([dashed, "--help"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith(f"usage: mili {dashed} ")
    assert "--debug" in shown


@pytest.mark.parametrize(
    "arguments", [["photos", "--debug"], ["--debug", "photos"], ["photos", "--limit", "x", "--debug"]]
)
def test_subcommands_take_debug(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatcher.main(["evaluate-mili", *arguments]) == 2
    shown = capsys.readouterr().err
    assert "Traceback" in shown
    assert "unrecognized" not in shown


def test_help_of_every_job_is_light() -> None:
    code = f"import sys; {'; '.join(f'import jobs.{name}' for name in dispatcher.job_names())}; "
    code += f"print([name for name in {HEAVY} if name in sys.modules])"
    root = Path(__file__).parents[2]
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root, check=True)
    assert result.stdout.strip() == "[]"


def test_every_job_has_a_main_and_a_first_line() -> None:
    for name in dispatcher.job_names():
        source = (Path(dispatcher.__file__).parent / f"{name}.py").read_text()
        assert "def main(" in source, name
        assert source.startswith('"""'), name


@pytest.mark.parametrize("job", ["make_scene", "demo", "train_mili"])
def test_an_object_store_is_no_output_folder(job: str, capsys: pytest.CaptureFixture[str]) -> None:
    from importlib import import_module

    more = ["--photos", "p"] if job == "train_mili" else []
    assert import_module(f"jobs.{job}").main([*more, "--output", "s3://bucket/x"]) == EXIT_USAGE
    assert "only local paths can be used, not s3" in capsys.readouterr().err


def test_a_missing_input_is_told_before_torch_and_ray_are_loaded(tmp_path: Path) -> None:
    code = (
        "import sys; from jobs.process_scene import main; "
        f"code = main([{str(tmp_path / 'none.jpg')!r}, '--output', {str(tmp_path / 'out')!r}]); "
        "print(code, sorted({'torch', 'ray', 'zarr'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(EXIT_USAGE), "[]"]
    assert "none.jpg" in done.stderr
    assert not (tmp_path / "out").exists()
