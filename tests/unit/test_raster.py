"""The rasteriser: closed forms, the rules of its contract, and the parity of its two backends."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import mili_core.raster.choice
from mili_core.body import load_body
from mili_core.errors import ConfigError, DependencyError
from mili_core.raster import Backend, Choice, Raster, RasterJob, rasterise, rasterise_many, resolve, torch_twin, using
from mili_core.raster.contract import NEAR_M

BACKENDS: tuple[Backend, ...] = ("numba", "torch")

backends = pytest.mark.parametrize("backend", BACKENDS)


def mesh(*corners: tuple[float, float, float]) -> np.ndarray:
    return np.array(corners, dtype=np.float32)


def one_face() -> np.ndarray:
    return np.array([[0, 1, 2]], dtype=np.int64)


def slow_raster(vertices: np.ndarray, faces: np.ndarray, width: int, height: int) -> Raster:
    """The contract read aloud: every pixel against every triangle, in exact integer arithmetic for coverage."""
    depth = np.full((height, width), np.inf, dtype=np.float32)
    ids = np.full((height, width), -1, dtype=np.int32)
    barycentrics = np.zeros((height, width, 3), dtype=np.float32)
    snapped = np.floor(vertices[:, :2].astype(np.float64) * 256.0 + 0.5).astype(np.int64)
    for face, corners in enumerate(faces.tolist()):
        z = vertices[corners, 2].astype(np.float64)
        (x0, y0), (x1, y1), (x2, y2) = (tuple(map(int, snapped[corner])) for corner in corners)
        area = (x1 - x0) * (y2 - y0) - (y1 - y0) * (x2 - x0)
        if area == 0 or not (z > NEAR_M).all():
            continue
        sign = 1 if area > 0 else -1
        sides = (((x1, y1), (x2, y2)), ((x2, y2), (x0, y0)), ((x0, y0), (x1, y1)))
        for row in range(height):
            for column in range(width):
                px, py = 256 * column + 128, 256 * row + 128
                values = []
                for (ax, ay), (bx, by) in sides:
                    dx, dy = sign * (bx - ax), sign * (by - ay)
                    value = dx * (py - ay) - dy * (px - ax)
                    top_or_left = dy < 0 or (dy == 0 and dx > 0)
                    if value < 0 or (value == 0 and not top_or_left):
                        break
                    values.append(value / abs(area))
                if len(values) < 3:
                    continue
                weights = np.array(values) / z
                inside = 1.0 / weights.sum()
                if np.float32(inside) < depth[row, column]:
                    depth[row, column] = inside
                    ids[row, column] = face
                    barycentrics[row, column] = weights * inside
    return Raster(depth, ids, barycentrics)


@backends
def test_square_of_two_triangles_covers_each_pixel_once(backend: Backend) -> None:
    corners = mesh((1.0, 1.0, 2.0), (5.0, 1.0, 2.0), (5.0, 4.0, 2.0), (1.0, 4.0, 2.0))
    raster = rasterise(corners, np.array([[0, 1, 2], [0, 2, 3]]), 8, 6, backend=backend)
    expected = np.zeros((6, 8), dtype=bool)
    expected[1:4, 1:5] = True
    assert ((raster.ids >= 0) == expected).all()
    assert np.isinf(raster.depth[~expected]).all()
    np.testing.assert_allclose(raster.depth[expected], 2.0)
    assert raster.depth.dtype == np.float32
    assert raster.ids.dtype == np.int32
    assert raster.barycentrics.dtype == np.float32


@backends
def test_edges_through_pixel_centres_belong_to_top_and_left(backend: Backend) -> None:
    # Half-open like boxes: centres on the left and top edges are in, those on the right and bottom are out.
    corners = mesh((1.5, 1.5, 1.0), (4.5, 1.5, 1.0), (4.5, 3.5, 1.0), (1.5, 3.5, 1.0))
    for faces in ([[0, 1, 2], [0, 2, 3]], [[2, 1, 0], [3, 2, 0]], [[0, 1, 3], [1, 2, 3]]):
        raster = rasterise(corners, np.array(faces), 7, 6, backend=backend)
        expected = np.zeros((6, 7), dtype=bool)
        expected[1:3, 1:4] = True
        assert ((raster.ids >= 0) == expected).all()


@backends
def test_nearest_wins_and_equal_depth_goes_to_the_lower_id(backend: Backend) -> None:
    near = [(0.0, 0.0, 1.0), (9.0, 0.0, 1.0), (0.0, 9.0, 1.0)]
    far = [(0.0, 0.0, 3.0), (9.0, 0.0, 3.0), (0.0, 9.0, 3.0)]
    corners = mesh(*far, *near, *near)
    raster = rasterise(corners, np.arange(9).reshape(3, 3), 4, 4, backend=backend)
    assert (raster.ids == 1).all()
    np.testing.assert_allclose(raster.depth, 1.0)


@backends
def test_depth_and_barycentrics_are_perspective_correct(backend: Backend) -> None:
    # A plane in space: n . p = d. Its depth at a pixel is known in closed form.
    focal, centre = 40.0, 16.0
    space = np.array([[-1.0, -1.2, 3.0], [1.5, -0.8, 8.0], [-0.4, 1.6, 5.0]])
    normal = np.cross(space[1] - space[0], space[2] - space[0])
    corners = np.column_stack([space[:, :2] / space[:, 2:] * focal + centre, space[:, 2]]).astype(np.float32)
    raster = rasterise(corners, one_face(), 32, 32, backend=backend)
    rows, columns = np.nonzero(raster.ids >= 0)
    assert len(rows) > 20
    rays = np.column_stack([(columns + 0.5 - centre) / focal, (rows + 0.5 - centre) / focal, np.ones(len(rows))])
    expected = (normal @ space[0]) / (rays @ normal)
    np.testing.assert_allclose(raster.depth[rows, columns], expected, rtol=2e-3)
    weights = raster.barycentrics[rows, columns]
    np.testing.assert_allclose(weights.sum(axis=1), 1.0, atol=1e-6)
    np.testing.assert_allclose(weights @ space[:, 2], raster.depth[rows, columns], rtol=1e-5)
    np.testing.assert_allclose(weights @ space, rays * expected[:, None], atol=0.02)


@backends
@pytest.mark.parametrize(
    "corners",
    [
        mesh((1.0, 1.0, 1.0), (5.0, 5.0, 1.0), (3.0, 3.0, 1.0)),
        mesh((1.0, 1.0, 1.0), (6.0, 1.0, NEAR_M), (1.0, 6.0, 1.0)),
        mesh((1.0, 1.0, 1.0), (6.0, 1.0, -2.0), (1.0, 6.0, 1.0)),
        mesh((1.0, 1.0, 1.0), (np.nan, 1.0, 1.0), (1.0, 6.0, 1.0)),
        mesh((1.0, 1.0, 1.0), (np.inf, 1.0, 1.0), (1.0, 6.0, 1.0)),
        mesh((1.0, 1.0, 1.0), (6.0, 1.0, np.nan), (1.0, 6.0, 1.0)),
        mesh((-9.0, 1.0, 1.0), (-2.0, 1.0, 1.0), (-2.0, 6.0, 1.0)),
    ],
    ids=["no area", "on the near plane", "behind", "nan", "infinite", "nan depth", "outside"],
)
def test_unusable_triangles_are_skipped(corners: np.ndarray, backend: Backend) -> None:
    raster = rasterise(corners, one_face(), 8, 8, backend=backend)
    assert (raster.ids == -1).all()
    assert np.isinf(raster.depth).all()
    assert not raster.barycentrics.any()


@backends
def test_an_empty_mesh_gives_an_empty_raster(backend: Backend) -> None:
    raster = rasterise(np.zeros((0, 3), np.float32), np.zeros((0, 3), np.int64), 5, 3, backend=backend)
    assert raster.depth.shape == (3, 5)
    assert (raster.ids == -1).all()
    assert raster.barycentrics.shape == (3, 5, 3)


@backends
def test_a_triangle_far_larger_than_the_raster_fills_it(backend: Backend) -> None:
    corners = mesh((-1e5, -1e5, 2.0), (2e5, -1e5, 2.0), (-1e5, 2e5, 2.0))
    assert (rasterise(corners, one_face(), 300, 200, backend=backend).ids == 0).all()


@pytest.mark.parametrize(
    ("vertices", "faces", "width", "height", "words"),
    [
        (np.zeros((4, 2), np.float32), np.zeros((0, 3), np.int64), 4, 4, r"\(4, 2\)"),
        (np.zeros((4, 3), np.float32), np.zeros((1, 4), np.int64), 4, 4, r"\(1, 4\)"),
        (np.zeros((4, 3), np.float32), np.array([[0, 1, 4]]), 4, 4, "there are 4"),
        (np.zeros((4, 3), np.float32), np.array([[0, -1, 2]]), 4, 4, "-1"),
        (np.zeros((4, 3), np.float32), np.zeros((0, 3), np.int64), 0, 4, "0x4"),
    ],
)
def test_wrong_arguments_are_named(
    vertices: np.ndarray, faces: np.ndarray, width: int, height: int, words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        rasterise(vertices, faces, width, height)


def test_without_numba_auto_takes_torch_and_numba_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mili_core.raster.choice, "has_numba", lambda: False)
    corners = mesh((0.0, 0.0, 1.0), (4.0, 0.0, 1.0), (0.0, 4.0, 1.0))
    assert (rasterise(corners, one_face(), 4, 4).ids >= 0).any()
    with pytest.raises(DependencyError, match=r"\.\[synth\]"):
        rasterise(corners, one_face(), 4, 4, backend="numba")
    with pytest.raises(DependencyError, match=r"\.\[synth\]"), using("numba"):
        pass


@st.composite
def meshes(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Small meshes whose corners often lie on pixel centres and edges, where ties happen."""
    halves = st.integers(-6, 40).map(lambda value: value / 2.0)
    anywhere = st.floats(-4.0, 20.0, width=32)
    depth = st.sampled_from([-1.0, 0.5, 1.0, 1.0, 2.0, 7.5])
    corners = draw(st.lists(st.tuples(halves | anywhere, halves | anywhere, depth), min_size=3, max_size=9))
    index = st.integers(0, len(corners) - 1)
    faces = draw(st.lists(st.tuples(index, index, index), max_size=8))
    return mesh(*corners), np.array(faces, dtype=np.int64).reshape(-1, 3)


