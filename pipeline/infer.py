"""From a block's pixels to people in frame px. Pure: no files, no cluster."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import shapely
from numpy.typing import NDArray

from mili_core.detections import Detections
from mili_core.errors import DetectionError
from mili_core.protocol import PersonPredictor
from pipeline.geometry import boxes_to_frame, to_frame
from pipeline.outlines import mask_outlines, mask_scores
from pipeline.types import Block, Bodies, Float32Array, GeometryArray, PixelGrid, SceneDetections


def infer_blocks(
    predictor: PersonPredictor,
    pixels: Sequence[NDArray[np.uint8]],
    blocks: Sequence[Block],
    block_indices: Sequence[int],
) -> list[SceneDetections]:
    """Gives the people of each block, in frame px, from one call of the model.

    Args:
        predictor: the model.
        pixels: one (H, W, 3) uint8 sRGB raster per block, of the block's raster size.
        blocks: what the pixels are of.
        block_indices: the index of each block in the frame's plan.

    Raises:
        DetectionError: the model returned another number of results than it was given images.
    """
    found = predictor.predict(pixels)
    if len(found) != len(pixels):
        raise DetectionError(f"the model returned {len(found)} results for {len(pixels)} images; it owes one for each")
    return [to_scene(*each) for each in zip(found, blocks, block_indices, strict=True)]


def to_scene(detections: Detections, block: Block, block_index: int) -> SceneDetections:
    """Gives the detections of one block in frame px.

    Args:
        detections: N people in px of the block's raster.
        block: the block.
        block_index: its index in the frame's plan.

    Returns:
        N views with outlines and mask scores (where the model gives masks), joints, depths and body fields.
    """
    grid = block.grid
    return SceneDetections(
        boxes_frame=boxes_to_frame(grid, detections.boxes_xyxy),
        scores=detections.scores,
        block_index=np.full(len(detections), block_index, dtype=np.int64),
        outlines=_outlines_to_frame(detections, grid),
        mask_scores=None if detections.masks is None else mask_scores(detections.masks),
        joints2d_frame=_joints_to_frame(detections.joints2d, grid),
        depth_m=detections.transl_m[:, 2].copy(),
        bodies=_bodies_to_frame(detections, grid),
    )


def _outlines_to_frame(detections: Detections, grid: PixelGrid) -> GeometryArray | None:
    if detections.masks is None or detections.mask_boxes_xyxy is None:
        return None
    width, height = float(grid.raster_width), float(grid.raster_height)
    outlines = mask_outlines(detections.masks, detections.mask_boxes_xyxy, width, height)
    return np.asarray(shapely.transform(outlines, lambda points: to_frame(grid, points)), dtype=np.object_)


def _joints_to_frame(joints2d: Float32Array, grid: PixelGrid) -> Float32Array:
    joints_frame = joints2d.copy()
    joints_frame[..., :2] = to_frame(grid, joints2d[..., :2])
    return joints_frame


def _bodies_to_frame(detections: Detections, grid: PixelGrid) -> Bodies:
    return Bodies(
        rotmats=detections.rotmats,
        betas=detections.betas,
        cam_crop=detections.cam_crop,
        crop_boxes_frame=boxes_to_frame(grid, detections.crop_boxes_xyxy),
        transl_block_m=detections.transl_m,
        joints3d_m=detections.joints3d_m,
    )
