"""One training step's losses: features once, then each head on its sampled examples."""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from jaxtyping import Float
from torch import Tensor

from mili_core.body import FOCAL_PX, NETWORK_HEIGHT, NETWORK_WIDTH, SkinnedBody, matrix_to_rot6d, project
from mili_core.body.camera import translation_from_weak
from mili_core.losses import body as body_losses
from mili_core.losses.body import PosePrior
from mili_core.losses.detection import box_loss, mask_loss, rpn_loss
from mili_core.nets import box_head, smpl_head
from mili_core.nets.boxes import BOX_STDS, RPN_STDS, encode
from mili_core.nets.mili import Mili
from mili_core.nets.rpn import RpnOutput, propose
from mili_core.nets.smpl_head import BodyState
from mili_core.training.assign import Assignment, Sampling, assign_anchors, assign_rois
from mili_core.training.batch import Batch, Targets, normalise
from mili_core.training.mask_targets import crop_masks

MIN_KEYPOINTS = 5  # fewer labelled joints say too little about a body
BOX_JITTER = 0.08  # RoIs of rendered people: true boxes moved by this share of their sides (standard deviation)


@dataclass(frozen=True, slots=True, eq=False)
class LossTerms:
    """The weighted terms of one step; their sum is minimised."""

    objectness: Tensor
    proposal_box: Tensor
    person: Tensor
    box: Tensor
    mask: Tensor
    keypoints: Tensor
    joints3d: Tensor
    pose: Tensor
    betas: Tensor
    prior: Tensor

    def total(self) -> Float[Tensor, ""]:
        """Returns the sum."""
        return torch.stack([getattr(self, field.name) for field in fields(self)]).sum()

    def values(self) -> dict[str, float]:
        """Returns each term as a number, for the log."""
        return {field.name: getattr(self, field.name).item() for field in fields(self)}


@dataclass(frozen=True, slots=True, eq=False)
class BodySupervision:
    """What the SMPL head is held to: the body that it regresses, and the prior of poses without SMPL truth."""

    skinned: SkinnedBody
    prior: PosePrior


@dataclass(frozen=True, slots=True, eq=False)
class BodyExamples:
    """RoIs that the SMPL head trains on: (N, 4) boxes, (N,) image, (N,) person in that image."""

    boxes: Tensor
    image_index: Tensor
    people: Tensor


def training_losses(model: Mili, batch: Batch, bodies: BodySupervision | None, sampling: Sampling) -> LossTerms:
    """Gives the losses of one batch: detection and masks on real photos, bodies on both.

    Args:
        model: in training mode (batch normalisation of the backbone in eval mode).
        batch: images and targets.
        bodies: supervision of the SMPL head, or None: its terms are then 0.
        sampling: examples an image.
    """
    images = normalise(batch, model.config.pixel_mean, model.config.pixel_std)
    levels = model.features(images)
    output = model.proposals(levels)
    proposals = propose(output, batch.sizes, model.config)
    objectness, proposal_box = _rpn_losses(output, batch, sampling)

    rois, assigned = _assign(proposals, batch, sampling)
    person, box = _box_losses(model, levels, rois, assigned, batch)
    mask = _mask_loss(model, levels, rois, assigned, batch, sampling)
    detection = (objectness, proposal_box, person, box, mask)
    if bodies is None:
        return LossTerms(*detection, *[objectness.new_zeros(())] * 5)
    examples = _body_examples(rois, assigned, batch, sampling)
    return LossTerms(*detection, *_body_losses(model, levels, examples, bodies, batch))


def body_losses_only(model: Mili, batch: Batch, bodies: BodySupervision, sampling: Sampling) -> LossTerms:
    """Gives the losses of the SMPL head alone, on true boxes; features come without gradient.

    Args: as of `training_losses`. Detection terms are 0.
    """
    with torch.no_grad():
        levels = model.features(normalise(batch, model.config.pixel_mean, model.config.pixel_std))
    examples = _true_examples(batch, 2 * sampling.body_rois)
    none = levels[0].new_zeros(())
    return LossTerms(none, none, none, none, none, *_body_losses(model, levels, examples, bodies, batch))


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


