"""Compares the CRMH mode with numbers of CRMH's own modules, stage by stage, on weights that are made up.

python tests/bench/bench_crmh_parity.py --data DIR [--keep FOLDER]

DIR holds the parity set: recipe.py makes weights and inputs, outputs.npz has what CRMH computes of them, check.py
judges. The recipe's checkpoint goes through `convert_weights crmh` and `Predictor.load(compat="crmh")`, as a user's
does. Prints the table of check.py: error and tolerance of each key, relative to its largest value. Exit code 0 where
every key is within its tolerance, 1 where one is not, 2 where the set is not there.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path
from types import ModuleType

import numpy as np
import torch
from crmh_arrays import from_image, of_each_stage, preprocessed

from jobs.convert_weights import main as convert_weights
from mili_core.api import Predictor
from mili_core.compat.raw import single_precision
from mili_core.errors import MiliError
from tests.golden.parity_set import JUDGE, open_recipe


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the parity set")
    parser.add_argument("--keep", type=Path, help="folder to leave checkpoint, weights and candidate.npz in")
    options = parser.parse_args()
    try:
        recipe = open_recipe(options.data)
        if options.keep is not None:
            options.keep.mkdir(parents=True, exist_ok=True)
            return measure(recipe, options.data, options.keep)
        with tempfile.TemporaryDirectory() as folder:
            return measure(recipe, options.data, Path(folder))
    except MiliError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def measure(recipe: ModuleType, data: Path, folder: Path) -> int:
    """Gives the exit code of the set's own judge, after its table."""
    checkpoint, weights, candidate = folder / "crmh.pth", folder / "crmh.safetensors", folder / "candidate.npz"
    recipe.save_checkpoint(checkpoint)
    if code := convert_weights(["crmh", str(checkpoint), str(weights)]):
        return code
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="these weights regress")
        predictor = Predictor.load(weights, device="cpu", compat="crmh")
    raw = predictor.forward_raw(torch.from_numpy(recipe.image()[0]))
    model = predictor._model
    with torch.inference_mode(), single_precision():
        arrays = preprocessed(predictor, recipe) | from_image(model, raw, recipe) | of_each_stage(model, recipe)
    np.savez(candidate, allow_pickle=False, **arrays)
    sys.stdout.flush()
    judge = [sys.executable, "-B", str(data / JUDGE), str(candidate)]
    return 1 if subprocess.run(judge, check=False).returncode else 0


if __name__ == "__main__":
    sys.exit(main())
