"""The map of who is seen where, one number a px, out of the same fragments as the masks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from mili_core.synth.window import ImageWindow
from pipeline.synthetic.layout import Layout
from pipeline.synthetic.masks import SUPERSAMPLE, Fragment
from pipeline.synthetic.tiff import encode_tile

UInt16Array = NDArray[np.uint16]


def id_groups(
    layout: Layout, fragments: Sequence[Sequence[Fragment]], person_ids: Mapping[int, int]
) -> Iterator[tuple[int, tuple[bytes, ...]]]:
    """Gives the encoded tiles of the map, group by group.

    Args:
        layout: of the frame.
        fragments: of each group.
        person_ids: index in the crowd -> person_id, of everybody who is seen.
    """
    for group, shown in enumerate(fragments):
        window = layout.group_window(group)
        values = id_map(window, shown, person_ids)
        places = [layout.tile_window(tile) for tile in layout.group_tiles(group)]
        pieces = [values[place.rows(window), place.columns(window)] for place in places]
        yield group, tuple(encode_tile(piece, "minisblack", layout.tile_shape) for piece in pieces)


def id_map(window: ImageWindow, fragments: Sequence[Fragment], person_ids: Mapping[int, int]) -> UInt16Array:
    """Gives (height, width) the value that most samples of each px of a window have.

    Values are person_id + 1, and 0 for nobody; where several have equally many samples, the least counts.

    Args:
        window: px of the frame.
        fragments: of everybody in it.
        person_ids: as above.
    """
    seen = [(person_ids[each.person] + 1, each) for each in fragments if each.person in person_ids]
    counts = [(value, each.box, _counts(each)) for value, each in sorted(seen, key=lambda pair: pair[0])]
    most = np.full((window.height, window.width), SUPERSAMPLE**2, dtype=np.uint8)
    for _, box, count in counts:
        most[box.rows(window), box.columns(window)] -= count
    values = np.zeros((window.height, window.width), dtype=np.uint16)
    for value, box, count in counts:
        rows, columns = box.rows(window), box.columns(window)
        more = count > most[rows, columns]
        most[rows, columns][more] = count[more]
        values[rows, columns][more] = value
    return values


def _counts(fragment: Fragment) -> NDArray[np.uint8]:
    """Gives (box.height, box.width) how many samples of each px see the person."""
    box = fragment.box
    _, visible = fragment.unpack()
    samples = visible.reshape(box.height, SUPERSAMPLE, box.width, SUPERSAMPLE)
    counts: NDArray[np.uint8] = samples.sum(axis=(1, 3), dtype=np.uint8)
    return counts
