"""The types that flow from a frame to the people table. Frame px = pixels of pyramid level 0."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mili_core.errors import DetectionError

Float32Array = NDArray[np.float32]
Float64Array = NDArray[np.float64]
Int64Array = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
GeometryArray = NDArray[np.object_]


@dataclass(frozen=True, slots=True)
class FrameRef:
    """One photo: who it is, where it lies, its size.

    Attributes:
        scene_id: [A-Za-z0-9._-]+.
        frame_id: number in the scene, 0 <= frame_id < 2**31.
        uri: where the file lies.
        width, height: px, after EXIF orientation.
        focal_px: focal length in frame px from the file's metadata, or None.
    """

    scene_id: str
    frame_id: int
    uri: str
    width: int
    height: int
    focal_px: float | None = None

    @property
    def window(self) -> Window:
        """The whole frame."""
        return Window(0.0, 0.0, float(self.width), float(self.height))


@dataclass(frozen=True, slots=True)
class Window:
    """Half-open rectangle [x0, x1) x [y0, y1), frame px."""

    x0: float
    y0: float
    x1: float
    y1: float

    def __post_init__(self) -> None:
        if not (self.x0 < self.x1 and self.y0 < self.y1):
            raise ValueError(f"Window is empty or inverted: {self.x0, self.y0, self.x1, self.y1}")

    @property
    def width(self) -> float:
        """Frame px."""
        return self.x1 - self.x0

    @property
    def height(self) -> float:
        """Frame px."""
        return self.y1 - self.y0


@dataclass(frozen=True, slots=True)
class PixelGrid:
    """A raster laid over a window: `raster_width` x `raster_height` pixels cover `window` exactly."""

    window: Window
    raster_width: int
    raster_height: int

    def __post_init__(self) -> None:
        if self.raster_width < 1 or self.raster_height < 1:
            raise ValueError(f"PixelGrid needs at least one pixel, got {self.raster_width}x{self.raster_height}")


@dataclass(frozen=True, slots=True)
class Block:
    """A unit of inference: pixels of one pyramid level under one window.

    Attributes:
        id: unique in the frame and stable for the same plan.
        level: pyramid level that the pixels are read from (0 = full size).
        grid: the block's window in frame px and its raster size in level px.
        owned: the part of the window that this block accounts for; the owned windows of one level tile the frame.
            Accounting only: it never drops detections.
    """

    id: str
    level: int
    grid: PixelGrid
    owned: Window


@dataclass(frozen=True, slots=True, eq=False)
class Bodies:
    """Body fields of N detections, each in its own block's virtual camera (design: one view, never averaged).

    Attributes:
        rotmats: (N, 24, 3, 3) float32, root first.
        betas: (N, 10) float32.
        cam_crop: (N, 3) float32 weak camera (s, tx, ty) relative to crop_boxes_frame.
        crop_boxes_frame: (N, 4) float64, frame px, the head's own box, neither rounded nor united.
        transl_block_m: (N, 3) float32, metres, in the block's virtual camera.
        joints3d_m: (N, 24, 3) float32, metres, root-relative, camera axes.
    """

    rotmats: Float32Array
    betas: Float32Array
    cam_crop: Float32Array
    crop_boxes_frame: Float64Array
    transl_block_m: Float32Array
    joints3d_m: Float32Array

    def __post_init__(self) -> None:
        count = len(self.betas)
        _check(
            self,
            {
                "rotmats": ((count, 24, 3, 3), np.float32),
                "betas": ((count, 10), np.float32),
                "cam_crop": ((count, 3), np.float32),
                "crop_boxes_frame": ((count, 4), np.float64),
                "transl_block_m": ((count, 3), np.float32),
                "joints3d_m": ((count, 24, 3), np.float32),
            },
        )

    def __len__(self) -> int:
        return len(self.betas)

    def take(self, index: Int64Array) -> Bodies:
        """Returns the rows `index` (K,), in that order."""
        return Bodies(*(getattr(self, field.name)[index] for field in fields(self)))

    @staticmethod
    def concat(parts: Sequence[Bodies]) -> Bodies:
        """Returns all rows of `parts` (at least one), one after another."""
        return Bodies(*(np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(Bodies)))


@dataclass(frozen=True, slots=True, eq=False)
class SceneDetections:
    """N views of people from many blocks, in frame px. Only the first three fields are required.

    Attributes:
        boxes_frame: (N, 4) float64 xyxy, half-open.
        scores: (N,) float32 in 0..1.
        block_index: (N,) int64 into the sequence of blocks that goes with these detections.
        outlines: (N,) object array of shapely geometries (None where there is none), or None.
        mask_scores: (N,) float32 mean mask probability inside the outline, or None.
        joints2d_frame: (N, 24, 3) float32 x, y (frame px), confidence; or None.
        depth_m: (N,) float32 depth in the block's virtual camera (relative order only), or None.
        bodies: body fields, or None.
    """

    boxes_frame: Float64Array
    scores: Float32Array
    block_index: Int64Array
    outlines: GeometryArray | None = None
    mask_scores: Float32Array | None = None
    joints2d_frame: Float32Array | None = None
    depth_m: Float32Array | None = None
    bodies: Bodies | None = None

    def __post_init__(self) -> None:
        count = len(self.scores)
        expected: dict[str, tuple[tuple[int, ...], type]] = {
            "boxes_frame": ((count, 4), np.float64),
            "scores": ((count,), np.float32),
            "block_index": ((count,), np.int64),
        }
        if self.mask_scores is not None:
            expected["mask_scores"] = ((count,), np.float32)
        if self.joints2d_frame is not None:
            expected["joints2d_frame"] = ((count, 24, 3), np.float32)
        if self.depth_m is not None:
            expected["depth_m"] = ((count,), np.float32)
        _check(self, expected)
        if self.outlines is not None and self.outlines.shape != (count,):
            raise DetectionError(f"SceneDetections.outlines has shape {self.outlines.shape}, expected ({count},)")
        if self.bodies is not None and len(self.bodies) != count:
            raise DetectionError(f"SceneDetections.bodies has {len(self.bodies)} rows, expected {count}")

    def __len__(self) -> int:
        return len(self.scores)

    @staticmethod
    def empty() -> SceneDetections:
        """Returns no detections, with the required fields only."""
        return SceneDetections(
            np.zeros((0, 4), dtype=np.float64), np.zeros(0, dtype=np.float32), np.zeros(0, dtype=np.int64)
        )

    def take(self, index: Int64Array) -> SceneDetections:
        """Returns the rows `index` (K,), in that order."""
        return SceneDetections(**{f.name: _take(getattr(self, f.name), index) for f in fields(self)})

    @staticmethod
    def concat(parts: Sequence[SceneDetections]) -> SceneDetections:
        """Returns all rows of `parts`; an optional field is kept when every non-empty part has it."""
        filled = [part for part in parts if len(part)] or list(parts[:1])
        if not filled:
            return SceneDetections.empty()
        merged: dict[str, Any] = {}  # names and types come from the same fields
        for field in fields(SceneDetections):
            values = [getattr(part, field.name) for part in filled]
            if any(value is None for value in values):
                merged[field.name] = None
            elif isinstance(values[0], Bodies):
                merged[field.name] = Bodies.concat(values)
            else:
                merged[field.name] = np.concatenate(values)
        return SceneDetections(**merged)


@dataclass(frozen=True, slots=True, eq=False)
class MergeResult:
    """Who is who: a partition of the input views into people.

    Attributes:
        group: (N,) int64 person index 0..G-1 of each view, -1 exactly for the rejected.
        chosen: (G,) int64 input index of the view that stands for each person.
        boxes_frame: (G, 4) float64 final boxes.
        outlines: (G,) object array of final outlines (None where there is none), or None.
        stitched: (G,) bool, True where box and outline are united from cut views.
        rejected: (R,) int64 input indices, ascending.
        reasons: R short reasons, one for each of `rejected`.
    """

    group: Int64Array
    chosen: Int64Array
    boxes_frame: Float64Array
    outlines: GeometryArray | None
    stitched: BoolArray
    rejected: Int64Array
    reasons: tuple[str, ...]

    def __post_init__(self) -> None:
        people = len(self.chosen)
        _check(
            self,
            {
                "group": ((len(self.group),), np.int64),
                "chosen": ((people,), np.int64),
                "boxes_frame": ((people, 4), np.float64),
                "stitched": ((people,), np.bool_),
                "rejected": ((len(self.reasons),), np.int64),
            },
        )
        if self.outlines is not None and self.outlines.shape != (people,):
            raise DetectionError(f"MergeResult.outlines has shape {self.outlines.shape}, expected ({people},)")


def _take(value: Any, index: Int64Array) -> Any:  # noqa: ANN401 - array, Bodies or None, the same out as in
    if value is None:
        return None
    if isinstance(value, Bodies):
        return value.take(index)
    assert isinstance(value, np.ndarray)
    return value[index]


def _check(holder: object, expected: dict[str, tuple[tuple[int, ...], type]]) -> None:
    """Raises DetectionError unless each named array has its shape and dtype, and is finite."""
    owner = type(holder).__name__
    for name, (shape, dtype) in expected.items():
        array = getattr(holder, name)
        if array.shape != shape or array.dtype != np.dtype(dtype):
            found = f"{array.dtype}{array.shape}"
            raise DetectionError(f"{owner}.{name} is {found}, expected {np.dtype(dtype)}{shape}")
        if not np.isfinite(array).all():
            raise DetectionError(f"{owner}.{name} holds values that are not finite")
