"""Every loss in bfloat16's range: finite, with finite gradients, near its value in single precision, for nobody too."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
import torch
from torch import Tensor

from mili_core.losses.body import fit_pose_prior, joint3d_loss, keypoint_loss, parameter_loss
from mili_core.losses.contrastive import FeatureQueue, contrastive_loss
from mili_core.losses.depth_ordering import depth_order_loss
from mili_core.losses.detection import box_loss, rpn_loss
from mili_core.losses.interpenetration import interpenetration_loss
from mili_core.losses.joint_maps import joint_map_loss, joint_place_loss, joint_places
from mili_core.losses.occlusion import occlusion_loss
from mili_core.losses.restoration import restoration_loss
from mili_core.losses.roi_guidance import refined_boxes, roi_loss
from mili_core.losses.vertices import vertex_loss

BACKGROUND = 6  # sampled anchors and RoIs that hold nobody
PANEL = torch.tensor([[0.0, 0, 5], [12, 0, 5], [12, 8, 5], [0, 8, 5]])  # x, y (px), depth (m)
PANEL_FACES = torch.tensor([[0, 1, 2], [0, 2, 3]])
OCTAHEDRON = torch.cat((torch.eye(3), -torch.eye(3)))
OCTAHEDRON_FACES = torch.tensor(
    [[0, 1, 2], [1, 3, 2], [3, 4, 2], [4, 0, 2], [1, 0, 5], [3, 1, 5], [4, 3, 5], [0, 4, 5]]
)


def random(*shape: int, seed: int = 0) -> Tensor:
    """Normal values that bfloat16 holds exactly."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).bfloat16().float()


@dataclass(eq=False)
class Scene:
    """People, whether anything is known about them, and the predictions that were made for them."""

    people: int
    known: bool
    dtype: torch.dtype
    predictions: list[Tensor] = field(default_factory=list)

    def predicted(self, *shape: int) -> Tensor:
        """Returns a random prediction that wants a gradient."""
        made = random(*shape, seed=len(self.predictions) + 1).to(self.dtype).requires_grad_()
        self.predictions.append(made)
        return made

    @property
    def share(self) -> Tensor:
        return torch.linspace(0.2, 1.0, self.people) if self.known else torch.zeros(self.people)

    @property
    def boxes(self) -> Tensor:
        return torch.tensor([[10.0, 20.0, 60.0, 180.0]]).repeat(self.people, 1)

    def points(self, count: int) -> Tensor:
        """Returns x, y (px) within the boxes, and confidences."""
        places = 40.0 + 8.0 * random(self.people, count, 2)
        return torch.cat((places, self.share[:, None, None].expand(-1, count, 1)), dim=2)


def of_rpn(scene: Scene) -> Tensor:
    labels = torch.cat((torch.ones(scene.people), torch.zeros(BACKGROUND)))
    logits, deltas = scene.predicted(len(labels)), scene.predicted(scene.people, 4)
    return torch.stack(rpn_loss(logits, deltas, labels, random(scene.people, 4))).sum()


def of_box_head(scene: Scene) -> Tensor:
    labels = torch.tensor([1] * scene.people + [0] * BACKGROUND)
    logits, deltas = scene.predicted(len(labels), 2), scene.predicted(scene.people, 4)
    return torch.stack(box_loss(logits, deltas, labels, random(scene.people, 4))).sum()


def of_keypoints(scene: Scene) -> Tensor:
    return keypoint_loss(scene.predicted(scene.people, 17, 2), scene.points(17), scene.boxes)


def of_joints(scene: Scene) -> Tensor:
    return joint3d_loss(scene.predicted(scene.people, 24, 3), random(scene.people, 24, 3), scene.share)


def of_parameters(scene: Scene) -> Tensor:
    rotmats, betas = scene.predicted(scene.people, 24, 3, 3), scene.predicted(scene.people, 10)
    true_rotmats, true_betas = random(scene.people, 24, 3, 3), random(scene.people, 10)
    return torch.stack(parameter_loss(rotmats, betas, true_rotmats, true_betas, scene.share)).sum()


def of_vertices(scene: Scene) -> Tensor:
    return vertex_loss(scene.predicted(scene.people, 9, 3), random(scene.people, 9, 3))


