"""Where people stand: a paved or rough ground, a wall or open sky behind, sun and sky light."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mili_core.synth.camera import SceneCamera
from mili_core.synth.colours import to_linear
from mili_core.synth.noise import POOL, NoiseField, noise_field

Float32Array = NDArray[np.float32]
Float64Array = NDArray[np.float64]

HAZE_M = 1200.0
"""Distance at which haze has taken two thirds of the contrast: a clear day in a city."""

_GROUNDS = ((150, 146, 140), (112, 112, 114), (128, 118, 104), (96, 110, 74), (176, 168, 154), (84, 82, 82))
_WALLS = ((156, 146, 132), (120, 116, 112), (186, 178, 164), (126, 92, 78), (98, 104, 112), (204, 200, 192))
_SKIES = ((196, 208, 224), (158, 186, 220), (214, 216, 218), (176, 180, 186))


@dataclass(frozen=True, slots=True, eq=False)
class World:
    """A plain scene; world axes as in SceneCamera.

    Attributes:
        sun: (3,) float64 unit vector towards the sun, world axes.
        sun_light: (3,) float32 linear intensity on a surface that faces the sun.
        sky_light: (3,) float32 linear intensity from above.
        bounce_light: (3,) float32 linear intensity from below.
        ground: (3,) float32 linear albedo.
        paving_m: side of paving slabs, metres; 0 for none.
        contrast: of the ground's noise.
        wall_m: distance of the wall behind, metres.
        wall: (3,) float32 linear albedo.
        wall_height_m: 0 for no wall.
        window_m: (2,) width and height of the facade's grid, metres.
        sky: (3,) float32 linear colour at the horizon.
        noise: texture of ground and walls.
    """

    sun: Float64Array
    sun_light: Float32Array
    sky_light: Float32Array
    bounce_light: Float32Array
    ground: Float32Array
    paving_m: float
    contrast: float
    wall_m: float
    wall: Float32Array
    wall_height_m: float
    window_m: tuple[float, float]
    sky: Float32Array
    noise: NoiseField


def draw_world(rng: np.random.Generator, *, nearest_wall_m: float) -> World:
    """Gives a random world whose wall, if any, stands behind `nearest_wall_m`."""
    azimuth, elevation = rng.uniform(0.0, 2.0 * np.pi), np.deg2rad(rng.uniform(25.0, 70.0))
    overcast = rng.random() < 0.4
    strength = rng.uniform(0.05, 0.35) if overcast else rng.uniform(0.9, 1.6)
    ambient = rng.uniform(0.75, 1.0) if overcast else rng.uniform(0.35, 0.6)
    ground = _vary(rng, _GROUNDS)
    return World(
        sun=np.array([np.cos(azimuth) * np.cos(elevation), -np.sin(elevation), np.sin(azimuth) * np.cos(elevation)]),
        sun_light=(strength * np.array([1.0, 0.95, 0.86])).astype(np.float32),
        sky_light=(ambient * np.array([0.95, 1.0, 1.06])).astype(np.float32),
        bounce_light=(0.35 * (ambient + 0.5 * strength) * ground / ground.mean()).astype(np.float32),
        ground=ground,
        paving_m=float(rng.choice([0.0, 0.4, 0.6, 1.2, 2.5])),
        contrast=rng.uniform(0.05, 0.16),
        wall_m=nearest_wall_m * rng.uniform(1.05, 1.8),
        wall=_vary(rng, _WALLS),
        wall_height_m=0.0 if rng.random() < 0.2 else rng.uniform(3.0, 25.0),
        window_m=(rng.uniform(1.8, 4.5), rng.uniform(2.6, 4.0)),
        sky=_vary(rng, _SKIES),
        noise=noise_field(int(rng.integers(POOL)), 1.15),
    )


def _vary(rng: np.random.Generator, colours: tuple[tuple[int, int, int], ...]) -> Float32Array:
    colour = np.array(colours[rng.integers(len(colours))], dtype=np.float64)
    return to_linear(np.clip(colour * rng.uniform(0.75, 1.2) * rng.normal(1.0, 0.03, 3), 10.0, 245.0))


@dataclass(frozen=True, slots=True, eq=False)
class Backdrop:
    """The scene without people, over a window of the image.

    Attributes:
        colour: (H, W, 3) float32 linear light.
        sunlit: (H, W) float32 share of the colour on the ground that comes from the sun; 0 off the ground.
    """

    colour: Float32Array
    sunlit: Float32Array


def backdrop(camera: SceneCamera, world: World, left: int, top: int, width: int, height: int) -> Backdrop:
    """Gives the backdrop over the pixels [left, left + width) x [top, top + height) of the camera's image."""
    xs = np.arange(left, left + width, dtype=np.float64) + 0.5
    ys = np.arange(top, top + height, dtype=np.float64) + 0.5
    rays = camera.rays_world(*np.meshgrid(xs, ys)).astype(np.float32)
    with np.errstate(divide="ignore", invalid="ignore"):
        ground_range = np.where(rays[..., 1] > 1e-6, camera.height_m / rays[..., 1], np.inf).astype(np.float32)
        wall_range = np.where(rays[..., 2] > 1e-6, world.wall_m / rays[..., 2], np.inf).astype(np.float32)
    wall_top = camera.height_m - world.wall_height_m
    wall_y = np.where(np.isfinite(wall_range), rays[..., 1] * np.minimum(wall_range, 1e6), -np.inf)
    on_wall = (wall_range < ground_range) & (wall_y > wall_top) & (world.wall_height_m > 0)
    on_ground = (ground_range <= wall_range if world.wall_height_m > 0 else ground_range < np.inf) & ~on_wall
    colour = _sky(world, rays)
    sunlit = np.zeros((height, width), dtype=np.float32)
    for mask, paint in ((on_ground, _ground), (on_wall, _wall)):
        reach = (ground_range if paint is _ground else wall_range)[mask]
        surface, sun_share = paint(world, rays[mask] * reach[:, None], reach / np.float32(camera.focal_px))
        colour[mask] = through_haze(surface, reach, world.sky)
        sunlit[mask] = sun_share * np.exp(-reach / HAZE_M)
    return Backdrop(colour, sunlit)


