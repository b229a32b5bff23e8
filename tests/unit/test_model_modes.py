"""Branch, low-resolution input and compatibility as settings of a run and as flags of the evaluation."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from pydantic import ValidationError
from test_api import TINY, photo

from jobs import evaluate_mili, process_scene
from mili_core.body import load_body
from mili_core.errors import ConfigError
from mili_core.nets.mili import Mili
from mili_core.weights import save_weights
from pipeline.cli import EXIT_DONE, EXIT_USAGE, parse_config
from pipeline.config import ModelSettings, SceneConfig
from pipeline.model import load_model


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    body = load_body()
    save_weights(path, Mili(TINY), TINY, body_name=body.name, body_sha256=body.sha256, score_threshold=0.0, notes={})
    return path


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder of one labelled photo."""
    (tmp_path / "images").mkdir()
    cv2.imwrite(str(tmp_path / "images" / "a.jpg"), photo(160, 120))
    outline = [[10, 10, 50, 10, 50, 110, 10, 110]]
    person = {"id": 1, "image_id": 1, "category_id": 1, "iscrowd": 0, "bbox": [10, 10, 40, 100], "area": 4000}
    index = {
        "images": [{"id": 1, "file_name": "a.jpg", "width": 160, "height": 120}],
        "annotations": [{**person, "segmentation": outline}],
        "categories": [{"id": 1, "name": "person"}],
    }
    (tmp_path / "annotations.json").write_text(json.dumps(index))
    return tmp_path


@pytest.mark.parametrize(
    ("settings", "suffix"),
    [
        ({}, ""),
        ({"branch": "lr"}, ""),
        ({"branch": "hr"}, "[hr]"),
        ({"lr_mode": "degrade"}, "[degrade-large]"),
        ({"lr_mode": "degrade", "lr_scale": "small"}, "[degrade-small]"),
    ],
)
def test_the_settings_choose_the_mode(weights: Path, settings: dict[str, str], suffix: str) -> None:
    model = load_model(ModelSettings(weights=weights, **settings), "cpu")  # type: ignore[arg-type]
    assert model.identity.name == f"tiny{suffix}"


def test_the_branch_is_the_one_that_runs(weights: Path) -> None:
    found = {
        branch: load_model(ModelSettings(weights=weights, branch=branch), "cpu").predict([photo(320, 240)])[0]  # type: ignore[arg-type]
        for branch in ("hr", "lr")
    }
    assert found["hr"].masks is None
    assert found["lr"].masks is not None


def test_compat_is_for_weights_that_were_converted(weights: Path) -> None:
    with pytest.raises(ConfigError, match="convert-weights crmh"):
        load_model(ModelSettings(weights=weights, compat="crmh"), "cpu")


def test_flags_of_a_run() -> None:
    arguments = ["a.jpg", "--output", "o", "--branch", "lr", "--lr-mode", "degrade", "--model.lr-scale", "small"]
    config = parse_config(SceneConfig, arguments, prog="p", shortcuts=process_scene.SHORTCUTS, positional="input")
    assert (config.model.branch, config.model.lr_mode, config.model.lr_scale) == ("lr", "degrade", "small")
    arguments = ["a.jpg", "--output", "o", "--compat", "crmh"]
    config = parse_config(SceneConfig, arguments, prog="p", shortcuts=process_scene.SHORTCUTS, positional="input")
    assert (config.model.compat, config.model.branch) == ("crmh", None)


@pytest.mark.parametrize(
    "setting", [{"branch": "hr"}, {"lr_mode": "degrade"}, {"lr_scale": "small"}, {"compat": "crmh"}]
)
def test_a_model_of_ones_own_has_no_modes(setting: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match=f"{next(iter(setting))}: only MILI"):
        ModelSettings(factory="a:b", **setting)  # type: ignore[arg-type]


@pytest.mark.parametrize("flags", [["--branch", "both"], ["--lr-mode", "poor"], ["--compat", "romp"]])
def test_unknown_values_are_one_line(flags: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert process_scene.main(["a.jpg", "--output", "o", *flags]) == EXIT_USAGE
    told = capsys.readouterr().err
    assert told.startswith(f"error: {flags[0]} (model.{flags[0].lstrip('-').replace('-', '_')}): ")
    assert told.count("\n") == 1
    assert flags[1] in told


def test_contradictions_touch_nothing(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image, out = photos / "images" / "a.jpg", photos / "out"
    code = process_scene.main([str(image), "--output", str(out), "--branch", "hr", "--lr-mode", "degrade"])
    assert code == EXIT_USAGE
    assert "lr_mode 'degrade' is of branch 'lr'" in capsys.readouterr().err
    assert not out.exists()


def test_evaluation_of_a_branch(photos: Path, weights: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("pycocotools")
    command = ["photos", "--data", str(photos), "--weights", str(weights), "--device", "cpu", "--json"]
    figures = {}
    for branch in ("hr", "lr"):
        assert evaluate_mili.main([*command, "--branch", branch]) == EXIT_DONE
        figures[branch] = json.loads(capsys.readouterr().out)
    assert figures["hr"]["mask_ap50"] is None  # the branch has no masks: nothing was measured
    assert np.isfinite(figures["lr"]["mask_ap50"])
    assert evaluate_mili.main([*command, "--branch", "hr", "--lr-mode", "degrade"]) == EXIT_USAGE
