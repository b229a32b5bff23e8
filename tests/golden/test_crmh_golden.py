"""The inference graph of CRMH, end to end from a checkpoint file, against stored values of every stage.

The stored values are this model's own, of made-up weights: they keep it as it is. That it agrees with CRMH's own
modules, stage by stage and on other made-up weights, is what tests/bench/bench_crmh_parity.py repeats.
`python -m tests.golden.make` makes the values again.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from jobs.convert_weights import main
from mili_core.api import Predictor
from tests.golden.made_up_crmh import LICENSED, layers, made_up_image, made_up_state
from tests.golden.stages import stage_values

PATH = Path(__file__).parent / "crmh.npz"
MAP_TOLERANCE = 1e-4  # of a map's largest value: several times the scatter among kernels and thread counts
BOX_TOLERANCE_PX, SCORE_TOLERANCE = 0.2, 5e-4
BODY_TOLERANCE = 1e-3


@pytest.fixture(scope="module")
def golden() -> dict[str, np.ndarray]:
    with np.load(PATH) as stored:
        return dict(stored)


@pytest.fixture(scope="module")
def found(golden: dict[str, np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> dict[str, np.ndarray]:
    folder = tmp_path_factory.mktemp("crmh")
    statistics = {name: tuple(row) for name, row in zip(layers(), golden["statistics"].tolist(), strict=True)}
    state = made_up_state(statistics) | {name: torch.ones(4, 3) for name in LICENSED}  # type: ignore[arg-type]
    checkpoint = {"meta": {"epoch": 1}, "state_dict": state, "optimizer": {}}
    torch.save(checkpoint, folder / "crmh.pt", _use_new_zipfile_serialization=False)
    assert main(["crmh", str(folder / "crmh.pt"), str(folder / "w.safetensors")]) == 0
    with pytest.warns(UserWarning, match="is not given"):
        predictor = Predictor.load(folder / "w.safetensors", device="cpu", compat="crmh")
    return dict(stage_values(predictor.forward_raw(made_up_image()), everything=True))


MAPS = [f"C{level}" for level in range(2, 6)] + [
    f"{prefix}P{level}" for prefix in ("", "rpn_logits_", "rpn_deltas_") for level in range(2, 7)
]


@pytest.mark.parametrize("name", MAPS)
def test_maps(name: str, found: dict[str, np.ndarray], golden: dict[str, np.ndarray]) -> None:
    np.testing.assert_allclose(found[name], golden[name], rtol=0, atol=MAP_TOLERANCE * np.abs(golden[name]).max())


@pytest.mark.parametrize("name", ["proposals", "people"])
def test_boxes(name: str, found: dict[str, np.ndarray], golden: dict[str, np.ndarray]) -> None:
    """Each stored row has a partner, in whatever order."""
    away = np.abs(found[name][None] - golden[name][:, None]) / ([BOX_TOLERANCE_PX] * 4 + [SCORE_TOLERANCE])
    assert len(golden[name]) >= 30
    assert (away.max(axis=2).min(axis=1) <= 1.0).all()


@pytest.mark.parametrize("name", ["rotmats", "betas", "cam", "transl_m"])
def test_bodies(name: str, found: dict[str, np.ndarray], golden: dict[str, np.ndarray]) -> None:
    np.testing.assert_allclose(found[name], golden[name], rtol=0, atol=BODY_TOLERANCE * np.abs(golden[name]).max())


def test_the_stored_values_are_small() -> None:
    assert PATH.stat().st_size < 50_000
