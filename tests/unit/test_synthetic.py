"""Synthetic frames on disk: the files agree with each other, equal seeds give equal bytes, nothing is half-written."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely
import tifffile
import torch
from tiny_body import tiny_body

from mili_core.body import SkinnedBody, axis_angle_to_matrix, load_body
from mili_core.errors import ConfigError, StoreError
from mili_core.synth.rendering import grid
from mili_core.synth.rendering.grid import mask_bounds, silhouette_parts, whole_silhouette
from pipeline.frames.vips import vips
from pipeline.lock import LOCK_NAME, output_lock
from pipeline.synthetic import SceneFiles, SceneRequest, layout, make, make_scene, worker
from pipeline.synthetic.masks import SUPERSAMPLE, from_run_lengths
from pipeline.synthetic.worker import SceneWorker, _measured, _silhouettes_beyond
from schemas.people import METADATA_KEY, PEOPLE_SCHEMA, SchemaError
from schemas.truth import NOT_IN_TRUTH, TRUTH_SCHEMA, TruthMetadata, check_truth

# Larger than one TIFF tile, so that people lie on seams.
WIDTH, HEIGHT = 900, 600
REQUEST = SceneRequest(people=12, width=WIDTH, height=HEIGHT, seed=5, jpeg=True, preset="street")
# Some of its people reach beyond the frame.
BEYOND = SceneRequest(people=12, width=600, height=600, seed=4, preset="sports")
SMALL = SceneRequest(people=3, width=160, height=120, seed=3, jpeg=True)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> SceneFiles:
    return make_scene(REQUEST, load_body(), tmp_path_factory.mktemp("scene"))


@pytest.fixture(scope="module")
def truth(files: SceneFiles) -> pa.Table:
    return pq.read_table(files.truth)


@pytest.fixture(scope="module")
def masks(truth: pa.Table) -> list[tuple[np.ndarray, np.ndarray]]:
    """Visible and amodal masks on the sample grid of the whole frame, by person_id."""
    found = []
    for row in truth.select(["mask_window", "visible_rle", "amodal_rle"]).to_pylist():
        left, top, right, bottom = row["mask_window"]
        pair = []
        for name in ("visible_rle", "amodal_rle"):
            whole = np.zeros((HEIGHT * SUPERSAMPLE, WIDTH * SUPERSAMPLE), dtype=np.bool_)
            whole[top:bottom, left:right] = from_run_lengths(np.array(row[name]), right - left, bottom - top)
            pair.append(whole)
        found.append((pair[0], pair[1]))
    return found


def column(truth: pa.Table, name: str) -> np.ndarray:
    values = truth[name].combine_chunks()
    if pa.types.is_fixed_size_list(values.type):
        return np.asarray(values.values).reshape(len(values), -1)
    if pa.types.is_struct(values.type):
        return np.column_stack([np.asarray(values.field(corner)) for corner in ("xmin", "ymin", "xmax", "ymax")])
    return np.asarray(values)


def outlines_of(truth: pa.Table, name: str = "geometry") -> np.ndarray:
    return np.asarray(shapely.from_wkb(truth[name].to_pylist()))


def files_in(folder: Path) -> list[str]:
    """All but the lock, which stays."""
    found = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return sorted(str(path) for path in found if path.name != LOCK_NAME)


def test_the_folder_holds_what_it_promises(files: SceneFiles) -> None:
    folder = files.image.parent
    described = json.loads(files.description.read_text())
    expected = ["scene.jpg", "scene.json", "scene.tif", "truth/people.parquet", "truth/visible_id.tif"]
    assert files_in(folder) == expected
    assert sorted([*described["files"].values(), "scene.json"]) == expected
    assert (described["people"], described["visible_people"]) == (REQUEST.people, files.visible_people)
    assert (described["preset"], described["world"]) == ("street", "street")
    assert all(count > 0 for count in described["objects"].values())
    assert files.peak_rss_mb >= files.worker_peak_rss_mb > 0


def test_the_frame_is_a_tiled_bigtiff_and_a_jpeg(files: SceneFiles) -> None:
    with tifffile.TiffFile(files.image) as tiff:
        assert tiff.is_bigtiff
        page = tiff.pages.first
        assert page.is_tiled
        assert page.shape == (HEIGHT, WIDTH, 3)
        assert page.dtype == np.uint8
        image = page.asarray()
    assert image.std() > 10
    # The seam between tiles is no more visible than any other column.
    steps = np.abs(np.diff(image.astype(int), axis=1)).mean(axis=(0, 2))
    assert steps[511] < 1.5 * np.median(steps)
    assert files.jpeg is not None
    photo = cv2.cvtColor(cv2.imread(str(files.jpeg)), cv2.COLOR_BGR2RGB)
    assert photo.shape == image.shape
    assert np.abs(photo.astype(int) - image).mean() < 8


def test_the_truth_keeps_to_its_schema(truth: pa.Table, files: SceneFiles) -> None:
    assert check_truth(truth).num_rows == files.visible_people
    common = [field.name for field in PEOPLE_SCHEMA if field.name not in NOT_IN_TRUTH]
    assert TRUTH_SCHEMA.names[: len(common)] == common
    with pytest.raises(SchemaError, match="truth table: column 'bbox' is missing"):
        check_truth(truth.drop_columns(["bbox"]))
    metadata = TruthMetadata.model_validate_json(truth.schema.metadata[METADATA_KEY])
    assert (metadata.frame_width, metadata.frame_height, metadata.seed) == (WIDTH, HEIGHT, 5)
    assert (metadata.preset, metadata.supersample) == ("street", SUPERSAMPLE)
    assert json.loads(truth.schema.metadata[b"geo"])["columns"]["geometry"]["crs"] is None


def test_boxes_are_the_bounds_of_the_masks(truth: pa.Table, masks: list[tuple[np.ndarray, np.ndarray]]) -> None:
    assert len(masks) >= 10
    boxes, windows = column(truth, "bbox"), column(truth, "mask_window")
    for row, (visible, amodal) in enumerate(masks):
        np.testing.assert_array_equal(mask_bounds(visible) / SUPERSAMPLE, boxes[row])
        np.testing.assert_array_equal(mask_bounds(amodal), windows[row])
    np.testing.assert_array_equal(column(truth, "height_px"), boxes[:, 3] - boxes[:, 1])
    np.testing.assert_array_equal(column(truth, "foot_y"), boxes[:, 3])
    full = column(truth, "bbox_full")
    size = np.array([WIDTH, HEIGHT, WIDTH, HEIGHT])
    truncated = ((full < 0) | (full > size)).any(axis=1)
    np.testing.assert_array_equal(column(truth, "truncated"), truncated)
    np.testing.assert_array_equal(full[~truncated], windows[~truncated] / SUPERSAMPLE)
    inside = windows[truncated] / SUPERSAMPLE
    assert (full[truncated, :2] <= inside[:, :2]).all()
    assert (full[truncated, 2:] >= inside[:, 2:]).all()


def test_what_is_seen_and_what_is_hidden_make_up_the_silhouette(
    truth: pa.Table, masks: list[tuple[np.ndarray, np.ndarray]]
) -> None:
    whole = column(truth, "silhouette_area_px") * SUPERSAMPLE**2
    fraction, truncated = column(truth, "visible_fraction"), column(truth, "truncated")
    claimed = np.zeros_like(masks[0][0])
    for row, (visible, amodal) in enumerate(masks):
        assert not (visible & ~amodal).any()
        assert not (visible & claimed).any()
        claimed |= visible
        assert fraction[row] == pytest.approx(visible.sum() / whole[row])
        assert (amodal.sum() < whole[row]) if truncated[row] else (amodal.sum() == whole[row])
    assert fraction.min() < 0.95 < fraction.max()


def test_what_hides_people_is_another_person_or_a_thing(
    truth: pa.Table, masks: list[tuple[np.ndarray, np.ndarray]]
) -> None:
    # Where two silhouettes overlap, exactly one of them, or a thing in front of both, is seen.
    depth = column(truth, "depth_m")
    seen = np.any([visible for visible, _ in masks], axis=0)
    nearest = np.full(seen.shape, np.inf)
    for row, (_, amodal) in enumerate(masks):
        nearest[amodal] = np.minimum(nearest[amodal], depth[row])
    for row, (visible, _) in enumerate(masks):
        # Pelvis depths tell who is nearer, but for people who stand close together.
        assert (depth[row] <= nearest[visible] + 1.0).all()


def test_the_map_of_ids_is_made_of_the_masks(files: SceneFiles, masks: list[tuple[np.ndarray, np.ndarray]]) -> None:
    ids = tifffile.imread(files.visible_id)
    assert ids.dtype == np.uint16
    layers = [~np.any([visible for visible, _ in masks], axis=0), *(visible for visible, _ in masks)]
    blocks = [layer.reshape(HEIGHT, SUPERSAMPLE, WIDTH, SUPERSAMPLE).sum(axis=(1, 3)) for layer in layers]
    np.testing.assert_array_equal(ids, np.argmax(blocks, axis=0))  # the first of equals


def test_outlines_run_around_the_masks(truth: pa.Table, masks: list[tuple[np.ndarray, np.ndarray]]) -> None:
    visible, amodal = outlines_of(truth), outlines_of(truth, "amodal_geometry")
    assert shapely.is_valid(visible).all()
    assert shapely.is_valid(amodal).all()
    np.testing.assert_allclose(column(truth, "mask_area_px"), shapely.area(visible), rtol=1e-6)
    for outlines, which in ((visible, 0), (amodal, 1)):
        # Outlines cut the corners of samples, so areas agree to some px only.
        area = np.array([pair[which].sum() for pair in masks]) / SUPERSAMPLE**2
        assert (np.abs(shapely.area(outlines) - area) <= 0.2 * shapely.length(outlines) + 1).all()
    np.testing.assert_allclose(shapely.bounds(visible), column(truth, "bbox"), atol=1.01)
    assert (shapely.area(shapely.difference(visible, amodal)) < 1).all()
    overlap = shapely.area(shapely.intersection(visible[:, None], visible[None]))
    np.fill_diagonal(overlap, 0.0)
    assert overlap.max() < 3.0


def test_silhouettes_do_not_depend_on_how_the_frame_is_cut() -> None:
    making = SceneWorker(REQUEST, load_body())
    scene, facts = making._scene, making.facts()
    fragments = [fragment for group in range(making._layout.groups) for fragment in making.render(group).fragments]
    counts = np.zeros(len(facts), dtype=np.int64)
    for fragment in fragments:
        counts[fragment.person] += fragment.unpack()[0].sum()
    for person in set(range(len(facts))) - set(facts.beyond):
        whole = whole_silhouette(scene, person, SUPERSAMPLE)
        assert whole is not None
        assert counts[person] == whole.mask.sum()


def test_whole_silhouettes_do_not_depend_on_the_blocks_they_are_drawn_in(monkeypatch: pytest.MonkeyPatch) -> None:
    making = SceneWorker(BEYOND, load_body())
    beyond = making.facts().beyond
    assert beyond
    monkeypatch.setattr(grid, "BLOCK_SAMPLES", 37)
    for person, whole in beyond.items():
        parts = list(silhouette_parts(making._scene, person, SUPERSAMPLE))
        assert max(max(part.mask.shape) for part in parts) <= 37
        assert _measured(parts) == whole
        # As far as the surfaces reach, not farther; a margin only cuts.
        cut = whole_silhouette(making._scene, person, SUPERSAMPLE, margin_px=5000)
        assert cut is not None
        assert cut.mask.sum() == whole.samples


def test_silhouettes_are_counted_however_far_they_reach_beyond_the_frame() -> None:
    scene = SceneWorker(BEYOND, load_body())._scene
    camera, own = scene.camera, scene.surfaces_of(0)
    metres = 9000.0 * scene.crowd.transl_m[0, 2] / camera.focal_px
    surfaces, bounds = list(scene.surfaces), scene.bounds_px.copy()
    for index in own:
        piece = scene.surfaces[index].piece
        vertices = piece.vertices_m + np.array([metres, 0.0, 0.0], dtype=np.float32)
        pixels = camera.project(vertices)
        bounds[index] = [*pixels.min(axis=0), *pixels.max(axis=0)]
        surfaces[index] = replace(
            scene.surfaces[index], piece=replace(piece, vertices_m=vertices), bounds_px=bounds[index]
        )
    whole = _silhouettes_beyond(replace(scene, surfaces=tuple(surfaces), bounds_px=bounds))[0]
    reach = bounds[own] * SUPERSAMPLE
    assert whole.bounds[0] > 8000 * SUPERSAMPLE
    np.testing.assert_allclose(whole.bounds, [*reach[:, :2].min(axis=0), *reach[:, 2:].max(axis=0)], atol=2)


def test_tiles_do_not_depend_on_what_is_rendered_with_them(monkeypatch: pytest.MonkeyPatch) -> None:
    making = SceneWorker(SceneRequest(people=6, width=700, height=600, seed=1), load_body())
    together = making.render(0)
    monkeypatch.setattr(layout, "RENDER_TILES", 1)
    apart = making.render(0)
    assert together.tiles == apart.tiles
    np.testing.assert_array_equal(together.joints_seen, apart.joints_seen)


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


def test_joints_lie_in_the_silhouette_and_visible_ones_in_the_mask(
    truth: pa.Table, masks: list[tuple[np.ndarray, np.ndarray]]
) -> None:
    joints = column(truth, "joints2d").reshape(-1, 24, 3)
    seen = joints[..., 2] > 0
    assert seen.sum() > 100
    beyond = ((joints[..., :2] < 0) | (joints[..., :2] >= [WIDTH, HEIGHT])).any(axis=-1)
    assert not (seen & beyond).any()
    cells = np.where(beyond[..., None], 0, np.floor(joints[..., :2] * SUPERSAMPLE)).astype(int)
    covered = np.array([amodal[cells[row, :, 1], cells[row, :, 0]] for row, (_, amodal) in enumerate(masks)])
    assert covered[seen].mean() >= 0.98
    assert covered[~beyond].mean() >= 0.95


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


def test_equal_seeds_give_equal_bytes(tmp_path: Path) -> None:
    first = make_scene(SMALL, load_body(), tmp_path / "a")
    again = make_scene(SMALL, load_body(), tmp_path / "b")
    other = make_scene(replace(SMALL, seed=4), load_body(), tmp_path / "c")
    names = files_in(tmp_path / "a")
    assert names == files_in(tmp_path / "b") == files_in(tmp_path / "c")
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
        assert (tmp_path / "a" / name).read_bytes() != (tmp_path / "c" / name).read_bytes()
    assert first.visible_people == again.visible_people
    assert other.image.exists()


def test_a_scene_without_people_has_an_empty_truth(tmp_path: Path) -> None:
    files = make_scene(replace(SMALL, people=0), load_body(), tmp_path)
    assert check_truth(pq.read_table(files.truth)).num_rows == files.visible_people == 0
    assert not tifffile.imread(files.visible_id).any()


def test_a_new_scene_in_an_old_folder_replaces_it(tmp_path: Path) -> None:
    make_scene(SMALL, load_body(), tmp_path)
    files = make_scene(replace(SMALL, seed=9), load_body(), tmp_path)
    assert json.loads(files.description.read_text())["seed"] == 9
    assert json.loads(pq.read_metadata(files.truth).metadata[METADATA_KEY])["seed"] == 9


@pytest.mark.parametrize("where", ["develop", "joints_visible"])
def test_an_interrupted_scene_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    def broken(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(worker, where, broken)
    with pytest.raises(KeyboardInterrupt):
        make_scene(SMALL, load_body(), tmp_path)
    assert files_in(tmp_path) == []


def test_a_scene_whose_last_file_fails_leaves_the_older_one_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise KeyboardInterrupt

    make_scene(SMALL, load_body(), tmp_path)
    before = {name: (tmp_path / name).read_bytes() for name in files_in(tmp_path)}
    monkeypatch.setattr(make, "write_jpeg", broken)
    with pytest.raises(KeyboardInterrupt):
        make_scene(replace(SMALL, seed=9), load_body(), tmp_path)
    assert {name: (tmp_path / name).read_bytes() for name in files_in(tmp_path)} == before


def test_a_new_scene_takes_the_older_ones_files_with_it_and_nothing_else(tmp_path: Path) -> None:
    make_scene(SMALL, load_body(), tmp_path)
    described = json.loads((tmp_path / "scene.json").read_text())
    described["files"] |= {"image": "../mine.tif"}
    (tmp_path.parent / "mine.tif").touch()
    (tmp_path / "notes.tif").touch()
    make_scene(replace(SMALL, scene_id="other", jpeg=False), load_body(), tmp_path)
    assert files_in(tmp_path) == [
        "notes.tif",
        "other.tif",
        "scene.json",
        "truth/people.parquet",
        "truth/visible_id.tif",
    ]
    (tmp_path / "scene.json").write_text(json.dumps(described))
    make_scene(SMALL, load_body(), tmp_path)
    assert (tmp_path.parent / "mine.tif").exists()
    (tmp_path / "scene.json").write_text("[1]")
    make_scene(SMALL, load_body(), tmp_path)
    assert json.loads((tmp_path / "scene.json").read_text())["scene_id"] == "scene"


def test_a_scene_that_gets_no_names_has_no_description(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_scene(SMALL, load_body(), tmp_path)
    rename = Path.replace

    def broken(self: Path, target: Path) -> Path:
        if target.name == "scene.tif":
            raise OSError(28, "No space left on device")
        return rename(self, target)

    monkeypatch.setattr(Path, "replace", broken)
    with pytest.raises(StoreError, match=r"scene\.tif: cannot be written"):
        make_scene(replace(SMALL, seed=9), load_body(), tmp_path)
    assert "scene.json" not in files_in(tmp_path)
    assert not any(".part-" in name for name in files_in(tmp_path))


def test_one_scene_at_a_time_in_a_folder(tmp_path: Path) -> None:
    with output_lock(tmp_path), pytest.raises(StoreError, match="is writing there"):
        make_scene(SMALL, load_body(), tmp_path)
    assert files_in(tmp_path) == []


@pytest.mark.parametrize(("width", "height"), [(64, 64), (100, 100), (64, 600)])
def test_small_frames_have_small_tiles_that_libvips_reads(width: int, height: int, tmp_path: Path) -> None:
    files = make_scene(replace(SMALL, people=1, width=width, height=height), load_body(), tmp_path)
    with tifffile.TiffFile(files.image) as tiff:
        expected = tiff.pages.first.asarray()
        assert (tiff.pages.first.tilewidth, tiff.pages.first.tilelength) == (
            -(-width // 16) * 16,
            min(-(-height // 16) * 16, 512),
        )
    np.testing.assert_array_equal(vips().Image.new_from_file(str(files.image)).numpy(), expected)
    assert vips().Image.new_from_file(str(files.visible_id)).numpy().shape == (height, width)
    assert files.jpeg is not None
    assert cv2.imread(str(files.jpeg)).shape == (height, width, 3)


def test_bodies_of_other_shapes_are_rendered_and_those_not_in_metres_refused(tmp_path: Path) -> None:
    for seed in range(3):  # backpacks and shoulder bags among them
        files = make_scene(
            replace(SMALL, people=6, width=300, height=200, seed=seed), tiny_body(), tmp_path / str(seed)
        )
        assert files.visible_people > 0
    body = load_body()
    giant = replace(body, v_template=100 * body.v_template, shapedirs=100 * body.shapedirs)
    with pytest.raises(ConfigError, match=r"169 m tall.*give a body in metres"):
        make_scene(SMALL, giant, tmp_path / "giant")
    assert not (tmp_path / "giant").exists()


def test_the_description_names_what_was_taken_from_the_user(tmp_path: Path) -> None:
    photos, clips = tmp_path / "photos", tmp_path / "clips"
    (photos / "north").mkdir(parents=True)
    clips.mkdir()
    noise = np.random.default_rng(0).integers(0, 255, (300, 400, 3), dtype=np.uint8)
    cv2.imwrite(str(photos / "north" / "a.png"), noise)
    for name in ("a", "b"):
        np.savez(clips / f"{name}.npz", poses=np.zeros((4, 72)))
    files = make_scene(replace(SMALL, backdrops=photos, clips=clips), load_body(), tmp_path / "scene")
    described = json.loads(files.description.read_text())
    assert described["backdrops"] == {"folder": "photos", "photo": "north/a.png"}
    assert described["clips"] == {"folder": "clips", "count": 2}
    drawn = json.loads(make_scene(SMALL, load_body(), tmp_path / "drawn").description.read_text())
    assert (drawn["backdrops"], drawn["clips"]) == (None, None)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"height": 10}, "height 10 px"),
        ({"scene_id": "a" * 201}, "has 201 characters; give at most 200"),
        ({"preset": "moon"}, "preset 'moon' is unknown; give one of street, "),
        ({"workers": -1}, "workers -1"),
        ({"backdrops": Path("/nowhere")}, "backdrops /nowhere is not a folder"),
        ({"clips": Path("/nowhere")}, "clips /nowhere is not a folder"),
    ],
)
def test_requests_name_what_is_wrong(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        replace(SMALL, **changes)
