"""The folder of a scene: where its files go, and how a new set of them takes the place of an old one."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from mili_core.errors import ConfigError
from pipeline.lock import output_lock, tidy_failure
from pipeline.storage import store_access
from pipeline.synthetic.request import SceneRequest

NAMED_BY_SCENE = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*\.(tif|jpg)")
"""Names that only follow from a scene's id; nothing else that a scene.json lists is ever removed."""


@dataclass(frozen=True, slots=True)
class ScenePaths:
    """Where the files of a scene go.

    Attributes:
        folder: SCENE.
        image: the BigTIFF.
        truth: SCENE/truth/people.parquet.
        visible_id: SCENE/truth/visible_id.tif.
        description: SCENE/scene.json.
        jpeg: the JPEG, where it was asked for.
    """

    folder: Path
    image: Path
    truth: Path
    visible_id: Path
    description: Path
    jpeg: Path | None

    @classmethod
    def inside(cls, folder: Path, request: SceneRequest) -> ScenePaths:
        """Gives the paths of a request's files."""
        return cls(
            folder=folder,
            image=folder / f"{request.scene_id}.tif",
            truth=folder / "truth" / "people.parquet",
            visible_id=folder / "truth" / "visible_id.tif",
            description=folder / "scene.json",
            jpeg=folder / f"{request.scene_id}.jpg" if request.jpeg else None,
        )

    def listed(self) -> dict[str, Path]:
        """Gives what scene.json lists."""
        every = {"image": self.image, "truth": self.truth, "visible_id": self.visible_id, "jpeg": self.jpeg}
        return {name: path for name, path in every.items() if path is not None}

    def named(self) -> dict[str, str]:
        """Gives what scene.json lists: what -> path in the folder."""
        return {name: path.relative_to(self.folder).as_posix() for name, path in self.listed().items()}


@contextmanager
def scene_folder(paths: ScenePaths) -> Iterator[None]:
    """Holds the folder for this process while files are made for it; nothing in it is touched.

    Raises:
        ConfigError: a file lies where a folder is needed, or a folder where a file is.
        StoreError: another run is writing there, or the folder cannot be written.
    """
    with store_access(paths.folder, "written"):
        _refuse_obstacles(paths)
        new = not paths.folder.exists()
    with output_lock(paths.folder), tidy_failure(paths.folder) if new else nullcontext():
        yield


def retire_older(paths: ScenePaths) -> None:
    """Takes away an older scene's description, and those of its files that the new set does not replace.

    Called when the new files are complete, right before they get their names.

    Raises:
        StoreError: a file cannot be removed.
    """
    stale = _listed_by(paths.description) - {path.name for path in (paths.image, paths.jpeg) if path is not None}
    with store_access(paths.folder, "written"):
        paths.description.unlink(missing_ok=True)
        for name in sorted(stale):
            if not (paths.folder / name).is_dir():
                (paths.folder / name).unlink(missing_ok=True)


def _refuse_obstacles(paths: ScenePaths) -> None:
    for folder in (paths.folder, paths.truth.parent):
        if folder.exists() and not folder.is_dir():
            raise ConfigError(f"output {folder} is a file; name a folder")
    for file in (*paths.listed().values(), paths.description):
        if file.is_dir():
            raise ConfigError(f"output {file} is a folder and would be a file; remove it or give another --output")


def _listed_by(description: Path) -> set[str]:
    """Gives the names of the frames that a scene.json lists; none where it is missing or damaged."""
    try:
        files = json.loads(description.read_text(encoding="utf-8"))["files"]
        names = {files.get("image"), files.get("jpeg")}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return set()
    return {name for name in names if isinstance(name, str) and NAMED_BY_SCENE.fullmatch(name)}
