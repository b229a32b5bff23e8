"""Ordinal depth: a slow twin that intersects every pixel's ray with every triangle, closed forms, gradients, edges."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from mili_core.losses.depth_ordering import depth_order_loss

FACES = torch.tensor([[0, 1, 2], [0, 2, 3]])
WIDTH, HEIGHT = 12, 8


def panel(left: float, top: float, right: float, bottom: float, depths: tuple[float, float, float, float]) -> Tensor:
    corners = [[left, top], [right, top], [right, bottom], [left, bottom]]
    return torch.tensor([[*corner, depth] for corner, depth in zip(corners, depths, strict=True)])


def mask(left: int, top: int, right: int, bottom: int, width: int = WIDTH, height: int = HEIGHT) -> Tensor:
    drawn = torch.zeros(height, width, dtype=torch.uint8)
    drawn[top:bottom, left:right] = 1
    return drawn


def slow_depth(vertices: np.ndarray, x: float, y: float) -> float:
    """Nearest depth at a pixel's centre; 1/z is linear in the image."""
    best = math.inf
    for face in FACES.numpy():
        (x0, y0, z0), (x1, y1, z1), (x2, y2, z2) = vertices[face]
        area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)
        w1 = ((x - x0) * (y2 - y0) - (x2 - x0) * (y - y0)) / area
        w2 = ((x1 - x0) * (y - y0) - (x - x0) * (y1 - y0)) / area
        if min(w1, w2, 1 - w1 - w2) >= 0:
            best = min(best, 1 / ((1 - w1 - w2) / z0 + w1 / z1 + w2 / z2))
    return best


