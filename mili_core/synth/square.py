"""The plain scene of the demo: a crowd on one square, seen from a first-floor window."""

from __future__ import annotations

import numpy as np

from mili_core.body import BodyModel
from mili_core.errors import ConfigError
from mili_core.synth.camera import camera_over_ground
from mili_core.synth.crowd import Placement, draw_crowd
from mili_core.synth.effects import Film, draw_film
from mili_core.synth.render import Scene, build_scene
from mili_core.synth.rig import prepare_rig
from mili_core.synth.wardrobe import draw_outfits
from mili_core.synth.world import draw_world

KINDS = ("stand", "walk", "run", "bend", "crouch")
"""What people do on a square without furniture."""

SMALLEST_PX = 40.0
LARGEST_SHARE = 0.36
"""Least height of people in px, and the greatest as a share of the image height: 40..900 px in 4000x2500."""

HORIZON = 0.08
"""Row of the horizon as a share of the image height."""

GAP_M = 0.6
"""Nobody stands closer to somebody else than shoulders allow."""


def draw_square(rng: np.random.Generator, body: BodyModel, width: int, height: int, people: int) -> tuple[Scene, Film]:
    """Gives a square with a crowd, and the settings of its photo.

    Args:
        rng: source of all randomness.
        body: body model.
        width: px.
        height: px.
        people: how many stand on it.

    Raises:
        ConfigError: so many people do not fit.
    """
    rig = prepare_rig(body)
    camera = camera_over_ground(
        width, height, focal_px=1.15 * max(width, height), horizon=HORIZON, bottom_height=LARGEST_SHARE
    )
    largest = LARGEST_SHARE * height
    smallest = min(SMALLEST_PX, 0.5 * largest)
    crowd = draw_crowd(rng, rig, camera, people, Placement(smallest, largest, 0.6, GAP_M), KINDS)
    if len(crowd) < people:
        raise ConfigError(
            f"{people} people do not fit into a scene of {width}x{height} px, {len(crowd)} do: "
            "ask for fewer people or a larger scene"
        )
    farthest = float(crowd.joints_m[..., 2].max(initial=20.0))
    world = draw_world(rng, nearest_wall_m=farthest)
    return build_scene(rig, camera, world, crowd, draw_outfits(rng, people)), draw_film(rng)
