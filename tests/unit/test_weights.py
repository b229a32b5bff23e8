"""Weights files: strict, without pickle, errors in one line."""

import json
import math
import os
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from jobs.convert_weights import main
from mili_core.api import Predictor
from mili_core.body import load_body
from mili_core.body.save import save_body
from mili_core.config import COUNTS, FORMAT_1_SETTINGS, MILI_LITE, MILI_R50, RANGES, ModelConfig
from mili_core.errors import MissingFileError, WeightsError
from mili_core.nets.mili import Mili
from mili_core.weights import load_into, read_weights, save_tensors, save_weights
from pipeline.cli import EXIT_DONE, EXIT_USAGE

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


def test_the_first_format_is_read_as_one_branch_with_all_parts(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    old = replace(TINY, attention=("lr",), body_features="mean", body_margin=1.0)
    settings = {name: value for name, value in json.loads(old.to_json()).items() if name not in FORMAT_1_SETTINGS}
    metadata = {name: value for name, value in METADATA.items() if name != "holds"}
    metadata |= {"format": "mili-weights-1", "config": json.dumps(settings)}
    torch.manual_seed(3)
    model = Mili(old)
    torch.nn.init.normal_(model.attention["lr"].conv.weight)
    tensors = {name: value for name, value in model.state_dict().items() if not name.endswith("num_batches_tracked")}
    save_file(tensors, tmp_path / "w.safetensors", metadata)
    weights = read_weights(tmp_path / "w.safetensors")
    assert (weights.config, weights.holds) == (old, "model")
    load_into(Mili(old), weights)
    both = Mili(replace(old, attention=("hr", "lr")))  # with an attention of the HR branch, which stays the identity
    load_into(both, weights)
    images = torch.randn(1, 3, 64, 96)
    torch.testing.assert_close(both.attend(images, "hr"), images)
    torch.testing.assert_close(both.attend(images, "lr"), model.attend(images, "lr"))
    assert not torch.equal(both.attend(images, "lr"), images)


@pytest.mark.parametrize(
    "off",
    [{"attention": ("hr",)}, {"mask_network": False}, {"restoration": False}, {"mask_network": False, "attention": ()}],
)
def test_what_either_side_declares_absent_may_differ(off: dict[str, object], tmp_path: Path) -> None:
    less = replace(TINY, **off)  # type: ignore[arg-type]
    saved(tmp_path / "less.safetensors", less)
    full = Mili(TINY)
    before = {name: value.clone() for name, value in full.state_dict().items()}
    weights = read_weights(tmp_path / "less.safetensors")
    load_into(full, weights)
    kept = {name for name in before if name not in weights.tensors and not name.endswith("num_batches_tracked")}
    assert kept
    for name, value in full.state_dict().items():
        if not name.endswith("num_batches_tracked"):
            torch.testing.assert_close(value, before[name] if name in kept else weights.tensors[name])
    saved(tmp_path / "full.safetensors")
    smaller = Mili(less)
    load_into(smaller, read_weights(tmp_path / "full.safetensors"))


def test_a_part_that_the_file_declares_absent_may_not_be_in_it(tmp_path: Path) -> None:
    saved(tmp_path / "w.safetensors")
    weights = read_weights(tmp_path / "w.safetensors")
    lying = replace(weights, config=replace(TINY, restoration=False))
    for config in (TINY, replace(TINY, restoration=False)):
        with pytest.raises(WeightsError, match=r"10 tensors unknown \(restoration\."):
            load_into(Mili(config), lying)
    tensors = {name: value for name, value in weights.tensors.items() if not name.startswith("restoration.")}
    with pytest.raises(WeightsError, match=r"10 tensors missing \(restoration\."):
        load_into(Mili(TINY), replace(weights, tensors=tensors))


def test_weights_of_another_backbone_are_named(tmp_path: Path) -> None:
    saved(tmp_path / "w.safetensors")
    with pytest.raises(WeightsError, match=r"are of tiny \(efficientnet_lite0\), not of mili_r50 \(resnet50\)"):
        load_into(Mili(MILI_R50), read_weights(tmp_path / "w.safetensors"))


def test_a_backbone_alone_is_no_model(tmp_path: Path) -> None:
    model = Mili(TINY)
    tensors = {f"backbone.{name}": torch.full_like(v, 0.5) for name, v in model.backbone.state_dict().items()}
    save_tensors(
        tmp_path / "b.safetensors",
        tensors,
        TINY,
        body_name="none",
        body_sha256="",
        score_threshold=0.0,
        notes={},
        holds="backbone",
    )
    weights = read_weights(tmp_path / "b.safetensors")
    neck = model.neck.laterals[0].weight.clone()
    load_into(model, weights)
    assert (model.backbone.stem[0].weight == 0.5).all()
    assert torch.equal(model.neck.laterals[0].weight, neck)
    with pytest.raises(WeightsError, match="hold a backbone only: a start for mili train-mili"):
        Predictor(weights, load_body(), torch.device("cpu"))
    more = dict(weights.tensors) | {"neck.laterals.0.bias": torch.zeros(8)}
    with pytest.raises(WeightsError, match=r"1 tensors unknown \(neck"):
        load_into(model, replace(weights, tensors=more))


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(WeightsError, match="cannot be written"):
        saved(tmp_path / "file" / "w.safetensors")


def test_a_pickle_is_refused(tmp_path: Path) -> None:
    torch.save({"a": torch.zeros(1)}, tmp_path / "w.pt")
    with pytest.raises(WeightsError, match=r"not a safetensors file .* mili convert-weights"):
        read_weights(tmp_path / "w.pt")


def test_another_programs_safetensors_are_refused(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    save_file({"a": torch.zeros(1)}, tmp_path / "w.safetensors")
    with pytest.raises(WeightsError, match="made by another program"):
        read_weights(tmp_path / "w.safetensors")


def metadata_without(name: str) -> dict[str, str]:
    return {key: value for key, value in METADATA.items() if key != name}


METADATA = {
    "format": "mili-weights-2",
    "config": TINY.to_json(),
    "body_name": "open",
    "body_sha256": "ab",
    "score_threshold": "0.35",
    "notes": "{}",
    "holds": "model",
}


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ({"proposals": 0}, "proposals is 0; it is between 1 and 100000"),
        ({"fpn_channels": 10**9}, "fpn_channels is 1000000000; it is between 1 and 4096"),
        ({"pixel_mean": [127.0, 127.0]}, "number of values in pixel_mean is 2; it is 3"),
        ({"pixel_mean": [127.0, math.nan, 127.0]}, "pixel_mean is nan"),
        ({"pixel_std": [128.0] * 4}, "number of values in pixel_std is 4"),
        ({"pixel_std": [128.0, 128.0, 0.0]}, "pixel_std is 0.0"),
        ({"pixel_std": [128.0, -1.0, 128.0]}, "pixel_std is -1.0"),
        ({"anchor_scale": -8.0}, "anchor_scale is -8.0"),
        ({"anchor_scale": math.inf}, "anchor_scale is inf"),
        ({"anchor_ratios": []}, "number of values in anchor_ratios is 0"),
        ({"anchor_ratios": [1.0, 0.0]}, "anchor_ratios is 0.0"),
        ({"rpn_nms_iou": 1.5}, "rpn_nms_iou is 1.5; it is between 0 and 1"),
        ({"box_nms_iou": math.nan}, "box_nms_iou is nan"),
        ({"body_margin": 0.5}, "body_margin is 0.5"),
        ({"body_dropout": -0.1}, "body_dropout is -0.1"),
        ({"attention": ["lr"] * 3}, "number of values in attention is 3"),
    ],
)
def test_numbers_of_a_configuration_have_ranges(setting: dict[str, object], words: str) -> None:
    with pytest.raises(WeightsError, match=words):
        ModelConfig.from_json(json.dumps(json.loads(TINY.to_json()) | setting))


