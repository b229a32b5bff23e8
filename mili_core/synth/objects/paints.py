"""What objects are made of: colours and how much they shine."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from mili_core.synth.colours import Palette, draw_colours, to_linear

Float32Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Paint:
    """A surface of one colour.

    Attributes:
        colour: (3,) float32 linear, 0..1.
        gloss: 0 matt .. 1 mirror-like.
    """

    colour: Float32Array
    gloss: float = 0.0

    def times(self, factor: float) -> Paint:
        """Gives the paint brighter or darker by a factor."""
        return Paint(np.clip(self.colour * np.float32(factor), 0.0, 0.95), self.gloss)


@lru_cache(maxsize=256)
def paint(red: int, green: int, blue: int, gloss: float = 0.0) -> Paint:
    """Gives the paint of an sRGB colour 0..255."""
    return Paint(to_linear(np.array([red, green, blue])), gloss)


def draw_paint(rng: np.random.Generator, palette: Palette, gloss: float, jitter: float = 0.09) -> Paint:
    """Gives a random paint of a palette; `jitter` is the relative deviation of its brightness."""
    return Paint(draw_colours(rng, palette, 1, jitter)[0], gloss)


RUBBER = paint(26, 26, 27)
STEEL = paint(138, 141, 144, 0.5)
CHROME = paint(176, 179, 182, 0.8)
DARK_STEEL = paint(58, 60, 62, 0.3)
IRON = paint(36, 37, 38, 0.2)
WHITE = paint(222, 222, 218, 0.3)
RED = paint(178, 30, 32, 0.3)
ORANGE = paint(222, 92, 26, 0.1)
GLASS = paint(22, 27, 32, 0.9)
BLACK = paint(20, 20, 21, 0.2)
HEADLIGHT = paint(216, 220, 224, 0.9)
TAILLIGHT = paint(126, 14, 16, 0.7)

# Shares follow what stands about in European and Asian cities; nothing is saturated but signs and toys.
CARS: Palette = (
    (0.24, (206, 207, 207)),
    (0.22, (26, 27, 29)),
    (0.20, (92, 95, 99)),
    (0.12, (150, 153, 156)),
    (0.10, (34, 52, 92)),
    (0.06, (140, 24, 28)),
    (0.03, (60, 74, 58)),
    (0.03, (186, 176, 150)),
)
FRAMES: Palette = (
    (0.34, (28, 28, 30)),
    (0.14, (188, 188, 186)),
    (0.14, (110, 114, 118)),
    (0.12, (40, 62, 110)),
    (0.10, (150, 32, 34)),
    (0.08, (34, 84, 66)),
    (0.08, (92, 140, 160)),
)
WOODS: Palette = (
    (0.4, (122, 88, 58)),
    (0.3, (96, 72, 52)),
    (0.2, (150, 120, 86)),
    (0.1, (112, 108, 102)),
)
STREET_METALS: Palette = (
    (0.4, (126, 129, 132)),
    (0.3, (52, 54, 56)),
    (0.2, (38, 58, 50)),
    (0.1, (84, 88, 92)),
)
STONES: Palette = (
    (0.4, (158, 152, 142)),
    (0.3, (182, 174, 160)),
    (0.2, (120, 118, 114)),
    (0.1, (146, 124, 106)),
)
LEAVES: Palette = (
    (0.4, (74, 96, 48)),
    (0.3, (60, 82, 46)),
    (0.2, (98, 114, 58)),
    (0.1, (118, 106, 52)),
)
BARKS: Palette = ((0.6, (88, 74, 62)), (0.4, (112, 104, 94)))
FABRICS: Palette = (
    (0.24, (204, 198, 184)),
    (0.16, (34, 36, 42)),
    (0.14, (150, 36, 38)),
    (0.14, (44, 70, 118)),
    (0.12, (48, 92, 72)),
    (0.10, (204, 160, 62)),
    (0.10, (120, 118, 116)),
)
UMBRELLAS: Palette = (
    (0.48, (24, 25, 29)),
    (0.14, (36, 48, 84)),
    (0.12, (140, 30, 38)),
    (0.10, (96, 98, 102)),
    (0.08, (208, 206, 200)),
    (0.08, (66, 112, 128)),
)
PLASTICS: Palette = (
    (0.3, (48, 50, 52)),
    (0.25, (56, 88, 66)),
    (0.2, (126, 128, 128)),
    (0.15, (188, 186, 178)),
    (0.1, (44, 78, 130)),
)
CASES: Palette = (
    (0.36, (30, 30, 33)),
    (0.18, (96, 98, 102)),
    (0.14, (40, 54, 88)),
    (0.12, (132, 34, 40)),
    (0.10, (168, 172, 176)),
    (0.10, (92, 130, 128)),
)
