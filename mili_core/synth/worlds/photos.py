"""Photos of the user's own as backdrops.

Nothing is known of what they show: people in them are not in the truth, so photos of empty places serve best.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mili_core.errors import ConfigError
from mili_core.synth.camera import SceneCamera
from mili_core.synth.colours import to_linear
from mili_core.synth.window import ImageWindow
from mili_core.synth.worlds.contract import Backdrop
from mili_core.synth.worlds.light import Light
from mili_core.synth.worlds.place import TINY_SUN, ray_planes
from mili_core.synth.worlds.weather import sun_direction

Float32Array = NDArray[np.float32]
Float64Array = NDArray[np.float64]
UInt8Array = NDArray[np.uint8]

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp")

FURNITURE = {
    "pole": 0.12,
    "bicycle": 0.2,
    "pram": 0.12,
    "barrier": 0.18,
    "bench": 0.14,
    "litter_bin": 0.1,
    "bollard": 0.08,
    "umbrella": 0.06,
}

GREY = 0.22
"""Linear reflectance of the world on average: turns a photo's brightness into the light that fell on it."""

SMALLEST_PX = 64
"""Side below which a picture is an icon, no photo."""

_STEPS = 32.0
"""OpenCV interpolates on this many places between two pixels; places are put there beforehand, so that a window's
origin cannot move them."""

_MARGIN = 3
"""Pixels that bicubic interpolation reaches around a place, and one for safety."""


_LINEAR = to_linear(np.arange(256, dtype=np.float32))

_FLAGS = {
    1: cv2.IMREAD_COLOR,
    2: cv2.IMREAD_REDUCED_COLOR_2,
    4: cv2.IMREAD_REDUCED_COLOR_4,
    8: cv2.IMREAD_REDUCED_COLOR_8,
}


@dataclass(frozen=True, slots=True, eq=False)
class PhotoWorld:
    """A photo that fills the frame; ground is whatever is below the camera's horizon.

    Attributes:
        name, light, furniture, indoor: see World.
        path: file.
        size: (2,) its width and height, px, to a few pixels: says how much finer than the frame it is.
        corner: (2,) x, y share of the room that the crop's corner takes, 0..1.
        zoom: share of the largest crop that is used, 0..1.
        mirrored: left for right.
        sun_share: share of the light on the ground that comes from the sun.
    """

    name: str
    light: Light
    furniture: dict[str, float]
    indoor: bool
    path: Path
    size: tuple[int, int]
    corner: tuple[float, float]
    zoom: float
    mirrored: bool
    sun_share: float

    def backdrop(self, camera: SceneCamera, window: ImageWindow) -> Backdrop:
        """Gives the backdrop of the window's pixels.

        Raises:
            ConfigError: the photo has gone or cannot be read any more.
        """
        photo, step, left, top = fitted(
            self.path, self._reduction(camera), (camera.width, camera.height), self.zoom, self.corner
        )
        xs = np.arange(window.left, window.left + window.width, dtype=np.float64) + 0.5
        if self.mirrored:
            xs = camera.width - xs
        ys = np.arange(window.top, window.top + window.height, dtype=np.float64) + 0.5
        columns = np.round((left + xs * step - 0.5) * _STEPS) / _STEPS
        rows = np.round((top + ys * step - 0.5) * _STEPS) / _STEPS
        colour = np.empty((window.height, window.width, 3), dtype=np.float32)
        # OpenCV counts in 16 bits, so that strips and pieces keep any window within it.
        for low in range(0, window.height, 1024):
            for first in range(0, window.width, 8192):
                part = (slice(low, low + 1024), slice(first, first + 8192))
                colour[part] = _LINEAR[_sampled(photo, columns[part[1]], rows[part[0]])]
        return Backdrop(colour, self._sunlit(camera, window))

    def walkable(self, spots_m: Float64Array) -> NDArray[np.bool_]:
        """Gives (K,) True: nothing is known of the place."""
        return np.ones(len(spots_m), dtype=np.bool_)

    def _reduction(self, camera: SceneCamera) -> int:
        """Gives by how much the photo may be shrunk while it is decoded: far quicker, and never coarser than needed."""
        step = self.zoom * min(self.size[0] / camera.width, self.size[1] / camera.height)
        return next(times for times in (8, 4, 2, 1) if step >= times * 1.05 or times == 1)

    def _sunlit(self, camera: SceneCamera, window: ImageWindow) -> Float32Array:
        sunlit = np.empty((window.height, window.width), dtype=np.float32)
        for low in range(0, window.height, 256):
            strip = ImageWindow(window.left, window.top + low, window.width, min(256, window.height - low))
            down = ray_planes(camera, strip)[1].reshape(strip.height, strip.width)
            sunlit[low : low + 256] = np.where(down > 1e-6, np.float32(self.sun_share), np.float32(0.0))
        return sunlit


def draw(rng: np.random.Generator, photos: Path) -> PhotoWorld:
    """Gives a random photo of a folder as a world.

    Args:
        rng: source of all randomness.
        photos: folder; photos in folders inside it count as well.

    Raises:
        ConfigError: the folder cannot be read or holds no readable photo.
    """
    paths = photo_paths(photos)
    for index in rng.permutation(len(paths)):
        small = _thumbnail(paths[index])
        if small is not None:
            return _world(rng, paths[index], small)
    raise ConfigError(
        f"no photo in {photos} can be read ({len(paths)} tried): put JPEG or PNG photos of at least "
        f"{SMALLEST_PX} px there, or choose a world by its name"
    )


