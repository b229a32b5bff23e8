"""One step's detection: sampled anchors, sampled proposals, and the losses of RPN, box head and mask network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from mili_core.losses.detection import box_loss, rpn_loss
from mili_core.losses.occlusion import occlusion_loss
from mili_core.losses.total import LossTerms
from mili_core.nets import box_head, mask_head
from mili_core.nets.boxes import BOX_STDS, RPN_STDS, encode
from mili_core.nets.mili import Mili
from mili_core.nets.rpn import RpnOutput, propose
from mili_core.training.assign import Assignment, Sampling, assign_anchors, assign_rois
from mili_core.training.batch import Batch
from mili_core.training.mask_targets import crop_masks


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """Each image's candidate RoIs, (N, 4) network px, and which of them were sampled."""

    rois: list[Tensor]
    assigned: list[Assignment]

    def positives(self) -> tuple[Tensor, Tensor, Tensor]:
        """Returns boxes (N, 4), image (N,) and person in that image (N,) of the sampled ones that hold a person."""
        boxes = [one[found.positives] for one, found in zip(self.rois, self.assigned, strict=True)]
        people = [found.people for found in self.assigned]
        return torch.cat(boxes), _image_of(people), torch.cat(people)

    def sampled(self) -> tuple[Tensor, Tensor]:
        """Returns boxes (N, 4) and image (N,) of the sampled ones, those of people and of background."""
        rows = [torch.cat((found.positives, found.negatives)) for found in self.assigned]
        return torch.cat([one[some] for one, some in zip(self.rois, rows, strict=True)]), _image_of(rows)


def find_candidates(
    levels: Sequence[Tensor], output: RpnOutput, model: Mili, batch: Batch, sampling: Sampling
) -> Candidates:
    """Gives the proposals of each image with its true boxes added, and a sample of them.

    Where the model looks at likely people more than once, the boxes of its first look are candidates too: the later
    looks then meet in training what they meet in use, and the likely false ones are among the background.
    """
    proposals = propose(output, batch.sizes, model.config)
    sources = [proposals, [target.boxes for target in batch.targets]]
    if model.config.box_passes > 1:
        sources.append(_first_looks(levels, proposals, model, batch))
    rois = [torch.cat(parts) for parts in zip(*sources, strict=True)]
    assigned = [
        assign_rois(one, target.boxes, target.ignore_boxes, sampling)
        for one, target in zip(rois, batch.targets, strict=True)
    ]
    return Candidates(rois, assigned)


def detection_terms(
    model: Mili, levels: Sequence[Tensor], output: RpnOutput, candidates: Candidates, batch: Batch, sampling: Sampling
) -> LossTerms:
    """Gives the terms of both stages of detection, over the images whose boxes are complete."""
    objectness, proposal_box = _rpn_losses(output, batch, sampling)
    person, box = _box_losses(model, levels, candidates, batch)
    return LossTerms(objectness=objectness, proposal_box=proposal_box, person=person, box=box)


def mask_term(model: Mili, levels: Sequence[Tensor], candidates: Candidates, batch: Batch) -> Tensor:
    """Gives L_occ on the sampled RoIs whose person has an outline."""
    assert model.mask_head is not None
    boxes, goals, index = [], [], []
    for image, (target, found) in enumerate(zip(batch.targets, candidates.assigned, strict=True)):
        known = target.has_mask[found.people].nonzero()[:, 0]
        chosen = candidates.rois[image][found.positives[known]]
        boxes.append(chosen)
        goals.append(crop_masks(target.masks, found.people[known], chosen))
        index.append(known.new_full((len(known),), image))
    if sum(len(one) for one in boxes) == 0:
        return levels[0].sum() * 0.0
    features = model.rois(levels, torch.cat(boxes), torch.cat(index), mask_head.SIDE)
    return occlusion_loss(model.mask_head(features), torch.cat(goals))


@torch.no_grad()
def _first_looks(levels: Sequence[Tensor], proposals: list[Tensor], model: Mili, batch: Batch) -> list[Tensor]:
    """Returns each image's boxes, (N, 4) network px, that a first look makes of its likely proposals."""
    index = _image_of(proposals).long()
    ends = torch.cat(proposals).new_tensor([(width, height) for height, width in batch.sizes])[index]
    scores, boxes = model.look(levels, torch.cat(proposals), index, ends)
    likely = (scores >= box_head.LIKELY) & ((boxes[:, 2:] - boxes[:, :2]) > box_head.MIN_SIDE).all(dim=1)
    return [boxes[likely & (index == image)] for image in range(len(proposals))]


def _detection_images(batch: Batch) -> list[int]:
    return [image for image, target in enumerate(batch.targets) if target.boxes_complete]


def _rpn_losses(output: RpnOutput, batch: Batch, sampling: Sampling) -> tuple[Tensor, Tensor]:
    logits, deltas, labels, goals = [], [], [], []
    for image in _detection_images(batch):
        target = batch.targets[image]
        found = assign_anchors(output.anchors, target.boxes, target.ignore_boxes, batch.sizes[image], sampling)
        logits.append(output.logits[image][torch.cat((found.positives, found.negatives))])
        labels.append(_labels(found))
        deltas.append(output.deltas[image][found.positives])
        goals.append(encode(target.boxes[found.people], output.anchors[found.positives], RPN_STDS))
    if not logits:
        zero = output.logits.sum() * 0.0
        return zero, zero
    return rpn_loss(torch.cat(logits), torch.cat(deltas), torch.cat(labels), torch.cat(goals))


def _box_losses(model: Mili, levels: Sequence[Tensor], candidates: Candidates, batch: Batch) -> tuple[Tensor, Tensor]:
    images = _detection_images(batch)
    if not images:
        zero = levels[0].sum() * 0.0
        return zero, zero
    rois, assigned = candidates.rois, candidates.assigned
    picked = [torch.cat((assigned[i].positives, assigned[i].negatives)) for i in images]
    boxes = torch.cat([rois[i][rows] for i, rows in zip(images, picked, strict=True)])
    index = torch.cat([rows.new_full((len(rows),), i) for i, rows in zip(images, picked, strict=True)])
    labels = torch.cat([_labels(assigned[i]) for i in images]).long()
    goals = torch.cat(
        [encode(batch.targets[i].boxes[assigned[i].people], rois[i][assigned[i].positives], BOX_STDS) for i in images]
    )
    logits, deltas = model.box_head(model.rois(levels, boxes, index, box_head.SIDE))
    return box_loss(logits, deltas[labels == 1], labels, goals)


def _labels(found: Assignment) -> Tensor:
    counts = (len(found.positives), len(found.negatives))
    return torch.cat([found.people.new_full((n,), value) for n, value in zip(counts, (1, 0), strict=True)]).float()


def _image_of(parts: Sequence[Tensor]) -> Tensor:
    return torch.cat([part.new_full((len(part),), image) for image, part in enumerate(parts)])
