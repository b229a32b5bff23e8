"""What the high-resolution branch teaches the low-resolution one (paper sections 3.1 and 3.3).

The teacher is the model of the first stage, frozen: it sees the sharp view, the student its low-resolution twin.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from mili_core.losses.cells import pool_valid
from mili_core.losses.contrastive import FeatureQueue, contrastive_loss
from mili_core.losses.restoration import restoration_loss
from mili_core.losses.roi_guidance import refined_boxes, roi_loss
from mili_core.losses.settings import RoiTerm
from mili_core.nets import box_head
from mili_core.nets.mili import Mili
from mili_core.training.assign import Sampling
from mili_core.training.batch import Batch, normalised
from mili_core.training.detection import find_candidates


@dataclass(frozen=True, slots=True, eq=False)
class Lesson:
    """The teacher's view of a batch; nothing in it has a gradient.

    Attributes:
        top: P5, x_h of equations 3 and 6.
        rois: (N, 4) sampled RoIs, of people and of background, network px.
        image_index: (N,) image of each.
        answer: x_h of equation 4 for each RoI: its refined box, or its features.
    """

    top: Tensor
    rois: Tensor
    image_index: Tensor
    answer: Tensor


@torch.no_grad()
def teach(teacher: Mili, batch: Batch, sampling: Sampling, kind: RoiTerm) -> Lesson:
    """Gives the lesson of a batch that has high-resolution images."""
    assert batch.images_hr is not None, "a teacher needs sharp images"
    config = teacher.config
    images = normalised(batch.images_hr, batch.sizes, config.pixel_mean, config.pixel_std)
    levels = teacher.features(images, "hr")
    boxes, index = find_candidates(levels, teacher.proposals(levels), teacher, batch, sampling).sampled()
    return Lesson(levels[-1], boxes, index, _answer(teacher, levels, boxes, index, kind))


def roi_guidance_term(model: Mili, levels: Sequence[Tensor], lesson: Lesson, batch: Batch, kind: RoiTerm) -> Tensor:
    """Gives L_RoI: the student's answer for the teacher's RoIs against the teacher's own."""
    found = _answer(model, levels, lesson.rois, lesson.image_index, kind)
    return roi_loss(found, lesson.answer, len(batch.targets))


def contrastive_term(top: Tensor, lesson: Lesson, batch: Batch, queue: FeatureQueue, gamma: float) -> Tensor:
    """Gives L_cs of the student's unrestored top level, and queues its features."""
    student = pool_valid(top, batch.sizes)
    loss = contrastive_loss(student, pool_valid(lesson.top, batch.sizes), batch.scenes, queue, gamma)
    queue.push(student.detach(), batch.scenes)
    return loss


def restoration_term(model: Mili, top: Tensor, levels: Sequence[Tensor], lesson: Lesson, batch: Batch) -> Tensor:
    """Gives L_res; `levels` hold the restored top already where the heads see it."""
    assert model.restoration is not None
    restored = levels[-1] if model.config.restoration_use == "replace" else model.restoration(top)
    return restoration_loss(restored, lesson.top, batch.sizes)


def _answer(model: Mili, levels: Sequence[Tensor], boxes: Tensor, index: Tensor, kind: RoiTerm) -> Tensor:
    features = model.rois(levels, boxes, index, box_head.SIDE)
    if kind == "features":
        return features
    _, deltas = model.box_head(features)
    return refined_boxes(deltas, boxes)
