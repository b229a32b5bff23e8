"""Makes crmh.npz again: `python -m tests.golden.make`.

Do so only with a model that tests/bench/bench_crmh_parity.py has just confirmed: the file is what keeps it so.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import nn

from mili_core.compat.crmh import crmh_name, own_tensors
from mili_core.compat.raw import raw_output
from mili_core.config import CRMH_R50
from mili_core.nets.mili import Mili
from tests.golden.made_up_crmh import layers, made_up_image, made_up_state
from tests.golden.stages import stage_values

PATH = Path(__file__).parent / "crmh.npz"


def main() -> None:
    measured = _measured()
    raw = raw_output(_model(measured), made_up_image(), 0.05, "hr")
    statistics = np.array([measured[name] for name in layers()], dtype=np.float32)
    np.savez_compressed(PATH, statistics=statistics, **stage_values(raw, everything=False))
    print(f"{PATH}: {PATH.stat().st_size} bytes, {len(raw.scores)} people, best {raw.scores[:3].tolist()}")


def _model(statistics: dict[str, tuple[float, float]]) -> Mili:
    model = Mili(CRMH_R50).eval()
    model.load_state_dict(own_tensors(made_up_state(statistics)), strict=False)  # counters are not among them
    return model


def _measured() -> dict[str, tuple[float, float]]:
    """Mean and variance of what each layer is given, once the layers before it have theirs."""
    found = dict.fromkeys(layers(), (0.0, 1.0))
    model = _model(found)

    def measure(name: str, layer: nn.Module, inputs: tuple[torch.Tensor]) -> None:
        mean, variance = (float(np.float32(value)) for value in (inputs[0].mean(), inputs[0].var()))
        found[name] = (mean, variance)
        layer.running_mean.mul_(np.sqrt(variance)).add_(mean)
        layer.running_var.mul_(variance)

    for name, module in model.named_modules():
        if isinstance(module, nn.BatchNorm2d):
            module.register_forward_pre_hook(partial(measure, crmh_name(f"{name}.weight").removesuffix(".weight")))
    with torch.no_grad():
        levels = model.features(made_up_image()[None], "hr")
        corner = torch.rand(16, 2) * torch.tensor([500.0, 250.0])
        boxes = torch.cat((corner, corner + 40 + torch.rand(16, 2) * 200), dim=1)
        model.bodies(levels, boxes, torch.zeros(16, dtype=torch.int64))
    return found


if __name__ == "__main__":
    torch.manual_seed(0)
    main()
