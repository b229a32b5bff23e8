"""Batches of an endless stream of samples, from any place in it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol, runtime_checkable

import cv2
import torch
from torch.utils.data import DataLoader, Dataset

from mili_core.datasets.sample import Sample
from mili_core.training.batch import Batch, collate
from mili_core.training.checkpoint import TrainSettings


@runtime_checkable
class SampleStream(Protocol):
    """An endless stream: index i gives the same sample at every run."""

    def __getitem__(self, index: int) -> Sample:
        """Gives sample `index` >= 0."""
        ...


class _Stream(Dataset[Sample]):
    """Samples first .. first + count - 1 of an endless stream."""

    def __init__(self, samples: SampleStream, first: int, count: int) -> None:
        self.samples, self.first, self.count = samples, first, count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Sample:
        if index >= self.count:
            raise IndexError(index)
        return self.samples[self.first + index]


def batches(samples: SampleStream, settings: TrainSettings, device: torch.device, *, first: int) -> Iterator[Batch]:
    """Gives the batches from sample `first` to the end of the run.

    Args:
        samples: the stream.
        settings: steps, batch and workers.
        device: where they will go.
        first: index of the first sample.
    """
    stream = _Stream(samples, first, settings.steps * settings.batch - first)
    return iter(
        DataLoader(
            stream,
            batch_size=settings.batch,
            num_workers=settings.workers,
            collate_fn=collate,
            prefetch_factor=4 if settings.workers else None,
            persistent_workers=False,
            pin_memory=device.type == "cuda",
            worker_init_fn=_one_thread,
        )
    )


def _one_thread(_: int) -> None:
    """Keeps a loader process from fighting the training threads."""
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
