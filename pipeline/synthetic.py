"""Synthetic frames on disk: a tiled BigTIFF, the truth of everybody in it, and the scene's description.

SCENE/<scene_id>.tif (and .jpg), SCENE/truth/people.parquet, SCENE/scene.json; the last appears last, so a folder with
scene.json is complete. Memory is bounded by a tile and by the people, not by the frame (but for the JPEG).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import tifffile
from numpy.typing import NDArray

from mili_core.body import BodyModel
from mili_core.errors import ConfigError, StoreError
from mili_core.synth.camera import SceneCamera
from mili_core.synth.effects import HALO_PX, Film, develop
from mili_core.synth.render import Scene, render_window
from mili_core.synth.square import draw_square
from mili_core.synth.window import ImageWindow
from pipeline.storage import atomic_file, write_bytes, write_text
from pipeline.synthetic_truth import SUPERSAMPLE, TruthCollector, write_truth

GENERATOR_VERSION = 1
"""Steps when the same seed gives another scene."""

TILE_PX = 512
"""Side of a TIFF tile and of what is rendered at once: 512 x 512 px take about 60 MB."""

DEFLATE_LEVEL = 4
"""Rendered noise hardly compresses further at higher levels, which take twice the time."""

JPEG_QUALITY = 90
"""What cameras write: visible artefacts at the pixel level, none beyond."""

SMALLEST_SIDE_PX = 64
LARGEST_SIDE_PX = 65_500
"""A JPEG cannot be larger, and readers of the frame should never meet a size that they refuse."""

MOST_PEOPLE = 5_000
"""Vertices of all people are kept in memory, about 0.4 MB each."""


@dataclass(frozen=True, slots=True)
class SceneRequest:
    """What to make.

    Attributes:
        people: how many stand in the scene.
        width, height: px.
        seed: equal seeds give equal bytes.
        scene_id: [A-Za-z0-9._-]+, names the files.
        jpeg: also write SCENE/<scene_id>.jpg; that holds the whole frame in memory.
    """

    people: int
    width: int
    height: int
    seed: int
    scene_id: str = "scene"
    jpeg: bool = False

    def __post_init__(self) -> None:
        for name, side in (("width", self.width), ("height", self.height)):
            if not SMALLEST_SIDE_PX <= side <= LARGEST_SIDE_PX:
                raise ConfigError(
                    f"{name} {side} px is not in {SMALLEST_SIDE_PX}..{LARGEST_SIDE_PX}; give another size"
                )
        if not 0 <= self.people <= MOST_PEOPLE:
            raise ConfigError(f"people {self.people} is not in 0..{MOST_PEOPLE}; ask for another number")
        if self.seed < 0:
            raise ConfigError(f"seed {self.seed} is negative; give 0 or more")
        if not re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]*", self.scene_id):
            raise ConfigError(f"scene id {self.scene_id!r} may hold only A-Z a-z 0-9 . _ - and not begin with a dot")


@dataclass(frozen=True, slots=True)
class SceneFiles:
    """What was written.

    Attributes:
        image: the BigTIFF.
        truth: SCENE/truth/people.parquet.
        description: SCENE/scene.json.
        visible_people: rows of the truth.
    """

    image: Path
    truth: Path
    description: Path
    visible_people: int


def make_scene(request: SceneRequest, body: BodyModel, output: Path) -> SceneFiles:
    """Renders a scene and writes it with its truth.

    Args:
        request: what to make.
        body: body model.
        output: the folder SCENE; made when missing, files of the same names are replaced.

    Raises:
        ConfigError: so many people do not fit, or `output` is a file.
    """
    if output.exists() and not output.is_dir():
        raise ConfigError(f"output {output} is a file; name a folder")
    rng = np.random.default_rng(request.seed)
    scene, film = draw_square(rng, body, request.width, request.height, request.people)
    description = output / "scene.json"
    description.unlink(missing_ok=True)
    image, truth = output / f"{request.scene_id}.tif", output / "truth" / "people.parquet"
    collector = TruthCollector(scene)
    with atomic_file(image) as file:
        tiles = _tiles(scene, film, request.seed, collector)
        # Named here, because tifffile cannot name a file that was opened by its descriptor.
        handle = tifffile.FileHandle(file, name=image.name, offset=0, size=0)
        with tifffile.TiffWriter(handle, bigtiff=True) as writer:
            writer.write(
                tiles,
                shape=(request.height, request.width, 3),
                dtype=np.uint8,
                tile=(TILE_PX, TILE_PX),
                photometric="rgb",
                compression="zlib",
                compressionargs={"level": DEFLATE_LEVEL},
                predictor=True,
                metadata=None,
                software=False,
            )
        rows = write_truth(
            collector, truth, scene_id=request.scene_id, seed=request.seed, generator_version=GENERATOR_VERSION
        )
    if request.jpeg:
        _write_jpeg(image, output / f"{request.scene_id}.jpg")
    write_text(description, json.dumps(_describe(request, scene, film), indent=2, sort_keys=True) + "\n")
    return SceneFiles(image, truth, description, rows)


def _tiles(scene: Scene, film: Film, seed: int, collector: TruthCollector) -> Iterator[NDArray[np.uint8]]:
    """Yields the frame's tiles row by row, (TILE_PX, TILE_PX, 3), zero beyond the frame, and shows them to the truth.

    The noise of a tile depends on its number only, so tiles could be rendered in any order.
    """
    camera = scene.camera
    number = 0
    for top in range(0, camera.height, TILE_PX):
        for left in range(0, camera.width, TILE_PX):
            window = ImageWindow(left, top, min(TILE_PX, camera.width - left), min(TILE_PX, camera.height - top))
            render = render_window(scene, window.grown(HALO_PX), SUPERSAMPLE)
            collector.add(render.samples, window)
            tile = np.zeros((TILE_PX, TILE_PX, 3), dtype=np.uint8)
            noise = np.random.default_rng([seed, number])
            tile[: window.height, : window.width] = develop(render.colour, film, noise)
            yield tile
            number += 1


def _write_jpeg(image: Path, path: Path) -> None:
    """Writes the TIFF again as a JPEG; holds the whole frame, three bytes a px."""
    frame = tifffile.imread(image)
    cv2.cvtColor(frame, cv2.COLOR_RGB2BGR, dst=frame)
    done, encoded = cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    if not done:
        raise StoreError(f"{path}: the frame could not be encoded as JPEG; leave --jpeg out")
    write_bytes(path, encoded.tobytes())


def _describe(request: SceneRequest, scene: Scene, film: Film) -> dict[str, Any]:
    """Gives the contents of scene.json."""
    return {
        "generator": "square",
        "generator_version": GENERATOR_VERSION,
        "package_version": version("mili"),
        "scene_id": request.scene_id,
        "seed": request.seed,
        "people": request.people,
        "width": request.width,
        "height": request.height,
        "body": {"name": scene.rig.body.name, "sha256": scene.rig.body.sha256},
        "camera": _describe_camera(scene.camera),
        "ground": _describe_ground(scene.camera),
        "sun_towards": [round(float(value), 6) for value in scene.camera.world_to_camera @ scene.world.sun],
        "film": {"gain": [round(float(value), 4) for value in film.gain], "noise": round(film.noise, 3)},
    }


def _describe_camera(camera: SceneCamera) -> dict[str, Any]:
    return {
        "focal_px": camera.focal_px,
        "principal_xy": [float(value) for value in camera.principal_xy],
        "pitch_rad": camera.pitch_rad,
        "height_m": camera.height_m,
        "horizon_y_px": camera.horizon_y,
    }


def _describe_ground(camera: SceneCamera) -> dict[str, Any]:
    """Gives the ground plane as n . p = d in camera axes, n pointing down into the ground, and its own axes."""
    right, down, ahead = camera.world_to_camera.T
    return {
        "normal": [float(value) for value in down],
        "distance_m": camera.height_m,
        "x_axis": [float(value) for value in right],
        "y_axis": [float(value) for value in ahead],
        "origin": "the point of the ground below the camera",
    }