def slow_loss(vertices: np.ndarray, masks: np.ndarray, images: list[int], stride: int) -> float:
    rows = range(stride // 2, masks.shape[1], stride)
    columns = range(stride // 2, masks.shape[2], stride)
    total = 0.0
    for row, y in enumerate(rows):
        for column, x in enumerate(columns):
            at = ((column + 0.5) * stride, (row + 0.5) * stride)
            for image in set(images):
                people = [p for p, i in enumerate(images) if i == image]
                depths = {p: slow_depth(vertices[p], *at) for p in people}
                front = min(people, key=lambda p: (depths[p], p))
                seen = [p for p in people if masks[p, y, x]]
                if len(seen) == 1 and depths[front] < depths[seen[0]] < math.inf:
                    total += math.log1p(math.exp(depths[seen[0]] - depths[front]))
    return total / (len(vertices) * len(rows) * len(columns))


def scene() -> tuple[Tensor, Tensor, Tensor]:
    """Five panels of two images with slopes, masks that contradict some of their depths, and a doubly claimed area."""
    vertices = torch.stack(
        (
            panel(1.3, 0.7, 7.9, 7.2, (3.0, 4.0, 6.0, 5.0)),
            panel(4.1, 1.9, 11.2, 6.8, (4.5, 3.5, 5.5, 4.0)),
            panel(0.2, 3.1, 9.7, 7.7, (2.0, 7.0, 7.0, 2.0)),
            panel(0.2, 0.4, 8.1, 7.7, (2.0, 2.0, 2.0, 2.0)),
            panel(3.3, 0.1, 11.7, 7.7, (5.0, 4.0, 3.0, 5.0)),
        )
    )
    masks = torch.stack(
        (
            mask(1, 1, 6, 7),
            mask(5, 2, 11, 7),
            mask(7, 3, 10, 8),
            mask(0, 0, 3, 8),
            mask(3, 0, 12, 8),
        )
    )
    return vertices, masks, torch.tensor([3, 3, 3, 8, 8])


@pytest.mark.parametrize("stride", [1, 2, 3])
def test_agrees_with_the_slow_twin(stride: int) -> None:
    vertices, masks, images = scene()
    expected = slow_loss(vertices.double().numpy(), masks.numpy(), images.tolist(), stride)
    assert expected > 0.05
    # vertices are snapped to 1/256 px when they are drawn
    assert depth_order_loss(vertices, FACES, masks, images, stride).item() == pytest.approx(expected, rel=3e-3)


def test_closed_form_and_gradients_of_two_flat_panels() -> None:
    vertices = torch.stack((panel(0, 0, 12, 8, (5.0,) * 4), panel(0, 0, 12, 8, (4.0,) * 4))).requires_grad_()
    masks = torch.stack((mask(0, 0, 6, 8), mask(6, 0, 12, 8)))
    loss = depth_order_loss(vertices, FACES, masks, torch.tensor([0, 0]), stride=1)
    loss.backward()
    # half of the canvas shows the first, who is 1 m behind; mean over two people
    assert loss.item() == pytest.approx(math.log1p(math.exp(1.0)) / 4, rel=1e-5)
    assert vertices.grad is not None
    slope = 1 / (1 + math.exp(-1.0)) / 4
    assert vertices.grad[..., 2].sum(dim=1).tolist() == pytest.approx([slope, -slope], rel=1e-5)
    assert torch.all(vertices.grad[..., :2] == 0)


def test_gradient_agrees_with_finite_differences_of_depths() -> None:
    """Along equal shifts of a body's depths the barycentrics of a flat panel stay, so the gradient is exact."""
    vertices = torch.stack((panel(1, 1, 11, 7, (5.0,) * 4), panel(3, 0, 9, 8, (4.2,) * 4))).requires_grad_()
    masks, images = torch.stack((mask(1, 1, 8, 7), mask(9, 0, 12, 8))), torch.tensor([0, 0])
    depth_order_loss(vertices, FACES, masks, images, 1).backward()
    assert vertices.grad is not None
    for person in range(2):
        values = []
        for step in (1e-3, -1e-3):
            shifted = vertices.detach().double().numpy()
            shifted[person, :, 2] += step
            values.append(slow_loss(shifted, masks.numpy(), images.tolist(), 1))
        slope = (values[0] - values[1]) / 2e-3
        assert vertices.grad[person, :, 2].sum().item() == pytest.approx(slope, rel=1e-3)


def test_descending_puts_the_seen_person_in_front() -> None:
    depths = torch.tensor([5.0, 4.0], requires_grad=True)
    flat = torch.stack((panel(0, 0, 12, 8, (1.0,) * 4), panel(0, 0, 12, 8, (1.0,) * 4)))
    masks, images = torch.stack((mask(0, 0, 12, 8), torch.zeros(8, 12, dtype=torch.uint8))), torch.tensor([0, 0])
    optimiser = torch.optim.SGD([depths], lr=1.0)
    for _ in range(20):
        optimiser.zero_grad()
        loss = depth_order_loss(
            flat * torch.tensor([1, 1, 0.0]) + depths[:, None, None] * torch.tensor([0, 0, 1.0]), FACES, masks, images
        )
        if loss.item() == 0.0:
            break
        loss.backward()
        optimiser.step()
    assert loss.item() == 0.0
    assert depths[0] < depths[1]


def test_the_right_order_and_other_images_cost_nothing() -> None:
    vertices = torch.stack((panel(0, 0, 12, 8, (4.0,) * 4), panel(0, 0, 12, 8, (5.0,) * 4))).requires_grad_()
    seen = torch.stack((mask(0, 0, 12, 8), torch.zeros(8, 12, dtype=torch.uint8)))
    loss = depth_order_loss(vertices, FACES, seen, torch.tensor([0, 0]))
    loss.backward()
    assert loss.item() == 0.0
    assert depth_order_loss(vertices, FACES, seen.flip(0), torch.tensor([0, 1])).item() == 0.0
    assert depth_order_loss(vertices, FACES, torch.ones_like(seen), torch.tensor([0, 0])).item() == 0.0  # both claim


@pytest.mark.parametrize("people", [0, 1])
def test_nobody_and_one_person(people: int) -> None:
    vertices = panel(0, 0, 12, 8, (4.0,) * 4)[None][:people].requires_grad_()
    masks = torch.ones(people, HEIGHT, WIDTH, dtype=torch.uint8)
    loss = depth_order_loss(vertices, FACES, masks, torch.zeros(people, dtype=torch.int64))
    loss.backward()
    assert loss.item() == 0.0


def test_finite_for_equal_far_hidden_and_broken_bodies_under_autocast() -> None:
    whole = (0.0, 0.0, 12.0, 8.0)
    vertices = torch.stack(
        (
            panel(*whole, (1e6,) * 4),
            panel(*whole, (3.0,) * 4),
            panel(*whole, (3.0,) * 4),
            panel(*whole, (-2.0,) * 4),
            panel(*whole, (math.nan,) * 4),
            panel(-1e9, -1e9, 1e9, 1e9, (1e8,) * 4),
        )
    ).requires_grad_()
    masks = torch.stack([mask(2 * person, 0, 2 * person + 2, 8) for person in range(6)])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = depth_order_loss(vertices, FACES, masks, torch.zeros(6, dtype=torch.int64))
    loss.backward()
    assert loss.dtype == torch.float32
    assert torch.isfinite(loss)
    assert loss > 0
    assert vertices.grad is not None
    assert torch.isfinite(vertices.grad).all()


def test_ties_belong_to_the_first() -> None:
    vertices = torch.stack((panel(0, 0, 12, 8, (4.0,) * 4),) * 2)
    masks = torch.stack((torch.zeros(8, 12, dtype=torch.uint8), mask(0, 0, 12, 8)))
    assert depth_order_loss(vertices, FACES, masks, torch.tensor([0, 0])).item() == 0.0
