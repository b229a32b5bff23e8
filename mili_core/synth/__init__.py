"""Synthetic people with exact truth, in memory."""

from __future__ import annotations

from mili_core.synth.poses import sample_poses
from mili_core.synth.samples import render_sample

__all__ = ["render_sample", "sample_poses"]
