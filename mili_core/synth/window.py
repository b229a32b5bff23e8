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
    low, high = np.floor(points_px.min(axis=0)), np.ceil(points_px.max(axis=0))
    left, top = max(float(low[0]), window.left), max(float(low[1]), window.top)
    right = min(float(high[0]), window.left + window.width)
    bottom = min(float(high[1]), window.top + window.height)
    if not (left < right and top < bottom):
        return None
    return ImageWindow(int(left), int(top), int(right - left), int(bottom - top))


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
