"""A place of flat surfaces: a ground, walls behind and aside, a roof or the sky, seen by casting rays."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mili_core.synth.camera import SceneCamera
from mili_core.synth.window import ImageWindow
from mili_core.synth.worlds.contract import Backdrop
from mili_core.synth.worlds.ground import Ground
from mili_core.synth.worlds.light import Light
from mili_core.synth.worlds.sky import Sky
from mili_core.synth.worlds.surface import Painter, Surface

Float32Array = NDArray[np.float32]
Float64Array = NDArray[np.float64]

CHUNK = 12_288
"""Pixels at a time: their arrays stay in the processor's cache."""

TINY_SUN = 1e-3
"""Share of the sun where there is none: says that this is ground."""

CLEARANCE_M = 0.6
"""Nobody stands closer to a wall."""

_FAR = np.float32(1e9)


@dataclass(frozen=True, slots=True, eq=False)
class Wall:
    """An upright plane.

    Attributes:
        axis: 2 for the wall behind (a plane of constant z), 0 for one aside (constant x).
        distance_m: z or x of the plane; negative x is on the left.
        height_m: above the ground; the wall grows with a camera that would look over it when `tall`.
        painter: look.
        tall: see height_m.
        outline: (K,) float32 relative height of each stretch of `stretch_m` along the wall, repeating.
        stretch_m: length of a stretch.
        sparse: a wall with gaps, such as trees: its painter gives a fourth row, the share that is not gap, and light
            that is already multiplied by it.
        stop_m: where the wall ends along itself.
    """

    axis: int
    distance_m: float
    height_m: float
    painter: Painter
    tall: bool = False
    outline: Float32Array = field(default_factory=lambda: np.ones(1, dtype=np.float32))
    stretch_m: float = 1.0
    sparse: bool = False
    stop_m: float = np.inf

    def top_m(self, along: Float32Array, camera_m: float) -> Float32Array:
        """Gives (N,) the wall's height at places along it, seen from a camera's height."""
        height = max(self.height_m, 1.15 * camera_m + 4.0) if self.tall else self.height_m
        if len(self.outline) == 1:
            return np.full(len(along), height * self.outline[0], dtype=np.float32)
        stretch = np.floor(np.clip(along, -1e6, 1e6) / np.float32(self.stretch_m)).astype(np.int32)
        top: Float32Array = (self.outline * np.float32(height))[stretch % np.int32(len(self.outline))]
        return top


