"""What renders: a scene, built once from its seed, and any group of its tiles on demand."""

from __future__ import annotations

import resource
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mili_core.body import BodyModel
from mili_core.synth.camera import SceneCamera
from mili_core.synth.rendering.effects import HALO_PX, Film, develop
from mili_core.synth.rendering.grid import Silhouette, mask_bounds, silhouette_parts
from mili_core.synth.rendering.render import render_window
from mili_core.synth.rendering.scene import Scene
from mili_core.synth.rendering.surface import NOBODY
from mili_core.synth.rendering.truth import joints_visible
from mili_core.synth.scenes import draw_scene, read_sources
from mili_core.synth.window import ImageWindow
from mili_core.synth.worlds.photos import PhotoWorld
from pipeline.synthetic.layout import Layout
from pipeline.synthetic.masks import SUPERSAMPLE, Fragment, cut_fragments
from pipeline.synthetic.request import SceneRequest, preset_named
from pipeline.synthetic.tiff import encode_tile
from pipeline.types import BoolArray, Float64Array

Float32Array = NDArray[np.float32]

FACTS = -1
"""Id that asks a worker for the scene's facts; other ids are numbers of groups."""


@dataclass(frozen=True, slots=True)
class Whole:
    """A silhouette, hidden parts and parts beyond the frame included.

    Attributes:
        samples: that it covers.
        bounds: xyxy, samples of the frame's grid.
    """

    samples: int
    bounds: tuple[int, int, int, int]


@dataclass(frozen=True, slots=True, eq=False)
class SceneFacts:
    """What the files say about a scene of P people; small, unlike the scene.

    Attributes:
        camera: camera.
        film: settings of the photo.
        world: name of the place.
        sun: (3,) unit vector towards the sun, world axes.
        objects: how many of each kind stand about.
        photo: the photo behind the people, a path in the folder of photos; None for a drawn world.
        clips: how many motion clips poses were taken from.
        rotmats: (P, 24, 3, 3), as in Crowd.
        betas: (P, 10), as in Crowd.
        transl_m: (P, 3), as in Crowd.
        joints_m: (P, 24, 3), as in Crowd.
        standing_m: (P,), as in Crowd.
        kinds: P names of poses.
        child: (P,).
        beyond: person -> whole silhouette, of those who may reach beyond the frame.
    """

    camera: SceneCamera
    film: Film
    world: str
    sun: Float64Array
    objects: dict[str, int]
    photo: str | None
    clips: int
    rotmats: Float32Array
    betas: Float32Array
    transl_m: Float32Array
    joints_m: Float32Array
    standing_m: Float32Array
    kinds: tuple[str, ...]
    child: BoolArray
    beyond: dict[int, Whole]

    def __len__(self) -> int:
        return len(self.betas)


@dataclass(frozen=True, slots=True, eq=False)
class RenderedGroup:
    """A group of tiles.

    Attributes:
        group: its number.
        tiles: encoded, row by row.
        fragments: of everybody who covers a sample of it.
        joints_seen: (P, 24) joints that lie in it and are hidden by nothing.
        peak_rss_mb: most memory that the worker's process has held so far.
    """

    group: int
    tiles: tuple[bytes, ...]
    fragments: tuple[Fragment, ...]
    joints_seen: BoolArray
    peak_rss_mb: float


