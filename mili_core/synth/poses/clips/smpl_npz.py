"""Reading clips in SMPL's own layout: AMASS-style npz files and plain global_orient / body_pose ones."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from mili_core.body import axis_angle_to_matrix
from mili_core.errors import ConfigError, StoreError
from mili_core.synth.poses.clips.clip import PoseClip
from mili_core.synth.poses.skeleton import JOINT_COUNT, axis_rotation

Float64Array = NDArray[np.float64]

_WIDTHS = {72: 24, 156: 22, 165: 22, 66: 22}
"""Columns of `poses` -> joints to take: SMPL, SMPL-H, SMPL-X, body joints alone."""

_BODY_WIDTHS = (63, 69)
_RATES = ("mocap_framerate", "mocap_frame_rate", "fps", "frame_rate")
_DEFAULT_FPS = 30.0
_MOST_NAMED = 8
_UNREADABLE = (
    OSError, ValueError, EOFError, AttributeError, TypeError, KeyError, OverflowError, RuntimeError, SyntaxError,
    zlib.error, zipfile.BadZipFile,
)  # fmt: skip
"""What NumPy and zipfile raise for damaged, encrypted or foreign archives."""

_HINT = "give an AMASS-style npz: poses (T, 72, 156 or 165), trans (T, 3), mocap_framerate"


def read_smpl_npz(path: Path) -> PoseClip:
    """Gives the clip of an npz file of axis-angle poses.

    Files with `poses` are AMASS's, whose z is up; they are turned to y up. Files with `global_orient` and `body_pose`
    do not say which axis is up: it is y, z or (camera axes) -y, whichever the pelvis points along on average.

    Raises:
        ConfigError: the file lacks the keys, or they have another layout.
        StoreError: it is damaged or holds numbers that are not finite.
    """
    arrays, names = _arrays(path)
    if "poses" in arrays:
        poses = _rows(path, arrays, "poses", tuple(_WIDTHS))
        joints = _WIDTHS[poses.shape[1]]
    elif "global_orient" in arrays and "body_pose" in arrays:
        root, body = _rows(path, arrays, "global_orient", (3,)), _rows(path, arrays, "body_pose", _BODY_WIDTHS)
        if len(root) != len(body):
            raise ConfigError(f"clip {path}: {len(root)} global_orient for {len(body)} body_pose; {_HINT}")
        poses = np.concatenate((root, body), axis=1)
        joints = poses.shape[1] // 3
    else:
        has = f"holds only {', '.join(names[:_MOST_NAMED])}" if names else "is empty"
        raise ConfigError(f"clip {path} {has}: no poses, nor global_orient with body_pose; {_HINT}")
    if len(poses) == 0:
        raise StoreError(f"clip {path} has no frames; give a clip with at least one")
    rotmats = np.tile(np.eye(3), (len(poses), JOINT_COUNT, 1, 1))
    rotmats[:, :joints] = axis_angle_to_matrix(torch.from_numpy(poses[:, : 3 * joints].reshape(-1, joints, 3))).numpy()
    way = _way(path, arrays, len(poses))
    level = axis_rotation(np.asarray(-0.5 * np.pi), 0) if "poses" in arrays else _leveller(rotmats[:, 0])
    rotmats[:, 0] = level @ rotmats[:, 0]
    return PoseClip(rotmats.astype(np.float32), (way @ level.T).astype(np.float32), _fps(path, arrays), path.stem)


def _arrays(path: Path) -> tuple[dict[str, NDArray[np.generic]], list[str]]:
    """Gives a npz file's arrays of numbers, and the names of all that it holds.

    Others (names, genders) are left out, and nothing is unpickled.
    """
    arrays = {}
    try:
        with np.load(path, allow_pickle=False) as file:
            names = sorted(file.files)
            for name in names:
                if name in {"poses", "trans", "transl", "global_orient", "body_pose", *_RATES}:
                    arrays[name] = file[name]
    except MemoryError as error:
        raise StoreError(
            f"clip {path} claims more numbers than memory holds: it is damaged, or too long; {_HINT}"
        ) from error
    except _UNREADABLE as error:
        raise StoreError(f"clip {path} cannot be read as npz ({type(error).__name__}); {_HINT}") from error
    return arrays, names


def _rows(path: Path, arrays: dict[str, NDArray[np.generic]], key: str, widths: tuple[int, ...]) -> Float64Array:
    array = arrays[key]
    if array.ndim == 3 and array.shape[2] == 3:
        array = array.reshape(len(array), array.shape[1] * 3)
    if array.ndim != 2 or array.shape[1] not in widths or array.dtype.kind not in "fiu":
        wanted = " or ".join(str(width) for width in widths)
        raise ConfigError(f"clip {path}: {key} is {array.dtype} {array.shape}, expected numbers (T, {wanted}); {_HINT}")
    rows = array.astype(np.float64)
    if not np.isfinite(rows).all():
        raise StoreError(f"clip {path}: {key} holds numbers that are not finite; export it again or leave it out")
    return rows


def _way(path: Path, arrays: dict[str, NDArray[np.generic]], frames: int) -> Float64Array:
    key = "trans" if "trans" in arrays else "transl"
    if key not in arrays:
        return np.zeros((frames, 3), dtype=np.float64)
    way = _rows(path, arrays, key, (3,))
    if len(way) != frames:
        raise ConfigError(f"clip {path}: {len(way)} {key} for {frames} poses; {_HINT}")
    return way


def _fps(path: Path, arrays: dict[str, NDArray[np.generic]]) -> float:
    for key in _RATES:
        if key in arrays:
            if arrays[key].size != 1 or arrays[key].dtype.kind not in "fiu":
                raise ConfigError(f"clip {path}: {key} is {arrays[key]!r}, expected one number; {_HINT}")
            rate = float(arrays[key].astype(np.float64).reshape(-1)[0])
            if not 0.0 < rate < np.inf:
                raise StoreError(f"clip {path}: {key} is {rate}, expected frames a second above 0; {_HINT}")
            return rate
    return _DEFAULT_FPS


def _leveller(root: Float64Array) -> Float64Array:
    """Gives the rotation (3, 3) to y up of a clip whose roots (T, 3, 3) stand upright on average."""
    spine = root[:, :, 1].mean(axis=0)
    turns = {1: 0.0, 2: -0.5 * np.pi, -1: np.pi}
    axis = max(turns, key=lambda name: float(np.sign(name) * spine[abs(name)]))
    return axis_rotation(np.asarray(turns[axis]), 0)
