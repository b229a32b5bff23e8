"""What scene to make, checked before anything is done."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mili_core.body import BodyModel
from mili_core.errors import ConfigError
from mili_core.synth.scenes import PRESETS, Preset

GENERATOR_VERSION = 2
"""Steps when the same seed gives another scene."""

SMALLEST_SIDE_PX = 64
LARGEST_SIDE_PX = 65_500
"""A JPEG cannot be larger, and readers of the frame should never meet a size that they refuse."""

LONGEST_ID = 200
"""Characters: file systems take names of 255 bytes, endings and what later steps put around an id included."""

BODY_HEIGHTS_M = (0.2, 10.0)
"""Bodies outside are not in metres: scenes, clothes and cameras are made for people."""

MOST_PEOPLE = 5_000
"""Surfaces of all people are kept in memory, and ids of people must fit into 16 bits."""


@dataclass(frozen=True, slots=True)
class SceneRequest:
    """What to make. All but `workers` and `jpeg` decide about the bytes of the frame and its truth.

    Attributes:
        people: how many stand in the scene.
        width, height: px.
        seed: equal seeds give equal bytes.
        scene_id: [A-Za-z0-9._-]+, up to LONGEST_ID characters, names the files.
        jpeg: also write SCENE/<scene_id>.jpg.
        preset: kind of scene, a key of PRESETS.
        backdrops: folder of photos to put behind the people in place of a drawn world.
        clips: folder of motion clips to take poses from as well.
        workers: processes of a Ray cluster that render; 0 = this process alone, None = as many as the cluster has CPUs.
    """

    people: int
    width: int
    height: int
    seed: int
    scene_id: str = "scene"
    jpeg: bool = False
    preset: str = "square"
    backdrops: Path | None = None
    clips: Path | None = None
    workers: int | None = 0

    def __post_init__(self) -> None:
        preset_named(self.preset)
        for name, side in (("width", self.width), ("height", self.height)):
            if not SMALLEST_SIDE_PX <= side <= LARGEST_SIDE_PX:
                raise ConfigError(
                    f"{name} {side} px is not in {SMALLEST_SIDE_PX}..{LARGEST_SIDE_PX}; give another size"
                )
        if not 0 <= self.people <= MOST_PEOPLE:
            raise ConfigError(f"people {self.people} is not in 0..{MOST_PEOPLE}; ask for another number")
        if self.seed < 0:
            raise ConfigError(f"seed {self.seed} is negative; give 0 or more")
        if self.workers is not None and self.workers < 0:
            raise ConfigError(f"workers {self.workers} is negative; give 0 (this process), a number or auto")
        if not re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]*", self.scene_id):
            raise ConfigError(f"scene id {self.scene_id!r} may hold only A-Z a-z 0-9 . _ - and not begin with a dot")
        if len(self.scene_id) > LONGEST_ID:
            raise ConfigError(
                f"scene id {self.scene_id[:20]}... has {len(self.scene_id)} characters; give at most {LONGEST_ID}"
            )
        for name, folder in (("backdrops", self.backdrops), ("clips", self.clips)):
            if folder is not None and not folder.is_dir():
                raise ConfigError(f"{name} {folder} is not a folder; name one that exists")


def preset_named(name: str) -> Preset:
    """Gives a preset.

    Raises:
        ConfigError: there is none of that name.
    """
    if name not in PRESETS:
        raise ConfigError(f"preset {name!r} is unknown; give one of {', '.join(PRESETS)}")
    return PRESETS[name]


def refuse_unfit_body(body: BodyModel) -> None:
    """Does nothing for a body that scenes can be made of.

    Raises:
        ConfigError: it is no body in metres.
    """
    height = float(np.ptp(body.v_template[:, 1]))
    low, high = BODY_HEIGHTS_M
    if not low <= height <= high:
        raise ConfigError(
            f"body {body.name} is {height:.3g} m tall, expected {low:g}..{high:g}; give a body in metres, y up"
        )