class SceneWorker:
    """Renders groups of one scene's tiles, in any order.

    Args:
        request: what the scene is.
        body: body model.

    Raises:
        ConfigError: so many people do not fit, or a folder of photos or clips cannot be used.
    """

    def __init__(self, request: SceneRequest, body: BodyModel) -> None:
        self._seed = request.seed
        self._layout = Layout(request.width, request.height)
        sources = read_sources(request.backdrops, request.clips)
        self._backdrops, self._clips = request.backdrops, len(sources.clips)
        self._scene, self._film = draw_scene(
            np.random.default_rng(request.seed),
            body,
            preset_named(request.preset),
            request.width,
            request.height,
            request.people,
            sources,
        )

    def __call__(self, context: None, ids: tuple[int, ...], *, alone: bool) -> SceneFacts | RenderedGroup:  # noqa: ARG002 - the pool's protocol
        """Gives what the only id asks for."""
        (each,) = ids
        return self.facts() if each == FACTS else self.render(each)

    def facts(self) -> SceneFacts:
        """Gives what the files say about the scene."""
        scene, crowd = self._scene, self._scene.crowd
        return SceneFacts(
            camera=scene.camera,
            film=self._film,
            world=scene.world.name,
            sun=scene.light.sun,
            objects=dict(sorted(Counter(each.kind for each in scene.objects).items())),
            photo=self._photo(),
            clips=self._clips,
            rotmats=crowd.rotmats,
            betas=crowd.betas,
            transl_m=crowd.transl_m,
            joints_m=crowd.joints_m,
            standing_m=crowd.standing_m,
            kinds=tuple(crowd.kinds),
            child=crowd.child,
            beyond=_silhouettes_beyond(scene),
        )

    def render(self, group: int) -> RenderedGroup:
        """Gives a group of tiles with the truth that their samples tell."""
        tiles: dict[int, bytes] = {}
        fragments: list[Fragment] = []
        seen = np.zeros((len(self._scene.crowd), 24), dtype=np.bool_)
        for inner, members in self._layout.group_renders(group):
            window = inner.grown(HALO_PX)
            render = render_window(self._scene, window, SUPERSAMPLE)
            fragments.extend(cut_fragments(render.samples, window, inner))
            seen |= joints_visible(self._scene, render.samples, window, SUPERSAMPLE)
            for tile in members:
                tiles[tile] = self._develop(tile, render.colour, window)
        return RenderedGroup(group, tuple(tiles[tile] for tile in sorted(tiles)), tuple(fragments), seen, peak_rss_mb())

    def _develop(self, tile: int, colour: Float32Array, window: ImageWindow) -> bytes:
        """Gives an encoded tile; its noise depends on its number only."""
        place = self._layout.tile_window(tile).grown(HALO_PX)
        noise = np.random.default_rng([self._seed, tile])
        pixels = develop(colour[place.rows(window), place.columns(window)], self._film, noise)
        return encode_tile(pixels, "rgb", self._layout.tile_shape)

    def _photo(self) -> str | None:
        world = self._scene.world
        if self._backdrops is None or not isinstance(world, PhotoWorld):
            return None
        return world.path.relative_to(self._backdrops).as_posix()


def peak_rss_mb() -> float:
    """Gives the most memory that this process has held, in 10^6 bytes."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def _silhouettes_beyond(scene: Scene) -> dict[int, Whole]:
    """Gives the whole silhouettes of those whose surfaces reach beyond the frame; masks hold the others whole."""
    camera, bounds = scene.camera, scene.bounds_px
    outside = (bounds[:, :2] < 0.0).any(axis=1) | (bounds[:, 2:] > [camera.width, camera.height]).any(axis=1)
    found = {}
    for person in np.unique(scene.owners[outside & (scene.owners != NOBODY)]).tolist():
        whole = _measured(silhouette_parts(scene, person, SUPERSAMPLE))
        if whole is not None:
            found[person] = whole
    return found


def _measured(parts: Iterable[Silhouette]) -> Whole | None:
    """Gives the size and the bounds of a silhouette that comes in parts, None where there is no part."""
    samples, bounds = 0, np.zeros((0, 4), dtype=np.int64)
    for part in parts:
        samples += int(part.mask.sum())
        here = mask_bounds(part.mask) + np.tile(part.box.origin.astype(np.int64), 2)
        bounds = np.vstack([bounds, here])
    if samples == 0:
        return None
    left, top = bounds[:, :2].min(axis=0).tolist()
    right, bottom = bounds[:, 2:].max(axis=0).tolist()
    return Whole(samples, (left, top, right, bottom))
