"""Which frames the inputs name, and what each is called."""

from __future__ import annotations

import glob
import logging
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mili_core.errors import ConfigError, MissingFileError
from pipeline.frames.focal import warn_of_focal
from pipeline.frames.orientation import upright_size
from pipeline.frames.reader import open_stored
from pipeline.types import FrameRef

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".tif", ".tiff"})
FRAME_ID_LIMIT = 2**31
DRAWN = re.compile(r"(overview|topview|plan)(-.+-[0-9]+)?\.jpg")  # what a run draws into its folder
MARKS = ("ledger", "pyramids")  # folders that say that a run was there
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Group:
    """Files that make one scene. `single`: one file that was named itself, frame 0 of a scene of its own."""

    scene_id: str
    paths: tuple[Path, ...]
    single: bool


def discover(
    inputs: Sequence[str],
    scene_id: str | None = None,
    frame_id: int | None = None,
    *,
    focal_given: bool = False,
    results: Path | None = None,
) -> list[FrameRef]:
    """Gives the frames that the inputs name, with the size and focal length that their headers say.

    A focal length that cannot be the picture's is left out, and a line of warning logged where it would be needed.

    A file is a scene of its own, named by its stem, frame 0. A folder or glob is one scene per parent folder, named
    by it; its frames are in natural order (IMG_2 before IMG_10) and numbered by the last run of digits of their stem
    if those are unique in the scene and below 2**31, else by their index in that order. Only files that end in
    .jpg, .jpeg, .png, .tif or .tiff are taken from folders and globs, no hidden ones and none from subfolders.

    Args:
        inputs: files, folders or glob patterns, in order.
        scene_id: puts all inputs into this one scene.
        frame_id: number of the frame; only where the inputs name one file.
        focal_given: the focal length is known from elsewhere.
        results: folder of results; what an earlier run drew into it is no frame, whatever names it.

    Returns:
        One FrameRef per file, absolute paths, no two with the same scene_id and frame_id.

    Raises:
        MissingFileError: an input does not exist or holds no frame.
        ImageError: a file is unusable.
        ConfigError: names collide, a file is named twice, frame_id does not fit, or a photo has the name of a picture
            that the run may draw in its place.
    """
    groups = _groups(inputs, _drawn_by_earlier_run(results))
    if scene_id is not None:
        groups = [_one_scene(groups, scene_id)]
    _check_collisions(groups)
    _check_own_pictures(groups, results)
    named = [(group.scene_id, number, path) for group in groups for number, path in _numbered(group)]
    if frame_id is not None:
        if len(named) != 1:
            raise ConfigError(f"a frame id ({frame_id}) was given for {len(named)} frames; give it for one file only")
        if not 0 <= frame_id < FRAME_ID_LIMIT:
            raise ConfigError(f"frame id {frame_id} is out of range; expected 0 <= frame id < 2**31")
        named = [(named[0][0], frame_id, named[0][2])]
    return [_frame_ref(scene, number, path, warn=not focal_given) for scene, number, path in named]


