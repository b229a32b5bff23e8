"""Human poses: parametric generators, arms, anatomical limits, clips of the user's own, and the prior of them all."""

from __future__ import annotations

from mili_core.synth.poses.generators import (
    CHILD_KINDS,
    GENERATORS,
    Poses,
    draw_child_poses,
    draw_poses,
    sample_angles,
    sample_poses,
    vary,
)

__all__ = [
    "CHILD_KINDS",
    "GENERATORS",
    "Poses",
    "draw_child_poses",
    "draw_poses",
    "sample_angles",
    "sample_poses",
    "vary",
]