@dataclass(frozen=True, slots=True, eq=False)
class Roof:
    """A ceiling over everything.

    Attributes:
        height_m: above the ground.
        painter: look.
    """

    height_m: float
    painter: Painter


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """A World made of planes.

    Attributes:
        name, light, furniture, indoor: see World.
        ground: painter of the ground.
        walls: any number.
        above: sky or roof.
        bounds: (4,) least x, greatest x, least z, greatest z where people may stand.
    """

    name: str
    light: Light
    furniture: dict[str, float]
    indoor: bool
    ground: Ground
    walls: tuple[Wall, ...]
    above: Sky | Roof
    bounds: tuple[float, float, float, float]

    def backdrop(self, camera: SceneCamera, window: ImageWindow) -> Backdrop:
        """Gives the backdrop of the window's pixels."""
        colour = np.empty((window.height, window.width, 3), dtype=np.float32)
        sunlit = np.empty((window.height, window.width), dtype=np.float32)
        for block in blocks(window):
            seen, sunny = self._cast(camera, ray_planes(camera, block))
            rows, columns = block.rows(window), block.columns(window)
            colour[rows, columns] = seen.T.reshape(block.height, block.width, 3)
            sunlit[rows, columns] = sunny.reshape(block.height, block.width)
        return Backdrop(colour, sunlit)

    def walkable(self, spots_m: Float64Array) -> NDArray[np.bool_]:
        """Gives (K,) whether people and objects may stand at ground points (K, 2) x, z."""
        left, right, near, far = self.bounds
        x, z = spots_m[:, 0], spots_m[:, 1]
        inside: NDArray[np.bool_] = (x >= left) & (x <= right) & (z >= near) & (z <= far)
        return inside

    @property
    def sun_share(self) -> float:
        """Share of the light on the ground that comes straight from the sun."""
        if self.indoor:
            return TINY_SUN
        sun = self.light.sun_light * max(0.0, -float(self.light.sun[1]))
        return max(float(sun.sum() / (sun + self.light.sky_light).sum()), TINY_SUN)

    def _cast(self, camera: SceneCamera, rays: Float32Array) -> tuple[Float32Array, Float32Array]:
        """Gives (3, N) light and (N,) sunlit share of rays (3, N)."""
        down = rays[1]
        floor = np.where(down > 1e-6, np.float32(camera.height_m) / np.maximum(down, np.float32(1e-6)), _FAR)
        nearest, hits = floor, []
        for wall in self.walls:
            hit = _meet(wall, camera, rays, floor)
            if hit is not None:
                hits.append((wall, *hit))
                if not wall.sparse:
                    nearest = np.where(hit[2] >= 1.0, np.minimum(nearest, hit[1]), nearest)
        # Half-covered pixels may look at what is painted after them; they are painted over then.
        colour = np.repeat(self.light.haze[:, None], rays.shape[1], axis=1)
        self._fill_above(camera, rays, nearest, colour)
        sunlit = np.zeros(rays.shape[1], dtype=np.float32)
        self._fill_ground(camera, rays, (nearest == floor) & (floor < _FAR), floor, colour, sunlit)
        # What stands farther is painted first; half-covered pixels of outlines show it. A row of trees hides nothing
        # whole, so a wall that lies beside it, and behind it at some pixels, comes before it.
        for wall, here, reach, share in sorted(hits, key=lambda hit: (hit[0].sparse, -abs(hit[0].distance_m))):
            _fill_wall(wall, camera, rays, here & (reach <= nearest), reach, share, self.light, colour)
        return colour, sunlit

    def _fill_above(self, camera: SceneCamera, rays: Float32Array, nearest: Float32Array, colour: Float32Array) -> None:
        here = np.flatnonzero(nearest >= _FAR)
        if not len(here):
            return
        some = rays[:, here]
        if isinstance(self.above, Sky):
            colour[:, here] = self.above.paint(some, 1.0 / camera.focal_px)
            return
        room = np.float32(max(self.above.height_m - camera.height_m, 1.0))
        reach = room / np.maximum(-some[1], np.float32(1e-3))
        around = reach / np.float32(camera.focal_px)
        across, along = _footprint(camera.heading_rad, around, around * reach / room)
        surface = Surface(some[0] * reach, some[2] * reach, across, along)
        colour[:, here] = hazed(self.light, self.above.painter.paint(surface), reach)

    def _fill_ground(
        self,
        camera: SceneCamera,
        rays: Float32Array,
        mask: NDArray[np.bool_],
        floor: Float32Array,
        colour: Float32Array,
        sunlit: Float32Array,
    ) -> None:
        here = np.flatnonzero(mask)
        if not len(here):
            return
        whole = len(here) == len(mask)
        reach = floor if whole else floor[here]
        side, ahead = (rays[0], rays[2]) if whole else (rays[0, here], rays[2, here])
        around = reach / np.float32(camera.focal_px)
        long = around * reach / np.float32(camera.height_m)
        across, along = _footprint(camera.heading_rad, around, long)
        surface = Surface(side * reach, ahead * reach, across, along)
        light = self.ground.paint(surface)
        self.ground.reflect(surface, camera.height_m, light)
        clear = np.exp(reach * np.float32(-1.0 / self.light.haze_m))
        _blend(light, self.light.haze, clear)
        clear *= np.float32(self.sun_share)
        np.maximum(clear, np.float32(1e-6), out=clear)
        if whole:
            colour[:], sunlit[:] = light, clear
        else:
            colour[:, here], sunlit[here] = light, clear


def _footprint(heading_rad: float, wide: Float32Array, long: Float32Array) -> tuple[Float32Array, Float32Array]:
    """Gives the extents (N,) along a place's x and z of pixels `wide` aside and `long` ahead of the camera."""
    if heading_rad == 0.0:
        return wide, long
    cosine, sine = np.float32(np.cos(heading_rad) ** 2), np.float32(np.sin(heading_rad) ** 2)
    wide, long = wide * wide, long * long
    return np.sqrt(cosine * wide + sine * long), np.sqrt(sine * wide + cosine * long)


