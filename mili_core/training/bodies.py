"""One step's bodies: which RoIs the SMPL head trains on, and its losses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from mili_core.body import FOCAL_PX, NETWORK_HEIGHT, NETWORK_WIDTH, SkinnedBody, matrix_to_rot6d, project
from mili_core.body.camera import translation_from_weak
from mili_core.losses.body import PosePrior, joint3d_loss, keypoint_loss, parameter_loss
from mili_core.losses.depth_ordering import depth_order_loss
from mili_core.losses.interpenetration import interpenetration_loss
from mili_core.losses.joint_maps import joint_map_loss, joint_place_loss, joint_places
from mili_core.losses.settings import LossSettings
from mili_core.losses.total import LossTerms
from mili_core.losses.vertices import vertex_loss
from mili_core.nets.boxes import widened
from mili_core.nets.mili import Mili
from mili_core.nets.smpl_head import BodyState
from mili_core.training.assign import Sampling, pick
from mili_core.training.batch import Batch, Targets
from mili_core.training.detection import Candidates

MIN_KEYPOINTS = 5  # fewer labelled joints say too little about a body
MIN_SIDE_PX = 5.0  # boxes of people that are smaller are left out (CRMH)
BOX_JITTER = 0.08  # true boxes are moved by this share of their sides (standard deviation), as detection errs
LEAST_SHARE = 0.15  # how much a person counts of whom hardly anything is seen: the pose is a guess
FULL_SHARE_VISIBLE = 0.7  # seen this much, a person counts fully
MIN_NORM_ROIS = 8  # fewer say too little about the statistics of batch normalisation
MIN_SCALE = 0.05  # of the weak camera: 0 and below have no translation; keeps the first steps finite


@dataclass(frozen=True, slots=True, eq=False)
class BodySupervision:
    """What the SMPL head is held to.

    Attributes:
        skinned: the body that it regresses.
        prior: of poses, for people without SMPL truth.
        faces: (F, 3) triangles of the body.
    """

    skinned: SkinnedBody
    prior: PosePrior
    faces: Tensor

    def to(self, device: torch.device) -> BodySupervision:
        """Returns the supervision on a device; the prior follows what it is given."""
        return BodySupervision(self.skinned.to(device), self.prior, self.faces.to(device))


@dataclass(frozen=True, slots=True, eq=False)
class BodyExamples:
    """N RoIs that the SMPL head trains on, and what is known about their people.

    Attributes:
        boxes: (N, 4) network px.
        image_index, people: (N,) image, and person in that image.
        points: (N, 41, 3) 17 keypoints and 24 joints: x, y (network px), confidence.
        posed: (N,) bool, SMPL truth is known; the following are 0 elsewhere.
        rotmats, betas, joints3d_m: (N, 24, 3, 3), (N, 10), (N, 24, 3).
        share: (N,) how much each person counts in what SMPL truth teaches.
    """

    boxes: Tensor
    image_index: Tensor
    people: Tensor
    points: Tensor
    posed: Tensor
    rotmats: Tensor
    betas: Tensor
    joints3d_m: Tensor
    share: Tensor


def body_examples(batch: Batch, candidates: Candidates | None, sampling: Sampling) -> BodyExamples:
    """Gives at most `sampling.body_rois` RoIs an image: everybody's true box, moved a little, then proposals.

    Args:
        batch: with targets.
        candidates: proposals; None for true boxes alone.
        sampling: counts.
    """
    parts = []
    for image, target in enumerate(batch.targets):
        known = _known(target)
        who = pick(known, sampling.body_rois)
        boxes = [_jittered(target.boxes[who])]
        people = [who]
        if candidates is not None:
            found = candidates.assigned[image]
            rows = pick(known[found.people], sampling.body_rois - len(who))
            boxes.append(candidates.rois[image][found.positives[rows]])
            people.append(found.people[rows])
        parts.append(_examples_of(target, image, torch.cat(boxes), torch.cat(people)))
    names = BodyExamples.__slots__
    return BodyExamples(**{name: torch.cat([getattr(part, name) for part in parts]) for name in names})


def body_terms(
    model: Mili,
    levels: Sequence[Tensor],
    examples: BodyExamples,
    bodies: BodySupervision,
    batch: Batch,
    settings: LossSettings,
) -> LossTerms:
    """Gives the terms of the SMPL head, in float32 also under autocast; those of weight 0 are left out."""
    if len(examples.people) == 0:
        return LossTerms(keypoints=levels[0].sum() * 0.0)
    rois = model.body_rois(levels, examples.boxes, examples.image_index)
    canvas = (batch.images.shape[3], batch.images.shape[2])
    terms, state = head_terms(model, rois, examples, bodies, canvas, settings)
    with torch.autocast(rois.device.type, enabled=False):
        inside, order = _order_terms(state, examples, bodies, batch, settings)
    return replace(terms, interpenetration=inside, depth_order=order)


def head_terms(
    model: Mili,
    rois: Tensor,
    examples: BodyExamples,
    bodies: BodySupervision,
    canvas: tuple[int, int],
    settings: LossSettings,
) -> tuple[LossTerms, BodyState]:
    """Gives the terms that need no more than RoI features (N, C, 14, 14), and the bodies, in float32.

    Args:
        model: whose SMPL head is trained.
        rois: features of the examples' boxes.
        examples: N >= 1.
        bodies: supervision.
        canvas: width and height of the images, px.
        settings: of the losses.
    """
    with _steady_norms(model.smpl_head, len(examples.people)):
        described, maps = model.smpl_head.describe(rois, examples.boxes)
        state = model.smpl_head.refine(described)
    with torch.autocast(rois.device.type, enabled=False):
        terms = _terms(state, examples, bodies, canvas, settings)
        if maps is None:
            return terms, state
        places, weight = joint_places(
            examples.points, examples.posed, widened(examples.boxes, model.config.body_margin), examples.share
        )
        maps_loss = joint_map_loss(maps.logits, places, weight)
        return replace(terms, joint_maps=maps_loss, joint_places=joint_place_loss(maps.places, places, weight)), state


def _terms(
    state: BodyState, examples: BodyExamples, bodies: BodySupervision, canvas: tuple[int, int], settings: LossSettings
) -> LossTerms:
    transl = _translation(state.cam, examples.boxes, canvas)
    joints = bodies.skinned.joints(state.betas, state.rotmats)
    points = torch.cat((bodies.skinned.keypoints17(state.betas, state.rotmats), joints), dim=1) + transl[:, None]
    pixels = project(points, FOCAL_PX, _centre(canvas))

    posed, share = examples.posed, examples.share[examples.posed]
    pose, betas = parameter_loss(
        state.rotmats[posed], state.betas[posed], examples.rotmats[posed], examples.betas[posed], share
    )
    rot6d = matrix_to_rot6d(state.rotmats[~posed, 1:]).flatten(1)
    shapes = torch.square(state.betas[~posed])
    return LossTerms(
        keypoints=keypoint_loss(pixels, examples.points, examples.boxes, settings.penalty),
        joints3d=joint3d_loss((joints - joints[:, :1])[posed], examples.joints3d_m[posed], share, settings.penalty),
        vertices=_vertex_term(state, examples, bodies) if settings.weights.vertices > 0.0 else None,
        pose=pose,
        betas=betas,
        prior=bodies.prior.loss(rot6d),
        shape_prior=shapes.sum() / max(shapes.numel(), 1),
    )


def _vertex_term(state: BodyState, examples: BodyExamples, bodies: BodySupervision) -> Tensor:
    posed = examples.posed
    found, _ = bodies.skinned(state.betas[posed], state.rotmats[posed])
    with torch.no_grad():
        truth, _ = bodies.skinned(examples.betas[posed], examples.rotmats[posed])
    share = examples.share[posed]
    share = share / share.mean().clamp(min=1e-6) if len(share) else share
    return vertex_loss(found * share[:, None, None], truth * share[:, None, None])


def _order_terms(
    state: BodyState, examples: BodyExamples, bodies: BodySupervision, batch: Batch, settings: LossSettings
) -> tuple[Tensor | None, Tensor | None]:
    """Returns interpenetration and depth ordering, one RoI a person; None where the weight is 0."""
    weights = settings.weights
    if weights.interpenetration <= 0.0 and weights.depth_order <= 0.0:
        return None, None
    canvas = (batch.images.shape[3], batch.images.shape[2])
    rows = _first_of_each(examples)
    image_index = examples.image_index[rows]
    vertices, _ = bodies.skinned(state.betas[rows], state.rotmats[rows])
    vertices = vertices + _translation(state.cam[rows], examples.boxes[rows], canvas)[:, None]
    inside = order = None
    if weights.interpenetration > 0.0:
        inside = interpenetration_loss(vertices, bodies.faces, image_index, settings.volume_cells)
    if weights.depth_order > 0.0:
        seen = torch.cat((project(vertices, FOCAL_PX, _centre(canvas)), vertices[..., 2:]), dim=2)
        pairs = zip(image_index.tolist(), examples.people[rows].tolist(), strict=True)
        masks = torch.stack([batch.targets[image].masks[person] for image, person in pairs])
        order = depth_order_loss(seen, bodies.faces, masks, image_index, settings.depth_stride)
    return inside, order


def _first_of_each(examples: BodyExamples) -> Tensor:
    """Returns the first RoI of each person."""
    key = examples.image_index * (int(examples.people.max()) + 1) + examples.people
    _, person = torch.unique(key, return_inverse=True)
    rows = torch.arange(len(key), device=key.device)
    first = rows.new_full((int(person.max()) + 1,), len(key)).scatter_reduce_(0, person, rows, reduce="amin")
    return first.sort().values


def _known(target: Targets) -> Tensor:
    """Returns (P,) True for people of whom enough is known and seen."""
    labelled = (target.keypoints[..., 2] > 0).sum(dim=1) >= MIN_KEYPOINTS
    large = ((target.boxes[:, 2:] - target.boxes[:, :2]) > MIN_SIDE_PX).all(dim=1)
    return large if target.rotmats is not None else large & labelled


def _examples_of(target: Targets, image: int, boxes: Tensor, people: Tensor) -> BodyExamples:
    def truth(values: Tensor | None, *shape: int) -> Tensor:
        return boxes.new_zeros((len(people), *shape)) if values is None else values[people]

    share = (target.visible_fraction[people] / FULL_SHARE_VISIBLE).clamp(LEAST_SHARE, 1.0)
    return BodyExamples(
        boxes=boxes,
        image_index=people.new_full((len(people),), image),
        people=people,
        points=torch.cat((target.keypoints[people], truth(target.joints2d, 24, 3)), dim=1),
        posed=torch.full((len(people),), target.rotmats is not None, device=boxes.device),
        rotmats=truth(target.rotmats, 24, 3, 3),
        betas=truth(target.betas, 10),
        joints3d_m=truth(target.joints3d_m, 24, 3),
        share=share,
    )


def _jittered(boxes: Tensor) -> Tensor:
    sides = (boxes[:, 2:] - boxes[:, :2]).repeat(1, 2)
    return boxes + torch.randn(boxes.shape).to(boxes) * BOX_JITTER * sides


def _centre(canvas: tuple[int, int]) -> tuple[float, float]:
    return canvas[0] / 2, canvas[1] / 2


def _translation(cam: Tensor, boxes: Tensor, canvas: tuple[int, int]) -> Tensor:
    """Returns translations (N, 3) on a canvas (width, height) instead of the network's own."""
    centre = _centre(canvas)
    shift = boxes.new_tensor((NETWORK_WIDTH / 2 - centre[0], NETWORK_HEIGHT / 2 - centre[1]))
    cam = torch.cat((cam[:, :1].clamp(min=MIN_SCALE), cam[:, 1:]), dim=1)
    return translation_from_weak(cam, boxes + shift.repeat(2))


@contextmanager
def _steady_norms(head: nn.Module, rois: int) -> Iterator[None]:
    """Lets batch normalisation use what it has learnt, and learn nothing, where there are too few RoIs."""
    norms = [module for module in head.modules() if isinstance(module, nn.BatchNorm2d) and module.training]
    few = norms if rois < MIN_NORM_ROIS else []
    for module in few:
        module.eval()
    try:
        yield
    finally:
        for module in few:
            module.train()
