"""Points of one plane, as a painter sees them, and marks that fade when they are smaller than a pixel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Float32Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Surface:
    """N points of a plane; coordinates in metres of the world.

    Attributes:
        u: (N,) float32 x on grounds, ceilings and walls behind; z on walls aside.
        v: (N,) float32 z on grounds and ceilings; height above the ground on walls.
        du, dv: (N,) float32 what a pixel covers along u and v.
    """

    u: Float32Array
    v: Float32Array
    du: Float32Array
    dv: Float32Array

    def __len__(self) -> int:
        return len(self.u)

    def take(self, chosen: NDArray[np.intp]) -> Surface:
        """Gives some of the points."""
        return Surface(self.u[chosen], self.v[chosen], self.du[chosen], self.dv[chosen])


class Painter(Protocol):
    """What a plane looks like; picklable; colours depend on each point alone."""

    def paint(self, surface: Surface) -> Float32Array:
        """Gives (3, N) float32 linear light that leaves the points; (4, N) on sparse walls, see Wall."""
        ...


def stripe(position: Float32Array, extent: Float32Array, low: float, high: float) -> Float32Array:
    """Gives (N,) the share of [position - extent / 2, position + extent / 2] that lies in [low, high]."""
    half = np.float32(0.5) * extent
    share: Float32Array = np.minimum(position + half, np.float32(high)) - np.maximum(position - half, np.float32(low))
    share /= np.maximum(extent, np.float32(1e-6))
    return np.clip(share, np.float32(0.0), np.float32(1.0))


def stripes(position: Float32Array, extent: Float32Array, period: float, duty: float) -> Float32Array:
    """Gives (N,) the share of each extent that stripes cover: the first `duty` of every period."""
    wide = np.maximum(extent / np.float32(period), np.float32(1e-6))
    start = position / np.float32(period) - np.float32(0.5) * wide
    base = np.floor(start)
    start -= base
    stop = start + wide
    whole = np.floor(stop)
    share: Float32Array = whole * np.float32(duty) + np.minimum(stop - whole, np.float32(duty))
    share -= np.minimum(start, np.float32(duty))
    share /= wide
    return share


def mix(colour: Float32Array, other: Float32Array, share: Float32Array) -> None:
    """Moves colours (3, N) towards others (3, N) or (3,) by shares (N,), in place."""
    target = other[:, None] if other.ndim == 1 else other
    colour += (target - colour) * share
