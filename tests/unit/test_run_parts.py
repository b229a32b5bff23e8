"""The small parts of a run: keys, batches, coverage, the lock, progress, what the ledger keeps."""

from __future__ import annotations

import io
import sys
import time
from pathlib import Path

import pytest

from mili_core.errors import StoreError
from mili_core.protocol import ModelIdentity
from pipeline.config import SceneConfig
from pipeline.executor import BatchOutcome, Done, Failed
from pipeline.geometry import translate
from pipeline.inference import keep, partition, pool_settings
from pipeline.lock import output_lock
from pipeline.plan import uniform_plan
from pipeline.progress import progress
from pipeline.regions import Regions
from pipeline.run_keys import (
    content_sha256,
    frame_key,
    inference_settings,
    look_key,
    run_identity,
    shaping_settings,
)
from pipeline.run_manifest import Summary, covered_share
from pipeline.types import FrameRef, SceneDetections

FRAME = FrameRef("s", 0, "photo.png", 2500, 1600)
MODEL = ModelIdentity("fake", "a", "open", "b")
SQUARE = "POLYGON((0 0, 100 0, 100 100, 0 100, 0 0))"


def config(**more: object) -> SceneConfig:
    return SceneConfig(**({"input": ("a",), "output": "out"} | more))  # type: ignore[arg-type]


def keys(
    settings: SceneConfig, model: ModelIdentity = MODEL, content: str = "c", device: str = "cpu"
) -> tuple[str, str]:
    """The key of the detections and the id of the run."""
    regions = Regions.parse(settings.roi, settings.exclude)
    detections = frame_key(content, inference_settings(settings, regions, device), model)
    return detections, run_identity([FRAME], [content], shaping_settings(settings, regions, device), model).run_id


SAME = keys(config())


@pytest.mark.parametrize(
    "more",
    [
        {"output": "elsewhere"},
        {"ray": {"actors": 7, "threads": 2, "address": "auto", "cpus_per_actor": 3}},
        {"model": {"device": "cuda", "weights": "other/place"}},
        {"model": {"branch": "lr"}},  # the default in so many words
        {"resume": False, "overwrite": True, "debug": True, "overview": False, "pyramids": "p", "dry_run": True},
        {"input": ("b",)},
    ],
)
def test_what_does_not_shape_the_result_is_in_no_key(more: dict[str, object]) -> None:
    assert keys(config(**more)) == SAME


@pytest.mark.parametrize(
    "more",
    [
        {"plan": {"overlap": 0.3}},
        {"plan": {"kind": "uniform"}},
        {"plan": {"smallest_px": 100.0}},
        {"plan": {"share_fit": False}},
        {"model": {"score_threshold": 0.5}},
        {"model": {"factory": "a:b"}},
        {"model": {"branch": "hr"}},
        {"model": {"lr_mode": "degrade"}},
        {"model": {"compat": "crmh"}},
        {"roi": (SQUARE,)},
        {"exclude": (SQUARE,)},
        {"ray": {"batch_blocks": 4}},
    ],
)
def test_what_shapes_the_detections_is_in_both_keys(more: dict[str, object]) -> None:
    assert all(new != old for new, old in zip(keys(config(**more)), SAME, strict=True))


def test_the_device_and_our_version_are_in_both_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    assert keys(config(), device="cuda:0") == keys(config(), device="cuda:1")
    assert all(new != old for new, old in zip(keys(config(), device="cuda"), SAME, strict=True))
    monkeypatch.setattr("pipeline.run_keys.version", lambda name: "99.0")
    assert all(new != old for new, old in zip(keys(config()), SAME, strict=True))


def test_merging_shapes_the_run_only() -> None:
    detections, run_id = keys(config(merge={"link_similarity": 0.4}))
    assert detections == SAME[0]
    assert run_id != SAME[1]


def test_model_and_content_are_in_both_keys() -> None:
    for other in (keys(config(), ModelIdentity("fake", "a", "open", "other")), keys(config(), content="other")):
        assert all(new != old for new, old in zip(other, SAME, strict=True))


def test_a_later_look_has_a_key_of_its_own_that_names_its_blocks() -> None:
    blocks = uniform_plan(2500, 1600)
    key = look_key("first", blocks[:3], blocks[3:])
    others = [
        look_key("other", blocks[:3], blocks[3:]),
        look_key("first", blocks[:2], blocks[3:]),
        look_key("first", blocks[:3], blocks[4:]),
        look_key("first", blocks[:4], blocks[4:]),
        look_key("first", blocks[:3], [*blocks[3:-1], translate(blocks[-1], 2.0, 0.0)]),
    ]
    assert key == look_key("first", list(blocks[:3]), list(blocks[3:]))
    assert len({key, "first", *others}) == len(others) + 2


