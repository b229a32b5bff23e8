from __future__ import annotations

import math

import numpy as np
import pytest
import shapely
from numpy.typing import NDArray

from mili_core.raster import Backend
from pipeline.bodies import BATCH_SIZE, DerivedColumns, derive, silhouette_area, standing_heights
from pipeline.table import people_table
from pipeline.types import Bodies, SceneDetections
from tests.people_scenes import BLOCKS, FRAME, RUN, everyone_alone, random_views, slab_body

# Of the 832 x 512 network canvas, written down again: frame px = raster px x raster_px + window origin.
FOCAL_PX, CENTRE = 1000.0, np.array([416.0, 256.0])
RASTER_PX = (1.0, 2.0, 4.0)
ORIGIN = ((0.0, 0.0), (400.0, 300.0), (0.0, 0.0))
# Block 2 has a raster of 750 x 500 px, which is letterboxed by min(832 / 750, 512 / 500).
LETTERBOX = (1.0, 1.0, 512 / 500)
WIDTH_M, HEIGHT_M = 0.5, 1.8


def turn(axis: int, angle: float) -> NDArray[np.float32]:
    """Gives the rotation about one axis."""
    a, b = [i for i in range(3) if i != axis]
    matrix = np.eye(3, dtype=np.float32)
    matrix[a, a] = matrix[b, b] = math.cos(angle)
    matrix[a, b], matrix[b, a] = -math.sin(angle), math.sin(angle)
    return matrix


def views_of(
    roots: list[NDArray[np.float32]], transl_m: list[tuple[float, float, float]], blocks: list[int], beta: float = 0.0
) -> SceneDetections:
    """Gives one view for each root rotation, with boxes that play no part here."""
    count = len(roots)
    rotmats = np.tile(np.eye(3, dtype=np.float32), (count, 24, 1, 1))
    rotmats[:, 0] = np.array(roots, dtype=np.float32).reshape(-1, 3, 3)
    betas = np.zeros((count, 10), dtype=np.float32)
    betas[:, 0] = beta
    boxes = np.tile([100.0, 100.0, 200.0, 300.0], (count, 1))
    bodies = Bodies(
        rotmats,
        betas,
        np.zeros((count, 3), dtype=np.float32),
        boxes,
        np.array(transl_m, dtype=np.float32).reshape(-1, 3),
        np.zeros((count, 24, 3), dtype=np.float32),
    )
    scores = np.linspace(0.9, 0.1, count, dtype=np.float32)
    return SceneDetections(boxes, scores, np.array(blocks, dtype=np.int64), bodies=bodies)


def of(views: SceneDetections, backend: Backend = "auto") -> DerivedColumns:
    return derive(views, everyone_alone(views), BLOCKS, slab_body(WIDTH_M, HEIGHT_M), backend=backend)


@pytest.mark.parametrize("block", [0, 1, 2])
@pytest.mark.parametrize("transl_m", [(0.0, 0.0, 5.0), (-1.5, 0.7, 12.0), (3.0, -2.0, 30.0)])
def test_a_slab_that_faces_the_camera(block: int, transl_m: tuple[float, float, float]) -> None:
    derived = of(views_of([np.eye(3, dtype=np.float32)], [transl_m], [block]))
    x, y, z = transl_m
    frame_px = RASTER_PX[block] / LETTERBOX[block]  # frame px per network px
    corners = np.array([[x - WIDTH_M / 2, y - HEIGHT_M / 2], [x + WIDTH_M / 2, y + HEIGHT_M / 2]])
    expected = (corners / z * FOCAL_PX + CENTRE) * frame_px + ORIGIN[block]
    np.testing.assert_allclose(derived.bbox_full_frame[0], expected.reshape(-1), atol=0.02)
    area = WIDTH_M * HEIGHT_M * (FOCAL_PX / z * frame_px) ** 2
    assert derived.silhouette_area_px[0] == pytest.approx(area, rel=0.02)
    assert derived.height_m[0] == pytest.approx(HEIGHT_M, rel=1e-6)


@pytest.mark.parametrize("angle", [0.3, math.pi / 4, 1.2, math.pi / 2])
def test_a_turn_in_the_image_keeps_the_area(angle: float) -> None:
    derived = of(views_of([turn(2, angle)], [(0, 0, 8.0)], [0]))
    scale = FOCAL_PX / 8.0
    assert derived.silhouette_area_px[0] == pytest.approx(WIDTH_M * HEIGHT_M * scale**2, rel=0.02)
    cos, sin = math.cos(angle), math.sin(angle)
    size = np.array([WIDTH_M * cos + HEIGHT_M * sin, WIDTH_M * sin + HEIGHT_M * cos]) * scale
    x0, y0, x1, y1 = derived.bbox_full_frame[0]
    np.testing.assert_allclose((x1 - x0, y1 - y0), size, rtol=1e-3)


