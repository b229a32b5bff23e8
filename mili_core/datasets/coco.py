"""COCO-style photos as samples: instances, person_keypoints and files that carry completeness flags."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mili_core.datasets.images import ImageStore
from mili_core.datasets.outlines import trace_outline
from mili_core.datasets.sample import Float32Array, Polygons, Sample
from mili_core.datasets.sequence import SampleSequence
from mili_core.errors import DependencyError, ImageError, MissingFileError

KEYPOINTS = 17
# An unflagged box is taken for a crowd when it encloses this many other boxes and is clearly wider than tall:
# one person rarely does both, a row of spectators always does.
CROWD_ENCLOSES = 3
CROWD_WIDTH_TO_HEIGHT = 1.5

Requirement = Literal["boxes", "masks", "keypoints"]
Json = dict[str, Any]  # parsed JSON of an annotation file


@dataclass(frozen=True, slots=True, eq=False)
class _Record:
    """What the annotations say about one photo; see Sample for the fields that share its names."""

    image_id: str
    file_name: str
    width: int
    height: int
    boxes_xyxy: Float32Array
    polygons: tuple[Polygons | None, ...]
    keypoints: Float32Array
    ignore_boxes_xyxy: Float32Array
    boxes_complete: bool
    masks_complete: bool
    keypoints_complete: bool


class CocoPhotos(SampleSequence):
    """Photos with COCO-style annotations, decoded when asked for.

    Beside plain COCO files it understands three optional flags per image (`complete_boxes`, `complete_masks`,
    `complete_keypoints`; without them boxes count as complete and the rest as far as it is given) and `split`.
    Crowd boxes (iscrowd, or where that is not stated, wide boxes around several others) become ignore boxes.

    Args:
        folder: holds the annotation file and the images folder.
        split: keep images whose `split` equals this; None keeps all.
        require: "masks" or "keypoints" keeps only photos where these are complete.
        annotations: annotation file, relative to `folder` or absolute.
        images: images folder, relative to `folder` or absolute.
        keep_encoded: keep the encoded bytes in memory after the first read.

    Raises:
        MissingFileError: folder or annotation file is missing.
        ImageError: the annotation file is not in COCO's form.
    """

    def __init__(
        self,
        folder: Path | str,
        split: str | None = None,
        *,
        require: Requirement = "boxes",
        annotations: str = "annotations.json",
        images: str = "images",
        keep_encoded: bool = True,
    ) -> None:
        root = Path(folder)
        document = read_json(root / annotations)
        try:
            records = _records(document, root.name, split)
        except (KeyError, TypeError, AttributeError, ValueError, OverflowError) as error:
            why = f"no {error}" if isinstance(error, KeyError) else str(error)
            raise ImageError(f"annotation file {root / annotations} is not in COCO's form: {why}") from error
        self._records = [record for record in records if _satisfies(record, require)]
        self._store = ImageStore(root / images, keep=keep_encoded)

    def __len__(self) -> int:
        return len(self._records)

    def sample_at(self, index: int) -> Sample:
        """Gives sample `index`."""
        record = self._records[index]
        return Sample(
            image_id=record.image_id,
            image=self._pixels(record),
            boxes_xyxy=record.boxes_xyxy.copy(),
            polygons=record.polygons,
            keypoints=record.keypoints.copy(),
            ignore_boxes_xyxy=record.ignore_boxes_xyxy.copy(),
            boxes_complete=record.boxes_complete,
        )

    def boxes_complete_at(self, index: int) -> bool:
        """Says whether every person of a photo is labelled, without decoding it."""
        return self._records[index].boxes_complete

    def keypoints_complete_at(self, index: int) -> bool:
        """Says whether the keypoints of every person of a photo are labelled, without decoding it."""
        return self._records[index].keypoints_complete

    def people_at(self, index: int) -> int:
        """Gives how many people of a photo are labelled, without decoding it."""
        return len(self._records[index].boxes_xyxy)

    def preload(self) -> int:
        """Reads all files ahead; returns the encoded bytes held."""
        return self._store.preload([record.file_name for record in self._records])

    def _pixels(self, record: _Record) -> NDArray[np.uint8]:
        image = self._store.read(record.file_name)
        if image.shape[:2] != (record.height, record.width):
            found = f"{image.shape[1]}x{image.shape[0]}"
            raise ImageError(
                f"image {record.file_name} is {found}, its annotations say {record.width}x{record.height}: "
                "annotations and images do not belong together"
            )
        return image


def read_json(path: Path) -> Json:
    """Gives the parsed JSON object in a file.

    Raises:
        MissingFileError: there is no such file.
        ImageError: the file is not JSON.
    """
    if not path.is_file():
        raise MissingFileError(f"annotation file {path} does not exist: name the folder that holds it")
    try:
        document: Json = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise ImageError(f"annotation file {path} is not JSON ({error}): replace it") from error
    return document


def looks_like_crowd(boxes_xyxy: Float32Array) -> NDArray[np.bool_]:
    """Says for each of (N, 4) boxes whether it is wide and encloses several of the others; (N,)."""
    tolerance_px = 2.0
    low, high = boxes_xyxy[:, None, :2], boxes_xyxy[:, None, 2:]
    starts_inside = (boxes_xyxy[None, :, :2] >= low - tolerance_px).all(-1)
    ends_inside = (boxes_xyxy[None, :, 2:] <= high + tolerance_px).all(-1)
    encloses = starts_inside & ends_inside & ~np.eye(len(boxes_xyxy), dtype=bool)
    size = boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]
    result: NDArray[np.bool_] = (encloses.sum(1) >= CROWD_ENCLOSES) & (size[:, 0] > CROWD_WIDTH_TO_HEIGHT * size[:, 1])
    return result


def _satisfies(record: _Record, require: Requirement) -> bool:
    if require == "masks":
        return record.masks_complete
    if require == "keypoints":
        return record.keypoints_complete
    return True


def _records(document: Json, data_set: str, split: str | None) -> list[_Record]:
    for name in ("images", "annotations"):
        if not isinstance(document[name], list):
            raise TypeError(f"{name!r} is no list")
    person = _person_category(document)
    by_image: dict[int, list[Json]] = {}
    for annotation in document["annotations"]:
        if annotation["category_id"] == person and min(annotation["bbox"][2:]) > 0:
            by_image.setdefault(annotation["image_id"], []).append(annotation)
    images = [image for image in document["images"] if split is None or image.get("split") == split]
    return [_record(image, by_image.get(image["id"], []), data_set) for image in images]


def _person_category(document: Json) -> int:
    ids = [int(category["id"]) for category in document.get("categories", []) if category.get("name") == "person"]
    return ids[0] if ids else 1


def _record(image: Json, annotations: list[Json], data_set: str) -> _Record:
    boxes = _boxes(annotations, int(image["width"]), int(image["height"]))
    guessed = looks_like_crowd(boxes)
    stated = [a.get("iscrowd") for a in annotations]
    crowd = np.array([g if s is None else bool(s) for s, g in zip(stated, guessed, strict=True)], dtype=bool)
    people = [a for a, is_crowd in zip(annotations, crowd, strict=True) if not is_crowd]
    masks_complete = bool(image.get("complete_masks", all(a.get("segmentation") for a in people)))
    keypoints_complete = bool(image.get("complete_keypoints", all("keypoints" in a for a in people)))
    return _Record(
        image_id=f"{data_set}/{image['id']}",
        file_name=str(image["file_name"]),
        width=int(image["width"]),
        height=int(image["height"]),
        boxes_xyxy=boxes[~crowd],
        polygons=tuple(_polygons(a.get("segmentation")) for a in people),
        keypoints=_keypoints(people),
        ignore_boxes_xyxy=boxes[crowd],
        boxes_complete=bool(image.get("complete_boxes", True)),
        masks_complete=masks_complete,
        keypoints_complete=keypoints_complete,
    )


def _boxes(annotations: list[Json], width: int, height: int) -> Float32Array:
    xywh = np.array([a["bbox"] for a in annotations], dtype=np.float32).reshape(-1, 4)
    xyxy = np.concatenate([xywh[:, :2], xywh[:, :2] + xywh[:, 2:]], axis=1)
    limits = np.array([width, height, width, height], dtype=np.float32)
    clipped: Float32Array = np.clip(xyxy, np.float32(0.0), limits).astype(np.float32)
    return clipped


def _keypoints(annotations: list[Json]) -> Float32Array:
    unknown = [0.0] * (3 * KEYPOINTS)
    flat = np.array([a.get("keypoints") or unknown for a in annotations], dtype=np.float32)
    points: Float32Array = flat.reshape(-1, KEYPOINTS, 3)
    return points


def _polygons(segmentation: list[list[float]] | Json | None) -> Polygons | None:
    """Gives the outline of a COCO segmentation (polygons or RLE), None where there is none."""
    if not segmentation:
        return None
    if isinstance(segmentation, dict):
        return trace_outline(_decode_rle(segmentation))
    rings = (np.array(ring, dtype=np.float32).reshape(-1, 2) for ring in segmentation if len(ring) >= 6)
    return tuple(rings) or None


def _decode_rle(rle: Json) -> NDArray[np.uint8]:
    """Gives the (H, W) mask of COCO run lengths (column-major, starting with background)."""
    height, width = rle["size"]
    counts = rle["counts"]
    if isinstance(counts, list):
        runs = np.array(counts, dtype=np.int64)
        values = np.arange(len(runs), dtype=np.int64) % 2
        return np.repeat(values, runs).astype(np.uint8).reshape(width, height).T
    try:
        from pycocotools import mask as coco_mask  # noqa: PLC0415 - only compressed RLE needs it
    except ImportError as error:
        raise DependencyError("compressed RLE masks need pycocotools", "eval") from error
    return np.asarray(coco_mask.decode(rle), dtype=np.uint8)
