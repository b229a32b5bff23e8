"""The colour rule: whatever a file stores becomes 8-bit sRGB, strip by strip.

* Grey is repeated in three channels; "white is zero" grey is inverted.
* 16-bit samples lose their low byte (>> 8).
* A palette is looked up.
* An embedded ICC profile is converted to sRGB (relative colorimetric); one that is sRGB itself is a no-op, and one
  that does not fit the picture is ignored. CMYK without a profile goes through libvips' generic CMYK profile.
* Alpha is composited over white; further channels are dropped.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pipeline.frames.vips import to_srgb_by_profile

Samples = NDArray[np.uint8] | NDArray[np.uint16]
Model = Literal["grey", "inverted grey", "rgb", "cmyk", "palette"]
Alpha = Literal["none", "straight", "premultiplied"]

COLOURS = {"grey": 1, "inverted grey": 1, "rgb": 3, "cmyk": 4, "palette": 1}


@dataclass(frozen=True, slots=True, eq=False)
class ColourSpace:
    """How a file's samples are to be read.

    Attributes:
        model: what the first channels are (COLOURS says how many).
        alpha: what the channel after them is.
        icc_profile: embedded profile, or None.
        palette: (entries, 3) uint8 for the model "palette", else None.
    """

    model: Model
    alpha: Alpha = "none"
    icc_profile: bytes | None = None
    palette: NDArray[np.uint8] | None = None

    @property
    def needs_profile(self) -> bool:
        """True when libvips has to convert: CMYK, or a profile that is not sRGB."""
        return self.model == "cmyk" or (self.icc_profile is not None and not _is_srgb(self.icc_profile))


def to_srgb(samples: Samples, space: ColourSpace) -> NDArray[np.uint8]:
    """Gives (h, w, 3) uint8 sRGB, C-contiguous, from stored samples (h, w, bands) uint8 or uint16."""
    colours = COLOURS[space.model]
    if space.model == "rgb" and samples.shape[2] == 3 and samples.dtype == np.uint8 and not space.needs_profile:
        return samples.astype(np.uint8, order="C", copy=False)
    if space.palette is not None:
        return np.ascontiguousarray(space.palette[samples[..., 0]], dtype=np.uint8)
    stored = samples[..., :colours]
    if space.model == "inverted grey":
        stored = ~stored
    colour = to_srgb_by_profile(stored, space.model, space.icc_profile) if space.needs_profile else _to_uint8(stored)
    if colour.shape[2] == 1:
        colour = np.repeat(colour, 3, axis=2)
    if space.alpha != "none":
        colour = _over_white(colour, _to_uint8(samples[..., colours]), space.alpha)
    return np.ascontiguousarray(colour, dtype=np.uint8)


def _to_uint8(samples: Samples) -> NDArray[np.uint8]:
    high = samples if samples.dtype == np.uint8 else samples >> 8
    eight: NDArray[np.uint8] = high.astype(np.uint8)
    return eight


def _over_white(colour: NDArray[np.uint8], alpha: NDArray[np.uint8], kind: Alpha) -> NDArray[np.uint8]:
    opacity = alpha[..., None].astype(np.uint16)
    weighted = colour.astype(np.uint16) if kind == "premultiplied" else (colour * opacity + 127) // 255
    blended: NDArray[np.uint8] = np.minimum(weighted + (255 - opacity), 255).astype(np.uint8)
    return blended


def _is_srgb(profile: bytes) -> bool:
    """Says whether a profile calls itself sRGB, in ASCII (version 2) or UTF-16 (version 4)."""
    return b"sRGB" in profile or "sRGB".encode("utf-16-be") in profile
