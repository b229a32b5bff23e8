"""Training samples with SMPL truth, rendered on the fly."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from mili_core.body import BodyModel
from mili_core.datasets.sample import BodyTruth, Sample
from mili_core.errors import ConfigError
from mili_core.synth.camera import draw_camera
from mili_core.raster.contract import NEAR_M
from mili_core.synth.crowd import Placement, draw_crowd
from mili_core.synth.effects import HALO_PX, develop, draw_film
from mili_core.synth.render import Samples, Scene, build_scene, render_window
from mili_core.synth.rig import prepare_rig
from mili_core.synth.wardrobe import draw_outfits
from mili_core.synth.window import ImageWindow
from mili_core.synth.world import draw_world

Float32Array = NDArray[np.float32]
Scalar = TypeVar("Scalar", bound=np.generic)

MIN_VISIBLE = 0.25
"""People of whom less is seen are left out of the sample: their pose is a guess."""

MIN_HEIGHT_PX = 20.0
"""People whose visible box is lower are left out of the sample."""

SELF_OCCLUSION_M = 0.2
"""A joint lies inside its body: it counts as hidden by its own body only when the surface is nearer by this much,
more than half a trunk's depth."""

SUPERSAMPLE = 2


def render_sample(rng: np.random.Generator, body: BodyModel, width: int, height: int, people: int) -> Sample:
    """Gives one rendered image of clothed people with SMPL truth; its boxes are not complete (no detection truth).

    Args:
        rng: source of all randomness.
        body: body model.
        width: px, at least 32.
        height: px, at least 32.
        people: how many are drawn; fewer appear in the sample when some are hidden, tiny or do not fit.

    Raises:
        ConfigError: the size is too small.
    """
    if width < 32 or height < 32:
        raise ConfigError(f"a rendered sample of {width}x{height} px is too small: give at least 32x32")
    rig = prepare_rig(body)
    camera = draw_camera(rng, width, height)
    smallest = min(max(MIN_HEIGHT_PX, 0.12 * height), 40.0)
    crowd = draw_crowd(rng, rig, camera, people, Placement(smallest, 1.1 * height, 0.45, 0.35))
    farthest = float(crowd.joints_m[..., 2].max(initial=8.0))
    scene = build_scene(rig, camera, draw_world(rng, nearest_wall_m=farthest), crowd, draw_outfits(rng, len(crowd)))
    window = ImageWindow(-HALO_PX, -HALO_PX, width + 2 * HALO_PX, height + 2 * HALO_PX)
    render = render_window(scene, window, SUPERSAMPLE)
    image = develop(render.colour, draw_film(rng), rng)
    boxes, visible = visible_boxes(_interior(render.samples.person), len(crowd))
    share = visible / np.maximum(_whole_silhouettes(scene, render.samples, window), 1.0)
    kept = np.flatnonzero((share >= MIN_VISIBLE) & (boxes[:, 3] - boxes[:, 1] >= MIN_HEIGHT_PX))
    return Sample(
        image_id=f"render-{rng.integers(2**62):016x}",
        image=image,
        boxes_xyxy=boxes[kept],
        polygons=(None,) * len(kept),
        keypoints=np.zeros((len(kept), 17, 3), dtype=np.float32),
        ignore_boxes_xyxy=np.zeros((0, 4), dtype=np.float32),
        boxes_complete=False,
        bodies=_body_truth(scene, render.samples, kept),
    )


def visible_boxes(person: NDArray[np.int32], people: int) -> tuple[Float32Array, NDArray[np.int64]]:
    """Gives the bounds (P, 4) px of what is seen of each person, zeros where nothing is, and the samples seen (P,).

    Args:
        person: (H S, W S) who is seen by each sample of an image, S = SUPERSAMPLE.
        people: P.
    """
    boxes = np.zeros((people, 4), dtype=np.float32)
    rows, columns = np.nonzero(person >= 0)
    owners = person[rows, columns]
    seen = np.bincount(owners, minlength=people)
    low = np.full((people, 2), np.iinfo(np.int64).max)
    high = np.full((people, 2), -1)
    for axis, position in enumerate((columns, rows)):
        np.minimum.at(low[:, axis], owners, position)
        np.maximum.at(high[:, axis], owners, position)
    anyone = seen > 0
    boxes[anyone, :2] = low[anyone] / SUPERSAMPLE
    boxes[anyone, 2:] = (high[anyone] + 1) / SUPERSAMPLE
    return boxes, seen


def joints_visible(scene: Scene, samples: Samples, window: ImageWindow) -> NDArray[np.bool_]:
    """Gives (P, 24) whether each joint lies inside the window and neither its own body nor another hides it."""
    joints = scene.crowd.joints_m
    depth = joints[..., 2]
    pixels = scene.camera.project(np.maximum(joints, [-np.inf, -np.inf, 0.01]))
    cells = np.floor((pixels - window.origin) * SUPERSAMPLE)
    limits = np.array([window.width, window.height]) * SUPERSAMPLE
    inside = ((cells >= 0) & (cells < limits)).all(axis=-1) & (depth > NEAR_M)
    column, row = np.where(inside[..., None], cells, 0).astype(np.int64).transpose(2, 0, 1)
    surface, owner = samples.depth[row, column], samples.person[row, column]
    own = owner == np.arange(len(scene.crowd))[:, None]
    visible: NDArray[np.bool_] = inside & (surface >= depth - np.where(own, SELF_OCCLUSION_M, 0.0))
    return visible


def _interior(grid: NDArray[Scalar]) -> NDArray[Scalar]:
    """Gives a sample grid without the halo that blurring needs."""
    edge = HALO_PX * SUPERSAMPLE
    return grid[edge:-edge, edge:-edge]


def _whole_silhouettes(scene: Scene, samples: Samples, window: ImageWindow) -> NDArray[np.float64]:
    """Gives (P,) samples that each silhouette would cover, off-image parts included by their share of vertices."""
    points = scene.surface_m
    pixels = scene.camera.project(np.maximum(points, [-np.inf, -np.inf, 0.01])) - window.origin
    inside = ((pixels >= 0) & (pixels < [window.width, window.height])).all(axis=-1).mean(axis=1)
    whole: NDArray[np.float64] = samples.amodal / np.maximum(inside, 1e-3)
    return whole


def _body_truth(scene: Scene, samples: Samples, kept: NDArray[np.int64]) -> BodyTruth:
    crowd, camera = scene.crowd, scene.camera
    image = ImageWindow(0, 0, camera.width, camera.height)
    inner = replace(samples, person=_interior(samples.person), depth=_interior(samples.depth))
    confidence = joints_visible(scene, inner, image)
    pixels = camera.project(crowd.joints_m)
    joints2d = np.concatenate([pixels, confidence[..., None]], axis=-1).astype(np.float32)
    return BodyTruth(
        rotmats=crowd.rotmats[kept],
        betas=crowd.betas[kept],
        joints3d_m=(crowd.joints_m - crowd.joints_m[:, :1])[kept],
        joints2d=joints2d[kept],
    )
