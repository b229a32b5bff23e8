"""Scenes by name: which places, which cameras, how many people, and how a seed becomes one of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mili_core.body import BodyModel
from mili_core.errors import ConfigError
from mili_core.synth.camera import STANDING_M, CameraRanges, SceneCamera, draw_camera
from mili_core.synth.objects import companion
from mili_core.synth.objects.ground import extent, kept_clear
from mili_core.synth.objects.mesh import Mesh
from mili_core.synth.objects.placement import PlacedObject, draw_objects
from mili_core.synth.people.crowd import Placement, Spots, draw_spots, headings, place
from mili_core.synth.people.persona import Personas, draw_personas
from mili_core.synth.people.rig import Rig, prepare_rig
from mili_core.synth.people.upright import Upright, stand_up
from mili_core.synth.poses import draw_child_poses, draw_poses
from mili_core.synth.poses.clips import PoseClip, clip_poses, load_clips
from mili_core.synth.poses.skeleton import Angle, Joint, angles_to_rotmats
from mili_core.synth.rendering.assemble import assemble
from mili_core.synth.rendering.effects import Film, draw_film
from mili_core.synth.rendering.scene import Scene
from mili_core.synth.wardrobe.outfits import draw_outfits
from mili_core.synth.window import ImageWindow
from mili_core.synth.worlds import draw_world
from mili_core.synth.worlds.contract import World
from mili_core.synth.worlds.place import Place
from mili_core.synth.worlds.turned import Turned, turn

Float32Array = NDArray[np.float32]

CLIP_SHARE = 0.5
"""Share of people whose pose comes from the user's clips, where there are any."""

PLAYFUL = 0.7
"""Share of children who do what children do; the others stand and walk like adults."""

RAIN = 0.12
"""Share of scenes in rain, as of days: umbrellas."""

STRIP_PX = 1000
"""Length of the strips whose light sets the exposure: enough for a mean, and little work in a large frame."""


@dataclass(frozen=True, slots=True)
class Preset:
    """A kind of scene.

    Attributes:
        name: as on the command line.
        width, height: px, unless said otherwise.
        people: how many, unless said otherwise.
        worlds: names of worlds, one is drawn.
        camera: from what cameras are drawn.
        smallest_px: least height of people, px, whatever the size.
        largest: greatest height of people as a share of the image height.
        inside: least share of a person that lies inside the image.
        gap_m: nobody stands closer to somebody else.
        objects: how many stand about, as a share of the people.
        child_share: of children.
    """

    name: str
    width: int
    height: int
    people: int
    worlds: tuple[str, ...]
    camera: CameraRanges
    smallest_px: float = 30.0
    largest: float = 0.4
    inside: float = 0.55
    gap_m: float = 0.45
    objects: float = 0.25
    child_share: float = 0.08


PRESETS = {
    preset.name: preset
    for preset in (
        Preset("street", 4000, 2500, 120, ("street",), CameraRanges((0.06, 0.26), (0.28, 0.42), (0.8, 1.4), 1.0)),
        Preset("square", 4000, 2500, 150, ("square",), CameraRanges((0.0, 0.2), (0.24, 0.38), (0.8, 1.4), 1.0)),
        Preset(
            "station", 4000, 2500, 120, ("station",), CameraRanges((0.1, 0.25), (0.3, 0.42), (0.7, 1.1), 0.7),
            smallest_px=60.0,
        ),
        Preset(
            "sports", 4000, 2500, 100, ("sports",), CameraRanges((0.02, 0.2), (0.24, 0.38), (0.9, 1.6), 0.8),
            objects=0.12, child_share=0.15,
        ),
        Preset(
            "panda", 26753, 15052, 830, ("square", "street"), CameraRanges((0.12, 0.22), (0.1, 0.1), (0.55, 0.8), 0.4),
            largest=0.0997, inside=0.7,
        ),
    )
}  # fmt: skip
"""Name -> preset. The largest people of "panda" are 1,500 px tall, as in the data set it is named after."""

TRAINING = Preset(
    "training", 832, 512, 8, ("street", "square", "station", "sports"),
    CameraRanges((-0.45, 0.42), (0.35, 1.25), (0.9, 1.9), 1.5),
    smallest_px=24.0, largest=1.1, inside=0.45, gap_m=0.35, objects=0.35, child_share=0.1,
)  # fmt: skip
"""What training samples are drawn from: every world and angle, people from small to larger than the image."""


@dataclass(frozen=True, slots=True)
class Sources:
    """Material of the user's own.

    Attributes:
        photos: folder of photos that serve as backdrops instead of procedural worlds, or None.
        clips: motion clips that half of the poses are taken from; empty for none.
    """

    photos: Path | None = None
    clips: tuple[PoseClip, ...] = ()


def read_sources(photos: Path | None, clips: Path | None) -> Sources:
    """Gives the user's material; the folder of clips is read.

    Raises:
        ConfigError, StoreError: a folder or a file cannot be used.
    """
    return Sources(photos, () if clips is None else tuple(load_clips(clips)))


def draw_scene(
    rng: np.random.Generator,
    body: BodyModel,
    preset: Preset,
    width: int,
    height: int,
    people: int,
    sources: Sources | None = None,
) -> tuple[Scene, Film]:
    """Gives a random scene and the settings of its photo.

    Args:
        rng: source of all randomness.
        body: body model.
        preset: kind of scene.
        width: px.
        height: px.
        people: how many stand in it.
        sources: material of the user's own.

    Raises:
        ConfigError: so many people do not fit.
    """
    return draw_crowded(rng, body, preset, width, height, people, sources or Sources(), at_least=people)


