"""The stages of training, on a few photos and rendered samples made here: what they write, and what follows on what."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from toy_training import SETTINGS, TINY, ToyStream, quiet

from mili_core.body import load_body
from mili_core.datasets.sample import Sample
from mili_core.datasets.shards import ShardOrigin, shard_path, write_shard
from mili_core.errors import ConfigError
from mili_core.nets.efficientnet_lite import EfficientNetLite0
from mili_core.training.loop import TrainSettings
from mili_core.training.sources import TrainingData
from mili_core.training.stages import Recipe, train_stage
from mili_core.weights import Weights, read_weights

RENDERS = (2, 5, 8)  # of the toy stream


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> TrainingData:
    root = tmp_path_factory.mktemp("data")
    images, people = [], []
    for number in range(3):
        sample = ToyStream()[3 * number]
        name = f"{number}.png"
        (root / "photos" / "images").mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(root / "photos" / "images" / name), sample.image)
        images.append({"id": number, "file_name": name, "width": 96, "height": 64, "split": "train"})
        for box, points in zip(sample.boxes_xyxy, sample.keypoints, strict=True):
            x0, y0, x1, y1 = (float(value) for value in box)
            people.append(
                {
                    "image_id": number,
                    "category_id": 1,
                    "iscrowd": 0,
                    "bbox": [x0, y0, x1 - x0, y1 - y0],
                    "segmentation": [_corners(box).ravel().tolist()],
                    "keypoints": (points * [1, 1, 2]).ravel().tolist(),
                }
            )
    images.append({"id": 9, "file_name": "empty.png", "width": 96, "height": 64, "split": "train"})
    cv2.imwrite(str(root / "photos" / "images" / "empty.png"), np.full((64, 96, 3), 70, np.uint8))
    document = {"images": images, "annotations": people, "categories": [{"id": 1, "name": "person"}]}
    (root / "photos" / "annotations.json").write_text(json.dumps(document))
    body = load_body(None)
    origin = ShardOrigin(0, 96, 64, body.name, body.sha256, "test")
    write_shard(shard_path(root / "shards", 0), [_rendered(index) for index in RENDERS], origin, 0)
    return TrainingData(root / "photos", shards=root / "shards", canvas=(96, 64), renders=0.5)


@pytest.fixture(autouse=True)
def _no_imagenet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Backbones start at random: the package that holds ImageNet's weights is optional."""
    monkeypatch.setattr("mili_core.training.initial.imagenet_lite0", lambda: EfficientNetLite0().state_dict())


def _rendered(index: int) -> Sample:
    sample = ToyStream()[index]
    assert sample.bodies is not None
    outlines = tuple((_corners(box),) for box in sample.boxes_xyxy)
    bodies = replace(sample.bodies, amodal_polygons=outlines)
    return replace(sample, polygons=outlines, bodies=bodies, boxes_complete=True)


def _corners(box: NDArray[np.float32]) -> NDArray[np.float32]:
    x0, y0, x1, y1 = box
    return np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], dtype=np.float32)


def trained(recipe: Recipe, data: TrainingData, folder: Path, settings: TrainSettings = SETTINGS) -> Weights:
    return read_weights(train_stage(replace(recipe, config=TINY), data, settings, folder, log=quiet))


def changed(one: Weights, two: Weights) -> set[str]:
    """Gives the parts of the model whose weights (not their statistics) differ."""
    names = one.tensors.keys() & two.tensors.keys()
    return {
        name.split(".")[0]
        for name in names
        if "running" not in name and not torch.equal(one.tensors[name], two.tensors[name])
    }


def test_each_stage_goes_on_from_the_one_before_and_trains_its_parts(data: TrainingData, tmp_path: Path) -> None:
    hr = trained(Recipe("hr"), data, tmp_path / "hr")
    teacher = tmp_path / "hr" / "weights.safetensors"
    lr = trained(Recipe("lr", teacher=teacher), data, tmp_path / "lr")
    student = tmp_path / "lr" / "weights.safetensors"
    body = trained(Recipe("body", branch="lr", initial=student), data, tmp_path / "body")
    boxes = trained(Recipe("detection", branch="lr", initial=student), data, tmp_path / "boxes")
    assert changed(hr, lr) >= {"backbone", "neck", "rpn", "box_head", "smpl_head", "mask_head", "restoration"}
    assert changed(lr, body) == {"smpl_head"}
    assert {"backbone", "rpn", "box_head", "mask_head"} <= changed(lr, boxes)
    notes = {name: json.loads(one.notes) for name, one in {"hr": hr, "lr": lr, "body": body}.items()}
    assert {name: note["stage"] for name, note in notes.items()} == {"hr": "hr", "lr": "lr", "body": "body"}
    assert notes["body"]["branch"] == "lr"
    assert notes["lr"]["teacher_sha256"] == hr.sha256
    with pytest.raises(ConfigError, match="was trained in stage lr"):
        train_stage(Recipe("lr", config=TINY, teacher=student), data, SETTINGS, tmp_path / "x", log=quiet)


