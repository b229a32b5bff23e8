"""Found people and true people of one scene, read for evaluation.

Truth comes in two forms: the Parquet file beside a synthetic frame, and a JSON file of a composed frame, whose people
are cut out of photos (so that those from training photos can be left out of recall).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mili_core.errors import ConfigError, MissingFileError, StoreError
from pipeline.table import read_people
from pipeline.types import BoolArray, Float64Array

FrameName = tuple[str, str]
TRUTHS = ("truth.json", "truth/people.parquet", "people.parquet")  # in the folder of a scene
CORNERS = ("xmin", "ymin", "xmax", "ymax")


@dataclass(frozen=True, slots=True, eq=False)
class FoundPeople:
    """Boxes (N, 4) in frame px and scores (N,) of one frame; scene and number of the frame, None where nobody is."""

    boxes_frame: Float64Array
    scores: Float64Array
    frame: FrameName | None = None


@dataclass(frozen=True, slots=True, eq=False)
class TruePeople:
    """Everyone in one frame.

    Attributes:
        boxes_frame: (M, 4) visible boxes, frame px.
        visible_fraction: (M,) 0..1.
        held_out: (M,) True for people whom the model cannot have seen in training.
        frame: scene and number, None where the truth does not say.
    """

    boxes_frame: Float64Array
    visible_fraction: Float64Array
    held_out: BoolArray
    frame: FrameName | None = None


def read_found(path: Path) -> FoundPeople:
    """Gives the people of a run that has one frame.

    Args:
        path: as for `pipeline.table.read_people`.

    Raises:
        MissingFileError: there is no people file.
        ConfigError: the path holds several frames.
    """
    table = read_people(path)
    return FoundPeople(_boxes(table), _numbers(table, "score"), _one_frame(table, path))


def read_truth(path: Path, photos_annotations: Path | None = None) -> TruePeople:
    """Gives the true people of one frame.

    Args:
        path: a JSON or a Parquet file, or the folder of a scene that holds one.
        photos_annotations: COCO-style file with a `split` per image; of a JSON truth, only people cut out of its
            "val" photos count as held out. None holds everyone out.

    Raises:
        MissingFileError, StoreError: a file is missing or cannot be read.
        ConfigError: a Parquet truth holds several frames, or comes with photo annotations.
    """
    path = next((each for each in (path / name for name in TRUTHS) if each.is_file()), path)
    if path.is_dir():
        raise MissingFileError(f"{path} holds none of {', '.join(TRUTHS)}: name a truth file")
    for file in (path, photos_annotations):
        if file is not None and not file.is_file():
            raise MissingFileError(f"{file} does not exist: name a truth file (.json or .parquet) and its annotations")
    if path.suffix == ".json":
        return _truth_of_json(path, None if photos_annotations is None else _validation_photos(photos_annotations))
    if photos_annotations is not None:
        raise ConfigError(f"{path}: photo annotations go with a JSON truth only; leave them out")
    return _truth_of_table(path)


def _truth_of_json(path: Path, validation_photos: frozenset[int] | None) -> TruePeople:
    document = _read_json(path)
    try:
        people = document["persons"]
        boxes = np.array([person["box_xyxy"] for person in people], dtype=np.float64).reshape(-1, 4)
        visible = np.array([person["visible_fraction"] for person in people], dtype=np.float64)
        photos = [int(person["coco_image"]) for person in people if validation_photos is not None]
    except KeyError as error:
        raise StoreError(f"{path}: people have no {error}: this is not a truth file") from error
    held_out = [photo in (validation_photos or ()) for photo in photos] or [True] * len(people)
    return TruePeople(boxes, visible, np.array(held_out, dtype=bool))


def _truth_of_table(path: Path) -> TruePeople:
    try:
        table = pq.read_table(path, columns=["scene_id", "frame_id", "bbox", "visible_fraction"], partitioning=None)
    except (pa.ArrowException, OSError) as error:
        raise StoreError(f"{path}: not a readable truth file ({error}): make the scene again") from error
    frame = _one_frame(table, path)
    visible = np.nan_to_num(_numbers(table, "visible_fraction"), nan=0.0)
    return TruePeople(_boxes(table), visible, np.ones(len(table), dtype=bool), frame)


def _validation_photos(path: Path) -> frozenset[int]:
    images = _read_json(path).get("images", [])
    return frozenset(int(image["id"]) for image in images if image.get("split") == "val")


def _read_json(path: Path) -> dict[str, Any]:
    try:
        document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise StoreError(f"{path} is not JSON ({error}): replace it") from error
    return document


def _one_frame(table: pa.Table, path: Path) -> FrameName | None:
    """Returns the frame of a table, None where it has no rows."""
    frames = table.select(["scene_id", "frame_id"]).group_by(["scene_id", "frame_id"]).aggregate([])
    if len(frames) > 1:
        raise ConfigError(f"{path} holds {len(frames)} frames: name the file of one of them")
    return (str(frames["scene_id"][0]), str(frames["frame_id"][0])) if len(frames) else None


def _boxes(table: pa.Table) -> Float64Array:
    bbox = table.column("bbox").combine_chunks()
    columns = [bbox.field(corner).to_numpy(zero_copy_only=False) for corner in CORNERS]
    return np.stack(columns, axis=1).astype(np.float64).reshape(-1, 4)


def _numbers(table: pa.Table, name: str) -> Float64Array:
    return np.asarray(table.column(name).to_numpy(), dtype=np.float64)
