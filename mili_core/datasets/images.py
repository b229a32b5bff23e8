"""Image files as arrays, their encoded bytes kept in memory so that an epoch reads the disk once."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mili_core.errors import ImageError, MissingFileError


def decode_rgb(encoded: bytes, name: str) -> NDArray[np.uint8]:
    """Gives the (H, W, 3) RGB pixels of an encoded image as stored; an EXIF orientation is not applied.

    Labels of photo data sets refer to the stored pixels.

    Raises:
        ImageError: the bytes are not an image.
    """
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    bgr = cv2.imdecode(np.frombuffer(encoded, dtype=np.uint8), flags) if encoded else None
    if bgr is None:
        raise ImageError(f"image {name} cannot be decoded ({len(encoded)} bytes): replace or remove the file")
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), dtype=np.uint8)


class ImageStore:
    """Images of one folder by file name; encoded bytes stay in memory after the first read.

    Args:
        folder: where the files lie.
        keep: True keeps the encoded bytes.
    """

    def __init__(self, folder: Path, *, keep: bool = True) -> None:
        self._folder = folder
        self._keep = keep
        self._encoded: dict[str, bytes] = {}

    def read(self, file_name: str) -> NDArray[np.uint8]:
        """Gives the (H, W, 3) uint8 RGB pixels of a file.

        Raises:
            MissingFileError: there is no such file.
            ImageError: it is not an image.
        """
        return decode_rgb(self._bytes(file_name), str(self._folder / file_name))

    def _bytes(self, file_name: str) -> bytes:
        encoded = self._encoded.get(file_name)
        if encoded is not None:
            return encoded
        path = self._folder / file_name
        if not path.is_file():
            raise MissingFileError(f"image {path} does not exist: restore it or remove its entry from the annotations")
        encoded = path.read_bytes()
        if self._keep:
            self._encoded[file_name] = encoded
        return encoded

    def preload(self, file_names: list[str]) -> int:
        """Reads files ahead (before workers fork, so that they share the memory); returns the bytes held."""
        for name in file_names:
            self._bytes(name)
        return sum(len(encoded) for encoded in self._encoded.values())
