"""The main job end to end on planted people, with the fake model on a local cluster."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray

ray = pytest.importorskip("ray")

from jobs import process_scene as job  # noqa: E402
from mili_core.errors import ConfigError, ImageError, StoreError, WeightsError  # noqa: E402
from pipeline.config import SceneConfig  # noqa: E402
from pipeline.executor import WorkerError  # noqa: E402
from pipeline.lock import output_lock  # noqa: E402
from pipeline.ray_job import JOB_VARIABLE  # noqa: E402
from pipeline.run import process_scene  # noqa: E402
from pipeline.run_manifest import Summary  # noqa: E402
from pipeline.table import read_people  # noqa: E402
from schemas.manifest import RunManifest  # noqa: E402
from tests import fakes  # noqa: E402

pytestmark = pytest.mark.ray

WIDTH, HEIGHT = 2500, 1600
Boxes = NDArray[np.float64]


@pytest.fixture(scope="module", autouse=True)
def calls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A local cluster whose workers log the fake's predictions into the file that is given."""
    path = tmp_path_factory.mktemp("calls") / "calls"
    path.touch()
    os.environ[fakes.CALLS_VARIABLE] = str(path)  # before the cluster starts, which hands it on
    ray.init("local", num_cpus=2, include_dashboard=False, log_to_driver=False, object_store_memory=100 * 2**20)
    yield path
    ray.shutdown()
    del os.environ[fakes.CALLS_VARIABLE]


def crowd() -> tuple[NDArray[np.uint8], Boxes]:
    """People of three sizes; at this spacing many stand on seams and corners of blocks."""
    image, boxes = fakes.ground(WIDTH, HEIGHT), []
    for top, height in ((60, 60), (300, 150), (700, 300), (1150, 400)):
        width = 2 * height // 5
        for left in range(30, WIDTH - width - 30, width + height // 2):
            fakes.plant(image, (left, top, left + width, top + height), ellipse=len(boxes) % 3 > 0)
            boxes.append((left, top, left + width, top + height))
    return image, np.array(boxes, dtype=np.float64)


def save(path: Path, image: NDArray[np.uint8]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), image[..., ::-1])
    return path


def settings(photo: Path | str, output: Path, **more: object) -> SceneConfig:
    given = {"input": (str(photo),), "output": output, "overview": False} | more
    return SceneConfig(**({"model": {"factory": "tests.fakes:factory", "device": "cpu"}} | given))  # type: ignore[arg-type]


def run(photo: Path | str, output: Path, **more: object) -> Summary:
    return process_scene(settings(photo, output, **more))


def manifest(output: Path) -> RunManifest:
    return RunManifest.model_validate_json((output / "manifest.json").read_text())


def found_boxes(output: Path) -> Boxes:
    boxes = read_people(output)["bbox"].to_pylist()
    return np.array([[box[corner] for corner in ("xmin", "ymin", "xmax", "ymax")] for box in boxes]).reshape(-1, 4)


def people_bytes(output: Path) -> bytes:
    (file,) = (output / "people").rglob("*.parquet")
    return file.read_bytes()


def assert_found_once(found: Boxes, planted: Boxes, tolerance_px: float = 5.0) -> None:
    """Every planted box has exactly one found box near it, and there are no others."""
    near = (np.abs(found[:, None] - planted[None]).max(axis=2) <= tolerance_px).sum(axis=0)
    assert near.tolist() == [1] * len(planted)
    assert len(found) == len(planted)


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(tmp_path_factory.mktemp("photo") / "crowd.png", crowd()[0])


