"""Everything that a person wears as a mesh of its own, and what they carry."""

from __future__ import annotations

import numpy as np

from mili_core.synth.people.rig import Rig
from mili_core.synth.wardrobe import headgear
from mili_core.synth.wardrobe.bags import carried
from mili_core.synth.wardrobe.bind import PosedPerson, Template, WornMesh
from mili_core.synth.wardrobe.cloth import thickness_m
from mili_core.synth.wardrobe.look import Bag, Bottom, Float32Array, Hair, Headwear, Outfits, Region, Top
from mili_core.synth.wardrobe.skirt import drape_skirt

_COAT_START = -0.19
"""On the leg scale: coat tails begin at the waist, over the coat's upper part."""

_SKIRT_START = -0.19


def worn(
    rig: Rig, outfits: Outfits, person: int, posed: PosedPerson, stand_off: Float32Array | None = None
) -> tuple[WornMesh, ...]:
    """Gives the meshes over a person's body, and the bag they carry (region -1).

    Args:
        rig: body.
        outfits: looks.
        person: which of them.
        posed: the person's body.
        stand_off: (V,) the person's `thickness_m`, where it is known already.
    """
    look = outfits.one(person)
    if stand_off is None and (look.skirt[0] > 0 or look.bag[0] != Bag.NONE):
        stand_off = thickness_m(rig, look)[0]
    meshes = [
        WornMesh(template.posed(posed), template.faces, template.fields, region)
        for template, region in _templates(rig, look)
    ]
    if look.skirt[0] > 0 and stand_off is not None:
        meshes.append(_skirt(rig, look, posed, stand_off))
    if look.bag[0] != Bag.NONE and stand_off is not None:
        bag = carried(rig, look, posed, stand_off)
        if bag is not None:
            meshes.append(bag)
    return tuple(meshes)


def _templates(rig: Rig, look: Outfits) -> list[tuple[Template, int]]:
    """Gives what is worn around head and neck, with its region."""
    kind, covered = look.headwear[0], look.headwear[0] in (Headwear.HEADSCARF, Headwear.HOOD)
    found: list[tuple[Template, int]] = []
    if look.collar_m[0] > 0.012 and not covered and look.top[0] != Top.HOODIE:
        opened = bool(look.open_front[0] > 0) or look.top[0] in (Top.BLAZER, Top.SHIRT)
        found.append((headgear.collar(rig, max(int(look.collar_m[0] / 0.01), 2), opened=opened), Region.TOP))
    if look.top[0] == Top.HOODIE and not covered:
        found.append((headgear.lying_hood(rig), Region.TOP))
    if look.scarf[0]:
        found.append((headgear.scarf(rig), Region.HEADWEAR))
    if kind in (Headwear.CAP, Headwear.SUN_HAT):
        found.append((headgear.brim(rig, wide=bool(kind == Headwear.SUN_HAT)), Region.HEADWEAR))
    if covered:
        return found
    length = round(float(look.long_hair[0]) / headgear.STEP_M)
    if look.hair[0] == Hair.LONG:
        volume = int(np.clip(round(float(look.volume_hair_m[0]) / 0.006) - 1, 0, 2))
        collared = bool(look.collar_m[0] > 0.012 or look.scarf[0])
        hat = bool(kind != Headwear.NONE)
        found.append(
            (headgear.long_hair(rig, max(length, 0), volume, under_hat=hat, over_collar=collared), Region.HAIR)
        )
    elif look.hair[0] == Hair.PONYTAIL:
        found.append((headgear.ponytail(rig, int(look.phase[0] * 1.2)), Region.HAIR))
    elif look.hair[0] == Hair.BUN:
        found.append((headgear.knot(rig, high=bool(look.phase[0] < np.pi)), Region.HAIR))
    return found


def _skirt(rig: Rig, look: Outfits, posed: PosedPerson, stand_off: Float32Array) -> WornMesh:
    if look.top[0] == Top.COAT:
        return drape_skirt(
            rig, posed, region=Region.TOP, start=_COAT_START, end=float(look.skirt[0]),
            ease_m=0.01, stand_off=stand_off, flare=0.05 + 0.3 * float(look.flare[0]),
            gap_rad=0.3 if look.open_front[0] > 0 else 0.0, phase=float(look.phase[0]),
        )  # fmt: skip
    region = Region.BOTTOM if look.bottom[0] == Bottom.SKIRT else Region.TOP
    return drape_skirt(
        rig, posed, region=region, start=_SKIRT_START, end=float(look.skirt[0]),
        ease_m=0.004, stand_off=stand_off, flare=float(look.flare[0]), phase=float(look.phase[0]),
    )  # fmt: skip
