"""How a frame is cut: tiles as they lie in the TIFF, groups of tiles as they are rendered and handed over."""

from __future__ import annotations

from dataclasses import dataclass

from mili_core.synth.window import ImageWindow

TILE_PX = 512
"""Side of a TIFF tile, except where the frame is smaller."""

TILE_STEP_PX = 16
"""Sides of TIFF tiles are multiples of this."""

RENDER_TILES = 2
"""Tiles along each side of what is rendered at once: 1024 x 1024 px and their samples take about 200 MB, and people
who lie on a seam are drawn twice, so smaller is slower."""

GROUP_TILES = 4
"""Tiles along each side of a group: a unit of work of some seconds, whose encoded tiles take about 7 MB."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Tiles and groups of a frame, both numbered row by row.

    Attributes:
        width, height: px.
    """

    width: int
    height: int

    @property
    def tile_shape(self) -> tuple[int, int]:
        """Height and width of a TIFF tile, px: readers refuse tiles that are far larger than the frame."""
        return _tile_side(self.height), _tile_side(self.width)

    @property
    def across(self) -> int:
        """Tiles in a row."""
        return -(-self.width // TILE_PX)

    @property
    def down(self) -> int:
        """Tiles in a column."""
        return -(-self.height // TILE_PX)

    @property
    def tiles(self) -> int:
        """Tiles in all."""
        return self.across * self.down

    @property
    def groups_across(self) -> int:
        """Groups in a row."""
        return -(-self.across // GROUP_TILES)

    @property
    def groups_down(self) -> int:
        """Groups in a column."""
        return -(-self.down // GROUP_TILES)

    @property
    def groups(self) -> int:
        """Groups in all."""
        return self.groups_across * self.groups_down

    def tile_window(self, tile: int) -> ImageWindow:
        """Gives the pixels of the frame that a tile holds."""
        return self._window(*divmod(tile, self.across), 1)

    def group_window(self, group: int) -> ImageWindow:
        """Gives the pixels of the frame that a group holds."""
        row, column = divmod(group, self.groups_across)
        return self._window(row * GROUP_TILES, column * GROUP_TILES, GROUP_TILES)

    def group_tiles(self, group: int) -> list[int]:
        """Gives the tiles of a group, row by row."""
        row, column = divmod(group, self.groups_across)
        return self._block(row * GROUP_TILES, column * GROUP_TILES, GROUP_TILES)

    def group_renders(self, group: int) -> list[tuple[ImageWindow, list[int]]]:
        """Gives what is rendered at once, one after the other: each window and its tiles."""
        row, column = divmod(group, self.groups_across)
        bottom = min((row + 1) * GROUP_TILES, self.down)
        right = min((column + 1) * GROUP_TILES, self.across)
        return [
            (self._window(top, left, RENDER_TILES), self._block(top, left, RENDER_TILES))
            for top in range(row * GROUP_TILES, bottom, RENDER_TILES)
            for left in range(column * GROUP_TILES, right, RENDER_TILES)
        ]

    def _block(self, top: int, left: int, side: int) -> list[int]:
        """Gives the tiles of a square of `side` tiles, cut at the frame."""
        rows = range(top, min(top + side, self.down))
        columns = range(left, min(left + side, self.across))
        return [row * self.across + column for row in rows for column in columns]

    def _window(self, top: int, left: int, side: int) -> ImageWindow:
        """Gives the pixels of a square of `side` tiles, cut at the frame."""
        x, y, extent = left * TILE_PX, top * TILE_PX, side * TILE_PX
        return ImageWindow(x, y, min(extent, self.width - x), min(extent, self.height - y))


def _tile_side(side: int) -> int:
    """Gives the side of a tile along a side of the frame: the frame's own, rounded up, where that is smaller."""
    return min(TILE_PX, -(-side // TILE_STEP_PX) * TILE_STEP_PX)
