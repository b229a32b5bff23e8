"""Augmentation: labels stay on their pixels, whatever the view."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mili_core.body import SkinnedBody, load_body, rot6d_to_matrix
from mili_core.datasets import (
    AugmentSettings,
    BodyTruth,
    DegradeSettings,
    Sample,
    augment,
    photometric,
    still_view,
)
from mili_core.datasets.augment import MEAN_RGB, join, pad, place
from mili_core.datasets.clip import clip_polygons
from mili_core.datasets.degrade import degrade
from mili_core.datasets.flip import FLIPPED_JOINTS, FLIPPED_KEYPOINTS, flip
from mili_core.datasets.negatives import empty_canvas, person_free_crop
from mili_core.datasets.occluders import LEAST_LEFT, hide_part
from mili_core.datasets.outlines import fill_outline
from mili_core.datasets.sample import without_people

# Nothing but geometry, so that a white person stays white on black.
GEOMETRY = AugmentSettings(
    width=160,
    height=120,
    gain=0,
    contrast=0,
    brightness=0,
    grey=0,
    degrade=0,
    jpeg=0,
    min_visible=0.2,
    min_height_px=8,
    occluder=0,
)
NO_BOXES = np.zeros((0, 4), np.float32)


def white_person(box: tuple[int, int, int, int], width: int = 200, height: int = 150) -> Sample:
    """One white rectangle with an exact box, outline and keypoints at its corners and centre."""
    x0, y0, x1, y1 = box
    image = np.zeros((height, width, 3), np.uint8)
    image[y0:y1, x0:x1] = 255
    ring = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], np.float32)
    keypoints = np.zeros((1, 17, 3), np.float32)
    keypoints[0, 0] = [(x0 + x1) / 2, (y0 + y1) / 2, 2]
    keypoints[0, 5] = [x0, y0, 1]
    return Sample("p", image, np.array([box], np.float32), ((ring,),), keypoints, NO_BOXES, boxes_complete=True)


def polygon_area(ring: np.ndarray) -> float:
    x, y = ring[:, 0].astype(float), ring[:, 1].astype(float)
    return abs(float((x * np.roll(y, -1) - y * np.roll(x, -1)).sum())) / 2


boxes = st.tuples(st.integers(0, 150), st.integers(0, 100), st.integers(12, 50), st.integers(16, 50)).map(
    lambda b: (b[0], b[1], b[0] + b[2], b[1] + b[3])
)


@settings(max_examples=150, deadline=None)
@given(box=boxes, seed=st.integers(0, 2**32 - 1))
def test_box_outline_and_keypoints_follow_the_pixels(box: tuple[int, int, int, int], seed: int) -> None:
    view = augment(white_person(box), np.random.default_rng(seed), GEOMETRY)
    assert view.image.shape == (120, 160, 3)
    white = np.argwhere((view.image == 255).all(-1) | ((view.image[..., 0] > 127) & (view.image[..., 2] > 127)))
    known = np.concatenate([view.boxes_xyxy, view.ignore_boxes_xyxy])
    if not len(white):
        assert all(min(b[2] - b[0], b[3] - b[1]) <= 1.5 for b in known)
        return
    seen = np.concatenate([white.min(0)[::-1], white.max(0)[::-1] + 1])
    assert len(known) == 1
    np.testing.assert_allclose(known[0], seen, atol=1.6)
    if len(view.boxes_xyxy):
        rings = view.polygons[0]
        assert rings is not None
        np.testing.assert_allclose(np.concatenate(rings).min(0), known[0, :2], atol=0.01)
        np.testing.assert_allclose(np.concatenate(rings).max(0), known[0, 2:], atol=0.01)
        nose = view.keypoints[0, 0]
        if nose[2]:
            # A corner of the person may lie on the edge of the view: one px around it is looked at.
            column, row = int(nose[0]), int(nose[1])
            around = view.image[max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2]
            assert around.min(axis=-1).max() > 127


@settings(max_examples=60, deadline=None)
@given(box=boxes, seed=st.integers(0, 2**32 - 1))
def test_zoom_and_kept_labels_stay_in_range(box: tuple[int, int, int, int], seed: int) -> None:
    view = place(white_person(box), np.random.default_rng(seed), GEOMETRY)
    height = box[3] - box[1]
    for kept in view.boxes_xyxy:
        assert kept[3] - kept[1] >= GEOMETRY.min_height_px
        assert kept[3] - kept[1] <= GEOMETRY.max_zoom * height * 1.05 + 1
    assert view.image.shape[0] <= 120
    assert view.image.shape[1] <= 160


def test_equal_generators_give_equal_views() -> None:
    strong = AugmentSettings(width=160, height=120, grey=0.5, degrade=0.5, jpeg=0.5)
    one, two = (augment(white_person((50, 20, 90, 120)), np.random.default_rng(9), strong) for _ in range(2))
    np.testing.assert_array_equal(one.image, two.image)
    np.testing.assert_array_equal(one.boxes_xyxy, two.boxes_xyxy)


def test_most_views_hold_a_person_whole() -> None:
    sample = white_person((90, 40, 110, 80))
    small = replace(GEOMETRY, person_height_px=(24.0, 60.0))
    heights = []
    for seed in range(200):
        view = place(sample, np.random.default_rng(seed), small)
        heights += [float(b[3] - b[1]) for b in view.boxes_xyxy if b[3] - b[1] > 1.9 * (b[2] - b[0])]
    assert len(heights) >= 0.8 * 200
    assert np.percentile(heights, 10) < 40 < np.percentile(heights, 90)


def test_heights_follow_the_request_log_uniformly() -> None:
    sample = white_person((90, 40, 110, 80))
    free = AugmentSettings(width=416, height=256, person_height_px=(30.0, 90.0), min_fill=0.05, keep_person=1.0)
    heights = [place(sample, np.random.default_rng(i), free).boxes_xyxy[0] for i in range(300)]
    logs = np.log([b[3] - b[1] for b in heights])
    expected = np.linspace(np.log(30), np.log(90), 9)[1:-1]
    np.testing.assert_allclose(np.quantile(logs, np.linspace(0, 1, 9)[1:-1]), expected, atol=0.12)


def test_little_left_becomes_ignore() -> None:
    sample = white_person((0, 0, 200, 150))
    tight = replace(GEOMETRY, person_height_px=(375.0, 375.0), min_visible=0.5, flip=0.0)
    view = place(sample, np.random.default_rng(0), tight)
    assert len(view.boxes_xyxy) == 0
    assert len(view.polygons) == len(view.keypoints) == 0
    np.testing.assert_allclose(view.ignore_boxes_xyxy, [[0, 0, 160, 120]])
    lenient = place(sample, np.random.default_rng(0), replace(tight, min_visible=0.1))
    assert len(lenient.boxes_xyxy) == 1
    assert len(lenient.ignore_boxes_xyxy) == 0


def test_crowds_stay_ignored() -> None:
    sample = replace(white_person((50, 20, 90, 120)), ignore_boxes_xyxy=np.array([[0, 0, 200, 150]], np.float32))
    view = augment(sample, np.random.default_rng(1), GEOMETRY)
    assert len(view.ignore_boxes_xyxy) >= 1


@settings(max_examples=40, deadline=None)
@given(box=boxes)
def test_flipping_twice_changes_nothing(box: tuple[int, int, int, int]) -> None:
    sample = white_person(box)
    once, twice = flip(sample), flip(flip(sample))
    np.testing.assert_array_equal(once.image, sample.image[:, ::-1])
    np.testing.assert_allclose(once.boxes_xyxy[0, [0, 2]], [200 - box[2], 200 - box[0]])
    np.testing.assert_array_equal(once.keypoints[0, 6], [200 - box[0], box[1], 1])
    assert once.keypoints[0, 5, 2] == 0
    for name in ("image", "boxes_xyxy", "keypoints", "ignore_boxes_xyxy"):
        np.testing.assert_array_equal(getattr(twice, name), getattr(sample, name))
    assert twice.polygons[0] is not None
    assert sample.polygons[0] is not None
    np.testing.assert_array_equal(twice.polygons[0][0], sample.polygons[0][0])


def test_flip_swaps_left_and_right_names() -> None:
    names = ["nose"] + [
        side + part for part in ("eye", "ear", "sho", "elb", "wri", "hip", "knee", "ank") for side in "lr"
    ]
    for i, name in enumerate(names):
        mirrored = name if name == "nose" else {"l": "r", "r": "l"}[name[0]] + name[1:]
        assert names[FLIPPED_KEYPOINTS[i]] == mirrored


def test_padding_is_the_mean_colour_even_after_relighting() -> None:
    strong = AugmentSettings(width=300, height=300, brightness=80, degrade=1, jpeg=1)
    view = augment(white_person((50, 20, 90, 120)), np.random.default_rng(0), strong)
    assert view.image[-1, -1].tolist() == list(MEAN_RGB)
    mean, std = np.array([123.675, 116.28, 103.53]), np.array([58.395, 57.12, 57.375])
    assert np.abs((np.array(MEAN_RGB) - mean) / std).max() < 0.01
    with pytest.raises(ValueError, match="larger"):
        pad(view, 200, 300)


def test_bodies_are_relit_but_never_moved() -> None:
    body = BodyTruth(
        np.zeros((1, 24, 3, 3), np.float32),
        np.zeros((1, 10), np.float32),
        np.zeros((1, 24, 3), np.float32),
        np.zeros((1, 24, 3), np.float32),
    )
    sample = replace(white_person((50, 20, 90, 120)), bodies=body)
    with pytest.raises(ValueError, match="SMPL truth"):
        augment(sample, np.random.default_rng(0), GEOMETRY)
    relit = photometric(sample, np.random.default_rng(0), AugmentSettings())
    assert relit.bodies is body
    assert not np.array_equal(relit.image, sample.image)
    np.testing.assert_array_equal(relit.boxes_xyxy, sample.boxes_xyxy)


def test_join_puts_each_piece_in_its_place() -> None:
    one, two = white_person((10, 10, 30, 60), 80, 70), white_person((5, 5, 25, 45), 50, 60)
    joined = join([(one, 0, 0), (two, 80, 20)], 160, 120)
    np.testing.assert_array_equal(joined.image[20:80, 80:130], two.image)
    np.testing.assert_array_equal(joined.boxes_xyxy, [[10, 10, 30, 60], [85, 25, 105, 65]])
    np.testing.assert_array_equal(joined.keypoints[1, 5], [85, 25, 1])
    assert joined.keypoints[1, 7].tolist() == [0, 0, 0]
    assert joined.image[-1, 0].tolist() == list(MEAN_RGB)
    half = replace(two, boxes_complete=False)
    assert not join([(one, 0, 0), (half, 80, 20)], 160, 120).boxes_complete


def test_free_crop_shows_nobody() -> None:
    sample = white_person((80, 40, 120, 110))
    crops = [person_free_crop(sample, np.random.default_rng(i), GEOMETRY) for i in range(60)]
    found = [crop for crop in crops if crop is not None]
    assert len(found) > 50
    for crop in found:
        assert crop.image.shape == (120, 160, 3)
        assert crop.image.max() < 200  # padding at most, never the white person
        assert crop.boxes_complete
        assert len(crop.boxes_xyxy) == 0


def test_free_crop_respects_crowds_and_gives_up() -> None:
    everywhere = replace(
        without_people(np.zeros((150, 200, 3), np.uint8), "x"),
        ignore_boxes_xyxy=np.array([[0, 0, 200, 150]], np.float32),
    )
    assert person_free_crop(everywhere, np.random.default_rng(0), GEOMETRY) is None
    incomplete = replace(white_person((80, 40, 90, 50)), boxes_complete=False)
    assert person_free_crop(incomplete, np.random.default_rng(0), GEOMETRY) is None


def test_empty_canvases_differ() -> None:
    spreads = [empty_canvas(np.random.default_rng(i), GEOMETRY).image.std(axis=(0, 1)).max() for i in range(40)]
    assert min(spreads) < 3
    assert max(spreads) > 20


def test_degrade_loses_fine_detail_only() -> None:
    coarse = np.zeros((64, 64, 3), np.uint8)
    coarse[:, 32:] = 200
    checks = np.indices((64, 64)).sum(0) % 2 * 200
    fine = np.repeat(checks[..., None], 3, axis=2).astype(np.uint8)
    settings_ = DegradeSettings()
    assert degrade(fine, 0.25, settings_).std() < 3 < fine.std()
    kept = degrade(coarse, 0.25, settings_)
    assert kept.shape == coarse.shape
    assert np.abs(kept[:, :24].astype(int)).max() == 0
    np.testing.assert_array_equal(degrade(fine, 1.0, settings_), fine)
    nearest = degrade(fine, 0.25, DegradeSettings(down="nearest", up="nearest"))
    assert set(np.unique(nearest)) <= {0, 200}
    with pytest.raises(ValueError, match="scale_range"):
        DegradeSettings(scale_range=(0.0, 1.0))


@settings(max_examples=80, deadline=None)
@given(points=st.lists(st.tuples(st.integers(-40, 140), st.integers(-40, 140)), min_size=3, max_size=12))
def test_clipped_polygons_cover_the_same_pixels(points: list[tuple[int, int]]) -> None:
    hull = cv2.convexHull(np.array(points, np.int32)).reshape(-1, 2).astype(np.float32)
    clipped = clip_polygons((hull,), 100.0, 80.0)
    expected = 0.0
    if len(hull) >= 3:
        window = np.array([[0, 0], [100, 0], [100, 80], [0, 80]], np.float32)
        expected, _ = cv2.intersectConvexConvex(hull, window)
    assert sum(polygon_area(ring) for ring in clipped) == pytest.approx(expected, abs=0.05)
    for ring in clipped:
        assert (ring >= 0).all()
        assert (ring <= [100, 80]).all()


def test_clip_keeps_inner_rings_and_drops_outer_ones() -> None:
    inner = np.array([[1, 1], [5, 1], [5, 5]], np.float32)
    assert clip_polygons((inner, inner + 500), 10, 10)[0] is inner
    assert clip_polygons((inner + 500,), 10, 10) == ()
    assert clip_polygons((), 10, 10) == ()


def rendered_person(seed: int = 0) -> tuple[Sample, np.ndarray, tuple[float, float]]:
    """A person of the open body in front of a pinhole camera with truth, translation and principal point."""
    torch.manual_seed(seed)
    body = load_body()
    rotmats = rot6d_to_matrix(torch.tensor([1.0, 0, 0, 1, 0, 0]) + 0.4 * torch.randn(1, 24, 6))
    betas = torch.randn(1, 10)
    joints = SkinnedBody(body).joints(betas, rotmats)[0].numpy()
    transl, centre = np.array([0.4, 0.1, 4.0]), (90.0, 60.0)
    points = joints - joints[0] + transl
    pixels = 150.0 * points[:, :2] / points[:, 2:] + centre
    joints2d = np.concatenate([pixels, np.ones((24, 1))], axis=1)[None].astype(np.float32)
    truth = BodyTruth(
        rotmats.numpy(), betas.numpy(), (joints - joints[0])[None], joints2d, np.array([0.9], np.float32),
        ((np.array([[10, 10], [20, 10], [20, 40]], np.float32),),),
    )  # fmt: skip
    return replace(white_person((50, 20, 90, 120)), bodies=truth), transl, centre


def test_flipped_bodies_reproject_onto_the_flipped_image() -> None:
    sample, transl, centre = rendered_person()
    bodies = flip(sample).bodies
    assert bodies is not None
    assert sample.bodies is not None
    skinned = SkinnedBody(load_body())
    joints = skinned.joints(torch.from_numpy(bodies.betas), torch.from_numpy(bodies.rotmats))[0].numpy()
    joints = joints - joints[0]
    # The shipped body is symmetric but for millimetres.
    np.testing.assert_allclose(joints, bodies.joints3d_m[0], atol=0.012)
    points = joints + transl * [-1, 1, 1]
    pixels = 150.0 * points[:, :2] / points[:, 2:] + [200 - centre[0], centre[1]]
    np.testing.assert_allclose(pixels, bodies.joints2d[0, :, :2], atol=0.6)
    assert np.linalg.det(bodies.rotmats[0]) == pytest.approx(1.0, abs=1e-4)
    assert bodies.amodal_polygons is not None
    np.testing.assert_array_equal(bodies.amodal_polygons[0][0], [[190, 10], [180, 10], [180, 40]])


def test_flipping_bodies_twice_changes_nothing() -> None:
    sample, _, _ = rendered_person()
    once, twice = flip(sample).bodies, flip(flip(sample)).bodies
    assert sample.bodies is not None
    assert once is not None
    assert twice is not None
    assert not np.allclose(once.rotmats, sample.bodies.rotmats)
    for name in ("rotmats", "betas", "joints3d_m", "joints2d", "visible_fraction"):
        np.testing.assert_allclose(getattr(twice, name), getattr(sample.bodies, name), atol=1e-4)


def test_flipped_joints_are_the_ones_on_the_other_side() -> None:
    joints = load_body().j_regressor @ load_body().v_template
    np.testing.assert_allclose(joints[FLIPPED_JOINTS] * [-1, 1, 1], joints, atol=0.01)


def test_a_still_view_moves_nothing_but_left_and_right() -> None:
    sample, _, _ = rendered_person()
    settings_ = AugmentSettings(width=200, height=150)
    views = [still_view(sample, np.random.default_rng(seed), settings_) for seed in range(30)]
    for view in views:
        assert view.image.shape == sample.image.shape
        box = view.boxes_xyxy[0]
        assert ((box[:2] >= [50, 20]) & (box[2:] <= [90, 120])).all() or (
            (box[:2] >= [110, 20]) & (box[2:] <= [150, 120])
        ).all()
    lefts = [view.bodies.joints3d_m[0, 1, 0] for view in views if view.bodies is not None]
    assert len(np.unique(np.round(lefts, 4))) == 2
    with pytest.raises(ValueError, match="larger"):
        still_view(sample, np.random.default_rng(0), GEOMETRY)


def test_what_an_occluder_covers_is_gone_from_the_labels() -> None:
    sample, _, _ = rendered_person()
    changed = 0
    for seed in range(60):
        view = hide_part(sample, np.random.default_rng(seed))
        if view is sample:
            continue
        painted = (view.image != sample.image).any(axis=-1)
        mask = np.zeros((150, 200), np.uint8)
        rings = view.polygons[0]
        assert rings is not None
        fill_outline(mask, rings)
        whole = np.zeros_like(mask)
        whole[20:120, 50:90] = 1
        share = mask.sum() / whole.sum()
        assert share > LEAST_LEFT - 0.02
        # Whoever is painted over is not in the outline, but for its border pixels.
        assert (mask.astype(bool) & painted & (whole == 1)).sum() <= 60
        assert view.bodies is not None
        assert view.bodies.visible_fraction is not None
        assert view.bodies.visible_fraction[0] == pytest.approx(0.9 * share, abs=0.03)
        points = np.concatenate(rings)
        np.testing.assert_allclose(view.boxes_xyxy[0], [*points.min(0), *points.max(0)], atol=1.0)
        changed += bool(share < 0.99)
        again = hide_part(sample, np.random.default_rng(seed))
        np.testing.assert_array_equal(view.image, again.image)
    assert changed > 20


def test_people_without_an_outline_are_not_covered() -> None:
    sample = replace(white_person((50, 20, 90, 120)), polygons=(None,))
    assert all(hide_part(sample, np.random.default_rng(seed)) is sample for seed in range(10))


def test_a_patch_is_never_cut_from_a_person() -> None:
    sample = white_person((50, 20, 90, 120))  # nothing else is white
    views = [hide_part(sample, np.random.default_rng(seed)) for seed in range(60)]
    tints = [view.image[(view.image != sample.image).any(axis=-1)] for view in views]
    black = sum(int((tint == 0).all()) for tint in tints if len(tint))
    assert black > 20
    for tint in tints:  # black, or where no such place was found one colour: never black beside a person's white
        assert len(np.unique(tint, axis=0)) <= 1


@pytest.mark.parametrize("height", [12.0, 40.0, 120.0])
def test_a_filled_outline_has_the_area_of_its_polygon(height: float) -> None:
    angles = np.linspace(0, 2 * np.pi, 90, endpoint=False)
    ring = np.stack([80.3 + 0.2 * height * np.cos(angles), 75.6 + 0.5 * height * np.sin(angles)], axis=1)
    mask = np.zeros((150, 160), np.uint8)
    fill_outline(mask, (ring.astype(np.float32),))
    assert mask.sum() == pytest.approx(polygon_area(ring), rel=0.03, abs=2)


def test_an_outline_fills_whole_pixels_exactly_and_is_cut_at_the_mask() -> None:
    mask = np.zeros((8, 10), np.uint8)
    outer, hole = (np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], np.float32) for x0, y0, x1, y1 in (
        (6, -3, 14, 5), (7, 1, 9, 3)))  # fmt: skip
    fill_outline(mask, (outer, hole))
    expected = np.zeros((8, 10), np.uint8)
    expected[0:5, 6:10] = 1
    expected[1:3, 7:9] = 0
    np.testing.assert_array_equal(mask, expected)
    fill_outline(mask, (outer - 40,))
    fill_outline(mask, ())
    np.testing.assert_array_equal(mask, expected)