def test_a_turn_away_narrows_the_silhouette() -> None:
    # So far away that perspective plays no part; a turn by 60 degrees halves the width.
    derived = of(views_of([turn(1, 0.0), turn(1, math.pi / 3)], [(0, 0, 60.0)] * 2, [0, 0]))
    assert derived.silhouette_area_px[1] / derived.silhouette_area_px[0] == pytest.approx(0.5, rel=0.03)


def test_standing_height_follows_the_betas_not_the_pose() -> None:
    lying = of(views_of([turn(2, math.pi / 2)], [(0, 0, 8.0)], [0], beta=2.0))
    assert lying.height_m[0] == pytest.approx(HEIGHT_M * 1.2, rel=1e-6)
    assert standing_heights(slab_body(), np.zeros((0, 10), dtype=np.float32)).shape == (0,)


@pytest.mark.parametrize("depth_m", [0.0, -3.0, 0.01])
def test_bodies_beside_or_behind_the_camera_have_no_projection(depth_m: float) -> None:
    derived = of(views_of([np.eye(3, dtype=np.float32)] * 2, [(0, 0, depth_m), (0, 0, 5.0)], [0, 0]))
    assert np.isnan(derived.bbox_full_frame[0]).all()
    assert np.isnan(derived.silhouette_area_px[0])
    assert np.isfinite(derived.bbox_full_frame[1]).all()
    assert np.isfinite(derived.height_m).all()


def test_without_bodies_nothing_is_known() -> None:
    views = views_of([np.eye(3, dtype=np.float32)] * 2, [(0, 0, 5.0)] * 2, [0, 0])
    bare = SceneDetections(views.boxes_frame, views.scores, views.block_index)
    for derived in (of(bare), derive(views, everyone_alone(views), BLOCKS, None)):
        assert len(derived) == 2
        for values in (derived.bbox_full_frame, derived.silhouette_area_px, derived.height_m):
            assert np.isnan(values).all()


def test_nobody() -> None:
    assert len(of(views_of([], [], []))) == 0


def test_only_the_chosen_views_count_in_the_order_chosen() -> None:
    views = random_views(np.random.default_rng(0), 9)
    every = of(views)
    some = everyone_alone(views.take(np.arange(3)))
    object.__setattr__(some, "chosen", np.array([7, 2, 5]))
    derived = derive(views, some, BLOCKS, slab_body(WIDTH_M, HEIGHT_M))
    np.testing.assert_array_equal(derived.bbox_full_frame, every.bbox_full_frame[[7, 2, 5]])
    np.testing.assert_array_equal(derived.silhouette_area_px, every.silhouette_area_px[[7, 2, 5]])
    np.testing.assert_array_equal(derived.height_m, every.height_m[[7, 2, 5]])


def test_batches_leave_no_seam() -> None:
    count = 2 * BATCH_SIZE + 3
    views = random_views(np.random.default_rng(1), count)
    every = of(views)
    for row in (0, BATCH_SIZE - 1, BATCH_SIZE, count - 1):
        alone = of(views.take(np.array([row])))
        np.testing.assert_allclose(alone.bbox_full_frame[0], every.bbox_full_frame[row], rtol=1e-5, atol=1e-2)
        np.testing.assert_allclose(alone.silhouette_area_px[0], every.silhouette_area_px[row], rtol=0.02)


def test_a_second_run_gives_the_same_bytes() -> None:
    views = random_views(np.random.default_rng(2), 20)
    first, second = of(views), of(views)
    assert first.bbox_full_frame.tobytes() == second.bbox_full_frame.tobytes()
    assert first.silhouette_area_px.tobytes() == second.silhouette_area_px.tobytes()


def test_both_rasterisers_agree() -> None:
    pytest.importorskip("numba")
    views = random_views(np.random.default_rng(3), 3)
    numba, torch = of(views, "numba"), of(views, "torch")
    np.testing.assert_allclose(numba.silhouette_area_px, torch.silhouette_area_px, rtol=0.005)


def test_a_mesh_without_extent_has_no_area() -> None:
    faces = np.array([[0, 1, 2]])
    points, depth = np.zeros((3, 2)), np.ones(3, dtype=np.float32)
    assert math.isnan(silhouette_area(points, depth, faces))
    assert silhouette_area(np.array([[0.0, 0], [4, 0], [8, 0]]), depth, faces) == 0.0


@pytest.mark.parametrize(("share", "expected"), [(0.5, 0.5), (1.0, 1.0), (1.7, 1.0)])
def test_visible_fraction_is_the_outline_s_share_of_the_silhouette(share: float, expected: float) -> None:
    views = views_of([np.eye(3, dtype=np.float32)], [(0.0, 0.0, 5.0)], [0])
    derived = of(views)
    x0, y0, x1, y1 = derived.bbox_full_frame[0]
    outline = np.array([shapely.box(x0, y0, x1, y0 + share * (y1 - y0))], dtype=object)
    box = np.array([outline[0].bounds])
    views = SceneDetections(box, views.scores, views.block_index, outlines=outline, bodies=views.bodies)
    rows = people_table(FRAME, views, everyone_alone(views), BLOCKS, derived, RUN)
    assert rows["visible_fraction"][0].as_py() == pytest.approx(expected, rel=0.02)
