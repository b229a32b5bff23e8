"""What all readers of photos share: slices, and drawing one at random."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import overload

import numpy as np

from mili_core.datasets.sample import Sample


class SampleSequence(Sequence[Sample]):
    """Samples by index; a reader says how many there are and what the one at an index is."""

    @abstractmethod
    def sample_at(self, index: int) -> Sample:
        """Gives sample `index`; negative ones count from the end, as in a list.

        Raises:
            IndexError: there is no such sample.
        """

    @overload
    def __getitem__(self, index: int) -> Sample: ...

    @overload
    def __getitem__(self, index: slice) -> list[Sample]: ...

    def __getitem__(self, index: int | slice) -> Sample | list[Sample]:
        if isinstance(index, slice):
            return [self.sample_at(each) for each in range(*index.indices(len(self)))]
        return self.sample_at(index)

    def draw(self, rng: np.random.Generator) -> Sample:
        """Gives a random sample."""
        return self[int(rng.integers(len(self)))]
