"""Crops of one athlete with 14 joints (LSP order) as samples: 2D joints of hard poses, never detection."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from mili_core.datasets.coco import KEYPOINTS, read_json
from mili_core.datasets.images import ImageStore
from mili_core.datasets.sample import Float32Array, Sample
from mili_core.datasets.sequence import SampleSequence
from mili_core.errors import ImageError

JOINT_ORDER = (
    "RAnkle", "RKnee", "RHip", "LHip", "LKnee", "LAnkle", "RWrist",
    "RElbow", "RShoulder", "LShoulder", "LElbow", "LWrist", "Neck", "HeadTop",
)  # fmt: skip
# COCO slots of the first 12 joints; COCO has no neck and no head top.
COCO_SLOTS = (16, 14, 12, 11, 13, 15, 10, 8, 6, 5, 7, 9)
# Joints lie inside the body: hands, feet and flesh reach about this share of the longer extent beyond them.
BOX_MARGIN = 0.08


class SportPoses(SampleSequence):
    """Athletes with joints; boxes come from the joints and other people in a crop are unlabelled.

    Args:
        folder: holds joints.json and images/.

    Raises:
        MissingFileError: folder or joints file is missing.
        ImageError: nobody is there, or the joints are in another order.
    """

    def __init__(self, folder: Path | str) -> None:
        root = Path(folder)
        document = read_json(root / "joints.json")
        athletes = document.get("images") if isinstance(document, dict) else None
        if not (isinstance(athletes, list) and athletes):
            raise ImageError(f"{root / 'joints.json'} has no list 'images' with athletes in it")
        if document.get("order") != list(JOINT_ORDER):
            raise ImageError(f"joints in {root} are ordered {document.get('order')}, expected {list(JOINT_ORDER)}")
        self._store = ImageStore(root / "images")
        self._entries: list[dict[str, Any]] = athletes
        self._data_set = root.name

    def __len__(self) -> int:
        return len(self._entries)

    def sample_at(self, index: int) -> Sample:
        """Gives sample `index`."""
        entry = self._entries[index]
        joints = np.array(entry["joints"], dtype=np.float32)
        return Sample(
            image_id=f"{self._data_set}/{entry['file_name']}",
            image=self._store.read(entry["file_name"]),
            boxes_xyxy=box_around(joints, int(entry["width"]), int(entry["height"])),
            polygons=(None,),
            keypoints=to_coco(joints)[None],
            ignore_boxes_xyxy=np.zeros((0, 4), dtype=np.float32),
            boxes_complete=False,
        )

    def preload(self) -> int:
        """Reads all files ahead; returns the encoded bytes held."""
        return self._store.preload([entry["file_name"] for entry in self._entries])


def to_coco(joints: Float32Array) -> Float32Array:
    """Gives the (17, 3) COCO keypoints of (14, 3) joints x, y, known; v = 2 where known, else all 0."""
    keypoints = np.zeros((KEYPOINTS, 3), dtype=np.float32)
    limbs = joints[: len(COCO_SLOTS)]
    known = limbs[:, 2] > 0
    keypoints[np.array(COCO_SLOTS)[known], :2] = limbs[known, :2]
    keypoints[np.array(COCO_SLOTS)[known], 2] = 2.0
    return keypoints


def box_around(joints: Float32Array, width: int, height: int) -> Float32Array:
    """Gives the (1, 4) box of the known joints (14, 3), widened by BOX_MARGIN and clipped to the image."""
    known = joints[joints[:, 2] > 0, :2]
    if not len(known):
        return np.array([[0, 0, width, height]], dtype=np.float32)
    low, high = known.min(0), known.max(0)
    margin = BOX_MARGIN * float((high - low).max())
    limits = np.array([width, height], dtype=np.float32)
    box = np.concatenate([np.clip(low - margin, 0, limits), np.clip(high + margin, 0, limits)])
    return box[None].astype(np.float32)
