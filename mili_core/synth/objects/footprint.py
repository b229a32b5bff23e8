"""The ground that an object takes up: a rectangle that turns with it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mili_core.synth.objects.mesh import Mesh

Float64Array = NDArray[np.float64]

PERSON_M = 1.9
"""What is higher, a tree's crown or an awning, takes up no ground: people walk under it."""

_EDGE = np.array([[a, b] for a in (0.0, 0.25, 0.5, 0.75, 1.0) for b in (0.0, 0.5, 1.0)])
"""Points of a rectangle that stand for all of it, as shares of its sides: rows of three."""


@dataclass(frozen=True, slots=True, eq=False)
class Footprint:
    """A rectangle on the ground.

    Attributes:
        low, high: (2,) x and z of its corners in the object's own axes, metres.
        spot: (2,) ground point x, z of the object's origin, world metres.
        reach_m: from the spot to the farthest corner.
        heading_rad: how the object is turned, counter-clockwise seen from above; at 0 its +z looks at the camera.
    """

    low: Float64Array
    high: Float64Array
    spot: Float64Array
    reach_m: float
    heading_rad: float

    @property
    def radius_m(self) -> float:
        """Half the side of a square of the same area."""
        return 0.5 * float(np.sqrt((self.high - self.low).prod()))

    @property
    def half_width_m(self) -> float:
        """Half of its extent along the world's x axis."""
        return 0.5 * float(np.abs(_axes(self.heading_rad)[:, 0]) @ (self.high - self.low))

    def points(self) -> Float64Array:
        """Gives (15, 2) ground points x, z on it, world metres."""
        own = self.low + _EDGE * (self.high - self.low)
        points: Float64Array = self.spot + own @ _axes(self.heading_rad)
        return points

    def distance_m(self, points_m: NDArray[np.floating]) -> Float64Array:
        """Gives (K,) how far ground points (K, 2) lie outside of it; 0 within."""
        own = (points_m - self.spot) @ _axes(self.heading_rad).T
        outside = np.maximum(np.maximum(self.low - own, own - self.high), 0.0)
        distance: Float64Array = np.hypot(outside[:, 0], outside[:, 1])
        return distance

    def meets(self, other: Footprint, gap_m: float) -> bool:
        """Gives whether the two are closer than `gap_m`, to the precision of the points that stand for them."""
        apart = math.hypot(self.spot[0] - other.spot[0], self.spot[1] - other.spot[1])
        if apart > self.reach_m + other.reach_m + gap_m:
            return False
        near = min(self.distance_m(other.points()).min(), other.distance_m(self.points()).min())
        return bool(near < gap_m)


def footprint_of(mesh: Mesh, spot: NDArray[np.floating], heading_rad: float) -> Footprint:
    """Gives the footprint of an object at a ground point (2,) x, z."""
    plan = mesh.vertices_m[mesh.vertices_m[:, 1] < PERSON_M][:, [0, 2]].astype(np.float64)
    low, high = plan.min(axis=0), plan.max(axis=0)
    reach = float(np.linalg.norm(np.maximum(np.abs(low), np.abs(high))))
    return Footprint(low, high, np.asarray(spot, dtype=np.float64), reach, heading_rad)


def _axes(heading_rad: float) -> Float64Array:
    """Gives (2, 2): where an object's x and z axes point on the ground, world x, z."""
    cosine, sine = np.cos(heading_rad), np.sin(heading_rad)
    return np.array([[cosine, sine], [sine, -cosine]])


def along(heading_rad: float, *, aside: bool) -> Float64Array:
    """Gives (2,) the ground direction x, z of an object's own x axis when `aside`, else of its z axis."""
    direction: Float64Array = _axes(heading_rad)[0 if aside else 1]
    return direction