def test_every_number_of_a_configuration_has_a_range() -> None:
    stored = json.loads(TINY.to_json())
    first = {name: value[0] if isinstance(value, list) else value for name, value in stored.items()}
    numbers = {name for name, value in first.items() if isinstance(value, int | float) and not isinstance(value, bool)}
    assert set(RANGES) == numbers
    assert set(COUNTS) == {name for name, value in stored.items() if isinstance(value, list)}


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
        (METADATA | {"config": json.dumps(json.loads(TINY.to_json()) | {"attention": [1]})}, "attention cannot be"),
        (METADATA | {"config": json.dumps(json.loads(TINY.to_json()) | {"attention": ["mr"]})}, "attention cannot be"),
        (
            METADATA | {"config": json.dumps(json.loads(TINY.to_json()) | {"backbone": "vgg"})},
            "backbone cannot be 'vgg'",
        ),
        (METADATA | {"config": "[" * 100_000}, "not JSON"),
        (METADATA | {"holds": "neck"}, "holds 'neck' is neither"),
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
    assert list(tmp_path.iterdir()) == [tmp_path / "w.safetensors"]


def test_weights_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    model = saved(tmp_path / "w.safetensors")
    state = model.state_dict() | {"rpn.conv.bias": torch.full((8,), torch.nan)}
    save_tensors(
        tmp_path / "w.safetensors", state, TINY, body_name="open", body_sha256="ab", score_threshold=0.3, notes={}
    )
    with pytest.raises(WeightsError, match=r"rpn\.conv\.bias and 0 more hold values that are not finite"):
        read_weights(tmp_path / "w.safetensors")