def test_weights_of_every_checkpoint_are_kept_where_asked(data: TrainingData, tmp_path: Path) -> None:
    last = trained(Recipe("hr", keep_weights=True), data, tmp_path / "all")
    kept = sorted(path.name for path in (tmp_path / "all").glob("weights*"))
    assert kept == ["weights-000002.safetensors", "weights-000004.safetensors", "weights.safetensors"]
    early, late = (read_weights(tmp_path / "all" / name) for name in kept[:2])
    assert [json.loads(one.notes)["step"] for one in (early, late, last)] == [2, 4, 4]
    assert not changed(late, last)
    assert changed(early, late)
    trained(Recipe("hr"), data, tmp_path / "one")
    assert [path.name for path in (tmp_path / "one").glob("weights*")] == ["weights.safetensors"]


def test_weights_recommend_the_score_that_they_started_from(data: TrainingData, tmp_path: Path) -> None:
    first = trained(Recipe("hr", score_threshold=0.3), data, tmp_path / "first")
    start = tmp_path / "first" / "weights.safetensors"
    scores = [
        trained(recipe, data, tmp_path / name).score_threshold
        for name, recipe in {
            "initial": Recipe("hr", initial=start),
            "teacher": Recipe("lr", teacher=start),
            "asked": Recipe("hr", initial=start, score_threshold=0.7),
            "alone": Recipe("hr"),
        }.items()
    ]
    assert [first.score_threshold, *scores] == [0.3, 0.3, 0.3, 0.7, 0.6]


def test_a_continued_run_recommends_what_it_did(data: TrainingData, tmp_path: Path) -> None:
    first = trained(Recipe("hr", score_threshold=0.3), data, tmp_path)
    assert trained(Recipe("hr"), data, tmp_path).score_threshold == first.score_threshold == 0.3


def test_a_run_does_not_write_over_what_it_starts_from(data: TrainingData, tmp_path: Path) -> None:
    first = trained(Recipe("hr"), data, tmp_path)
    (tmp_path / "checkpoint.pt").unlink()
    start = tmp_path / "weights.safetensors"
    for recipe in (Recipe("hr", initial=start), Recipe("lr", teacher=start)):
        with pytest.raises(ConfigError, match="lies where the run writes its own weights"):
            train_stage(replace(recipe, config=TINY), data, SETTINGS, tmp_path, log=quiet)
    assert read_weights(start).sha256 == first.sha256


def test_a_run_stopped_while_it_writes_weights_has_all_in_the_end(
    data: TrainingData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    recipe = Recipe("hr", config=TINY, keep_weights=True)
    with monkeypatch.context() as patch:
        patch.setattr("mili_core.training.kept_weights.save_weights", stopped)
        with pytest.raises(KeyboardInterrupt):
            train_stage(recipe, data, SETTINGS, tmp_path, log=quiet)
    train_stage(recipe, data, SETTINGS, tmp_path, log=quiet)
    assert (tmp_path / "weights-000002.safetensors").is_file()
    assert (tmp_path / "weights-000004.safetensors").is_file()


def test_photos_of_no_split_are_refused(data: TrainingData, tmp_path: Path) -> None:
    document = json.loads((data.photos / "annotations.json").read_text())
    for image in document["images"]:
        del image["split"]
    (tmp_path / "annotations.json").write_text(json.dumps(document))
    for stage in ("hr", "body"):
        with pytest.raises(ConfigError, match='holds no photo of people with "split": "train"'):
            train_stage(Recipe(stage, config=TINY), replace(data, photos=tmp_path), SETTINGS, tmp_path, log=quiet)


def test_a_stage_that_is_complete_stays_as_it_is(data: TrainingData, tmp_path: Path) -> None:
    first = trained(Recipe("hr"), data, tmp_path)
    lines: list[str] = []
    train_stage(Recipe("hr", config=TINY), data, SETTINGS, tmp_path, log=lines.append)
    assert not changed(first, read_weights(tmp_path / "weights.safetensors"))
    assert not any(line.startswith("step") for line in lines)