def hazed(light: Light, colour: Float32Array, reach: Float32Array) -> Float32Array:
    """Gives colours (3, N) seen through haze over distances (N,), changed in place."""
    _blend(colour, light.haze, np.exp(reach * np.float32(-1.0 / light.haze_m)))
    return colour


def _blend(colour: Float32Array, haze: Float32Array, clear: Float32Array) -> None:
    for channel in range(3):
        colour[channel] -= haze[channel]
        colour[channel] *= clear
        colour[channel] += haze[channel]


def _meet(
    wall: Wall, camera: SceneCamera, rays: Float32Array, floor: Float32Array
) -> tuple[NDArray[np.bool_], Float32Array, Float32Array] | None:
    """Gives where rays (3, N) meet a wall: whether, how far, share of the pixel below its top; None for nowhere."""
    distance = np.float32(wall.distance_m)
    towards = rays[wall.axis] if distance > 0 else -rays[wall.axis]
    reach = np.where(towards > 1e-6, np.abs(distance) / np.maximum(towards, np.float32(1e-6)), _FAR)
    near = reach < np.minimum(floor, np.float32(1e6))
    if not near.any():
        return None
    height = np.float32(camera.height_m) - rays[1] * reach
    along = rays[2 - wall.axis] * reach
    top = wall.top_m(along, camera.height_m)
    share = np.clip((top - height) * (np.float32(camera.focal_px) / reach) + np.float32(0.5), 0.0, 1.0)
    near &= (share > 0) & (along < np.float32(wall.stop_m))
    return near, np.where(near, reach, _FAR), share.astype(np.float32)


def _fill_wall(
    wall: Wall,
    camera: SceneCamera,
    rays: Float32Array,
    mask: NDArray[np.bool_],
    reach: Float32Array,
    share: Float32Array,
    light: Light,
    colour: Float32Array,
) -> None:
    here = np.flatnonzero(mask)
    if not len(here):
        return
    far, part = reach[here], share[here]
    around = far / np.float32(camera.focal_px)
    # A wall that is seen askew is farther than its plane, and a pixel covers more of it.
    square = wall.axis == 2 and camera.heading_rad == 0.0
    wide = around if square else around * far / np.float32(abs(wall.distance_m))
    along = rays[2 - wall.axis, here] * far
    height = np.float32(camera.height_m) - rays[1, here] * far
    seen = wall.painter.paint(Surface(along, height, wide, around))
    if wall.sparse:
        clear = np.exp(far * np.float32(-1.0 / light.haze_m))
        under = colour[:, here] * (np.float32(1.0) - seen[3])
        colour[:, here] = under + seen[:3] * clear + light.haze[:, None] * ((np.float32(1.0) - clear) * seen[3])
        return
    hazed(light, seen, far)
    open_part = np.flatnonzero(part < 1.0)
    if len(open_part):
        behind = colour[:, here[open_part]]
        seen[:, open_part] = behind + (seen[:, open_part] - behind) * part[open_part]
    colour[:, here] = seen


def blocks(window: ImageWindow) -> Iterator[ImageWindow]:
    """Gives parts of at most CHUNK pixels that make up a window."""
    wide = min(window.width, CHUNK)
    high = max(1, CHUNK // wide)
    for top in range(0, window.height, high):
        for left in range(0, window.width, wide):
            yield ImageWindow(
                window.left + left, window.top + top, min(wide, window.width - left), min(high, window.height - top)
            )


def ray_planes(camera: SceneCamera, window: ImageWindow) -> Float32Array:
    """Gives (3, N) float32 world directions through the window's pixels, row by row; the same however it is cut."""
    corners = camera.rays_world(np.array([0.0, 1.0, 0.0]), np.array([0.0, 0.0, 1.0]))
    right, down = corners[1] - corners[0], corners[2] - corners[0]
    xs = np.arange(window.left, window.left + window.width, dtype=np.float64) + 0.5
    ys = np.arange(window.top, window.top + window.height, dtype=np.float64) + 0.5
    rays = np.empty((3, window.height, window.width), dtype=np.float32)
    for axis in range(3):
        np.add(corners[0, axis] + right[axis] * xs, (down[axis] * ys)[:, None], out=rays[axis], casting="same_kind")
    return rays.reshape(3, -1)
