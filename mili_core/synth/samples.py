"""Training samples with SMPL truth, rendered on the fly."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mili_core.body import BodyModel
from mili_core.datasets.sample import BodyTruth, Sample
from mili_core.errors import ConfigError
from mili_core.raster.contract import NEAR_M
from mili_core.synth.camera import draw_camera
from mili_core.synth.crowd import Placement, draw_crowd
from mili_core.synth.effects import HALO_PX, develop, draw_film
from mili_core.synth.render import Samples, Scene, build_scene, render_window
from mili_core.synth.rig import prepare_rig
from mili_core.synth.truth import interior, joints_visible, seen_bounds
from mili_core.synth.wardrobe import draw_outfits
from mili_core.synth.window import ImageWindow
from mili_core.synth.world import draw_world

Float32Array = NDArray[np.float32]

MIN_VISIBLE = 0.25
"""People of whom less is seen are left out of the sample: their pose is a guess."""

MIN_HEIGHT_PX = 20.0
"""People whose visible box is lower are left out of the sample."""

SUPERSAMPLE = 2


@dataclass(frozen=True, slots=True, eq=False)
class RenderSource:
    """An endless source of rendered samples of one size.

    Attributes:
        body: body model.
        width, height: px.
        people: least and greatest number drawn for a sample.
    """

    body: BodyModel
    width: int
    height: int
    people: tuple[int, int] = (2, 9)

    def draw(self, rng: np.random.Generator) -> Sample:
        """Gives a sample that depends on `rng` alone."""
        count = int(rng.integers(self.people[0], self.people[1] + 1))
        return render_sample(rng, self.body, self.width, self.height, count)


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
    window = ImageWindow(0, 0, width, height).grown(HALO_PX)
    render = render_window(scene, window, SUPERSAMPLE)
    image = develop(render.colour, draw_film(rng), rng)
    edge = HALO_PX * SUPERSAMPLE
    inner = replace(
        render.samples, person=interior(render.samples.person, edge), depth=interior(render.samples.depth, edge)
    )
    bounds, visible = seen_bounds(inner.person, len(crowd))
    boxes = (bounds / SUPERSAMPLE).astype(np.float32)
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
        bodies=_body_truth(scene, inner, kept),
    )


def _whole_silhouettes(scene: Scene, samples: Samples, window: ImageWindow) -> NDArray[np.float64]:
    """Gives (P,) samples that each silhouette would cover, off-image parts included by their share of vertices."""
    points = scene.surface_m
    pixels = scene.camera.project(np.maximum(points, [-np.inf, -np.inf, NEAR_M])) - window.origin
    inside = ((pixels >= 0) & (pixels < [window.width, window.height])).all(axis=-1).mean(axis=1)
    whole: NDArray[np.float64] = samples.amodal / np.maximum(inside, 1e-3)
    return whole


def _body_truth(scene: Scene, samples: Samples, kept: NDArray[np.int64]) -> BodyTruth:
    crowd, camera = scene.crowd, scene.camera
    image = ImageWindow(0, 0, camera.width, camera.height)
    confidence = joints_visible(scene, samples, image, SUPERSAMPLE)
    pixels = camera.project(crowd.joints_m)
    joints2d = np.concatenate([pixels, confidence[..., None]], axis=-1).astype(np.float32)
    return BodyTruth(
        rotmats=crowd.rotmats[kept],
        betas=crowd.betas[kept],
        joints3d_m=(crowd.joints_m - crowd.joints_m[:, :1])[kept],
        joints2d=joints2d[kept],
    )
