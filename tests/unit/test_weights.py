"""Weights files: strict, without pickle, errors in one line."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from mili_core.config import MILI_LITE, ModelConfig
from mili_core.errors import MissingFileError, WeightsError
from mili_core.nets.mili import Mili
from mili_core.weights import load_into, read_weights, save_weights

TINY = replace(MILI_LITE, name="tiny", fpn_channels=8, box_fc=16, mask_channels=8, body_channels=8, body_fc=16)


def saved(path: Path, config: ModelConfig = TINY) -> Mili:
    model = Mili(config)
    save_weights(path, model, config, body_name="open", body_sha256="ab", score_threshold=0.35, notes={"minutes": 1})
    return model


def test_round_trip_in_half_precision(tmp_path: Path) -> None:
    model = saved(tmp_path / "w.safetensors")
    weights = read_weights(tmp_path / "w.safetensors")
    assert (weights.config, weights.score_threshold, weights.body_sha256) == (TINY, 0.35, "ab")
    other = Mili(weights.config)
    load_into(other, weights)
    for name, value in model.state_dict().items():
        torch.testing.assert_close(other.state_dict()[name], value, atol=1e-3, rtol=1e-3)


def test_missing_file_names_it(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"nothing\.safetensors: no such file"):
        read_weights(tmp_path / "nothing.safetensors")


def test_a_pickle_is_refused(tmp_path: Path) -> None:
    torch.save({"a": torch.zeros(1)}, tmp_path / "w.pt")
    with pytest.raises(WeightsError, match="not a safetensors file"):
        read_weights(tmp_path / "w.pt")


def test_another_programs_safetensors_are_refused(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    save_file({"a": torch.zeros(1)}, tmp_path / "w.safetensors")
    with pytest.raises(WeightsError, match="made by another program"):
        read_weights(tmp_path / "w.safetensors")


def metadata_without(name: str) -> dict[str, str]:
    return {key: value for key, value in METADATA.items() if key != name}


METADATA = {
    "format": "mili-weights-1",
    "config": TINY.to_json(),
    "body_name": "open",
    "body_sha256": "ab",
    "score_threshold": "0.35",
    "notes": "{}",
}


@pytest.mark.parametrize(
    ("metadata", "words"),
    [(metadata_without(name), f"the metadata lacks '{name}'") for name in METADATA if name != "format"]
    + [
        (METADATA | {"config": "{half"}, "not JSON"),
        (METADATA | {"config": "[1, 2]"}, "a JSON list"),
        (METADATA | {"config": "{}"}, "another version"),
        (METADATA | {"config": json.dumps(json.loads(TINY.to_json()) | {"box_fc": None})}, "box_fc cannot be None"),
        (METADATA | {"config": json.dumps(json.loads(TINY.to_json()) | {"pixel_mean": ["a"]})}, "pixel_mean cannot be"),
        (METADATA | {"score_threshold": "high"}, "high"),
    ],
)
def test_damaged_metadata_is_one_line(metadata: dict[str, str], words: str, tmp_path: Path) -> None:
    from safetensors.torch import save_file

    save_file({"a": torch.zeros(1)}, tmp_path / "w.safetensors", METADATA)
    assert read_weights(tmp_path / "w.safetensors").config == TINY
    save_file({"a": torch.zeros(1)}, tmp_path / "w.safetensors", metadata)
    with pytest.raises(WeightsError, match=words) as caught:
        read_weights(tmp_path / "w.safetensors")
    assert str(caught.value).startswith(f"weights {tmp_path / 'w.safetensors'}: ")
    assert "\n" not in str(caught.value)


def test_other_shapes_missing_and_unknown_tensors_are_named(tmp_path: Path) -> None:
    saved(tmp_path / "w.safetensors")
    weights = read_weights(tmp_path / "w.safetensors")
    with pytest.raises(WeightsError, match="of another shape"):
        load_into(Mili(replace(TINY, box_fc=24)), weights)
    tensors = dict(weights.tensors)
    tensors["extra"] = tensors.pop("rpn.conv.bias")
    with pytest.raises(WeightsError, match=r"1 tensors missing \(rpn\.conv\.bias\)"):
        load_into(Mili(TINY), replace(weights, tensors=tensors))


def test_a_config_of_another_version_is_refused() -> None:
    text = TINY.to_json().replace('"box_fc"', '"box_width"')
    with pytest.raises(WeightsError, match="box_fc"):
        ModelConfig.from_json(text)
    assert ModelConfig.from_json(TINY.to_json()) == TINY


def test_an_interrupted_save_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved(tmp_path / "w.safetensors")
    before = (tmp_path / "w.safetensors").read_bytes()

    def interrupted(tensors: object, path: Path, metadata: object) -> None:
        path.write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr("mili_core.weights.save_file", interrupted)
    with pytest.raises(KeyboardInterrupt):
        saved(tmp_path / "w.safetensors")
    assert (tmp_path / "w.safetensors").read_bytes() == before


def test_weights_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    model = saved(tmp_path / "w.safetensors")
    with torch.no_grad():
        model.rpn.conv.bias[0] = float("nan")
    save_weights(
        tmp_path / "w.safetensors", model, TINY, body_name="open", body_sha256="ab", score_threshold=0.3, notes={}
    )
    with pytest.raises(WeightsError, match=r"rpn\.conv\.bias and 0 more hold values that are not finite"):
        read_weights(tmp_path / "w.safetensors")


def test_a_threshold_outside_its_range_is_refused(tmp_path: Path) -> None:
    model = saved(tmp_path / "w.safetensors")
    save_weights(
        tmp_path / "w.safetensors",
        model,
        TINY,
        body_name="open",
        body_sha256="ab",
        score_threshold=float("nan"),
        notes={},
    )
    with pytest.raises(WeightsError, match="score_threshold nan"):
        read_weights(tmp_path / "w.safetensors")
