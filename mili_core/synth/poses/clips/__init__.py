"""Users' own motion: BVH and SMPL-layout npz files as clips of poses."""

from __future__ import annotations

from mili_core.synth.poses.clips.clip import PoseClip, clip_poses
from mili_core.synth.poses.clips.folder import load_clip, load_clips

__all__ = ["PoseClip", "clip_poses", "load_clip", "load_clips"]