def natural_key(path: Path) -> tuple[tuple[tuple[int, int, str], ...], str]:
    """Gives a sort key under which numbers in paths count as numbers; equal keys fall back to the plain path."""
    parts = re.split(r"(\d+)", str(path).casefold())
    key = tuple((0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts if part)
    return key, str(path)


def sanitise(name: str) -> str:
    """Gives the name with every run of characters outside [A-Za-z0-9._-] as one underscore; never empty."""
    return re.sub(r"[^A-Za-z0-9._-]+", "_", name) or "_"


def _drawn_by_earlier_run(results: Path | None) -> frozenset[Path]:
    """Returns the pictures in a folder of results, by the names that `run_pictures` gives."""
    if results is None or not any((results / mark).is_dir() for mark in MARKS):
        return frozenset()
    return frozenset(path.resolve() for path in results.iterdir() if DRAWN.fullmatch(path.name))


def _groups(inputs: Sequence[str], drawn: frozenset[Path]) -> list[_Group]:
    if not inputs:
        raise MissingFileError("no input was given; name a picture, a folder or a glob pattern")
    groups: list[_Group] = []
    members: dict[Path, list[Path]] = {}
    for text in inputs:
        if not text.strip():  # an unset variable of a shell; its absolute path would be the current folder
            raise MissingFileError("an input is empty; name a picture, a folder or a glob pattern")
        path = Path(os.path.abspath(text))  # noqa: PTH100 - Path.absolute keeps "..", which would name a scene
        if path.is_file():
            if not _photos((path,), drawn):
                continue
            groups.append(_Group(sanitise(path.stem), (path,), single=True))
            continue
        for found in _frames_of(text, path, drawn):
            members.setdefault(found.parent, []).append(found)
    for folder, paths in members.items():
        groups.append(_Group(sanitise(folder.name), tuple(sorted(paths, key=natural_key)), single=False))
    if not groups:
        raise MissingFileError("all inputs are pictures that an earlier run drew; name photos")
    return groups


def _frames_of(text: str, path: Path, drawn: frozenset[Path]) -> list[Path]:
    """Gives the frames of a folder or glob pattern.

    Raises:
        MissingFileError: nothing there.
    """
    if path.is_dir():
        candidates: Iterable[Path] = path.iterdir()
        nothing = f"{text}: the folder holds no frame"
    elif glob.has_magic(text):
        candidates = map(Path, glob.glob(str(path), recursive=True))  # noqa: PTH207 - Path.glob wants relative ones
        nothing = f"{text}: the pattern matches no frame"
    else:
        raise MissingFileError(f"{text}: no such file or folder")
    found = [item for item in candidates if _looks_like_frame(item)]
    if not found:
        raise MissingFileError(f"{nothing} ({', '.join(sorted(SUFFIXES))})")
    return sorted(_photos(found, drawn), key=natural_key)


def _photos(paths: Iterable[Path], drawn: frozenset[Path]) -> list[Path]:
    """Returns the paths but for those of drawn pictures, and says which these are."""
    kept = []
    for path in paths:
        if path.resolve() in drawn:
            _log.warning("%s is left out: an earlier run drew it", path)
        else:
            kept.append(path)
    return kept


def _looks_like_frame(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()


def _one_scene(groups: Sequence[_Group], scene_id: str) -> _Group:
    paths = tuple(sorted((path for group in groups for path in group.paths), key=natural_key))
    return _Group(sanitise(scene_id), paths, single=len(paths) == 1 and groups[0].single)


def _check_own_pictures(groups: Sequence[_Group], results: Path | None) -> None:
    """Refuses photos that the run's own pictures would replace."""
    for path in (path for group in groups for path in group.paths):
        if results is not None and path.resolve().parent == results.resolve() and DRAWN.fullmatch(path.name):
            raise ConfigError(f"{path}: the run would draw over it; rename it or give another folder for the results")


def _check_collisions(groups: Sequence[_Group]) -> None:
    files: set[Path] = set()
    scenes: dict[str, Path] = {}
    for group in groups:
        for path in group.paths:
            if path.resolve() in files:
                raise ConfigError(f"{path}: the same file is named twice; name it once")
            files.add(path.resolve())
        if group.scene_id in scenes:
            raise ConfigError(
                f"{group.paths[0]} and {scenes[group.scene_id]} would both be scene {group.scene_id!r}; "
                "rename one or process them apart with --scene-id"
            )
        scenes[group.scene_id] = group.paths[0]


def _numbered(group: _Group) -> list[tuple[int, Path]]:
    if group.single:
        return [(0, group.paths[0])]
    runs = [re.findall(r"[0-9]+", path.stem) for path in group.paths]
    numbers = [int(run[-1]) for run in runs if run]
    if len(set(numbers)) == len(group.paths) and max(numbers) < FRAME_ID_LIMIT:
        return list(zip(numbers, group.paths, strict=True))
    return list(enumerate(group.paths))


def _frame_ref(scene_id: str, frame_id: int, path: Path, *, warn: bool) -> FrameRef:
    stored = open_stored(path)
    if warn:
        warn_of_focal(path, stored.focal_doubt)
    width, height = upright_size(stored.width, stored.height, stored.orientation)
    return FrameRef(scene_id, frame_id, str(path), width, height, stored.focal_px)