@settings(max_examples=60, deadline=None)
@given(meshes())
def test_both_backends_agree_with_the_slow_twin(case: tuple[np.ndarray, np.ndarray]) -> None:
    vertices, faces = case
    slow = slow_raster(vertices, faces, 12, 10)
    for backend in BACKENDS:
        fast = rasterise(vertices, faces, 12, 10, backend=backend)
        # Depths of crossing triangles may round to either side of each other; coverage may not.
        assert ((fast.ids >= 0) == (slow.ids >= 0)).all()
        np.testing.assert_allclose(fast.depth, slow.depth, rtol=1e-6)
        assert (fast.ids == slow.ids).mean() >= 0.98


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 40), st.integers(0, 30))
def test_a_window_of_a_raster_equals_the_raster_of_the_window(seed: int, left: int, top: int) -> None:
    rng = np.random.default_rng(seed)
    vertices = rng.uniform([-10.0, -10.0, 1.0], [70.0, 50.0, 4.0], (12, 3)).astype(np.float32)
    vertices[:, :2] = np.round(vertices[:, :2] * 256) / 256
    faces = rng.integers(0, 12, (10, 3))
    whole = rasterise(vertices, faces, 60, 40)
    shifted = vertices - np.array([left, top, 0.0], dtype=np.float32)
    window = rasterise(shifted, faces, 20, 10)
    assert (window.ids == whole.ids[top : top + 10, left : left + 20]).all()


