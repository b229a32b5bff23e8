"""What people look like: skin, hair, garments, shoes, bags; as regions of the body and as meshes worn over it."""

from mili_core.synth.wardrobe.bind import PosedPerson, WornMesh
from mili_core.synth.wardrobe.cloth import thickness_m
from mili_core.synth.wardrobe.look import Bag, Bottom, Hair, Headwear, Outfits, Pattern, Region, Top
from mili_core.synth.wardrobe.outfits import draw_outfits
from mili_core.synth.wardrobe.paint import albedo, fold_normals
from mili_core.synth.wardrobe.regions import regions
from mili_core.synth.wardrobe.worn import worn

__all__ = [
    "Bag", "Bottom", "Hair", "Headwear", "Outfits", "Pattern", "PosedPerson", "Region", "Top", "WornMesh", "albedo",
    "draw_outfits", "fold_normals", "regions", "thickness_m", "worn",
]  # fmt: skip
