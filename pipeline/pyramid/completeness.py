"""Whether a pyramid is one of ours and all of it is there, told from its metadata and files without opening it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mili_core.errors import StoreError
from pipeline.pyramid.layout import FORMAT_VERSION, OME_VERSION


@dataclass(frozen=True, slots=True)
class Shards:
    """Files of a level: how many, how many bytes together."""

    count: int
    size: int


def read_group(path: Path) -> dict[str, Any]:
    """Gives our attributes of the group.

    Raises:
        StoreError: no pyramid, or one of another version.
    """
    attributes = read_attributes(path)
    ours = attributes.get("mili")
    version = attributes.get("ome", {}).get("version")
    if not isinstance(ours, dict) or version != OME_VERSION or ours.get("format") != FORMAT_VERSION:
        raise StoreError(f"{path}: not a pyramid of this version; build it anew with --overwrite")
    return ours


def read_attributes(path: Path) -> dict[str, Any]:
    """Gives the attributes of a Zarr v3 group or array, read without opening it."""
    try:
        node = json.loads((path / "zarr.json").read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise StoreError(f"{path}: no pyramid there; build it first") from error
    except (OSError, ValueError) as error:
        raise StoreError(f"{path}: zarr.json cannot be read; build it anew with --overwrite") from error
    attributes = node.get("attributes") if isinstance(node, dict) else None
    return attributes if isinstance(attributes, dict) else {}


def check_level(path: Path, level: int) -> None:
    """Refuses a level without its marker or whose shard files are not those that the marker counted."""
    marker = read_attributes(path / str(level)).get("mili")
    if not isinstance(marker, dict) or marker.get("complete") is not True:
        raise StoreError(f"{path}: level {level} was never finished; build it anew with --overwrite")
    found = shards_on_disk(path, level)
    expected = Shards(int(marker["shards"]), int(marker["bytes"]))
    if found != expected:
        raise StoreError(
            f"{path}: level {level} has {found.count} shards of {found.size} bytes, expected {expected.count} of "
            f"{expected.size}; build it anew with --overwrite"
        )


def shards_on_disk(path: Path, level: int) -> Shards:
    """Gives what lies in the folder of a level; nothing where there is none."""
    sizes = [file.stat().st_size for file in (path / str(level) / "c").glob("*/*/*") if file.is_file()]
    return Shards(len(sizes), sum(sizes))
