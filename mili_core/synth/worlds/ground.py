"""The ground: bands of materials, wear, lines, and what a shiny floor shows of the wall behind it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mili_core.synth.worlds.materials import clouds, grain
from mili_core.synth.worlds.surface import Painter, Surface, mix, stripe, stripes
from mili_core.synth.worlds.texture import Texture

Float32Array = NDArray[np.float32]

GRAIN_M = 0.9
"""Period of the finest texture: under 2 mm a texel, for ground right before a long lens."""

STAINS_M = 9.0
PATCHES_M = 61.0
"""Periods of wear: they share no small multiple with any material's, so that nothing seems to repeat."""


@dataclass(frozen=True, slots=True, eq=False)
class Band:
    """A strip of ground of one material, along z.

    Attributes:
        low, high: x where it begins and ends, metres.
        texture: material.
        colour: (3,) float32 linear reflectance.
        period: (2,) metres along x and z.
        wear: how far stains and patches change the brightness, relative.
        mown_m: width of strips of grass mown to and fro, along x; 0 for none.
    """

    low: float
    high: float
    texture: Texture
    colour: Float32Array
    period: tuple[float, float]
    wear: float
    mown_m: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """A painted or laid strip.

    Attributes:
        across: 0 where the strip is a range of x and runs along z, 1 the other way round.
        low, high: range across, metres.
        start, stop: range along, metres.
        dash_m: period of dashes, 0 for an unbroken strip; half of it is painted.
        colour: (3,) float32 linear reflectance.
        opacity: 0..1.
    """

    across: int
    low: float
    high: float
    start: float
    stop: float
    dash_m: float
    colour: Float32Array
    opacity: float


@dataclass(frozen=True, slots=True, eq=False)
class Disc:
    """A round spot: a manhole cover, a dark stain.

    Attributes:
        x, z: centre, metres.
        radius: metres.
        soft: width of the border, metres.
        colour: (3,) float32 linear reflectance.
        opacity: 0..1.
    """

    x: float
    z: float
    radius: float
    soft: float
    colour: Float32Array
    opacity: float


@dataclass(frozen=True, slots=True, eq=False)
class Mirror:
    """What a shiny floor shows of a wall behind it.

    Attributes:
        wall: painter of the wall.
        distance_m: of the wall.
        strength: share of the wall's light that comes back at a grazing view.
    """

    wall: Painter
    distance_m: float
    strength: float


@dataclass(frozen=True, slots=True, eq=False)
class Ground:
    """The painter of a ground plane.

    Attributes:
        bands: side by side; they cover every x.
        lines: later ones over earlier ones.
        discs: over the lines.
        light: (3,) float32 linear light on the ground.
        pools: relative strength of pools of lamp light, 0 for none, and their spacing in metres.
        mirror: None for a dull ground.
        beyond_m: z from which on there is other land, seen over whatever closes the place.
        beyond: (3,) float32 linear reflectance of that land.
        shift_m: x and z by which textures, wear and strips of mown grass are shifted.
    """

    bands: tuple[Band, ...]
    lines: tuple[Line, ...]
    discs: tuple[Disc, ...]
    light: Float32Array
    pools: tuple[float, float] = (0.0, 6.0)
    mirror: Mirror | None = None
    beyond_m: float = np.inf
    beyond: Float32Array | None = None
    shift_m: tuple[float, float] = (0.0, 0.0)

    def paint(self, surface: Surface) -> Float32Array:
        """Gives (3, N) float32 linear light."""
        shifted = surface
        if self.shift_m != (0.0, 0.0):
            right, ahead = np.float32(self.shift_m[0]), np.float32(self.shift_m[1])
            shifted = Surface(surface.u + right, surface.v + ahead, surface.du, surface.dv)
        stains = _spread(clouds(), shifted, STAINS_M)
        patches = _spread(clouds(), shifted, PATCHES_M)
        # Mean 0.5 each: large soft patches, smaller sharper stains that mostly darken.
        wear = np.float32(0.9) * (patches[0] - np.float32(0.5)) + np.float32(0.6) * (stains[1] - np.float32(0.5))
        wear -= np.maximum(stains[2] - np.float32(0.62), np.float32(0.0)) * patches[1]
        colour = self._material(surface, shifted, wear)
        warm = np.float32(0.12) * (patches[3] - np.float32(0.5))
        colour[0] *= np.float32(1.0) + warm
        colour[2] *= np.float32(1.0) - warm
        half = np.float32(0.5) * surface.dv
        first, last = float((surface.v - half).min()), float((surface.v + half).max())
        for line in self.lines:
            # Most lines of a crossing are nowhere near the rows at hand.
            low, high = (line.start, line.stop) if line.across == 0 else (line.low, line.high)
            if low <= last and high >= first:
                _lay_line(line, surface, wear, colour)
        for disc in self.discs:
            _lay_disc(disc, surface, colour)
        if self.beyond is not None:
            self._land(surface, patches, stains, colour)
        colour *= _fine(shifted)
        colour *= self.light[:, None]
        if self.pools[0] > 0:
            colour *= self._pools(surface)
        return colour

    def reflect(self, surface: Surface, camera_m: float, colour: Float32Array) -> None:
        """Adds what the floor shows of the wall to colours (3, N), in place.

        Args:
            surface: points of the floor.
            camera_m: height of the camera over the floor.
            colour: changed.
        """
        if self.mirror is None:
            return
        beyond: Float32Array = np.maximum(np.float32(self.mirror.distance_m) - surface.v, np.float32(0.0))
        steep = (np.float32(camera_m) / np.maximum(surface.v, np.float32(0.5))).astype(np.float32, copy=False)
        blur = np.float32(0.25) + np.float32(0.12) * beyond
        scale = np.float32(self.mirror.distance_m) / np.maximum(surface.v, np.float32(0.5))
        seen = Surface(
            (surface.u * scale).astype(np.float32, copy=False),
            (beyond * steep).astype(np.float32, copy=False),
            (blur * np.float32(0.35)).astype(np.float32, copy=False),
            blur,
        )
        strength = np.float32(self.mirror.strength) / (np.float32(1.0) + np.float32(5.0) * steep * steep)
        mix(colour, self.mirror.wall.paint(seen), strength)

    def _material(self, surface: Surface, shifted: Surface, wear: Float32Array) -> Float32Array:
        if len(self.bands) == 1:
            return _cover(self.bands[0], shifted, wear)
        colour = np.empty((3, len(surface)), dtype=np.float32)
        for band in self.bands:
            inside = (surface.u >= np.float32(band.low)) & (surface.u < np.float32(band.high))
            here = np.flatnonzero(inside)
            if len(here) == len(surface):
                return _cover(band, shifted, wear)
            if len(here):
                colour[:, here] = _cover(band, shifted.take(here), wear[here])
        return colour

    def _land(self, surface: Surface, patches: Float32Array, stains: Float32Array, colour: Float32Array) -> None:
        here = np.flatnonzero(surface.v > np.float32(self.beyond_m))
        if len(here) and self.beyond is not None:
            rough = np.float32(0.3) + np.float32(0.8) * patches[0, here] + np.float32(0.6) * stains[1, here]
            colour[:, here] = self.beyond[:, None] * rough

    def _pools(self, surface: Surface) -> Float32Array:
        strength, spacing = self.pools
        wave = np.float32(2.0 * np.pi / spacing)
        # A wave finer than a few pixels is gone.
        fade = np.clip(np.float32(1.5) - surface.dv * np.float32(4.0 / spacing), 0.0, 1.0).astype(np.float32)
        lamps = np.cos(surface.u * wave) + np.cos(surface.v * wave) * fade
        pools: Float32Array = np.float32(1.0) + np.float32(0.5 * strength) * lamps
        return pools


