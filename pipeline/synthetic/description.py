"""scene.json: what a folder holds and what the scene is, for readers without Parquet."""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

from mili_core.body import BodyModel
from mili_core.synth.camera import SceneCamera
from pipeline.synthetic.masks import SUPERSAMPLE
from pipeline.synthetic.request import GENERATOR_VERSION, SceneRequest
from pipeline.synthetic.worker import SceneFacts
from schemas.truth import VISIBLE_ID_MEANING


def describe(
    request: SceneRequest, facts: SceneFacts, body: BodyModel, *, visible_people: int, files: dict[str, str]
) -> str:
    """Gives the text of scene.json.

    Args:
        request: what was asked for.
        facts: of the scene.
        body: body model.
        visible_people: rows of the truth.
        files: what -> path in the folder.
    """
    camera = facts.camera
    document: dict[str, Any] = {
        "generator_version": GENERATOR_VERSION,
        "package_version": version("mili"),
        "scene_id": request.scene_id,
        "preset": request.preset,
        "seed": request.seed,
        "world": facts.world,
        "people": request.people,
        "visible_people": visible_people,
        "children": int(facts.child.sum()),
        "objects": facts.objects,
        "backdrops": _folder(request.backdrops, photo=facts.photo),
        "clips": _folder(request.clips, count=facts.clips),
        "width": request.width,
        "height": request.height,
        "supersample": SUPERSAMPLE,
        "body": {"name": body.name, "sha256": body.sha256},
        "camera": _camera(camera),
        "ground": _ground(camera),
        "sun_towards": [round(float(value), 6) for value in camera.world_to_camera @ facts.sun],
        "film": _film(facts),
        "files": files,
        "visible_id": VISIBLE_ID_MEANING,
    }
    return json.dumps(document, indent=2, sort_keys=True) + "\n"


def _folder(folder: Path | None, **used: str | int | None) -> dict[str, Any] | None:
    """Gives the name of a folder of the user's and what was used of it; its path says nothing elsewhere."""
    return None if folder is None else {"folder": folder.resolve().name, **used}


def _camera(camera: SceneCamera) -> dict[str, Any]:
    return {
        "focal_px": camera.focal_px,
        "principal_xy": [float(value) for value in camera.principal_xy],
        "pitch_rad": camera.pitch_rad,
        "roll_rad": camera.roll_rad,
        "height_m": camera.height_m,
        "horizon_y_px": camera.horizon_y,
        "world_to_camera": camera.world_to_camera.tolist(),
    }


def _ground(camera: SceneCamera) -> dict[str, Any]:
    """Gives the ground plane as n . p = d in camera axes, n pointing down into the ground, and its own axes."""
    right, down, ahead = camera.world_to_camera.T
    return {
        "normal": down.tolist(),
        "distance_m": camera.height_m,
        "x_axis": right.tolist(),
        "y_axis": ahead.tolist(),
        "origin": "the point of the ground below the camera",
    }


def _film(facts: SceneFacts) -> dict[str, Any]:
    film = facts.film
    return {
        "gain": [round(float(value), 4) for value in film.gain],
        "gamma": round(film.gamma, 4),
        "blur": round(film.blur, 4),
        "noise": round(film.noise, 3),
        "jpeg_quality": film.jpeg_quality,
    }
