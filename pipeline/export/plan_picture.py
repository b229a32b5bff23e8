"""A picture of a plan: every block over the frame, in the colour of its size, and the lines people's heights obey.

image, scale = pyramid.thumbnail(3000)
write_picture(draw_plan(image, scale, blocks, lines), out / "plan.jpg")
"""

from __future__ import annotations

import colorsys
import math
from collections.abc import Sequence

import cv2
import numpy as np

from mili_core.errors import ImageError
from pipeline.export.pictures import SIDE_PER_LINE_PX, Colour, Image
from pipeline.ground import HeightLine
from pipeline.plan.held import scales
from pipeline.plan.rows import Reach
from pipeline.types import Block

DIMMED = 0.55
"""Brightness of the photo under the plan: the lines shall stand out."""
FIRST_LOOK: Colour = (110, 110, 110)
"""Blocks of an even plan cover everything, so they are drawn faintly."""
_STICKS = 9  # people drawn along the far and the near end of a line


def draw_plan(
    image: Image, scale: float, blocks: Sequence[Block], lines: Sequence[tuple[HeightLine, Reach]] = ()
) -> Image:
    """Gives a dimmed copy of the frame's thumbnail with the windows of all blocks on it.

    Fine blocks are blue, coarse ones red, those of an even plan grey; white sticks are as tall as the line says.

    Args:
        image: (H, W, 3) uint8 sRGB.
        scale: picture px per frame px.
        blocks: any plan.
        lines: heights of people, and where they hold.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
        raise ImageError(f"picture is {image.dtype}{image.shape}, expected uint8 (height, width, 3), not empty")
    canvas: Image = (image * DIMMED).astype(np.uint8)
    thickness = max(1, round(max(image.shape[:2]) / SIDE_PER_LINE_PX))
    for block, size in sorted(zip(blocks, scales(blocks), strict=True), key=lambda pair: (pair[1], pair[0].id)):
        even = block.id.startswith("L")
        window = block.grid.window
        low = round(window.x0 * scale), round(window.y0 * scale)
        high = round(window.x1 * scale) - 1, round(window.y1 * scale) - 1
        cv2.rectangle(canvas, low, high, FIRST_LOOK if even else _colour(float(size)), 1 if even else thickness)
    for line, reach in lines:
        _draw_people(canvas, scale, line, reach, thickness)
    return canvas


def _colour(size: float) -> Colour:
    """Gives blue for network px per frame px of 1 and more, red for an eighth and less."""
    share = min(max(-math.log2(size) / 3.0, 0.0), 1.0)
    red, green, blue = colorsys.hsv_to_rgb(0.6 * (1.0 - share), 0.8, 1.0)
    return round(255 * red), round(255 * green), round(255 * blue)


def _draw_people(canvas: Image, scale: float, line: HeightLine, reach: Reach, thickness: int) -> None:
    height = canvas.shape[0] / scale
    far = max(reach.far_y, 0.0)
    for at_y in np.linspace(far, max(far, min(reach.near_y, 0.98 * height)), 4):
        for x in np.linspace(reach.x0, reach.x1, _STICKS + 2)[1:-1]:
            y = float(at_y) - line.tilt * (float(x) - reach.at_x)
            tall = float(line.heights(np.array([[x, y]], dtype=np.float64))[0])
            if tall > 0.0:
                foot, head = (round(x * scale), round(y * scale)), (round(x * scale), round((y - tall) * scale))
                cv2.line(canvas, foot, head, (255, 255, 255), thickness, cv2.LINE_AA)
