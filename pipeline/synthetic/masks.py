"""Exact masks on the sample grid: cut out of rendered windows, packed, joined again, written as run lengths."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mili_core.synth.rendering.grid import Samples, mask_bounds
from mili_core.synth.window import ImageWindow

SUPERSAMPLE = 2
"""Samples along each side of a px, for colours and truth alike: outlines come out anti-aliased."""

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Fragment:
    """What one rendered window shows of one person.

    Attributes:
        person: index in the crowd.
        box: whole pixels of the frame.
        amodal: bits of the samples in the box that the person would cover alone, row by row.
        visible: bits of those that see the person.
    """

    person: int
    box: ImageWindow
    amodal: bytes
    visible: bytes

    def unpack(self) -> tuple[Mask, Mask]:
        """Gives the amodal and the visible mask, each (box.height S, box.width S)."""
        grid = self.box.scaled(SUPERSAMPLE)
        return _unpacked(self.amodal, grid), _unpacked(self.visible, grid)


@dataclass(frozen=True, slots=True, eq=False)
class PersonMasks:
    """One person in the whole frame.

    Attributes:
        window: bounds of the amodal mask, samples of the frame's grid.
        amodal: (window.height, window.width) what the person would cover alone.
        visible: same shape, what is seen; a part of `amodal`.
    """

    window: ImageWindow
    amodal: Mask
    visible: Mask


def cut_fragments(samples: Samples, window: ImageWindow, inner: ImageWindow) -> tuple[Fragment, ...]:
    """Gives the fragments of everybody who covers a sample of `inner`, by person.

    Args:
        samples: of `window`.
        window: pixels of the frame, a halo included.
        inner: pixels of the frame, without the halo.
    """
    grid, kept = window.scaled(SUPERSAMPLE), inner.scaled(SUPERSAMPLE)
    fragments = []
    for person, silhouette in sorted(samples.silhouettes.items()):
        common = silhouette.box.common(kept)
        if common is None:
            continue
        amodal = silhouette.mask[common.rows(silhouette.box), common.columns(silhouette.box)]
        if not amodal.any():
            continue
        visible = samples.person[common.rows(grid), common.columns(grid)] == person
        fragments.append(_packed(person, common, amodal, visible))
    return tuple(fragments)


def _packed(person: int, box: ImageWindow, amodal: Mask, visible: Mask) -> Fragment:
    """Gives a fragment cut to the whole pixels that the amodal mask, which is not empty, touches."""
    left, top, right, bottom = (mask_bounds(amodal) + np.tile(box.origin.astype(np.int64), 2)).tolist()
    low_x, low_y = left // SUPERSAMPLE, top // SUPERSAMPLE
    pixels = ImageWindow(low_x, low_y, -(-right // SUPERSAMPLE) - low_x, -(-bottom // SUPERSAMPLE) - low_y)
    grid = pixels.scaled(SUPERSAMPLE)
    tight = ImageWindow(left, top, right - left, bottom - top)
    bits = []
    for mask in (amodal, visible):
        padded = np.zeros((grid.height, grid.width), dtype=np.bool_)
        padded[tight.rows(grid), tight.columns(grid)] = mask[tight.rows(box), tight.columns(box)]
        bits.append(np.packbits(padded).tobytes())
    return Fragment(person, pixels, *bits)


def _unpacked(bits: bytes, grid: ImageWindow) -> Mask:
    flat = np.unpackbits(np.frombuffer(bits, dtype=np.uint8), count=grid.height * grid.width)
    return flat.view(np.bool_).reshape(grid.height, grid.width)


def join(fragments: Sequence[Fragment]) -> PersonMasks:
    """Gives the masks of one person from all of their fragments, at least one."""
    outer = _around([fragment.box for fragment in fragments]).scaled(SUPERSAMPLE)
    amodal = np.zeros((outer.height, outer.width), dtype=np.bool_)
    visible = np.zeros_like(amodal)
    for fragment in fragments:
        grid = fragment.box.scaled(SUPERSAMPLE)
        whole, seen = fragment.unpack()
        amodal[grid.rows(outer), grid.columns(outer)] |= whole
        visible[grid.rows(outer), grid.columns(outer)] |= seen
    left, top, right, bottom = mask_bounds(amodal).tolist()
    window = ImageWindow(outer.left + left, outer.top + top, right - left, bottom - top)
    return PersonMasks(window, amodal[top:bottom, left:right], visible[top:bottom, left:right])


def _around(boxes: Sequence[ImageWindow]) -> ImageWindow:
    """Gives the smallest window that holds all boxes."""
    left, top = min(box.left for box in boxes), min(box.top for box in boxes)
    right = max(box.left + box.width for box in boxes)
    bottom = max(box.top + box.height for box in boxes)
    return ImageWindow(left, top, right - left, bottom - top)


def run_lengths(mask: Mask) -> NDArray[np.uint32]:
    """Gives the lengths of runs of equal samples, row by row through the mask, the first run of zeros (maybe 0)."""
    flat = np.concatenate([[False], mask.reshape(-1)])
    starts = np.flatnonzero(flat[1:] != flat[:-1])
    return np.diff(np.concatenate([[0], starts, [mask.size]])).astype(np.uint32)


def from_run_lengths(runs: NDArray[np.integer], width: int, height: int) -> Mask:
    """Gives the mask (height, width) that `run_lengths` was given."""
    values = np.arange(len(runs)) % 2 == 1
    return np.repeat(values, runs).reshape(height, width)
