"""Every kind of object that may stand in a scene by itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mili_core.synth.objects.barriers import barrier, goal, hurdle
from mili_core.synth.objects.bicycles import bicycle
from mili_core.synth.objects.furniture import bench, chair, litter_bin, parasol_table
from mili_core.synth.objects.luggage import pram, suitcase, umbrella
from mili_core.synth.objects.mesh import Mesh
from mili_core.synth.objects.plants import hedge, planter, tree
from mili_core.synth.objects.posts import (
    advertising_pillar,
    banner,
    bollard,
    column,
    flag,
    pole,
    street_lamp,
    traffic_cone,
    traffic_sign,
)
from mili_core.synth.objects.stalls import kiosk, stall
from mili_core.synth.objects.vehicles import car, van

STREET, SQUARE, HALL, SPORTS = "street", "square", "hall", "sports"


@dataclass(frozen=True, slots=True, eq=False)
class KindSpec:
    """A kind of object.

    Attributes:
        make: gives a random one about the origin of its own axes.
        radius_m: of the circle on the ground that holds whatever of it is lower than a person.
        places: where it belongs: STREET, SQUARE, HALL, SPORTS.
        row_m: distance from one to the next where they stand in rows; 0 for what stands alone.
        aside: the rows run along the objects' own x axis, else along z.
        alike: those of a row are all the same.
        swaps: those of a row look one way or the other.
    """

    make: Callable[[np.random.Generator], Mesh]
    radius_m: float
    places: frozenset[str]
    row_m: float = 0.0
    aside: bool = True
    alike: bool = True
    swaps: bool = False


_OUTSIDE = frozenset({STREET, SQUARE})
_ANYWHERE = frozenset({STREET, SQUARE, HALL, SPORTS})
_TRAFFIC = frozenset({STREET})

KINDS: dict[str, KindSpec] = {
    "pole": KindSpec(pole, 0.25, _ANYWHERE),
    "street_lamp": KindSpec(street_lamp, 0.25, frozenset({STREET, SQUARE, SPORTS})),
    "traffic_sign": KindSpec(traffic_sign, 0.35, _TRAFFIC),
    "bollard": KindSpec(bollard, 0.2, _OUTSIDE, row_m=1.5),
    "traffic_cone": KindSpec(traffic_cone, 0.3, frozenset({STREET, SPORTS}), row_m=2.0),
    "column": KindSpec(column, 1.0, frozenset({SQUARE, HALL}), row_m=5.0),
    "advertising_pillar": KindSpec(advertising_pillar, 0.85, frozenset({STREET, SQUARE, HALL})),
    "flag": KindSpec(flag, 0.15, frozenset({SQUARE, SPORTS}), row_m=3.0),
    "banner": KindSpec(banner, 0.9, frozenset({SQUARE, HALL, SPORTS}), row_m=2.5),
    "barrier": KindSpec(barrier, 1.3, _ANYWHERE, row_m=2.4),
    "hurdle": KindSpec(hurdle, 0.95, frozenset({SPORTS}), row_m=1.3),
    "goal": KindSpec(goal, 3.0, frozenset({SPORTS})),
    "car": KindSpec(car, 2.6, _TRAFFIC, row_m=5.6, aside=False, alike=False),
    "van": KindSpec(van, 2.9, _TRAFFIC),
    "bicycle": KindSpec(bicycle, 1.0, _OUTSIDE, row_m=0.6, alike=False, swaps=True),
    "bench": KindSpec(bench, 1.15, _ANYWHERE),
    "chair": KindSpec(chair, 0.45, frozenset({SQUARE, HALL}), row_m=0.6),
    "parasol_table": KindSpec(parasol_table, 1.5, _OUTSIDE, row_m=3.2),
    "litter_bin": KindSpec(litter_bin, 0.45, _ANYWHERE),
    "tree": KindSpec(tree, 0.4, frozenset({STREET, SQUARE, SPORTS}), row_m=7.0, alike=False),
    "planter": KindSpec(planter, 1.1, frozenset({STREET, SQUARE, HALL}), row_m=2.2),
    "hedge": KindSpec(hedge, 1.6, frozenset({SQUARE, SPORTS}), row_m=3.0),
    "kiosk": KindSpec(kiosk, 2.2, frozenset({STREET, SQUARE, HALL})),
    "stall": KindSpec(stall, 2.0, frozenset({SQUARE}), row_m=3.6, alike=False),
    "suitcase": KindSpec(suitcase, 0.35, frozenset({HALL})),
    "pram": KindSpec(pram, 0.75, frozenset({STREET, SQUARE, HALL})),
    "umbrella": KindSpec(umbrella, 0.7, frozenset({SQUARE})),
}
"""Name -> kind."""