def test_a_copy_is_the_same_frame(tmp_path: Path) -> None:
    for name, data in (("a", b"one"), ("b", b"one"), ("c", b"two")):
        (tmp_path / name).write_bytes(data)
    first, copy, other = (content_sha256(FrameRef("s", 0, str(tmp_path / name), 1, 1)) for name in "abc")
    assert first == copy != other


@pytest.mark.parametrize(("blocks", "size"), [(0, 8), (1, 8), (8, 8), (21, 8), (3, 1)])
def test_batches_partition_the_plan(blocks: int, size: int) -> None:
    batches = partition(blocks, size)
    assert [each for ids in batches.values() for each in ids] == list(range(blocks))
    assert all(1 <= len(ids) <= size for ids in batches.values())
    assert list(batches) == list(range(len(batches)))


def test_resources_of_actors() -> None:
    assert pool_settings(config(), "cpu").gpus == 0.0
    assert pool_settings(config(), "cuda").gpus == 1.0
    assert pool_settings(config(ray={"gpus_per_actor": 0.5}), "cuda").gpus == 0.5
    assert pool_settings(config(ray={"threads": 4}), "cpu").cpus == 4.0
    assert pool_settings(config(ray={"threads": 4, "cpus_per_actor": 1}), "cpu").cpus == 1.0


def test_every_block_of_a_batch_gets_its_row_in_order() -> None:
    blocks = uniform_plan(2500, 1600)
    nobody = SceneDetections.empty()
    outcome = BatchOutcome(
        0, (Done((4, 5), (nobody, nobody), 3.0, 2), Done((7,), (nobody,), 1.0, 3)), (Failed(6, "poison", 0.5, 4),)
    )
    rows, people = keep(outcome, blocks)
    assert [row.block_id for row in rows] == [blocks[n].id for n in (4, 5, 6, 7)]
    assert [(row.status, row.seconds, row.attempt, row.error) for row in rows] == [
        ("done", 1.5, 2, None),
        ("done", 1.5, 2, None),
        ("failed", 0.5, 4, "poison"),
        ("done", 1.0, 3, None),
    ]
    assert len(people) == 0


def test_coverage() -> None:
    blocks = uniform_plan(2500, 1600)
    finest = [block for block in blocks if block.level == 0]
    assert covered_share(FRAME, blocks) == 1.0
    assert covered_share(FRAME, []) == 0.0
    assert covered_share(FRAME, finest[:1]) == pytest.approx(832 * 512 / (2500 * 1600))
    assert covered_share(FrameRef("s", 0, "", 2501, 1601), uniform_plan(2501, 1601)) == 1.0


def test_summary_line() -> None:
    line = Summary(12, 1, 40, 2, 3.21, Path("out/people"), "poison").line()
    assert line == "12 people in 1 frame, 2 of 40 blocks failed (first: poison), 3.2 s, table in out/people"
    assert "0 people in 2 frames, 0 of 40 blocks failed, " in Summary(0, 2, 40, 0, 1.0, Path("p"), None).line()


def test_one_holder_of_a_folder(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "out"
    with output_lock(folder):
        with pytest.raises(StoreError, match="is writing there"), output_lock(folder):
            pass
        with output_lock(tmp_path / "other"):
            pass
    with output_lock(folder):
        pass


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="give another --output"), output_lock(tmp_path / "file"):
        pass


def test_plain_lines_while_it_lasts(monkeypatch: pytest.MonkeyPatch) -> None:
    log = io.StringIO()
    monkeypatch.setattr(sys, "stderr", log)
    with progress("inference", 5, every_s=0.05) as advance:
        advance(2)
        deadline = time.monotonic() + 5.0
        while "inference: 2/5, " not in log.getvalue() and time.monotonic() < deadline:
            time.sleep(0.01)
    assert "inference: 2/5, " in log.getvalue()
    ended = log.getvalue()
    time.sleep(0.15)
    assert log.getvalue() == ended


def test_short_stages_print_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    log = io.StringIO()
    monkeypatch.setattr(sys, "stderr", log)
    with progress("inference", 5) as advance:
        advance(5)
    assert not log.getvalue()