@pytest.fixture(scope="module")
def done(photo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output folder of a finished run."""
    output = tmp_path_factory.mktemp("done") / "out"
    run(photo, output, overview=True)
    return output


@pytest.fixture
def copy(done: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(done, tmp_path / "out"))


def test_everyone_is_found_once(done: Path) -> None:
    assert_found_once(found_boxes(done), crowd()[1])


def test_the_manifest_is_truthful(done: Path) -> None:
    told = manifest(done)
    (frame,) = told.frames
    blocks = pq.read_table(done / "blocks.parquet").to_pylist()
    people = read_people(done)
    assert told.status == "complete"
    assert told.model.name == "fake"
    assert (frame.width, frame.height, frame.scene_id) == (WIDTH, HEIGHT, "crowd")
    assert frame.people == len(people) == len(crowd()[1])
    assert frame.blocks.planned == len(blocks) == frame.blocks.done
    assert frame.detections.total == sum(block["detections"] for block in blocks)
    assert (frame.coverage.planned_share, frame.coverage.done_share) == (1.0, 1.0)
    assert set(frame.stage_seconds) == {"pyramid", "plan", "inference", "merge", "place", "table"}
    assert (done / frame.people_file).is_file()
    assert set(people["run_id"].to_pylist()) == {told.run_id} == {block["run_id"] for block in blocks}
    assert cv2.imread(str(done / "overview.jpg")) is not None
    json.loads((done / "manifest.json").read_text())


def test_a_rerun_infers_nothing_and_gives_the_same_bytes(copy: Path, photo: Path, calls: Path) -> None:
    before, bytes_before = calls.read_text(), people_bytes(copy)
    summary = run(photo, copy)
    assert calls.read_text() == before
    assert people_bytes(copy) == bytes_before
    (frame,) = manifest(copy).frames
    assert frame.blocks.reused == frame.blocks.planned == summary.blocks


def test_other_merge_settings_infer_nothing(copy: Path, photo: Path, calls: Path) -> None:
    before, run_id = calls.read_text(), manifest(copy).run_id
    run(photo, copy, merge={"link_similarity": 0.6})
    assert calls.read_text() == before
    assert manifest(copy).run_id != run_id


def test_an_interrupted_run_goes_on_where_it_was(copy: Path, photo: Path, calls: Path) -> None:
    bytes_before, images_before = people_bytes(copy), images(calls)
    lost = max(copy.glob("ledger/*/*/*/batch-*.blocks.parquet"), key=lambda path: len(pq.read_table(path)))
    blocks = len(pq.read_table(lost))
    assert 1 < blocks <= 8
    lost.unlink()
    (copy / "manifest.json").unlink()
    run(photo, copy)
    assert images(calls) - images_before == blocks
    assert people_bytes(copy) == bytes_before
    (frame,) = manifest(copy).frames
    assert frame.blocks.reused == frame.blocks.planned - blocks


def looks_of(output: Path) -> dict[str, int]:
    """Gives the blocks of each look in the ledger of the only frame, by its key."""
    counts: dict[str, int] = {}
    for path in output.glob("ledger/*/*/*/batch-*.blocks.parquet"):
        counts[path.parent.name] = counts.get(path.parent.name, 0) + len(pq.read_table(path))
    return counts


def test_a_run_interrupted_between_two_looks_takes_the_second_alone(copy: Path, photo: Path, calls: Path) -> None:
    bytes_before, images_before = people_bytes(copy), images(calls)
    told = manifest(copy).frames[0].ground_plan
    assert told is not None
    assert sorted(looks_of(copy).values()) == sorted([told.first_blocks, told.row_blocks + told.residual_blocks])
    second = max(looks_of(copy), key=lambda key: looks_of(copy)[key])
    shutil.rmtree(next(copy.glob(f"ledger/*/*/{second}")))
    run(photo, copy)
    assert images(calls) - images_before == told.row_blocks + told.residual_blocks
    assert people_bytes(copy) == bytes_before
    assert second in looks_of(copy)  # what is found again asks for the same blocks


def test_the_default_plan_follows_the_ground(copy: Path, photo: Path) -> None:
    (frame,) = manifest(copy).frames
    told = frame.ground_plan
    assert frame.plan == "ground"
    assert told is not None
    assert told.trusted
    assert told.passes == frame.blocks.planned < told.uniform_passes == 21
    assert told.passes == told.first_blocks + told.row_blocks + told.residual_blocks
    assert told.row_blocks == sum(row.blocks for row in told.rows)
    assert told.lines[0].per_y == pytest.approx(0.25, abs=0.03)
    assert told.inlier_share > 0.9
    assert told.reached_coverage > 0.95
    run(photo, copy, plan={"kind": "uniform"})
    (frame,) = manifest(copy).frames
    assert (frame.plan, frame.ground_plan, frame.blocks.planned) == ("uniform", None, 21)
    assert_found_once(found_boxes(copy), crowd()[1])


@pytest.mark.parametrize("people", [0, 5])
def test_too_few_people_for_a_line_get_the_uniform_plan(tmp_path: Path, people: int) -> None:
    image = fakes.ground(WIDTH, HEIGHT)
    planted = np.array([[200 + 400 * n, 300, 260 + 400 * n, 460] for n in range(people)], dtype=np.float64)
    for x0, y0, x1, y1 in planted.astype(int).tolist():
        fakes.plant(image, (x0, y0, x1, y1))
    run(save(tmp_path / "few.png", image), tmp_path / "out")
    (frame,) = manifest(tmp_path / "out").frames
    assert (frame.plan, frame.blocks.planned) == ("uniform", 21)
    assert frame.ground_plan is not None
    assert frame.ground_plan.reason == f"{people} people, a line needs 12"
    assert_found_once(found_boxes(tmp_path / "out"), planted.reshape(-1, 4))


def test_a_dry_run_plans_and_draws_and_the_run_goes_on_from_it(
    tmp_path: Path, photo: Path, done: Path, calls: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out"
    arguments = [str(photo), "--output", str(output), "--model", "tests.fakes:factory", "--device", "cpu"]
    before = images(calls)
    assert job.main([*arguments, "--dry-run"]) == 0
    told = manifest(done).frames[0].ground_plan
    assert told is not None
    assert images(calls) - before == told.first_blocks
    printed = capsys.readouterr().out
    assert told.first_blocks == 1
    assert f"1 block seen, {told.row_blocks + told.residual_blocks} to go, about" in printed
    assert "min at" in printed
    assert printed.count("blocks at scale") == len(told.rows)
    assert cv2.imread(str(output / "plan.jpg")) is not None
    assert not (output / "people").exists()
    assert job.main([*arguments, "--no-overview"]) == 0
    assert images(calls) - before == told.passes
    assert people_bytes(output) == people_bytes(done)
    assert job.main([*arguments, "--dry-run", "--plan", "uniform"]) == 0
    assert "0 blocks seen, 21 to go, about 0.1 min at 0.24 s a block on 1 worker" in capsys.readouterr().out


def images(calls: Path) -> int:
    return sum(map(int, calls.read_text().split()))


def test_no_resume_infers_all_and_gives_the_same_bytes(copy: Path, photo: Path, calls: Path) -> None:
    bytes_before, images_before = people_bytes(copy), images(calls)
    summary = run(photo, copy, resume=False, ray={"actors": 1})  # one worker in place of two
    assert images(calls) - images_before == summary.blocks
    assert people_bytes(copy) == bytes_before


def test_other_plans_do_not_mix(copy: Path, photo: Path) -> None:
    looks = len(looks_of(copy))
    run(photo, copy, plan={"kind": "uniform", "overlap": 0.5})
    assert len(looks_of(copy)) == looks + 1
    assert_found_once(found_boxes(copy), crowd()[1])


@pytest.mark.parametrize(("colour", "words"), [(fakes.RAISES, "told to raise"), (fakes.KILLS, "process died")])
def test_a_poison_block_fails_alone(
    tmp_path: Path, colour: tuple[int, int, int], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    image, planted = crowd()
    image[HEIGHT - 3, WIDTH - 3] = colour  # only the last block of level 0 sees it undiluted
    photo, output = save(tmp_path / "poison.png", image), tmp_path / "out"
    arguments = [str(photo), "--output", str(output), "--model", "tests.fakes:factory", "--device", "cpu"]
    arguments += ["--plan", "uniform"]
    assert job.main(arguments) == 3
    line = capsys.readouterr().out.splitlines()[-1]
    told = manifest(output)
    (frame,) = told.frames
    failed = [block for block in pq.read_table(output / "blocks.parquet").to_pylist() if block["status"] == "failed"]
    assert told.status == "partial"
    assert [failure.block_id for failure in frame.failures] == [block["block_id"] for block in failed]
    assert len(failed) == 1
    assert failed[0]["window"]["xmax"] == WIDTH
    assert words in failed[0]["error"]
    assert f"1 of {frame.blocks.planned} blocks failed" in line
    assert frame.blocks.done == frame.blocks.planned - 1
    assert frame.people == len(found_boxes(output)) >= len(planted) - 8  # coarser levels saw the same place

    if colour == fakes.RAISES:  # a rerun tries the failed batch again, and only that
        assert job.main(arguments) == 3
        assert manifest(output).frames[0].blocks.reused >= frame.blocks.planned - 8


def test_regions_restrict_blocks_and_people(tmp_path: Path, photo: Path, done: Path) -> None:
    planted = crowd()[1]
    roi, exclude = "POLYGON((0 0, 1250 0, 1250 1600, 0 1600, 0 0))", tmp_path / "exclude.geojson"
    exclude.write_text(json.dumps({"type": "Polygon", "coordinates": [[[0, 0], [600, 0], [600, 400], [0, 0]]]}))
    run(photo, tmp_path / "out", roi=(roi,), exclude=(str(exclude),))
    centres = (planted[:, :2] + planted[:, 2:]) / 2
    left = centres[:, 0] <= 1250
    in_triangle = (centres[:, 0] < 600) & (centres[:, 1] < centres[:, 0] * 2 / 3)
    assert_found_once(found_boxes(tmp_path / "out"), planted[left & ~in_triangle])
    told = manifest(tmp_path / "out").frames[0]
    assert told.blocks.planned < manifest(done).frames[0].blocks.planned
    assert sum(told.detections.rejected.values()) > 0


def test_a_region_beside_the_frame_is_refused(tmp_path: Path, photo: Path) -> None:
    with pytest.raises(ConfigError, match="leave nothing"):
        run(photo, tmp_path / "out", roi=("POLYGON((9000 0, 9100 0, 9100 100, 9000 0))",))


def test_a_second_run_in_the_same_folder_is_refused(copy: Path, photo: Path, calls: Path) -> None:
    before = calls.read_text()
    with output_lock(copy), pytest.raises(StoreError, match=r"process \d+ on .* is writing there"):
        run(photo, copy)
    assert (copy / "manifest.json").is_file()
    assert calls.read_text() == before
    run(photo, copy)  # the lock is gone with its holder


def test_several_frames_with_and_without_people(tmp_path: Path) -> None:
    image, planted = crowd()
    save(tmp_path / "scene 1" / "frame_3.png", image)
    save(tmp_path / "scene 1" / "frame_10.png", fakes.ground(700, 400))
    output = tmp_path / "out"
    summary = run(tmp_path / "scene 1", output, overview=True)
    assert (summary.frames, summary.people) == (2, len(planted))
    assert [(frame.frame_id, frame.people) for frame in manifest(output).frames] == [(3, len(planted)), (10, 0)]
    assert {path.name for path in output.glob("*.jpg")} == {"overview-scene_1-3.jpg", "overview-scene_1-10.jpg"}
    assert set(pq.read_table(output / "blocks.parquet")["frame_id"].to_pylist()) == {3, 10}
    assert len(list(output.glob("people/scene_id=scene_1/frame_id=*/*.parquet"))) == 2


def test_a_model_that_cannot_be_made(tmp_path: Path, photo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "out"
    for name, code in (("tests.fakes:broken_factory", 2), ("tests.fakes:none", 2), ("tests.none:factory", 2)):
        assert job.main([str(photo), "--output", str(output), "--model", name]) == code
        assert capsys.readouterr().err.count("\n") == 1
    assert not output.exists()


def test_workers_with_another_model_are_refused(tmp_path: Path, photo: Path) -> None:
    with pytest.raises(WeightsError, match="give every machine the same files"):
        run(photo, tmp_path / "out", model={"factory": "tests.fakes:changing_factory", "device": "cpu"})


def test_relative_paths_are_refused_in_a_ray_job(tmp_path: Path, photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(JOB_VARIABLE, "{}")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"output: 'out' is relative"):
        run(photo, Path("out"))
    with pytest.raises(ConfigError, match=r"input: 'crowd.png' is relative"):
        run("crowd.png", tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_cuda_that_is_not_there_is_refused_before_anything_is_written(photo: Path, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("this machine has CUDA")
    with pytest.raises(ConfigError, match="no CUDA"):
        run(photo, tmp_path / "out", model={"factory": "tests.fakes:factory", "device": "cuda"})
    assert not (tmp_path / "out").exists()


def test_an_unreadable_frame_leaves_an_earlier_result_alone(copy: Path, photo: Path, tmp_path: Path) -> None:
    truncated = tmp_path / "truncated.png"
    truncated.write_bytes(photo.read_bytes()[:5000])
    before = {path: path.read_bytes() for path in copy.rglob("*") if path.is_file() and "pyramids" not in path.parts}
    with pytest.raises(ImageError):
        run(truncated, copy)
    after = {path: path.read_bytes() for path in copy.rglob("*") if path.is_file() and "pyramids" not in path.parts}
    assert {path: data for path, data in after.items() if path.name != ".lock"} == {
        path: data for path, data in before.items() if path.name != ".lock"
    }


def test_an_unreadable_frame_leaves_no_new_folder(photo: Path, tmp_path: Path) -> None:
    truncated = tmp_path / "truncated.png"
    truncated.write_bytes(photo.read_bytes()[:5000])
    with pytest.raises(ImageError):
        run(truncated, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_equal_names_do_not_share_a_pyramid(photo: Path, tmp_path: Path) -> None:
    other = save(tmp_path / "other" / photo.name, fakes.ground(900, 600))
    run(photo, tmp_path / "a", pyramids=tmp_path / "pyramids")
    run(other, tmp_path / "b", pyramids=tmp_path / "pyramids")
    assert len(list((tmp_path / "pyramids" / "crowd").glob("*.ome.zarr"))) == 2
    assert_found_once(found_boxes(tmp_path / "a"), crowd()[1])
    assert len(found_boxes(tmp_path / "b")) == 0


def test_an_object_store_as_output_is_refused(photo: Path) -> None:
    with pytest.raises(ValueError, match="only local paths can be used, not s3"):
        settings(photo, "s3://bucket/out")  # type: ignore[arg-type]


def test_workers_that_cannot_be_had_leave_an_earlier_result_alone(copy: Path, photo: Path) -> None:
    before = sorted(path.relative_to(copy) for path in copy.rglob("*.parquet"))
    with pytest.raises(WorkerError):
        run(photo, copy, overwrite=True, ray={"threads": 64})
    assert sorted(path.relative_to(copy) for path in copy.rglob("*.parquet")) == before
    assert manifest(copy).status == "complete"


def test_an_old_picture_does_not_outlive_its_people(copy: Path, photo: Path) -> None:
    assert (copy / "overview.jpg").exists()
    run(photo, copy, overview=False)
    assert not (copy / "overview.jpg").exists()
