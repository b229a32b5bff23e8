"""libvips, set up once: quiet, without its operation cache (it would keep strips alive)."""

from __future__ import annotations

import os
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

_INTERPRETATION = {
    ("grey", "uint8"): "b-w",
    ("inverted grey", "uint8"): "b-w",
    ("rgb", "uint8"): "srgb",
    ("cmyk", "uint8"): "cmyk",
    ("grey", "uint16"): "grey16",
    ("inverted grey", "uint16"): "grey16",
    ("rgb", "uint16"): "rgb16",
    ("cmyk", "uint16"): "cmyk",
}
_FORMAT = {"uint8": "uchar", "uint16": "ushort"}


@cache
def vips() -> Any:  # noqa: ANN401 - pyvips is untyped
    """Gives the pyvips module, imported on the first call."""
    # libvips reads this when it starts: its warnings go to stderr past logging, and those that matter are errors here.
    os.environ.setdefault("VIPS_WARNING", "0")
    import pyvips  # noqa: PLC0415 - after the line above

    pyvips.cache_set_max(0)
    return pyvips


def vips_reason(error: Exception) -> str:
    """Gives libvips' own reason on one line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else "no reason given"


def to_srgb_by_profile(
    samples: NDArray[np.uint8] | NDArray[np.uint16], model: str, profile: bytes | None
) -> NDArray[np.uint8]:
    """Gives (h, w, 3) uint8 sRGB from samples (h, w, bands) by their ICC profile; None = libvips' generic CMYK."""
    pyvips = vips()
    height, width, bands = samples.shape
    kind = samples.dtype.name
    image = pyvips.Image.new_from_memory(np.ascontiguousarray(samples).data, width, height, bands, _FORMAT[kind]).copy(
        interpretation=_INTERPRETATION[model, kind]
    )
    if profile is not None:
        image.set_type(pyvips.GValue.blob_type, "icc-profile-data", profile)
    fallback = {"input_profile": "cmyk"} if model == "cmyk" else {}
    converted = image.icc_transform("srgb", embedded=True, intent="relative", depth=8, **fallback)
    return np.asarray(converted.numpy(), dtype=np.uint8).reshape(height, width, 3)
