"""The first look at a frame: the coarse levels of the uniform plan, which show how large people are where."""

from __future__ import annotations

from pipeline.plan.uniform import uniform_plan
from pipeline.types import Block

COARSE_LEVEL = 2
"""The finest level of the first look, a quarter of the frame's size: nine in ten people of a gigapixel frame are 30 px
tall there, and it costs a seventeenth of level 0. The levels above it come along: they hold those who stand near."""


def coarse_plan(width: int, height: int, *, overlap: float = 0.25) -> tuple[Block, ...]:
    """Gives the blocks of the uniform plan on the levels of the first look; none where the frame has no such level."""
    return tuple(block for block in uniform_plan(width, height, overlap=overlap) if block.level >= COARSE_LEVEL)
