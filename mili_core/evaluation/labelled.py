"""Labelled photos to measure on: those of a split that name every person."""

from __future__ import annotations

from pathlib import Path

from mili_core.datasets.coco import CocoPhotos, read_json
from mili_core.errors import ConfigError

ANNOTATIONS = "annotations.json"


class LabelledPhotos(CocoPhotos):
    """The photos of a folder, or of one split, whose boxes are complete: where they are not, right boxes look wrong.

    Args:
        folder: holds annotations.json and images/.
        split: keep images whose `split` equals this; None keeps all.

    Raises:
        MissingFileError: folder or annotation file is missing.
        ConfigError: no photo is of this split, or none of them has complete boxes.
    """

    def __init__(self, folder: Path, split: str | None = None) -> None:
        super().__init__(folder, split, annotations=ANNOTATIONS, keep_encoded=False)
        if not self._records:
            raise ConfigError(f"{folder} holds no photo{_of_split(split)}; {_splits(folder)}")
        complete = [record for record in self._records if record.boxes_complete]
        if not complete:
            raise ConfigError(f"{folder} holds no photo{_of_split(split)} whose boxes are complete; name another")
        self._left_out = len(self._records) - len(complete)
        self._records = complete

    @property
    def left_out(self) -> int:
        """How many photos have incomplete boxes."""
        return self._left_out


def _of_split(split: str | None) -> str:
    return "" if split is None else f" of split {split!r}"


def _splits(folder: Path) -> str:
    """Returns which splits there are, in words."""
    named = {str(image["split"]) for image in read_json(folder / ANNOTATIONS)["images"] if "split" in image}
    return f"its splits are {', '.join(sorted(named))}" if named else "it names no splits: leave --split out"