@pytest.mark.parametrize("height_px", [12, 60, 400])
def test_backends_agree_on_a_body(height_px: int) -> None:
    body = load_body()
    turned = body.v_template * np.array([1.0, -1.0, -1.0], dtype=np.float32)
    scale = height_px / np.ptp(turned[:, 1])
    depth = turned[:, 2] + 6.0
    screen = turned[:, :2] * 6.0 / depth[:, None] * scale
    screen -= screen.min(axis=0) - 1.3
    vertices = np.column_stack([screen, depth]).astype(np.float32)
    width, height = (int(side) + 3 for side in screen.max(axis=0))
    numba, twin = (rasterise(vertices, body.faces, width, height, backend=backend) for backend in BACKENDS)
    assert (numba.ids == twin.ids).mean() >= 0.995
    assert ((numba.ids >= 0) == (twin.ids >= 0)).all()
    same = numba.ids == twin.ids
    np.testing.assert_allclose(numba.depth[same], twin.depth[same], rtol=1e-6)
    np.testing.assert_allclose(numba.barycentrics[same], twin.barycentrics[same], atol=1e-5)


def random_jobs(count: int) -> list[RasterJob]:
    """Meshes of several sizes, one without a face, one larger than its raster, on rasters of several sizes."""
    rng = np.random.default_rng(4)
    jobs = [RasterJob(np.zeros((0, 3), np.float32), np.zeros((0, 3), np.int64), 5, 3)]
    for number in range(count):
        width, height = (int(side) for side in rng.integers(1, 90, 2))
        reach = [width + 10.0, height + 10.0, 4.0] if number else [9e4, 9e4, 4.0]
        vertices = rng.uniform([-10.0, -10.0, -0.2], reach, (40, 3)).astype(np.float32)
        jobs.append(RasterJob(vertices, rng.integers(0, 40, (int(rng.integers(1, 60)), 3)), width, height))
    return jobs


def assert_same(one: Raster, other: Raster) -> None:
    np.testing.assert_array_equal(one.ids, other.ids)
    np.testing.assert_array_equal(one.depth, other.depth)
    np.testing.assert_array_equal(one.barycentrics, other.barycentrics)


