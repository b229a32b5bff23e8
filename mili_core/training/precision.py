"""In which numbers networks compute while they are trained."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Literal

import torch

Amp = Literal["none", "bf16"]


def precision(device: torch.device, amp: Amp) -> AbstractContextManager[object]:
    """Gives the context of a forward pass: float32, or bfloat16 where torch deems that safe."""
    return torch.autocast(device.type, torch.bfloat16) if amp == "bf16" else nullcontext()
