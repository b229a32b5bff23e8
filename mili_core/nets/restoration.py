"""Restoration network on the pyramid's top level (paper section 3.3 and Fig. 3, eq. 6)."""

from __future__ import annotations

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn


class Restoration(nn.Module):
    """Encoder-decoder g with a symmetric skip; gives x + g(x), so low-resolution features come out restored.

    conv-conv-pool-conv-conv-up-conv. The last convolution starts at zero: the identity, so adding the network
    changes nothing until it is trained.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()

        def conv() -> nn.Conv2d:
            return nn.Conv2d(channels, channels, 3, padding=1)

        self.encode1, self.encode2 = conv(), conv()
        self.decode1, self.decode2 = conv(), conv()
        self.out = conv()
        nn.init.zeros_(self.out.weight)
        assert self.out.bias is not None
        nn.init.zeros_(self.out.bias)

    def forward(self, top: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """Returns the restored top level, same shape as `top`."""
        fine = F.relu(self.encode2(F.relu(self.encode1(top))))
        coarse = F.max_pool2d(fine, 2, ceil_mode=True)
        coarse = F.relu(self.decode2(F.relu(self.decode1(coarse))))
        up = F.interpolate(coarse, size=top.shape[2:], mode="bilinear", align_corners=False)
        restored: Tensor = top + self.out(up + fine)
        return restored
