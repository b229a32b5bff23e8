"""Truth gathered group by group while a frame is rendered."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from pipeline.synthetic.masks import Fragment, PersonMasks, join
from pipeline.synthetic.worker import RenderedGroup


class TruthCollector:
    """Keeps the fragments and the joints that groups show, in an order that does not depend on theirs.

    Args:
        groups: how many the frame has.
        people: how many stand in the scene.
    """

    def __init__(self, groups: int, people: int) -> None:
        self.fragments: list[tuple[Fragment, ...]] = [()] * groups
        self.joints_seen = np.zeros((people, 24), dtype=np.bool_)
        self.peak_rss_mb = 0.0

    def add(self, group: RenderedGroup) -> None:
        """Takes in what a group shows."""
        self.fragments[group.group] = group.fragments
        self.joints_seen |= group.joints_seen
        self.peak_rss_mb = max(self.peak_rss_mb, group.peak_rss_mb)

    def masks(self) -> Iterator[tuple[int, PersonMasks]]:
        """Gives everybody who covers a sample of the frame, and their masks, one person at a time."""
        fragments: dict[int, list[Fragment]] = {}
        for group in self.fragments:
            for fragment in group:
                fragments.setdefault(fragment.person, []).append(fragment)
        for person in sorted(fragments):
            yield person, join(fragments[person])
