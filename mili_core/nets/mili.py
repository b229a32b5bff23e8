"""MILI's two-stage model: the composition (paper Fig. 2).

Two branches share every weight but the spatial attention; masks and restoration are the low-resolution branch's only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from mili_core.config import Branch, ModelConfig
from mili_core.nets import box_head, mask_head, smpl_head
from mili_core.nets.attention import SpatialAttention
from mili_core.nets.box_head import BoxHead, detect
from mili_core.nets.boxes import widened
from mili_core.nets.efficientnet_lite import EfficientNetLite0
from mili_core.nets.fpn import FeaturePyramid, coarsest
from mili_core.nets.mask_head import MaskHead
from mili_core.nets.resnet import ResNet50
from mili_core.nets.restoration import Restoration
from mili_core.nets.roi_align import roi_align
from mili_core.nets.rpn import RegionProposals, RpnOutput, propose
from mili_core.nets.smpl_head import BodyState, SmplHead

LOOKS_STEP, PEOPLE_STEP = 64, 8
"""Heads are given multiples of so many boxes: PyTorch's CPU kernels keep what they compile for every count that they
meet, some .3 GB after 150 blocks of a crowd."""


@dataclass(frozen=True, slots=True, eq=False)
class People:
    """All people of a batch of images, image by image, network px.

    Attributes:
        boxes_xyxy: (N, 4) half-open.
        scores: (N,).
        image_index: (N,).
        mask_logits: (N, 28, 28) on the boxes, or None on the HR branch and without a mask network.
        bodies: their SMPL states.
    """

    boxes_xyxy: Tensor
    scores: Tensor
    image_index: Tensor
    mask_logits: Tensor | None
    bodies: BodyState

    def of_image(self, number: int) -> People:
        """Returns the people of one image."""
        rows = (self.image_index == number).nonzero()[:, 0]
        bodies = BodyState(self.bodies.rotmats[rows], self.bodies.betas[rows], self.bodies.cam[rows])
        masks = None if self.mask_logits is None else self.mask_logits[rows]
        return People(self.boxes_xyxy[rows], self.scores[rows], self.image_index[rows], masks, bodies)


class Mili(nn.Module):
    """Attention, backbone, pyramid with restored top, proposals, and the three heads."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.attention = nn.ModuleDict({branch: SpatialAttention() for branch in config.attention})
        self.backbone = EfficientNetLite0() if config.backbone == "efficientnet_lite0" else ResNet50()
        self.neck = FeaturePyramid(self.backbone.channels, config.fpn_channels)
        self.restoration = Restoration(config.fpn_channels) if config.restoration else None
        self.rpn = RegionProposals(config)
        self.box_head = BoxHead(config)
        self.mask_head = MaskHead(config) if config.mask_network else None
        self.smpl_head = SmplHead(config)

    def features(self, images: Float[Tensor, "n 3 h w"], branch: Branch = "lr") -> list[Tensor]:
        """Returns P2..P5 of normalised, zero-padded images; P5 is restored on the LR branch."""
        levels: list[Tensor] = self.neck(self.backbone(self.attend(images, branch)))
        return self.restored(levels, branch)

    def attend(self, images: Float[Tensor, "n 3 h w"], branch: Branch) -> Float[Tensor, "n 3 h w"]:
        """Returns images after the branch's attention, or as they are where it has none."""
        return self.attention[branch](images) if branch in self.attention else images

    def restored(self, levels: list[Tensor], branch: Branch) -> list[Tensor]:
        """Returns P2..P5 with the top restored where the branch's heads shall see it so."""
        if branch == "hr" or self.restoration is None or self.config.restoration_use == "aux":
            return levels
        return [*levels[:-1], self.restoration(levels[-1])]

    def proposals(self, levels: Sequence[Tensor]) -> RpnOutput:
        """Returns the proposal network's output on P2..P6."""
        output: RpnOutput = self.rpn([*levels, coarsest(levels[-1])])
        return output

    def rois(
        self, levels: Sequence[Tensor], boxes: Float[Tensor, "n 4"], image_index: Int64[Tensor, " n"], side: int
    ) -> Float[Tensor, "n c side side"]:
        """Returns RoI features of boxes (network px)."""
        return roi_align(levels, boxes, image_index, side, half_pixel=self.config.roi_half_pixel)

    def body_rois(
        self, levels: Sequence[Tensor], boxes: Float[Tensor, "n 4"], image_index: Int64[Tensor, " n"]
    ) -> Float[Tensor, "n c 14 14"]:
        """Returns what the SMPL head reads of boxes (network px): RoI features with the margin around each box."""
        return self.rois(levels, widened(boxes, self.config.body_margin), image_index, smpl_head.SIDE)

    def bodies(
        self, levels: Sequence[Tensor], boxes: Float[Tensor, "n 4"], image_index: Int64[Tensor, " n"]
    ) -> BodyState:
        """Returns the bodies in boxes (network px)."""
        state: BodyState = self.smpl_head(self.body_rois(levels, boxes, image_index), boxes)
        return state

    @torch.no_grad()
    def forward(
        self,
        images: Float[Tensor, "n 3 h w"],
        sizes: Sequence[tuple[int, int]],
        threshold: float,
        branch: Branch = "lr",
    ) -> People:
        """Gives everyone in a batch of network images.

        Args:
            images: normalised, zero-padded.
            sizes: (height, width) of each image without its padding, network px.
            threshold: least detection score.
            branch: "lr", or "hr" for the branch that teaches it.

        Returns:
            People, image by image, best first within an image.
        """
        levels = self.features(images, branch)
        proposals = propose(self.proposals(levels), sizes, self.config)
        return self.people(levels, proposals, sizes, threshold, branch)

    def look(
        self,
        levels: Sequence[Tensor],
        boxes: Float[Tensor, "n 4"],
        image_index: Int64[Tensor, " n"],
        ends: Float[Tensor, "n 2"],
    ) -> tuple[Float[Tensor, " n"], Float[Tensor, "n 4"]]:
        """Gives what one look of the box head makes of boxes; arguments and result as of `judged`."""
        logits, deltas = self.box_head(self.rois(levels, boxes, image_index, box_head.SIDE))
        probability: Tensor = logits.softmax(dim=1)[:, 1]
        return probability, box_head.regress(deltas, boxes, ends, self.config)

    @torch.no_grad()
    def judged(
        self,
        levels: Sequence[Tensor],
        boxes: Float[Tensor, "n 4"],
        image_index: Int64[Tensor, " n"],
        ends: Float[Tensor, "n 2"],
    ) -> tuple[Float[Tensor, " n"], Float[Tensor, "n 4"]]:
        """Gives the probability that each box holds a person, and the box of that person (network px).

        Args:
            levels: of `features`.
            boxes: proposals.
            image_index: image of each.
            ends: width and height of that image without its padding.
        """

        def look(rows: Int64[Tensor, " k"]) -> Float[Tensor, " k"]:
            more = _rounded_up(rows, LOOKS_STEP)
            probability, boxes = self.look(levels, found[more], image_index[more], ends[more])
            found[rows] = boxes[: len(rows)]
            return probability[: len(rows)]

        found = boxes.clone()
        scores = look(torch.arange(len(boxes), device=boxes.device))
        likely = (scores >= box_head.LIKELY).nonzero()[:, 0]
        looks = [scores[likely], *(look(likely) for _ in range(1, self.config.box_passes))]
        scores[likely] = torch.stack(looks).mean(dim=0)
        return scores, found

    @torch.no_grad()
    def people(
        self,
        levels: Sequence[Tensor],
        proposals: list[Float[Tensor, "_ 4"]],
        sizes: Sequence[tuple[int, int]],
        threshold: float,
        branch: Branch = "lr",
    ) -> People:
        """Gives everyone whom the heads find among each image's proposals; other arguments as of `forward`."""
        index = _image_index(proposals)
        ends = torch.cat(proposals).new_tensor([(width, height) for height, width in sizes])[index]
        scores, boxes = self.judged(levels, torch.cat(proposals), index, ends)
        counts = [len(one) for one in proposals]
        found = [
            detect(*parts, threshold, self.config)
            for parts in zip(torch.split(scores, counts), torch.split(boxes, counts), strict=True)
        ]
        kept = torch.cat([one[0] for one in found])
        kept_scores = torch.cat([one[1] for one in found])
        image_index, count = _image_index([one[0] for one in found]), len(kept)
        more = _rounded_up(torch.arange(count, device=kept.device), PEOPLE_STEP)
        seen, of_image = kept[more], image_index[more]
        masks = None
        if branch == "lr" and self.mask_head is not None:
            masks = self.mask_head(self.rois(levels, seen, of_image, mask_head.SIDE))[:count]
        bodies = self.bodies(levels, seen, of_image)
        bodies = BodyState(bodies.rotmats[:count], bodies.betas[:count], bodies.cam[:count])
        return People(kept, kept_scores, image_index, masks, bodies)


def _rounded_up(rows: Int64[Tensor, " _"], step: int) -> Int64[Tensor, " _"]:
    """Returns the rows (N,) and the first of them again until they are a multiple of `step`."""
    return torch.cat((rows, rows[:1].expand(-len(rows) % step)))


def _image_index(parts: Sequence[Tensor]) -> Int64[Tensor, " n"]:
    device = parts[0].device
    return torch.cat([torch.full((len(one),), i, dtype=torch.int64, device=device) for i, one in enumerate(parts)])
