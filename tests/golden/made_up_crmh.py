"""A made-up CRMH checkpoint and network image: the same numbers on every machine, nothing of anybody's training.

Every tensor has a stream of its own, seeded by its name, so that the order of names does not matter. The statistics
of batch normalisation are one mean and variance a layer, measured once (see make.py), with some scatter: activations
stay near 1, and a layer left in training mode would show.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from mili_core.compat.crmh import crmh_manifest, start_pose

HEIGHT, WIDTH, FILLED = 512, 832, 760  # px; what lies right of FILLED is padding
GAIN = {  # of layers that do not keep the scale of what they are given
    "lateral_convs": 0.7,
    "rpn_cls": 1.5,
    "rpn_reg": 0.25,
    "fc_cls": 2.5,
    "fc_reg": 0.6,
    "dec": 0.2,
}
SHIFT = {"rpn_head.rpn_cls.bias": (-2.0,) * 3, "bbox_head.fc_cls.bias": (3.5, 0.0)}
LICENSED = ("smpl_head.smpl.v_template", "smpl_head.smpl.shapedirs", "smpl_head.loss.sdf_loss.faces")


def stream(name: str) -> np.random.RandomState:
    """The old generator on purpose: its streams are frozen, those of the new one may change."""
    return np.random.RandomState(zlib.crc32(f"mili golden {name}".encode()))


def spread(name: str, shape: tuple[int, ...], scale: float) -> Tensor:
    """Uniform values with mean 0 and a standard deviation of `scale`."""
    side = math.sqrt(3.0) * scale
    return torch.from_numpy(stream(name).uniform(-side, side, shape).astype(np.float32))


def layers() -> list[str]:
    """Names of all layers of batch normalisation."""
    return sorted(name.removesuffix(".running_mean") for name in crmh_manifest() if name.endswith(".running_mean"))


def made_up_state(statistics: Mapping[str, tuple[float, float]]) -> dict[str, Tensor]:
    """Gives all 385 tensors under CRMH's names; `statistics`: mean and variance of each layer of `layers`."""
    return {name: _tensor(name, shape, statistics) for name, shape in crmh_manifest().items()}


def _tensor(name: str, shape: tuple[int, ...], statistics: Mapping[str, tuple[float, float]]) -> Tensor:
    layer, _, kind = name.rpartition(".")
    if name.startswith("smpl_head.init_"):
        return _start(name)
    if layer in statistics:
        return _norm(name, kind, shape, statistics[layer])
    if kind == "bias":
        return spread(name, shape, 0.05) + torch.tensor(SHIFT.get(name, (0.0,)))
    gain = next((gain for part, gain in GAIN.items() if f".{part}." in name), math.sqrt(2.0))
    return spread(name, shape, gain / math.sqrt(math.prod(shape[1:])))


def _norm(name: str, kind: str, shape: tuple[int, ...], statistics: tuple[float, float]) -> Tensor:
    mean, variance = statistics
    if kind == "num_batches_tracked":
        return torch.tensor(1000)
    if kind == "weight":
        return spread(name, shape, 0.05) + (0.4 if ".bn3." in name else 0.8)  # residual branches add up
    if kind == "bias":
        return spread(name, shape, 0.2)
    if kind == "running_mean":
        return spread(name, shape, 0.1 * math.sqrt(variance)) + mean
    return (spread(name, shape, 0.15) + 1.0) * variance


def _start(name: str) -> Tensor:
    if name.endswith("contrep"):
        return start_pose(torch.from_numpy(stream("mean pose").uniform(-0.5, 0.5, 72)))
    return spread(name, (10,), 0.5) if name.endswith("shape") else torch.tensor((0.9, 0.0, 0.0))


def made_up_image() -> Tensor:
    """Gives a normalised network image, (3, 512, 832) float32: patches of many sizes, then padding."""
    image = np.zeros((3, HEIGHT, WIDTH))
    for side in (4, 8, 16, 32, 64, 128):
        patches = stream(f"image {side}").uniform(-0.9, 0.9, (3, HEIGHT // side, WIDTH // side + 1))
        image += np.kron(patches, np.ones((1, side, side)))[:, :HEIGHT, :WIDTH]
    image[:, :, FILLED:] = 0.0
    return torch.from_numpy(np.clip(image, -2.1, 2.6).astype(np.float32))