def of_prior(scene: Scene) -> Tensor:
    return fit_pose_prior(random(300, 138)).loss(scene.predicted(scene.people, 138))


def of_joint_maps(scene: Scene) -> Tensor:
    posed = torch.full((scene.people,), fill_value=True)
    places, weight = joint_places(scene.points(41), posed, scene.boxes, scene.share)
    maps = joint_map_loss(scene.predicted(scene.people, 24, 196), places, weight)
    return maps + joint_place_loss(scene.predicted(scene.people, 24, 2), places, weight)


def of_contrast(scene: Scene) -> Tensor:
    queue = FeatureQueue(16, 5)
    queue.push(random(4, 16, seed=9), (torch.arange(4) if scene.known else torch.full((4,), 7))[:, None])
    scenes = torch.full((scene.people, 1), 7)
    return contrastive_loss(scene.predicted(scene.people, 16), random(scene.people, 16), scenes, queue)


def of_boxes(scene: Scene) -> Tensor:
    found = refined_boxes(scene.predicted(scene.people, 4), scene.boxes)
    return roi_loss(found, scene.boxes, 2)


def of_rois(scene: Scene) -> Tensor:
    return roi_loss(scene.predicted(scene.people, 8, 7, 7), random(scene.people, 8, 7, 7), 2)


def of_occlusion(scene: Scene) -> Tensor:
    return occlusion_loss(scene.predicted(scene.people, 28, 28), random(scene.people, 28, 28).clamp(0, 1))


def of_restoration(scene: Scene) -> Tensor:
    images = scene.people
    return restoration_loss(scene.predicted(images, 4, 3, 4), random(images, 4, 3, 4), ((70, 100),) * images)


def of_order(scene: Scene) -> Tensor:
    """The first is seen everywhere, and the farthest."""
    away = torch.arange(scene.people).flip(0)[:, None, None] * torch.tensor((0.0, 0.0, 1.0))
    vertices = PANEL + away + 0.01 * scene.predicted(scene.people, 4, 3)
    masks = torch.zeros(scene.people, 8, 12, dtype=torch.uint8)
    masks[:1] = int(scene.known)
    return depth_order_loss(vertices, PANEL_FACES, masks, torch.zeros(scene.people, dtype=torch.int64))


def of_collisions(scene: Scene) -> Tensor:
    aside = torch.arange(scene.people)[:, None, None] * torch.tensor((0.4, 0.1, 0.0))
    images = torch.zeros(scene.people, dtype=torch.int64) if scene.known else torch.arange(scene.people)
    return interpenetration_loss(
        OCTAHEDRON + aside + 0.05 * scene.predicted(scene.people, 6, 3), OCTAHEDRON_FACES, images, cells=8
    )


LOSSES = (
    of_rpn, of_box_head, of_keypoints, of_joints, of_parameters, of_vertices, of_prior, of_joint_maps, of_contrast,
    of_boxes, of_rois, of_occlusion, of_restoration, of_order, of_collisions,
)  # fmt: skip
SUPERVISED = (of_keypoints, of_joints, of_parameters, of_joint_maps, of_contrast, of_order, of_collisions)
BY_BACKGROUND = (of_rpn, of_box_head)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["single", "bfloat16"])
@pytest.mark.parametrize(("people", "known"), [(3, True), (3, False), (0, True)], ids=["known", "unknown", "nobody"])
@pytest.mark.parametrize("loss_of", LOSSES)
def test_finite_under_autocast(
    loss_of: Callable[[Scene], Tensor], people: int, known: bool, dtype: torch.dtype
) -> None:
    scene = Scene(people, known, dtype)
    with torch.autocast("cpu", torch.bfloat16):
        loss = loss_of(scene)
    gradients = torch.autograd.grad(loss, scene.predictions)
    assert torch.isfinite(loss)
    assert all(torch.isfinite(gradient).all() for gradient in gradients)
    plain = loss_of(Scene(people, known, torch.float32)).item()
    assert loss.item() == pytest.approx(plain, rel=0.05, abs=1e-3)
    costs_nothing = (not known and loss_of in SUPERVISED) or (people == 0 and loss_of not in BY_BACKGROUND)
    assert (plain == 0.0) is costs_nothing