def _spread(texture: Texture, surface: Surface, period: float) -> Float32Array:
    scale = np.float32(1.0 / period)
    return texture.at(surface.u * scale, surface.v * scale, surface.du * scale, surface.dv * scale)


def _fine(surface: Surface) -> Float32Array:
    """Gives (N,) the finest texture."""
    fine: Float32Array = _spread(grain(), surface, GRAIN_M)[0]
    return fine


def _cover(band: Band, surface: Surface, wear: Float32Array) -> Float32Array:
    across, along = np.float32(1.0 / band.period[0]), np.float32(1.0 / band.period[1])
    texels = band.texture.at(
        surface.u * across, surface.v * along, surface.du * np.abs(across), surface.dv * np.abs(along)
    )
    value = np.float32(1.0) + np.float32(band.wear) * wear
    if band.mown_m > 0:
        value += np.float32(0.22) * (stripes(surface.u, surface.du, 2.0 * band.mown_m, 0.5) - np.float32(0.5))
    np.maximum(value, np.float32(0.15), out=value)
    colour: Float32Array = texels[:3]
    for channel in range(3):
        colour[channel] *= value * band.colour[channel]
    return colour


def _lay_line(line: Line, surface: Surface, wear: Float32Array, colour: Float32Array) -> None:
    across, extent = (surface.u, surface.du) if line.across == 0 else (surface.v, surface.dv)
    near = np.float32(0.5) * extent
    touched = (across + near > np.float32(line.low)) & (across - near < np.float32(line.high))
    here = np.flatnonzero(touched)
    if not len(here):
        return
    part = surface.take(here)
    across, wide, along, far = part.u, part.du, part.v, part.dv
    if line.across == 1:
        across, wide, along, far = along, far, across, wide
    share = stripe(across, wide, line.low, line.high) * stripe(along, far, line.start, line.stop)
    if line.dash_m > 0:
        share *= stripes(along, far, line.dash_m, 0.5)
    share *= np.clip(np.float32(line.opacity) + np.float32(0.8) * wear[here], 0.0, 1.0).astype(np.float32)
    under = colour[:, here]
    mix(under, line.colour, share)
    colour[:, here] = under


def _lay_disc(disc: Disc, surface: Surface, colour: Float32Array) -> None:
    size = np.float32(disc.radius + disc.soft)
    here = np.flatnonzero(
        (np.abs(surface.u - np.float32(disc.x)) < size) & (np.abs(surface.v - np.float32(disc.z)) < size)
    )
    if not len(here):
        return
    part = surface.take(here)
    far = np.hypot(part.u - np.float32(disc.x), part.v - np.float32(disc.z))
    soft = np.maximum(np.float32(disc.soft), part.dv)
    share = np.clip((np.float32(disc.radius) - far) / soft + np.float32(0.5), 0.0, 1.0) * np.float32(disc.opacity)
    under = colour[:, here]
    mix(under, disc.colour, share.astype(np.float32))
    colour[:, here] = under
