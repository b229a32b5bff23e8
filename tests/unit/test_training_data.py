"""Twins, shards and the stream that stages train on."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mili_core.datasets import BodyTruth, DegradeSettings, Sample, ShardSource, TwinSettings, TwinStream, twin
from mili_core.datasets.augment import join, pad
from mili_core.datasets.degrade import degrade
from mili_core.datasets.sample import without_people
from mili_core.datasets.shards import SIMPLIFY_PX, ShardOrigin, shard_path, write_shard
from mili_core.errors import ConfigError, MissingFileError, StoreError
from mili_core.training import shards as rendering
from mili_core.training.batch import collate, normalise
from mili_core.training.shards import ShardRequest, render_shards

ORIGIN = ShardOrigin(3, 96, 64, "open", "hash", "test")
CLEAN = TwinSettings(native=0.0, jpeg=0.0, noise=0.0)


def rendered(index: int, people: int = 2) -> Sample:
    rng = np.random.default_rng((9, index))
    ring = np.array([[10, 10], [40, 12], [38, 60], [9, 55]], np.float32)
    low = rng.uniform(0, 40, (people, 2))
    bodies = BodyTruth(
        rng.normal(size=(people, 24, 3, 3)).astype(np.float32),
        rng.normal(size=(people, 10)).astype(np.float32),
        rng.normal(size=(people, 24, 3)).astype(np.float32),
        rng.normal(size=(people, 24, 3)).astype(np.float32),
        rng.uniform(size=people).astype(np.float32),
        tuple((ring + person, ring / 2) for person in range(people)),
    )
    image = np.full((64, 96, 3), index * 20 % 255, np.uint8)
    image[10:30, 20:50] = (200, 30, 90)
    return Sample(
        f"render-{index}",
        image,
        np.concatenate([low, low + 20], axis=1).astype(np.float32),
        tuple((ring + index,) if person else None for person in range(people)),
        np.zeros((people, 17, 3), np.float32),
        np.full((index % 2, 4), 7, np.float32),
        boxes_complete=True,
        bodies=bodies,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    samples = [rendered(index, people) for index, people in enumerate((2, 0, 3, 1, 2))]
    write_shard(shard_path(tmp_path, 0), samples[:3], ORIGIN, 0)
    write_shard(shard_path(tmp_path, 1), samples[3:], ORIGIN, 3)
    return tmp_path


def test_shards_give_back_what_was_written(folder: Path) -> None:
    source = ShardSource(folder)
    assert len(source) == 5
    for index, people in enumerate((2, 0, 3, 1, 2)):
        found, truth = source[index], rendered(index, people)
        assert found.image_id == f"shards/3/{index}"
        # JPEG halves the resolution of colour: edges blur
        assert np.abs(found.image.astype(int) - truth.image).mean() < 3
        np.testing.assert_array_equal(found.boxes_xyxy, truth.boxes_xyxy)
        np.testing.assert_array_equal(found.ignore_boxes_xyxy, truth.ignore_boxes_xyxy)
        assert found.bodies is not None
        assert truth.bodies is not None
        for name in ("rotmats", "betas", "joints3d_m", "joints2d", "visible_fraction"):
            np.testing.assert_array_equal(getattr(found.bodies, name), getattr(truth.bodies, name), err_msg=name)
        assert [rings is None for rings in found.polygons] == [rings is None for rings in truth.polygons]
        amodal, expected = found.bodies.amodal_polygons, truth.bodies.amodal_polygons
        assert amodal is not None
        assert expected is not None
        for one, two in zip(amodal, expected, strict=True):
            for ring, other in zip(one, two, strict=True):
                np.testing.assert_allclose(ring, other, atol=SIMPLIFY_PX)
    assert source[-1].image_id == "shards/3/4"
    with pytest.raises(IndexError):
        source[5]


def test_shards_travel_to_workers_and_can_teach_bodies_only(folder: Path) -> None:
    source = ShardSource(folder, body_sha256="hash", detection=False)
    one = source.draw(np.random.default_rng(1))
    assert not one.boxes_complete
    two = pickle.loads(pickle.dumps(source)).draw(np.random.default_rng(1))
    assert one.image_id == two.image_id
    np.testing.assert_array_equal(one.image, two.image)


def test_shards_of_another_body_or_origin_are_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="of body 'open'"):
        ShardSource(folder, body_sha256="other")
    write_shard(shard_path(folder, 2), [rendered(0)], replace(ORIGIN, seed=4), 0)
    with pytest.raises(StoreError, match="shard-00002"):
        ShardSource(folder)
    shard_path(folder, 0).write_bytes(b"nonsense")
    with pytest.raises(StoreError, match="damaged"):
        ShardSource(folder)
    with pytest.raises(MissingFileError, match="no shards"):
        ShardSource(tmp_path / "empty")


def test_an_interrupted_rendering_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendering, "PER_SHARD", 1)
    request = ShardRequest(tmp_path, 1, 64, 48, 5)
    path = rendering.render_one(request, 0, rendering.load_body())
    first = path.stat().st_mtime_ns
    lines: list[str] = []
    assert render_shards(request, 1, lines.append) == 1
    assert lines == []
    assert path.stat().st_mtime_ns == first
    sample = ShardSource(tmp_path, body_sha256=rendering.load_body().sha256)[0]
    assert sample.image.shape == (48, 64, 3)
    with pytest.raises(ConfigError, match="other settings"):
        render_shards(replace(request, seed=6), 1, lines.append)


def test_rendered_again_the_truth_is_the_same(tmp_path: Path) -> None:
    body = rendering.load_body()
    paths = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        paths.append(rendering.render_one(ShardRequest(tmp_path / name, 1, 64, 48, 5), 0, body))
    assert paths[0].read_bytes() == paths[1].read_bytes()


class Still:
    def __getitem__(self, index: int) -> Sample:
        image = np.random.default_rng(index).integers(0, 255, (64, 96, 3), dtype=np.uint8)
        return without_people(image, f"still-{index}")


def test_twins_keep_the_sharp_view_and_depend_on_the_index_alone() -> None:
    stream = TwinStream(Still(), TwinSettings(), 4)
    for index in range(12):
        one, again = stream[index], stream[index]
        np.testing.assert_array_equal(one.image, again.image)
        np.testing.assert_array_equal(one.image_hr, Still()[index].image)
        assert one.image.shape == (64, 96, 3)
    assert not np.array_equal(stream[1].image, TwinStream(Still(), TwinSettings(), 5)[1].image)


def test_paper_twins_have_one_of_two_sizes() -> None:
    source = Still()[0]
    settings = replace(CLEAN, sizes="paper")
    allowed = [degrade(source.image, share, DegradeSettings()) for share in (11 / 32, 1 / 4)]
    seen = set()
    for seed in range(12):
        lr = twin(source, np.random.default_rng(seed), settings).image
        seen |= {number for number, image in enumerate(allowed) if np.array_equal(image, lr)}
    assert seen == {0, 1}
    only = replace(settings, scales=("small",))
    np.testing.assert_array_equal(twin(source, np.random.default_rng(0), only).image, allowed[1])


def test_uniform_twins_lose_more_or_less_and_sometimes_nothing() -> None:
    source = Still()[0]
    spreads = [
        twin(source, np.random.default_rng(seed), replace(CLEAN, sizes="uniform")).image.std() for seed in range(60)
    ]
    assert max(spreads) - min(spreads) > 20
    whole = twin(source, np.random.default_rng(0), replace(CLEAN, sizes="uniform", native=1.0)).image
    np.testing.assert_array_equal(whole, source.image)
    with pytest.raises(ValueError, match="shares"):
        TwinSettings(native=1.5)


def test_padding_stays_sharp_in_twins_and_0_in_batches() -> None:
    padded = pad(Still()[0], 128, 80)
    assert padded.size == (64, 96)
    poor = twin(padded, np.random.default_rng(0), TwinSettings(noise=20.0, jpeg=1.0))
    np.testing.assert_array_equal(poor.image[64:], padded.image[64:])
    np.testing.assert_array_equal(poor.image[:, 96:], padded.image[:, 96:])
    assert not np.array_equal(poor.image, padded.image)
    batch = collate([poor])
    assert batch.sizes == ((64, 96),)
    assert float(normalise(batch, (127.0,) * 3, (128.0,) * 3)[0, :, 64:].abs().max()) == 0.0


def test_collate_keeps_pairs_and_names_scenes() -> None:
    samples = [twin(Still()[index], np.random.default_rng(0), TwinSettings()) for index in range(3)]
    batch = collate([samples[0], samples[1], replace(samples[2], scene_id="still-0")])
    assert batch.images_hr is not None
    assert batch.images_hr.shape == batch.images.shape
    np.testing.assert_array_equal(batch.images_hr[1].permute(1, 2, 0).numpy(), Still()[1].image)
    first, second, third = batch.scenes.tolist()
    assert first == third != second
    assert collate([Still()[0], samples[1]]).images_hr is None


def test_joined_photos_remember_their_scenes() -> None:
    one, two = (replace(Still()[index], scene_id=f"photo-{index}") for index in range(2))
    assert join([(one, 0, 0), (two, 96, 0)], 192, 64).scenes == ("photo-0", "photo-1")
