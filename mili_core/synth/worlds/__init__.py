"""Where scenes take place: ground, walls, sky, light; procedural, or photos of the user's own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from mili_core.errors import ConfigError
from mili_core.synth.worlds import park, sports, square, station, street
from mili_core.synth.worlds import photos as photo_worlds
from mili_core.synth.worlds.contract import Backdrop, World

PHOTOS = "photos"
"""Name of the world that needs a folder."""

WORLDS: dict[str, Callable[..., World]] = {
    "street": street.draw,
    "square": square.draw,
    "station": station.draw,
    "sports": sports.draw,
    "park": park.draw,
}
"""Procedural worlds: name to `draw(rng, *, reach_m)`."""


def draw_world(rng: np.random.Generator, name: str, *, reach_m: float, photos: Path | None = None) -> World:
    """Gives a random world of a kind.

    Args:
        rng: source of all randomness.
        name: a key of WORLDS, or PHOTOS.
        reach_m: the farthest distance at which people stand; what closes the place lies behind it.
        photos: folder of photos; asked for by PHOTOS alone.

    Raises:
        ConfigError: the name is unknown, or PHOTOS has no folder with a readable photo.
    """
    if name == PHOTOS:
        if photos is None:
            raise ConfigError("the world 'photos' needs a folder of photos: give one, or choose another world")
        return photo_worlds.draw(rng, photos)
    if name not in WORLDS:
        raise ConfigError(f"unknown world {name!r}: choose one of {', '.join([*WORLDS, PHOTOS])}")
    return WORLDS[name](rng, reach_m=max(reach_m, 1.0))


__all__ = ["PHOTOS", "WORLDS", "Backdrop", "World", "draw_world"]
