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
from pipeline.progress import progress
from pipeline.storage import atomic_file
from pipeline.synthetic.collect import TruthCollector
from pipeline.synthetic.description import describe
from pipeline.synthetic.farm import rendering
from pipeline.synthetic.folder import ScenePaths, retire_older, scene_folder
from pipeline.synthetic.jpeg import write_jpeg
from pipeline.synthetic.layout import Layout
from pipeline.synthetic.request import SceneRequest, refuse_unfit_body
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

    Files get their names when all of them are complete, scene.json last: a folder with scene.json is whole. Until then
    an older scene in the folder stays as it is; then all of its files go. Memory is bounded by a row of groups of
    tiles, encoded, and by the people's masks, packed.

    Args:
        request: what to make.
        body: body model.
        output: the folder SCENE; made when missing.

    Raises:
        ConfigError: so many people do not fit, a folder of photos or clips or the body cannot be used, or `output` or
            a folder in it is a file, or one of its files a folder.
        StoreError: a file cannot be written, or another run is writing into the folder.
    """
    start = time.monotonic()
    refuse_unfit_body(body)
    paths = ScenePaths.inside(output, request)
    layout = Layout(request.width, request.height)
    # Files get their names when the stack ends, the last that was entered first.
    with scene_folder(paths), ExitStack() as files:
        with rendering(request, body, layout.groups) as (facts, groups):
            description = files.enter_context(atomic_file(paths.description))
            collector = TruthCollector(layout.groups, len(facts))
            image = files.enter_context(atomic_file(paths.image))
            _write_frame(image, paths.image.name, layout, groups, collector)
        table, person_ids = truth_table(collector, facts, request, body)
        truth = files.enter_context(atomic_file(paths.truth))
        pq.write_table(table, truth, compression="zstd", use_dictionary=REPEATED_TEXT)
        ids = files.enter_context(atomic_file(paths.visible_id))
        id_tiles = tiles_in_order(layout, id_groups(layout, collector.fragments, person_ids))
        write_tiff(ids, paths.visible_id.name, layout, id_tiles, np.uint16, "minisblack")
        complete = [image, truth, ids, description]
        if paths.jpeg is not None:
            complete.append(files.enter_context(atomic_file(paths.jpeg)))
            write_jpeg(image, complete[-1], paths.jpeg.name)
        text = describe(request, facts, body, visible_people=len(table), files=paths.named())
        description.write(text.encode())
        for file in complete:
            _settle(file)
        retire_older(paths)
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
    """Puts a file on disk: a full one fails before the older scene goes, and names follow within moments."""
    file.flush()
    os.fsync(file.fileno())