@backends
@pytest.mark.parametrize("batch_pixels", [1, 9_000, 1 << 24])
def test_many_equal_one_by_one(backend: Backend, batch_pixels: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch_twin, "BATCH_PIXELS", batch_pixels)
    jobs = random_jobs(12)
    together = rasterise_many(jobs, backend=backend)
    assert sum(int((raster.ids >= 0).sum()) for raster in together) > 5000
    for job, raster in zip(jobs, together, strict=True):
        assert raster.depth.shape == (job.height, job.width)
        assert_same(raster, rasterise(job.vertices, job.faces, job.width, job.height, backend=backend))


@backends
def test_no_jobs_give_no_rasters(backend: Backend) -> None:
    assert rasterise_many([], backend=backend) == []


def test_both_backends_agree_on_many() -> None:
    jobs = random_jobs(8)
    for numba, twin in zip(rasterise_many(jobs, backend="numba"), rasterise_many(jobs, backend="torch"), strict=True):
        assert ((numba.ids >= 0) == (twin.ids >= 0)).all()
        np.testing.assert_allclose(numba.depth, twin.depth, rtol=1e-6)


def test_a_job_is_checked_when_it_is_made() -> None:
    with pytest.raises(ValueError, match="there are 4"):
        RasterJob(np.zeros((4, 3), np.float32), np.array([[0, 1, 4]]), 4, 4)


def test_the_backend_is_chosen_for_a_whole_block(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn_by: list[str] = []
    real = torch_twin.rasterise_torch

    def spied(jobs: list[RasterJob], device: str) -> list[Raster]:
        drawn_by.append(device)
        return real(jobs, device)

    monkeypatch.setattr(torch_twin, "rasterise_torch", spied)
    corners = mesh((0.0, 0.0, 1.0), (4.0, 0.0, 1.0), (0.0, 4.0, 1.0))
    outside = rasterise(corners, one_face(), 4, 4)
    with using("torch"):
        inside = rasterise(corners, one_face(), 4, 4)
        rasterise(corners, one_face(), 4, 4, backend="numba")
    assert drawn_by == ["cpu"]
    assert_same(inside, outside)
    rasterise(corners, one_face(), 4, 4)
    assert drawn_by == ["cpu"]


def test_choices_nest_and_end_with_their_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    assert resolve() == Choice("numba", "cpu")
    assert resolve(device="cuda") == Choice("torch", "cuda")
    assert resolve("torch") == Choice("torch", "cpu")
    with using("torch", "cuda:0"):
        assert resolve() == resolve("torch") == Choice("torch", "cuda:0")
        assert resolve(device="cpu") == Choice("torch", "cpu")
        assert resolve("numba") == Choice("numba", "cpu")
        with using("numba"):
            assert resolve() == Choice("numba", "cpu")
            assert resolve(device="cuda") == Choice("torch", "cuda")
        with using(device="cpu"):
            assert resolve() == Choice("torch", "cpu")
        assert resolve() == Choice("torch", "cuda:0")
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(resolve).result() == Choice("numba", "cpu")
    with pytest.raises(RuntimeError, match="inside"), using("torch"):
        raise RuntimeError("inside")
    assert resolve() == Choice("numba", "cpu")


@pytest.mark.parametrize(
    ("backend", "device", "words"),
    [
        ("torch", "tpu", "'tpu' is unknown"),
        ("torch", "cuda:x", "'cuda:x' is unknown"),
        ("torch", "cuda:9", "'cuda:9'.*1 CUDA devices"),
        ("numba", "cuda", "numba.*'cuda'"),
        ("opengl", "auto", "'opengl'"),
    ],
)
def test_wrong_choices_are_named(backend: Backend, device: str, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    with pytest.raises(ConfigError, match=words):
        rasterise_many([], backend=backend, device=device)
    with pytest.raises(ConfigError, match=words), using(backend, device):
        pass


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no CUDA device")
def test_the_torch_twin_gives_the_same_on_a_gpu() -> None:
    rng = np.random.default_rng(4)
    vertices = rng.uniform([-10.0, -10.0, 1.0], [310.0, 210.0, 4.0], (300, 3)).astype(np.float32)
    jobs = [*random_jobs(8), RasterJob(vertices, rng.integers(0, 300, (400, 3)), 300, 200)]
    with using("torch", "cuda"):
        on_gpu = rasterise_many(jobs)
    for gpu, cpu in zip(on_gpu, rasterise_many(jobs, backend="numba"), strict=True):
        same = gpu.ids == cpu.ids
        assert same.mean() >= 0.995
        np.testing.assert_allclose(gpu.depth[same], cpu.depth[same], rtol=1e-6)
        np.testing.assert_allclose(gpu.barycentrics[same], cpu.barycentrics[same], atol=1e-5)
