from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from mili_core.body import SkinnedBody, axis_angle_to_matrix
from mili_core.synth.camera import SceneCamera
from pipeline.place import Placement, place, pose
from pipeline.place.pose import turn_to
from pipeline.place.report import camera_entry
from pipeline.place.standing import is_straight
from pipeline.table import people_table, read_people, write_people
from pipeline.types import MergeResult, SceneDetections
from schemas.people import file_metadata
from tests.people_scenes import RUN, everyone_alone
from tests.place_scenes import Known, block_joints, body, known_scene, pool, unlike_views

CAMERAS = {
    "level": SceneCamera(6000, 4000, 5200.0, 0.0, 6.0),
    "rolled": SceneCamera(6000, 4000, 4300.0, np.deg2rad(12), 7.0, np.deg2rad(-7)),
    "tele": SceneCamera(8000, 5000, 13000.0, np.deg2rad(20), 20.0, np.deg2rad(2)),
    "wide": SceneCamera(5000, 5000, 2800.0, np.deg2rad(35), 9.0),
}


def seen(name: str, people: int = 40, **options: object) -> tuple[Known, Placement]:
    known = known_scene(CAMERAS[name], people, 3, **options)  # type: ignore[arg-type]
    return known, placed(known, CAMERAS[name].focal_px)


def placed(known: Known, focal_px: float | None) -> Placement:
    return place(known.frame, known.views, known.merge, known.blocks, body(), focal_px=focal_px)


