"""Synthetic frames on disk: the files agree with each other, equal seeds give equal bytes, nothing is half-written."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely
import tifffile
import torch

from jobs import make_scene as job
from mili_core.body import SkinnedBody, axis_angle_to_matrix, load_body
from mili_core.errors import ConfigError
from pipeline import synthetic
from pipeline.synthetic import SceneFiles, SceneRequest, make_scene
from schemas.people import METADATA_KEY, PEOPLE_SCHEMA, SchemaError
from schemas.truth import NOT_IN_TRUTH, TRUTH_SCHEMA, TruthMetadata, check_truth

# Wider than one TIFF tile, so that people lie on the seam.
REQUEST = SceneRequest(people=24, width=640, height=360, seed=5, jpeg=True)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> SceneFiles:
    return make_scene(REQUEST, load_body(), tmp_path_factory.mktemp("scene"))


@pytest.fixture(scope="module")
def truth(files: SceneFiles) -> pa.Table:
    return pq.read_table(files.truth)


def column(truth: pa.Table, name: str) -> np.ndarray:
    values = truth[name].combine_chunks()
    if pa.types.is_fixed_size_list(values.type):
        return np.asarray(values.values).reshape(len(values), -1)
    if pa.types.is_struct(values.type):
        return np.column_stack([np.asarray(values.field(corner)) for corner in ("xmin", "ymin", "xmax", "ymax")])
    return np.asarray(values)


def test_the_folder_holds_what_it_promises(files: SceneFiles) -> None:
    folder = files.image.parent
    names = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    assert names == ["scene.jpg", "scene.json", "scene.tif", "truth/people.parquet"]


def test_the_frame_is_a_tiled_bigtiff(files: SceneFiles) -> None:
    with tifffile.TiffFile(files.image) as tiff:
        assert tiff.is_bigtiff
        page = tiff.pages.first
        assert page.is_tiled
        assert page.shape == (360, 640, 3)
        assert page.dtype == np.uint8
        image = page.asarray()
    assert image.std() > 10
    # The seam between tiles is no more visible than any other column.
    steps = np.abs(np.diff(image.astype(int), axis=1)).mean(axis=(0, 2))
    assert steps[511] < 1.5 * np.median(steps)


def test_the_truth_keeps_to_its_schema(truth: pa.Table, files: SceneFiles) -> None:
    assert check_truth(truth).num_rows == files.visible_people
    assert [field.name for field in PEOPLE_SCHEMA if field.name not in NOT_IN_TRUTH] == TRUTH_SCHEMA.names[:-2]
    with pytest.raises(SchemaError, match="truth table: column 'bbox' is missing"):
        check_truth(truth.drop_columns(["bbox"]))
    metadata = TruthMetadata.model_validate_json(truth.schema.metadata[METADATA_KEY])
    assert (metadata.frame_width, metadata.frame_height, metadata.seed) == (640, 360, 5)
    assert json.loads(truth.schema.metadata[b"geo"])["columns"]["geometry"]["crs"] is None


def test_boxes_are_the_bounds_of_the_outlines(truth: pa.Table) -> None:
    outlines = shapely.from_wkb(truth["geometry"].to_pylist())
    assert shapely.is_valid(outlines).all()
    boxes = column(truth, "bbox")
    np.testing.assert_allclose(shapely.bounds(outlines), boxes, atol=0.51)
    np.testing.assert_allclose(column(truth, "mask_area_px"), shapely.area(outlines), rtol=1e-6)
    np.testing.assert_allclose(column(truth, "height_px"), boxes[:, 3] - boxes[:, 1], rtol=1e-6)
    full = column(truth, "bbox_full")
    assert (full[:, :2] <= boxes[:, :2]).all()
    assert (full[:, 2:] >= boxes[:, 2:]).all()


def test_visible_fractions_are_shares_of_the_silhouette(truth: pa.Table) -> None:
    fraction, whole = column(truth, "visible_fraction"), column(truth, "silhouette_area_px")
    assert (fraction > 0).all()
    assert (fraction <= 1).all()
    assert fraction.min() < 0.95 < fraction.max()
    # Outlines cut the corners of samples, so areas agree to some px only.
    perimeter = shapely.length(shapely.from_wkb(truth["geometry"].to_pylist()))
    assert (np.abs(fraction * whole - column(truth, "mask_area_px")) <= 0.2 * perimeter + 1).all()
    boxes, full = column(truth, "bbox"), column(truth, "bbox_full")
    alone = np.isclose(fraction, 1.0)
    np.testing.assert_array_equal(boxes[alone], full[alone])


def test_outlines_of_different_people_do_not_overlap(truth: pa.Table) -> None:
    outlines = shapely.from_wkb(truth["geometry"].to_pylist())
    overlap = shapely.area(shapely.intersection(outlines[:, None], outlines[None]))
    np.fill_diagonal(overlap, 0.0)
    assert overlap.max() < 3.0


def test_skinning_and_projecting_the_truth_gives_its_joints(truth: pa.Table) -> None:
    pose = np.concatenate([column(truth, "global_orient"), column(truth, "body_pose")], axis=1).reshape(-1, 24, 3)
    skinned = SkinnedBody(load_body())
    with torch.no_grad():
        joints = skinned.joints(torch.tensor(column(truth, "betas")), axis_angle_to_matrix(torch.tensor(pose))).numpy()
    placed = joints + column(truth, "transl")[:, None]
    focal = column(truth, "focal_px")[:, None, None]
    centre = np.stack([column(truth, "principal_x"), column(truth, "principal_y")], axis=1)[:, None]
    pixels = placed[..., :2] / placed[..., 2:] * focal + centre
    joints2d = column(truth, "joints2d").reshape(-1, 24, 3)
    assert np.abs(pixels - joints2d[..., :2]).max() < 0.5
    np.testing.assert_allclose(joints - joints[:, :1], column(truth, "joints3d").reshape(-1, 24, 3), atol=1e-3)
    np.testing.assert_allclose(placed[:, 0, 2], column(truth, "depth_m"), rtol=1e-4)


def test_joints_lie_in_the_silhouette_and_visible_ones_in_the_outline(truth: pa.Table) -> None:
    joints = column(truth, "joints2d").reshape(-1, 24, 3)
    full = column(truth, "bbox_full")[:, None]
    inside = ((joints[..., :2] >= full[..., :2]) & (joints[..., :2] <= full[..., 2:])).all(axis=-1)
    assert inside.mean() >= 0.98
    outlines = shapely.from_wkb(truth["geometry"].to_pylist())
    seen = joints[..., 2] > 0
    near = shapely.dwithin(shapely.points(joints[..., :2]), outlines[:, None], 1.0)
    assert seen.sum() > 200
    assert near[seen].mean() >= 0.98
    beyond = ((joints[..., :2] < 0) | (joints[..., :2] > [640, 360])).any(axis=-1)
    assert not (seen & beyond).any()


def test_ground_points_lie_under_the_pelvis(truth: pa.Table, files: SceneFiles) -> None:
    described = json.loads(files.description.read_text())
    ground = described["ground"]
    axes = np.array([ground["x_axis"], ground["y_axis"], ground["normal"]])
    np.testing.assert_allclose(axes @ axes.T, np.eye(3), atol=1e-9)
    pelvis = column(truth, "joints2d").reshape(-1, 24, 3)[:, 0, :2]
    focal, centre = described["camera"]["focal_px"], np.array(described["camera"]["principal_xy"])
    rays = np.column_stack([(pelvis - centre) / focal, np.ones(len(pelvis))])
    points = rays * column(truth, "depth_m")[:, None]
    np.testing.assert_allclose((points @ axes.T)[:, 0], column(truth, "ground_x"), atol=0.02)
    np.testing.assert_allclose((points @ axes.T)[:, 1], column(truth, "ground_y"), atol=0.02)
    assert ((points @ axes.T)[:, 2] < ground["distance_m"]).all()
    assert described["seed"] == 5


def test_truncated_people_reach_beyond_the_frame(truth: pa.Table) -> None:
    full = column(truth, "bbox_full")
    beyond = (full[:, :2] < 0).any(axis=1) | (full[:, 2:] > [640, 360]).any(axis=1)
    np.testing.assert_array_equal(column(truth, "truncated"), beyond)


def test_equal_seeds_give_equal_bytes(tmp_path: Path) -> None:
    small = SceneRequest(people=5, width=160, height=120, seed=3, jpeg=True)
    first = make_scene(small, load_body(), tmp_path / "a")
    again = make_scene(small, load_body(), tmp_path / "b")
    for name in ("image", "truth", "description"):
        assert getattr(first, name).read_bytes() == getattr(again, name).read_bytes()
    other = make_scene(SceneRequest(people=5, width=160, height=120, seed=4), load_body(), tmp_path / "c")
    assert other.image.read_bytes() != first.image.read_bytes()


def test_a_scene_without_people_has_an_empty_truth(tmp_path: Path) -> None:
    files = make_scene(SceneRequest(people=0, width=100, height=80, seed=0), load_body(), tmp_path)
    assert pq.read_table(files.truth).num_rows == 0
    assert check_truth(pq.read_table(files.truth)).num_rows == 0


def test_an_interrupted_scene_leaves_nothing_that_looks_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(synthetic, "develop", broken)
    with pytest.raises(KeyboardInterrupt):
        make_scene(SceneRequest(people=2, width=100, height=80, seed=0), load_body(), tmp_path)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--size", "0x100"], "width 0 px"),
        (["--size", "100"], "WIDTHxHEIGHT"),
        (["--size", "70000x100"], "width 70000 px"),
        (["--people", "-1"], "people -1"),
        (["--people", "many"], "--people"),
        (["--people", "3000", "--size", "100x80"], "do not fit"),
        (["--seed", "-3"], "seed -3"),
        (["--scene-id", "../up"], "'../up'"),
        (["--colour", "red"], "--colour"),
        (["--body", "/nowhere/body.npz"], "/nowhere/body.npz"),
    ],
)
def test_bad_arguments_are_one_line_and_exit_2(
    arguments: list[str], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "scene"
    assert job.main([*arguments, "--output", str(out)]) == 2
    message = capsys.readouterr().err
    assert words in message
    assert len(message.strip().splitlines()) == 1
    assert not out.exists()


def test_an_output_that_is_a_file_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    assert job.main(["--size", "100x80", "--people", "0", "--output", str(tmp_path / "file")]) == 2
    assert "name a folder" in capsys.readouterr().err


def test_the_job_says_what_it_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert job.main(["--size", "100x80", "--people", "2", "--scene-id", "a.b", "--output", str(tmp_path)]) == 0
    assert "100x80 px, 2 people" in capsys.readouterr().out
    assert (tmp_path / "a.b.tif").exists()


def test_requests_name_what_is_wrong() -> None:
    with pytest.raises(ConfigError, match="height 10 px"):
        SceneRequest(people=1, width=100, height=10, seed=0)