@lru_cache(maxsize=8)
def photo_paths(folder: Path) -> tuple[Path, ...]:
    """Gives the photos of a folder and of folders inside it, in order of their names.

    Raises:
        ConfigError: there is no such folder, it cannot be read, or no photo is in it.
    """
    if not folder.is_dir():
        raise ConfigError(f"photo folder {folder} is not a folder: give one that holds JPEG or PNG photos")
    try:
        paths = tuple(sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file()))
    except OSError as error:
        raise ConfigError(f"photo folder {folder} cannot be read ({error.strerror}): check its permissions") from error
    if not paths:
        raise ConfigError(f"photo folder {folder} holds no photo: put JPEG or PNG photos there ({', '.join(SUFFIXES)})")
    return paths


def _world(rng: np.random.Generator, path: Path, small: UInt8Array) -> PhotoWorld:
    linear = _LINEAR[small].reshape(-1, 3)
    mean = linear.mean(axis=0)
    level = float(np.clip(mean.mean() / GREY, 0.25, 1.8))
    # Half of the cast is the light's, half is that of what is there.
    cast = np.sqrt(np.clip(mean / max(float(mean.mean()), 1e-4), 0.5, 2.0))
    spread = float(linear.mean(axis=1).std() / max(float(mean.mean()), 1e-4))
    # Hard contrast speaks for sun.
    share = float(np.clip(rng.uniform(0.0, 0.7) * spread / 0.8, 0.0, 0.65))
    elevation = np.deg2rad(rng.uniform(25.0, 65.0))
    light = Light(
        sun=sun_direction(rng.uniform(0.0, 2.0 * np.pi), elevation),
        sun_light=(level * share / np.sin(elevation) * cast).astype(np.float32),
        sky_light=(level * (1.0 - share) * cast).astype(np.float32),
        bounce_light=(0.3 * level * cast).astype(np.float32),
        haze=mean.astype(np.float32),
        haze_m=1500.0,
    )
    return PhotoWorld(
        name="photos",
        light=light,
        furniture=FURNITURE,
        indoor=False,
        path=path,
        size=(8 * small.shape[1], 8 * small.shape[0]),
        corner=(rng.random(), rng.random()),
        zoom=rng.uniform(0.7, 1.0),
        mirrored=bool(rng.random() < 0.5),
        sun_share=max(share, TINY_SUN),
    )


@lru_cache(maxsize=2)
def fitted(
    path: Path, reduction: int, size: tuple[int, int], zoom: float, corner: tuple[float, float]
) -> tuple[UInt8Array, float, float, float]:
    """Gives the photo as a frame of a size uses it; the last two are kept.

    Returns:
        RGB pixels; pixels of it per pixel of the frame; x, y of the frame's corner in it.
        A photo that is finer than the frame is cut and averaged down to it: one pixel per pixel.

    Raises:
        ConfigError: the photo cannot be read.
    """
    photo, (width, height) = _read(path, _FLAGS[reduction]), size
    if photo is None:
        raise ConfigError(f"photo {path} cannot be read any more: leave the folder as it is while scenes are rendered")
    high, wide = photo.shape[:2]
    step = zoom * min(wide / width, high / height)
    left, top = corner[0] * (wide - step * width), corner[1] * (high - step * height)
    if step <= 1.0:
        return photo, step, left, top
    x0, y0 = int(left), int(top)
    x1, y1 = min(wide, round(left + step * width)), min(high, round(top + step * height))
    crop = cv2.resize(photo[y0:y1, x0:x1], (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(crop, dtype=np.uint8), 1.0, 0.0, 0.0


def _sampled(photo: UInt8Array, columns: Float64Array, rows: Float64Array) -> UInt8Array:
    """Gives photo values at places (W,), (H,), bicubic; beyond the border the border goes on."""
    height, width = photo.shape[:2]
    x0 = int(np.clip(np.floor(columns.min()) - _MARGIN, 0, width - 1))
    y0 = int(np.clip(np.floor(rows.min()) - _MARGIN, 0, height - 1))
    x1 = int(np.clip(np.ceil(columns.max()) + _MARGIN + 1, x0 + 1, width))
    y1 = int(np.clip(np.ceil(rows.max()) + _MARGIN + 1, y0 + 1, height))
    across, down = np.meshgrid((columns - x0).astype(np.float32), (rows - y0).astype(np.float32))
    values = cv2.remap(photo[y0:y1, x0:x1], across, down, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(values, dtype=np.uint8)


def _thumbnail(path: Path) -> UInt8Array | None:
    """Gives a coarse RGB version, or None when the file is no photo."""
    small = _read(path, cv2.IMREAD_REDUCED_COLOR_8)
    if small is None or min(small.shape[:2]) * 8 < SMALLEST_PX:
        return None
    return small


def _read(path: Path, flags: int) -> UInt8Array | None:
    try:
        encoded = np.frombuffer(path.read_bytes(), dtype=np.uint8)
        bgr = cv2.imdecode(encoded, flags) if len(encoded) else None
    except (OSError, cv2.error):
        return None
    return None if bgr is None else np.ascontiguousarray(bgr[..., ::-1])
