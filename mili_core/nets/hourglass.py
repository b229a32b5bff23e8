"""An hourglass over a RoI: which limb it is depends on the whole person, where it is on its pixels.

After Newell, Yang, Deng, "Stacked hourglass networks for human pose estimation", ECCV 2016.
"""

from __future__ import annotations

from itertools import pairwise

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

LEVELS = 3  # sides 14, 7, 4


class Hourglass(nn.Module):
    """Convolutions down to a few cells that see most of the RoI, and up again, level by level; these see all of it.

    Level k has (k + 1) x `width` channels.

    Args:
        inputs: channels of the RoI.
        width: channels at full size.
        convs: convolutions of a level on the way down; on the way up there is one a level.
    """

    def __init__(self, inputs: int, width: int, convs: int) -> None:
        super().__init__()
        widths = [width * (level + 1) for level in range(LEVELS)]
        self.down = nn.ModuleList(
            _level(wider, own, convs, stride=1 if level == 0 else 2)
            for level, (wider, own) in enumerate(zip([inputs, *widths], widths, strict=False))
        )
        self.back = nn.ModuleList(nn.Conv2d(below, own, 1) for own, below in pairwise(widths))
        self.up = nn.ModuleList(_level(own, own, 1, stride=1) for own in widths[:-1])
        self.whole_width = widths[-1]

    def forward(
        self, rois: Float[Tensor, "n c side side"]
    ) -> tuple[Float[Tensor, "n w side side"], Float[Tensor, "n v small small"]]:
        """Returns the features at full size, and those of the smallest level, `whole_width` wide."""
        levels = []
        for down in self.down:
            rois = down(rois)
            levels.append(rois)
        fine = levels[-1]
        for own, back, up in reversed(list(zip(levels, self.back, self.up, strict=False))):
            fine = up(own + F.interpolate(back(fine), size=own.shape[2:], mode="bilinear", align_corners=False))
        return fine, levels[-1]


def _level(inputs: int, width: int, convs: int, *, stride: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for number in range(convs):
        layers += [
            nn.Conv2d(inputs if number == 0 else width, width, 3, stride if number == 0 else 1, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
        ]
    return nn.Sequential(*layers)
