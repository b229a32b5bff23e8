"""What is said, and tried, when Ray does not start on this machine."""

from __future__ import annotations

import pytest

ray = pytest.importorskip("ray")

from pipeline.executor import WorkerError, cluster  # noqa: E402

BUSY = "The current node timed out during startup.\nThis could happen because ..."


class Ray:
    """Stands for ray.init on a busy machine: the first `fails` starts fail."""

    def __init__(self, fails: int) -> None:
        self.fails, self.starts = fails, 0

    def init(self, *_: object, **__: object) -> None:
        self.starts += 1
        if self.starts <= self.fails:
            raise Exception(BUSY)  # as Ray does


@pytest.fixture
def not_connected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "shutdown", lambda: None)


@pytest.mark.usefixtures("not_connected")
def test_a_start_that_fails_is_tried_once_more(monkeypatch: pytest.MonkeyPatch) -> None:
    busy = Ray(fails=1)
    monkeypatch.setattr(ray, "init", busy.init)
    with cluster(None):
        assert busy.starts == 2


@pytest.mark.usefixtures("not_connected")
def test_a_start_that_fails_again_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    busy = Ray(fails=9)
    monkeypatch.setattr(ray, "init", busy.init)
    told = r"Ray does not start here .*timed out during startup.*ray start --head"
    with pytest.raises(WorkerError, match=told) as error, cluster(None):
        pass
    assert busy.starts == 2
    assert "\n" not in str(error.value)
