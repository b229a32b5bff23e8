"""Faces: eyes, brows, lips, beards and glasses painted on the skin."""

from __future__ import annotations

import numpy as np

from mili_core.synth.people.rig import Field
from mili_core.synth.wardrobe.look import Float32Array, Int64Array, Outfits, Region

HEAD_M = 0.23
"""Metres from chin to crown: one unit of `Field.HEAD`."""

EYE_HEAD, BROW_HEAD, MOUTH_HEAD, NOSTRIL_HEAD = 0.5, 0.583, 0.215, 0.325
EYE_M = 0.0305
"""Metres from the middle of the face to the middle of an eye."""

BEARD_COVER = 0.78
"""Share of the skin's colour that the fullest beard takes."""


def paint_face(points: Float32Array, region: Int64Array, look: Outfits, colour: Float32Array) -> None:
    """Paints faces, in place.

    Args:
        points: (N, Field.COUNT).
        region: (N,).
        look: the N looks that go with the points, or one look for all.
        colour: (N, 3) float32 albedo, changed.
    """
    face = np.flatnonzero((region == Region.SKIN) & (points[:, Field.FRONT] > -0.3) & (points[:, Field.HEAD] > -0.12))
    if not len(face):
        return
    if len(look) > 1:
        look = look.take(face)
    skin = colour[face]
    colour[face] = _paint(points[face], skin, look)


def _paint(points: Float32Array, skin: Float32Array, look: Outfits) -> Float32Array:
    head, front = points[:, Field.HEAD], points[:, Field.FRONT]
    side = np.abs(points[:, Field.X])
    ahead = front > 0.4
    hair = look.colours[:, Region.HAIR]

    def blob(middle: float, height_m: float, aside: float, width_m: float) -> Float32Array:
        """Gives (N,) 1 within an ellipse on both halves of the face, 0 outside, soft at the edge."""
        distance = ((head - middle) * HEAD_M / height_m) ** 2 + ((side - aside) / width_m) ** 2
        inside: Float32Array = (np.clip(1.6 - 1.1 * distance, 0.0, 1.0) * ahead).astype(np.float32)
        return inside

    def lay(base: Float32Array, cover: Float32Array, share: Float32Array) -> Float32Array:
        mixed: Float32Array = base + share[:, None] * (cover - base)
        return mixed

    blush = np.array([1.02, 0.86, 0.84], dtype=np.float32)
    skin = lay(skin, skin * blush, blob(0.3, 0.03, 0.042, 0.026) + blob(0.36, 0.016, 0.0, 0.013) * 0.6)
    skin = _grow_beard(points, skin, look)
    # The hollow of the eyes, the sides of the nose, and what lies under nose and lower lip.
    skin = lay(skin, skin * 0.62, 0.55 * blob(EYE_HEAD + 0.02, 0.021, 0.026, 0.024))
    skin = lay(skin, skin * 0.75, 0.6 * blob(0.4, 0.03, 0.013, 0.007))
    skin = lay(skin, skin * 0.4, blob(NOSTRIL_HEAD, 0.004, 0.0085, 0.006))
    skin = lay(skin, skin * 0.7, 0.6 * blob(0.135, 0.006, 0.0, 0.02))
    lips = skin * np.array([0.86, 0.55, 0.54], dtype=np.float32)
    skin = lay(skin, lips, blob(MOUTH_HEAD, 0.0098, 0.0, 0.025))
    skin = lay(skin, skin * 0.35, 0.9 * blob(MOUTH_HEAD + 0.004, 0.0022, 0.0, 0.024))
    white = np.array([0.55, 0.52, 0.5], dtype=np.float32) * np.clip(skin.mean(axis=1, keepdims=True) * 2.5, 0.5, 1.0)
    skin = lay(skin, white, blob(EYE_HEAD, 0.0055, EYE_M, 0.0135))
    iris = np.full(3, 0.02, dtype=np.float32)
    skin = lay(skin, iris, blob(EYE_HEAD, 0.0058, EYE_M, 0.0062))
    skin = lay(skin, iris, 0.85 * blob(EYE_HEAD + 0.027, 0.0024, EYE_M + 0.001, 0.0155))
    brow = EYE_HEAD + 0.083 - 0.02 * np.abs(side - 0.03) / 0.02
    brows = np.clip(1.7 - ((head - brow) * HEAD_M / 0.0042) ** 2 - ((side - 0.032) / 0.019) ** 4, 0.0, 1.0) * ahead
    skin = lay(skin, 0.75 * hair, (0.8 * brows).astype(np.float32))
    return _put_glasses(skin, look, side, head, front)


def _grow_beard(points: Float32Array, skin: Float32Array, look: Outfits) -> Float32Array:
    if not look.beard.any():
        return skin
    # Stubble lets most of the skin through; even a full beard lets some.
    share = (BEARD_COVER * np.power(look.beard, 0.4) * beard_share(points)).astype(np.float32)
    grown: Float32Array = skin + share[:, None] * (0.9 * look.colours[:, Region.HAIR] - skin)
    return grown


def beard_share(points: Float32Array) -> Float32Array:
    """Gives (N,) 0..1 how thick a beard grows: it thins out towards cheeks, ears and throat, unevenly."""
    head, front, side = points[:, Field.HEAD], points[:, Field.FRONT], np.abs(points[:, Field.X])
    x, y, z = points[:, Field.X], points[:, Field.Y], points[:, Field.Z]
    tufts = np.sin(230.0 * x + 3.0 * np.sin(170.0 * y)) * np.sin(260.0 * y + 2.0 * np.sin(190.0 * z))
    # Waves that push each other about, or a grid would show.
    hairs = np.sin(1300.0 * x + 500.0 * z + 3.0 * tufts) * np.sin(620.0 * y + 2.5 * np.sin(410.0 * x + 530.0 * z))
    ragged = 0.035 * tufts + 0.02 * hairs
    cheek = 0.37 + 0.23 * np.clip((side - 0.03) / 0.05, 0.0, 1.0)
    below = _smooth((cheek - head + ragged) / 0.16)
    ahead = _smooth((front + 0.15 + 2.0 * ragged) / 0.4)
    above = _smooth((head + 0.1 + ragged) / 0.13)
    lips = np.clip(1.8 - ((head - 0.215) / 0.035) ** 2 - (side / 0.021) ** 2, 0.0, 1.0)
    share: Float32Array = (below * ahead * above * (1.0 - lips) * (0.92 + 0.08 * hairs)).astype(np.float32)
    return share


def _smooth(level: Float32Array) -> Float32Array:
    """Gives a rise from 0 to 1 without corners."""
    level = np.clip(level, 0.0, 1.0)
    rise: Float32Array = level * level * (3.0 - 2.0 * level)
    return rise


def _put_glasses(
    skin: Float32Array, look: Outfits, side: Float32Array, head: Float32Array, front: Float32Array
) -> Float32Array:
    if not look.glasses.any():
        return skin
    off = np.hypot((side - 0.034) / 0.026, (head - 0.49) * HEAD_M / 0.019)
    rim = (np.abs(off - 1.0) < 0.13) | ((side < 0.009) & (np.abs(head - 0.515) < 0.012))
    bow = (side > 0.058) & (np.abs(head - 0.53) < 0.011) & (front > -0.25)
    lens = (off < 1.0) & (look.glasses > 0.7)
    worn = ((rim | lens) & (front > 0.4)) | bow
    dark: Float32Array = np.where((worn & (look.glasses > 0))[:, None], np.float32(0.015), skin).astype(np.float32)
    return dark
