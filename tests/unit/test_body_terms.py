"""The SMPL head's terms of one step: the truth costs nothing on any canvas, and who counts how much in which term."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny_body import random_betas_and_rotations
from torch import Tensor
from toy_training import supervision

from mili_core.losses.settings import LossSettings, LossWeights
from mili_core.losses.total import ALL_TERMS
from mili_core.nets.smpl_head import BodyState
from mili_core.training.bodies import BodyExamples, BodySupervision, _terms

UNITS = LossWeights(**dict.fromkeys(ALL_TERMS, 1.0))
FOCAL_PX = 1000.0
CANVASES = [(832, 512), (416, 256), (96, 64)]
BOXES = torch.tensor([[20.0, 10.0, 60.0, 62.0], [-5.0, 30.0, 90.0, 50.0], [30.0, 2.0, 47.0, 60.0]])
CAMS = torch.tensor([[0.9, 0.05, -0.1], [0.6, -0.2, 0.1], [1.2, 0.0, 0.3]])


def slow_pixels(points_m: Tensor, cam: Tensor, box: Tensor, canvas: tuple[int, int]) -> np.ndarray:
    """One person's points (P, 3), without translation, in px (P, 2) of a canvas whose centre is the camera's."""
    scale, tx, ty = cam.double().tolist()
    x0, y0, x1, y1 = box.double().tolist()
    side = max(x1 - x0, y1 - y0)
    depth = 2 * FOCAL_PX / (scale * side)
    middle = (canvas[0] / 2, canvas[1] / 2)
    origin = ((x0 + x1) / 2 + tx * side, (y0 + y1) / 2 + ty * side)
    shift = [depth * (at - centre) / FOCAL_PX for at, centre in zip(origin, middle, strict=True)]
    found = []
    for x, y, z in points_m.double().tolist():
        ahead = (z + depth) / FOCAL_PX
        found.append(((x + shift[0]) / ahead + middle[0], (y + shift[1]) / ahead + middle[1]))
    return np.array(found)


def truth(bodies: BodySupervision, canvas: tuple[int, int]) -> tuple[BodyState, BodyExamples]:
    """Returns three people and examples that know all about them."""
    betas, rotmats = random_betas_and_rotations(3, seed=4)
    state = BodyState(rotmats, betas, CAMS)
    joints, keypoints = bodies.skinned.joints(betas, rotmats), bodies.skinned.keypoints17(betas, rotmats)
    known = torch.cat((keypoints, joints), dim=1)
    pixels = np.stack([slow_pixels(*one, canvas) for one in zip(known, CAMS, BOXES, strict=True)])
    points = torch.cat((torch.from_numpy(pixels).float(), torch.ones(3, 41, 1)), dim=2)
    examples = BodyExamples(
        boxes=BOXES,
        image_index=torch.zeros(3, dtype=torch.int64),
        people=torch.arange(3),
        points=points,
        posed=torch.ones(3, dtype=torch.bool),
        rotmats=rotmats,
        betas=betas,
        joints3d_m=joints - joints[:, :1],
        share=torch.ones(3),
    )
    return state, examples


def terms_of(
    state: BodyState, examples: BodyExamples, bodies: BodySupervision, canvas: tuple[int, int] = CANVASES[1]
) -> dict[str, float]:
    return _terms(state, examples, bodies, canvas, LossSettings(UNITS)).values(UNITS)


@pytest.mark.parametrize("canvas", CANVASES)
def test_the_truth_costs_nothing_on_any_canvas(canvas: tuple[int, int]) -> None:
    bodies = supervision()
    state, examples = truth(bodies, canvas)
    terms = terms_of(state, examples, bodies, canvas)
    for name in ("keypoints", "joints3d", "vertices", "pose", "betas", "prior", "shape_prior"):
        assert terms[name] == pytest.approx(0.0, abs=2e-5), name
    aside = replace(state, cam=CAMS + torch.tensor([0.0, 0.1, 0.0]))  # a tenth of the longer side
    assert terms_of(aside, examples, bodies, canvas)["keypoints"] > 0.03


def test_the_shape_prior_is_the_mean_square_of_betas_without_truth() -> None:
    bodies = supervision()
    state, examples = truth(bodies, CANVASES[1])
    betas = torch.stack((torch.full((10,), 50.0), torch.arange(10.0), torch.full((10,), -2.0)))
    state = replace(state, betas=betas)
    examples = replace(examples, posed=torch.tensor([True, False, False]))
    squares = [float(beta) ** 2 for beta in range(10)] + [4.0] * 10
    assert terms_of(state, examples, bodies)["shape_prior"] == pytest.approx(sum(squares) / 20)
    everybody = replace(examples, posed=torch.ones(3, dtype=torch.bool))
    assert terms_of(state, everybody, bodies)["shape_prior"] == 0.0


def moved(state: BodyState) -> BodyState:
    """Returns the people with other bodies, whose vertices are each another distance from the truth."""
    betas, rotmats = random_betas_and_rotations(3, seed=5, spread=0.3)
    betas[1] *= 4.0
    return replace(state, betas=betas, rotmats=rotmats)


def test_vertices_are_the_mean_over_people_weighted_by_their_share() -> None:
    bodies = supervision()
    state, examples = truth(bodies, CANVASES[1])
    other = moved(state)
    examples = replace(examples, posed=torch.tensor([True, True, False]), share=torch.tensor([0.15, 0.9, 1.0]))
    cost = 0.0
    for person, share in ((0, 0.15), (1, 0.9)):
        one = slice(person, person + 1)
        found, _ = bodies.skinned(other.betas[one], other.rotmats[one])
        true, _ = bodies.skinned(state.betas[one], state.rotmats[one])
        cost += share * float((found - true).double().abs().mean())
    assert terms_of(other, examples, bodies)["vertices"] == pytest.approx(cost / (0.15 + 0.9), rel=1e-4)


def test_people_without_truth_teach_no_pose_and_no_vertices() -> None:
    bodies = supervision()
    state, examples = truth(bodies, CANVASES[1])
    terms = terms_of(moved(state), replace(examples, posed=torch.zeros(3, dtype=torch.bool)), bodies)
    for name in ("joints3d", "vertices", "pose", "betas"):
        assert terms[name] == 0.0, name
    assert min(terms["keypoints"], terms["prior"], terms["shape_prior"]) > 0.0
