"""A torchvision-named ResNet-50 becomes the backbone that training starts from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from jobs.convert_weights import main
from mili_core.compat.resnet50 import convert_resnet50
from mili_core.config import MILI_R50
from mili_core.errors import WeightsError
from mili_core.nets.mili import Mili
from mili_core.nets.resnet import ResNet50
from mili_core.weights import load_into, read_weights

SMALL = replace(MILI_R50, fpn_channels=8, box_fc=16, mask_channels=8, body_channels=8, body_fc=16)


def torchvision_state(seed: int) -> dict[str, Tensor]:
    torch.manual_seed(seed)
    return ResNet50().state_dict() | {"fc.weight": torch.zeros(1000, 2048), "fc.bias": torch.zeros(1000)}


@pytest.mark.parametrize("kind", ["pickle", "old pickle", "safetensors"])
def test_training_starts_from_it(kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    state = torchvision_state(0)
    if kind == "old pickle":  # files of torchvision's first years have no counters
        state = {name: value for name, value in state.items() if not name.endswith("num_batches_tracked")}
    source, output = tmp_path / "resnet", tmp_path / "w.safetensors"
    save_file(state, source) if kind == "safetensors" else torch.save(state, source)
    assert main(["resnet50", str(source), str(output)]) == 0
    assert "265 tensors" in (said := capsys.readouterr().out)
    assert "ignored: 2 tensors fc.*" in said
    torch.manual_seed(1)
    model = Mili(SMALL)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    load_into(model, read_weights(output))
    for name, value in model.state_dict().items():
        own = name.removeprefix("backbone.")
        expected = state[own] if own != name and own in state else before[name]
        assert torch.equal(value, expected), name


def test_another_network_is_refused(tmp_path: Path) -> None:
    state = torchvision_state(0)
    state["layer3.6.conv1.weight"] = torch.zeros(256, 1024, 1, 1)  # a ResNet-101 has more blocks
    torch.save(state, tmp_path / "x.pth")
    with pytest.raises(WeightsError, match=r"1 of its tensors are unknown \(layer3\.6\.conv1\.weight\)"):
        convert_resnet50(tmp_path / "x.pth", tmp_path / "w.safetensors")
