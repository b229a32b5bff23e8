"""Rows of a model's answer that hold values which are not finite: one bad row costs its block nothing but that row.

Views are finite throughout, so such a row travels as a placeholder: an inverted box that no model can mean. The merge
rejects it by its right name, and it is counted like every other view.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mili_core.detections import Detections
from mili_core.protocol import ModelIdentity, PersonPredictor
from pipeline.types import Bodies, BoolArray, Float64Array, SceneDetections

LARGEST = 1e30
"""From here on a value counts as infinite: single precision has no room left to multiply it."""
FAR = 2.0**1000
PLACEHOLDER = (FAR, FAR, -FAR, -FAR)
"""Frame px; the box of a row that cannot be read."""


def beyond_number(boxes: Float64Array) -> BoolArray:
    """Says which boxes (N, 4) hold values that count as infinite, placeholders among them."""
    return np.asarray((np.abs(boxes) >= LARGEST).any(axis=1), dtype=np.bool_)


class ReadableRows:
    """A model whose answers lack the rows that hold values which are not finite; `unreadable` says which those are.

    Attributes:
        unreadable: of the last call: (N,) bool for each image, over all rows that the model gave.
    """

    def __init__(self, predictor: PersonPredictor) -> None:
        self._predictor = predictor
        self.unreadable: list[BoolArray] = []

    @property
    def identity(self) -> ModelIdentity:
        """That of the model."""
        return self._predictor.identity

    def predict(self, images: Sequence[NDArray[np.uint8]]) -> list[Detections]:
        """Gives the readable people of each image."""
        found = self._predictor.predict(images)
        self.unreadable = [_unreadable(each) for each in found]
        return [_rows(each, ~bad) if bad.any() else each for each, bad in zip(found, self.unreadable, strict=True)]


def with_placeholders(readable: SceneDetections, unreadable: BoolArray, block_index: int) -> SceneDetections:
    """Gives the views of a block with a placeholder in each place where a row could not be read.

    Args:
        readable: K views of the block.
        unreadable: (N,) over all rows, K of them False.
        block_index: of the block in the frame's plan.
    """
    if not unreadable.any():
        return readable
    place = np.cumsum(~unreadable) - 1
    padded = _with_one_more(readable, block_index)
    return padded.take(np.where(unreadable, len(readable), place).astype(np.int64))


def _unreadable(found: Detections) -> BoolArray:
    """Says which rows (N,) hold values that are not finite, in whatever field."""
    result = np.zeros(len(found.scores), dtype=np.bool_)
    for field in fields(Detections):
        values = getattr(found, field.name)
        if values is not None and len(values) == len(result):  # other lengths are refused by name where they are used
            result |= ~(np.abs(values) < LARGEST).all(axis=tuple(range(1, values.ndim)))
    return result


def _rows(found: Detections, keep: BoolArray) -> Detections:
    kept: dict[str, Any] = {}  # names and types come from the same fields
    for field in fields(Detections):
        array = getattr(found, field.name)
        kept[field.name] = None if array is None else array[keep]
    return Detections(**kept)


def _with_one_more(views: SceneDetections, block_index: int) -> SceneDetections:
    """Gives the views and a last one that is a placeholder."""
    bodies = views.bodies
    if bodies is not None:
        bodies = Bodies(*(_zero_after(getattr(bodies, field.name)) for field in fields(Bodies)))
    columns = {field.name: getattr(views, field.name) for field in fields(SceneDetections) if field.name != "bodies"}
    more: dict[str, Any] = {name: None if array is None else _zero_after(array) for name, array in columns.items()}
    one = SceneDetections(**more, bodies=bodies)
    one.boxes_frame[-1] = PLACEHOLDER
    one.block_index[-1] = block_index
    if one.outlines is not None:
        one.outlines[-1] = None
    return one


def _zero_after(array: NDArray[Any]) -> NDArray[Any]:
    """Gives an array (N, ...) with a row of zeros after it."""
    return np.concatenate([array, np.zeros((1, *array.shape[1:]), dtype=array.dtype)])
