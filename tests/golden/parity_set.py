"""A folder with CRMH's own numbers, and the recipe of the weights and inputs that they were computed of."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from mili_core.errors import MissingFileError

RECIPE, JUDGE, OUTPUTS = "recipe.py", "check.py", "outputs.npz"


def open_recipe(data: Path) -> ModuleType:
    """Gives the set's recipe as a module; leaves nothing in its folder.

    Raises:
        MissingFileError: a part of the set is not there.
    """
    for name in (RECIPE, JUDGE, OUTPUTS):
        if not (data / name).is_file():
            raise MissingFileError(f"parity set {data}: no {name}; give the folder that holds it")
    spec = importlib.util.spec_from_file_location("crmh_parity_recipe", data / RECIPE)
    assert spec is not None
    assert spec.loader is not None
    recipe = importlib.util.module_from_spec(spec)
    written, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        spec.loader.exec_module(recipe)
    finally:
        sys.dont_write_bytecode = written
    return recipe