def through_haze(light: Float32Array, distance_m: Float32Array, sky: Float32Array) -> Float32Array:
    """Gives what is left of light (N, 3) over distances (N,) in haze of the sky's colour (3,)."""
    clear = np.exp(-distance_m / np.float32(HAZE_M))[:, None]
    hazy: Float32Array = light * clear + sky * (np.float32(1.0) - clear)
    return hazy


def _sky(world: World, rays: Float32Array) -> Float32Array:
    up = np.clip(-rays[..., 1] / np.linalg.norm(rays, axis=-1), 0.0, 1.0)[..., None]
    deep = world.sky * np.array([0.55, 0.75, 1.0], dtype=np.float32)
    sky: Float32Array = (world.sky * (1.0 - up) + deep * up).astype(np.float32)
    return sky


def _ground(world: World, points: Float32Array, px_m: Float32Array) -> tuple[Float32Array, Float32Array]:
    """Gives the light of ground points (N, 3) and the share of it that the sun brings (N,)."""
    x, z = points[:, 0], points[:, 2]
    # Seen at a grazing angle a pixel covers far more ground ahead than aside.
    stretch = np.clip(np.abs(z) / np.maximum(points[:, 1], 0.2), 1.0, 50.0)
    footprint = px_m * np.sqrt(stretch)
    texture = world.noise.at(x / 3.0, z / 3.0, footprint / 3.0) + 1.2 * world.noise.at(
        x / 41.0, z / 41.0, footprint / 41.0
    )
    value = np.exp(world.contrast * texture)
    if world.paving_m > 0:
        joint = 0.012 + footprint
        seam = np.maximum(_seam(x, world.paving_m, joint), _seam(z, world.paving_m, joint))
        value = value * (1.0 - 0.35 * seam * np.clip(0.012 / footprint, 0.0, 1.0))
        slab = np.sin(12.9898 * np.floor(x / world.paving_m) + 78.233 * np.floor(z / world.paving_m)) * 43758.5453
        value = value * (
            1.0 + 0.12 * (slab - np.floor(slab) - 0.5) * np.clip(world.paving_m / (4.0 * footprint), 0.0, 1.0)
        )
    sun = world.sun_light * max(0.0, -float(world.sun[1]))
    light = world.sky_light + sun
    return (world.ground * light) * value[:, None].astype(np.float32), np.full(
        len(points), float(sun.sum() / light.sum()), dtype=np.float32
    )


def _seam(position: Float32Array, period: float, width: Float32Array) -> Float32Array:
    """Gives 1 within `width` of a multiple of `period`, else 0."""
    offset = np.abs(np.mod(position / period + 0.5, 1.0) - 0.5) * period
    seam: Float32Array = (offset < 0.5 * width).astype(np.float32)
    return seam


def _wall(world: World, points: Float32Array, px_m: Float32Array) -> tuple[Float32Array, Float32Array]:
    """Gives the light of wall points (N, 3); shadows never fall on walls, so the sun's share is 0."""
    x, y = points[:, 0], points[:, 1]
    value = np.exp(0.7 * world.contrast * world.noise.at(x / 9.0, y / 9.0, px_m / 9.0))
    wide, high = world.window_m
    column, row = np.mod(x / wide, 1.0), np.mod(y / high, 1.0)
    glass = (np.abs(column - 0.5) < 0.28) & (np.abs(row - 0.5) < 0.3)
    frame = (np.abs(column - 0.5) < 0.31) & (np.abs(row - 0.5) < 0.335) & ~glass
    number = np.sin(37.1 * np.floor(x / wide) + 91.7 * np.floor(y / high)) * 1337.7
    pane = 0.12 + 0.5 * (number - np.floor(number)) ** 3
    value = np.where(glass, pane, np.where(frame, 1.25 * value, value))
    facing = 0.55 * world.sky_light + world.sun_light * max(0.0, -float(world.sun[2]))
    return (world.wall * facing) * value[:, None].astype(np.float32), np.zeros(len(points), dtype=np.float32)
