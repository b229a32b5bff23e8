"""Clips from files: what a file is goes by its ending."""

from __future__ import annotations

from pathlib import Path

from mili_core.errors import ConfigError, MissingFileError
from mili_core.synth.poses.clips.bvh import read_bvh
from mili_core.synth.poses.clips.clip import PoseClip
from mili_core.synth.poses.clips.retarget import retarget
from mili_core.synth.poses.clips.smpl_npz import read_smpl_npz


def load_clips(folder: Path) -> list[PoseClip]:
    """Gives the clips of every .bvh and .npz file in a folder and its subfolders, sorted by path.

    Raises:
        MissingFileError: there is no such folder.
        ConfigError: it holds no clip, or one whose skeleton or layout is unknown.
        StoreError: a clip is damaged.
    """
    if not folder.is_dir():
        raise MissingFileError(f"clip folder {folder} does not exist; name a folder with .bvh or .npz clips")
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in {".bvh", ".npz"} and path.is_file())
    if not paths:
        raise ConfigError(f"clip folder {folder} holds no .bvh and no .npz file; put clips there or name another")
    return [load_clip(path) for path in paths]


def load_clip(path: Path) -> PoseClip:
    """Gives the clip of one .bvh or .npz file.

    Raises:
        MissingFileError: there is no such file.
        ConfigError: its skeleton or layout is unknown.
        StoreError: it is damaged.
    """
    if not path.is_file():
        raise MissingFileError(f"clip {path} does not exist; name a .bvh or .npz file")
    if path.suffix.lower() == ".bvh":
        return retarget(read_bvh(path), path)
    if path.suffix.lower() == ".npz":
        return read_smpl_npz(path)
    raise ConfigError(f"clip {path} is of an unknown kind; give a .bvh file or an SMPL-layout .npz")
