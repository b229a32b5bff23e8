"""Blocks that the user's regions leave."""

from __future__ import annotations

from collections.abc import Sequence

import shapely

from pipeline.types import Block, Window


def restrict(
    blocks: Sequence[Block], roi: shapely.Geometry | None, exclude: shapely.Geometry | None
) -> tuple[Block, ...]:
    """Gives the blocks worth looking at, in their order.

    Args:
        blocks: any plan.
        roi: polygons, frame px: a block stays if its window shares area with them. None keeps all.
        exclude: polygons, frame px: a block wholly inside them goes. None drops nothing.
    """
    windows = [_polygon(block.grid.window) for block in blocks]
    for area in (roi, exclude):
        if area is not None:
            shapely.prepare(area)
    return tuple(
        block
        for block, window in zip(blocks, windows, strict=True)
        if (roi is None or _share_area(roi, window)) and (exclude is None or not exclude.covers(window))
    )


def _polygon(window: Window) -> shapely.Polygon:
    return shapely.box(window.x0, window.y0, window.x1, window.y1)


def _share_area(area: shapely.Geometry, window: shapely.Polygon) -> bool:
    """Says whether the two share more than an edge or a corner."""
    return bool(area.intersects(window)) and not area.touches(window)