def _labels(found: Assignment) -> Tensor:
    return torch.cat((torch.ones(len(found.positives)), torch.zeros(len(found.negatives)))).to(found.people.device)


def _assign(proposals: list[Tensor], batch: Batch, sampling: Sampling) -> tuple[list[Tensor], list[Assignment]]:
    """Returns each image's candidate RoIs (its true boxes added) and which of them were sampled."""
    rois = [torch.cat((boxes, target.boxes)) for boxes, target in zip(proposals, batch.targets, strict=True)]
    assigned = [
        assign_rois(one, target.boxes, target.ignore_boxes, sampling)
        for one, target in zip(rois, batch.targets, strict=True)
    ]
    return rois, assigned


def _box_losses(
    model: Mili, levels: list[Tensor], rois: list[Tensor], assigned: list[Assignment], batch: Batch
) -> tuple[Tensor, Tensor]:
    images = _detection_images(batch)
    if not images:
        zero = levels[0].sum() * 0.0
        return zero, zero
    picked = [torch.cat((assigned[i].positives, assigned[i].negatives)) for i in images]
    boxes = torch.cat([rois[i][rows] for i, rows in zip(images, picked, strict=True)])
    index = torch.cat([rows.new_full((len(rows),), i) for i, rows in zip(images, picked, strict=True)])
    labels = torch.cat([_labels(assigned[i]) for i in images]).long()
    goals = torch.cat(
        [encode(batch.targets[i].boxes[assigned[i].people], rois[i][assigned[i].positives], BOX_STDS) for i in images]
    )
    logits, deltas = model.box_head(model.rois(levels, boxes, index, box_head.SIDE))
    return box_loss(logits, deltas[labels == 1], labels, goals)


def _mask_loss(
    model: Mili,
    levels: list[Tensor],
    rois: list[Tensor],
    assigned: list[Assignment],
    batch: Batch,
    sampling: Sampling,
) -> Tensor:
    if model.mask_head is None:
        return levels[0].sum() * 0.0
    boxes, index, goals = [], [], []
    for image, (target, found) in enumerate(zip(batch.targets, assigned, strict=True)):
        known = target.has_mask[found.people].nonzero()[: sampling.body_rois, 0]
        chosen = rois[image][found.positives[known]]
        boxes.append(chosen)
        index.append(known.new_full((len(known),), image))
        goals.append(crop_masks(target.masks, found.people[known], chosen))
    features = model.rois(levels, torch.cat(boxes), torch.cat(index), smpl_head.SIDE)
    return mask_loss(model.mask_head(features), torch.cat(goals))


def _body_examples(rois: list[Tensor], assigned: list[Assignment], batch: Batch, sampling: Sampling) -> BodyExamples:
    """Returns sampled proposals of photographed people with keypoints, and jittered boxes of rendered people."""
    boxes, index, people = [], [], []
    for image, (target, found) in enumerate(zip(batch.targets, assigned, strict=True)):
        if target.rotmats is not None:
            who = torch.arange(len(target.boxes), device=target.boxes.device)[: 2 * sampling.body_rois]
            box = _jitter(target.boxes[who])
        else:
            labelled = (target.keypoints[..., 2] > 0).sum(dim=1) >= MIN_KEYPOINTS
            rows = labelled[found.people].nonzero()[: sampling.body_rois, 0]
            who, box = found.people[rows], rois[image][found.positives[rows]]
        boxes.append(box)
        people.append(who)
        index.append(who.new_full((len(who),), image))
    return BodyExamples(torch.cat(boxes), torch.cat(index), torch.cat(people))


def _true_examples(batch: Batch, limit: int) -> BodyExamples:
    """Returns jittered true boxes of at most `limit` people an image who have SMPL truth or keypoints."""
    boxes, index, people = [], [], []
    for image, target in enumerate(batch.targets):
        known = (target.keypoints[..., 2] > 0).sum(dim=1) >= MIN_KEYPOINTS
        if target.rotmats is not None:
            known = torch.ones_like(known)
        who = known.nonzero()[:limit, 0]
        boxes.append(_jitter(target.boxes[who]))
        people.append(who)
        index.append(who.new_full((len(who),), image))
    return BodyExamples(torch.cat(boxes), torch.cat(index), torch.cat(people))


