"""Samples with SMPL truth in files, so that training does not wait for the renderer.

A shard is a safetensors file of N samples: encoded images in one run of bytes, truth in flat arrays, and how many
people, rings and points belong to each. Samples are read one by one through the memory map; only the counts are held.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from mili_core.datasets.images import decode_rgb
from mili_core.datasets.sample import BodyTruth, Float32Array, Polygons, Sample
from mili_core.datasets.sequence import SampleSequence
from mili_core.errors import ConfigError, MissingFileError, StoreError
from mili_core.whole_file import whole_file

FORMAT = "mili-shard-1"
JPEG_QUALITY = 95
SIMPLIFY_PX = 0.3  # outlines may lie this much off: half of the files were outlines without it
PER_PERSON = ("boxes", "rotmats", "betas", "joints3d_m", "joints2d", "visible_fraction")


@dataclass(frozen=True, slots=True)
class ShardOrigin:
    """What the samples of a folder have in common; all of its shards agree in it.

    Attributes:
        seed: sample i depends on (seed, i) alone.
        width, height: px.
        body_name, body_sha256: the body of the truth.
        made_by: what rendered them, with its version.
    """

    seed: int
    width: int
    height: int
    body_name: str
    body_sha256: str
    made_by: str


def shard_path(folder: Path, number: int) -> Path:
    """Gives the file of shard `number`."""
    return folder / f"shard-{number:05d}.safetensors"


def write_shard(path: Path, samples: Sequence[Sample], origin: ShardOrigin, first: int) -> None:
    """Writes samples to one file, whole or not at all.

    Args:
        path: the file.
        samples: with SMPL truth, visible fractions and both kinds of outlines.
        origin: stored in the file.
        first: index of the first sample in the folder.
    """
    images = [_encode(sample.image) for sample in samples]
    bodies = [_bodies(sample) for sample in samples]
    arrays: dict[str, NDArray[Any]] = {
        "images": np.concatenate(images),
        "image_bytes": np.array([len(image) for image in images], dtype=np.int64),
        "people": np.array([len(sample.boxes_xyxy) for sample in samples], dtype=np.int64),
        "ignored": np.array([len(sample.ignore_boxes_xyxy) for sample in samples], dtype=np.int64),
        "ignore_boxes": np.concatenate([sample.ignore_boxes_xyxy for sample in samples]),
        "boxes": np.concatenate([sample.boxes_xyxy for sample in samples]),
    }
    for name in PER_PERSON[1:]:
        arrays[name] = np.concatenate([getattr(one, name) for one in bodies])
    arrays |= _flat("visible", [rings or () for sample in samples for rings in sample.polygons])
    arrays |= _flat("amodal", [rings for one in bodies for rings in one.amodal_polygons or ()])
    # One entry: safetensors writes several in any order, and equal samples shall give equal files.
    metadata = {FORMAT: json.dumps({"origin": asdict(origin), "first": first}, sort_keys=True)}
    with whole_file(path) as partial:
        save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, partial, metadata)


def read_origin(path: Path) -> tuple[ShardOrigin, int, int]:
    """Gives where a shard's samples come from, the index of the first, and their number.

    Raises:
        StoreError: not a shard of this version.
    """
    try:
        with safe_open(path, framework="np") as stored:
            metadata = stored.metadata() or {}
            if FORMAT not in metadata:
                raise StoreError(f"shard {path}: made by another version; render it again")
            count = len(stored.get_tensor("people"))
        head = json.loads(metadata[FORMAT])
        return ShardOrigin(**head["origin"]), int(head["first"]), count
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise error if isinstance(error, StoreError) else StoreError(f"shard {path}: damaged ({error})") from error


class ShardSource(SampleSequence):
    """The samples of a folder of shards, in order.

    Args:
        folder: holds shard-*.safetensors.
        body_sha256: body that the truth must be of; None takes any.
        detection: True lets the samples teach boxes and masks, too.

    Raises:
        MissingFileError: no shards.
        StoreError: a shard is damaged, or shards do not belong together.
        ConfigError: they are of another body.
    """

    def __init__(self, folder: Path | str, *, body_sha256: str | None = None, detection: bool = True) -> None:
        paths = sorted(Path(folder).glob("shard-*.safetensors"))
        if not paths:
            raise MissingFileError(f"folder {folder} holds no shards; python -m mili_core.training.shards makes them")
        heads = [read_origin(path) for path in paths]
        self.origin = heads[0][0]
        if odd := [path.name for path, head in zip(paths, heads, strict=True) if head[0] != self.origin]:
            raise StoreError(f"shards in {folder} do not belong together: {odd[0]} is unlike {paths[0].name}")
        if body_sha256 not in {None, self.origin.body_sha256}:
            raise ConfigError(f"shards in {folder} are of body {self.origin.body_name!r}; render them for yours")
        self._paths = paths
        self._firsts = [head[1] for head in heads]
        self._ends = np.cumsum([head[2] for head in heads])
        self._detection = detection
        self._open: dict[int, _Shard] = {}

    def __len__(self) -> int:
        return int(self._ends[-1])

    def __getstate__(self) -> dict[str, object]:
        # Maps of files do not travel to another process; it opens its own.
        return {**self.__dict__, "_open": {}}

    def sample_at(self, index: int) -> Sample:
        """Gives sample `index`."""
        at = index + len(self) if index < 0 else index
        if not 0 <= at < len(self):
            raise IndexError(f"sample {index} of {len(self)}")
        number = int(np.searchsorted(self._ends, at, side="right"))
        if number not in self._open:
            self._open[number] = _Shard(self._paths[number])
        row = at - (int(self._ends[number - 1]) if number else 0)
        name = f"shards/{self.origin.seed}/{self._firsts[number] + row}"
        return self._open[number].sample(row, name, detection=self._detection)


class _Shard:
    """One open file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stored: Any = safe_open(path, framework="np")  # the library has no annotations
        self._images, self._people = self._ends("image_bytes"), self._ends("people")
        self._ignored = self._ends("ignored")
        self._rings = {kind: self._ends(f"{kind}_rings") for kind in ("visible", "amodal")}
        self._points = {kind: self._ends(f"{kind}_points") for kind in ("visible", "amodal")}

    def sample(self, row: int, name: str, *, detection: bool) -> Sample:
        """Gives the sample in a row."""
        people = slice(*self._people[row : row + 2].tolist())
        truth = {key: self._rows(key, people) for key in PER_PERSON}
        encoded = self._rows("images", slice(*self._images[row : row + 2].tolist())).tobytes()
        boxes = truth.pop("boxes")
        return Sample(
            image_id=name,
            image=decode_rgb(encoded, f"{self._path}, row {row}"),
            boxes_xyxy=boxes,
            polygons=tuple(rings or None for rings in self._outlines("visible", people)),
            keypoints=np.zeros((len(boxes), 17, 3), dtype=np.float32),
            ignore_boxes_xyxy=self._rows("ignore_boxes", slice(*self._ignored[row : row + 2].tolist())),
            boxes_complete=detection,
            bodies=BodyTruth(**truth, amodal_polygons=tuple(self._outlines("amodal", people))),
        )

    def _ends(self, name: str) -> NDArray[np.int64]:
        return np.concatenate([[0], np.cumsum(self._stored.get_tensor(name))]).astype(np.int64)

    def _rows(self, name: str, rows: slice) -> NDArray[Any]:
        stored = self._stored.get_slice(name)
        if rows.stop > rows.start:
            found: NDArray[Any] = stored[rows]
        else:  # safetensors refuses an empty slice at the end, and any slice of a tensor without rows
            found = self._stored.get_tensor(name)[:0]
        return found

    def _outlines(self, kind: str, people: slice) -> list[Polygons]:
        rings = self._rings[kind][people.start : people.stop + 1]
        ends = self._points[kind][rings[0] : rings[-1] + 1]
        points: Float32Array = self._rows(f"{kind}_xy", slice(int(ends[0]), int(ends[-1])))
        parts = [points[a - ends[0] : b - ends[0]] for a, b in pairwise(ends)]
        return [tuple(parts[a - rings[0] : b - rings[0]]) for a, b in pairwise(rings)]


def _encode(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    done, encoded = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    assert done
    return np.asarray(encoded, dtype=np.uint8).reshape(-1)


def _bodies(sample: Sample) -> BodyTruth:
    bodies = sample.bodies
    if bodies is None or bodies.visible_fraction is None or bodies.amodal_polygons is None:
        raise ValueError(f"sample {sample.image_id} lacks SMPL truth; shards hold rendered samples")
    return bodies


def _flat(kind: str, people: Sequence[Polygons]) -> dict[str, NDArray[Any]]:
    """Gives outlines as points, points a ring, and rings a person."""
    people = [_simplified(one) for one in people]
    rings = [ring for one in people for ring in one]
    return {
        f"{kind}_xy": np.concatenate([np.zeros((0, 2), dtype=np.float32), *rings]),
        f"{kind}_points": np.array([len(ring) for ring in rings], dtype=np.int64),
        f"{kind}_rings": np.array([len(one) for one in people], dtype=np.int64),
    }


def _simplified(rings: Polygons) -> Polygons:
    found = (cv2.approxPolyDP(ring, SIMPLIFY_PX, closed=True)[:, 0] for ring in rings)
    return tuple(np.asarray(ring, dtype=np.float32) for ring in found if len(ring) >= 3)
