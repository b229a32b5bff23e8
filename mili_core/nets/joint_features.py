"""What the SMPL head reads a body from: where each joint is in the RoI, and what the features say there.

An hourglass gives each joint a map of probabilities over the RoI's cells. Its mean place is the joint's (Sun et al.,
"Integral human pose regression", ECCV 2018); features averaged under the same map tell what is there (Choi et al.,
"Learning to estimate robust 3D human mesh from in-the-wild crowded scenes", CVPR 2022). Places in the image
lift to 3D more easily than features do.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mili_core.nets.hourglass import Hourglass

LOCAL = 16  # features read at each joint
USUAL_PX = 55.0  # boxes of this side (root of the area) count as neither large nor small


@dataclass(frozen=True, slots=True, eq=False)
class JointMaps:
    """Where the joints of N people are.

    Attributes:
        logits: (N, J, side * side), of the map's cells, row by row.
        places: (N, J, 2) mean x, y in units of the RoI's sides, 0..1.
    """

    logits: Tensor
    places: Tensor


class JointFeatures(nn.Module):
    """Reads maps of joints, features under them, and features of the whole from a RoI's features.

    Args:
        channels: of the RoI.
        width: channels of the hourglass.
        convs: its convolutions a level.
        joints: J.
        side: cells a side.
    """

    cells: Tensor

    def __init__(self, channels: int, width: int, convs: int, joints: int, side: int) -> None:
        super().__init__()
        self.hourglass = Hourglass(channels, width, convs)
        self.maps = nn.Conv2d(width, joints, 1)
        self.local = nn.Conv2d(width, LOCAL, 1)
        middles = (torch.arange(side) + 0.5) / side
        rows, columns = torch.meshgrid(middles, middles, indexing="ij")
        self.register_buffer("cells", torch.stack((columns, rows), dim=-1).reshape(-1, 2), persistent=False)
        self.width = joints * (2 + LOCAL + 1) + self.hourglass.whole_width + 2

    def forward(
        self, rois: Float[Tensor, "n c side side"], boxes: Float[Tensor, "n 4"]
    ) -> tuple[Float[Tensor, "n width"], JointMaps]:
        """Returns one vector a person, and the maps.

        Args:
            rois: their features.
            boxes: network px: a RoI alone does not say how wide a person is.
        """
        features, whole = self.hourglass(rois)
        logits = self.maps(features).flatten(2).float()
        share, values = logits.softmax(dim=2), self.local(features).flatten(2).float()
        with torch.autocast(features.device.type, enabled=False):  # a place is finer than bfloat16 is
            places = share @ self.cells
            local = torch.einsum("njp,ncp->njc", share, values)
        sureness = 0.1 * (logits.logsumexp(dim=2) - logits.mean(dim=2))
        sides = (boxes[:, 2:] - boxes[:, :2]).clamp(min=1.0).log()
        shape = torch.stack((sides[:, 0] - sides[:, 1], sides.mean(dim=1) - math.log(USUAL_PX)), dim=1)
        whole = whole.mean(dim=(2, 3)).float()
        return torch.cat((places.flatten(1), local.flatten(1), sureness, whole, shape), dim=1), JointMaps(
            logits, places
        )
