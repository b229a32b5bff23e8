"""Settings: where they come from, which wins, and that nothing unknown passes."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from mili_core.errors import ConfigError, MissingFileError
from pipeline.config import SceneConfig, read_yaml
from pipeline.merge.config import MergeConfig


def test_defaults() -> None:
    config = SceneConfig(input=("photo.jpg",), output=Path("out"))
    assert config.merge == MergeConfig()
    assert config.plan.overlap == 0.25
    assert config.resume
    assert not config.overwrite


def test_order_of_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    yaml = tmp_path / "scene.yaml"
    yaml.write_text("output: from_yaml\nray: {actors: 1, threads: 1}\nmodel: {device: cpu}\nframe_id: 1\n")
    monkeypatch.setenv("MILI_RAY__ACTORS", "2")
    monkeypatch.setenv("MILI_RAY__THREADS", "2")
    config = SceneConfig(input=("a",), config=yaml, ray={"threads": 3})  # type: ignore[call-arg, arg-type]
    assert config.ray.threads == 3  # argument over environment over file
    assert config.ray.actors == 2  # environment over file
    assert config.model.device == "cpu"  # file over default
    assert config.frame_id == 1
    assert config.output == Path("from_yaml")
    assert config.ray.batch_blocks == 8  # default


def test_the_environment_may_name_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "scene.yaml").write_text("output: there\n")
    monkeypatch.setenv("MILI_CONFIG", str(tmp_path / "scene.yaml"))
    assert SceneConfig(input=("a",)).output == Path("there")  # type: ignore[call-arg]


def test_texts_are_taken_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MILI_INPUT", "a,b [1].jpg")
    monkeypatch.setenv("MILI_ROI", "POLYGON((0 0, 9 0, 9 9, 0 0))")
    config = SceneConfig(output=Path("out"))  # type: ignore[call-arg]
    assert config.input == ("a,b [1].jpg",)
    assert config.roi == ("POLYGON((0 0, 9 0, 9 9, 0 0))",)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("outptu: x", ("outptu",)),
        ("model: {devise: cpu}", ("model", "devise")),
        ("merge: {link_similarty: 0.4}", ("merge", "link_similarty")),
        ("plan: {overlap: 0.95}", ("plan", "overlap")),
        ("model: {device: gpu}", ("model", "device")),
        ("model: {score_threshold: 2}", ("model", "score_threshold")),
        ("model: {branch: both}", ("model", "branch")),
        ("ray: {actors: 0}", ("ray", "actors")),
        ("frame_id: 2147483648", ("frame_id",)),
        ("merge: {contained: 2.0}", ("merge",)),
        ("input: []", ("input",)),
        ("model: {factory: a.b}", ("model", "factory")),
        ("model: {factory: 'a:b', weights: w}", ("model",)),
    ],
)
def test_what_is_unknown_or_out_of_range_fails(tmp_path: Path, text: str, place: tuple[str, ...]) -> None:
    (tmp_path / "scene.yaml").write_text(text)
    given = {"input": ("a",)} if not text.startswith("input") else {}
    with pytest.raises(ValidationError) as caught:
        SceneConfig(output=Path("out"), config=tmp_path / "scene.yaml", **given)  # type: ignore[arg-type]
    assert [error["loc"] for error in caught.value.errors()] == [place]


@pytest.mark.parametrize("text", ["- a\n- b", "just text", "1: a", "12"])
def test_a_file_that_is_no_mapping_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "scene.yaml").write_text(text)
    with pytest.raises(ConfigError, match="name: value"):
        read_yaml(tmp_path / "scene.yaml")


def test_broken_yaml_names_file_and_line(tmp_path: Path) -> None:
    (tmp_path / "scene.yaml").write_text("output: out\nmodel: {device: cpu\nray: 1\n")
    with pytest.raises(ConfigError, match=r"scene\.yaml, line 3"):
        read_yaml(tmp_path / "scene.yaml")


def test_empty_and_missing_files(tmp_path: Path) -> None:
    (tmp_path / "scene.yaml").write_text("# nothing\n")
    assert read_yaml(tmp_path / "scene.yaml") == {}
    with pytest.raises(MissingFileError, match="no such file"):
        read_yaml(tmp_path / "none.yaml")
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(ConfigError, match="cannot be read"):
        read_yaml(tmp_path / "binary.yaml")
    with pytest.raises(ConfigError, match="cannot be read"):
        read_yaml(tmp_path)


def test_settings_dump_to_json() -> None:
    dumped = SceneConfig(input=("a",), output=Path("out")).model_dump(mode="json")
    assert dumped["input"] == ["a"]
    assert dumped["merge"]["link_similarity"] == MergeConfig().link_similarity
    assert SceneConfig(**dumped).model_dump(mode="json") == dumped
    assert "link_similarity" in str(SceneConfig.model_json_schema())


def test_the_schema_of_the_settings_is_up_to_date() -> None:
    from pipeline import config_schema

    assert config_schema.PATH.read_text(encoding="utf-8") == config_schema.text(), "run make schemas"
