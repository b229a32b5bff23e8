"""The frame as an OME-Zarr 0.5 pyramid: written once, whole or not at all, then read block by block.

`ensure` makes a pyramid or finds the one that is there; `build` pours a frame's strips through `levels`, which write
full shards; `layout` says what lies where on the disk, `completeness` whether all of it does; `reader` reads blocks.

Safety. A shard has one writer: the single process that holds the lock writes each shard once, as a whole. A level's
attributes get a completeness marker after its last shard, with the number and size of its shard files, because a
missing shard reads as black (and a shard that is black throughout has no file); `Pyramid.open` checks them. The group
takes its name by a rename at the very end.
"""

from pipeline.pyramid.ensure import PyramidInfo, ensure_pyramid
from pipeline.pyramid.levels import halve
from pipeline.pyramid.reader import Pyramid

__all__ = ["Pyramid", "PyramidInfo", "ensure_pyramid", "halve"]