def draw_crowded(
    rng: np.random.Generator,
    body: BodyModel,
    preset: Preset,
    width: int,
    height: int,
    people: int,
    sources: Sources,
    *,
    at_least: int = 0,
) -> tuple[Scene, Film]:
    """Gives a random scene as `draw_scene` does, with fewer people where they do not fit, but not under `at_least`."""
    rig = prepare_rig(body)
    camera = draw_camera(rng, width, height, preset.camera)
    placement = _placement(preset, height)
    world = _draw_world(rng, preset, camera, placement, sources)
    spots = draw_spots(rng, camera, people, placement, world.walkable)
    if len(spots) < at_least:
        raise ConfigError(
            f"{people} people do not fit into a scene of {width}x{height} px, {len(spots)} do: "
            "ask for fewer people or a larger scene"
        )
    personas = draw_personas(rng, rig, len(spots), child_share=preset.child_share)
    upright, rotmats, kinds = _pose(rng, rig, personas, spots, sources)
    crowd = place(camera, upright, rotmats, personas, kinds, spots.ground_m)
    cold, rainy = rng.random(), not world.indoor and rng.random() < RAIN
    sporty = 0.7 if world.name == "sports" else 0.05
    outfits = draw_outfits(rng, len(crowd), child=personas.child, female=personas.female, sporty=sporty, cold=cold)
    companions = [
        companion(rng, kind, joints, vertices, indoor=world.indoor, rainy=rainy)
        for kind, joints, vertices in zip(kinds, upright.joints_m, upright.vertices_m, strict=True)
    ]
    companions = kept_clear(companions, kinds, spots.ground_m)
    objects = _draw_objects(rng, preset, camera, world, spots, placement, companions)
    scene = assemble(rig, camera, world, crowd, upright, spots.ground_m, outfits, companions, objects)
    return scene, draw_film(rng, _metered(world, camera))


def _placement(preset: Preset, height: int) -> Placement:
    largest = preset.largest * height
    return Placement(min(preset.smallest_px, 0.5 * largest), largest, preset.inside, preset.gap_m)


def _draw_world(
    rng: np.random.Generator, preset: Preset, camera: SceneCamera, placement: Placement, sources: Sources
) -> World:
    farthest = camera.focal_px * STANDING_M / placement.min_height_px
    name = preset.worlds[int(rng.integers(len(preset.worlds)))] if sources.photos is None else "photos"
    world = draw_world(rng, name, reach_m=farthest, photos=sources.photos)
    return turn(rng, world) if isinstance(world, Place) else world


def _pose(
    rng: np.random.Generator, rig: Rig, personas: Personas, spots: Spots, sources: Sources
) -> tuple[Upright, Float32Array, tuple[str, ...]]:
    """Gives the posed bodies, their rotations (P, 24, 3, 3) in upright axes, and the names of their poses."""
    poses = draw_poses(rng, len(spots))
    kinds, lift, angles = list(poses.kinds), poses.lift_m.copy(), poses.angles.copy()
    plays = np.flatnonzero(personas.child & (rng.random(len(spots)) < PLAYFUL))
    playful = draw_child_poses(rng, len(plays))
    for person, kind in zip(plays.tolist(), playful.kinds, strict=True):
        kinds[person] = kind
    lift[plays], angles[plays] = playful.lift_m, playful.angles
    angles[:, Joint.PELVIS, Angle.YAW] = headings(rng, spots, kinds)
    rotmats = angles_to_rotmats(angles)
    if sources.clips:
        taken = np.flatnonzero(rng.random(len(spots)) < CLIP_SHARE)
        rotmats[taken], lift[taken] = clip_poses(rng, sources.clips, len(taken)), 0.0
        kinds = ["clip" if person in set(taken.tolist()) else kind for person, kind in enumerate(kinds)]
    return stand_up(rig, personas.betas, rotmats, lift), rotmats, tuple(kinds)


def _metered(world: World, camera: SceneCamera) -> float:
    """Gives the mean light of strips across the lower two thirds of the backdrop."""
    width = min(STRIP_PX, camera.width)
    middle = (camera.width - width) // 2
    strips = [ImageWindow(middle, int(down * camera.height), width, 1) for down in (0.35, 0.6, 0.9)]
    return float(np.mean([world.backdrop(camera, strip).colour.mean() for strip in strips]))


def _draw_objects(
    rng: np.random.Generator,
    preset: Preset,
    camera: SceneCamera,
    world: World,
    spots: Spots,
    placement: Placement,
    companions: Sequence[Sequence[Mesh]],
) -> tuple[PlacedObject, ...]:
    count = int(rng.binomial(max(1, round(2.0 * preset.objects * max(len(spots), 4))), 0.5))
    things = [extent(mesh, spot) for spot, own in zip(spots.ground_m, companions, strict=True) for mesh in own]
    return draw_objects(
        rng, camera, count, world.furniture, world.walkable, spots.ground_m,
        near_px=placement.max_height_px, far_px=placement.min_height_px,
        things=np.concatenate([np.zeros((0, 2)), *things]),
        heading_rad=world.heading_rad if isinstance(world, Turned) else 0.0,
    )  # fmt: skip