def angle_deg(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return np.asarray(np.degrees(np.arccos(np.clip((one * other).sum(axis=-1), -1.0, 1.0))))


@pytest.mark.parametrize("name", CAMERAS)
def test_people_are_where_they_are(name: str) -> None:
    known, placement = seen(name)
    camera = known.camera
    pelvis = placement.transl_m + (known.joints_m[:, 0] - known.transl_m)
    assert np.median(np.abs(pelvis[:, 2] / known.joints_m[:, 0, 2] - 1.0)) < 0.01
    assert placement.ground is not None
    down = camera.world_to_camera[:, 1]
    assert angle_deg(np.array(placement.ground.down), down) < 1.5
    assert placement.ground.camera_height_m == pytest.approx(camera.height_m, rel=0.03)
    assert placement.ground.scale_source == "bodies"
    off = np.linalg.norm(placement.ground_xy_m - known.ground_m, axis=1) / known.joints_m[:, 0, 2]
    assert np.median(off) < 0.01
    assert placement.ground.horizon_row_px(placement.camera) == pytest.approx(
        camera.horizon_y, abs=0.03 * camera.focal_px
    )
    assert placement.ground.roll_rad == pytest.approx(camera.roll_rad, abs=0.02)
    assert placement.ground.pitch_rad == pytest.approx(camera.pitch_rad, abs=0.03)


@pytest.mark.parametrize("name", CAMERAS)
def test_upright_people_stay_upright(name: str) -> None:
    known, placement = seen(name)
    assert placement.ground is not None
    turn = placement.root_rotmats @ known.root_rotmats.transpose(0, 2, 1)
    ups = turn @ -known.camera.world_to_camera[:, 1]
    off = angle_deg(ups, -np.array(placement.ground.down))[known.standing]
    assert np.percentile(off, 95) < 3.0
    # The root rotations of their blocks are far from the plane's normal: the turn is what keeps them upright.
    assert known.views.bodies is not None
    untouched = known.views.bodies.rotmats[:, 0] @ known.root_rotmats.transpose(0, 2, 1)
    assert (
        np.percentile(angle_deg(untouched @ -known.camera.world_to_camera[:, 1], -np.array(placement.ground.down)), 95)
        > 5
    )


@pytest.mark.parametrize("name", CAMERAS)
def test_rows_of_the_table_put_bodies_where_their_joints_are_seen(name: str) -> None:
    known, placement = seen(name)
    table = people_table(known.frame, known.views, known.merge, known.blocks, None, RUN, placement=placement)
    rows = table.to_pylist()
    pose = torch.tensor([row["global_orient"] + row["body_pose"] for row in rows], dtype=torch.float64).reshape(
        -1, 24, 3
    )
    betas = torch.tensor([row["betas"] for row in rows])
    joints = SkinnedBody(body()).joints(betas, axis_angle_to_matrix(pose).float()).numpy().astype(np.float64)
    joints += np.array([row["transl"] for row in rows])[:, None]
    principal = np.array([[row["principal_x"], row["principal_y"]] for row in rows])[:, None]
    focal = np.array([row["focal_px"] for row in rows])[:, None, None]
    pixels = joints[..., :2] / joints[..., 2:] * focal + principal
    # The table is in another order than the scene: each row's person is the one whose noisy joints it holds.
    kept = np.array([row["joints2d"] for row in rows]).reshape(-1, 24, 3)[..., :2]
    assert known.views.joints2d_frame is not None
    who = [int(np.abs(known.views.joints2d_frame[..., :2] - each).sum(axis=(1, 2)).argmin()) for each in kept]
    off = np.sqrt((np.linalg.norm(pixels - known.joints2d[who], axis=-1) ** 2).mean(axis=1))
    assert np.median(off) < 1.0
    assert np.percentile(off, 90) < 1.5
    joints3d = np.array([row["joints3d"] for row in rows]).reshape(-1, 24, 3)
    np.testing.assert_allclose(joints3d, joints - joints[:, :1], atol=2e-4)
    assert known.views.bodies is not None
    block_roots = axis_angle_to_matrix(torch.tensor([row["global_orient_block"] for row in rows])).numpy()
    np.testing.assert_allclose(block_roots, known.views.bodies.rotmats[who, 0], atol=1e-5)
    assert {row["focal_source"] for row in rows} == {"flag"}


def test_distances_across_blocks_are_right_only_in_one_camera() -> None:
    known, placement = seen("rolled", 60)
    index = known.views.block_index
    one, other = np.nonzero(np.triu(index[:, None] != index[None, :], 1))
    assert len(one) > 500
    true = np.linalg.norm(known.joints_m[one, 0] - known.joints_m[other, 0], axis=1)
    pelvis = placement.transl_m + (known.joints_m[:, 0] - known.transl_m)

    def error(points: np.ndarray) -> float:
        return float(np.median(np.abs(np.linalg.norm(points[one] - points[other], axis=1) / true - 1.0)))

    assert error(pelvis) < 0.02
    assert error(block_joints(known)[:, 0]) > 0.3


def test_joints_as_blocks_project_them_are_placed_as_well() -> None:
    known, placement = seen("rolled", noise_px=0.0, virtual=True)
    pelvis = placement.transl_m + (known.joints_m[:, 0] - known.transl_m)
    assert np.median(np.abs(pelvis[:, 2] / known.joints_m[:, 0, 2] - 1.0)) < 0.02


@pytest.mark.parametrize("name", CAMERAS)
def test_joints_as_blocks_project_them_are_met_but_for_what_the_views_differ_by(name: str) -> None:
    known, placement = seen(name, noise_px=0.0, virtual=True)
    assert known.views.joints2d_frame is not None
    size_px = np.ptp(known.views.joints2d_frame[..., :2], axis=1).max(axis=1)
    pelvis = placement.transl_m + (known.joints_m[:, 0] - known.transl_m)
    share = placement.error_px / (size_px * unlike_views(known, pelvis))
    assert share.max() < 0.25
    assert np.median(share) < 0.1
    assert np.median(share) > 0.02  # so that the limit is no empty one


@pytest.mark.parametrize("name", CAMERAS)
def test_turning_bodies_freely_meets_those_joints_hardly_better(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    _, placement = seen(name, noise_px=0.0, virtual=True)
    monkeypatch.setattr(pose, "ROTATION_PRIOR_RAD", 10.0)
    monkeypatch.setattr(pose, "PIXEL_SPREAD", (1.0, 0.0))
    _, free = seen(name, noise_px=0.0, virtual=True)
    least = np.minimum(free.error_px, placement.error_px)
    assert np.sqrt((placement.error_px**2).mean()) < 1.05 * np.sqrt((least**2).mean())


def test_bodies_of_one_size_leave_the_scale_to_the_height_line() -> None:
    known, placement = seen("rolled", 60, poor_betas=True)
    assert placement.ground is not None
    assert placement.ground.scale_source == "standing height"
    off = np.linalg.norm(placement.ground_xy_m - known.ground_m, axis=1) / known.joints_m[:, 0, 2]
    assert np.median(off) < 0.08
    # Sizes at random are worse than none.
    rng = np.random.default_rng(0)
    assert known.views.bodies is not None
    betas = known.views.bodies.betas.copy()
    betas[:, 0] = rng.normal(0.0, 3.0, len(betas))
    views = replace(known.views, bodies=replace(known.views.bodies, betas=betas))
    noisy = place(known.frame, views, known.merge, known.blocks, body(), focal_px=known.camera.focal_px)
    assert noisy.ground is not None
    assert noisy.ground.camera_height_m == pytest.approx(known.camera.height_m, rel=0.12)


def test_people_on_a_balcony_do_not_lift_the_ground() -> None:
    camera = CAMERAS["rolled"]
    below = known_scene(camera, 45, 3)
    above = known_scene(replace(camera, height_m=camera.height_m - 3.0), 15, 4)
    views = SceneDetections.concat([below.views, above.views])
    placement = place(below.frame, views, everyone_alone(views), below.blocks, body(), focal_px=camera.focal_px)
    assert placement.ground is not None
    assert placement.ground.camera_height_m == pytest.approx(camera.height_m, rel=0.05)
    assert placement.ground.inlier_share < 0.9


def test_nobody_and_too_few() -> None:
    known, _ = seen("level", 8)
    for count in (0, 1, 3):
        views = known.views.take(np.arange(count))
        placement = place(known.frame, views, everyone_alone(views), known.blocks, body())
        assert len(placement) == count
        assert placement.ground is None
        assert placement.ground_reason == f"{int(straight(views))} people stand and are seen whole; 5 are needed"
        assert np.isfinite(placement.transl_m).all()
        assert np.isnan(placement.ground_xy_m).all()
        table = people_table(known.frame, views, everyone_alone(views), known.blocks, None, RUN, placement=placement)
        assert table.num_rows == count
        assert table["ground_x"].null_count == count
        assert table["transl"].null_count == 0
        assert camera_entry(placement).ground is None


def straight(views: SceneDetections) -> int:
    assert views.bodies is not None
    return int(is_straight(views.bodies.joints3d_m.astype(np.float64)).sum())


def test_everybody_at_one_depth() -> None:
    camera = CAMERAS["level"]
    spots = np.column_stack([np.linspace(-6.0, 6.0, 30), np.full(30, 20.0)])
    known = known_scene(camera, 30, 1, spots=spots)
    placement = placed(known, camera.focal_px)
    depth = placement.transl_m[:, 2] + (known.joints_m[:, 0] - known.transl_m)[:, 2]
    np.testing.assert_allclose(depth, 20.0, rtol=0.05)
    if placement.ground is None:
        assert placement.ground_reason
    else:
        assert placement.ground.tilt_error_rad < np.deg2rad(6.0)


def test_joints_that_are_no_numbers_cost_their_person_only() -> None:
    known, whole = seen("rolled")
    assert known.views.joints2d_frame is not None
    known.views.joints2d_frame[7, 3, 0] = np.nan
    placement = placed(known, known.camera.focal_px)
    assert np.isnan(placement.transl_m[7]).all()
    others = np.arange(40) != 7
    np.testing.assert_allclose(placement.transl_m[others], whole.transl_m[others], atol=1e-4)
    assert camera_entry(placement).placed == 39


def test_bodies_that_cannot_be_placed_tell_of_no_ground() -> None:
    known, _ = seen("rolled")
    assert known.views.bodies is not None
    mirrored = replace(known.views.bodies, joints3d_m=-known.views.bodies.joints3d_m)
    views = replace(known.views, bodies=mirrored)
    placement = place(known.frame, views, known.merge, known.blocks, body(), focal_px=known.camera.focal_px)
    assert np.isnan(placement.transl_m).all()
    assert placement.ground is None
    assert placement.ground_reason


@pytest.mark.parametrize("missing", ["body", "bodies", "joints"])
def test_without_bodies_nobody_is_placed_and_it_is_said(missing: str) -> None:
    known, _ = seen("rolled", 6)
    views = replace(known.views, bodies=None) if missing == "bodies" else known.views
    views = replace(views, joints2d_frame=None) if missing == "joints" else views
    frame = replace(known.frame, focal_px=5000.0)
    placement = place(frame, views, known.merge, known.blocks, None if missing == "body" else body())
    assert np.isnan(placement.transl_m).all()
    entry = camera_entry(placement)
    assert (entry.focal_px, entry.focal_source, entry.placed) == (5000.0, "metadata", 0)
    assert "bod" in entry.ground_reason


def test_only_the_chosen_views_count_in_the_order_chosen() -> None:
    known, every = seen("wide")
    chosen = np.arange(40)[::-1].copy()
    merge = MergeResult(
        known.merge.group, chosen, known.views.boxes_frame[chosen], None, np.zeros(40, dtype=bool), chosen[:0], ()
    )
    placement = place(known.frame, known.views, merge, known.blocks, body(), focal_px=known.camera.focal_px)
    np.testing.assert_allclose(placement.transl_m, every.transl_m[::-1], rtol=1e-4, atol=1e-4)


def test_a_second_run_gives_the_same_bytes() -> None:
    (_, first), (_, second) = seen("tele"), seen("tele")
    assert first.transl_m.tobytes() == second.transl_m.tobytes()
    assert first.ground_xy_m.tobytes() == second.ground_xy_m.tobytes()


def test_the_file_says_how_ground_places_were_made(tmp_path_factory: pytest.TempPathFactory) -> None:
    known, placement = seen("rolled")
    table = people_table(known.frame, known.views, known.merge, known.blocks, None, RUN, placement=placement)
    out = tmp_path_factory.mktemp("out")
    write_people(table, known.frame, out)
    metadata = file_metadata(read_people(out).schema)
    assert metadata is not None
    assert metadata.ground is not None
    assert placement.ground is not None
    assert metadata.ground.camera_height == placement.ground.camera_height_m
    assert metadata.ground.unit == "m"
    assert metadata.ground.normal is not None
    np.testing.assert_allclose(metadata.ground.normal, -np.array(placement.ground.down))


def test_the_smallest_turn() -> None:
    rays = np.random.default_rng(0).normal(size=(50, 3)) * [1, 1, 0.2] + [0, 0, 1.5]
    turns = turn_to(rays)
    unit = rays / np.linalg.norm(rays, axis=1, keepdims=True)
    np.testing.assert_allclose(turns[:, :, 2], unit, atol=1e-12)
    np.testing.assert_allclose(turns @ turns.transpose(0, 2, 1), np.tile(np.eye(3), (50, 1, 1)), atol=1e-12)
    angle = np.arccos((np.trace(turns, axis1=1, axis2=2) - 1.0) / 2.0)
    np.testing.assert_allclose(angle, np.arccos(unit[:, 2]), atol=1e-6)


def test_who_stands() -> None:
    joints = pool().upright.joints_m.astype(np.float64)
    assert is_straight(joints[:120]).mean() > 0.9  # of those who stand or walk
    lying = joints[:120] @ np.array([[0.0, 1, 0], [-1, 0, 0], [0, 0, 1]])
    np.testing.assert_array_equal(is_straight(lying), is_straight(joints[:120]))
    bent = joints[:1].copy()
    bent[:, [7, 8, 10, 11]] = bent[:, [4, 5]].mean(axis=1, keepdims=True)
    assert not is_straight(bent).any()
    assert is_straight(np.zeros((2, 24, 3))).tolist() == [False, False]


def test_a_roll_beyond_what_is_looked_for_gives_no_ground() -> None:
    """The fit ends at its limit of 50 degrees there, however well a few people agree with it."""
    known = known_scene(SceneCamera(6000, 6000, 6000.0, np.deg2rad(20), 9.0, np.deg2rad(60)), 70, 1)
    found = placed(known, 6000.0)
    assert found.ground is None
    assert "tilt" in found.ground_reason
