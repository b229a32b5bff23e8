"""Scenes rendered by workers of a local cluster: the same bytes as from one process, however many there are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

ray = pytest.importorskip("ray")

from mili_core.body import load_body  # noqa: E402
from mili_core.errors import ConfigError  # noqa: E402
from pipeline.synthetic import SceneRequest, make_scene  # noqa: E402

pytestmark = pytest.mark.ray

# Three groups of tiles, so that they can end in another order than they began.
REQUEST = SceneRequest(people=6, width=4200, height=260, seed=3, jpeg=True)


@pytest.fixture(scope="module", autouse=True)
def local_cluster() -> Iterator[None]:
    ray.init("local", num_cpus=2, include_dashboard=False, log_to_driver=False, object_store_memory=100 * 2**20)
    yield
    ray.shutdown()


def digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): sha256(path.read_bytes()).hexdigest() for path in files}


def test_bytes_do_not_depend_on_the_number_of_workers(tmp_path: Path) -> None:
    body = load_body()
    for workers in (0, 1, 2):
        files = make_scene(replace(REQUEST, workers=workers), body, tmp_path / str(workers))
        assert files.worker_peak_rss_mb > 0
    alone = digests(tmp_path / "0")
    frame_and_truth = {"scene.jpg", "scene.json", "scene.tif", "truth/people.parquet", "truth/visible_id.tif"}
    assert set(alone) - {".lock"} == frame_and_truth
    assert digests(tmp_path / "1") == alone
    assert digests(tmp_path / "2") == alone
    with pytest.raises(ConfigError, match="do not fit"):
        make_scene(replace(REQUEST, people=3000, width=100, height=80, workers=2), body, tmp_path / "crowded")
    assert not (tmp_path / "crowded").exists()
