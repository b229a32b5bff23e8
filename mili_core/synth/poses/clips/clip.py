"""A clip of poses, and poses drawn from clips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mili_core.errors import ConfigError, StoreError
from mili_core.synth.poses.skeleton import JOINT_COUNT, MIRROR, axis_rotation

Float32Array = NDArray[np.float32]

_ROTATION_TOLERANCE = 1e-3


@dataclass(frozen=True, slots=True, eq=False)
class PoseClip:
    """T frames of one person.

    Attributes:
        rotmats: (T, 24, 3, 3) float32 in SMPL's order, each relative to its parent; the root leads from the rest axes
            (y up, facing +z, left = +x) to a world whose y is up.
        root_m: (T, 3) float32 way of the pelvis, metres, y up, up to a constant.
        fps: frames a second.
        name: of the file.
    """

    rotmats: Float32Array
    root_m: Float32Array
    fps: float
    name: str

    def __post_init__(self) -> None:
        frames = len(self.rotmats)
        if frames == 0:
            raise StoreError(f"clip {self.name} has no frames; give a clip with at least one")
        if self.rotmats.shape != (frames, JOINT_COUNT, 3, 3) or self.root_m.shape != (frames, 3):
            raise StoreError(f"clip {self.name}: rotations {self.rotmats.shape} and root {self.root_m.shape} disagree")
        if not (np.isfinite(self.rotmats).all() and np.isfinite(self.root_m).all()):
            raise StoreError(f"clip {self.name} holds numbers that are not finite; export it again or leave it out")
        unit = self.rotmats @ self.rotmats.swapaxes(-1, -2) - np.eye(3, dtype=np.float32)
        if np.abs(unit).max() > _ROTATION_TOLERANCE:
            raise StoreError(f"clip {self.name}: its matrices are not rotations; export it again or leave it out")
        if not (np.isfinite(self.fps) and self.fps > 0.0):
            raise StoreError(f"clip {self.name} has {self.fps} frames a second; expected more than 0")

    def __len__(self) -> int:
        return len(self.rotmats)


def clip_poses(rng: np.random.Generator, clips: Sequence[PoseClip], count: int) -> Float32Array:
    """Gives (count, 24, 3, 3) float32 rotations of frames drawn from clips, longer clips more often.

    Each pose is turned about the vertical by chance, and half of them are mirrored.

    Raises:
        ConfigError: there are no clips.
    """
    if not clips:
        raise ConfigError("no clips to draw poses from; name a folder with .bvh or .npz clips")
    seconds = np.array([len(clip) / clip.fps for clip in clips])
    chosen = rng.choice(len(clips), size=count, p=seconds / seconds.sum())
    place = rng.random(count)
    drawn = np.zeros((count, JOINT_COUNT, 3, 3), dtype=np.float32)
    for row, (clip, share) in enumerate(zip(chosen, place, strict=True)):
        drawn[row] = clips[clip].rotmats[int(share * len(clips[clip]))]
    mirrored = rng.random(count) < 0.5
    flip = np.diag([-1.0, 1.0, 1.0]).astype(np.float32)
    drawn[mirrored] = flip @ drawn[mirrored][:, MIRROR] @ flip
    heading = axis_rotation(rng.uniform(-np.pi, np.pi, count), 1)
    drawn[:, 0] = (heading @ drawn[:, 0]).astype(np.float32)
    return drawn
