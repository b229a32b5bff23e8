"""Frames on disk: finding and naming them, and reading their pixels in strips of bounded memory."""

from pipeline.frames.discover import discover
from pipeline.frames.reader import read_strips
from pipeline.frames.strip import Strip

__all__ = ["Strip", "discover", "read_strips"]
