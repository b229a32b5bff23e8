"""From a request to the files of a scene."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow.parquet as pq

from mili_core.body import BodyModel
from mili_core.errors import ConfigError
from pipeline.progress import progress
from pipeline.storage import atomic_file, write_text
from pipeline.synthetic.collect import TruthCollector
from pipeline.synthetic.description import describe
from pipeline.synthetic.farm import rendering
from pipeline.synthetic.jpeg import write_jpeg
from pipeline.synthetic.layout import Layout
from pipeline.synthetic.request import SceneRequest
from pipeline.synthetic.tiff import tiles_in_order, write_tiff
from pipeline.synthetic.truth import truth_table
from pipeline.synthetic.visible_ids import id_groups
from pipeline.synthetic.worker import RenderedGroup, peak_rss_mb

REPEATED_TEXT = ["scene_id", "body_model", "focal_source", "betas_source", "pose_kind"]


@dataclass(frozen=True, slots=True)
class SceneFiles:
    """What was written.

    Attributes:
        image: the BigTIFF.
        truth: SCENE/truth/people.parquet.
        visible_id: SCENE/truth/visible_id.tif.
        description: SCENE/scene.json.
        jpeg: the JPEG, where it was asked for.
        visible_people: rows of the truth.
        seconds: from the request to the last file.
        peak_rss_mb: most memory of this process, 10^6 bytes.
        worker_peak_rss_mb: most memory of a rendering process, 10^6 bytes; this one's where it rendered.
    """

    image: Path
    truth: Path
    visible_id: Path
    description: Path
    jpeg: Path | None
    visible_people: int
    seconds: float
    peak_rss_mb: float
    worker_peak_rss_mb: float

    def stats(self) -> dict[str, float]:
        """Gives what it cost, by name of the attribute, to one decimal."""
        return {name: round(getattr(self, name), 1) for name in ("seconds", "peak_rss_mb", "worker_peak_rss_mb")}


def make_scene(request: SceneRequest, body: BodyModel, output: Path) -> SceneFiles:
    """Renders a scene and writes it with its truth.

    Files get their names when all of them are complete, scene.json last: a folder with scene.json is whole. Memory is
    bounded by a row of groups of tiles, encoded, and by the people's masks, packed.

    Args:
        request: what to make.
        body: body model.
        output: the folder SCENE; made when missing, files of the same names are replaced.

    Raises:
        ConfigError: so many people do not fit, a folder of photos or clips cannot be used, or `output` is a file.
        StoreError: a file cannot be written.
    """
    start = time.monotonic()
    if output.exists() and not output.is_dir():
        raise ConfigError(f"output {output} is a file; name a folder")
    paths = _Paths.inside(output, request)
    layout = Layout(request.width, request.height)
    with ExitStack() as files:
        with rendering(request, body, layout.groups) as (facts, groups):
            paths.description.unlink(missing_ok=True)
            collector = TruthCollector(layout.groups, len(facts))
            image = files.enter_context(atomic_file(paths.image))
            _write_frame(image, paths.image.name, layout, groups, collector)
        table, person_ids = truth_table(collector, facts, request, body)
        truth = files.enter_context(atomic_file(paths.truth))
        pq.write_table(table, truth, compression="zstd", use_dictionary=REPEATED_TEXT)
        ids = files.enter_context(atomic_file(paths.visible_id))
        id_tiles = tiles_in_order(layout, id_groups(layout, collector.fragments, person_ids))
        write_tiff(ids, paths.visible_id.name, layout, id_tiles, np.uint16, "minisblack")
        if paths.jpeg is not None:
            write_jpeg(image, files.enter_context(atomic_file(paths.jpeg)), paths.jpeg.name)
        _settle(image)
    description = describe(request, facts, body, visible_people=len(table), files=paths.named(output))
    write_text(paths.description, description)
    return SceneFiles(
        image=paths.image,
        truth=paths.truth,
        visible_id=paths.visible_id,
        description=paths.description,
        jpeg=paths.jpeg,
        visible_people=len(table),
        seconds=time.monotonic() - start,
        peak_rss_mb=peak_rss_mb(),
        worker_peak_rss_mb=collector.peak_rss_mb,
    )


@dataclass(frozen=True, slots=True)
class _Paths:
    """Where the files of a scene go; as in SceneFiles."""

    image: Path
    truth: Path
    visible_id: Path
    description: Path
    jpeg: Path | None

    @classmethod
    def inside(cls, folder: Path, request: SceneRequest) -> _Paths:
        return cls(
            image=folder / f"{request.scene_id}.tif",
            truth=folder / "truth" / "people.parquet",
            visible_id=folder / "truth" / "visible_id.tif",
            description=folder / "scene.json",
            jpeg=folder / f"{request.scene_id}.jpg" if request.jpeg else None,
        )

    def named(self, folder: Path) -> dict[str, str]:
        """Gives what scene.json lists: what -> path in the folder."""
        listed = {"image": self.image, "truth": self.truth, "visible_id": self.visible_id, "jpeg": self.jpeg}
        return {name: path.relative_to(folder).as_posix() for name, path in listed.items() if path is not None}


def _write_frame(
    file: BinaryIO, name: str, layout: Layout, groups: Iterable[RenderedGroup], collector: TruthCollector
) -> None:
    """Writes the tiles of groups, which arrive in any order, and shows each group to the collector."""
    with progress("tiles", layout.tiles) as advance:

        def watched() -> Iterator[tuple[int, tuple[bytes, ...]]]:
            for group in groups:
                collector.add(group)
                advance(len(group.tiles))
                yield group.group, group.tiles

        write_tiff(file, name, layout, tiles_in_order(layout, watched()), np.uint8, "rgb")


def _settle(file: BinaryIO) -> None:
    """Puts a large file on disk, so that the files get their names within moments of each other."""
    file.flush()
    os.fsync(file.fileno())
