"""Training samples with SMPL truth, rendered on the fly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from mili_core.body import BodyModel
from mili_core.datasets.sample import BodyTruth, Polygons, Sample
from mili_core.errors import ConfigError
from mili_core.synth.rendering.effects import HALO_PX, develop
from mili_core.synth.rendering.grid import Samples, Silhouette, whole_silhouette
from mili_core.synth.rendering.render import render_window
from mili_core.synth.rendering.scene import Scene
from mili_core.synth.rendering.truth import interior, joints_visible, seen_bounds
from mili_core.synth.scenes import TRAINING, Preset, Sources, draw_crowded
from mili_core.synth.window import ImageWindow

Float32Array = NDArray[np.float32]

MIN_VISIBLE = 0.25
"""People of whom less is seen are not asked for: their pose is a guess."""

MIN_HEIGHT_PX = 20.0
"""People whose visible box is lower are not asked for."""

SMALLEST_SIDE_PX = 32
SUPERSAMPLE = 2


@dataclass(frozen=True, slots=True, eq=False)
class RenderSource:
    """An endless source of rendered samples of one size.

    Attributes:
        body: body model.
        width, height: px.
        people: least and greatest number drawn for a sample.
        preset: kind of scene.
        detection: True lets the samples teach boxes and masks, too; the shipped weights learn those from real photos.
    """

    body: BodyModel
    width: int
    height: int
    people: tuple[int, int] = (2, 12)
    preset: Preset = TRAINING
    detection: bool = False

    def draw(self, rng: np.random.Generator) -> Sample:
        """Gives a sample that depends on `rng` alone."""
        count = int(rng.integers(self.people[0], self.people[1] + 1))
        sample = render_sample(rng, self.body, self.width, self.height, count, self.preset)
        return replace(sample, boxes_complete=self.detection)


def render_sample(
    rng: np.random.Generator, body: BodyModel, width: int, height: int, people: int, preset: Preset = TRAINING
) -> Sample:
    """Gives one rendered image of clothed people with all truth; those who are hardly seen are ignore boxes.

    Args:
        rng: source of all randomness.
        body: body model.
        width: px, at least 32.
        height: px, at least 32.
        people: how many are drawn; fewer appear in the sample when some are hidden, tiny or do not fit.
        preset: kind of scene.

    Raises:
        ConfigError: the size is too small.
    """
    if min(width, height) < SMALLEST_SIDE_PX:
        raise ConfigError(
            f"a rendered sample of {width}x{height} px is too small: sides must be at least {SMALLEST_SIDE_PX} px"
        )
    scene, film = draw_crowded(rng, body, preset, width, height, people, Sources())
    window = ImageWindow(0, 0, width, height)
    render = render_window(scene, window.grown(HALO_PX), SUPERSAMPLE)
    image = develop(render.colour, film, rng)
    samples = _inner(render.samples, window)
    bounds, seen = seen_bounds(samples.person, len(scene.crowd))
    boxes = (bounds / SUPERSAMPLE).astype(np.float32)
    share = (seen / np.maximum(_whole_areas(scene, samples, window), 1)).astype(np.float32)
    asked = (share >= MIN_VISIBLE) & (boxes[:, 3] - boxes[:, 1] >= MIN_HEIGHT_PX)
    kept = np.flatnonzero(asked)
    return Sample(
        image_id=f"render-{rng.integers(2**62):016x}",
        image=image,
        boxes_xyxy=boxes[kept],
        polygons=tuple(_outline(_visible(samples.person, person, bounds[person])) for person in kept.tolist()),
        keypoints=np.zeros((len(kept), 17, 3), dtype=np.float32),
        ignore_boxes_xyxy=boxes[(seen > 0) & ~asked],
        boxes_complete=True,
        bodies=_body_truth(scene, samples, window, kept, share),
    )


def _inner(samples: Samples, window: ImageWindow) -> Samples:
    """Gives the samples of a window without the halo around it."""
    edge, grid = HALO_PX * SUPERSAMPLE, window.scaled(SUPERSAMPLE)
    silhouettes = {}
    for person, silhouette in samples.silhouettes.items():
        box = silhouette.box.common(grid)
        if box is not None:
            silhouettes[person] = Silhouette(
                box, silhouette.mask[box.rows(silhouette.box), box.columns(silhouette.box)]
            )
    return Samples(
        person=interior(samples.person, edge),
        surface=interior(samples.surface, edge),
        depth=interior(samples.depth, edge),
        layers={},
        silhouettes=silhouettes,
    )


def _whole_areas(scene: Scene, samples: Samples, window: ImageWindow) -> NDArray[np.int64]:
    """Gives (P,) samples of the whole silhouettes, parts beyond the image included."""
    areas = np.zeros(len(scene.crowd), dtype=np.int64)
    size = np.array([window.width, window.height])
    for person, silhouette in samples.silhouettes.items():
        bounds = scene.bounds_px[scene.surfaces_of(person)]
        whole: Silhouette | None = silhouette
        if (bounds[:, :2] < 0).any() or (bounds[:, 2:] > size).any():
            whole = whole_silhouette(scene, person, SUPERSAMPLE, margin_px=2 * max(window.width, window.height))
        areas[person] = 0 if whole is None else int(whole.mask.sum())
    return areas


def _visible(person: NDArray[np.int32], index: int, bounds: NDArray[np.int64]) -> Silhouette:
    left, top, right, bottom = (int(side) for side in bounds)
    return Silhouette(ImageWindow(left, top, right - left, bottom - top), person[top:bottom, left:right] == index)


def _outline(silhouette: Silhouette) -> Polygons:
    """Gives the outer outlines of a mask on the sample grid, image px."""
    contours: Sequence[np.ndarray]
    contours, _ = cv2.findContours(silhouette.mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    origin = silhouette.box.origin + 0.5
    outlines = [((contour[:, 0] + origin) / SUPERSAMPLE).astype(np.float32) for contour in contours]
    return tuple(outline for outline in outlines if len(outline) >= 3)


def _body_truth(
    scene: Scene, samples: Samples, window: ImageWindow, kept: NDArray[np.int64], share: Float32Array
) -> BodyTruth:
    crowd = scene.crowd
    confidence = joints_visible(scene, samples, window, SUPERSAMPLE)
    pixels = scene.camera.project(crowd.joints_m)
    joints2d = np.concatenate([pixels, confidence[..., None]], axis=-1).astype(np.float32)
    return BodyTruth(
        rotmats=crowd.rotmats[kept],
        betas=crowd.betas[kept],
        joints3d_m=(crowd.joints_m - crowd.joints_m[:, :1])[kept],
        joints2d=joints2d[kept],
        visible_fraction=share[kept],
        amodal_polygons=tuple(_outline(samples.silhouettes[person]) for person in kept.tolist()),
    )
