"""Windows of whole pixels, and which part of one a mesh can touch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class ImageWindow:
    """The pixels [left, left + width) x [top, top + height) of an image."""

    left: int
    top: int
    width: int
    height: int

    @property
    def origin(self) -> NDArray[np.float64]:
        """(2,) x, y of the top-left corner, px."""
        return np.array([self.left, self.top], dtype=np.float64)

    def common(self, other: ImageWindow) -> ImageWindow | None:
        """Gives the pixels that lie in both windows, or None when there are none."""
        left, top = max(self.left, other.left), max(self.top, other.top)
        right = min(self.left + self.width, other.left + other.width)
        bottom = min(self.top + self.height, other.top + other.height)
        return ImageWindow(left, top, right - left, bottom - top) if left < right and top < bottom else None

    def grown(self, margin: int) -> ImageWindow:
        """Gives the window with `margin` more pixels on each side."""
        return ImageWindow(self.left - margin, self.top - margin, self.width + 2 * margin, self.height + 2 * margin)

    def scaled(self, factor: int) -> ImageWindow:
        """Gives the window in samples, `factor` along each side of a pixel."""
        return ImageWindow(self.left * factor, self.top * factor, self.width * factor, self.height * factor)

    def rows(self, outer: ImageWindow) -> slice:
        """Gives the rows of this window within `outer`, which holds it."""
        return slice(self.top - outer.top, self.top - outer.top + self.height)

    def columns(self, outer: ImageWindow) -> slice:
        """Gives the columns of this window within `outer`, which holds it."""
        return slice(self.left - outer.left, self.left - outer.left + self.width)


def pixel_box(points_px: NDArray[np.floating], window: ImageWindow) -> ImageWindow | None:
    """Gives the whole pixels of `window` that the bounds of points (N, 2) touch, or None when there are none."""
    if not len(points_px):
        return None
    limits = window.origin, window.origin + np.array([window.width, window.height])
    low = np.clip(np.floor([points_px[:, 0].min(), points_px[:, 1].min()]), *limits).astype(np.int64)
    high = np.clip(np.ceil([points_px[:, 0].max(), points_px[:, 1].max()]), *limits).astype(np.int64)
    if not (low < high).all():
        return None
    return ImageWindow(int(low[0]), int(low[1]), int(high[0] - low[0]), int(high[1] - low[1]))


def touching(boxes_px: NDArray[np.float64], window: ImageWindow) -> list[int]:
    """Gives the indices of the boxes (N, 4) xyxy that overlap a window, ascending."""
    low = window.origin
    high = low + np.array([window.width, window.height])
    overlap = (boxes_px[:, :2] < high).all(axis=1) & (boxes_px[:, 2:] > low).all(axis=1)
    return [int(index) for index in np.flatnonzero(overlap)]


def front_faces(screen: NDArray[np.float32], faces: NDArray[np.int64]) -> NDArray[np.int64]:
    """Gives the indices of the faces that look at the camera.

    Args:
        screen: (V, 3) x_px, y_px, depth_m.
        faces: (F, 3) counter-clockwise from outside, so counter-clockwise on the screen when seen from there.
    """
    x, y = np.ascontiguousarray(screen[:, 0]), np.ascontiguousarray(screen[:, 1])
    a, b, c = faces[:, 0], faces[:, 1], faces[:, 2]
    xa, ya = x[a], y[a]
    # The y axis points down, so counter-clockwise means a negative signed area.
    return np.flatnonzero((x[b] - xa) * (y[c] - ya) - (y[b] - ya) * (x[c] - xa) < 0)
