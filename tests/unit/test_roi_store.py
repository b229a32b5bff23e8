"""Stored RoIs: computed once, with the terms of a step on them, resumed, and refused where they do not fit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from toy_training import SETTINGS, TINY, ToyStream, fresh, lively, quiet, supervision

from mili_core.errors import ConfigError
from mili_core.losses.settings import TUNE_WEIGHTS, LossSettings
from mili_core.nets.mili import Mili
from mili_core.training import roi_store
from mili_core.training.assign import Sampling
from mili_core.training.batch import collate, normalise
from mili_core.training.bodies import body_examples, body_terms
from mili_core.training.checkpoint import check_same_run
from mili_core.training.loop import DivergedError, TrainSettings, train_on
from mili_core.training.origin import rois_origin, run_origin
from mili_core.training.roi_store import StoredRois, stored_rois
from mili_core.training.sources import TrainingData
from mili_core.training.stages import Recipe
from mili_core.training.stored_bodies import StoredBodies
from mili_core.weights import save_weights

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roi_store, "PART", 4)
    monkeypatch.setattr(roi_store, "VIEW_BATCH", 2)


def store(folder: Path, count: int = 8, *, origin: str = "toy", model: Mili | None = None) -> StoredRois:
    return stored_rois(
        model or lively(),
        "lr",
        ToyStream(),
        count,
        SETTINGS,
        folder,
        sampling=Sampling(),
        origin=origin,
        log=quiet,
        device=CPU,
    )


def objective(origin: str = "toy") -> StoredBodies:
    return StoredBodies(LossSettings(), supervision(), origin, {})


def test_what_is_stored_is_what_a_step_would_compute(tmp_path: Path) -> None:
    model, rois = lively(), store(tmp_path, 4)
    batch = collate([ToyStream()[index] for index in (0, 1)])
    rows = slice(0, int((rois.examples.image_index[1:] < rois.examples.image_index[:-1]).nonzero()[0]) + 1)
    examples = type(rois.examples)(**{name: getattr(rois.examples, name)[rows] for name in roi_store.COLUMNS})
    with torch.no_grad():
        levels = model.features(normalise(batch, model.config.pixel_mean, model.config.pixel_std), "lr")
        expected = body_terms(model, levels, examples, supervision(), batch, LossSettings())
        found = objective().terms(model, replace(rois, rois=rois.rois[rows], examples=examples))
    assert rois.canvas == (96, 64)
    assert found.joints3d is not None
    assert expected.joints3d is not None
    torch.testing.assert_close(found.joints3d, expected.joints3d, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(found.keypoints, expected.keypoints, rtol=1e-3, atol=1e-4)


def test_everybody_is_looked_at(tmp_path: Path) -> None:
    rois = store(tmp_path, 4)
    batches = [collate([ToyStream()[index] for index in pair]) for pair in ((0, 1), (2, 3))]
    alone = sum(len(body_examples(batch, None, Sampling()).people) for batch in batches)
    assert len(rois.rois) >= alone > 0  # proposals add to the true boxes
    assert bool(rois.examples.posed.any())
    assert not bool(rois.examples.posed.all())


def test_parts_that_are_there_are_kept_and_more_are_added(tmp_path: Path) -> None:
    store(tmp_path / "parts", 4)
    first = (tmp_path / "parts" / "part-00000.safetensors").stat().st_mtime_ns
    longer = store(tmp_path / "parts", 7)  # rounded up to two parts
    assert (tmp_path / "parts" / "part-00000.safetensors").stat().st_mtime_ns == first
    whole = store(tmp_path / "whole", 8)
    torch.testing.assert_close(longer.rois, whole.rois, rtol=0, atol=0)
    torch.testing.assert_close(longer.examples.boxes, whole.examples.boxes, rtol=0, atol=0)


def test_parts_of_another_origin_or_cut_short_are_refused(tmp_path: Path) -> None:
    store(tmp_path, 4)
    with pytest.raises(ConfigError, match=r"part-00000.*another model, data or settings"):
        store(tmp_path, 4, origin="of another")
    part = tmp_path / "part-00000.safetensors"
    part.write_bytes(part.read_bytes()[:50])
    with pytest.raises(ConfigError, match=r"part-00000.*remove it"):
        store(tmp_path, 4)


def test_the_head_alone_learns_and_continues_exactly(tmp_path: Path) -> None:
    rois = store(tmp_path / "rois")

    def run(name: str, log: object = quiet) -> dict[str, torch.Tensor]:
        return train_on(
            fresh(),
            objective(),
            lambda step: rois.from_step(step, SETTINGS),
            SETTINGS,
            tmp_path / name,
            log=log,  # type: ignore[arg-type]
            device=CPU,
        )

    def stop_at_three(line: str) -> None:
        if line.startswith("step 3"):
            raise KeyboardInterrupt

    whole, start = run("whole"), fresh().state_dict()
    moved = {name.partition(".")[0] for name, value in whole.items() if not torch.equal(value, start[name])}
    assert moved == {"smpl_head"}
    with pytest.raises(KeyboardInterrupt):
        run("parts", stop_at_three)
    for name, value in run("parts").items():
        torch.testing.assert_close(value, whole[name], rtol=0, atol=0, msg=name)
    with pytest.raises(ConfigError, match="stored RoIs"):
        train_on(
            fresh(),
            objective("of another"),
            lambda step: rois.from_step(step, SETTINGS),
            SETTINGS,
            tmp_path / "whole",
            log=quiet,
            device=CPU,
        )


def test_a_loss_that_is_not_finite_names_the_rois(tmp_path: Path) -> None:
    rois = store(tmp_path / "rois", 4)
    rois.examples.points.fill_(float("nan"))
    with pytest.raises(DivergedError, match=r"RoI \d+, RoI \d+"):
        train_on(
            fresh(),
            objective(),
            lambda step: rois.from_step(step, SETTINGS),
            SETTINGS,
            tmp_path / "run",
            log=quiet,
            device=CPU,
        )


def test_what_stored_rois_cannot_do_is_said() -> None:
    with pytest.raises(ConfigError, match="no masks"):
        StoredBodies(LossSettings(TUNE_WEIGHTS), supervision(), "toy", {})
    with pytest.raises(ConfigError, match="stage body only"):
        Recipe(stage="hr", stored=8)
    with pytest.raises(ConfigError, match="1 or more"):
        Recipe(stage="body", stored=-1)
    with pytest.raises(ConfigError, match="--initial"):
        Recipe(stage="body", stored=8)


def test_a_part_in_between_is_computed_alone(tmp_path: Path) -> None:
    whole = store(tmp_path, 12)
    parts = sorted(tmp_path.glob("*.safetensors"))
    times = [part.stat().st_mtime_ns for part in parts]
    parts[1].unlink()
    again = store(tmp_path, 12)
    assert [part.stat().st_mtime_ns == time for part, time in zip(parts, times, strict=True)] == [True, False, True]
    torch.testing.assert_close(again.rois, whole.rois, rtol=0, atol=0)


def test_keypoints_that_are_no_numbers_name_their_images(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"toy-0, toy-1|toy-2, toy-3"):
        stored_rois(
            lively(),
            "lr",
            ToyStream(poison=3),
            4,
            SETTINGS,
            tmp_path,
            sampling=Sampling(),
            origin="toy",
            log=quiet,
            device=CPU,
        )


def test_the_origin_is_all_that_the_features_depend_on(tmp_path: Path) -> None:
    weights, others = (tmp_path / name for name in ("a.safetensors", "b.safetensors"))
    for path, seed in ((weights, 1), (others, 2)):
        save_weights(path, fresh(seed), TINY, body_name="toy", body_sha256="0", score_threshold=0.5, notes={})
    recipe = Recipe(stage="body", branch="lr", initial=weights, stored=8)
    for name in ("photos", "shards", "more", "moved/photos"):
        (tmp_path / name).mkdir(parents=True)
    for name, size in (("photos", 3), ("moved/photos", 3), ("shards", 5), ("more", 7)):
        (tmp_path / name / "file").write_bytes(b"." * size)
    data = TrainingData(photos=tmp_path / "photos", shards=tmp_path / "shards")

    def origin(
        recipe: Recipe = recipe, data: TrainingData = data, how: TrainSettings = SETTINGS, body: str = "0"
    ) -> str:
        return rois_origin(recipe, data, how, TINY, body)

    same = [
        origin(recipe=replace(recipe, stored=16, score_threshold=0.3)),
        origin(how=replace(SETTINGS, steps=9, lr=1.0, batch=5, workers=3)),
        origin(data=replace(data, photos=tmp_path / "moved" / "photos")),
    ]
    assert {origin(), *same} == {origin()}
    different = [
        origin(),
        origin(body="1"),
        origin(recipe=replace(recipe, initial=others)),
        origin(recipe=replace(recipe, branch="hr")),
        origin(how=replace(SETTINGS, seed=1)),
        origin(how=replace(SETTINGS, amp="bf16")),
        origin(data=replace(data, shards=tmp_path / "more")),
        origin(data=replace(data, sport=tmp_path / "shards", shards=None)),
        origin(data=replace(data, renders=0.5)),
        origin(data=replace(data, twins=replace(data.twins, sizes="paper"))),
        rois_origin(recipe, data, SETTINGS, replace(TINY, proposals=21), "0"),
    ]
    assert len(set(different)) == len(different)
    for stage in ("body", "detection"):
        one = run_origin(replace(recipe, stored=0, stage=stage), data, TINY, "0")
        assert one["stage"] == f"{stage} of branch lr"


def test_another_runs_checkpoint_is_refused_before_rois_are_computed(tmp_path: Path) -> None:
    rois = store(tmp_path / "rois")
    train_on(
        fresh(), objective(), lambda step: rois.from_step(step, SETTINGS), SETTINGS, tmp_path, log=quiet, device=CPU
    )
    check_same_run(tmp_path, SETTINGS, objective().identity())
    with pytest.raises(ConfigError, match="other lr"):
        check_same_run(tmp_path, replace(SETTINGS, lr=1.0), objective().identity())
    checkpoint = tmp_path / "checkpoint.pt"
    checkpoint.write_bytes(checkpoint.read_bytes()[:5000])
    with pytest.raises(ConfigError, match=r"checkpoint\.pt cannot be read; remove it"):
        check_same_run(tmp_path, SETTINGS, objective().identity())