@pytest.mark.parametrize("value", [1e5, -7e4, math.nan])
def test_values_that_half_precision_cannot_hold_are_not_saved(value: float, tmp_path: Path) -> None:
    model = saved(tmp_path / "w.safetensors")
    before = (tmp_path / "w.safetensors").read_bytes()
    with torch.no_grad():
        model.rpn.conv.bias[0] = value
    with pytest.raises(WeightsError, match=r"w\.safetensors: rpn\.conv\.bias holds values .* which ends at 65504;"):
        save_weights(
            tmp_path / "w.safetensors", model, TINY, body_name="open", body_sha256="ab", score_threshold=0.3, notes={}
        )
    assert (tmp_path / "w.safetensors").read_bytes() == before


def test_large_statistics_are_saved_in_full(tmp_path: Path) -> None:
    """The variance of what a normalisation is there to normalise has no bound."""
    model = Mili(TINY)
    norms = {name: value for name, value in model.state_dict().items() if name.endswith("running_var")}
    for value in norms.values():
        value.fill_(123_456.789)
    path = tmp_path / "w.safetensors"
    save_weights(path, model, TINY, body_name="open", body_sha256="ab", score_threshold=0.3, notes={})
    stored = read_weights(path).tensors
    assert norms
    for name, value in norms.items():
        torch.testing.assert_close(stored[name], value, atol=0, rtol=0)


def test_tensors_that_share_memory_are_written_each_in_full(tmp_path: Path) -> None:
    rows = torch.arange(6.0).reshape(2, 3)
    tensors = {"all": rows, "again": rows, "last": rows[1], "across": rows.T}
    path = tmp_path / "w.safetensors"
    save_tensors(path, tensors, TINY, body_name="open", body_sha256="", score_threshold=0.3, notes={})
    stored = read_weights(path).tensors
    assert {name: value.tolist() for name, value in stored.items()} == {n: v.tolist() for n, v in tensors.items()}


@pytest.mark.parametrize("umask", [0o022, 0o002, 0o077])
def test_files_have_the_permissions_of_new_files(umask: int, tmp_path: Path) -> None:
    before = os.umask(umask)
    try:
        saved(tmp_path / "w.safetensors")
        save_body(load_body(), tmp_path / "body.npz")
    finally:
        os.umask(before)
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert modes == dict.fromkeys(("w.safetensors", "body.npz"), 0o666 & ~umask)


def test_a_folder_is_called_one(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=f"weights {tmp_path}: is a folder; name the .safetensors file in it"):
        read_weights(tmp_path)
    with pytest.raises(WeightsError, match=r"cannot be written \(Is a directory\)"):
        saved(tmp_path)


def test_what_the_system_refuses_to_read_is_no_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved(tmp_path / "w.safetensors")

    def refused(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("mili_core.weights.safe_open", refused)
    with pytest.raises(WeightsError, match=r"cannot be read \(Permission denied\); check its permissions"):
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


def test_another_score_changes_nothing_else(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, output = tmp_path / "w.safetensors", tmp_path / "to" / "w.safetensors"
    saved(source)
    assert main(["score", str(source), str(output), "--score-threshold", "0.4"]) == EXIT_DONE
    assert capsys.readouterr().out == f"{output}: recommends score 0.4, {source} 0.35\n"
    before, after = read_weights(source), read_weights(output)
    assert after.score_threshold == 0.4
    same = ("config", "body_name", "body_sha256", "notes", "holds")
    assert [getattr(after, name) for name in same] == [getattr(before, name) for name in same]
    stored, rewritten = load_file(source), load_file(output)
    assert list(stored) == list(rewritten)
    for name, value in stored.items():
        assert value.dtype == rewritten[name].dtype, name
        assert value.numpy().tobytes() == rewritten[name].numpy().tobytes(), name
    missing = str(tmp_path / "no.safetensors")
    assert main(["score", missing, str(output), "--score-threshold", "0.35"]) == EXIT_USAGE
    assert "no such file" in capsys.readouterr().err
    assert main(["score", str(output), str(output), "--score-threshold", "0.35"]) == EXIT_USAGE
    assert "would replace the file that it is made of" in capsys.readouterr().err
    assert read_weights(output).score_threshold == 0.4
    assert [path.name for path in output.parent.iterdir()] == [output.name]


@pytest.mark.parametrize(
    ("kind", "flags", "words"),
    [
        ("score", ["--score-threshold", "1.2"], "--score-threshold 1.2 is not in 0..1"),
        ("score", ["--score-threshold", "nan"], "--score-threshold nan is not in 0..1"),
        ("score", [], "--score-threshold belongs to `score`"),
        ("crmh", ["--score-threshold", "0.4"], "--score-threshold belongs to `score`"),
    ],
)
def test_a_score_that_cannot_be_recommended_is_one_line(
    kind: str, flags: list[str], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    saved(tmp_path / "w.safetensors")
    output = tmp_path / "o.safetensors"
    assert main([kind, str(tmp_path / "w.safetensors"), str(output), *flags]) == EXIT_USAGE
    told = capsys.readouterr().err
    assert words in told
    assert told.count("\n") == 1
    assert not output.exists()
