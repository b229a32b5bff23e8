"""L_RoI, L_occ, L_res and the vertex loss: slow twins, closed forms, who gets gradients, nobody."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from mili_core.losses.cells import pool_valid, valid_cells
from mili_core.losses.occlusion import occlusion_loss
from mili_core.losses.restoration import restoration_loss
from mili_core.losses.roi_guidance import refined_boxes, roi_loss
from mili_core.losses.vertices import vertex_loss

SIZES = ((96, 64), (40, 128), (1, 1))  # of a canvas of 96 x 128 px: 3 x 4 cells


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def slow_valid(sizes: tuple[tuple[int, int], ...], rows: int, columns: int) -> np.ndarray:
    valid = np.zeros((len(sizes), rows, columns), dtype=bool)
    for image, (height, width) in enumerate(sizes):
        for row in range(rows):
            for column in range(columns):
                inside = (row * 32 + 16 < height or row == 0) and (column * 32 + 16 < width or column == 0)
                valid[image, row, column] = inside
    return valid


def test_valid_cells_and_pooling_agree_with_the_slow_twin() -> None:
    top = random(3, 5, 3, 4)
    valid = slow_valid(SIZES, 3, 4)
    assert np.array_equal(valid_cells(top, SIZES).numpy(), valid)
    assert valid.sum(axis=(1, 2)).tolist() == [6, 4, 1]
    pooled = pool_valid(top, SIZES)
    for image in range(3):
        expected = top[image].double().numpy()[:, valid[image]].mean(axis=1)
        assert pooled[image].numpy() == pytest.approx(expected, rel=1e-5)


def test_pooling_is_float32_and_takes_no_images() -> None:
    assert pool_valid(random(1, 2, 3, 4).bfloat16(), SIZES[:1]).dtype == torch.float32
    assert pool_valid(torch.zeros(0, 2, 3, 4), ()).shape == (0, 2)


def test_restoration_loss_agrees_with_the_slow_twin() -> None:
    restored, teacher = random(3, 5, 3, 4, seed=1), random(3, 5, 3, 4, seed=2)
    valid = slow_valid(SIZES, 3, 4)
    total, count = 0.0, 0
    for image, row, column in zip(*np.nonzero(valid), strict=True):
        for channel in range(5):
            total += (float(restored[image, channel, row, column]) - float(teacher[image, channel, row, column])) ** 2
            count += 1
    assert restoration_loss(restored, teacher, SIZES).item() == pytest.approx(total / count, rel=1e-5)


def test_restoration_loss_ignores_padding_whatever_it_holds() -> None:
    restored, teacher = random(3, 5, 3, 4, seed=1).requires_grad_(), random(3, 5, 3, 4, seed=2)
    expected = restoration_loss(restored, teacher, SIZES)
    padding = torch.from_numpy(~slow_valid(SIZES, 3, 4))[:, None].expand_as(teacher)
    teacher[padding] = torch.inf
    loss = restoration_loss(restored, teacher, SIZES)
    loss.backward()
    assert loss.item() == expected.item()
    assert restored.grad is not None
    assert torch.all(restored.grad[padding] == 0)
    assert torch.all(restored.grad[~padding] != 0)


def slow_refined(deltas: np.ndarray, rois: np.ndarray) -> np.ndarray:
    boxes = []
    for (dx, dy, dw, dh), (x1, y1, x2, y2) in zip(deltas, rois, strict=True):
        w, h = x2 - x1, y2 - y1
        cx, cy = (x1 + x2) / 2 + 0.1 * dx * w, (y1 + y2) / 2 + 0.1 * dy * h
        limit = math.log(1000 / 16)
        w, h = w * math.exp(min(0.2 * dw, limit)), h * math.exp(min(0.2 * dh, limit))
        boxes.append((cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2))
    return np.array(boxes)


def test_roi_loss_of_boxes_agrees_with_the_slow_twin() -> None:
    low, high = random(6, 4, seed=1).requires_grad_(), random(6, 4, seed=2).requires_grad_()
    corner = random(6, 2, seed=3).abs() * 100
    rois = torch.cat((corner, corner + 40), dim=1)
    loss = roi_loss(refined_boxes(low, rois), refined_boxes(high, rois), images=2)
    boxes = [slow_refined(deltas.detach().double().numpy(), rois.double().numpy()) for deltas in (low, high)]
    expected = sum(float(a - b) ** 2 for a, b in zip(boxes[0].flat, boxes[1].flat, strict=True)) / 2
    assert loss.item() == pytest.approx(expected, rel=1e-4)
    loss.backward()
    assert high.grad is None
    assert low.grad is not None
    assert torch.all(low.grad.abs().sum(dim=1) > 0)


def test_roi_loss_closed_form_of_features() -> None:
    student = torch.zeros(3, 2, 2, 2, requires_grad=True)
    assert roi_loss(student, torch.full((3, 2, 2, 2), 2.0), images=4).item() == 4 * 24 / 4


def test_wild_deltas_stay_finite() -> None:
    deltas = torch.full((2, 4), 1e6, requires_grad=True)
    loss = roi_loss(refined_boxes(deltas, torch.tensor([[0.0, 0, 800, 500]] * 2)), torch.zeros(2, 4), images=1) * 1e-8
    loss.backward()
    assert torch.isfinite(loss)
    assert deltas.grad is not None
    assert torch.isfinite(deltas.grad).all()


def test_occlusion_loss_agrees_with_the_slow_twin() -> None:
    logits, targets = random(3, 28, 28, seed=1), random(3, 28, 28, seed=2).sigmoid()
    total = 0.0
    for logit, target in zip(logits.double().numpy().flat, targets.double().numpy().flat, strict=True):
        total += (1 / (1 + math.exp(-logit)) - target) ** 2
    assert occlusion_loss(logits, targets).item() == pytest.approx(total / (3 * 784), rel=1e-5)


def test_occlusion_loss_grows_masks_where_people_are() -> None:
    logits = torch.zeros(1, 28, 28, requires_grad=True)
    targets = torch.zeros(1, 28, 28)
    targets[:, :14] = 1.0
    occlusion_loss(logits, targets).backward()
    assert logits.grad is not None
    assert torch.all(logits.grad[:, :14] < 0)
    assert torch.all(logits.grad[:, 14:] > 0)


def test_vertex_loss_closed_form() -> None:
    predicted, truth = torch.zeros(2, 5, 3, requires_grad=True), torch.zeros(2, 5, 3, requires_grad=True)
    loss = vertex_loss(predicted, truth + torch.tensor([0.3, 0.0, -0.6]))
    loss.backward()
    assert loss.item() == pytest.approx(0.3)
    assert truth.grad is None
    assert predicted.grad is not None


def test_teachers_get_no_gradient() -> None:
    student, teacher = random(1, 2, 3, 4).requires_grad_(), random(1, 2, 3, 4, seed=1).requires_grad_()
    (restoration_loss(student, teacher, SIZES[:1]) + roi_loss(student, teacher, 1)).backward()
    assert teacher.grad is None
    assert student.grad is not None


def test_nobody_costs_nothing_and_may_be_differentiated() -> None:
    maps = torch.zeros(0, 28, 28, requires_grad=True)
    boxes = torch.zeros(0, 4, requires_grad=True)
    top = torch.zeros(0, 2, 3, 4, requires_grad=True)
    points = torch.zeros(0, 9, 3, requires_grad=True)
    losses = (
        occlusion_loss(maps, torch.zeros(0, 28, 28)),
        roi_loss(refined_boxes(boxes, torch.zeros(0, 4)), torch.zeros(0, 4), 0),
        restoration_loss(top, torch.zeros(0, 2, 3, 4), ()),
        vertex_loss(points, torch.zeros(0, 9, 3)),
    )
    for loss in losses:
        loss.backward()
        assert loss.item() == 0.0


@pytest.mark.parametrize("scale", [0.0, 1.0, 1e15])
def test_float32_and_finite_in_bfloat16(scale: float) -> None:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        top = (random(1, 2, 3, 4) * scale).bfloat16().requires_grad_()
        maps = (random(2, 28, 28) * scale).bfloat16().requires_grad_()
        losses = (
            restoration_loss(top, torch.zeros(1, 2, 3, 4), SIZES[:1]),
            roi_loss(top, torch.zeros(1, 2, 3, 4), 1),
            occlusion_loss(maps, torch.zeros(2, 28, 28)),
            vertex_loss((random(1, 9, 3) * scale).bfloat16(), torch.zeros(1, 9, 3)),
        )
    for loss in losses:
        assert loss.dtype == torch.float32
        assert torch.isfinite(loss)
    sum(losses[:3]).backward()
    for leaf in (top, maps):
        assert leaf.grad is not None
        assert torch.isfinite(leaf.grad).all()