def _jitter(boxes: Tensor) -> Tensor:
    sides = (boxes[:, 2:] - boxes[:, :2]).repeat(1, 2)
    return boxes + torch.randn(boxes.shape).to(boxes) * BOX_JITTER * sides


def _body_losses(
    model: Mili, levels: list[Tensor], examples: BodyExamples, bodies: BodySupervision, batch: Batch
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Returns keypoint, 3D joint, pose, betas and prior terms, weighted."""
    zero = levels[0].sum() * 0.0
    if len(examples.people) < 2:  # batch normalisation needs a batch
        return zero, zero, zero, zero, zero
    state: BodyState = model.smpl_head(model.rois(levels, examples.boxes, examples.image_index, smpl_head.SIDE))
    centre = (batch.images.shape[3] / 2, batch.images.shape[2] / 2)
    transl = _translation(state.cam, examples.boxes, centre)
    joints = bodies.skinned.joints(state.betas, state.rotmats)
    points = torch.cat((bodies.skinned.keypoints17(state.betas, state.rotmats), joints), dim=1) + transl[:, None]
    pixels = project(points, FOCAL_PX, centre)

    keypoints = _gather(batch.targets, examples, "keypoints", (17, 3))
    joints2d = _gather(batch.targets, examples, "joints2d", (24, 3))
    keypoint = body_losses.keypoint_loss(pixels, torch.cat((keypoints, joints2d), dim=1), examples.boxes)

    rendered = torch.tensor([batch.targets[int(i)].rotmats is not None for i in examples.image_index])
    true_joints = _gather(batch.targets, examples, "joints3d_m", (24, 3))[rendered]
    joint3d = body_losses.joint3d_loss((joints - joints[:, :1])[rendered], true_joints)
    pose, betas = body_losses.parameter_loss(
        state.rotmats[rendered],
        state.betas[rendered],
        _gather(batch.targets, examples, "rotmats", (24, 3, 3))[rendered],
        _gather(batch.targets, examples, "betas", (10,))[rendered],
    )
    photographed = ~rendered
    rot6d = matrix_to_rot6d(state.rotmats[photographed, 1:]).flatten(1)
    shape = torch.square(state.betas[photographed]).sum() / max(int(photographed.sum()) * 10, 1)
    return (
        keypoint * body_losses.KEYPOINT_WEIGHT,
        joint3d * body_losses.JOINT3D_WEIGHT,
        pose * body_losses.POSE_WEIGHT,
        betas * body_losses.BETAS_WEIGHT,
        bodies.prior.loss(rot6d) * body_losses.PRIOR_WEIGHT + shape * body_losses.SHAPE_PRIOR_WEIGHT,
    )


def _translation(cam: Tensor, boxes: Tensor, centre: tuple[float, float]) -> Tensor:
    """Returns translations (N, 3) on a canvas whose centre is `centre` instead of the network's own."""
    shift = boxes.new_tensor((NETWORK_WIDTH / 2 - centre[0], NETWORK_HEIGHT / 2 - centre[1]))
    # A scale of 0 or below has no translation; the floor keeps the first steps finite.
    cam = torch.cat((cam[:, :1].clamp(min=0.05), cam[:, 1:]), dim=1)
    return translation_from_weak(cam, boxes + shift.repeat(2))


def _gather(targets: tuple[Targets, ...], examples: BodyExamples, name: str, shape: tuple[int, ...]) -> Tensor:
    """Returns the named truth of each example, zeros (no confidence) where its image does not have it."""
    rows = []
    for image, person in zip(examples.image_index.tolist(), examples.people.tolist(), strict=True):
        values = getattr(targets[image], name)
        rows.append(torch.zeros(shape) if values is None else values[person])
    return torch.stack(rows)
