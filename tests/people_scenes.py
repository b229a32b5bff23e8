"""Made-up views, merges and bodies for tests of what comes after inference."""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray

from mili_core.body import PARENTS, BodyModel
from pipeline.bodies import DerivedColumns
from pipeline.table import RunIdentity
from pipeline.types import Block, Bodies, FrameRef, MergeResult, PixelGrid, SceneDetections, Window

WIDTH, HEIGHT = 3000, 2000
FRAME = FrameRef("01", 7, "photos/01/7.jpg", WIDTH, HEIGHT)
RUN = RunIdentity(
    run_id="0123abcd",
    model_name="fake",
    weights_sha256="a" * 64,
    body_name="open",
    body_sha256="b" * 64,
    package_version="0.1.0",
    config={"plan": {"overlap": 0.25}},
)
BLOCKS = (
    Block("L0-a", 0, PixelGrid(Window(0, 0, 832, 512), 832, 512), Window(0, 0, 832, 512)),
    Block("L1-b", 1, PixelGrid(Window(400, 300, 2064, 1324), 832, 512), Window(832, 0, 2000, 2000)),
    Block("L2-c", 2, PixelGrid(Window(0, 0, 3000, 2000), 750, 500), Window(0, 0, 3000, 2000)),
)


def rotations(rng: np.random.Generator, *shape: int) -> NDArray[np.float32]:
    """Gives random rotations (*shape, 3, 3), any angle."""
    matrix, _ = np.linalg.qr(rng.normal(size=(*shape, 3, 3)))
    return np.asarray(matrix * np.linalg.det(matrix)[..., None, None], dtype=np.float32)


def random_bodies(rng: np.random.Generator, count: int, boxes_frame: NDArray[np.float64]) -> Bodies:
    """Gives bodies with every field random."""
    return Bodies(
        rotmats=rotations(rng, count, 24),
        betas=rng.normal(size=(count, 10)).astype(np.float32),
        cam_crop=rng.normal(size=(count, 3)).astype(np.float32),
        crop_boxes_frame=boxes_frame + rng.uniform(-0.4, 0.4, (count, 4)),
        transl_block_m=(np.array([0, 0, 9]) + rng.normal(size=(count, 3))).astype(np.float32),
        joints3d_m=rng.normal(size=(count, 24, 3)).astype(np.float32),
    )


def random_views(rng: np.random.Generator, count: int) -> SceneDetections:
    """Gives views with every field filled; each third has no outline, others one or two polygons in the box."""
    low = rng.uniform(0, (WIDTH - 400, HEIGHT - 400), (count, 2))
    boxes = np.concatenate([low, low + rng.uniform(10, 390, (count, 2))], axis=1)
    outlines = np.full(count, None, dtype=np.object_)
    for n, (x0, y0, x1, y1) in enumerate(boxes):
        whole = shapely.box(x0, y0, x1, (y0 + y1) / 2)
        foot = shapely.box(x0, 0.25 * y0 + 0.75 * y1, (x0 + x1) / 2, y1)
        outlines[n] = (None, whole, shapely.MultiPolygon([whole, foot]))[n % 3]
    return SceneDetections(
        boxes_frame=boxes,
        scores=rng.uniform(0, 1, count).astype(np.float32),
        block_index=rng.integers(0, len(BLOCKS), count),
        outlines=outlines,
        mask_scores=rng.uniform(0, 1, count).astype(np.float32),
        joints2d_frame=rng.uniform(0, 1, (count, 24, 3)).astype(np.float32),
        depth_m=rng.uniform(1, 50, count).astype(np.float32),
        bodies=random_bodies(rng, count, boxes),
    )


def everyone_alone(views: SceneDetections) -> MergeResult:
    """Gives the merge in which each view is a person."""
    every = np.arange(len(views), dtype=np.int64)
    return MergeResult(every, every, views.boxes_frame, views.outlines, np.zeros(len(views), dtype=bool), every[:0], ())


def random_derived(rng: np.random.Generator, count: int) -> DerivedColumns:
    """Gives derived columns of which the first person's projection is unknown."""
    low = rng.uniform(0, 1000, (count, 2))
    derived = DerivedColumns(
        np.concatenate([low, low + rng.uniform(10, 200, (count, 2))], axis=1),
        rng.uniform(100, 90_000, count),
        rng.uniform(1.2, 2.0, count).astype(np.float32),
    )
    derived.bbox_full_frame[:1] = np.nan
    derived.silhouette_area_px[:1] = np.nan
    return derived


def slab_body(width_m: float = 0.5, height_m: float = 1.8, thickness_m: float = 1e-4) -> BodyModel:
    """Gives a body that is one upright cuboid about its origin, moved by the root alone; beta 0 scales its height.

    Its projection has closed forms.
    """
    half = np.array([width_m, height_m, thickness_m], dtype=np.float32) / 2
    signs = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], dtype=np.float32)
    quads = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    faces = np.array([t for a, b, c, d in quads for t in ((a, b, c), (a, c, d))], dtype=np.int64)
    template = (signs * half).astype(np.float32)
    shapedirs = np.zeros((8, 3, 10), dtype=np.float32)
    shapedirs[:, 1, 0] = 0.1 * template[:, 1]
    weights = np.zeros((8, 24), dtype=np.float32)
    weights[:, 0] = 1
    regressor = np.full((24, 8), 0.125, dtype=np.float32)
    return BodyModel("open", template, shapedirs, None, regressor, weights, np.array(PARENTS, dtype=np.int64), faces)
